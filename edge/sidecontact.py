"""The thumb on the side of the index finger: episodes of touch, followed frame by frame."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from edge.atoms import Atom, RuleSettings
from edge.channels import Run
from edge.features import Pose
from edge.hands.frame import Array

#: the thumb has come to rest on a finger when it has not slid for this long
_SIDE_STILL_S = 0.2


class SideContact:
    """The thumb tip on the side of the index finger: an episode with its way along and across the finger.

    A touch that stays still for `stay_s` is told at once (kind "side"), and its end later (kind "lift").
    """

    def __init__(self, settings: RuleSettings) -> None:
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        self._near = False
        self._told = False
        self._track: list[tuple[float, float, float]] = []
        self._was_free = False

    @property
    def moved_at(self) -> float:
        """When the thumb was last seen on the finger without having come to rest there; else -inf."""
        return self._track[-1][0] if self._near and not self._told else -math.inf

    def push(self, pose: Pose, bends: tuple[float, ...], reaches: tuple[float, ...]) -> Atom | None:
        """Follow the distance thumb tip - index side; returns what has become known."""
        s = self.settings
        along, across, far = position_on_index(pose.local)
        beside = bends[1] < s.side_bend_max
        t = pose.t
        if not self._near:
            if far > 1.4 * s.side_reach:
                self._was_free = True
            elif far < s.side_reach and along < 0.9 and beside and self._was_free:
                self._near, self._told = True, False
                self._track = [(t, along, across)]
            return None
        track = self._track
        if far < 1.4 * s.side_reach and beside:
            if far < s.side_reach:  # further out the thumb is coming or going, which is no slide
                track.append((t, along, across))
            if self._told or t - track[0][0] < s.side_stay_s or not self._settled(t):
                return None
            self._told = True
            return self._episode(bends, reaches, until=t - _SIDE_STILL_S)
        self._near = False
        if self._told:
            return Atom("lift", 1, Run(0.0, 1.0, track[-1][0], t), bends, reaches)
        return self._episode(bends, reaches, until=track[-1][0])

    def flush(self, bends: tuple[float, ...], reaches: tuple[float, ...]) -> Atom | None:
        """Close a touch that is under way: the stream, or the sight of the hand, ends here."""
        if not self._near or self._told:
            return None
        self._near = False
        return self._episode(bends, reaches, until=self._track[-1][0])

    def _episode(self, bends: tuple[float, ...], reaches: tuple[float, ...], *, until: float) -> Atom:
        along, across = (_way([p[i] for p in self._track]) for i in (1, 2))
        start, first, _ = self._track[0]
        run = Run(first, first + along, start, until)
        return Atom("side", 1, run, bends, reaches, across=across, stays=self._told)

    def _settled(self, t: float) -> bool:
        """Whether the thumb has kept its place on the finger for a moment."""
        recent = np.array([p[1:] for p in self._track if p[0] >= t - _SIDE_STILL_S])
        return len(recent) > 0 and bool(np.ptp(recent, axis=0).max() < 0.06)


def _way(values: list[float]) -> float:
    """From one extreme to the other, in the order in which they came."""
    low, high = min(values), max(values)
    return high - low if values.index(low) < values.index(high) else low - high


def position_on_index(local: Array) -> tuple[float, float, float]:
    """Thumb tip against the index finger (MCP to TIP): position along 0..1, offset out of the palm, distance."""
    (x, y, z), *joints = local[4:9].tolist()
    sizes = [math.dist(joint, after) for joint, after in pairwise(joints)]
    whole = max(sum(sizes), 1e-6)
    best, length = (0.0, 0.0, math.inf), 0.0
    for (a, b, c), (d, e, f), size in zip(joints, joints[1:], sizes, strict=False):
        i, j, k = d - a, e - b, f - c
        u = min(max(((x - a) * i + (y - b) * j + (z - c) * k) / max(size * size, 1e-9), 0.0), 1.0)
        out = z - c - u * k
        far = math.hypot(x - a - u * i, y - b - u * j, out)
        if far < best[2]:
            best = ((length + u * size) / whole, out, far)
        length += size
    return best
