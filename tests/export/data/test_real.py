"""The real landmark sets: as recordings, and the scores that were read from them by eye."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from edge.errors import SourceError
from edge.hands.openxr import side
from edge.recording import Recording
from edge.score import HANDS
from export.data.real import IMAGE_SIZE, LEAP, STREAM_S, STREAMS, leap, main, streams
from export.judge.clips import find_clips
from tests.edge.headset_joints import golden

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
REFERENCE = Path(__file__).resolve().parents[2] / "reference"
SETS = ("leap", "streams")
ROWS = 20


def made(folder: Path) -> Path:
    """Tiny sets in the layout of the real ones: two hands of one file, and a stream of a right hand."""
    hands = golden()
    marks = (hands.world + hands.wrist[:, :, None])[:ROWS].astype(np.float64)
    t = np.arange(ROWS) / 100
    (folder / LEAP).parent.mkdir(parents=True)
    np.savez(
        folder / LEAP, recording=np.array(["both", "both"]), handedness=np.array(["right", "left"]),
        offsets=np.array([0, ROWS, 2 * ROWS]), t_s=np.concatenate((t, t[:10] + 2e-5, t[10:] + 0.005)),
        mp21=np.concatenate((marks[:, 1], marks[:, 0])) * [1, -1, -1],
    )  # fmt: skip
    flat = marks[:, 1] - marks[:1, 1, :1]
    picture = np.stack((0.5 - flat[..., 0] * 2, 0.5 + flat[..., 1] * 2 * 4 / 3, flat[..., 2] * 2), axis=-1)
    (folder / STREAMS).parent.mkdir(parents=True)
    np.savez(
        folder / STREAMS, label=np.array(["come"]), landmarks=np.tile(picture, (20, 1, 1)).astype(np.float32),
        offsets=np.array([0, 20 * ROWS]), fps_estimate=np.array([20.0]),
    )  # fmt: skip
    return folder


def test_both_hands_of_a_file_share_one_clock(tmp_path: Path) -> None:
    ((name, recording),) = leap(made(tmp_path))
    hands = golden()
    assert (name, recording.view) == ("both", "egocentric")
    assert len(recording) == ROWS + 10, "stamps nearer than a tenth of a millisecond are one instant"
    assert recording.presence.sum(axis=0).tolist() == [ROWS, ROWS]
    assert recording.presence[:10].all(), "the first ten instants have both"
    assert not recording.presence[10:].all(axis=1).any(), "later the hands' stamps lie apart"
    np.testing.assert_allclose(recording.world[:10], hands.world[:10], atol=1e-6)
    np.testing.assert_allclose(recording.wrist[:10], hands.wrist[:10], atol=1e-6)


def test_a_stream_is_a_selfie_of_the_hand_that_its_shape_tells(tmp_path: Path) -> None:
    ((name, recording),) = streams(made(tmp_path))
    assert (name, recording.view, recording.mirrored, recording.image_size) == ("come", "facing", True, IMAGE_SIZE)
    assert len(recording) == STREAM_S * 20
    assert recording.presence.mean(axis=0).tolist() == [0, 1]
    assert np.isnan(recording.world).all()
    assert np.isclose(recording.t_ns[-1] * 1e-9, STREAM_S - 1 / 20)


def test_the_command_writes_recordings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(made(tmp_path / "data")), "-o", str(tmp_path / "out")]) == 0
    assert len(Recording.load(tmp_path / "out" / "leap" / "both.npz")) == ROWS + 10
    assert (tmp_path / "out" / "streams" / "come.npz").is_file()
    assert capsys.readouterr().out.splitlines()[-1].startswith("figop eval captions ")


def test_a_folder_without_the_sets_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match=r"recordings\.npz is no data set"):
        list(leap(tmp_path))
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path)])
    assert stopped.value.code == 2
    assert "recordings.npz" in capsys.readouterr().err


@pytest.mark.parametrize("name", SETS)
def test_every_clip_was_read_twice(name: str) -> None:
    first, second = (sorted(p.name for p in (REFERENCE / f).glob("*.json")) for f in (name, f"{name}.second"))
    assert first == second != []
    for folder in (name, f"{name}.second"):
        for path in (REFERENCE / folder).glob("*.json"):
            assert "by eye" in json.loads(path.read_text())["method"], path.name


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (SHARED / LEAP).exists():
        pytest.skip("the shared data sets are not beside this checkout")
    folder = tmp_path_factory.mktemp("real")
    main([str(SHARED), "-o", str(folder)])
    return folder


@pytest.mark.shared
@pytest.mark.parametrize("name", SETS)
def test_the_real_recordings_hold_what_was_read(real: Path, name: str) -> None:
    for reading in (name, f"{name}.second"):
        clips = find_clips([real / name], truth=REFERENCE / reading)
        assert len(clips) == len(list((real / name).glob("*.npz")))
        for clip in clips:
            assert clip.recording is not None
            recording = Recording.load(clip.recording)
            end = recording.t_ns[-1] * 1e-9
            for event in clip.score:
                slot = HANDS.index(event.hand)
                assert event.end <= end + 0.1, clip.name
                t = recording.t_ns * 1e-9
                during = (t >= event.start) & (t <= event.end)
                assert recording.presence[during, slot].any(), f"{clip.name}: {event} of a hand that is not there"


@pytest.mark.shared
def test_the_leap_hands_have_the_side_that_is_said(real: Path) -> None:
    for path in (real / "leap").glob("*.npz"):
        recording = Recording.load(path)
        for slot, sign in ((0, -1), (1, 1)):
            seen = recording.presence[:, slot] > 0
            if seen.any():
                assert np.median(np.sign(side(recording.world[seen, slot]))) == sign, path.name
