"""OpenXR joints -> HandFrame, in every convention of axes; hands come and go."""

import numpy as np
import pytest
from figop_msgs.msg import HandFrame
from geometry_msgs.msg import Point, Pose, PoseArray, Quaternion
from std_msgs.msg import Header
from tf2_msgs.msg import TFMessage

from edge.hands.frame import LEFT, RIGHT
from edge.hands.openxr import JUDGED
from edge.skeleton import OPENXR_TO_21
from figop_ros.conversions import from_hand_frame, to_time
from figop_ros.headset import AXES, AXES_NAMES, HeadsetNode
from tests.ros_nodes.frames import golden
from tests.ros_nodes.stage import wait_for

WRIST = np.array([0.1, 0.2, 0.5])


def hand():
    recording = golden("headset_60fps")
    return recording.world[30, RIGHT].astype(np.float64) + WRIST


def poses(points, axes, t_ns=0):
    """26 poses in OpenXR's order, in this convention, of 21 joints in ours."""
    all26 = np.zeros((26, 3))
    all26[OPENXR_TO_21] = points @ np.array(AXES[axes])
    message = PoseArray(header=Header(stamp=to_time(t_ns), frame_id="head"))
    message.poses = [Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(w=1.0)) for x, y, z in all26.tolist()]
    return message


@pytest.mark.parametrize("axes", AXES_NAMES)
def test_joints_in_every_convention(stage, axes):
    node = stage.start(HeadsetNode, joints__axes=axes, joints__hands="right")
    hands = stage.ear(HandFrame, "headset/hands")
    frames = stage.ear(TFMessage, "/tf")
    mouth = stage.mouth(PoseArray, "right/joints")
    wait_for(lambda: node.wanted("tf"))
    mouth.publish(poses(hand(), axes, 77))
    got = from_hand_frame(wait_for(lambda: hands)[0])
    assert got.t_ns == 77
    assert got.presence.tolist() == [0, 1]
    assert np.allclose(got.world[RIGHT], hand() - hand()[0], atol=1e-6)
    assert np.allclose(got.wrist[RIGHT], hand()[0], atol=1e-6)
    assert hands[0].view == HandFrame.EGOCENTRIC
    frame_id = "head" if axes == "optical" else "head_figop"
    assert hands[0].header.frame_id == frame_id
    wait_for(lambda: any(t.child_frame_id == "hand_right" for m in frames for t in m.transforms))
    links = {t.child_frame_id: t for m in frames for t in m.transforms}
    assert links["hand_right"].header.frame_id == frame_id
    if axes != "optical":  # what tf says of the new axes is what was done to the joints
        q = links["head_figop"].transform.rotation
        turn = np.array([
            [1 - 2 * (q.y**2 + q.z**2), 2 * (q.x * q.y - q.z * q.w), 2 * (q.x * q.z + q.y * q.w)],
            [2 * (q.x * q.y + q.z * q.w), 1 - 2 * (q.x**2 + q.z**2), 2 * (q.y * q.z - q.x * q.w)],
            [2 * (q.x * q.z - q.y * q.w), 2 * (q.y * q.z + q.x * q.w), 1 - 2 * (q.x**2 + q.y**2)],
        ])  # fmt: skip
        assert np.allclose(hand() @ turn.T, hand() @ np.array(AXES[axes]))


def test_two_hands_of_one_instant_are_one_frame(stage):
    stage.start(HeadsetNode, joints__axes="optical")
    hands = stage.ear(HandFrame, "headset/hands")
    left, right = stage.mouth(PoseArray, "left/joints"), stage.mouth(PoseArray, "right/joints")
    empty = PoseArray(header=Header(stamp=to_time(2)))
    for t, what in ((1, poses(hand(), "optical", 1)), (2, empty), (3, poses(hand(), "optical", 3))):
        left.publish(poses(hand() * (-1, 1, 1), "optical", t))
        right.publish(what)
        wait_for(lambda t=t: len(hands) == t)
    frames = [from_hand_frame(m) for m in hands]
    assert [f.presence.tolist() for f in frames] == [[1, 1], [1, 0], [1, 1]]
    assert len({int(f.track_id[LEFT]) for f in frames}) == 1
    assert frames[0].track_id[RIGHT] != frames[2].track_id[RIGHT]  # it was away
    left.publish(poses(hand(), "optical", 4))  # the right hand's message never comes
    left.publish(poses(hand(), "optical", 5))
    wait_for(lambda: len(hands) == 4)
    assert from_hand_frame(hands[3]).presence.tolist() == [1, 0]


def test_a_hand_with_too_few_joints_is_told(stage):
    node = stage.start(HeadsetNode, joints__hands="left")
    message = poses(hand(), "openxr")
    message.poses = message.poses[:25]
    stage.mouth(PoseArray, "left/joints").publish(message)
    wait_for(lambda: node.health.counts["dropped_bad"] == 1)
    assert "in the order openxr26 has 26 x 3 numbers, found (25, 3)" in node.diagnose().status[0].message


def test_joints_that_are_not_finite_are_no_hand(stage):
    stage.start(HeadsetNode, joints__hands="left")
    hands = stage.ear(HandFrame, "headset/hands")
    message = poses(hand(), "openxr")
    message.poses[5].position.x = float("nan")
    stage.mouth(PoseArray, "left/joints").publish(message)
    assert from_hand_frame(wait_for(lambda: hands)[0]).presence.tolist() == [0, 0]


def test_exchanged_sides_are_refused_and_told(stage):
    node = stage.start(HeadsetNode, joints__axes="optical", joints__hands="left")
    hands = stage.ear(HandFrame, "headset/hands")
    mouth = stage.mouth(PoseArray, "left/joints")
    for t in range(1, JUDGED):
        mouth.publish(poses(hand(), "optical", t))
        wait_for(lambda t=t: len(hands) == t)
    for t in range(JUDGED, JUDGED + 3):
        mouth.publish(poses(hand(), "optical", t))
        wait_for(lambda t=t: node.health.counts["dropped_bad"] == t - JUDGED + 1)
    assert len(hands) == JUDGED - 1
    assert "called left is a right one" in node.diagnose().status[0].message
