"""`recorder`: topics -> figop recordings (.npz) and rosbag2."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from figop_msgs.msg import Detections as DetectionsMsg
from figop_msgs.msg import FigopUnit, FingerCaption, GestureEvent, MotionTokens
from figop_msgs.msg import HandFrame as HandFrameMsg
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CompressedImage, Image

from edge.errors import SinkError
from edge.hands.frame import HandFrame
from edge.objects.detections import SLACK_S, Detections
from edge.recording import Recording
from figop_ros.bags import BagWriter, check_types
from figop_ros.compat import resolved
from figop_ros.conversions import from_hand_frame, from_time, view_of
from figop_ros.main import run
from figop_ros.node import FigopNode
from figop_ros.objects import OBJECTS, ObjectTopic
from figop_ros.parameters import Setting, qos_settings

#: relative name -> its type
KINDS: dict[str, Any] = {
    "hands": HandFrameMsg,
    "gestures": GestureEvent,
    "captions": FingerCaption,
    "tokens": MotionTokens,
    "units": FigopUnit,
    "objects": DetectionsMsg,
    "image": Image,
    "image/compressed": CompressedImage,
}
#: messages that may wait while a segment is written: 10 s at 60 fps
BACKLOG = 600


class RecorderNode(FigopNode):
    """Listens to `hands` (and others); writes on disk what nobody else keeps. Nothing is written unless activated.

    With objects.from, recordings hold the things beside the hands, so that they are told of without a detector.
    """

    SETTINGS = (
        Setting("folder", "", "where to write; it is made if need be"),
        Setting("name", "", "begin of the file names; empty = date and time"),
        Setting("npz", True, "write hand frames as figop recordings (.npz)"),
        Setting("bag", False, "write the topics as a rosbag2"),
        Setting("topics", "hands,gestures,captions,tokens", f"topics of the bag: {', '.join(KINDS)}"),
        Setting("segment_s", 60.0, "a recording ends and the next begins after this many seconds", 1.0, 3600.0),
        *qos_settings("hands", "reliable", 100),
        *qos_settings("others", "reliable", 100),
        *qos_settings("image", "best_effort", 5),
        *OBJECTS,
    )

    #: a segment on a slow card takes seconds to write
    STOP_S = 20.0

    def __init__(self, **options: Any) -> None:
        super().__init__("recorder", **options)
        self._things = ObjectTopic(self)

    def configure(self) -> None:
        p = self.p
        if not p["folder"]:
            raise SinkError("The recorder does not know where to write: set its parameter folder.")
        if not (p["npz"] or p["bag"]):
            raise SinkError("The recorder is told to write neither npz nor bag; set one of them.")
        self._things.configure()
        self._topics = [t.strip() for t in p["topics"].split(",") if t.strip()] if p["bag"] else []
        for topic in self._topics:
            if topic not in KINDS:
                raise SinkError(f"The topic {topic!r} cannot be recorded; choose among {', '.join(KINDS)}.")
        if self._topics:
            check_types([_type_name(self._kind(t)) for t in self._topics])
        self._folder = Path(p["folder"]).expanduser()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            probe = self._folder / ".figop-probe"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise SinkError(f"Nothing can be written to {self._folder}: {error.strerror or error}.") from error

    def activate(self) -> None:
        self._name = self.p["name"] or time.strftime("%Y%m%d-%H%M%S")
        self._segment = 0
        self._frames: list[HandFrame] = []
        self._seen: list[Detections] = []
        self._about: dict[str, Any] = {}
        self._bag: BagWriter | None = None
        self.written: list[Path] = []
        self.start_worker(self._work, BACKLOG)
        kept = ["hands", *(["objects"] if self._things.kind != "none" else [])] if self.p["npz"] else []
        self._names: dict[str, str] = {}
        for topic in dict.fromkeys(kept + self._topics):
            self._names[topic] = resolved(self._listen_to(topic))
        self._things.listening(self._names.get("objects", "objects"))

    def faults(self) -> list[str]:
        return self._things.faults()

    def finish(self) -> None:
        self._write()
        if self._bag is not None:
            bag, self._bag = self._bag, None
            bag.close()
            self.written.append(bag.path)

    def deactivate(self) -> None:
        for path in self.written:
            self.get_logger().info(f"wrote {path}")

    def _listen_to(self, topic: str) -> Any:
        group = {"hands": "hands", "image": "image", "image/compressed": "image", "objects": "objects"}.get(topic)

        def arrived(message: Any) -> None:
            self.health.arrived()
            if self.worker is not None:
                self.worker.put((topic, message, self.now_ns()))

        return self.listen(topic, self._kind(topic), arrived, settings=group or "others")

    def _kind(self, topic: str) -> Any:
        return self._things.message if topic == "objects" else KINDS[topic]

    def _work(self, job: tuple[str, Any, int]) -> None:
        topic, message, arrived_ns = job
        if topic in self._topics:
            if self._bag is None:  # on this thread: SQLite wants one for its whole life
                types = {self._names[t]: _type_name(self._kind(t)) for t in self._topics}
                self._bag = BagWriter(self._free(self._folder / f"{self._name}-bag"), types)
            self._bag.write(self._names[topic], arrived_ns, serialize_message(message))
        if topic == "hands" and self.p["npz"]:
            self._keep(message)
        if topic == "objects":
            self._things.came()
            seen = self._things.read(message) if self.p["npz"] and self._things.kind != "none" else None
            if seen is not None:
                self._seen.append(seen)
        self.health.done((self.now_ns() - arrived_ns) * 1e-6, None, {})

    def _keep(self, message: HandFrameMsg) -> None:
        if message.end_of_stream:
            self._write()
            return
        about = {"view": view_of(message), "mirrored": bool(message.mirrored)}
        size = (int(message.image_width), int(message.image_height))
        t_ns = from_time(message.header.stamp)
        if self._frames:
            first = self._frames[0]
            other = any(self._about.get(k) != v for k, v in about.items()) or first.image_size != size
            if other or t_ns <= self._frames[-1].t_ns or (t_ns - first.t_ns) * 1e-9 >= self.p["segment_s"]:
                self._write()
        self._about = {
            **about,
            "appearance_digest": message.appearance_digest or self._about.get("appearance_digest", ""),
        }
        self._frames.append(from_hand_frame(message))
        self._things.saw(self._frames[-1])

    def _write(self) -> None:
        if not self._frames:
            return
        frames, self._frames = self._frames, []
        begin, end = frames[0].t_ns - SLACK_S * 1e9, frames[-1].t_ns + SLACK_S * 1e9
        things = tuple(sorted((d for d in self._seen if begin <= d.t_ns <= end), key=lambda d: d.t_ns))
        self.health.count("dropped_detections", sum(d.t_ns < begin for d in self._seen))  # their segment is written
        self._seen = [d for d in self._seen if d.t_ns > end]
        path = self._free(self._folder / f"{self._name}-{self._segment:03d}.npz")
        self._segment += 1
        Recording.from_frames(frames, detections=things, **self._about).save(path)
        self.written.append(path)

    def _free(self, path: Path) -> Path:
        """A name that nothing has: a recording never replaces another one."""
        number, found = 1, path
        while found.exists():
            found = path.with_name(f"{path.stem}-{number}{path.suffix}")
            number += 1
        return found


def _type_name(kind: Any) -> str:
    return f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}"


def main() -> int:
    """Run the node."""
    return run(RecorderNode)


if __name__ == "__main__":
    raise SystemExit(main())
