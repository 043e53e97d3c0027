"""Things beside the hands: detections on a topic or of a detector in the node, so that captions tell of them too."""

from __future__ import annotations

import time
from collections import deque
from pathlib import Path
from typing import Any

from figop_msgs.msg import Detections as DetectionsMsg
from numpy.typing import NDArray
from std_msgs.msg import Header

from edge.errors import SourceError
from edge.hands.frame import HandFrame
from edge.objects.detections import SLACK_S, Detections, read_labels
from edge.objects.live import ObjectCaptioner
from edge.pipeline import Captioner
from figop_ros import compat
from figop_ros.conversions import from_detections, from_vision
from figop_ros.detector import PictureDetector
from figop_ros.node import FigopNode
from figop_ros.parameters import Setting, qos_settings

OBJECTS = (
    Setting(
        "objects.from",
        "none",
        "what the topic objects carries: things, told of in captions, kept in recordings; none = it is not heard",
        choices=("none", "figop_msgs", "vision_msgs"),
    ),
    Setting("objects.labels", "", "file of names, one a line, for detections that name classes by number"),
    Setting("objects.least_score", 0.25, "detections below this score are left out", 0.0, 1.0, live=True),
    *qos_settings("objects", "best_effort", 10),
)
_TYPES = {"figop_msgs": "figop_msgs/msg/Detections", "vision_msgs": "vision_msgs/msg/Detection2DArray"}
#: instants that may wait for hand frames, two seconds of a fast detector; older ones make room
BACKLOG = 64
#: seconds without a detection, or between its stamp and the newest hand frame's, from which on something is wrong
SILENT_S, APART_S = 3.0, 5.0


class ObjectTopic:
    """Reads what comes on `objects` for a node whose settings hold OBJECTS; who listens to it tells `came`."""

    def __init__(self, node: FigopNode) -> None:
        self._node = node
        self._names: dict[int, str] = {}
        self._size = (0, 0)
        self._newest: int | None = None
        self._topic, self._heard = "objects", time.monotonic()

    @property
    def kind(self) -> str:
        """What the topic carries, or "none"."""
        return str(self._node.p["objects.from"])

    @property
    def message(self) -> Any:
        """The topic's type; figop's own unless vision_msgs is said."""
        return compat.Detection2DArray if self.kind == "vision_msgs" else DetectionsMsg

    def configure(self) -> None:
        """Check what can be checked. Raises SourceError."""
        labels = self._node.p["objects.labels"]
        self._names = read_labels(Path(labels).expanduser()) if labels else {}
        if self.kind == "vision_msgs" and compat.Detection2DArray is None:
            raise SourceError(
                "objects.from is vision_msgs, which is not installed: install it, or publish figop_msgs/Detections."
            )

    def listening(self, topic: str = "objects") -> None:
        """From now on detections are expected, on the topic of this full name."""
        self._topic, self._newest, self._heard = topic, None, time.monotonic()

    def came(self) -> None:
        """Detections have arrived."""
        self._heard = time.monotonic()
        self._node.health.count("detections")

    def saw(self, frame: HandFrame) -> None:
        """The newest hand frame: of its picture the size, which pixels are fractions of."""
        self._newest = frame.t_ns
        if 0 not in frame.image_size:
            self._size = frame.image_size

    def faults(self) -> list[str]:
        """Why nothing is told of things, where that can be known."""
        node = self._node
        silent = time.monotonic() - self._heard
        if self.kind == "none" or node.state != "active" or silent < SILENT_S:
            return []
        name, wanted = self._topic, _TYPES[self.kind]
        for end in node.get_publishers_info_by_topic(name):
            other = next((k for k, kind in _TYPES.items() if kind == end.topic_type and kind != wanted), None)
            if other:
                return [f"{name} carries {end.topic_type}: set objects.from of {node.get_name()} to {other}."]
        return [f"No detections on {name} for {silent:.0f} s: what hands do with things is not told."]

    def read(self, message: Any) -> Detections | None:
        """A message as Detections; None before the first hand frame. Raises SourceError for what cannot be used."""
        if self.message is DetectionsMsg:
            seen = from_detections(message)
        else:
            if 0 in self._size:  # no hand frame has come yet
                if self._newest is not None:
                    raise SourceError(
                        "The hand frames are of no picture whose size is known, and vision_msgs has boxes in pixels: "
                        "publish figop_msgs/Detections, which has fractions."
                    )
                return None
            seen = from_vision(message, self._size, self._names)
            numbers = sorted({d.label for d in seen.objects if d.label.isdigit()})
            if numbers:
                self._node.trouble(f"The class {numbers[0]} of the detections has no name: set objects.labels.")
        if self._newest is not None and abs(seen.t_ns - self._newest) > APART_S * 1e9:
            self._node.trouble(
                f"Detections are stamped {(seen.t_ns - self._newest) * 1e-9:+.1f} s from the newest hand frame; "
                "give them the stamp of the picture that they were found in."
            )
            return None
        least = self._node.p["objects.least_score"]
        return Detections(seen.t_ns, tuple(d for d in seen.objects if d.score >= least))


