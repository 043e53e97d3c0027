"""The committed feature vectors are what this Python makes of them; every other implementation is held to the same."""

from pathlib import Path

import numpy as np
import pytest

from edge.recording import Recording
from export.vectors import CASES, HOME, TOLERANCE, read, recording_of, save

FILES = sorted(HOME.glob("*.npz"))


def stored(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def test_every_case_is_committed() -> None:
    assert [f.stem for f in FILES] == sorted(case.name for case in CASES)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_features_are_what_is_committed(path: Path) -> None:
    want, made = stored(path), read(Recording.load(path))
    assert np.isfinite(want["features"]).all()
    assert np.array_equal(made["tick_present"], want["tick_present"])
    assert np.array_equal(made["tick_fresh"], want["tick_fresh"])
    np.testing.assert_allclose(made["tick_t"], want["tick_t"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(made["features"], want["features"], rtol=0, atol=TOLERANCE)


def test_cases_reach_what_they_are_for() -> None:
    all_of = {path.stem: stored(path) for path in FILES}
    assert all_of["hand_lost"]["tick_fresh"][:, 1].sum() >= 2
    assert not all_of["hand_lost"]["tick_present"].all()
    assert all_of["track_changes"]["tick_fresh"][:, 1].sum() == 2
    assert (np.abs(all_of["broken_landmarks"]["features"]) == 6.0).any()
    assert len(all_of["headset_72fps"]["tick_t"]) < len(all_of["headset_72fps"]["t_ns"]) / 2 + 1
    rows = np.concatenate([s["features"].reshape(-1, 6, 54) for s in all_of.values()])
    used = [np.ptp(rows[:, :5], axis=(0, 1)) > 0, np.ptp(rows[:, 5], axis=0) > 0]
    assert used[0].all(), "every column of the finger tokens varies"
    assert used[1][[*range(30), *range(30, 41)]].all(), "and every one of the palm token"


def test_a_changed_landmark_is_noticed(tmp_path: Path) -> None:
    recording = recording_of(CASES[0])
    recording.world[5, 1, 8] += np.float32(1e-3)
    made = read(recording)
    save(recording, made, tmp_path / "one.npz")
    want = stored(HOME / f"{CASES[0].name}.npz")
    assert np.abs(stored(tmp_path / "one.npz")["features"] - want["features"]).max() > 100 * TOLERANCE
