"""Recordings survive a round trip and refuse what they cannot read, in one sentence."""

import os
import re
import subprocess
import sys
from pathlib import Path

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
        ({"schema": 1}, "it has no t_ns"),
        ({"schema": 99, "t_ns": np.arange(2)}, "recording of schema 99"),
        (
            {"schema": 1, "t_ns": np.arange(2), "world": np.zeros((3, 2, 21, 3))},
            "world has the shape (3, 2, 21, 3), but 2 x 2 x 21 x 3 is needed",
        ),
        ({"schema": 1, "t_ns": np.arange(2), "view": "behind"}, "must be one of facing, egocentric"),
    ],
)
def test_refusals(tmp_path, arrays, says):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(SourceError, match=re.escape(says)):
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

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(SinkError, match="No space left"):
        Recording.from_frames(frames(4)).save(made)
    assert len(Recording.load(made)) == 2
    assert list(tmp_path.iterdir()) == [made]


T, K = np.arange(3), {"schema": 1, "t_ns": np.arange(3)}


@pytest.mark.parametrize(
    "arrays",
    [
        {"schema": "x", "t_ns": T},
        {"schema": [1, 1], "t_ns": T},
        {"schema": np.nan, "t_ns": T},
        {"schema": 1, "t_ns": 5},
        {"schema": 1, "t_ns": ["a", "b"]},
        {"schema": 1, "t_ns": T / 30.0},
        {"schema": 1, "t_ns": np.array([0.0, np.nan])},
        {"schema": 1, "t_ns": np.zeros((3, 2), np.int64)},
        {"schema": 1, "t_ns": np.array([2**64 - 1], np.uint64)},
        {**K, "image_size": [640]},
        {**K, "image_size": [640.0, np.nan]},
        {**K, "keyframes": [0, 1], "appearance": np.zeros((1, 2, 4))},
        {**K, "keyframes": [7], "appearance": np.zeros((1, 2, 4))},
        {**K, "keyframes": [-1], "appearance": np.zeros((1, 2, 4))},
        {**K, "captions": "one"},
        {**K, "label_names": "one"},
        {**K, "world": "text"},
        {**K, "wrist": np.zeros((3, 3))},
        {**K, "presence": np.zeros(3)},
        {**K, "track_id": np.full((3, 2), np.nan)},
        {**K, "events": "text"},
        {**K, "events": np.zeros((2, 3), np.int64)},
        {**K, "mirrored": [True, False]},
        {**K, "view": ["facing", "facing"]},
        {**K, "score_json": [1.0]},
    ],
    ids=lambda a: f"{list(a)[-1]}",
)
def test_arrays_of_the_wrong_kind_or_shape_are_named(tmp_path, arrays):
    path = tmp_path / "bad.npz"
    np.savez(path, **arrays)
    with pytest.raises(SourceError) as caught:
        list(Recording.load(path).frames())
    said = str(caught.value).removeprefix(str(path))
    assert "\n" not in said
    assert any(re.search(rf"\b{name}\b", said) for name in arrays)


def test_a_bare_array_under_the_name_of_a_recording(tmp_path):
    with (tmp_path / "a.npz").open("wb") as file:
        np.save(file, np.arange(3))
    with pytest.raises(SourceError, match="not a readable recording"):
        Recording.load(tmp_path / "a.npz")


def test_any_flipped_bit_loads_or_is_one_sentence(tmp_path):
    path = tmp_path / "a.npz"
    Recording.from_frames(frames()).save(path)
    whole, rng, refusals = path.read_bytes(), np.random.default_rng(3), []
    for bit in rng.choice(8 * len(whole), 600, replace=False):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << (bit % 8)
        path.write_bytes(data)
        try:
            list(Recording.load(path).frames())
        except SourceError as error:
            refusals.append(str(error))
    assert len(refusals) > 300
    assert not any("\n" in refusal for refusal in refusals)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions and limits are POSIX")
def test_a_recording_has_the_permissions_of_any_file(tmp_path):
    before = os.umask(0o027)
    try:
        Recording.from_frames(frames()).save(tmp_path / "a.npz")
    finally:
        os.umask(before)
    assert (tmp_path / "a.npz").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="permissions and limits are POSIX")
def test_a_recording_that_the_disk_does_not_hold_is_one_error_and_leaves_nothing(tmp_path):
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))\n"
        "from edge.errors import SinkError\n"
        "from edge.recording import Recording\n"
        "from edge.hands.frame import HandFrame\n"
        "try: Recording.from_frames([HandFrame(t_ns=0)]).save('a.npz')\n"
        "except SinkError as error: print(error)"
    )
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.stdout == "The recording a.npz could not be written: File too large.\n"
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
