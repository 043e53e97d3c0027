"""The landmark network: 21 joints of the hand in a rotated crop (MediaPipe's hand landmark network)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import RuntimeUnavailable
from edge.hands.roi import Roi
from edge.runtime import Session

_SIDE = 224
_UNIT = np.float32(1 / 255)
#: The network's z is smaller than its x and y; this brings it to the same measure (MediaPipe's normalize_z).
_Z_SCALE = 1 / 0.4
#: The last feature that all four heads share, [1, 1152] in the full and [1, 672] in the lite network.
SHARED_FEATURE = "model_1/model/global_average_pooling2d/Mean"


@dataclass(slots=True, eq=False)
class Reading:
    """What the network says about one crop.

    Attributes:
        landmarks [21,3] float32: pixels of the image; z in pixels too, relative to the wrist.
        world [21,3] float32: metres, image axes (x right, y down, z away), wrist at the origin.
        presence: 0..1, that there is a hand in the crop.
        side: 0..1; the network's score for "left" in a selfie image, so for a right hand in an unmirrored one.
        feature [D] float32, or None where it was not asked for.
    """

    landmarks: NDArray[np.float32]
    world: NDArray[np.float32]
    presence: float
    side: float
    feature: NDArray[np.float32] | None


class LandmarkNetwork:
    """Runs the landmark network. Reuses its buffers; not for two threads."""

    def __init__(self, session: Session) -> None:
        names = [spec.name for spec in session.outputs]
        shapes = [spec.shape for spec in session.outputs]
        if session.inputs[0].shape != (1, _SIDE, _SIDE, 3) or shapes[:4] != [(1, 63), (1, 1), (1, 1), (1, 63)]:
            raise RuntimeUnavailable("The landmark network is not MediaPipe's (224 x 224 RGB in, 4 heads out).")
        self._session = session
        self._landmarks, self._presence, self._side, self._world = names[:4]
        self._feature = SHARED_FEATURE if SHARED_FEATURE in names else ""
        #: Width of the keyframe feature; 0 = this network gives none.
        self.feature_size = shapes[names.index(SHARED_FEATURE)][1] if self._feature else 0
        self._input = session.inputs[0].name
        self._crop = np.zeros((_SIDE, _SIDE, 3), np.uint8)

    def read(self, rgb: NDArray[np.uint8], roi: Roi, *, threshold: float, feature: bool = False) -> Reading | None:
        """The hand in this square of a frame [H,W,3]; None when there is none, or the network says no number."""
        matrix = roi.to_image(_SIDE)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(rgb, matrix, (_SIDE, _SIDE), self._crop, flags, cv2.BORDER_REPLICATE)
        np.multiply(self._crop, _UNIT, out=self._session.input(self._input)[0])
        out = self._session.invoke()
        presence, side = float(out[self._presence][0, 0]), float(out[self._side][0, 0])
        crop, joints = out[self._landmarks], out[self._world]
        # one NaN or infinity makes the sum one; NaN presence compares false
        if not (presence >= threshold and math.isfinite(side + float(crop.sum()) + float(joints.sum()))):
            return None
        landmarks = _to_image(crop.reshape(21, 3), matrix, roi.size / _SIDE)
        world = _turn(joints.reshape(21, 3), roi.rotation)
        vector = out[self._feature][0] if feature and self._feature else None
        return Reading(landmarks, world, presence, side, vector)


def _to_image(crop: NDArray[Any], matrix: NDArray[np.float64], scale: float) -> NDArray[np.float32]:
    points = np.empty((21, 3), np.float32)
    points[:, :2] = crop[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    points[:, 2] = crop[:, 2] * (_Z_SCALE * scale)
    return points


def _turn(world: NDArray[Any], rotation: float) -> NDArray[np.float32]:
    """World joints of the upright crop, in the image's axes, from the wrist."""
    c, s = math.cos(rotation), math.sin(rotation)
    joints: NDArray[np.float32] = (world - world[0]) @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], np.float32)
    return joints
