"""Captioned clips as training clips: cut at rests, with their own seconds, beside the simulator's and tracked ones."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import SourceError
from edge.narrator import narrate
from edge.recording import Recording
from edge.score import FingerEvent, Score
from export.data.captioned import load_captioned
from export.data.feed import FeedSettings, make, tables
from export.data.lessons import cut, lessons, pieces
from export.data.pairs import score_of, ticks_of
from export.data.scenes import draw_scene
from export.data.tracked import APPEARANCE, Joined, Table, table
from export.sim.batch import Streamer
from export.sim.camera import Camera, film, frame_on
from export.sim.perform import perform
from export.sim.split import split_of_score

BEND: Score = (
    FingerEvent("right", "curl", ("middle",), start=0.8, end=1.4),
    FingerEvent("right", "extend", ("middle",), start=1.6, end=2.2),
)
#: the same again after a long rest: another piece
LONG: Score = (*BEND, *(e.moved(e.start + 6.0, e.end + 6.0) for e in BEND))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A captioned set of one recording of nine seconds, told in two captions with their seconds."""
    home = tmp_path_factory.mktemp("told")
    done = perform(LONG, duration=9.2, fps=30, rng=np.random.default_rng(0))
    film(done, frame_on(done, Camera())).save(home / "a.npz")
    rows = [
        {"video": "a.npz", "captions": [{"text": narrate(BEND), "start": s, "end": s + 2.6} for s in (0.2, 6.2)]},
        {"video": "a.npz", "caption": "Someone peels an orange."},
    ]
    (home / "captions.json").write_text(json.dumps(rows))
    return home / "captions.json"


def test_a_long_recording_is_cut_at_its_rests(told: Path, tmp_path: Path) -> None:
    made = lessons(load_captioned(told), tmp_path, 5.0)
    assert (made.pieces, made.events, made.too_long, made.known) == (2, 4, 0, 0)
    assert made.summary() == "2 pieces with 4 events to train on"
    for path in sorted(made.folder.glob("*.npz")):
        one = Recording.load(path)
        score = score_of(one)
        assert [e.motion for e in score] == ["curl", "extend"]
        assert one.t_ns[0] == 0
        assert 0.3 < score[0].start < 0.8
        assert one.t_ns[-1] * 1e-9 < 4.0
        moving = ticks_of(one, 150).moving[:, 1]
        assert moving[int(score[0].start * 30) + 3]
        assert not moving[2]


def test_the_same_set_is_the_same_folder(told: Path, tmp_path: Path) -> None:
    first = lessons(load_captioned(told), tmp_path, 5.0)
    stamp = (first.folder / "0000.npz").stat().st_mtime_ns
    assert lessons(load_captioned(told), tmp_path, 5.0) == first
    assert (first.folder / "0000.npz").stat().st_mtime_ns == stamp


def test_phrases_share_a_piece_while_they_fit() -> None:
    def at(*starts: float) -> Score:
        return tuple(replace(BEND[0], start=s, end=s + 0.5) for s in starts)

    assert [len(p) for p in pieces(at(1, 2, 3), 5.0)] == [3]
    assert [len(p) for p in pieces(at(1, 2, 3, 9), 5.0)] == [3, 1]
    assert [len(p) for p in pieces(at(1, 3, 5, 7), 5.0)] == [2, 2]
    assert [len(p) for p in pieces((replace(BEND[0], start=0.0, end=9.0), *at(10)), 5.0)] == [0, 1]


def test_what_test_programs_tell_is_trained_on_too_and_said(told: Path, tmp_path: Path) -> None:
    found = load_captioned(told)
    index = tuple(replace(e, fingers=("index",)) for e in BEND)
    assert split_of_score(index) == "test"
    made = lessons(replace(found, clips=(replace(found.understood[0], score=index),)), tmp_path, 5.0)
    assert (made.pieces, made.known) == (1, 1)
    assert "no longer of unseen scores" in made.summary()
    settings = FeedSettings(draw_scene, data=made.folder)
    known = tables(settings)
    assert known is not None
    assert index[0].fingers in {e.fingers for score in known.scores for e in score}
    with pytest.raises(SourceError, match="Nothing to train on was found"):
        lessons(replace(found, clips=()), tmp_path, 5.0)


def test_a_piece_without_frames_is_none(told: Path) -> None:
    clip = load_captioned(told).understood[0]
    assert cut(clip, (replace(BEND[0], start=30.0, end=31.0),)) is None


def test_batches_hold_captioned_clips_beside_the_simulators(told: Path, tmp_path: Path) -> None:
    made = lessons(load_captioned(told), tmp_path, 3.0)
    settings = FeedSettings(draw_scene, rows=8, size=8, seconds=3.0, data=made.folder)
    known = tables(settings)
    assert isinstance(known, Table)
    assert known.appearance.shape[-1] == APPEARANCE, "no feature was recorded: the width is the network's"
    batch = make(Streamer(draw_scene, size=4, seconds=3.0, seed=0), settings, 0, known)
    alone = make(Streamer(draw_scene, size=4, seconds=3.0, seed=0), replace(settings, data=None), 0)
    assert len(batch.told) > len(alone.told)
    assert not batch.has.any()


def test_two_tables_are_one_and_the_smaller_counts_as_much(told: Path, tmp_path: Path) -> None:
    one = table(lessons(load_captioned(told), tmp_path, 3.0).folder, 3.0)
    few = Table(**{n: getattr(one, n)[:3] for n in Table.__slots__})
    both = Joined(one, few)
    assert len(both) >= 2 * len(one)
    rows = np.array([len(one), 1, len(one) + 4, 0])
    clips = both.clips(rows)
    want = [few.features[0], one.features[1], few.features[4 % 3], one.features[0]]
    assert np.array_equal(clips.features, np.stack(want).astype(np.float32))
    assert clips.scores == [few.scores[0], one.scores[1], few.scores[1], one.scores[0]]
    assert np.array_equal(both.seen(len(one) + 1, 0, 60)[0], few.seen(1, 0, 60)[0])
