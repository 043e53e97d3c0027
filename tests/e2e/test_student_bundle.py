"""figop-student speaks through the same pipeline: both runtimes alike, any chunking alike, golden clips named right."""

import json
from pathlib import Path

import pytest

from edge.bundle import Bundle
from edge.errors import BundleError
from edge.pipeline import Captioner
from edge.recognisers import open_recogniser
from edge.recording import Recording
from edge.score import FingerEvent
from export.golden import CLIPS, rows
from export.judge.judge import Judgement, Line, judge

HOME = Path(__file__).resolve().parents[1] / "golden"
STUDENT = Bundle.open("figop-student")


def said(recording, runtime, step=1):
    captioner = Captioner(
        open_recogniser(STUDENT, recording.view, recording.mirrored, runtime), cutting=STUDENT.preprocessing
    )
    frames = list(recording.frames())
    chunks = (frames[i : i + step] for i in range(0, len(frames), step))
    return rows([e for chunk in chunks for e in captioner.push(chunk)] + captioner.flush())


def plain(events):
    """What is said, without confidences: runtimes differ in the last digits."""
    return [{k: v for k, v in row.items() if k not in ("confidence", "score", "event")} for row in events]


@pytest.mark.parametrize("name", [clip.name for clip in CLIPS])
def test_both_runtimes_and_any_chunking_say_the_same(name):
    recording = Recording.load(HOME / f"{name}.npz")
    one = said(recording, "litert")
    assert said(recording, "litert", step=7) == one
    assert plain(said(recording, "onnx")) == plain(one)
    assert all(row["source"] == "model" for row in one if row["type"] == "caption")


def test_the_student_names_the_golden_motions():
    total = Judgement()
    for clip in CLIPS:
        recording = Recording.load(HOME / f"{clip.name}.npz")
        truth = tuple(FingerEvent.from_dict(row) for row in json.loads(recording.score_json))
        final = [r for r in said(recording, "litert") if r["type"] == "caption" and r["final"] and r["text"]]
        total += judge(truth, [Line(r["text"], r["t_start"], r["t_end"]) for r in final])
    assert total.f1 >= 0.6


def test_the_bundle_is_small_and_says_what_it_is():
    assert STUDENT.source == "model"
    assert sum(entry.bytes for entry in STUDENT.files.values()) <= 15e6
    assert b"preview" in STUDENT.read("MODEL_CARD.md")


def test_an_undescribed_student_is_refused(tmp_path):
    from dataclasses import replace

    strange = replace(STUDENT, student={**STUDENT.student, "decode": {"speed": 1}})
    with pytest.raises(BundleError, match="not known"):
        open_recogniser(strange, "facing", False)