class ObjectInput(ObjectTopic):
    """Things for the captioner of a node: from the topic, or from a detector of its own where its settings hold one.

    A `DetectionSource` for its `ObjectCaptioner`s. Detections come later than the hand frame of their picture, since
    detectors are slow: they are used from the next frame on, with their own stamps.
    """

    def __init__(self, node: FigopNode) -> None:
        super().__init__(node)
        self._waiting: deque[Detections] = deque(maxlen=BACKLOG)
        self._detector = PictureDetector(node, self._waiting.append)

    def configure(self) -> None:
        """Open and check what can be checked. Raises FigopError."""
        if self._detector.wanted and self.kind != "none":
            raise SourceError(
                "Things come from the topic objects (objects.from) or from objects.detector, not from both."
            )
        super().configure()
        self._detector.configure()

    def activate(self) -> None:
        """Begin to listen, or to look."""
        self._waiting.clear()
        self._detector.activate()
        self.listening(compat.resolved(self._node.listen("objects", self.message, self._arrived))
                       if self.kind != "none" else "objects")  # fmt: skip

    def deactivate(self) -> None:
        """End the detector's thread."""
        self._detector.deactivate()

    def cleanup(self) -> None:
        """Release the detector."""
        self._detector.cleanup()

    def look(self, rgb: NDArray[Any], header: Header) -> None:
        """A picture, which nobody changes from now on, for the detector."""
        self._detector.look(rgb, header)

    def beside(self, captioner: Captioner, view: str, mirrored: bool, digest: str | None = None) -> Any:
        """What frames are pushed into: the captioner, or one around it that tells of things as well."""
        if self.kind == "none" and not self._detector.wanted:
            return captioner
        self._waiting.clear()
        return ObjectCaptioner(captioner, self, view=view, mirrored=mirrored, digest=digest)

    def saw(self, frame: HandFrame) -> None:
        if self._newest is not None and frame.t_ns < self._newest:  # a bag began anew: what waits is of its end
            self._waiting.clear()
        super().saw(frame)

    def at(self, t_ns: int, rgb: NDArray[Any] | None) -> Detections | None:
        """The newest instant up to this frame that was not given out before."""
        found = None
        while self._waiting and self._waiting[0].t_ns <= t_ns + SLACK_S * 1e9:
            found = self._waiting.popleft()
        return found

    def faults(self) -> list[str]:
        return super().faults() + self._detector.faults(SILENT_S)

    def _arrived(self, message: Any) -> None:
        self.came()
        try:
            seen = self.read(message)
        except SourceError as error:
            self._node.failed(error)
            return
        if seen is not None:
            self._waiting.append(seen)
