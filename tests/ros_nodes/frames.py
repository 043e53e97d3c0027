"""Hand frames for the tests: a plausible hand, and streams of it."""

from __future__ import annotations

from functools import cache

import numpy as np

from edge.hands.frame import RIGHT, HandFrame
from edge.recording import Recording
from tests.ros_nodes.stage import GOLDEN

STEP_NS = 33_333_333


@cache
def golden(name: str) -> Recording:
    return Recording.load(GOLDEN / f"{name}.npz")


def frame(t_ns: int = 0, slot: int = RIGHT, appearance: int = 0) -> HandFrame:
    """One hand, seen by a camera of 640 x 480."""
    recording = golden("right_facing")
    first = int(np.flatnonzero(recording.presence[:, RIGHT] >= 0.5)[0])
    out = HandFrame(
        t_ns=t_ns,
        image_size=(640, 480),
        stages_ms={"landmarks": 4.5},
        appearance=np.arange(2 * appearance, dtype=np.float32).reshape(2, appearance) if appearance else None,
    )
    out.landmarks[slot] = recording.landmarks[first, RIGHT]
    out.world[slot] = recording.world[first, RIGHT]
    out.wrist[slot] = (0.1, -0.2, 0.6)
    out.presence[slot] = 0.97
    out.track_id[slot] = 3
    return out


def same(a: HandFrame, b: HandFrame) -> bool:
    """Equal in everything, NaN where NaN."""
    arrays = ("landmarks", "world", "wrist", "presence", "track_id")
    return (
        a.t_ns == b.t_ns
        and a.image_size == b.image_size
        and all(np.array_equal(getattr(a, n), getattr(b, n), equal_nan=n in arrays[:3]) for n in arrays)
        and (a.appearance is None) == (b.appearance is None)
        and (a.appearance is None or np.array_equal(a.appearance, b.appearance, equal_nan=True))
    )
