"""Compiled performances against what they stand for, written out."""

import numpy as np
import pytest

from export.sim.anatomy import LOWER, OPEN, UPPER, Body
from export.sim.choices import pick
from export.sim.kinematics import landmarks, rotation
from export.sim.lens import cameras, projected, turned
from export.sim.perform import _AMPLITUDES, DRIFT_HZ, TREMOR_HZ, curves, joints_of, minimum_jerk, unrest
from export.sim.plan import CHANNELS, MOVE, TURN, Plan
from export.sim.stage import set_stage

TIMES = np.tile(np.arange(40) / 20.0, (3, 1))


def people(count=3):
    rng = np.random.default_rng(2)
    return [Body.sample(rng) for _ in range(count)], [set_stage("facing", "palm", rng) for _ in range(count)]


def test_curves_are_the_start_and_its_steps():
    start = np.arange(2.0 * CHANNELS).reshape(2, CHANNELS)
    steps = np.array([[3, 0.5, 0.4, 2.0, 1], [3, 0.7, 0.4, -1.0, 1], [30, 0.2, 1.0, 0.5, 2]])
    still, moving = Plan(start, np.empty((0, 5)), ()), Plan(start, steps, ())
    out = curves([still, moving, still], TIMES)
    np.testing.assert_array_equal(out[0], np.broadcast_to(start.ravel(), out[0].shape))
    np.testing.assert_array_equal(out[2], out[0])
    shape = [minimum_jerk((TIMES[0] - begin) / length) for _, begin, length, _, _ in steps]
    np.testing.assert_allclose(out[1, :, 3], 3 + 2 * shape[0] - shape[1], atol=1e-12)
    np.testing.assert_allclose(out[1, :, 30], 30 + 0.5 * shape[2] ** 2, atol=1e-12)
    assert np.ptp(np.delete(out[1], [3, 30], axis=1), axis=0).max() == 0
    assert out[1, -1, 3] == pytest.approx(4.0)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_unrest_is_a_sum_of_sinusoids_that_only_the_seed_decides(kind):
    bodies, _ = people()
    out = unrest(TIMES.astype(kind), bodies, np.random.default_rng(5).spawn(3))
    for body, rng, got in zip(bodies, np.random.default_rng(5).spawn(3), out, strict=True):
        wanted = np.zeros((40, 2 * CHANNELS))
        for band, amplitude in zip((TREMOR_HZ, DRIFT_HZ, DRIFT_HZ), _AMPLITUDES, strict=True):
            hz, phase = rng.uniform(*band, 2 * CHANNELS), rng.uniform(0, 2 * np.pi, 2 * CHANNELS)
            scale = amplitude * rng.uniform(0.5, 1.4, 2 * CHANNELS) * (body.tremor if band == TREMOR_HZ else 1.0)
            wanted += scale * np.sin(2 * np.pi * hz * TIMES[0][:, None] + phase)
        np.testing.assert_allclose(got, wanted, atol=1e-6)
    assert out.dtype == kind


def test_joints_are_the_posed_hand_turned_and_carried():
    bodies, stages = people()
    rng = np.random.default_rng(0)
    values = rng.uniform(-0.4, 1.6, (3, 4, 2 * CHANNELS))  # beyond the limits too
    joints, wrist, angles = joints_of(values, bodies, stages)
    value = values.reshape(3, 4, 2, CHANNELS)
    np.testing.assert_array_equal(angles, np.clip(value[..., :20].reshape(3, 4, 2, 5, 4), LOWER, UPPER))
    for b, (body, stage) in enumerate(zip(bodies, stages, strict=True)):
        for hand in range(2):
            turn = stage.forearm[hand] @ rotation(value[b, :, hand, TURN : TURN + 3])
            wanted = body.metres * landmarks(angles[b, :, hand], body) @ np.swapaxes(turn, -1, -2)
            np.testing.assert_allclose(joints[b, :, hand], wanted, atol=1e-12)
            np.testing.assert_allclose(wrist[b, :, hand], stage.home[hand] + value[b, :, hand, MOVE : MOVE + 3])
    single = joints_of(values.astype(np.float32), bodies, stages)[0]
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, joints, atol=1e-6)
    alone = joints_of(values[1:2], bodies[1:2], stages[1:2])[0]
    np.testing.assert_array_equal(alone[0], joints[1])


def test_cameras_keep_the_hands_that_are_there_in_the_picture():
    bodies, stages = people()
    values = np.zeros((3, 20, 2, CHANNELS), np.float32)
    values[..., :20] = OPEN.ravel()
    joints, wrist, _ = joints_of(values.reshape(3, 20, -1), bodies, stages)
    turn, seen, focal = cameras(wrist, np.array([[True, True], [True, False], [False, True]]), np.random.default_rng(3))
    np.testing.assert_allclose(turn @ np.swapaxes(turn, -1, -2), np.broadcast_to(np.eye(3), turn.shape), atol=1e-6)
    world = turned(joints, turn)
    np.testing.assert_allclose(world, np.einsum("bij,bthpj->bthpi", turn, joints), atol=1e-6)
    image, points = projected(world, seen, focal), world + seen[..., None, :]
    np.testing.assert_allclose(image, 0.5 + focal * points[..., :2] / points[..., 2:], atol=1e-6)
    assert points[..., 2].min() > 0.1
    assert np.abs(image[0] - 0.5).max() < 0.6
    assert np.abs(image[1, :, 0] - 0.5).max() < 0.6
    assert np.abs(image[2, :, 1] - 0.5).max() < 0.6


@pytest.mark.parametrize("weights", [None, (0.6, 0.27, 0.13), (3.0, 1.0, 0.5)])
def test_picks_are_those_of_the_library(weights):
    ours, theirs = np.random.default_rng(7), np.random.default_rng(7)
    p = None if weights is None else np.array(weights) / sum(weights)
    for _ in range(300):
        assert pick(ours, ("a", "b", "c"), weights) == theirs.choice(["a", "b", "c"], p=p)
    assert ours.bit_generator.state == theirs.bit_generator.state
