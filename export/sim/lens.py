"""Random cameras over batches of performances: what a perfect tracker sees of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from export.sim.anatomy import Array
from export.sim.kinematics import EXACT
from export.sim.programs import MOST_DEGREES

#: how much nearer or farther than a picture that holds all of the motion; rendered clips, filmed so, showed hands twice
#: as large as the training did before (palm 0.21 and 0.11 image widths, median)
DISTANCE = (0.45, 1.5)
#: metres; what is nearer is drawn as if it were here
NEAREST = 0.1


def cameras(wrist: Array, there: NDArray[np.bool_], rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Random cameras before wrists [B,F,2,3] of hands that are there [B,2]: rotation [B,3,3] to camera axes, wrist in
    these axes [B,F,2,3], focal length [B,1,1,1,1] in image widths."""
    count = len(wrist)
    angle, radius = rng.uniform(0, 2 * np.pi, count), np.radians(MOST_DEGREES) * np.sqrt(rng.random(count))
    yaw, pitch = radius * np.cos(angle), radius * np.sin(angle)
    roll = rng.normal(0, 0.06, count)
    one, zero = np.ones(count), np.zeros(count)
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (np.cos, np.sin))

    def mat(*v: Array) -> Array:
        return np.stack(v, axis=-1).reshape(count, 3, 3)

    turn = (
        mat(cr, -sr, zero, sr, cr, zero, zero, zero, one)
        @ mat(one, zero, zero, zero, cp, -sp, zero, sp, cp)
        @ mat(cy, zero, -sy, zero, one, zero, sy, zero, cy)
    ).astype(np.float32)
    seen = turned(wrist, turn)
    use = there[:, None, :, None]
    low = np.where(use, seen, np.inf).min(axis=(1, 2))
    high = np.where(use, seen, -np.inf).max(axis=(1, 2))
    centre = (low + high) / 2 + rng.normal(0, 0.04, (count, 3)) + turn @ np.array([0, -0.08, 0])
    focal = rng.uniform(0.6, 1.1, count)
    need = ((high - low)[:, :2].max(axis=1) / 2 + 0.2) * focal / 0.5
    distance = np.maximum(need * np.exp(rng.uniform(np.log(DISTANCE[0]), np.log(DISTANCE[1]), count)), 0.28)
    centre[:, 2] -= distance
    return turn, (seen - centre[:, None, None]).astype(np.float32), focal.astype(np.float32).reshape(-1, 1, 1, 1, 1)


@njit(**EXACT)
def _turn(points: Any, turn: Any, out: Any) -> None:
    for b in range(points.shape[0]):
        for n in range(points.shape[1]):
            x, y, z = points[b, n, 0], points[b, n, 1], points[b, n, 2]
            for i in range(3):
                out[b, n, i] = turn[b, i, 0] * x + turn[b, i, 1] * y + turn[b, i, 2] * z


def turned(points: Array, turn: Array) -> Array:
    """Points [B,...,3] in camera axes; turn [B,3,3]."""
    rows = points.reshape(len(points), -1, 3)
    out = np.empty_like(rows)
    _turn(rows, turn, out)
    return out.reshape(points.shape)


@njit(**EXACT)
def _project(points: Any, seen: Any, focal: Any, out: Any) -> None:
    nearest, half = points.dtype.type(NEAREST), points.dtype.type(0.5)
    for b in range(points.shape[0]):
        for n in range(points.shape[1]):
            for p in range(points.shape[2]):
                zoom = focal[b] / max(points[b, n, p, 2] + seen[b, n, 2], nearest)
                out[b, n, p, 0] = half + zoom * (points[b, n, p, 0] + seen[b, n, 0])
                out[b, n, p, 1] = half + zoom * (points[b, n, p, 1] + seen[b, n, 1])


def projected(points: Array, seen: Array, focal: Array) -> Array:
    """Landmarks [B,F,2,21,3] about the wrist, wrist `seen` [B,F,2,3] -> the picture [B,F,2,21,2], image widths."""
    rows = points.reshape(len(points), -1, *points.shape[3:])
    out = np.empty((*rows.shape[:-1], 2), points.dtype)
    _project(rows, seen.reshape(len(points), -1, 3), focal.ravel(), out)
    return out.reshape(*points.shape[:-1], 2)
