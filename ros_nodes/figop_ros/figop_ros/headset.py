"""`headset`: OpenXR-ordered joints (PoseArray of 26 poses a hand) -> HandFrame."""

from __future__ import annotations

from typing import Any

import numpy as np
from geometry_msgs.msg import PoseArray, TransformStamped
from numpy.typing import NDArray
from std_msgs.msg import Header

from edge.errors import SourceError
from edge.hands.openxr import AXES, JointsReader, Layout
from edge.score import HANDS
from figop_ros import compat
from figop_ros.conversions import from_time
from figop_ros.geometry import quaternion
from figop_ros.main import run
from figop_ros.node import FigopNode
from figop_ros.outputs import HAND_SETTINGS, HandOutput
from figop_ros.parameters import Setting, qos_settings

#: a camera's and a robot's joints are right-handed; engines with other axes speak to `figop serve`
AXES_NAMES = ("openxr", "optical", "ros")


def joints_of(message: PoseArray) -> NDArray[np.float64] | None:
    """The joints [26,3] as they came; None for an empty message (hand not seen)."""
    if not message.poses:
        return None
    return np.array([(p.position.x, p.position.y, p.position.z) for p in message.poses], np.float64)


class HeadsetNode(FigopNode):
    """Listens to `left/joints` and `right/joints`; publishes ~/hands. An empty PoseArray = that hand is not seen."""

    SETTINGS = (
        Setting("joints.axes", "openxr", "axes of the joints' frame", choices=AXES_NAMES),
        Setting("joints.check", True, "refuse joints whose order, unit or side is mistaken"),
        Setting("joints.hands", "both", "which topics come", choices=("both", "left", "right")),
        Setting(
            "camera.view",
            "egocentric",
            "the joints' frame looks as the person does (egocentric) or at the person (facing)",
            choices=("egocentric", "facing"),
        ),
        *(s for s in HAND_SETTINGS if not s.name.startswith(("annotated", "qos.annotated", "wrist", "qos.wrist"))),
        Setting("wrist.publish", False, "not for headsets, whose joints are poses already", choices=()),
        Setting("annotated.publish", False, "not for headsets, which have no picture"),
        *qos_settings("joints", "best_effort", 5),
    )

    def __init__(self, **options: Any) -> None:
        super().__init__("headset", **options)

    def configure(self) -> None:
        for name in ("wrist.publish", "annotated.publish"):
            if self.p[name]:
                raise SourceError(f"{name} has no meaning for a headset; leave it false.")
        self.hands = HandOutput(self)
        self._waiting: dict[int, tuple[PoseArray, int]] = {}
        self._reader = JointsReader(Layout(axes=self.p["joints.axes"]), check=self.p["joints.check"])
        self._header = Header()

    def activate(self) -> None:
        self.start_worker(self._work, 60)
        for slot, side in enumerate(HANDS):
            if self.p["joints.hands"] in ("both", side):
                self._listen_to(slot, side)

    def deactivate(self) -> None:
        self._emit_all()
        self.hands.end(self._header, view=self.p["camera.view"], mirrored=False)

    def _listen_to(self, slot: int, side: str) -> None:
        def arrived(message: PoseArray) -> None:
            self.health.arrived()
            if self.worker is not None:
                self.worker.put((slot, message, self.now_ns()))

        self.listen(f"{side}/joints", PoseArray, arrived, settings="joints")

    def _work(self, job: tuple[int, PoseArray, int]) -> None:
        slot, message, arrived_ns = job
        stamp = from_time(message.header.stamp)
        if any(from_time(m.header.stamp) != stamp for m, _ in self._waiting.values()):
            self._emit_all()  # the other hand of that instant has not come: it is not seen
        self._waiting[slot] = (message, arrived_ns)
        if self.p["joints.hands"] != "both" or len(self._waiting) == 2:
            self._emit_all()

    def _emit_all(self) -> None:
        """One HandFrame of what waits; all of it has one stamp."""
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, {}
        header, arrived_ns = next(iter((m.header, t) for m, t in waiting.values()))
        hands = [joints_of(waiting[slot][0]) if slot in waiting else None for slot in (0, 1)]
        frame = self._reader.read(from_time(header.stamp), hands)
        header = self._optical(header)
        self._header = header
        self.hands.publish(frame, header, view=self.p["camera.view"], mirrored=False, arrived_ns=arrived_ns)
        self.health.done((self.now_ns() - arrived_ns) * 1e-6, self.age_ms(frame.t_ns), {})

    def _optical(self, header: Header) -> Header:
        """The header of the same place in optical axes; tells tf how these lie in the headset's own frame."""
        axes = self.p["joints.axes"]
        if axes == "optical":
            return header
        child = f"{header.frame_id}_figop"
        if self.p["tf.publish"]:
            turn = TransformStamped(header=header, child_frame_id=child)
            q = turn.transform.rotation
            q.x, q.y, q.z, q.w = quaternion(np.array(AXES[axes]).T)
            self.publish("tf", compat.TFMessage(transforms=[turn]))
        return Header(stamp=header.stamp, frame_id=child)


def main() -> int:
    """Run the node."""
    return run(HeadsetNode)


if __name__ == "__main__":
    raise SystemExit(main())
