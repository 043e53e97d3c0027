"""The keyframe token's say in whether a hand holds something."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.hands.frame import HandFrame
from edge.objects.clip import DynamicsSettings
from edge.objects.event import GRASPS
from edge.objects.grasp import LOOK_S, SHAPES, Grasped, GraspHead, GraspTrace
from edge.objects.recorded import read_all
from tests.edge.objects.stage import along, hand_frames, seen

EVEN = (np.full(len(GRASPS), 1 / len(GRASPS)), np.full(len(SHAPES), 1 / len(SHAPES)))


def trace(*looks: tuple[int, float, float]) -> GraspTrace:
    """Looks as (slot, time, holding)."""
    out = GraspTrace((), "")
    for slot, t, holding in looks:
        out.looks[slot].append(Grasped(t, holding, *EVEN))
    return out


def test_looks_are_log_odds_around_their_time() -> None:
    times = np.arange(0, 2, 0.05)
    odds = trace((1, 1.0, 0.9), (1, 1.1, 0.5)).evidence(times)
    assert odds.shape == (len(times), 2)
    assert not odds[:, 0].any(), "the other hand was not looked at"
    assert not odds[np.abs(times - 1.05) > LOOK_S + 0.06, 1].any()
    assert odds[np.argmin(np.abs(times - 0.8)), 1] == pytest.approx(np.log(9))
    assert odds[np.argmin(np.abs(times - 1.05)), 1] == pytest.approx(np.log(9) / 2), "two looks at once: their mean"
    assert np.isfinite(trace((0, 1.0, 1.0), (0, 1.0, 0.0)).evidence(times)).all()
    assert not trace().evidence(times).any()


def head(*, holds: float) -> GraspHead:
    """A head that reads one feature and always says so."""
    last = np.zeros(1 + len(GRASPS) + len(SHAPES), np.float32)
    last[0] = np.log(holds / (1 - holds))
    return GraspHead(
        np.zeros((61, 1), np.float32), np.zeros(1, np.float32), np.zeros((1, len(last)), np.float32), last, "d"
    )


def with_tokens(frames: list[HandFrame]) -> list[HandFrame]:
    token = np.zeros((2, 1), np.float32)
    return [replace(frame, appearance=token) if k % 5 == 0 else frame for k, frame in enumerate(frames)]


@pytest.mark.parametrize(("weight", "holds", "held"), [(0.0, 0.001, True), (1.0, 0.9, True), (3.0, 1e-5, False)])
def test_a_token_that_says_empty_hand_counts_by_its_weight(
    monkeypatch: pytest.MonkeyPatch, weight: float, holds: float, held: bool
) -> None:
    takes = along(
        (0.4, 0.2, 0.6), (1.2, 0.6, 0.6), (1.6, 0.6, 0.6), (2.2, 0.6, 0.47), (3.0, 0.85, 0.47), (5.0, 0.85, 0.47)
    )
    carried = along((1.6, 0.6, 0.6), (2.2, 0.6, 0.47), (3.0, 0.85, 0.47))
    monkeypatch.setattr("edge.objects.recorded.shipped", lambda: (head(holds=holds),))
    rows, things = with_tokens(hand_frames(takes, 4.0)), seen({"cup": carried}, 4.0)
    settings = DynamicsSettings(token=weight)
    reading, _ = read_all(rows, things, settings=settings, digest="d")
    assert reading.held[:, 1].any() == held
    other, _ = read_all(rows, things, settings=settings, digest="another network")
    assert other.held[:, 1].any(), "a head of another network has no say"
