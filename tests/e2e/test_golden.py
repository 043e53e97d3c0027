"""Golden recordings: a replay says what is committed, and what is committed is what was performed."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge.hands.networks import LANDMARK
from edge.recording import Recording
from edge.score import FingerEvent
from export.golden import CLIPS, events_of, rows
from export.judge.judge import Line, judge

HOME = Path(__file__).resolve().parents[1] / "golden"
NAMES = [clip.name for clip in CLIPS]
#: written with three decimals: another processor may round the last one the other way
SECONDS = 2e-3


def stored(name):
    return [json.loads(line) for line in (HOME / f"{name}.rules.jsonl").read_text().splitlines()]


def same(a, b):
    """Equal, but for the last digit of numbers."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) or isinstance(b, float):
        return abs(a - b) <= SECONDS
    return a == b


@pytest.mark.parametrize("name", NAMES)
def test_replay_says_what_is_committed(name):
    recording = Recording.load(HOME / f"{name}.npz")
    said = rows(list(events_of(recording)))
    expected = stored(name)
    assert [r["type"] for r in said] == [r["type"] for r in expected]
    for row, want in zip(said, expected, strict=True):
        assert same(row, want), (row, want)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_committed_is_right(name):
    truth = tuple(FingerEvent.from_dict(row) for row in json.loads(Recording.load(HOME / f"{name}.npz").score_json))
    final = [r for r in stored(name) if r["type"] == "caption" and r["final"]]
    verdict = judge(truth, [Line(r["text"], r["t_start"], r["t_end"]) for r in final])
    assert verdict.f1 >= 0.6


@pytest.mark.parametrize("name", [clip.name for clip in CLIPS if clip.sees == "pixels"])
def test_keyframes_carry_the_appearance_of_the_named_network(name):
    recording = Recording.load(HOME / f"{name}.npz")
    assert len(recording.keyframes) >= len(recording) // 60
    seen = recording.presence[recording.keyframes] >= 0.5
    assert recording.appearance.shape[1:] == (2, 1152)
    assert np.isfinite(recording.appearance[seen]).all()
    assert recording.appearance_digest == LANDMARK["full"].sha256


def test_the_set_covers_both_hands_views_mirroring_and_kinds_of_input():
    recordings = [Recording.load(HOME / f"{name}.npz") for name in NAMES]
    assert {r.view for r in recordings} == {"facing", "egocentric"}
    assert {r.mirrored for r in recordings} == {False, True}
    assert any((r.presence >= 0.5).all() for r in recordings)
    assert any(np.isnan(r.landmarks).all() for r in recordings), "a headset without image"
    assert any(np.isnan(r.world).all() for r in recordings), "a 2D tracker"
