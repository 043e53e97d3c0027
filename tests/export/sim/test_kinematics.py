import numpy as np
import pytest

from edge import skeleton as sk
from export.sim.anatomy import FIST, LOWER, OPEN, PALM_METRES, RELAXED, UPPER, Body, clamp
from export.sim.kinematics import Reach, landmarks, rotation, solve


def bodies(count=20):
    return [Body.sample(np.random.default_rng(i)) for i in range(count)]


def test_postures_respect_joint_limits():
    for posture in (OPEN, FIST, RELAXED):
        np.testing.assert_array_equal(clamp(posture), posture)


def test_palm_length_is_the_unit_and_hand_sizes_are_human():
    for body in bodies():
        assert sk.palm_length(landmarks(OPEN, body)) == pytest.approx(1.0)
        assert PALM_METRES[0] <= body.metres <= PALM_METRES[1]


def test_bone_lengths_never_change():
    rng = np.random.default_rng(0)
    angles = rng.uniform(LOWER, UPPER, (50, 5, 4))
    for body in bodies(3):
        joints = landmarks(angles, body)
        bones = np.linalg.norm(np.diff(joints[:, sk.CHAINS], axis=2), axis=-1)
        np.testing.assert_allclose(bones, np.broadcast_to(body.lengths, bones.shape), atol=1e-12)


def test_flexion_angles_are_the_angles_between_bones():
    angles = OPEN.copy()
    angles[2, :3] = np.radians([40, 70, 30])
    bent = sk.flexion(landmarks(angles, Body.average()))
    np.testing.assert_allclose(np.degrees(bent[2, 1:]), [70, 30], atol=1e-6)
    np.testing.assert_allclose(np.degrees(bent[0, 1:]), [8, 6], atol=1e-6)


def test_palm_axes_are_those_of_the_skeleton():
    frame = sk.palm_frame(landmarks(OPEN, Body.average()), left=True)
    np.testing.assert_allclose(frame[:, 0], [1, 0, 0], atol=1e-9)
    assert frame[:, 2] @ [0, 0, 1] > 0.95
    assert sk.chirality(landmarks(FIST, Body.average())) < 0  # palm axes are those of a left hand


def test_rotation_is_orthonormal_and_signed_as_said():
    turns = rotation(np.random.default_rng(0).uniform(-1, 1, (30, 3)))
    np.testing.assert_allclose(turns @ np.swapaxes(turns, -1, -2), np.broadcast_to(np.eye(3), turns.shape), atol=1e-12)
    assert rotation(np.array([0.0, 0.3, 0.0]))[2, 0] > 0  # flexion: fingers to the palm's side
    assert rotation(np.array([0.0, 0.0, 0.3]))[1, 0] > 0  # deviation: to the thumb
    assert rotation(np.array([0.3, 0.0, 0.0]))[2, 1] < 0  # supination: thumb away from the palm's side


@pytest.mark.parametrize("finger", [1, 2, 3, 4])
def test_every_body_pinches_every_finger_within_its_limits(finger):
    people = bodies()
    free = np.zeros((5, 4), bool)
    free[0], free[finger] = True, (True, True, False, True)
    start = OPEN.copy()
    start[0], start[finger] = np.radians([50, 25, 20, 4]), np.radians([50, 45, 28, -3])
    tips = np.eye(21)[sk.TIPS]
    reach = Reach(start, free, tips[finger][None], tips[0][None], np.full((1, 3), np.nan))
    for body in people:
        angles, residual = solve(reach, body)
        assert np.all((angles >= LOWER - 1e-9) & (angles <= UPPER + 1e-9))
        apart = sk.tip_distances(landmarks(angles, body))[finger - 1]
        assert apart <= 0.12
        assert abs(apart - reach.gap) == pytest.approx(residual, abs=1e-6)
        moved = np.flatnonzero(np.abs(angles - start).max(axis=1) > 1e-9)
        assert set(moved) <= {0, finger}


def test_what_cannot_be_reached_is_told():
    free = np.zeros((5, 4), bool)
    free[4] = True
    tips = np.eye(21)[sk.TIPS]
    reach = Reach(OPEN, free, tips[4][None], np.zeros((1, 21)), np.array([[3.0, 0, 0]]))
    _, residual = solve(reach, Body.average())
    assert residual > 1
