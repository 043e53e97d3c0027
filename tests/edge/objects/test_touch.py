"""Signals of hands and things, and the network that reads them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import BundleError
from edge.objects.clip import Clip, clip_of
from edge.objects.pairs import FEATURES, MIRRORED, RATE, features, frames_of
from edge.objects.touch import ANSWERS, TouchNet, likely
from tests.edge.objects.stage import along, hand_frames

TAKES = along((0.4, 0.2, 0.6), (1.2, 0.6, 0.6), (1.8, 0.6, 0.6), (2.4, 0.6, 0.45), (3.0, 0.6, 0.45))


def clip(*, slot: int = 1, lost: tuple[float, float] = (9.0, 9.0)) -> Clip:
    """A hand that takes a cup and lifts it; unseen between two times."""
    frames = hand_frames(TAKES, 3.0, slot=slot, closed=lambda t: float(np.clip((t - 1.2) / 0.3, 0, 0.6)))
    for f in frames:
        if lost[0] <= f.t < lost[1]:
            f.presence[:] = 0.0
    x, y = np.array([TAKES(max(1.8, f.t)) for f in frames]).T
    boxes = np.stack([x - 0.05, y - 0.05, x + 0.05, y + 0.05], axis=1)[:, None]
    return clip_of(frames, boxes, ["cup"])


def mirrored(c: Clip) -> Clip:
    """The same scene in a mirror: hands change sides."""
    flat, world, wrist = (np.flip(a, axis=1).copy() for a in (c.flat, c.world, c.wrist))
    flat[..., 0], world[..., 0], wrist[..., 0] = 1 - flat[..., 0], -world[..., 0], -wrist[..., 0]
    boxes = np.stack([1 - c.boxes[..., 2], c.boxes[..., 1], 1 - c.boxes[..., 0], c.boxes[..., 3]], axis=-1)
    return replace(c, flat=flat, world=world, wrist=wrist, boxes=boxes)


def test_a_mirror_changes_sides_and_nothing_else() -> None:
    x, there = features(clip(), "facing")
    y, there_too = features(mirrored(clip()), "facing")
    assert x.shape == (2, 1, len(frames_of(clip().t)), FEATURES)
    np.testing.assert_array_equal(there, there_too[::-1])
    sign = np.ones(FEATURES)
    sign[list(MIRRORED)] = -1
    np.testing.assert_allclose(x, np.flip(y, axis=0) * sign, atol=1e-4)


def test_a_hand_that_is_never_seen_has_no_pair() -> None:
    _, there = features(clip(), "facing")
    np.testing.assert_array_equal(there, [[False], [True]])
    assert not likely(clip(), "facing")[:, 0].any()


def test_an_unseen_hand_goes_straight_on_and_says_so() -> None:
    whole, _ = features(clip(), "egocentric")
    holed, _ = features(clip(lost=(1.8, 2.4)), "egocentric")
    k = int(2.1 * RATE)
    assert whole[1, 0, k, 0] == 1
    assert holed[1, 0, k, 0] == 0
    assert 0.2 < holed[1, 0, k, 1] < 0.4, "seconds since it was seen"
    assert 0.2 < holed[1, 0, k, 2] < 0.4, "seconds until it is seen"
    np.testing.assert_allclose(holed[1, 0, k, 6:12], whole[1, 0, k, 6:12], atol=0.6)
    assert np.isfinite(holed).all()


def test_frame_rates_are_alike() -> None:
    whole = clip()
    rows = np.arange(0, len(whole.t), 2)
    half = replace(whole, **{n: getattr(whole, n)[rows] for n in ("t", "flat", "world", "wrist", "boxes")})
    a, b = likely(whole, "facing")[rows], likely(half, "facing")
    assert a.shape == (len(rows), 2, 1, ANSWERS)
    assert np.abs(a[..., 1] - b[..., 1]).mean() < 0.1


def test_files_that_are_no_such_network(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"nothing")
    with pytest.raises(BundleError, match="cannot be read"):
        TouchNet.load(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", first=np.zeros((3, 4)))
    with pytest.raises(BundleError, match="another version"):
        TouchNet.load(tmp_path / "b.npz")


def swapped(first: float, last: float, *, shift: float = 0.0, view: str = "facing") -> Clip:
    """A right hand that is taken for a left one between two times, and `shift` of the picture away."""
    frames = hand_frames(TAKES, 3.0)
    for f in frames:
        if first <= f.t < last:
            for name in ("landmarks", "world", "wrist", "presence"):
                value = getattr(f, name)
                value[0], value[1] = value[1].copy(), 0.0
            f.landmarks[0, :, 0] += shift
    return clip_of(frames, np.zeros((len(frames), 0, 4)), [], view=view)


def test_a_hand_taken_for_the_other_for_a_moment_is_given_back() -> None:
    whole = swapped(9.0, 9.0)
    np.testing.assert_array_equal(swapped(1.9, 2.5).flat, whole.flat)
    far = swapped(1.9, 2.5, shift=0.5)
    assert np.isfinite(far.flat[40, 0]).all(), "another hand, far from where this one was"
    long = swapped(0.4, 2.5)
    assert np.isnan(long.flat[20, 1]).all(), "more often the other hand than this one"


def test_from_the_head_the_forearm_tells_which_hand_it_is() -> None:
    # the forearm comes from the picture's left
    left = swapped(0.0, 0.9, view="egocentric")
    assert np.isfinite(left.flat[:, 0, 0, 0]).all()
    assert np.isnan(left.flat[:, 1]).all()
