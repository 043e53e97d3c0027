"""A live stream cut into examples: what lies between two rests is one, everything else is not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from edge.gestures.enrol import example_of
from edge.gestures.listen import listen
from edge.gestures.showing import LONGEST_S, Showing
from edge.hands.frame import RIGHT, HandFrame
from edge.hands.model import FIST, OPEN, PALM, flat, landmarks

HZ = 30
RNG = np.random.default_rng(3)


def stream(*parts: tuple[str, float]) -> Iterator[HandFrame]:
    """Frames of a right hand that is "still", "bends" (there and back) or "away", for so many seconds each."""
    t = 0
    for what, seconds in parts:
        count = round(seconds * HZ)
        for k in range(count):
            frame = HandFrame(t_ns=round(t * 1e9 / HZ), image_size=(640, 480))
            t += 1
            if what != "away":
                bent = OPEN.copy()
                if what == "bends":
                    bent[1] += (0.5 - 0.5 * np.cos(2 * np.pi * k / count)) * (FIST[1] - OPEN[1])
                joints = PALM * landmarks(bent) @ flat(False).T
                frame.world[RIGHT] = joints + RNG.normal(0, 5e-4, (21, 3))
                frame.wrist[RIGHT] = (0.0, 0.1, 0.6 + RNG.normal(0, 0.02))  # a camera's distances tremble
                frame.landmarks[RIGHT, :, :2] = 0.5 + frame.world[RIGHT, :, :2] * (480 / 640, 1)
                frame.presence[RIGHT], frame.track_id[RIGHT] = 1.0, 4
            yield frame


def examples(*parts: tuple[str, float]) -> tuple[list[list[HandFrame]], Showing]:
    showing = Showing()
    return [taken for f in stream(*parts) if (taken := showing.push(f))], showing


def test_every_motion_between_two_rests_is_an_example() -> None:
    found, _ = examples(("still", 1), ("bends", 0.8), ("still", 1), ("bends", 0.6), ("still", 1))
    assert [(round(e[0].t, 1), round(e[-1].t, 1)) for e in found] == [
        (pytest.approx(0.7, abs=0.2), pytest.approx(2.2, abs=0.2)),
        (pytest.approx(2.5, abs=0.2), pytest.approx(3.8, abs=0.2)),
    ]
    assert all(a.t < b.t for e in found for a, b in pairwise(e))


def test_a_hand_that_comes_moving_or_goes_is_none() -> None:
    found, _ = examples(("away", 0.5), ("bends", 1), ("still", 1))
    assert not found
    found, _ = examples(("still", 1), ("bends", 0.3), ("away", 1), ("still", 1))
    assert not found


def test_the_first_motion_needs_a_rest_before_it() -> None:
    found, _ = examples(("bends", 1), ("still", 1), ("bends", 0.8), ("still", 1))
    assert len(found) == 1
    assert found[0][0].t > 1.5


def test_motion_without_an_end_is_none_and_the_hint_says_why() -> None:
    parts = [("bends", 0.8)] * round((LONGEST_S + 3) / 0.8)
    found, showing = examples(("still", 1), *parts, ("still", 1), ("bends", 0.8), ("still", 1))
    assert len(found) == 1
    assert f"longer than {LONGEST_S:g} s" in showing.hint


def test_an_example_is_what_enrolment_reads(tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    from edge.bundle import Bundle

    (taken,), _ = examples(("still", 1), ("bends", 0.8), ("still", 1))
    heard = listen(taken, Bundle.open(), name="example 1", view="egocentric", mirrored=False)
    assert example_of(heard).hand == RIGHT
