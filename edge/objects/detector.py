"""A detector of the user's own, as an ONNX file: its layout is recognised from the graph and tried when it is loaded.

| layout | outputs |
| --- | --- |
| `yolo` | one, [1, 4 + classes, N] (YOLOv8, 9, 11): centre, size and class scores, pixels of the input |
| `yolo-objectness` | one, [1, N, 5 + classes] (YOLOv5, 7): the same with an objectness |
| `yolo-end2end` | one, [1, N, 6] (YOLOv10, exports with NMS): corners, score, class |
| `ssd-tf` | boxes [1, N, 4] as top, left, bottom, right in fractions, classes and scores [1, N], a count (TensorFlow) |
| `ssd` | boxes [1, N, 4] or [N, 4] as left, top, right, bottom, whole-number labels and scores (PyTorch) |

Names come from the model's metadata (`names`, as Ultralytics writes them) or from a file with one name a line.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError, SourceError
from edge.objects.detections import Detection, Detections, read_labels
from edge.objects.event import name_of
from edge.runtime.session import TensorSpec

Array = NDArray[Any]

LAYOUTS = ("yolo", "yolo-objectness", "yolo-end2end", "ssd-tf", "ssd")
#: Scores below this are not said, and boxes of one class that overlap more than this are one thing (YOLO's defaults).
SCORE, OVERLAP = 0.25, 0.5
#: A row of six numbers is a finished detection when there are few of them, else x, y, w, h, objectness, one class.
_END2END_ROWS = 1000
#: An instant of the source in which a detector is run again, seconds: things are slower than fingers.
EVERY_S = 0.1
_GREY = 114
_SIDE = 640


@dataclass(frozen=True, slots=True)
class Layout:
    """How to feed a graph and read it: kind, outputs by role, input size, channels last, whole-number pixels."""

    kind: str
    roles: dict[str, str]
    size: tuple[int, int]
    last: bool
    whole: bool


def recognise(inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], metadata: dict[str, str]) -> Layout:
    """The layout of a graph. Raises ValueError saying what was found."""
    if len(inputs) != 1 or len(inputs[0].shape) != 4:
        raise ValueError(f"it takes {len(inputs)} inputs ({_shown(inputs)}), and a detector takes one picture")
    shape, last = inputs[0].shape, inputs[0].shape[3] == 3
    if not last and shape[1] != 3:
        raise ValueError(f"its input {_shown(inputs)} has no three colours")
    height, width = (shape[1], shape[2]) if last else (shape[2], shape[3])
    told = _size(metadata)
    size = (width if width > 0 else told[0], height if height > 0 else told[1])
    whole = inputs[0].dtype.kind in "ui"
    if shape[0] not in (1, -1) or inputs[0].dtype not in (np.float32, np.uint8):
        raise ValueError(f"its input {_shown(inputs)} is not one picture of float32 or uint8")
    kind, roles = _outputs(outputs, last)
    return Layout(kind, roles, size, last, whole)


def _outputs(outputs: Sequence[TensorSpec], last: bool) -> tuple[str, dict[str, str]]:
    if len(outputs) == 1 and len(outputs[0].shape) == 3:
        _, rows, columns = outputs[0].shape
        roles = {"rows": outputs[0].name}
        if columns == 6 and (rows < 0 or rows <= _END2END_ROWS):
            return "yolo-end2end", roles
        if columns > 5 and (rows < 0 or rows > columns):
            return "yolo-objectness", roles
        if rows > 4 and (columns < 0 or columns > rows):
            return "yolo", roles
    boxes = [o for o in outputs if len(o.shape) in (2, 3) and o.shape[-1] == 4]
    flat = [o for o in outputs if o not in boxes and len(o.shape) in (1, 2)]
    if len(boxes) == 1 and len(flat) >= 2:
        whole = [o for o in flat if o.dtype.kind in "iu"]
        classes = next((o for o in flat if "class" in o.name.lower() or "label" in o.name.lower()), None)
        scores = next((o for o in flat if "score" in o.name.lower() or "conf" in o.name.lower()), None)
        classes = classes or next(iter(whole), None)
        scores = scores or next((o for o in flat if o.dtype.kind == "f" and o is not classes), None)
        if classes is not None and scores is not None:
            roles = {"boxes": boxes[0].name, "classes": classes.name, "scores": scores.name}
            counted = [o for o in flat if "num" in o.name.lower() or "count" in o.name.lower()]
            if counted and last:
                return "ssd-tf", roles | {"count": counted[0].name}
            return "ssd", roles
    raise ValueError(f"its outputs ({_shown(outputs)}) are those of no known layout ({', '.join(LAYOUTS)})")


def _shown(specs: Sequence[TensorSpec]) -> str:
    return ", ".join(f"{s.name} {s.dtype} {list(s.shape)}" for s in specs)


def _size(metadata: dict[str, str]) -> tuple[int, int]:
    """(width, height) that the metadata names, for graphs with free sizes."""
    try:
        height, width = (int(v) for v in ast.literal_eval(metadata.get("imgsz", "")))
    except (ValueError, SyntaxError, TypeError):
        return _SIDE, _SIDE
    return width, height


def _names(metadata: dict[str, str], labels: str | Path | None, model: str | Path) -> dict[int, str]:
    if labels is not None:
        return read_labels(labels)
    try:
        names = ast.literal_eval(metadata.get("names", ""))
        rows = names.items() if isinstance(names, dict) else enumerate(names)
        found = {int(i): str(name) for i, name in rows}
    except (ValueError, SyntaxError, TypeError):
        found = {}
    if not found:
        raise SourceError(
            f"The detector {model} names no classes in its metadata: give --labels FILE (in ROS objects.labels), "
            "one name a line."
        )
    return found


class OnnxDetector:
    """A detector from an ONNX file; a `DetectionSource` that looks at the pictures themselves.

    Args:
        labels: file of names, one a line; None = those of the model's metadata.
        score: below this nothing is said. every_s: seconds of the source between two looks.

    Raises SourceError for a model that is no detector figop knows, RuntimeUnavailable without ONNX Runtime.
    """

    def __init__(
        self, model: str | Path, *, labels: str | Path | None = None, score: float = SCORE, every_s: float = EVERY_S
    ) -> None:
        from edge.runtime.onnx import OnnxSession
        from edge.runtime.session import open_session

        try:
            session = open_session(model, "onnx")
        except BundleError as error:
            raise SourceError(str(error)) from error
        assert isinstance(session, OnnxSession)
        self._session, self.model = session, str(model)
        self.score, self.every_s = score, every_s
        self._due_ns = -(1 << 62)
        try:
            self.layout = recognise(session.inputs, session.outputs, session.metadata)
        except ValueError as error:
            raise SourceError(f"{model} is not a detector that figop can read: {error}.") from None
        self.names = _names(session.metadata, labels, model)
        width, height = self.layout.size
        try:  # a graph that only looks like a detector is found out here, not in the middle of a video
            self.detect(np.full((height, width, 3), _GREY, np.uint8))
        except Exception as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
            raise SourceError(f"{model} was recognised as {self.layout.kind}, but it does not run: {reason}.") from None

    def at(self, t_ns: int, rgb: NDArray[np.uint8] | None) -> Detections | None:
        """A look at this picture, if one is due."""
        if rgb is None or 0 <= self._due_ns - t_ns <= self.every_s * 1e9:
            return None
        self._due_ns = t_ns + int((self.every_s - 1e-3) * 1e9)
        return Detections(t_ns, self.detect(rgb))

    def detect(self, rgb: NDArray[np.uint8]) -> tuple[Detection, ...]:
        """Things in a picture [H,W,3] uint8 RGB, surest first. Raises ValueError when the outputs are not readable."""
        layout, spec = self.layout, self._session.inputs[0]
        feed, place = _fit(rgb, layout)
        out = self._session.run({spec.name: feed})
        boxes, scores, classes = _decode(layout, {role: out[name] for role, name in layout.roles.items()})
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            raise ValueError("its outputs are not finite")
        keep = scores >= self.score
        boxes, scores, classes = place(boxes[keep]), scores[keep], classes[keep]
        known = np.array([c in self.names for c in classes.tolist()], bool)
        if not known.all():
            raise ValueError(f"it says class {int(classes[~known][0])}, and {len(self.names)} names are known")
        chosen = suppress(boxes, scores, classes) if layout.kind in ("yolo", "yolo-objectness") else np.argsort(-scores)
        found = []
        for i in chosen:
            left, top, right, bottom = (float(v) for v in np.clip(boxes[i], 0, 1))
            if right > left and bottom > top:
                found.append(
                    Detection(
                        name_of(self.names[int(classes[i])]), (left, top, right, bottom), min(1.0, float(scores[i]))
                    )
                )
        return tuple(found)

    def close(self) -> None:
        """Release the network."""
        self._session.close()


def _fit(rgb: NDArray[np.uint8], layout: Layout) -> tuple[Array, Any]:
    """The picture as the graph takes it, and a function from its boxes to image fractions."""
    import cv2

    width, height = layout.size
    have_h, have_w = rgb.shape[:2]
    if layout.kind.startswith("yolo"):  # the whole picture, its shape kept, grey beside it
        scale = min(width / have_w, height / have_h)
        w, h = max(1, round(have_w * scale)), max(1, round(have_h * scale))
        canvas = np.full((height, width, 3), _GREY, np.uint8)
        x, y = (width - w) // 2, (height - h) // 2
        canvas[y : y + h, x : x + w] = cv2.resize(rgb, (w, h))

        def place(boxes: Array) -> Array:
            return np.asarray((boxes - [x, y, x, y]) / [w, h, w, h])
    else:
        canvas = cv2.resize(rgb, (width, height))

        def place(boxes: Array) -> Array:
            # corners beyond 2 can only be pixels of the input
            return boxes / [width, height, width, height] if len(boxes) and np.abs(boxes).max() > 2 else boxes

    feed: Array = canvas if layout.whole else canvas.astype(np.float32) / 255
    return np.ascontiguousarray((feed if layout.last else feed.transpose(2, 0, 1))[None]), place


def _decode(layout: Layout, out: dict[str, Array]) -> tuple[Array, Array, Array]:
    """Boxes [N,4] left, top, right, bottom; scores [N]; classes [N]."""
    if layout.kind.startswith("yolo"):
        rows = out["rows"][0].astype(np.float32)
        if layout.kind == "yolo-end2end":
            return rows[:, :4], rows[:, 4], rows[:, 5].astype(int)
        rows = rows.T if layout.kind == "yolo" else rows
        x, y, w, h = rows[:, :4].T
        boxes = np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1)
        each = rows[:, 4:] if layout.kind == "yolo" else rows[:, 5:] * rows[:, 4:5]
        return boxes, each.max(axis=1), each.argmax(axis=1)
    boxes = out["boxes"].reshape(-1, 4).astype(np.float32)
    scores, classes = out["scores"].reshape(-1).astype(np.float32), out["classes"].reshape(-1).astype(int)
    if "count" in out:
        count = int(out["count"].reshape(-1)[0])
        boxes, scores, classes = boxes[:count][:, [1, 0, 3, 2]], scores[:count], classes[:count]
    if not len(boxes) == len(scores) == len(classes):
        raise ValueError(f"it gives {len(boxes)} boxes, {len(scores)} scores and {len(classes)} classes")
    return boxes, scores, classes


def suppress(boxes: Array, scores: Array, classes: Array, overlap: float = OVERLAP) -> list[int]:
    """Numbers of the boxes that stay when of two that overlap, of one class, the surer one is kept; surest first."""
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable").tolist():
        rivals = [k for k in kept if classes[k] == classes[i]]
        if not rivals or iou(boxes[i], boxes[rivals]).max() <= overlap:
            kept.append(i)
    return kept


def iou(box: Array, others: Array) -> Array:
    """Intersection over union of a box [4] with boxes [N,4]."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    both = np.prod(np.clip(high - low, 0, None), axis=1)
    area = np.prod(box[2:] - box[:2]) + np.prod(others[:, 2:] - others[:, :2], axis=1) - both
    return np.asarray(both / np.maximum(area, 1e-12))
