"""A recording keeps what a detector saw: replays tell of the same things without it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge import cli
from edge.errors import SourceError
from edge.objects.detections import Detection, DetectionFile, Detections, lines
from edge.objects.detector import OnnxDetector
from edge.recording import RECORDING_SCHEMA, Recording
from tests.edge.media import FakeTracker
from tests.edge.objects.blocks import red_square, square_detector
from tests.edge.objects.stage import FPS, hand_frames
from tests.edge.objects.test_dynamics import CARRIED, TAKES

SECONDS = 6.5
VERBS = ["reach", "grasp", "lift", "move", "put down", "release"]
ROWS = (
    Detections(0, (Detection("cup", (0.1, 0.2, 1 / 3, 0.5), 0.9), Detection("tea pot", (-0.1, 0.0, 0.2, 0.4), 1.0))),
    Detections(5, ()),
    Detections(100_000_000, (Detection("cup", (0.1, 0.2, 0.35, 0.5), 0.25),)),
)


def figop(*words: str | Path) -> int:
    return cli.main([*map(str, words)])


def told(text: str) -> list[dict[str, Any]]:
    """Events as they were printed, without what was measured."""
    rows = [json.loads(line) for line in text.splitlines()]
    return [{k: v for k, v in row.items() if k not in ("stages_ms", "age_ms")} for row in rows]


def pictures(folder: Path) -> Path:
    """A folder in which a red square goes where the cup goes."""
    folder.mkdir()
    for k in range(int(SECONDS * FPS)):
        cv2.imwrite(str(folder / f"{k:04d}.png"), red_square(*CARRIED(k / FPS))[..., ::-1])
    return folder


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The tracker sees the hand that takes the cup; the current folder is empty."""
    monkeypatch.setattr(
        "edge.hands.backends.open_tracker", lambda *a, **k: FakeTracker(iter(hand_frames(TAKES, SECONDS)))
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_recorded_detector_is_replayed_without_it(hand: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pictures, a real detector, `figop record`; then the recording alone, and a recording of its replay."""
    model, clip = square_detector(hand / "m.onnx"), pictures(hand / "clip")
    own = ("--bundle", "figop-rules", "--json")
    assert figop("record", "r.npz", "--input", clip, "--fps", "20", "--detector", model, *own) == 0
    live = told(capsys.readouterr().out)
    final = [e for e in live if e["source"] == "objects" and e["final"]]
    assert [e["verb"] for e in final[-1]["objects"]] == VERBS
    assert final[-1]["text"].startswith("The right hand reaches for the cup, grasps it")

    kept = Recording.load("r.npz").detections
    assert [row.t_ns for row in kept][:3] == [0, 100_000_000, 200_000_000], "ten looks a second"
    detector = OnnxDetector(model)
    (here,), (there,) = kept[4].objects, detector.detect(red_square(*CARRIED(0.4)))
    assert (here.label, here.box) == ("cup", pytest.approx(there.box, abs=1e-6))
    detector.close()
    model.unlink()

    assert figop("replay", "r.npz", *own, "--record", "again.npz") == 0
    assert told(capsys.readouterr().out) == live
    assert Recording.load("again.npz").detections == kept
    assert figop("caption", "again.npz", *own) == 0
    assert told(capsys.readouterr().out) == live

    (hand / "none.jsonl").write_text('{"t": 0, "detections": []}\n', encoding="utf-8")
    assert figop("replay", "r.npz", *own, "--objects", "none.jsonl") == 0
    assert not [e for e in told(capsys.readouterr().out) if e["source"] == "objects"], "a file goes before"


# -- the file ----------------------------------------------------------------------------------------------------


def test_detections_come_back_to_the_last_bit(tmp_path: Path) -> None:
    Recording.from_frames(hand_frames(TAKES, 0.2), detections=ROWS).save(tmp_path / "r.npz")
    assert Recording.load(tmp_path / "r.npz").detections == ROWS
    with np.load(tmp_path / "r.npz") as stored:
        assert int(stored["schema"]) == RECORDING_SCHEMA == 2


def test_a_recording_without_them_is_as_it_was(tmp_path: Path) -> None:
    """Older figops read it, and it reads as nothing known."""
    Recording.from_frames(hand_frames(TAKES, 0.2)).save(tmp_path / "r.npz")
    with np.load(tmp_path / "r.npz") as stored:
        assert int(stored["schema"]) == 1
        assert not [name for name in stored.files if "detection" in name]
    assert Recording.load(tmp_path / "r.npz").detections == ()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"detections": [[3, 0], [0, 0], [2, 0]]}, "must number the 3 instants and 2 names from 0"),
        ({"detections": [[0, 2], [0, 0], [2, 0]]}, "must number the 3 instants and 2 names from 0"),
        ({"detections": [[0, -1], [0, 0], [2, 0]]}, "must number the 3 instants and 2 names from 0"),
        ({"detection_boxes": np.zeros((3, 4))}, "left < right"),
        ({"detection_boxes": np.zeros((2, 4))}, "detection_boxes has the shape (2, 4), but 3 x 4 is needed"),
        ({"detection_scores": np.array([0.5, 0.5, 7.0])}, "the score must be from 0 to 1"),
        ({"detections_t_ns": np.array([0.0, 0.1, 0.2])}, "detections_t_ns must hold whole numbers"),
        ({"detection_names": np.array(["", "cup"])}, "the label must be a word"),
        ({"schema": np.array(3)}, "of schema 3; this figop reads up to 2: update figop"),
    ],
)
def test_arrays_that_do_not_fit_are_named(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    Recording.from_frames(hand_frames(TAKES, 0.2), detections=ROWS).save(tmp_path / "r.npz")
    with np.load(tmp_path / "r.npz") as stored:
        arrays = {name: stored[name] for name in stored.files} | change
    np.savez(tmp_path / "r.npz", **arrays)
    with pytest.raises(SourceError, match=re.escape(why)):
        Recording.load(tmp_path / "r.npz")


def test_instants_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    Recording.from_frames(hand_frames(TAKES, 0.2), detections=ROWS[::-1]).save(tmp_path / "r.npz")
    assert Recording.load(tmp_path / "r.npz").detections == ROWS
    (tmp_path / "o.jsonl").write_text(lines(ROWS), encoding="utf-8")
    assert [row.t_ns for row in DetectionFile(tmp_path / "o.jsonl").rows] == [0, 5, 100_000_000]
