"""Geometry: angles, palm axes of both hands, chirality, headset joints."""

from itertools import pairwise

import numpy as np
import pytest

from edge import skeleton


def flat_right_hand() -> np.ndarray:
    """A right hand seen palm first by a facing camera: fingers up (-y), thumb to the image's right (+x)."""
    joints = np.zeros((21, 3))
    for finger, x in enumerate([0.04, 0.025, 0.0, -0.02, -0.04]):
        for i in range(4):
            joints[1 + 4 * finger + i] = (x * (1 + 0.4 * i) if finger == 0 else x, -0.09 - 0.03 * i, 0.0)
    return joints


def curl(joints: np.ndarray, finger: int, degrees: float, towards: float) -> np.ndarray:
    """Bend one finger's three distal bones by `degrees` each; towards = sign of z."""
    joints = joints.copy()
    chain = skeleton.CHAINS[finger]
    total, way = 0.0, joints[chain[1]] - joints[chain[0]]
    size = np.linalg.norm(way)
    for a, b in pairwise(chain):
        total += np.radians(degrees)
        joints[b] = joints[a] + size * np.array([0, -np.cos(total), towards * np.sin(total)])
    return joints


def test_palm_axes_mean_the_same_for_both_hands():
    right = flat_right_hand()
    left = skeleton.mirror(right)
    for joints, is_left in ((right, False), (left, True)):
        axes = skeleton.palm_frame(joints, left=is_left)
        np.testing.assert_allclose(axes[:, 0], [0, -1, 0], atol=1e-9)
        np.testing.assert_allclose(axes[:, 2], [0, 0, -1], atol=1e-9)  # out of the palm = to the camera
        towards_thumb = axes[:, 1] @ (joints[5] - joints[17])
        assert towards_thumb > 0
    np.testing.assert_allclose(skeleton.to_palm(right), skeleton.to_palm(left, left=True), atol=1e-9)


@pytest.mark.parametrize("degrees", [0.0, 0.01, 30.0, 80.0])
def test_flexion_is_exact_near_straight(degrees):
    joints = curl(flat_right_hand(), 2, degrees, -1.0).astype(np.float32)
    np.testing.assert_allclose(np.degrees(skeleton.flexion(joints)[2]), degrees, atol=2e-3)


def test_chirality_tells_left_from_right():
    right = curl(flat_right_hand(), 1, 40, -1.0)
    assert skeleton.chirality(right) > 0.05
    assert skeleton.chirality(skeleton.mirror(right)) < -0.05


def test_spread_and_reach():
    joints = flat_right_hand()
    assert skeleton.spread(joints).shape == (4,)
    joints[8] = joints[4]
    assert skeleton.tip_distances(joints)[0] == 0.0
