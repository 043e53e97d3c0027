"""Labelled fingertips as a captioned set: hands that do what the tips did, sides apart, and captions that are read."""

import json
from pathlib import Path

import numpy as np
import pytest

from edge.recording import Recording
from export.data.captioned import load_captioned
from export.data.history import CAPTIONS, SET, SPAN, main, recording, rows
from export.data.pairs import score_of


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The set with twelve rows of each label: tips that go sideways as far as their row's number says."""
    names = ["Stop", *CAPTIONS]
    label = np.repeat(np.arange(len(names)), 12)
    far = np.arange(len(label)) % 12 / 100
    xy = np.linspace(0, 1, 16)[None, :, None, None] * far[:, None, None, None] * np.array([1.0, 0.5])
    (tmp_path / "thumb_index_history").mkdir()
    np.savez(tmp_path / SET, xy=np.repeat(xy, 2, axis=2).astype(np.float32), label=label.astype(np.int16),
             label_names=np.array(names))  # fmt: skip
    return tmp_path


def test_sides_are_apart_and_in_time() -> None:
    train, test = rows(300, "train"), rows(300, "test")
    assert (len(train), len(test)) == (40, 20)
    assert train.max() < 200
    assert test.min() >= 250


def test_the_hand_rests_does_what_the_tips_did_and_rests() -> None:
    tips = np.zeros((16, 2, 2))
    tips[:, 1, 1] = np.linspace(0, 0.12, 16)  # the index tip alone goes down
    made = recording(tips)
    points = made.landmarks[:, 1]
    assert made.mirrored
    assert np.allclose(points[0], points[15])
    assert points[-1, 8, 1] - points[0, 8, 1] == pytest.approx(0.12, abs=1e-6)
    assert np.array_equal(points[0, [0, 4, 12]], points[-1, [0, 4, 12]])
    together = recording(np.repeat(tips[:, 1:], 2, axis=1))
    assert together.landmarks[-1, 1, 0, 1] - together.landmarks[0, 1, 0, 1] == pytest.approx(0.12, abs=1e-6)


def test_both_sides_are_written_and_read(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main([str(data), "-o", str(out)]) == 0
    assert "figop train --from figop-base --data" in capsys.readouterr().out.splitlines()[-1]
    found = load_captioned(out / "train" / "captions.json")
    assert len(found.understood) == len(json.loads((out / "train" / "captions.json").read_text())) == 8 * len(CAPTIONS)
    assert all(SPAN[0] <= e.start < e.end <= SPAN[1] for clip in found.understood for e in clip.score or ())
    judged = {p.name: score_of(Recording.load(p)) for p in (out / "test").glob("*.npz")}
    assert len(judged) == 2 * len(CAPTIONS)
    assert {(e.motion, e.direction) for name, s in judged.items() if name.startswith("SwipeUp") for e in s} == {
        ("swipe", "up")
    }


def test_a_folder_without_the_set_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "-o", str(tmp_path / "out")]) == 1
    assert "is not there or no such set" in capsys.readouterr().out
