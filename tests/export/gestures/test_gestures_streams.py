"""Readers of the data sets, their recordings, and folds that never split a group."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.errors import SourceError
from edge.recording import Recording
from export.gestures.streams import (
    MP21_FROM_20,
    Label,
    Stream,
    folds,
    sfinge_clips,
    sfinge_streams,
    shrec21,
    size_group,
    to_21,
    to_recording,
)

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.exists(), reason="the shared data sets are not beside the checkout")


def test_native_joints_in_figops_order_and_axes() -> None:
    native = np.arange(60, dtype=np.float32).reshape(1, 20, 3)
    out = to_21(native)
    assert out.shape == (1, 21, 3)
    np.testing.assert_allclose(out[0, 0], native[0, 0] * [1, -1, 1])
    np.testing.assert_allclose(out[0, 8], native[0, MP21_FROM_20[8]] * [1, -1, 1])
    np.testing.assert_allclose(out[0, 1], out[0, 0] + 0.4 * (out[0, 2] - out[0, 0]), rtol=1e-6)


def test_folds_keep_groups_whole_and_are_of_like_size() -> None:
    groups = [7] * 12 + [8] * 11 + [9] * 5 + [1] * 4 + [2] * 4 + [3] * 2 + [4]
    where = folds(groups, 3)
    for group in set(groups):
        assert len({f for f, g in zip(where, groups, strict=True) if g == group}) == 1
    sizes = [where.count(k) for k in range(3)]
    assert max(sizes) - min(sizes) <= 2
    assert where == folds(groups, 3)


def test_group_is_the_size_to_half_a_millimetre() -> None:
    assert size_group(0.0735) == size_group(0.07362) == 147
    assert size_group(0.0738) != size_group(0.0735)


def test_a_recording_has_the_labels_as_events(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    joints = rng.normal(size=(40, 21, 3)).astype(np.float32)
    stream = Stream("one", 50.0, joints, (Label("TAP", 5, 12), Label("GRAB", 20, 30)), 0)
    to_recording(stream).save(tmp_path / "one.npz")
    back = Recording.load(tmp_path / "one.npz")
    assert back.view == "egocentric"
    assert [(back.label_names[k], a, z, h) for k, a, z, h in back.events] == [("TAP", 5, 12, 1), ("GRAB", 20, 30, 1)]
    np.testing.assert_allclose(back.world[:, 1] + back.wrist[:, 1, None], joints, atol=1e-5)
    assert np.diff(back.t_ns).tolist() == [20_000_000] * 39
    assert back.presence.sum(axis=0).tolist() == [0.0, 40.0]


def test_a_folder_without_the_set_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"There is no train\.npz"):
        shrec21(tmp_path)
    np.savez(tmp_path / "train.npz", joints=np.zeros(3))
    with pytest.raises(SourceError, match="has no array 'joints20_01mm'"):
        shrec21(tmp_path)


@pytest.mark.shared
@needs_data
def test_shrec21_as_its_readme_says() -> None:
    streams = shrec21(DATA / "shrec21_train")
    assert len(streams) == 108
    assert sum(len(s.joints) for s in streams) == 200_869
    assert sum(len(s.labels) for s in streams) == 408
    assert len({e.name for s in streams for e in s.labels}) == 17
    assert all(0 <= e.first <= e.last < len(s.joints) for s in streams for e in s.labels)
    # right hands: folded fingers lie on the side of the palm, and y down makes the frame right-handed
    folded = []
    for one in streams:
        for e in one.labels:
            if e.name in ("ONE", "GRAB"):
                joints = one.joints[(e.first + e.last) // 2]
                back = np.cross(joints[9] - joints[0], joints[5] - joints[17])
                folded.append(float((joints[12] - joints[9]) @ back) < 0)
    assert np.mean(folded) > 0.9


@pytest.mark.shared
@needs_data
def test_sfinge_as_its_readme_says() -> None:
    clips, streams = sfinge_clips(DATA / "sfinge3d_v1"), sfinge_streams(DATA / "sfinge3d_v1")
    assert (len(clips), len(streams)) == (390, 36)
    assert len({c.labels[0].name for c in clips}) == 13
    assert {c.group for c in clips} == {0, 1, 2, 3, 4}
    assert sum(len(s.labels) for s in streams) == 137
    assert {e.name for s in streams for e in s.labels} <= {c.labels[0].name for c in clips}
    with np.load(DATA / "sfinge3d_v1" / "dictionary_train.npz") as stored:
        given = stored["mp21"][:44]
    ours = clips[0].joints[:44] * [1, -1, -1]  # y up, z towards the user again
    np.testing.assert_allclose(np.delete(ours, 1, 1), np.delete(given[: len(ours)], 1, 1), atol=1e-4)
