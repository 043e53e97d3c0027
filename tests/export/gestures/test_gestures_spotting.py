"""The official evaluation on cases made by hand."""

from __future__ import annotations

import math

import pytest

from export.gestures.spotting import Span, Tally, judge, summary


def counted(truths: list[Span], found: list[Span]) -> tuple[dict[str, Tally], list[float]]:
    tallies: dict[str, Tally] = {}
    return tallies, judge(truths, found, tallies)


def test_a_hit_covers_more_than_half_of_the_truth() -> None:
    truth = [Span("TAP", 1.0, 2.0)]
    assert counted(truth, [Span("TAP", 1.0, 1.51)])[0]["TAP"].hits == 1
    half = counted(truth, [Span("TAP", 1.0, 1.5)])[0]["TAP"]
    assert (half.hits, half.false) == (0, 1)


def test_a_long_detection_is_a_hit_but_not_a_strict_one() -> None:
    tally = counted([Span("TAP", 1.0, 2.0)], [Span("TAP", 0.0, 3.0)])[0]["TAP"]
    assert (tally.hits, tally.strict) == (1, 0)


def test_a_wrong_label_over_a_truth_is_a_misclassification_not_a_false_positive() -> None:
    tallies, _ = counted([Span("TAP", 1.0, 2.0)], [Span("GRAB", 1.1, 1.9)])
    assert (tallies["TAP"].wrong, tallies["TAP"].hits) == (1, 0)
    assert (tallies["GRAB"].stray, tallies["GRAB"].false) == (1, 0)


def test_outside_truths_and_second_detections_are_false_positives() -> None:
    tallies, _ = counted(
        [Span("TAP", 1.0, 2.0)], [Span("TAP", 1.0, 2.0), Span("TAP", 1.05, 1.9), Span("GRAB", 4.0, 5.0)]
    )
    assert (tallies["TAP"].hits, tallies["TAP"].false, tallies["GRAB"].false) == (1, 1, 1)


def test_a_wrong_label_beside_a_hit_is_a_false_positive() -> None:
    tallies, _ = counted([Span("TAP", 1.0, 2.0)], [Span("TAP", 1.0, 2.0), Span("GRAB", 1.2, 1.8)])
    assert tallies["GRAB"].false == 1
    assert tallies["GRAB"].stray == 0


def test_jaccard_and_rates() -> None:
    tallies, delays = counted(
        [Span("TAP", 1.0, 2.0), Span("TAP", 5.0, 6.0), Span("GRAB", 8.0, 9.0)],
        [Span("TAP", 1.0, 2.0, 1.2), Span("TAP", 3.0, 3.5), Span("TAP", 8.0, 9.0)],
    )
    figures = summary(tallies, delays)
    # TAP: one of two hit, one false; GRAB: missed
    assert figures["jaccard"] == pytest.approx((1 / 3 + 0) / 2, abs=1e-4)
    assert figures["detection_rate"] == pytest.approx(1 / 3, abs=1e-4)
    assert figures["false_positive_rate"] == pytest.approx(1 / 3, abs=1e-4)
    assert figures["false_or_wrong_rate"] == pytest.approx(2 / 3, abs=1e-4)
    assert figures["delay_ms_median"] == pytest.approx(200.0)


def test_a_detection_serves_one_truth_only() -> None:
    tallies, _ = counted([Span("TAP", 1.0, 2.0), Span("TAP", 2.2, 3.0)], [Span("TAP", 0.9, 3.1)])
    assert tallies["TAP"].hits == 1


def test_unknown_announcements_have_no_delay() -> None:
    _, delays = counted([Span("TAP", 1.0, 2.0)], [Span("TAP", 1.0, 2.0)])
    assert delays == []
    assert math.isnan(Span("TAP", 1.0, 2.0).told)
