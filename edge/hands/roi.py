"""The rotated square around a hand that the landmark network looks at.

Geometry of MediaPipe's hand graph (palm detection -> square, landmarks -> next square), in pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.floating[Any]]

#: Landmarks that move little against the palm; the next square comes from them alone.
STEADY = np.array([0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18])
_PALM_SCALE, _PALM_SHIFT = 2.6, -0.5
_HAND_SCALE, _HAND_SHIFT = 2.0, -0.1


@dataclass(frozen=True, slots=True)
class Roi:
    """A square: centre and side in pixels; rotation in radians, 0 = fingers up, positive = clockwise on screen."""

    x: float
    y: float
    size: float
    rotation: float

    def to_image(self, crop: int) -> NDArray[np.float64]:
        """[2,3] affine matrix from pixels of the crop (crop x crop) to pixels of the image."""
        scale = self.size / crop
        c, s = scale * math.cos(self.rotation), scale * math.sin(self.rotation)
        half = crop / 2
        return np.array([[c, -s, self.x - half * (c - s)], [s, c, self.y - half * (s + c)]])

    def inside(self, width: int, height: int) -> bool:
        """Whether it is worth looking at: finite, of a size that can be sampled, its centre near the image."""
        reach = self.size / 2
        return (
            1.0 <= self.size <= 8.0 * (width + height)  # also false for NaN
            and -reach < self.x < width + reach
            and -reach < self.y < height + reach
        )


def iou(a: Roi, b: Roi) -> float:
    """Overlap of two squares, rotation left out (as MediaPipe's association does), 0..1."""
    half = (a.size + b.size) / 2
    side = min(a.size, b.size)
    w = min(side, half - abs(a.x - b.x))
    h = min(side, half - abs(a.y - b.y))
    if w <= 0 or h <= 0:
        return 0.0
    common = w * h
    return common / (a.size * a.size + b.size * b.size - common)


def upright(x: float, y: float) -> float:
    """Rotation that brings the image direction (x right, y down) to point up, in [-pi, pi)."""
    rotation = math.pi / 2 - math.atan2(-y, x)
    return rotation - 2 * math.pi * math.floor((rotation + math.pi) / (2 * math.pi))


def from_palm(box: Points, wrist: Points, middle: Points) -> Roi:
    """From a palm box (x0, y0, x1, y1) and two of its points, pixels."""
    x0, y0, x1, y1 = (float(v) for v in box)
    rotation = upright(float(middle[0] - wrist[0]), float(middle[1] - wrist[1]))
    return _placed((x0 + x1) / 2, (y0 + y1) / 2, x1 - x0, y1 - y0, rotation, _PALM_SCALE, _PALM_SHIFT)


def from_landmarks(points: Points) -> Roi:
    """From hand landmarks [21, >=2] in pixels: where the hand is looked for in the next frame."""
    wx, wy = float(points[0, 0]), float(points[0, 1])
    (ix, iy), (mx, my), (rx, ry) = points[[5, 9, 13], :2].tolist()
    rotation = upright(((ix + rx) / 2 + mx) / 2 - wx, ((iy + ry) / 2 + my) / 2 - wy)
    steady = points[STEADY, :2]
    x0, y0 = steady.min(axis=0).tolist()
    x1, y1 = steady.max(axis=0).tolist()
    cx, cy = (x0 + x1) / 2, (y0 + y1) / 2
    c, s = math.cos(rotation), math.sin(rotation)
    turned = (steady - (cx, cy)) @ np.array([[c, -s], [s, c]])
    tx0, ty0 = turned.min(axis=0).tolist()
    tx1, ty1 = turned.max(axis=0).tolist()
    px, py = (tx0 + tx1) / 2, (ty0 + ty1) / 2
    return _placed(cx + px * c - py * s, cy + px * s + py * c, tx1 - tx0, ty1 - ty0, rotation, _HAND_SCALE, _HAND_SHIFT)


def _placed(x: float, y: float, w: float, h: float, rotation: float, scale: float, shift: float) -> Roi:
    """Shifted along the hand by `shift` heights, then made square by the long side, then scaled."""
    return Roi(
        x - h * shift * math.sin(rotation),
        y + h * shift * math.cos(rotation),
        max(w, h) * scale,
        rotation,
    )
