"""figop-base speaks through the pipeline: both runtimes alike, any chunking alike, golden clips named right."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge.bundle import Bundle
from edge.errors import BundleError
from edge.fallback import FallbackRecogniser
from edge.recognisers import open_recogniser, open_student
from edge.recording import Recording
from edge.rules import RuleRecogniser
from edge.score import FingerEvent
from edge.student import StudentRecogniser
from export.golden import CLIPS, events_of, rows
from export.judge.judge import Judgement, Line, judge

HOME = Path(__file__).resolve().parents[1] / "golden"
BASE = Bundle.open("figop-base")


def said(recording, runtime="litert", chunk=1, bundle="figop-base"):
    return rows(list(events_of(recording, bundle, runtime, chunk)))


def plain(events):
    """What is said, without confidences: runtimes differ in the last digits."""
    return [{k: v for k, v in row.items() if k not in ("confidence", "score", "event")} for row in events]


@pytest.mark.parametrize("name", [clip.name for clip in CLIPS])
def test_both_runtimes_and_any_chunking_say_the_same(name):
    recording = Recording.load(HOME / f"{name}.npz")
    one = said(recording)
    assert said(recording, chunk=7) == one
    assert plain(said(recording, "onnx")) == plain(one)


def test_the_golden_motions_are_named():
    total = Judgement()
    for clip in CLIPS:
        recording = Recording.load(HOME / f"{clip.name}.npz")
        truth = tuple(FingerEvent.from_dict(row) for row in json.loads(recording.score_json))
        final = [r for r in said(recording) if r["type"] == "caption" and r["final"] and r["text"]]
        total += judge(truth, [Line(r["text"], r["t_start"], r["t_end"]) for r in final])
    assert total.f1 >= 0.6


def test_the_bundle_is_small_and_says_what_it_is():
    assert (BASE.source, BASE.speakers) == ("model", "model, with the rules at its side")
    assert sum(entry.bytes for entry in BASE.files.values()) <= 15e6
    card = BASE.read("MODEL_CARD.md").decode()
    assert "simulator" in card
    assert "MediaPipe" in card
    assert set(BASE.student["fallback"]) == {"rules_first", "sure", "temperature", "trust"}


def test_a_bundle_says_who_recognises():
    assert isinstance(open_recogniser(BASE, "facing", False), FallbackRecogniser)
    assert isinstance(open_recogniser(Bundle.open("figop-rules"), "facing", False), RuleRecogniser)
    alone = replace(BASE, student={k: v for k, v in BASE.student.items() if k != "fallback"})
    assert isinstance(open_recogniser(alone, "facing", False), StudentRecogniser)
    assert isinstance(open_student(BASE, "facing", False, "onnx"), StudentRecogniser)


@pytest.mark.parametrize("change", [{"decode": {"speed": 1}}, {"fallback": {"speed": 1}}, {"fallback": 0.5}])
def test_an_undescribed_student_is_refused(change):
    strange = replace(BASE, student={**BASE.student, **change})
    with pytest.raises(BundleError, match="not known"):
        open_recogniser(strange, "facing", False)
