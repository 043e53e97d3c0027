"""One hand's pose as the hot path reads it, against the plain geometry of `edge.skeleton`."""

import numpy as np
import pytest

from edge import skeleton
from edge.features import PoseReader, square_pixels
from edge.hands.frame import HandFrame
from edge.score import FingerEvent
from tests.edge.stage import recording

SCORE = [FingerEvent(hand, "curl", ("index",), start=0.2, end=0.5) for hand in ("left", "right")]


@pytest.mark.parametrize("slot", [0, 1])
def test_the_hot_path_measures_what_the_skeleton_says(slot):
    frame = list(recording(SCORE, after=0.2).frames())[-1]
    pose = PoseReader().read(frame)[slot]
    assert pose is not None
    joints = frame.world[slot].astype(float)
    left = slot == 0
    np.testing.assert_allclose(pose.axes, skeleton.palm_frame(joints, left=left), atol=1e-5)
    np.testing.assert_allclose(pose.local, skeleton.to_palm(joints, left=left), atol=1e-4)
    np.testing.assert_allclose(pose.joints_bend, np.degrees(skeleton.flexion(joints)), atol=0.05)
    np.testing.assert_allclose(pose.spread, np.degrees(skeleton.spread(joints)), atol=0.05)
    np.testing.assert_allclose(pose.reach, skeleton.tip_distances(joints) / skeleton.palm_length(joints), atol=1e-4)


def test_square_pixels_flips_selfies_and_leaves_its_input_alone():
    marks = np.array([[0.25, 0.5, 0.1]], np.float32)
    np.testing.assert_allclose(square_pixels(marks, (640, 480)), [[0.25, 0.375, 0.1]])
    np.testing.assert_allclose(square_pixels(marks, (640, 480), mirrored=True), [[0.75, 0.375, 0.1]])
    np.testing.assert_allclose(marks, [[0.25, 0.5, 0.1]])


@pytest.mark.parametrize("points", [np.nan, 0.0])
def test_no_pose_without_a_hand_that_can_be_measured(points):
    empty = HandFrame(0)
    assert PoseReader().read(empty) == (None, None)
    flat = np.full((2, 21, 3), points, np.float32)
    seen = np.ones(2, np.float32)
    frame = HandFrame(0, landmarks=flat, world=flat, presence=seen, image_size=(64, 48))
    assert PoseReader().read(frame) == (None, None)
