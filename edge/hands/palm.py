"""Palm detection: where a hand may be, anywhere in the frame (MediaPipe's palm network)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import RuntimeUnavailable
from edge.hands.roi import Roi, from_palm
from edge.runtime import Session

_SIDE = 192
_COORDS = 18
_UNIT = np.float32(1 / 255)
#: Raw scores are clipped to +-100 before the sigmoid; below MIN_SCORE nothing is a palm.
_CLIP = 100.0
MIN_SCORE = 0.5
_NMS_IOU = 0.3
#: The landmarks that a palm's seven points stand for.
PALM_JOINTS = np.array([0, 5, 9, 13, 17, 1, 2])


def anchors() -> NDArray[np.float32]:
    """[2016,2] anchor centres as fractions: strides 8 (2 per cell) and 16 three times (6 per cell), offset 0.5."""
    rows = []
    for stride, per_cell in ((8, 2), (16, 6)):
        cells = _SIDE // stride
        y, x = np.mgrid[:cells, :cells].reshape(2, -1)
        rows.append(np.repeat(np.stack([x, y], axis=1) + 0.5, per_cell, axis=0) / cells)
    return np.asarray(np.concatenate(rows), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Palm:
    """One palm, in pixels of the image.

    Attributes:
        score: 0..1.
        box [4]: x0, y0, x1, y1.
        points [7,2]: wrist, index, middle, ring, pinky knuckle, thumb CMC, thumb MCP.
    """

    score: float
    box: NDArray[np.float32]
    points: NDArray[np.float32]

    @property
    def roi(self) -> Roi:
        """The square that the landmark network is to look at."""
        return from_palm(self.box, self.points[0], self.points[2])


class PalmDetector:
    """Runs the palm network on whole frames. Reuses its buffers; not for two threads."""

    def __init__(self, session: Session) -> None:
        shapes = {spec.shape: spec.name for spec in session.outputs}
        count = len(_ANCHORS)
        if session.inputs[0].shape != (1, _SIDE, _SIDE, 3) or not shapes.keys() >= {(1, count, _COORDS), (1, count, 1)}:
            raise RuntimeUnavailable("The palm network is not MediaPipe's (192 x 192 RGB in, 2016 anchors out).")
        self._session = session
        self._boxes, self._scores = shapes[(1, count, _COORDS)], shapes[(1, count, 1)]
        self._input = session.inputs[0].name
        self._crop = np.zeros((_SIDE, _SIDE, 3), np.uint8)

    def detect(self, rgb: NDArray[np.uint8]) -> list[Palm]:
        """Palms in a frame [H,W,3], best first."""
        height, width = rgb.shape[:2]
        scale = max(width, height) / _SIDE
        # a letterbox with zero border: pixel (u, v) of the square is (scale u + left, scale v + top) of the frame
        left, top = (width - _SIDE * scale) / 2, (height - _SIDE * scale) / 2
        matrix = np.array([[scale, 0.0, left], [0.0, scale, top]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(rgb, matrix, (_SIDE, _SIDE), self._crop, flags, cv2.BORDER_CONSTANT)
        np.multiply(self._crop, _UNIT, out=self._session.input(self._input)[0])
        out = self._session.invoke()
        return decode(out[self._boxes][0], out[self._scores][0, :, 0], scale * _SIDE, left, top)


def decode(boxes: NDArray[np.float32], scores: NDArray[np.float32], side: float, left: float, top: float) -> list[Palm]:
    """Raw boxes [2016,18] and scores [2016] of a letterboxed square -> palms in image pixels, best first."""
    # sigmoid(x) >= MIN_SCORE; NaN compares false and is gone here
    kept = np.flatnonzero(scores >= np.log(MIN_SCORE / (1 - MIN_SCORE)))
    if not len(kept):
        return []
    score = 1 / (1 + np.exp(-np.clip(scores[kept].astype(np.float64), -_CLIP, _CLIP)))
    raw = boxes[kept].astype(np.float64) / _SIDE
    centre = _ANCHORS[kept]
    middle, half = raw[:, :2] + centre, raw[:, 2:4] / 2
    points = raw[:, 4:].reshape(-1, 7, 2) + centre[:, None]
    coords = np.concatenate([middle - half, middle + half, points.reshape(-1, 14)], axis=1)
    sane = np.isfinite(coords).all(axis=1) & (half > 0).all(axis=1)
    offset = np.tile([left, top], _COORDS // 2)
    return [
        Palm(
            float(s),
            (side * row[:4] + offset[:4]).astype(np.float32),
            (side * row[4:] + offset[4:]).reshape(7, 2).astype(np.float32),
        )
        for s, row in merge(score[sane], coords[sane])
    ]


def merge(score: NDArray[Any], coords: NDArray[Any]) -> list[tuple[float, NDArray[Any]]]:
    """Weighted non-maximum suppression: overlapping boxes are averaged by score; the best one's score is kept."""
    order = np.argsort(-score, kind="stable")
    score, coords = score[order], coords[order]
    found = []
    while len(score):
        near = _iou(coords[0, :4], coords[:, :4]) > _NMS_IOU
        near[0] = True
        weights = score[near]
        found.append((float(score[0]), weights @ coords[near] / weights.sum()))
        score, coords = score[~near], coords[~near]
    return found


def _iou(box: NDArray[Any], boxes: NDArray[Any]) -> NDArray[Any]:
    size = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.prod(np.maximum(size, 0), axis=1)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    total = np.prod(box[2:] - box[:2]) + area - common
    return np.where(total > 0, common / np.where(total > 0, total, 1), 0.0)


_ANCHORS = anchors()
