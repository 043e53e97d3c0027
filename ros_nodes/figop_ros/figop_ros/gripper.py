"""`gripper`: a worked example of a policy. Hands drive a simulated gripper; it stops when they are not seen freshly.

A pinch closes, an opened hand (or a release) opens, a fist stops. A gesture acts as soon as it begins; one that is
withdrawn stops the gripper; a final caption acts where the gesture was missed. Not a safety device: a real gripper has
its own limits.
"""

from __future__ import annotations

import array
import time
from dataclasses import dataclass
from typing import Any

from rclpy.clock import Clock, ClockType
from sensor_msgs.msg import JointState
from std_msgs.msg import String

from edge.score import HANDS
from figop_ros.main import run
from figop_ros.node import FigopNode
from figop_ros.parameters import Setting, qos_settings
from figop_ros.policy import MOTION_NAMES, Observation, PolicyClient

COMMANDS = {"pinch": "close", "open": "open", "release": "open", "grab": "stop"}


@dataclass(slots=True)
class Gripper:
    """Kinematics of a parallel gripper: opening in metres, moves at one speed towards its target.

    Attributes: width: widest opening; speed: metres per second; position, target: metres.
    """

    width: float = 0.085
    speed: float = 0.10
    position: float = 0.085
    target: float = 0.085

    def command(self, what: str) -> None:
        """close, open, or stop where it is."""
        self.target = {"close": 0.0, "open": self.width, "stop": self.position}[what]

    def step(self, dt: float) -> float:
        """Move on for dt seconds; the speed that it had, metres per second."""
        way = max(-self.speed * dt, min(self.speed * dt, self.target - self.position))
        self.position += way
        return way / dt if dt > 0 else 0.0


class GripperPolicy:
    """Observations -> commands. State: which gestures and captions have been obeyed, and whether it is stopped.

    Args: hands: whose gestures count ("left", "right" or "either"); least: confidence from which a gesture counts.
    """

    def __init__(self, hands: str = "either", least: float = 0.5) -> None:
        self._slots = [i for i, side in enumerate(HANDS) if hands in (side, "either")]
        self._least = least
        self.reason = "nothing seen yet"
        self._acting: tuple[int, int] | None = None  # hand and number of the gesture that is obeyed
        self._obeyed: set[tuple[int, int]] = set()
        self._heard = -1
        self.safe_stop = True

    def decide(self, observation: Observation) -> str:
        """close, open, stop, or "" for as before. Call it at every control step."""
        f = observation.features
        if not observation.valid("hands"):
            stopped, self.safe_stop = self.safe_stop, True
            self._acting = None
            age = observation.age_s("hands")
            self.reason = f"safety stop: no hands for {age:.2f} s" if age < 1e5 else "safety stop: no hands yet"
            return "" if stopped else "stop"
        if self.safe_stop:
            # what began before the stop does not start the gripper again: only a fresh gesture does
            self.safe_stop = False
            self._obeyed |= {(s, int(f["gesture_number"][s])) for s in self._slots}
            self._heard = int(f["caption_number"])
            self.reason = "hands are seen again; waiting for a gesture"
        if self._acting is not None:
            slot, number = self._acting
            if int(f["gesture_withdrawn"][slot]) == number:
                self._acting = None
                self.reason = "the gesture was withdrawn"
                return "stop"
            if int(f["gesture_number"][slot]) != number:
                self._acting = None  # over
        return self._gesture(f) or self._caption(f)

    def _gesture(self, f: Any) -> str:
        commands = []
        for slot in self._slots:
            number, motion = int(f["gesture_number"][slot]), int(f["gesture_motion"][slot])
            key = (slot, number)
            if number < 0 or key in self._obeyed or f["gesture_confidence"][slot] < self._least:
                continue
            command = COMMANDS.get(MOTION_NAMES[motion])
            if command:
                self._obeyed.add(key)
                self._acting = key
                commands.append((command, f"{HANDS[slot]} hand: {MOTION_NAMES[motion]}"))
        # a stop of one hand wins over whatever the other one says
        commands.sort(key=lambda c: c[0] != "stop")
        if not commands:
            return ""
        command, self.reason = commands[0]
        return command

    def _caption(self, f: Any) -> str:
        """The last motion of a new final caption, unless gestures have said it already."""
        number = int(f["caption_number"])
        if number == self._heard or not bool(f["caption_final"]):
            return ""
        self._heard = number
        if self._acting is not None:
            return ""
        for slot in self._slots:
            command = COMMANDS.get(MOTION_NAMES[int(f["caption_last"][slot])] if f["caption_last"][slot] >= 0 else "")
            if command:
                self.reason = f"caption: {MOTION_NAMES[int(f['caption_last'][slot])]}"
                return command
        return ""


class GripperNode(FigopNode):
    """Listens to hands, gestures, tokens and captions; publishes ~/joint_states and ~/command."""

    SETTINGS = (
        Setting("control.rate_hz", 50.0, "control steps per second", 1.0, 200.0),
        Setting("control.hand", "either", "whose gestures count", choices=("either", "left", "right")),
        Setting("control.least_confidence", 0.5, "confidence from which a gesture counts", 0.0, 1.0),
        Setting("safety.max_age_s", 0.3, "the gripper stops when the newest hand frame is older", 0.05, 5.0),
        Setting("gripper.width_m", 0.085, "widest opening", 0.001, 1.0),
        Setting("gripper.speed_m_s", 0.1, "speed of the fingers together", 0.001, 2.0),
        *qos_settings("joint_states", "reliable", 10),
        *qos_settings("command", "reliable", 10),
    )

    def __init__(self, **options: Any) -> None:
        super().__init__("gripper", **options)
        self._control: Any = None
        self._client: PolicyClient | None = None
        self._steady = Clock(clock_type=ClockType.STEADY_TIME)

    def configure(self) -> None:
        p = self.p
        self.gripper = Gripper(p["gripper.width_m"], p["gripper.speed_m_s"], p["gripper.width_m"], p["gripper.width_m"])
        self.policy = GripperPolicy(p["control.hand"], p["control.least_confidence"])
        self.output("joint_states", JointState)
        self.output("command", String)

    def activate(self) -> None:
        self._client = PolicyClient(self, {"hands": self.p["safety.max_age_s"]})
        self._last = time.monotonic()
        self._control = self.create_timer(1.0 / self.p["control.rate_hz"], self._step, clock=self._steady)

    def deactivate(self) -> None:
        if self._control is not None:
            self.destroy_timer(self._control)
        if self._client is not None:
            self._client.close()
        self._control = self._client = None
        self.gripper.command("stop")

    def _step(self) -> None:
        if self._client is None:
            return
        now = time.monotonic()
        dt, self._last = now - self._last, now
        self.health.arrived()
        command = self.policy.decide(self._client.latest())
        if command:
            self.gripper.command(command)
            self.publish("command", String(data=f"{command} ({self.policy.reason})"))
        # a control loop that was held up does not make up for it by a jump
        velocity = self.gripper.step(min(dt, 2.0 / self.p["control.rate_hz"]))
        message = JointState(name=["gripper_opening"])
        message.header.stamp = self.get_clock().now().to_msg()
        message.position, message.velocity = array.array("d", [self.gripper.position]), array.array("d", [velocity])
        self.publish("joint_states", message)


def main() -> int:
    """Run the node."""
    return run(GripperNode)


if __name__ == "__main__":
    raise SystemExit(main())
