"""Hands and boxes as signals over time: holes bridged, smoothed, sizes, speeds, distances."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.objects.clip import Clip

Array = NDArray[Any]


def bridged(t: Array, values: Array, hole_s: float) -> Array:
    """Values [T,...] with NaN holes up to `hole_s` filled in a straight line."""
    out = values.copy()
    ok = np.isfinite(out.reshape(len(t), -1)[:, 0])
    known = np.flatnonzero(ok)
    for a, b in pairwise(known):
        if b > a + 1 and t[b] - t[a] <= hole_s:
            part = ((t[a + 1 : b] - t[a]) / (t[b] - t[a])).reshape(-1, *[1] * (out.ndim - 1))
            out[a + 1 : b] = out[a] + part * (out[b] - out[a])
    return out


def smooth(t: Array, values: Array, window_s: float) -> Array:
    """Mean of values [T,...] over `window_s` around each time, NaN left out."""
    step = float(np.median(np.diff(t))) if len(t) > 1 else 1.0
    half = min(max(1, round(0.5 * window_s / max(step, 1e-3))), len(t) - 1)
    total, weight = np.zeros_like(values), np.zeros_like(values)
    for k in range(-half, half + 1):
        a, b = max(0, k), min(len(t), len(t) + k)
        part = values[a:b]
        ok = np.isfinite(part)
        w = 1.0 - abs(k) / (half + 1)
        total[a - k : b - k] += np.where(ok, w * np.nan_to_num(part), 0.0)
        weight[a - k : b - k] += w * ok
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(np.isfinite(values), total / weight, np.nan))


def speed_of(t: Array, values: Array) -> Array:
    """Speed [T] of points [T,2], units a second."""
    if len(t) < 3:
        return np.zeros(len(t))
    return np.asarray(np.linalg.norm(np.gradient(values, t, axis=0), axis=-1))


#: Landmarks that touch things: the two outer joints and the tip of each finger; and those of the rigid palm.
TOUCHING = np.array([3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18, 19, 20])
PALM = np.array([0, 5, 9, 13, 17])
TIPS = np.array([4, 8, 12, 16, 20])


def palm_size(clip: Clip, slot: int) -> Array:
    """[T] palm length in the picture's units, as long as it is in space; by world landmarks where there are some."""
    flat, world = clip.flat[:, slot], clip.world[:, slot]
    a = flat - flat.mean(axis=1, keepdims=True)
    b = (world - world.mean(axis=1, keepdims=True))[..., :2]
    scale = (a * b).sum(axis=(1, 2)) / np.maximum((b * b).sum(axis=(1, 2)), 1e-9)
    size = scale * np.linalg.norm(world[:, 9] - world[:, 0], axis=-1)
    plain = np.linalg.norm(flat[:, 9] - flat[:, 0], axis=-1)
    size = np.where(np.isfinite(size) & (size > 0), size, plain)
    ok = np.isfinite(size)
    # a hand's size in the picture changes slowly
    return smooth(clip.t, size, 1.0) if ok.any() else size
