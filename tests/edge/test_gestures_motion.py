"""Readings of joints: the same streamed and at once, for both hands, all sizes and places."""

from __future__ import annotations

import numpy as np
import pytest

from edge.bundle import Bundle
from edge.errors import BundleError
from edge.gestures.head import Head, HeadWeights
from edge.gestures.live import IdleGate, _HeadHand
from edge.gestures.motion import HISTORY, WIDTH, MotionReader, read_stream

RNG = np.random.default_rng(5)


def hand(ticks: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """A hand that changes slowly, and the place of its middle knuckle."""
    base = RNG.normal(size=(21, 3)) * 0.04
    base[0] = 0
    sway = np.cumsum(RNG.normal(size=(ticks, 21, 3)) * 0.001, axis=0)
    sway[:, 0] = 0
    joints = (base + sway).astype(np.float32)
    place = np.cumsum(RNG.normal(size=(ticks, 3)) * 0.004, axis=0).astype(np.float32)
    return joints, place


def test_streamed_is_what_the_whole_is() -> None:
    joints, place = hand()
    whole = read_stream(joints, place)
    assert whole.shape == (50, WIDTH)
    reader = MotionReader(left=False)
    for k in range(50):
        np.testing.assert_array_equal(reader.push(joints[k], place[k]), whole[k])
    reader.reset()
    np.testing.assert_array_equal(reader.push(joints[0], place[0]), whole[0])


def test_a_left_hand_reads_as_its_mirror_image() -> None:
    joints, place = hand()
    mirror = np.array([-1, 1, 1], np.float32)
    right, left = read_stream(joints, place), read_stream(joints * mirror, place * mirror, left=True)
    np.testing.assert_allclose(left, right, atol=2e-5)


def test_size_and_place_of_the_hand_do_not_matter() -> None:
    joints, place = hand()
    np.testing.assert_allclose(
        read_stream(joints * 1.3, place * 1.3 + np.float32(0.7)), read_stream(joints, place), atol=2e-4
    )


def test_readings_stay_bounded_when_a_tracker_fails() -> None:
    joints, place = hand()
    joints[20] = 0.0
    place[30] = 50.0
    out = read_stream(joints, place)
    assert np.isfinite(out).all()
    assert np.abs(out).max() <= 5.0


def test_the_gate_sleeps_on_a_still_hand_and_wakes_at_once() -> None:
    gate = IdleGate(still=0.12, awake_s=0.5)
    joints, _ = hand(1)
    jitter = RNG.normal(size=(60, 21, 3)) * 0.0005
    awake = [gate.push(k / 30, joints[0] + jitter[k]) for k in range(60)]
    assert all(awake[:15])
    assert not any(awake[17:])
    moved = joints[0].copy()
    moved[8] += 0.03
    assert gate.push(2.1, moved)


def weights(labels: int = 3, spotter: dict[str, float] | None = None) -> HeadWeights:
    """A head of random numbers."""
    rng = np.random.default_rng(1)

    def some(*shape: int) -> np.ndarray:
        return (rng.normal(size=shape) * 0.2).astype(np.float32)

    arrays = {
        "enter": some(WIDTH, 8), "enter_bias": some(8), "taps": some(2, 3, 8), "taps_bias": some(2, 8),
        "point": some(2, 8, 8), "point_bias": some(2, 8), "out": some(8, 2 * labels), "out_bias": some(2 * labels),
    }  # fmt: skip
    about = {
        "labels": ["REST", *(f"G{k}" for k in range(1, labels))], "dilations": [1, 4], "quick_lag": 1, "late_lag": 3,
        "spotter": spotter or {},
    }  # fmt: skip
    return HeadWeights(arrays, about)


def test_a_head_that_slept_answers_as_one_that_never_did() -> None:
    joints, place = hand(40)
    still = np.repeat(joints[-1:], 90, axis=0)
    there = np.repeat(place[-1:], 90, axis=0)
    after, on = hand(40)
    joints, place = np.concatenate((joints, still, after)), np.concatenate((place, there, on))
    quiet = weights(spotter={"announce": 1.1, "enter": 1.1})  # nothing is ever told
    sleeper, awake = _HeadHand(quiet, 1), _HeadHand(quiet, 1)
    awake.gate.awake_s = float("inf")
    slept = 0
    for k in range(len(joints)):
        sleeper.push(k / 30, joints[k], place[k])
        awake.push(k / 30, joints[k], place[k])
        slept += sleeper._asleep
    assert slept > 30
    reading = sleeper._reader.push(joints[-1], place[-1])
    np.testing.assert_array_equal(reading, awake._reader.push(joints[-1], place[-1]))
    for a, b in zip(sleeper._head.push(reading), awake._head.push(reading), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_pose_that_is_held_does_not_fall_asleep() -> None:
    joints, place = hand(1)
    flat = weights(spotter={"enter": 0.5, "leave": 0.3, "sure": 0.3})
    flat.arrays["out"][:] = 0
    flat.arrays["out_bias"][:] = [0, 4, 0, 0, 4, 0]  # always the first gesture
    one = _HeadHand(flat, 1)
    said = [s for k in range(150) for s in one.push(k / 30, joints[0], place[0])]
    assert not one._asleep
    assert [s.final for s in said] == [False]


def test_a_head_of_another_kind_is_refused_in_one_sentence() -> None:
    good = weights()
    assert HeadWeights.from_bytes(good.to_bytes()).labels == ("REST", "G1", "G2")
    with pytest.raises(BundleError, match="cannot be read"):
        HeadWeights.from_bytes(b"nothing")
    broken = HeadWeights({**good.arrays, "enter": good.arrays["enter"][:5]}, good.about)
    with pytest.raises(BundleError, match="update figop"):
        HeadWeights.from_bytes(broken.to_bytes())
    endless = HeadWeights({**good.arrays, "out_bias": good.arrays["out_bias"] * np.inf}, good.about)
    with pytest.raises(BundleError, match="update figop"):
        HeadWeights.from_bytes(endless.to_bytes())


def test_probabilities_are_probabilities() -> None:
    head = Head(weights())
    for row in read_stream(*hand(HISTORY)):
        for p in head.push(row):
            assert p.sum() == pytest.approx(1.0, abs=1e-5)
            assert (p >= 0).all()


def test_a_bundle_without_gestures_has_no_watch() -> None:
    from edge.gestures.live import LiveGestures

    assert not LiveGestures.wanted(Bundle.open("figop-rules"))
