"""`figop eval captions`: finds clips, captions them, judges, prints and writes."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.cli import main
from edge.errors import FigopError
from edge.events import Caption, Event
from edge.hands.frame import HandFrame
from edge.narrator import narrate
from edge.recording import Recording
from edge.score import FingerEvent, Score, order
from export.judge.cli import add_parser, run_captions
from export.judge.clips import Clip, ClipError, digest, find_clips
from export.judge.evaluate import floor, floor_caption, intervals, lacking, phrases, summary
from export.judge.judge import Line, judge
from export.sim.camera import Camera, film, frame_on
from export.sim.perform import perform


def one(motion: str, *fingers: str, start: float, end: float, hand: str = "right", contact: str = "") -> FingerEvent:
    return FingerEvent(hand, motion, fingers, contact=contact, start=start, end=end)


SCORE: Score = (one("curl", "index", start=0.5, end=1.0), one("extend", "index", start=1.2, end=1.7))


def recording(score: Score = SCORE, *, frames: int = 60, score_json: str | None = None) -> Recording:
    """Hands that lie still: the fake captioner does not look at them."""
    empty = Recording.from_frames(
        HandFrame(
            t_ns=i * 33_000_000,
            landmarks=np.full((2, 21, 3), 0.5, np.float32),
            presence=np.array([0, 1], np.float32),
            track_id=np.array([-1, 0], np.int32),
        )
        for i in range(frames)
    )
    return replace(empty, score_json=json.dumps([e.to_dict() for e in score]) if score_json is None else score_json)


class FakeSpeaker:
    """Says one prepared text for the whole stream, whatever it sees; counts what it was shown."""

    shown: list[str] = []  # noqa: RUF012

    def __init__(self, text: str) -> None:
        self.text, self.last, self.tracker = text, None, None
        self.frames: list[HandFrame] = []

    def push(self, frame: Any, t_ns: int | None = None) -> list[Event]:
        FakeSpeaker.shown.append("hands" if isinstance(frame, HandFrame) else "picture")
        self.last = frame if isinstance(frame, HandFrame) else HandFrame(t_ns=t_ns or 0)
        self.frames.append(self.last)
        return [Caption("phrase-0", 0.0, 0.5, final=False, text="The left hand waves.")]

    def flush(self) -> list[Event]:
        if not self.text:
            return []
        return [Caption("phrase-0", self.frames[0].t, self.frames[-1].t, 1, text=self.text, score=SCORE)]


def speaker(text: str) -> Any:
    FakeSpeaker.shown = []

    @contextmanager
    def open_speaker(bundle: str, **options: Any) -> Iterator[FakeSpeaker]:
        assert bundle == "figop-base"
        yield FakeSpeaker(text)

    return open_speaker


def evaluate(*words: str | Path, text: str = narrate(SCORE)) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return run_captions(parser.parse_args(["eval", "captions", *map(str, words)]), open_speaker=speaker(text))


def figures(capsys: pytest.CaptureFixture[str], *words: str | Path, text: str = narrate(SCORE)) -> Any:
    assert evaluate(*words, "--json", text=text) == 0
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    recording().save(tmp_path / "clip.npz")
    return tmp_path / "clip.npz"


def video(path: Path, frames: int = 8) -> Path:
    cv2 = pytest.importorskip("cv2")
    out = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30.0, (64, 64))
    for i in range(frames):
        out.write(np.full((64, 64, 3), 20 * i, np.uint8))
    out.release()
    return path


def test_right_captions_score_ten(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = figures(capsys, clip)
    oracle = report["sources"]["oracle"]
    assert (oracle["f1"], oracle["f1_strict"], oracle["hand_judge"], oracle["hallucinated_finger_rate"]) == (
        1,
        1,
        10,
        0,
    )
    assert (oracle["clips"], oracle["reference"], oracle["captions"]) == (1, 2, 1), "provisional captions do not count"
    assert oracle["events"]["f1"] == 1.0
    assert oracle["motions"]["curl"] == {"precision": 1, "recall": 1, "f1": 1, "matched": 1, "reference": 1, "said": 1}
    assert "pixels" not in report["sources"]
    assert report["sources"]["floor"]["f1"] < 1
    assert report["per_clip"][0]["oracle"]["captions"][0][2] == narrate(SCORE)


def test_wrong_captions_score_less(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = figures(capsys, clip, text="The right ring finger bends, then straightens.")
    assert report["sources"]["oracle"]["f1"] == 0
    assert report["sources"]["oracle"]["hallucinated_finger_rate"] == 1


def test_table_and_results_file(
    clip: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(clip.parent)
    monkeypatch.setenv("COLUMNS", "80")
    assert evaluate("clip.npz", "-o", "results/captions.json") == 0
    out = capsys.readouterr().out
    assert re.search(r"landmarks +1 +2 +1.000 .*10.00", out), out
    assert "most frequent caption" in out
    assert "1.00 (1/1, 1)" in out
    report = json.loads(Path("results/captions.json").read_text())
    assert report["command"] == "figop eval captions clip.npz --from both"
    assert {"date", "versions", "inputs", "sources", "schema"} <= set(report)
    assert report["versions"]["numpy"] == np.__version__
    assert str(clip.parent) not in json.dumps(report)


def test_pixels_come_from_the_video_and_are_cached(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = video(tmp_path / "clip.avi")
    recording().save(tmp_path / "clip.npz")
    cache = tmp_path / "cache"
    first = figures(capsys, shown, "--from", "pixels", "--cache", cache)
    assert set(FakeSpeaker.shown) == {"picture"}
    assert len(Recording.load(cache / "clip.tracked.npz")) == 8
    assert list(first["sources"]) == ["pixels", "floor"]
    assert first["cached_clips"] == 0
    again = figures(capsys, shown, "--from", "pixels", "--cache", cache)
    assert set(FakeSpeaker.shown) == {"hands"}
    assert again["cached_clips"] == 1
    assert again["sources"] == first["sources"]
    other = figures(capsys, shown, "--from", "pixels", "--cache", cache, "--tracker", "native-lite")
    assert other["tracker"] == "native-lite"
    assert other["command"].endswith("--from pixels --tracker native-lite")
    assert other["cached_clips"] == 0
    assert (cache / "clip.native-lite.tracked.npz").is_file()
    newer = (cache / "clip.tracked.npz").stat().st_mtime + 10
    os.utime(shown, (newer, newer))
    assert figures(capsys, shown, "--from", "pixels", "--cache", cache)["cached_clips"] == 0


def test_frames_can_be_shown_without_what_simpler_sources_lack(tmp_path: Path) -> None:
    whole = list(recording().frames())
    (one, *_) = lacking(whole, ("world", "appearance"))
    assert np.isnan(one.world).all()
    assert one.appearance is None
    assert np.array_equal(one.landmarks, whole[0].landmarks, equal_nan=True)
    shown = video(tmp_path / "clip.avi")
    recording().save(tmp_path / "clip.npz")
    with pytest.raises(ClipError, match="once with --cache"):
        evaluate(shown, "--from", "pixels", "--without", "image")


def test_a_folder_gives_every_clip_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording().save(tmp_path / "a.npz")
    recording().save(tmp_path / "b.npz")
    video(tmp_path / "b.avi")
    recording(score_json="").save(tmp_path / "landmarks_only.npz")
    recording().save(tmp_path / "b.tracked.npz")
    np.savez(tmp_path / "other.npz", weights=np.zeros(3))
    clips = find_clips([tmp_path])
    assert [c.name for c in clips] == ["a", "b"]
    assert [bool(c.video) for c in clips] == [False, True]
    report = figures(capsys, tmp_path)
    assert (report["sources"]["oracle"]["clips"], report["sources"]["pixels"]["clips"]) == (2, 1)
    assert set(report["sources"]["oracle"]["interval_95"]) == {
        "f1",
        "f1_strict",
        "hallucinated_finger_rate",
        "hand_judge",
    }
    assert len(find_clips([tmp_path], limit=1)) == 1


def test_another_run_of_the_same_clips_is_compared_in_pairs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b", "c"):
        recording().save(tmp_path / f"{name}.npz")
    before, out = tmp_path / "before.json", tmp_path / "after.json"
    assert evaluate(tmp_path, "-o", before, text="The right hand waves.") == 0
    assert evaluate(tmp_path, "--against", before, "-o", out) == 0
    assert "F1 +1.000 (+1.000 to +1.000) over figop-base" in capsys.readouterr().out
    row = json.loads(out.read_text())
    assert row["against"]["oracle"] == {"clips": 3, "f1_gain": 1.0, "interval_95": [1.0, 1.0]}
    assert f"--against {before.name}" in row["command"]
    with pytest.raises(ClipError, match="these are 1, the other run had 3"):
        evaluate(tmp_path / "a.npz", "--against", before)


def test_json_truth_beside_a_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = video(tmp_path / "clip.avi")
    truth = {"view": "egocentric", "score": [e.to_dict() for e in SCORE]}
    (tmp_path / "clip.score.json").write_text(json.dumps(truth))
    (found,) = find_clips([shown])
    assert (found.view, found.score, found.recording) == ("egocentric", order(SCORE), None)
    elsewhere = tmp_path / "truth.json"
    elsewhere.write_text(json.dumps([SCORE[0].to_dict()]))
    assert find_clips([shown], truth=elsewhere)[0].score == SCORE[:1]
    assert find_clips([tmp_path / "clip.score.json"])[0].video == shown


def test_ready_made_events(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = Caption("phrase-0", 0.4, 1.8, text=narrate(SCORE), score=SCORE)
    wrong = replace(told, final=False, text="The left hand waves.")
    lines = [json.dumps(e.to_dict()) for e in (wrong, told)]
    (tmp_path / "events.jsonl").write_text("\n".join([*lines, "", '{"type": "hands_seen"}']))
    report = figures(capsys, clip, "--captions-from", tmp_path / "events.jsonl")
    assert report["sources"]["given"]["hand_judge"] == 10
    assert report["sources"]["given"]["events"]["f1"] == 1
    (tmp_path / "score.json").write_text(json.dumps([e.to_dict() for e in SCORE]))
    report = figures(capsys, tmp_path / "score.json", "--captions-from", tmp_path / "events.jsonl")
    assert report["sources"]["given"]["f1"] == 1


@pytest.mark.parametrize(
    ("files", "words", "message"),
    [
        ({}, ["missing.npz"], "There is no file"),
        ({}, ["."], "no clip with a true score"),
        ({"a.txt": "x"}, ["a.txt"], "neither a recording"),
        ({"a.npz": "x"}, ["a.npz"], "not a readable recording"),
        ({"a.mp4": "x"}, ["a.mp4"], "a.mp4 has no truth"),
        ({"a.mp4": "x"}, ["."], "a.mp4 has no truth"),
        ({"a.json": "{"}, ["a.json"], "is not JSON"),
        ({"a.json": "{}"}, ["a.json"], "holds no score"),
        ({"a.json": '[{"hand": "third"}]'}, ["a.json"], "score that cannot be read"),
        ({"a.json": '{"view": "above", "score": []}'}, ["a.json"], "view must be one of"),
        ({"a.json": "[]"}, ["a.json"], "nothing to caption"),
        ({"a.json": "[]"}, ["a.json", "--captions-from", "b.jsonl"], "b.jsonl cannot be read"),
        ({"a.json": "[]", "b.jsonl": "{}\nnope"}, ["a.json", "--captions-from", "b.jsonl"], "b.jsonl, line 2,"),
        ({"a.json": "[]", "b.json": "[]"}, ["a.json", "b.json", "--captions-from", "x"], "2 clips were named"),
        ({"a.json": "[]"}, [".", "--truth", "a.json"], "--truth is the score of one clip"),
    ],
)
def test_what_cannot_be_judged_is_one_sentence_and_exit_2(
    files: dict[str, str],
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(FigopError, match=message):
        evaluate(*words)
    assert main(["eval", "captions", *words]) == 2
    said = capsys.readouterr().err.strip()
    assert message.split("\n")[0] in said
    assert said.count("\n") == 0


def test_landmarks_without_a_truth_are_refused(tmp_path: Path) -> None:
    recording(score_json="").save(tmp_path / "clip.npz")
    with pytest.raises(FigopError, match="no true score"):
        evaluate(tmp_path / "clip.npz")


def test_figures_that_cannot_be_written(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FigopError, match="could not be written"):
        evaluate(clip, "-o", tmp_path / "file" / "out.json")


def test_digest_tells_contents_apart(tmp_path: Path) -> None:
    for name, text in (("a.json", "[]"), ("b.json", "[ ]")):
        (tmp_path / name).write_text(text)
    (a,), (b,) = find_clips([tmp_path / "a.json"]), find_clips([tmp_path / "b.json"])
    assert digest([a, b]) == digest([b, a])
    before = digest([a])
    (tmp_path / "a.json").write_text("[  ]")
    assert digest([a]) != before


def test_the_floor_is_the_most_frequent_event_in_every_phrase() -> None:
    score = (*SCORE, one("curl", "index", start=5.0, end=5.5))
    clips = [Clip("a", score), Clip("b", SCORE), Clip("c", (one("rest", start=0, end=9),))]
    assert phrases(score) == [(0.5, 1.7), (5.0, 5.5)]
    assert floor_caption(clips) == "The right index finger bends."
    assert floor_caption([]) == ""
    judged = floor(clips)
    assert [j.counts.matched for j in judged] == [2, 1, 0]
    assert [j.counts.predicted for j in judged] == [2, 1, 0]


def test_intervals_hold_the_figure_and_narrow_with_more_clips() -> None:
    right, wrong = (judge(SCORE, [Line(t, 0, 2)]) for t in (narrate(SCORE), "The left hand waves."))
    few, many = intervals([right, wrong] * 4), intervals([right, wrong] * 100)
    f1 = summary([right, wrong] * 4)["f1"]
    assert few["f1"][0] < f1 < few["f1"][1]
    assert many["f1"][1] - many["f1"][0] < few["f1"][1] - few["f1"][0]
    assert intervals([right]) == {}
    assert intervals([right, right])["hand_judge"] == (10.0, 10.0)


def test_the_real_captioner_end_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A performed score, filmed without pixels, goes through bundle, rules, narrator, parser and judge."""
    score = (
        one("curl", "index", start=0.8, end=1.4),
        one("extend", "index", start=1.6, end=2.2),
        one("grab", start=3.2, end=3.8),
        one("open", start=4.0, end=4.6),
    )
    for seed in (0, 1):
        done = perform(score, duration=5.5, fps=30, rng=np.random.default_rng(seed))
        film(done, frame_on(done, Camera())).save(tmp_path / f"clip{seed}.npz")
    assert main(["eval", "captions", str(tmp_path), "--from", "oracle", "--jobs", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    oracle, lowest = report["sources"]["oracle"], report["sources"]["floor"]
    assert oracle["clips"] == 2
    assert oracle["f1"] > lowest["f1"]
    assert oracle["hand_judge"] > lowest["hand_judge"]
    assert oracle["garbled_captions"] == 0


def test_truths_may_lie_in_a_folder_of_their_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips, first, second = (tmp_path / n for n in ("clips", "first", "second"))
    for folder in (clips, first, second):
        folder.mkdir()
    for name in ("a", "b", "unread"):
        replace(recording(score_json=""), view="egocentric").save(clips / f"{name}.npz")
    for name, other in (("a", SCORE), ("b", SCORE[:1])):
        for folder, score in ((first, SCORE), (second, other)):
            (folder / f"{name}.json").write_text(json.dumps({"events": [e.to_dict() for e in score]}))
    report = figures(capsys, clips, "--truth", first, "--second-truth", second)
    assert [row["clip"] for row in report["per_clip"]] == ["a", "b"], "what nobody read is not judged"
    assert report["sources"]["oracle"]["f1"] == 1.0
    agree = report["readers_agree"]
    assert (agree["clips"], agree["first"], agree["second"], agree["matched"]) == (2, 4, 3, 3)
    assert agree["f1"] == round(6 / 7, 4)
    assert [c.view for c in find_clips([clips], truth=first)] == ["egocentric"] * 2
    assert digest(find_clips([clips], truth=first)) != digest(find_clips([clips], truth=second))


def test_truths_apart_need_their_clips(tmp_path: Path) -> None:
    truths, clips = tmp_path / "truths", tmp_path / "clips"
    truths.mkdir(), clips.mkdir()
    recording().save(clips / "a.npz")
    with pytest.raises(ClipError, match=r"holds no truth \(\.json\)"):
        find_clips([clips], truth=truths)
    (truths / "lost.json").write_text("[]")
    with pytest.raises(ClipError, match=r"holds the truth lost\.json, but no such recording"):
        find_clips([clips], truth=truths)
    with pytest.raises(ClipError, match="--second-truth compares two folders"):
        evaluate(clips / "a.npz", "--second-truth", truths)


def test_a_truth_named_for_a_recording_is_judged_on_its_landmarks(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.json").write_text(json.dumps([SCORE[0].to_dict()]))
    oracle = figures(capsys, clip, "--truth", tmp_path / "other.json")["sources"]["oracle"]
    assert (oracle["reference"], oracle["matched"], oracle["said"]) == (1, 1, 2)
