"""A detector of the user's own inside a node: it looks at the pictures on a thread beside the tracker's."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from figop_msgs.msg import Detections as DetectionsMsg
from numpy.typing import NDArray
from std_msgs.msg import Header

from edge.errors import SourceError
from edge.objects.detections import Detections
from edge.objects.detector import EVERY_S, OnnxDetector
from figop_ros.conversions import from_time, to_detections
from figop_ros.node import FigopNode
from figop_ros.parameters import Setting, qos_settings
from figop_ros.worker import Worker

DETECTOR = (
    Setting(
        "objects.detector", "", "detector (.onnx; YOLO or SSD) to run on the pictures, in place of the topic objects"
    ),
    Setting(
        "objects.every_s",
        EVERY_S,
        "seconds between two looks of the detector; a slower one looks as often as it can",
        0.0,
        10.0,
    ),
    *qos_settings("detections", "reliable", 10),
)
#: seconds that a look may go on when the node is deactivated
STOP_S = 0.5


class PictureDetector:
    """Runs `objects.detector` of a node whose settings hold DETECTOR and OBJECTS; does nothing where it has none.

    The newest picture is looked at when the look before is over and `objects.every_s` have passed: hands are tracked
    meanwhile, and pictures in between are no loss. What was seen goes to `heard`, and on ~/detections.
    """

    def __init__(self, node: FigopNode, heard: Callable[[Detections], Any]) -> None:
        self._node, self._heard = node, heard
        self._detector: OnnxDetector | None = None
        self._worker: Worker[tuple[NDArray[Any], Header]] | None = None
        self._asked = self._answered = 0.0

    @property
    def wanted(self) -> str:
        """The model that was asked for, or ""."""
        return str(self._node.p.get("objects.detector", ""))

    def configure(self) -> None:
        """Open the model, which is tried at once. Raises FigopError."""
        if not self.wanted:
            return
        p = self._node.p
        labels = Path(p["objects.labels"]).expanduser() if p["objects.labels"] else None
        self._detector = OnnxDetector(Path(self.wanted).expanduser(), labels=labels, every_s=p["objects.every_s"])
        self._node.output("detections", DetectionsMsg)

    def activate(self) -> None:
        """Start the thread."""
        if self._detector is not None:
            self._asked = self._answered = time.monotonic()
            self._worker = Worker(self._look, 1, f"{self._node.get_name()}-detector", self._node.failed)

    def deactivate(self) -> None:
        """End the thread; a look that goes on longer is not waited for."""
        if self._worker is not None:
            self._worker.stop(STOP_S)
            self._worker = None

    def cleanup(self) -> None:
        """Release the model."""
        if self._detector is not None:
            self._detector.close()
            self._detector = None

    def look(self, rgb: NDArray[Any], header: Header) -> None:
        """Offer a picture, which nobody changes from now on; never waits."""
        if self._worker is not None:
            self._asked = time.monotonic()
            self._worker.put((rgb, header))

    def idle(self) -> bool:
        """Whether every picture that was offered has been looked at or left out."""
        return self._worker is None or self._worker.idle(0.0)

    def faults(self, silent_s: float) -> list[str]:
        """A look that goes on and on."""
        going = self._asked - self._answered
        if self._worker is None or going < silent_s:
            return []
        return [f"The detector {self.wanted} has looked at nothing for {going:.0f} s, though pictures come."]

    def _look(self, job: tuple[NDArray[Any], Header]) -> None:
        (rgb, header), node, detector = job, self._node, self._detector
        if detector is None:
            return
        detector.score = node.p["objects.least_score"]
        began = time.perf_counter()
        try:
            seen = detector.at(from_time(header.stamp), rgb)
        except Exception as error:  # whatever a model of somebody's does with a picture
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
            raise SourceError(f"The detector {self.wanted} could not look at a picture: {reason}.") from error
        finally:
            self._answered = time.monotonic()
        if seen is None:  # not due yet
            return
        node.health.count("detections")
        node.health.took("detector", (time.perf_counter() - began) * 1e3)
        self._heard(seen)
        node.publish("detections", to_detections(seen, header.frame_id))
