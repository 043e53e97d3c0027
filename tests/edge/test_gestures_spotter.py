"""Traces become events: thresholds, minimum length, patience, debounce, announcements and their withdrawal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.gestures.spotter import Spot, SpotSettings, Spotter
from edge.resample import TICK_HZ

LABELS = ("REST", "A", "B")
PLAIN = SpotSettings(
    announce=0.6, steady=2, enter=0.5, leave=0.3, least_s=0.2, patience_s=0.2, debounce_s=0.3, sure=0.3
)  # fmt: skip


def run(
    spans: list[tuple[int, int, int, float]], ticks: int = 120, settings: SpotSettings = PLAIN, late: int = 6
) -> list[tuple[int, Spot]]:
    """Spans (first, last, label, probability) as quick scores at once and late scores `late` ticks after."""
    trace = np.tile(np.eye(3)[0], (ticks + late, 2, 1))
    for first, last, label, p in spans:
        row = np.zeros(3)
        row[0], row[label] = 1 - p, p
        trace[first:last, 0] = row
        trace[first + late : last + late, 1] = row
    spotter = Spotter(LABELS, settings, late_lag=late / TICK_HZ)
    said = []
    for k, (quick, slow) in enumerate(trace):
        said += [(k, s) for s in spotter.push(k / TICK_HZ, quick, slow)]
    return said + [(len(trace), s) for s in spotter.flush(len(trace) / TICK_HZ)]


def test_a_gesture_is_announced_early_and_ended_with_its_span() -> None:
    said = run([(30, 60, 1, 0.9)])
    (first, start), (last, end) = said
    assert (first, start.label, start.final) == (31, "A", False)
    assert end.final
    assert (end.number, end.label, end.revision) == (start.number, "A", 1)
    assert end.start == pytest.approx(30 / TICK_HZ)
    assert end.end == pytest.approx(59 / TICK_HZ)
    assert last > 60
    assert end.confidence == pytest.approx(0.9, abs=0.02)


def test_what_is_too_short_or_too_weak_is_withdrawn_or_never_told() -> None:
    short = run([(30, 34, 1, 0.9)])
    assert [s.final for _, s in short] == [False, True]
    assert short[-1][1].confidence == 0
    assert run([(30, 60, 1, 0.45)]) == []
    assert run([(30, 60, 1, 0.55)], settings=replace(PLAIN, sure=0.7)) == []


def test_a_dip_shorter_than_the_patience_does_not_cut_a_gesture() -> None:
    whole = [s for _, s in run([(30, 45, 1, 0.9), (49, 64, 1, 0.9)]) if s.final]
    assert len(whole) == 1
    assert whole[0].end == pytest.approx(63 / TICK_HZ)
    two = [s for _, s in run([(30, 45, 1, 0.9), (62, 77, 1, 0.9)], settings=PLAIN) if s.final]
    assert [s.label for s in two] == ["A", "A"]


def test_the_same_label_waits_for_the_debounce_another_does_not() -> None:
    slow = replace(PLAIN, debounce_s=1.0)
    again = [s for _, s in run([(30, 45, 1, 0.9), (62, 77, 1, 0.9)], settings=slow) if s.final and s.confidence > 0]
    assert len(again) == 1
    other = [s for _, s in run([(30, 45, 1, 0.9), (62, 77, 2, 0.9)], settings=slow) if s.final and s.confidence > 0]
    assert [s.label for s in other] == ["A", "B"]


def test_an_announcement_is_revised_when_another_label_leads() -> None:
    said = [s for _, s in run([(30, 36, 1, 0.9), (36, 66, 2, 0.9)])]
    assert [(s.label, s.revision, s.final) for s in said] == [("A", 0, False), ("B", 1, False), ("B", 2, True)]
    assert len({s.number for s in said}) == 1


def test_a_stream_that_ends_in_a_gesture_decides_it() -> None:
    spotter = Spotter(LABELS, PLAIN)
    row = np.array([0.1, 0.9, 0.0])
    for k in range(30):
        spotter.push(k / TICK_HZ, row, row)
    (end,) = spotter.flush(1.0)
    assert (end.label, end.final) == ("A", True)
    assert spotter.flush(1.1) == []


def test_an_announcement_that_the_late_scores_never_see_is_withdrawn() -> None:
    spotter = Spotter(LABELS, PLAIN, late_lag=0.2)
    rest, row = np.eye(3)[0], np.array([0.1, 0.9, 0.0])
    said = []
    for k in range(60):
        said += spotter.push(k / TICK_HZ, row if 10 <= k < 14 else rest, rest)
    assert [(s.final, s.confidence > 0) for s in said] == [(False, True), (True, False)]
