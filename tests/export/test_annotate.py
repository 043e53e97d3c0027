"""`figop annotate`: reviewable, resumable, atomic; a bad file is one sentence and the others go on."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import export.annotate
from edge.errors import FigopError
from edge.recording import Recording
from edge.score import FingerEvent
from export.annotate import add_parser, find, named, run
from export.corpus.table import rows
from export.data.captioned import load_captioned
from export.judge.clips import find_clips
from export.sim.camera import Camera, film, frame_on
from export.sim.perform import perform
from tests.edge.objects.stage import hand_frames, seen
from tests.edge.objects.test_dynamics import CARRIED, TAKES


@pytest.fixture(scope="module")
def landmarks() -> Recording:
    """A hand that bends and straightens its index finger, filmed without pixels."""
    score = (
        FingerEvent("right", "curl", ("index",), start=0.8, end=1.4),
        FingerEvent("right", "extend", ("index",), start=1.6, end=2.2),
    )
    done = perform(score, duration=3.2, fps=30, rng=np.random.default_rng(0))
    return film(done, frame_on(done, Camera()))


def annotate(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return run(parser.parse_args(["annotate", *map(str, words), "--no-overlay"]))


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_an_annotation_can_be_reviewed_judged_and_trained_on(
    landmarks: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    landmarks.save(tmp_path / "clip.npz")
    out = tmp_path / "out"
    assert annotate(tmp_path / "clip.npz", "-o", out) == 0
    made = read(out / "clip.json")
    assert (made["source"], made["bundle"], made["view"], made["reviewed"]) == (
        "clip.npz",
        "figop-rules",
        "facing",
        False,
    )
    assert made["captions"]
    assert len(Recording.load(out / "clip.npz")) == len(landmarks)
    assert {p.name for p in out.iterdir()} == {"clip.json", "clip.npz"}, "nothing half-made is left"
    assert f"clip.json: {len(made['captions'])} captions" in capsys.readouterr().out
    (clip,) = find_clips([out / "clip.json"])
    assert [e.motion for e in clip.score] == ["curl", "extend"]
    (read_back,) = load_captioned(out).understood
    assert [(e.motion, e.fingers) for e in read_back.score or ()] == [("curl", ("index",)), ("extend", ("index",))]
    assert read_back.timed == 1.0
    assert [(e.start, e.end) for e in read_back.score or ()] == [(e.start, e.end) for e in clip.score]


def test_what_is_finished_is_kept_and_what_changed_is_made_again(
    landmarks: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video, out = tmp_path / "clip.npz", tmp_path / "out"
    landmarks.save(video)
    assert annotate(video, "-o", out, "--json") == 0
    first = (out / "clip.json").stat().st_mtime_ns
    assert annotate(video, "-o", out, "--json") == 0
    assert (out / "clip.json").stat().st_mtime_ns == first
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [r["outcome"] for r in rows] == ["annotated", "kept"]
    assert annotate(video, "-o", out, "--language", "zh") == 0
    assert "食指" in read(out / "clip.json")["captions"][0]["text"]
    (found,) = load_captioned(out).understood
    assert found.language == "zh"
    reviewed = {**read(out / "clip.json"), "reviewed": True}
    (out / "clip.json").write_text(json.dumps(reviewed))
    capsys.readouterr()
    assert annotate(video, "-o", out) == 1
    assert "was reviewed, but" in capsys.readouterr().err
    assert read(out / "clip.json") == reviewed
    assert annotate(video, "-o", out, "--force") == 0
    assert read(out / "clip.json")["reviewed"] is False


def test_bad_files_are_one_sentence_each_and_the_others_go_on(
    landmarks: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    landmarks.save(tmp_path / "good.npz")
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "other.npz").write_bytes(b"PK")
    names = [tmp_path / n for n in ("bad.mp4", "empty.mp4", "missing.mp4", "other.npz", "good.npz")]
    assert annotate(*names, "-o", tmp_path / "out") == 1
    err = capsys.readouterr().err.strip().splitlines()
    assert len(err) == 4
    assert [n in line for n, line in zip(("bad", "empty", "missing", "other"), err, strict=True)] == [True] * 4
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"good.json", "good.npz", "_report.json"}


def test_a_run_that_is_broken_off_leaves_no_annotation(
    landmarks: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    landmarks.save(tmp_path / "a.npz")
    landmarks.save(tmp_path / "b.npz")

    def interrupted(video: Path, name: str, args: Any) -> Any:
        if name == "b":
            raise KeyboardInterrupt
        return whole(video, name, args)

    whole = export.annotate.annotate
    with monkeypatch.context() as patched:
        patched.setattr(export.annotate, "annotate", interrupted)
        assert annotate(tmp_path / "a.npz", tmp_path / "b.npz", "-o", tmp_path / "out") == 130
    assert not (tmp_path / "out" / "b.json").exists()
    assert annotate(tmp_path / "a.npz", tmp_path / "b.npz", "-o", tmp_path / "out") == 0
    assert (tmp_path / "out" / "b.json").exists()


def test_the_source_and_strange_files_are_never_overwritten(landmarks: Recording, tmp_path: Path) -> None:
    landmarks.save(tmp_path / "clip.npz")
    before = (tmp_path / "clip.npz").read_bytes()
    assert annotate(tmp_path / "clip.npz", "-o", tmp_path) == 1
    assert (tmp_path / "clip.npz").read_bytes() == before
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "clip.json").write_text('{"mine": 1}')
    assert annotate(tmp_path / "clip.npz", "-o", tmp_path / "out", "--force") == 1
    assert read(tmp_path / "out" / "clip.json") == {"mine": 1}


def test_folders_and_names(landmarks: Recording, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        landmarks.save(tmp_path / folder / "clip.npz")
    (tmp_path / "a" / "notes.txt").write_text("x")
    assert find([tmp_path / "a"]) == [tmp_path / "a" / "clip.npz"]
    with pytest.raises(FigopError, match="have the same name"):
        named(find([tmp_path / "a", tmp_path / "b"]))
    with pytest.raises(FigopError, match="no video and no recording"):
        find([tmp_path])


def test_recorded_things_are_told_beside_the_fingers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    verbs = ["reach", "grasp", "lift", "move", "put down", "release"]
    things = tuple(seen({"cup": CARRIED}, 6.5))
    Recording.from_frames(hand_frames(TAKES, 6.5), detections=things).save(tmp_path / "r.npz")
    assert annotate(tmp_path / "r.npz", "-o", tmp_path / "notes", "--table", "jsonl") == 0
    made = read(tmp_path / "notes" / "r.json")
    (thing,) = made["things"]
    assert [e["verb"] for e in thing["objects"]] == verbs
    assert made["captions"]
    assert not any("cup" in c["text"] for c in made["captions"]), "who learns finger motions reads these"
    assert Recording.load(tmp_path / "notes" / "r.npz").detections == things
    (row,) = [r for r in rows(tmp_path / "notes", ["r"]) if "cup" in r["text"]]
    assert [e["verb"] for e in json.loads(row["score"])] == verbs
    assert annotate(tmp_path / "r.npz", "-o", tmp_path / "notes") == 0
    assert f"r.json: {len(made['captions']) + 1} captions (kept)" in capsys.readouterr().out
