"""Captioned sets from outside: what is understood gets seconds, what is not is counted and listed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import SourceError
from edge.narrator import narrate, parse
from edge.recording import Recording
from edge.score import FingerEvent, Score
from export.data.captioned import load_captioned, main, only_hand, place
from export.sim.camera import Camera, film, frame_on
from export.sim.perform import perform

SCORE: Score = (
    FingerEvent("right", "curl", ("index",), start=0.8, end=1.4),
    FingerEvent("right", "extend", ("index",), start=1.6, end=2.2),
)
TEXT = narrate(SCORE)


@pytest.fixture(scope="module")
def landmarks() -> Recording:
    done = perform(SCORE, duration=3.2, fps=30, rng=np.random.default_rng(0))
    return film(done, frame_on(done, Camera()))


def rows(folder: Path, *made: Any, name: str = "captions.json") -> Path:
    path = folder / name
    path.write_text("\n".join(map(json.dumps, made)) if name.endswith("l") else json.dumps(list(made)))
    return path


def test_understood_captions_get_the_seconds_of_the_motion(landmarks: Recording, tmp_path: Path) -> None:
    landmarks.save(tmp_path / "a.npz")
    found = load_captioned(rows(tmp_path, {"video": "a.npz", "caption": TEXT}))
    (clip,) = found.understood
    assert clip.timed == 1.0
    for event, true in zip(clip.score or (), SCORE, strict=True):
        assert (event.hand, event.motion, event.fingers) == (true.hand, true.motion, true.fingers)
        assert abs(event.start - true.start) < 0.25
        assert abs(event.end - true.end) < 0.25


def test_what_is_not_understood_is_counted_and_listed_and_gives_no_score(
    landmarks: Recording, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    landmarks.save(tmp_path / "a.npz")
    path = rows(
        tmp_path,
        {"video": "a.npz", "caption": TEXT},
        {"video": "a.npz", "caption": "The right index finger bends, then someone peels an orange."},
        {"video": "gone.mp4", "caption": TEXT},
        {"video": "a.npz"},
        "nothing",
    )
    found = load_captioned(path)
    assert [(c.name, c.score is not None) for c in found.clips] == [("a", True), ("a#2", False)]
    assert found.pieces() == {"someone peels an orange": 1}
    assert [name for name, _ in found.failed] == ["row 4", "row 5", "gone"]
    assert all("\n" not in sentence for _, sentence in found.failed)
    assert main([str(path)]) == 0
    out = capsys.readouterr().out
    assert "2 clips with captions: 1 understood (2 events), 1 not; 3 could not be read" in out
    assert "not understood in 1: someone peels an orange" in out


@pytest.mark.parametrize(
    ("made", "name"),
    [
        ([{"video_path": "a.npz", "text": TEXT}], "x.json"),
        ([{"file": "a.npz", "captions": [TEXT, "anything"]}, {"path": "a.npz", "description": TEXT}], "x.jsonl"),
        (
            [{"video": "a.npz", "conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": TEXT}]}],
            "x.json",
        ),
        ([{"video": "a.npz", "captions": [{"text": TEXT, "start": 0.5, "end": 2.5}]}], "x.json"),
        ([{"video": "a.npz", "caption": narrate(SCORE, language="zh"), "language": "zh"}], "x.json"),
        ([{"video": "a.npz", "caption": "Bend the index finger, then straighten it."}], "x.json"),
    ],
)
def test_shapes_of_json(landmarks: Recording, tmp_path: Path, made: list[Any], name: str) -> None:
    landmarks.save(tmp_path / "a.npz")
    found = load_captioned(rows(tmp_path, *made, name=name))
    assert len(found.understood) == len(made)
    assert not found.failed
    for clip in found.understood:
        assert [e.motion for e in clip.score or ()] == ["curl", "extend"]


def test_tables_in_an_object(landmarks: Recording, tmp_path: Path) -> None:
    landmarks.save(tmp_path / "a.npz")
    (tmp_path / "x.json").write_text(json.dumps({"data": [{"video": "a.npz", "caption": TEXT}]}))
    (tmp_path / "y.json").write_text(json.dumps({"a.npz": TEXT}))
    assert len(load_captioned(tmp_path / "x.json").understood) == 1
    assert len(load_captioned(tmp_path / "y.json").understood) == 1


def test_a_folder_of_recordings(landmarks: Recording, tmp_path: Path) -> None:
    replace(landmarks, captions=(TEXT, "in other words")).save(tmp_path / "a.npz")
    landmarks.save(tmp_path / "b.npz")
    (tmp_path / "b.txt").write_text("The index finger bends.\n")
    landmarks.save(tmp_path / "silent.npz")
    (tmp_path / "c.npz").write_bytes(b"PK")
    found = load_captioned(tmp_path)
    assert [c.name for c in found.understood] == ["a", "b"]
    assert [name for name, _ in found.failed] == ["c"]
    assert (found.clips[1].score or ())[0].hand == "right", "the only hand in view is the one that is meant"


def test_a_reviewed_text_counts_more_than_the_score_that_was_read(landmarks: Recording, tmp_path: Path) -> None:
    landmarks.save(tmp_path / "a.npz")
    data = {
        "source": "a.mp4",
        "language": "en",
        "score": [e.to_dict() for e in SCORE],
        "captions": [
            {"t_start": 0.8, "t_end": 2.2, "text": "The right index finger bends, then the right hand waves."}
        ],
    }
    (tmp_path / "a.json").write_text(json.dumps(data))
    (clip,) = load_captioned(tmp_path).understood
    assert [(e.motion, e.start, e.end) for e in clip.score or ()] == [("curl", 0.8, 1.4), ("wave", 1.4, 2.2)]
    assert clip.timed == 0.5


def test_videos_are_tracked_once(landmarks: Recording, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"a video")
    asked: list[tuple[str, str, bool]] = []

    def track(video: Path, view: str, mirrored: bool) -> Recording:
        asked.append((video.name, view, mirrored))
        return replace(landmarks, view=view, mirrored=mirrored)

    path = rows(tmp_path, {"video": "a.mp4", "caption": TEXT, "view": "egocentric"})
    for _ in range(2):
        assert len(load_captioned(path, track=track).understood) == 1
    assert asked == [("a.mp4", "egocentric", False)]
    assert (tmp_path / "tracked" / "a.tracked.npz").is_file()
    other = rows(tmp_path, {"video": "a.mp4", "caption": TEXT, "view": "facing", "mirrored": True})
    load_captioned(other, track=track)
    assert asked[1:] == [("a.mp4", "facing", True)]


def test_steps_that_were_not_found_divide_the_time_that_is_left() -> None:
    told = parse("The right index finger bends, then the right hand waves, then the right hand opens.")
    placed, hits = place(told, 0.0, 6.0, [FingerEvent("right", "curl", ("index",), start=1.0, end=2.0)])
    assert hits == 1
    assert [(e.motion, e.start, e.end) for e in placed] == [("curl", 1.0, 2.0), ("wave", 2.0, 4.0), ("open", 4.0, 6.0)]
    nothing, hits = place(told, 0.0, 6.0, [])
    assert (hits, [(e.start, e.end) for e in nothing]) == (0, [(0, 2), (2, 4), (4, 6)])


def test_only_hand(landmarks: Recording) -> None:
    assert only_hand(landmarks) == "right"
    assert only_hand(replace(landmarks, presence=np.ones_like(landmarks.presence))) is None


@pytest.mark.parametrize(
    ("text", "message"), [("{", "is not JSON"), ("[]", "no captioned clip"), ("3", "no captioned clip")]
)
def test_files_that_hold_nothing(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(SourceError, match=message):
        load_captioned(tmp_path / "x.json")
    with pytest.raises(SourceError, match="cannot be read"):
        load_captioned(tmp_path / "none.json")
    with pytest.raises(SourceError, match="no captioned clip"):
        load_captioned(tmp_path)


def test_an_object_that_is_no_table_fails_row_by_row(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"data": 3}')
    ((name, sentence),) = load_captioned(tmp_path / "x.json").failed
    assert name == "row 1"
    assert sentence.startswith(f"{tmp_path / 'x.json'}, row 1: it holds no caption (caption, ")


SHARED = Path(__file__).parents[4] / "shared"


@pytest.mark.shared
@pytest.mark.skipif(
    not (SHARED / "data" / "thumb_index_history").is_dir(), reason="no ../shared/data beside the checkout"
)
def test_the_worked_example_of_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from export.data import history

    assert history.main([str(SHARED / "data"), "-o", str(tmp_path)]) == 0
    assert main([str(tmp_path / "train" / "captions.json")]) == 0
    assert "200 understood (200 events), 0 not; 0 could not be read" in capsys.readouterr().out
