"""Golden recordings: a replay says what is committed, in both runtimes, and that is what was performed."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge.hands.networks import LANDMARK
from edge.recording import Recording
from edge.score import FingerEvent
from export.golden import CLIPS, SPEAKERS, events_of, rows
from export.judge.judge import Judgement, Line, judge

HOME = Path(__file__).resolve().parents[1] / "golden"
NAMES = [clip.name for clip in CLIPS]
#: written with three decimals: another processor may round the last one the other way
SECONDS = 2e-3


def stored(name, speaker):
    return [json.loads(line) for line in (HOME / f"{name}.{speaker}.jsonl").read_text().splitlines()]


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
@pytest.mark.parametrize(("speaker", "runtime"), [("rules", "litert"), ("model", "litert"), ("model", "onnx")])
def test_replay_says_what_is_committed(name, speaker, runtime):
    recording = Recording.load(HOME / f"{name}.npz")
    said = rows(list(events_of(recording, SPEAKERS[speaker], runtime, chunk=1 if runtime == "litert" else 7)))
    expected = stored(name, speaker)
    assert [(r["type"], r.get("text")) for r in said] == [(r["type"], r.get("text")) for r in expected]
    for row, want in zip(said, expected, strict=True):
        assert same(row, want), (row, want)


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_what_is_committed_is_right(speaker):
    judged = {name: judge(truth_of(name), [Line(r["text"], r["t_start"], r["t_end"]) for r in finals(name, speaker)])
              for name in NAMES}  # fmt: skip
    assert sum(judged.values(), Judgement()).f1 >= 0.6
    assert min(j.f1 for j in judged.values()) > 0, "every clip has something named right"


def truth_of(name):
    return tuple(FingerEvent.from_dict(row) for row in json.loads(Recording.load(HOME / f"{name}.npz").score_json))


def finals(name, speaker):
    return [r for r in stored(name, speaker) if r["type"] == "caption" and r["final"]]


def test_every_event_says_who_read_it():
    for name in NAMES:
        assert {r["source"] for r in stored(name, "rules")} <= {"rules", "tracker"}
        assert {r["source"] for r in stored(name, "model")} <= {"model", "rules", "tracker"}
    assert any(r["source"] == "model" for name in NAMES for r in finals(name, "model"))


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
