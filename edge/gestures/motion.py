"""What a head that reads joints alone sees of one hand at one tick: pose, its changes, and the way of the hand.

The same code reads a whole stream in training and the newest tick on the device (a window of `HISTORY` ticks), so that
both agree to the bit of float32. Lengths are palm lengths, directions the person's own.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.skeleton import CHAINS, INDEX_MCP, MIDDLE_MCP, PINKY_MCP, TIPS

Array = NDArray[np.float32]

#: ticks that one reading looks back, itself included (0.5 s at 30 Hz)
HISTORY = 16
#: ticks between the places whose way is read
_WAYS = (1, 5, 15)
#: gains that bring small changes near 1
_POSE_GAIN, _WAY_GAINS, _TURN_GAIN = 5.0, (5.0, 1.0, 0.5), 5.0
#: readings beyond this are failures of the tracker
_LIMIT = 5.0
_MIDS = (3, 6, 10, 14, 18)
_BONES = np.concatenate((np.zeros((5, 1), int), CHAINS), axis=1)
WIDTH = 30 + 15 + 4 + 4 + 9 + 3 * len(_WAYS) + 3 + 30 + 3


def _unit(v: Array) -> Array:
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-6))


def _angle(u: Array, v: Array) -> Array:
    """Radians, by atan2."""
    return np.asarray(np.arctan2(np.linalg.norm(np.cross(u, v), axis=-1), np.einsum("...i,...i->...", u, v)))


def palm_axes(joints: Array, *, left: bool) -> Array:
    """Columns: along the palm, towards the thumb's side, out of the palm [T,3,3]; the left hand as a mirrored right."""
    x = _unit(joints[:, MIDDLE_MCP] - joints[:, 0])
    across = joints[:, INDEX_MCP] - joints[:, PINKY_MCP]
    y = _unit(across - np.einsum("ti,ti->t", across, x)[:, None] * x)
    z = np.cross(x, y) * (-1.0 if left else 1.0)
    return np.asarray(np.stack((x, y, z), axis=-1), np.float32)


def read(joints: Array, place: Array, *, left: bool = False) -> Array:
    """Readings [T - HISTORY + 1, WIDTH] of ticks HISTORY - 1 .. T - 1.

    joints [T,21,3]: person's right, up, forward, metres, wrist at the origin. place [T,3]: the middle knuckle there,
    0 where unknown.
    """
    far = np.linalg.norm(joints[:, MIDDLE_MCP], axis=-1)
    sums = np.cumsum(np.concatenate(([0.0], far)), dtype=np.float64)
    scale = np.maximum((sums[HISTORY:] - sums[:-HISTORY]) / HISTORY, 1e-4).astype(np.float32)[:, None]
    joints = joints[HISTORY - 2 :]
    axes = palm_axes(joints, left=left)
    local = joints @ axes
    now, before = slice(1, None), slice(0, -1)
    chosen = local[:, (*_MIDS, *TIPS)]
    pose = chosen[now] / scale[..., None]
    flow = (chosen[now] - chosen[before]) / scale[..., None] * _POSE_GAIN
    points = local[now]
    bones = points[:, _BONES[:, 1:]] - points[:, _BONES[:, :-1]]
    bends = _angle(bones[:, :, :-1], bones[:, :, 1:])
    gaps = np.linalg.norm(points[:, TIPS[1:]] - points[:, TIPS[:1]], axis=-1) / scale
    ways = points[:, TIPS] - points[:, CHAINS[:, 0]]
    spread = _angle(ways[:, :-1], ways[:, 1:])
    sign = np.array([-1.0 if left else 1.0, 1.0, 1.0], np.float32)
    paths = [
        (place[HISTORY - 1 :] - place[HISTORY - 1 - back : len(place) - back]) / scale * sign * gain
        for back, gain in zip(_WAYS, _WAY_GAINS, strict=True)
    ]
    tip = place[HISTORY - 2 :] + joints[:, TIPS[1]] - joints[:, MIDDLE_MCP]
    dash = (tip[now] - tip[before]) / scale * sign * _WAY_GAINS[0]
    turn = np.stack(
        [
            np.einsum("ti,ti->t", axes[now][..., b], axes[before][..., a])
            - np.einsum("ti,ti->t", axes[now][..., a], axes[before][..., b])
            for a, b in ((1, 2), (2, 0), (0, 1))
        ],
        axis=-1,
    )
    count = len(points)
    flat = [
        pose.reshape(count, -1), bends.reshape(count, -1), gaps, spread,
        (axes[now] * sign[:, None]).reshape(count, 9), *paths, dash, flow.reshape(count, -1), turn * _TURN_GAIN,
    ]  # fmt: skip
    return np.asarray(np.clip(np.concatenate(flat, axis=-1), -_LIMIT, _LIMIT), np.float32)


def read_stream(joints: Array, place: Array, *, left: bool = False) -> Array:
    """Readings [T,WIDTH] of a whole stream: before its first tick the hand stood still."""
    pad = ((HISTORY - 1, 0), (0, 0))
    return read(np.pad(joints, (*pad, (0, 0)), mode="edge"), np.pad(place, pad, mode="edge"), left=left)


class MotionReader:
    """`read` one tick at a time, of one hand."""

    def __init__(self, *, left: bool) -> None:
        self.left = left
        self._seen: deque[tuple[Array, Array]] = deque(maxlen=HISTORY)

    def reset(self) -> None:
        """Another hand, or a new stream."""
        self._seen.clear()

    def push(self, joints: Array, place: Array) -> Array:
        """The reading [WIDTH] of the next tick."""
        for _ in range(1 if self._seen else HISTORY):
            self._seen.append((joints, place))
        both: list[Any] = list(zip(*self._seen, strict=True))
        return np.asarray(read(np.stack(both[0]), np.stack(both[1]), left=self.left)[0])
