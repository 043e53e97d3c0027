"""Recordings survive a round trip and refuse what they cannot read, in one sentence."""

import numpy as np
import pytest

from edge.errors import SinkError, SourceError
from edge.hands.frame import HandFrame
from edge.recording import Recording


def frames(count=4):
    for i in range(count):
        presence = np.array([0, 1], np.float32)
        world = np.full((2, 21, 3), np.nan, np.float32)
        world[1] = i
        feature = np.full((2, 5), i, np.float32) if i % 2 == 0 else None
        yield HandFrame(i * 33_000_000, world=world, presence=presence, appearance=feature, image_size=(64, 48))


def test_round_trip(tmp_path):
    made = Recording.from_frames(frames(), view="egocentric", score_json="[]", captions=("one",))
    made.save(tmp_path / "a.npz")
    read = Recording.load(tmp_path / "a.npz")
    for name in ("t_ns", "landmarks", "world", "wrist", "presence", "track_id", "keyframes", "appearance"):
        np.testing.assert_array_equal(getattr(read, name), getattr(made, name))
    assert (read.view, read.captions, read.image_size) == ("egocentric", ("one",), (64, 48))
    again = list(read.frames())
    assert again[0].appearance is not None
    assert again[1].appearance is None
    assert again[2].present(1)
    assert not again[2].present(0)


def test_a_recording_of_only_world_landmarks(tmp_path):
    world = np.zeros((3, 2, 21, 3), np.float32)
    world[:, 0] = np.nan
    np.savez(tmp_path / "headset.npz", schema=1, t_ns=np.arange(3), world=world)
    read = Recording.load(tmp_path / "headset.npz")
    assert [f.present(1) for f in read.frames()] == [True] * 3
    assert [f.present(0) for f in read.frames()] == [False] * 3


@pytest.mark.parametrize(
    ("arrays", "says"),
    [
        ({"schema": 1}, "has no t_ns"),
        ({"schema": 99, "t_ns": np.arange(2)}, "schema 99"),
        ({"schema": 1, "t_ns": np.arange(2), "world": np.zeros((3, 2, 21, 3))}, "need"),
        ({"schema": 1, "t_ns": np.arange(2), "view": "behind"}, "facing, egocentric"),
    ],
)
def test_refusals(tmp_path, arrays, says):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(SourceError, match=says):
        Recording.load(tmp_path / "bad.npz")


def test_missing_and_damaged_files(tmp_path):
    with pytest.raises(SourceError, match="no recording at"):
        Recording.load(tmp_path / "none.npz")
    made = tmp_path / "cut.npz"
    Recording.from_frames(frames()).save(made)
    made.write_bytes(made.read_bytes()[:200])
    with pytest.raises(SourceError, match="not a readable recording"):
        Recording.load(made)


def test_a_failed_save_keeps_the_old_file(tmp_path, monkeypatch):
    made = tmp_path / "kept.npz"
    Recording.from_frames(frames(2)).save(made)

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez_compressed", full)
    with pytest.raises(SinkError, match="No space left"):
        Recording.from_frames(frames(4)).save(made)
    assert len(Recording.load(made)) == 2
    assert list(tmp_path.iterdir()) == [made]
