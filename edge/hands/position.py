"""Where the wrist is in space, from one camera: the hand's own size tells its distance."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_NOWHERE = np.full(3, np.nan, np.float32)


def wrist_position(
    points: NDArray[np.floating[Any]], world: NDArray[np.floating[Any]], centre: tuple[float, float], focal: float
) -> NDArray[np.float32]:
    """Wrist [3] in metres in the camera's frame (x right, y down, z away), by weak perspective; NaN when undefined.

    points [21, >=2] are pixels, world [21,3] metres in the same axes with the wrist at the origin, `centre` and
    `focal` a pinhole camera's, in pixels. The one scale (pixels per metre) that maps world x, y onto the image in the
    least-squares sense gives the distance of the joints' mean.

    Accuracy: the distance is as wrong as the assumed hand size and focal length are. The network thinks of one
    average hand (a person's own differs by about 10 %, a child's by 30 %), and the default focal length
    (the longer image side: 53 degrees wide) by up to 30 % from a wide camera's. Directions across the image and
    changes over time are far better than the distance itself.
    """
    flat = points[:, :2] - points[:, :2].mean(axis=0)
    mean = world.mean(axis=0)
    shape = world[:, :2] - mean[:2]
    extent = float(np.vdot(shape, shape))
    scale = float(np.vdot(flat, shape)) / extent if extent > 0 else 0.0
    if not (scale > 0 and math.isfinite(scale)):
        return _NOWHERE.copy()
    z = focal / scale - float(mean[2])
    x, y = float(points[0, 0]) - centre[0], float(points[0, 1]) - centre[1]
    return np.array([x * z / focal, y * z / focal, z], np.float32)
