"""The 21-landmark hand: joint names, palm frame, joint angles, mirroring; which joints of a headset they are.

All functions take arrays [..., 21, 3] and broadcast over the leading axes. Angles come from
atan2(|u x v|, u.v), never acos: float32 acos is off by 5e-4 near a straight finger.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

JOINTS = (
    "WRIST",
    "THUMB_CMC", "THUMB_MCP", "THUMB_IP", "THUMB_TIP",
    "INDEX_MCP", "INDEX_PIP", "INDEX_DIP", "INDEX_TIP",
    "MIDDLE_MCP", "MIDDLE_PIP", "MIDDLE_DIP", "MIDDLE_TIP",
    "RING_MCP", "RING_PIP", "RING_DIP", "RING_TIP",
    "PINKY_MCP", "PINKY_PIP", "PINKY_DIP", "PINKY_TIP",
)  # fmt: skip
WRIST = 0
#: [5,4] landmark index of each finger's four joints, base to tip.
CHAINS = np.arange(1, 21).reshape(5, 4)
TIPS = CHAINS[:, 3]
#: [21] parent of each joint; the wrist is its own.
PARENTS = np.array([0, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19])
#: The 20 bones as (parent, child).
BONES = [(int(PARENTS[j]), j) for j in range(1, 21)]
#: Directions [25] by the joints that they lead from and to: the four bones of each finger from the wrist on, then those
#: between which fingers spread (proximal phalanges; of the thumb from MCP to tip).
WAY_FROM = np.concatenate((np.c_[np.zeros(5, int), CHAINS[:, :-1]].ravel(), [2, 5, 9, 13, 17]))
WAY_TO = np.concatenate((CHAINS.ravel(), [4, 6, 10, 14, 18]))
#: Neighbours among them that enclose an angle: 15 of joints, 4 of spreads.
ANGLE_FROM = np.concatenate((np.arange(20).reshape(5, 4)[:, :-1].ravel(), np.arange(20, 24)))
ANGLE_TO = ANGLE_FROM + 1
INDEX_MCP, MIDDLE_MCP, RING_MCP, PINKY_MCP = 5, 9, 13, 17

#: OpenXR XR_EXT_hand_tracking order (26) -> 21: drops the palm and the four finger metacarpals.
OPENXR_TO_21 = np.array([1, 2, 3, 4, 5, 7, 8, 9, 10, 12, 13, 14, 15, 17, 18, 19, 20, 22, 23, 24, 25])
#: WebXR Hand Input order (25) -> 21: the same without OpenXR's leading palm joint.
WEBXR_TO_21 = OPENXR_TO_21 - 1


def angle(u: Array, v: Array) -> Array:
    """Unsigned angle between vectors [..., 3], radians."""
    return np.asarray(np.arctan2(np.linalg.norm(np.cross(u, v), axis=-1), np.sum(u * v, axis=-1)))


def unit(v: Array) -> Array:
    """Vectors [..., 3] at length 1; a zero vector stays zero."""
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9))


def palm_length(joints: Array) -> Array:
    """Wrist to middle knuckle, [...], in the units of `joints`: the length everything is measured by."""
    return np.asarray(np.linalg.norm(joints[..., MIDDLE_MCP, :] - joints[..., WRIST, :], axis=-1))


def palm_frame(joints: Array, *, left: bool | NDArray[np.bool_] = False) -> Array:
    """Rotation [..., 3, 3] whose columns are the palm's axes x, y, z in the frame of `joints`.

    x: wrist -> middle knuckle. z: out of the palm (the side that fingers curl to). y: towards the thumb.
    The axes mean the same for both hands, so x, y, z is right-handed for a left hand and left-handed for a
    right hand: local coordinates of the two are comparable without mirroring.
    """
    x = unit(joints[..., MIDDLE_MCP, :] - joints[..., WRIST, :])
    across = joints[..., INDEX_MCP, :] - joints[..., PINKY_MCP, :]
    y = unit(across - np.sum(across * x, axis=-1, keepdims=True) * x)
    # a right hand seen palm first has x up (0,-1,0), y to the right (1,0,0): x cross y points into the palm
    z = np.cross(x, y) * np.where(left, 1.0, -1.0)[..., None]
    return np.stack([x, y, z], axis=-1)


def to_palm(joints: Array, *, left: bool | NDArray[np.bool_] = False, scale: Array | float | None = None) -> Array:
    """Joints [..., 21, 3] in palm axes, wrist at the origin, in palm lengths (or in `scale`)."""
    size = palm_length(joints) if scale is None else np.asarray(scale)
    local = (joints - joints[..., :1, :]) @ palm_frame(joints, left=left)
    return np.asarray(local / np.maximum(size, 1e-9)[..., None, None])


def flexion(joints: Array) -> Array:
    """Bend at the three joints of each finger [..., 5, 3], radians, 0 = straight.

    Fingers: MCP (against the metacarpal, wrist -> MCP), PIP, DIP. Thumb: CMC (against wrist -> CMC), MCP, IP.
    """
    chain = np.concatenate([np.broadcast_to(joints[..., None, :1, :], (*joints.shape[:-2], 5, 1, 3)),
                            joints[..., CHAINS, :]], axis=-2)  # fmt: skip
    bones = np.diff(chain, axis=-2)
    return angle(bones[..., :-1, :], bones[..., 1:, :])


def tip_distances(joints: Array) -> Array:
    """Thumb tip to the four other fingertips [..., 4], in the units of `joints`."""
    return np.asarray(np.linalg.norm(joints[..., TIPS[1:], :] - joints[..., TIPS[:1], :], axis=-1))


def spread(joints: Array) -> Array:
    """Angles between neighbouring fingers' directions in the palm plane [..., 4], radians.

    Thumb-index, index-middle, middle-ring, ring-pinky; directions are MCP -> PIP (thumb: MCP -> TIP).
    """
    base = joints[..., [2, 5, 9, 13, 17], :]
    end = joints[..., [4, 6, 10, 14, 18], :]
    way = end - base
    return angle(way[..., :-1, :], way[..., 1:, :])


def mirror(joints: Array) -> Array:
    """Joints reflected in x: a left hand becomes a right hand."""
    return np.asarray(joints * np.array([-1.0, 1.0, 1.0], dtype=joints.dtype))


def chirality(joints: Array) -> Array:
    """How clearly 3D joints are a right (+) or a left (-) hand [...], roughly -1..1.

    Uses that fingers bend towards the palm only: the mean bend direction of the four fingers against the
    normal that a right hand would have. Near 0 when all fingers are straight: then nothing can be said.
    """
    normal = palm_frame(joints)[..., :, 2]
    mcp, tip = joints[..., CHAINS[1:, 0], :], joints[..., CHAINS[1:, 3], :]
    bend = np.mean(np.sum((tip - mcp) * normal[..., None, :], axis=-1), axis=-1)
    return np.asarray(bend / np.maximum(palm_length(joints), 1e-9))
