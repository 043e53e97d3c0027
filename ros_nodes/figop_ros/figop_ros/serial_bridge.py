"""`serial_bridge`: gesture events, captions and the hands in view -> a microcontroller on a serial port."""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from dataclasses import replace
from typing import Any, TypeVar

from figop_msgs.msg import FingerCaption, GestureEvent, LinkState
from figop_msgs.msg import HandFrame as HandFrameMsg

from edge.errors import SinkError
from edge.events import Event, HandsSeen
from edge.score import HANDS, check
from figop_ros.conversions import from_caption, from_gesture, from_time
from figop_ros.main import run
from figop_ros.node import FigopNode
from figop_ros.parameters import Setting, qos_settings

#: messages that may wait here: the link has a queue of its own, and takes them at once
BACKLOG = 100
#: presence from which a hand is seen, as HandLandmarks.msg has it
SEEN = 0.5
Told = TypeVar("Told", bound=Event)


class SerialBridge(FigopNode):
    """Listens to `gestures`, `captions`, `hands`; publishes ~/link_state. The link opens a lost port again by itself.

    Configuring opens the port: one that is not there, is taken or may not be opened makes it fail. A board that does
    not answer yet is no failure: ~/link_state and /diagnostics say so until it does.
    """

    SETTINGS = (
        Setting("port.device", "", "serial port of the board, such as /dev/ttyUSB0"),
        Setting("port.baud", 115_200, "its baud rate, the one that the board was flashed for", 9_600, 12_000_000),
        Setting("send.gestures", True, "send gesture events: each once and in order, or reported as failed", live=True),
        Setting("send.captions", True, "send captions, the newest wins", live=True),
        Setting("send.provisional", True, "send provisional captions too", live=True),
        Setting("send.hands", True, "tell which hands are in view whenever that changes", live=True),
        Setting("state.period_s", 1.0, "seconds between two messages on ~/link_state, besides every change", 0.1, 60.0),
        *qos_settings("gestures", "reliable", 30),
        *qos_settings("captions", "reliable", 10),
        *qos_settings("hands", "reliable", 30),
        *qos_settings("link_state", "reliable", 10),
    )
    #: seconds that what is on its way has when the node is deactivated
    DRAIN_S = 0.4
    STOP_S = 0.2

    def __init__(self, **options: Any) -> None:
        super().__init__("serial_bridge", **options)
        self._link: Any = None
        self._telling = threading.Lock()
        self._states: Any = None

    # -- transitions -------------------------------------------------------------------------------------------

    def configure(self) -> None:
        if not self.p["port.device"]:
            raise SinkError("The serial bridge does not know its port: set its parameter port.device.")
        try:
            from devices.link import convert, driver, port, reliable
        except ImportError as error:
            raise SinkError(
                f"The serial link needs the package {error.name or 'pyserial'}: pip install 'figop[serial]'."
            ) from error
        self._convert, self._driver, self._outcome = convert, driver, reliable.Outcome
        self._told = ""
        self._seen: dict[str, int] = {}
        self._events: Counter[str] = Counter()
        self._acknowledged_ms = math.nan
        self.output("link_state", LinkState)
        link = driver.Link(port.Address(self.p["port.device"], self.p["port.baud"]))
        link.listen(self._noticed)
        link.begin()
        self._link = link
        self._states = self.create_timer(self.p["state.period_s"], self._tell, clock=self._wall)

    def activate(self) -> None:
        self.start_worker(self._work, BACKLOG)
        self.listen("gestures", GestureEvent, self._arrived)
        self.listen("captions", FingerCaption, self._arrived)
        self.listen("hands", HandFrameMsg, self._arrived)
        self._tell()

    def finish(self) -> None:
        self._say_hands({}, 0.0, 0.0)  # who drives by hands in view is told that nobody watches any more

    def deactivate(self) -> None:
        link = self._link
        link.wait_for(lambda: link.session.idle or link.session.state.state != "up", self.DRAIN_S)
        self._tell()

    def cleanup(self) -> None:
        if self._states is not None:
            self.destroy_timer(self._states)
            self._states = None
        if self._link is not None:
            self._link.close()
            self._link = None

    def steady(self) -> bool:
        return bool(self.p["send.hands"])

    def silent(self) -> None:
        if self.worker is not None:
            self.worker.call(self.finish)

    # -- topics ------------------------------------------------------------------------------------------------

    def _arrived(self, message: Any) -> None:
        if isinstance(message, HandFrameMsg):
            self.health.arrived()
        if self.worker is not None:
            self.worker.put((message, self.now_ns()))

    def _work(self, job: tuple[Any, int]) -> None:
        message, arrived_ns = job
        p, now = self.p, self.now_ns()
        if isinstance(message, HandFrameMsg):
            if p["send.hands"]:
                self._hands(message, now)
        elif isinstance(message, GestureEvent):
            if p["send.gestures"]:
                self._gesture(message, now)
        elif p["send.captions"] and (message.final or p["send.provisional"]):
            event = from_caption(message)
            self._link.show(self._convert.caption(_aged(event, message, now)))
            self.health.count("captions_shown")
        self.health.done((self.now_ns() - arrived_ns) * 1e-6, self.age_ms(from_time(message.header.stamp)), {})

    def _gesture(self, message: GestureEvent, now_ns: int) -> None:
        event = from_gesture(message)
        if event.event is not None:
            check(event.event)
        sent = self._convert.gesture(_aged(event, message, now_ns))
        if sent is None:  # a gesture of one's own: the link speaks of motions alone
            self.health.count("not_for_the_link")
        else:
            self._submit(sent)

    def _hands(self, message: HandFrameMsg, now_ns: int) -> None:
        seen = {} if message.end_of_stream else {HANDS[h.side]: h.track_id for h in message.hands if h.presence >= SEEN}
        if set(seen) == set(self._seen):
            return
        t_ns = from_time(message.header.stamp)
        self._say_hands(seen, t_ns * 1e-9, max(0.0, (now_ns - from_time(message.stages.published)) * 1e-6))

    def _say_hands(self, seen: dict[str, int], t: float, age_ms: float) -> None:
        if set(seen) == set(self._seen) or not self.p["send.hands"]:
            return
        self._seen = seen
        self._submit(self._convert.hands_seen(HandsSeen("hands", t, t, source="tracker", hands=seen, age_ms=age_ms)))

    def _submit(self, message: Any) -> None:
        self._events["submitted"] += 1
        self._link.submit(message)

    # -- the link ----------------------------------------------------------------------------------------------

    def _noticed(self, notice: Any) -> None:
        """On the link's thread."""
        if isinstance(notice, self._outcome):
            if notice.delivered:
                self._events["acknowledged"] += 1
                self._acknowledged_ms = notice.took_s * 1e3
            else:
                self._events["failed"] += 1
                self.health.count("dropped_unacknowledged")
                self.trouble(f"An event did not reach the board on {self._link.address}: {_why(notice.why)}.")
        elif hasattr(notice, "state"):
            self._tell()

    def _sentence(self) -> str:
        """What is wrong with the link, or nothing."""
        link = self._link
        state = link.session.state
        if state.state == "up":
            return ""
        if state.state == "other_version":
            return str(self._driver.other_version(link.address, state.why))
        if state.state == "closed":
            return f"The port {link.address} is gone ({state.why}); it is opened again as soon as it is there."
        return f"The board on {link.address} is not heard ({state.why}); is figop_link running on it, at that rate?"

    def faults(self) -> list[str]:
        sentence = self._sentence() if self._link is not None else ""
        return [sentence] if sentence else []

    def _tell(self) -> None:
        """From the link's thread and the executor's: one after the other, or what was last would come first."""
        with self._telling:
            if self._link is not None:
                self._publish_state(self._link)

    def _publish_state(self, link: Any) -> None:
        session, counts = link.session, link.session.counters
        state, now = session.state.state, time.monotonic()
        sentence = self._sentence()
        if sentence != self._told:
            self._told = sentence
            self.get_logger().warning(sentence) if sentence else self.get_logger().info(f"{link.address}: up")
        message = LinkState(
            connected=state == "up",
            state=state,
            port=link.address.path,
            boot_id=session.peer,
            sent=counts["frames_out"],
            received=counts["accepted"],
            lost=counts["lost"],
            crc_errors=counts["bad_crc"],
            framing_errors=counts.died - counts["bad_crc"],
            reconnects=link.reconnects,
            events_submitted=self._events["submitted"],
            events_acknowledged=self._events["acknowledged"],
            events_failed=self._events["failed"],
            acknowledged_ms=self._acknowledged_ms,
            heartbeat_age_ms=(now - session.heard_at) * 1e3 if math.isfinite(session.heard_at) else math.nan,
            message=sentence,
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self.publish("link_state", message)


def _aged(event: Told, message: Any, now_ns: int) -> Told:
    """The event with its way here added to its age, which the board sees."""
    published = from_time(message.stages.published)
    return replace(event, age_ms=event.age_ms + max(0.0, now_ns - published) * 1e-6) if published else event


def _why(reason: str) -> str:
    return {"deadline": "no acknowledgement within 2 s", "queue_full": "too many wait", "closed": "the link ended"}.get(
        reason, reason
    )


def main() -> int:
    """Run the node."""
    return run(SerialBridge)


if __name__ == "__main__":
    raise SystemExit(main())
