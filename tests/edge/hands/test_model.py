"""The hand by its bones: the same landmarks as the simulator's, and sensible angles where a glove has no sensor."""

import numpy as np
import pytest

from edge.hands.model import DIP_PER_PIP, FIST, OPEN, complete, flat, landmarks, rotation
from edge.skeleton import flexion, palm_frame, to_palm
from export.sim.anatomy import LOWER, UPPER, Body
from export.sim.kinematics import landmarks as compiled


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_geometry_of_the_simulator(seed):
    rng = np.random.default_rng(seed)
    body = Body.sample(rng)
    angles = rng.uniform(LOWER, UPPER)
    ours = landmarks(angles, bases=body.bases, lengths=body.lengths, lean=body.lean)
    np.testing.assert_allclose(ours, compiled(angles, body), atol=1e-12)


def test_measured_angles_are_the_angles_that_were_put_in():
    angles = OPEN.copy()
    angles[1, 1:3] = np.radians([70, 40])
    found = flexion(landmarks(angles))
    np.testing.assert_allclose(found[1, 1:], angles[1, 1:3], atol=1e-6)


def test_nothing_measured_is_an_open_hand():
    np.testing.assert_array_equal(complete(np.full((5, 4), np.nan)), OPEN)


def test_one_bend_sensor_a_finger_bends_the_whole_finger():
    angles = np.full((5, 4), np.nan)
    angles[2, 0] = FIST[2, 0]
    whole = complete(angles)
    np.testing.assert_allclose(whole[2, :3], FIST[2, :3])
    assert whole[2, 3] == OPEN[2, 3]
    np.testing.assert_array_equal(whole[3], OPEN[3])


def test_a_dip_follows_its_pip_and_measured_angles_stay():
    angles = np.full((5, 4), np.nan)
    angles[1] = [0.1, 1.0, np.nan, 0.05]
    np.testing.assert_allclose(complete(angles)[1], [0.1, 1.0, DIP_PER_PIP, 0.05])


@pytest.mark.parametrize("left", [False, True])
def test_flat_is_palm_down_fingers_forward_thumb_inwards(left):
    frame = flat(left)
    scene = landmarks(OPEN) @ frame.T
    assert scene[9, 2] == pytest.approx(1)  # forward
    assert np.sign(scene[4, 0]) == (1 if left else -1)
    bent = landmarks(FIST) @ frame.T
    assert bent[12, 1] > scene[12, 1]  # down
    # the skeleton's own axes: y differs by what the knuckles' line leans, which to_palm takes out
    np.testing.assert_allclose(palm_frame(scene, left=left)[:, 0], frame[:, 0], atol=1e-9)
    np.testing.assert_allclose(to_palm(scene, left=left)[..., 0], landmarks(OPEN)[..., 0], atol=1e-9)


def test_a_quaternion_turns():
    half = np.sqrt(0.5)
    quarter = rotation(np.array([half, 0, half, 0]) * 32767)  # about y (down): from forward to the right
    np.testing.assert_allclose(quarter @ [0, 0, 1], [1, 0, 0], atol=1e-12)
    assert np.linalg.det(quarter) == pytest.approx(1)
