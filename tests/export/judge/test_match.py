"""Event match of DESIGN.md section 8."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from edge.score import FingerEvent
from export.judge.match import Counts, match_events, one_to_one, times_agree


def event(
    start: float, end: float, motion: str = "curl", fingers: tuple[str, ...] = ("index",), **more: object
) -> FingerEvent:
    return FingerEvent("right", motion, fingers, start=start, end=end, **more)  # type: ignore[arg-type]


def test_the_same_score_matches_wholly() -> None:
    score = (event(0, 1), event(1, 2, "extend"), event(3, 4, "grab", ()))
    counts = match_events(score, score)[1]
    assert (counts.matched, counts.reference, counts.predicted) == (3, 3, 3)
    assert counts.precision == counts.recall == counts.f1 == 1.0


def test_events_count_per_finger_and_rest_does_not() -> None:
    true = (event(0, 1, fingers=("index", "middle")), event(2, 3, "rest", ()))
    counts = match_events(true, (event(0, 1),))[1]
    assert (counts.matched, counts.reference, counts.predicted) == (1, 2, 1)
    assert counts.f1 == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("start", "end", "agrees"),
    [
        (0.0, 1.0, True),
        (0.5, 1.4, True),  # IoU 0.36
        (0.6, 1.6, False),  # IoU 0.25, start off by 0.6 s
        (0.7, 1.0, True),  # IoU 0.3
        (0.71, 1.0, False),
        (2.0, 3.0, False),
    ],
)
def test_overlap_rule(start: float, end: float, agrees: bool) -> None:
    assert times_agree(event(0, 1), event(start, end)) is agrees


def test_short_events_match_by_their_ends() -> None:
    tap = event(1.0, 1.1)
    assert times_agree(tap, event(1.19, 1.29))
    assert not times_agree(tap, event(1.15, 1.35))


@pytest.mark.parametrize(
    "other",
    [
        event(0, 1, "extend"),
        event(0, 1, fingers=("ring",)),
        FingerEvent("left", "curl", ("index",), start=0, end=1),
        event(5, 6),
    ],
)
def test_hand_finger_motion_and_time_must_agree(other: FingerEvent) -> None:
    assert match_events((event(0, 1),), (other,))[1].matched == 0


def test_matching_is_one_to_one() -> None:
    assert match_events((event(0, 1),), (event(0, 1), event(0.1, 1)))[1].f1 == pytest.approx(2 / 3)


def test_matching_is_the_largest_possible() -> None:
    """A greedy match would give the long prediction to the first event and lose the second."""
    true = (event(0.0, 1.0), event(0.5, 1.5))
    said = (event(0.45, 1.45), event(1.0, 2.0))
    assert match_events(true, said)[1].matched == 2
    rng = np.random.default_rng(0)
    for _ in range(50):
        table = rng.random((4, 4)) < 0.4
        best = max(sum(table[i, p] for i, p in enumerate(order)) for order in itertools.permutations(range(4)))
        pairs = one_to_one(range(4), range(4), lambda i, j, t=table: bool(t[i, j]), lambda i, j: 1.0)
        assert len(pairs) == best
        assert all(table[i, j] for i, j in pairs)


def test_attributes_are_judged_on_matches() -> None:
    true = (event(0, 1, "swipe", ("thumb",), direction="left", contact="index", extent="half"), event(2, 3))
    said = (event(0, 1, "swipe", ("thumb",), direction="right", contact="index", extent="full"), event(2, 3, repeat=2))
    counts = match_events(true, said)[1]
    assert counts.attributes == {
        "direction": (0, 1),
        "contact": (1, 1),
        "extent": (1, 2),
        "speed": (2, 2),
        "repeat": (1, 2),
    }
    assert counts.accuracy("extent") == 0.5
    assert match_events((event(0, 1),), (event(0, 1),))[1].accuracy("contact") is None


def test_counts_add_up() -> None:
    total = Counts(1, 2, 3, {"speed": (1, 1)}) + Counts(1, 1, 1, {"speed": (0, 1), "contact": (1, 1)})
    assert total == Counts(2, 3, 4, {"speed": (1, 2), "contact": (1, 1)})


def test_nothing_to_say_and_nothing_said() -> None:
    assert match_events((), ())[1].f1 == 1.0
    assert match_events((), (event(0, 1),))[1].f1 == 0.0
    assert match_events((event(0, 1),), ())[1].f1 == 0.0
