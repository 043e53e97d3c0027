"""Hands as `visualization_msgs/MarkerArray` and tf: what RViz shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from geometry_msgs.msg import Point, PoseWithCovarianceStamped, TransformStamped
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from edge.canvas import FINGER_COLOURS, INK
from edge.hands.frame import HandFrame
from edge.score import HANDS
from edge.skeleton import BONES
from figop_ros.geometry import WristPose, hand_axes, quaternion

JOINT_M, BONE_M = 0.009, 0.004


def _colour(joint: int) -> ColorRGBA:
    r, g, b = INK if joint == 0 else FINGER_COLOURS[(joint - 1) // 4]  # as in figop's overlay
    return ColorRGBA(r=r / 255, g=g / 255, b=b / 255, a=1.0)


_COLOURS = [_colour(j) for j in range(21)]


def hand_markers(frame: HandFrame, header: Header, wrists: dict[int, Any]) -> MarkerArray:
    """Joints and bones of every hand whose wrist [3] is known; markers of the others are deleted."""
    out = MarkerArray()
    for slot, name in enumerate(HANDS):
        joints = Marker(header=header, ns=f"{name}/joints", type=Marker.SPHERE_LIST)
        bones = Marker(header=header, ns=f"{name}/bones", type=Marker.LINE_LIST)
        out.markers += [joints, bones]
        wrist = wrists.get(slot)
        if not frame.present(slot) or wrist is None or not np.isfinite(frame.world[slot]).all():
            joints.action = bones.action = Marker.DELETE
            continue
        points = [Point(x=x, y=y, z=z) for x, y, z in (frame.world[slot].astype(float) + wrist).tolist()]
        for marker in (joints, bones):
            marker.pose.orientation.w = 1.0
        joints.scale.x = joints.scale.y = joints.scale.z = JOINT_M
        bones.scale.x = BONE_M
        joints.points, joints.colors = points, _COLOURS
        bones.points = [points[j] for bone in BONES for j in bone]
        bones.colors = [_COLOURS[b] for _, b in BONES for _ in (0, 1)]
    return out


def hand_transform(frame: HandFrame, slot: int, header: Header, pose: WristPose | None, prefix: str) -> Any:
    """The hand's frame as a transform; from the tracker's wrist where PnP gave none; None where there is neither."""
    if pose is not None:
        place, rotation = pose.position, pose.rotation
    elif np.isfinite(frame.wrist[slot]).all() and np.isfinite(frame.world[slot]).all():
        place, rotation = frame.wrist[slot].astype(float), hand_axes(frame.world[slot], slot == 0)
    else:
        return None
    out = TransformStamped(header=header, child_frame_id=f"{prefix}hand_{HANDS[slot]}")
    t, q = out.transform.translation, out.transform.rotation
    t.x, t.y, t.z = (float(v) for v in place)
    q.x, q.y, q.z, q.w = quaternion(rotation)
    return out


def pose_message(pose: WristPose, header: Header) -> PoseWithCovarianceStamped:
    """The wrist's pose as a message."""
    out = PoseWithCovarianceStamped(header=header)
    p, q = out.pose.pose.position, out.pose.pose.orientation
    p.x, p.y, p.z = (float(v) for v in pose.position)
    q.x, q.y, q.z, q.w = quaternion(pose.rotation)
    out.pose.covariance = np.ascontiguousarray(pose.covariance, np.float64).reshape(36)
    return out
