"""The hand by its bones: joint angles -> 21 landmarks, for sources that measure angles and for the simulator.

Lengths are in palm lengths (wrist to middle knuckle), angles in radians, positions in the palm's own axes
(`edge.skeleton.palm_frame`: x to the middle knuckle, y to the thumb, z out of the palm), so that one set of numbers
serves both hands. Means follow hand anthropometry (phalanx shares of Buryanov and Kotiuk 2010, in mm over a 94 mm
palm) and the MIT-licensed Quest poses that the project keeps.

Joint angles of one hand are [5,4]: rows thumb to pinky; columns of a finger: MCP flexion, PIP, DIP, abduction
(positive towards the thumb); of the thumb: CMC palmar abduction (opposition), MCP, IP, CMC radial abduction.
`export.sim.kinematics` is the same geometry compiled for batches; a test keeps the two equal.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: [5,3] first joint of each finger: thumb CMC, then the four knuckles; palm lengths.
BASES = np.array(
    [[0.24, 0.23, 0.10], [0.985, 0.245, 0.02], [1.0, 0.0, 0.0], [0.925, -0.205, 0.012], [0.81, -0.385, 0.045]]
)
#: [5,3] three bones of each finger: thumb metacarpal, proximal, distal; fingers proximal, middle, distal (to the
#: landmark, which lies in the pulp ~5 mm short of the fingertip).
LENGTHS = np.array(
    [[0.42, 0.36, 0.27], [0.425, 0.255, 0.220], [0.465, 0.290, 0.235], [0.425, 0.270, 0.235], [0.330, 0.200, 0.210]]
)
#: Wrist to middle knuckle of the mean adult, metres.
PALM = 0.094
#: [5] how far each finger's flexion plane leans towards the scaphoid: bent fingers converge.
LEAN = np.array([0.0, -0.06, 0.02, 0.10, 0.20])
#: Thumb MCP and IP flex across the palm, pronated a little (-6 to -15 degrees over the Quest poses).
THUMB_PRONATION = np.radians(-9.0)
#: The collateral ligaments tighten: a bent knuckle keeps this share of its abduction.
ABDUCTION_BENT = 0.3
#: DIP follows PIP by the lateral bands: 0.62-0.70 in healthy fingers.
DIP_PER_PIP = 0.66

_deg = np.radians
#: [5,4] straight fingers, slightly apart.
OPEN = _deg(np.array([[16, 8, 6, 40], [5, 5, 3, 5], [4, 5, 3, -3], [5, 5, 3, -10], [7, 6, 4, -19]], float))
#: [5,4] closed fist, thumb across the index and middle finger.
FIST = _deg(
    np.array([[42, 56, 44, 12], [78, 102, 64, -4], [82, 102, 64, -4], [84, 100, 62, -5], [86, 95, 60, -6]], float)
)


def landmarks(angles: Array, *, bases: Array = BASES, lengths: Array = LENGTHS, lean: Array = LEAN) -> Array:
    """Joint angles [5,4] of one hand -> landmarks [21,3] in the palm's axes, palm lengths, wrist at the origin."""
    out = np.zeros((21, 3))
    for f in range(5):
        first, second, third, side = angles[f]
        if f == 0:
            # the metacarpal itself is lifted and turned sideways; MCP and IP flex in a pronated plane
            lift, turn = (np.cos(first), np.sin(first)), (np.cos(side), np.sin(side))
            along = np.array([lift[0] * turn[0], lift[0] * turn[1], lift[1]])
            cp, sp = np.cos(THUMB_PRONATION), np.sin(THUMB_PRONATION)
            up = np.array([cp * turn[1] - sp * lift[1] * turn[0], -cp * turn[0] - sp * lift[1] * turn[1], sp * lift[0]])
            bends = (0.0, second, second + third)
        else:
            side = side * (ABDUCTION_BENT + (1.0 - ABDUCTION_BENT) * np.cos(first))
            along = np.array([np.cos(side), np.sin(side), 0.0])
            up = np.array([-lean[f] * np.sin(side), lean[f] * np.cos(side), 1.0]) / np.hypot(1.0, lean[f])
            bends = (first, first + second, first + second + third)
        out[4 * f + 1] = bases[f]
        for bone, bend in enumerate(bends):
            step = lengths[f, bone] * (np.cos(bend) * along + np.sin(bend) * up)
            out[4 * f + 2 + bone] = out[4 * f + 1 + bone] + step
    return out


def complete(angles: Array) -> Array:
    """Angles [5,4] with NaN where nothing was measured -> all of them.

    A finger's missing bends follow the ones that it has, between `OPEN` and `FIST` (a DIP follows its PIP); with none
    measured it is open. A missing abduction is that of `OPEN`.
    """
    out = np.asarray(angles, float).copy()
    span = FIST - OPEN
    for f in range(5):
        known = np.isfinite(out[f, :3])
        if f and known[1] and not known[2]:
            out[f, 2], known[2] = DIP_PER_PIP * out[f, 1], True
        level = float(np.mean((out[f, :3] - OPEN[f, :3])[known] / span[f, :3][known])) if known.any() else 0.0
        out[f, :3] = np.where(known, out[f, :3], OPEN[f, :3] + level * span[f, :3])
    missing = ~np.isfinite(out[:, 3])
    out[missing, 3] = OPEN[missing, 3]
    return out


def rotation(quaternion: Array) -> Array:
    """Quaternion w x y z of any length but 0 -> rotation [3,3]."""
    w, x, y, z = np.asarray(quaternion, float) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def flat(left: bool) -> Array:
    """Palm axes [3,3] (columns) of a hand held flat, palm down, fingers forward, in the person's own axes.

    x to the person's right, y down, z forward: what `view="egocentric"` calls the scene's axes.
    """
    return np.array([[0.0, 1.0 if left else -1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
