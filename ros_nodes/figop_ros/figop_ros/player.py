"""`player`: a recording (.npz) or a rosbag2 -> topics, with the original stamps, at any rate."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from figop_msgs.msg import Detections as DetectionsMsg
from figop_msgs.msg import HandFrame as HandFrameMsg
from rosgraph_msgs.msg import Clock

from edge.errors import SourceError
from edge.hands.frame import HandFrame
from edge.objects.detections import DetectionRows
from edge.recording import Recording
from figop_ros.bags import BagReader, is_bag, message_class
from figop_ros.conversions import to_detections, to_hand_frame, to_time
from figop_ros.main import run
from figop_ros.node import FigopNode
from figop_ros.parameters import Setting, qos_settings

#: seconds between two looks for subscribers, while the player waits for them
LOOK_S = 0.02
#: seconds that the player sleeps at most before it looks at its rate again
STEP_S = 0.1


@dataclass(frozen=True, slots=True)
class Item:
    """What is to be published when: time in ns, key of the output, and how to make the message."""

    t_ns: int
    key: str
    make: Callable[[], Any]


class PlayerNode(FigopNode):
    """Publishes ~/hands and ~/detections of a recording, or a bag's topics under their own names.

    Starts when it is activated.
    """

    SETTINGS = (
        Setting("file", "", "recording (.npz) or rosbag2 (folder, .mcap or .db3)"),
        Setting("rate", 1.0, "speed, 1 = as recorded, 0 = as fast as it goes", 0.0, 100.0, live=True),
        Setting("loop", False, "begin anew at the end, with the same stamps", live=True),
        Setting("start_s", 0.0, "seconds to leave out at the beginning", 0.0, 86400.0),
        Setting("topics", "", "topics of a bag to play, separated by commas; empty = all whose types are installed"),
        Setting("frame_id", "", "frame of a recording's hands; empty = camera_optical_frame"),
        Setting("wait.subscribers", 0, "subscribers of each topic to wait for before the first message", 0, 100),
        Setting("wait.timeout_s", 10.0, "begin without them after this many seconds", 0.0, 3600.0),
        Setting("clock.publish", False, "publish the stamps on /clock, for nodes with use_sim_time"),
        Setting("quit_at_end", False, "end the process at the end"),
        *qos_settings("hands", "reliable", 30),
        *qos_settings("detections", "reliable", 10),
        *qos_settings("bag", "reliable", 30),
    )

    def __init__(self, **options: Any) -> None:
        super().__init__("player", **options)
        self.quit: Callable[[], None] | None = None
        self.finished = threading.Event()
        self._stop_playing = threading.Event()
        self._thread: threading.Thread | None = None
        self._recording: Recording | None = None
        self._bag: BagReader | None = None

    def configure(self) -> None:
        if not self.p["file"]:
            raise SourceError("The player has nothing to play: set its parameter file.")
        path = Path(self.p["file"]).expanduser()
        if not path.exists():
            raise SourceError(f"There is no file {path}.")
        if is_bag(path):
            self._bag = BagReader(path)
            self._open_topics(self._bag)
        else:
            self._recording = Recording.load(path)
            self.output("hands", HandFrameMsg)
            if self._recording.detections:
                self.output("detections", DetectionsMsg)
        if self.p["clock.publish"]:
            self.output("clock", Clock, "/clock", settings="bag")

    def _open_topics(self, bag: BagReader) -> None:
        asked = {t.strip() for t in self.p["topics"].split(",") if t.strip()}
        unknown = sorted(asked - set(bag.topics))
        if unknown:
            raise SourceError(f"The bag has no topic {unknown[0]}; it has {', '.join(sorted(bag.topics))}.")
        for topic in sorted(asked or bag.topics):
            kind = message_class(bag.topics[topic])
            if kind is not None:
                self.output(topic, kind, topic, settings="bag")
            elif asked:
                raise SourceError(f"The type {bag.topics[topic]} of {topic} is not installed here.")
            else:
                self.get_logger().warning(f"{topic} is not played: its type {bag.topics[topic]} is not installed here.")
        if not self._outputs:
            raise SourceError(f"The bag {bag.path} holds no topic that can be played here.")

    def activate(self) -> None:
        self._stop_playing.clear()
        self.finished.clear()
        self._thread = threading.Thread(target=self._play, name="player", daemon=True)
        self._thread.start()

    def deactivate(self) -> None:
        self._stop_playing.set()
        if self._thread is not None:
            self._thread.join(0.8)
            self._thread = None

    def cleanup(self) -> None:
        if self._bag is not None:
            self._bag.close()
        self._bag = self._recording = None

    def _items(self) -> Iterator[Item]:
        if self._bag is not None:
            for topic, t_ns, raw in self._bag.messages(set(self._outputs) & set(self._bag.topics)):
                yield Item(t_ns, topic, lambda raw=raw: raw)  # type: ignore[misc]
            return
        recording = self._recording
        assert recording is not None
        about: dict[str, Any] = {
            "frame_id": self.p["frame_id"] or "camera_optical_frame",
            "view": recording.view,
            "mirrored": recording.mirrored,
        }
        digest, number, last = recording.appearance_digest, 0, 0
        things = DetectionRows(recording.detections)
        for number, frame in enumerate(recording.frames()):

            def make(frame: HandFrame = frame, number: int = number) -> Any:
                return to_hand_frame(
                    frame,
                    sequence=number,
                    appearance_digest=digest,
                    arrived_ns=self.now_ns(),
                    published_ns=self.now_ns(),
                    **about,
                )

            last = frame.t_ns
            seen = things.at(last)
            if seen is not None:  # before the frame that they are of
                yield Item(last, "detections", partial(to_detections, seen, about["frame_id"]))
            yield Item(frame.t_ns, "hands", make)
        end = HandFrame(t_ns=last)
        yield Item(last, "hands", lambda: to_hand_frame(end, sequence=number + 1, end_of_stream=True, **about))

    def _play(self) -> None:
        try:
            self._wait_for_subscribers()
            while not self._stop_playing.is_set():
                self._play_once()
                if not self.p["loop"]:
                    break
        except Exception as error:
            self.failed(error)
        self.finished.set()
        if not self._stop_playing.is_set():
            self.get_logger().info("The end of the file is reached.")
            if self.p["quit_at_end"] and self.quit is not None:
                self.quit()

    def _play_once(self) -> None:
        began, first = time.monotonic(), None
        at_rate = self.p["rate"]
        for item in self._items():
            first = item.t_ns if first is None else first
            offset = (item.t_ns - first) * 1e-9 - self.p["start_s"]
            if offset < 0:
                continue
            while True:  # in short steps: the rate may change meanwhile
                rate = self.p["rate"]
                if rate != at_rate:  # from here on
                    began, at_rate = time.monotonic() - (offset / rate if rate else 0.0), rate
                ahead = began + offset / rate - time.monotonic() if rate else 0.0
                if self._stop_playing.wait(min(ahead, STEP_S)) if ahead > 0 else self._stop_playing.is_set():
                    return
                if ahead <= STEP_S:
                    break
            if self.p["clock.publish"]:
                self.publish("clock", Clock(clock=to_time(item.t_ns)))
            self.health.arrived()
            self.publish(item.key, item.make())

    def _wait_for_subscribers(self) -> None:
        wanted, until = self.p["wait.subscribers"], time.monotonic() + self.p["wait.timeout_s"]
        # who hears the hands need not hear of things
        outputs = [o for k, o in self._outputs.items() if k not in ("clock", "detections")]
        while any(o.get_subscription_count() < wanted for o in outputs):
            if time.monotonic() > until:
                self.trouble(
                    f"Fewer than {wanted} subscribers after {self.p['wait.timeout_s']:.0f} s; playing all the same."
                )
                return
            if self._stop_playing.wait(LOOK_S):
                return


def main() -> int:
    """Run the node."""
    return run(PlayerNode)


if __name__ == "__main__":
    raise SystemExit(main())
