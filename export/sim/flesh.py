"""Landmarks -> the solid hand: tapered capsules for fingers, palm, thenar muscles, forearm and sleeve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.skeleton import CHAINS, palm_frame, palm_length, unit
from export.sim.anatomy import BASES, Array

#: Groups of capsules: 0-4 the fingers, then palm, forearm, sleeve. A group blends within itself; fingers blend
#: with the palm near their knuckles only, so that a fist does not melt.
PALM, FOREARM, SLEEVE = 5, 6, 7
#: [5,4] radius at the four joints of each finger, palm lengths (breadths of adult fingers: index 20-15 mm).
GIRTH = np.array(
    [
        [0.155, 0.125, 0.112, 0.085],
        [0.118, 0.100, 0.084, 0.068],
        [0.118, 0.102, 0.086, 0.070],
        [0.112, 0.095, 0.080, 0.066],
        [0.100, 0.083, 0.070, 0.058],
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Flesh:
    """Capsules of one hand, metres in camera axes.

    Attributes:
        ends [N,2,3]: both ends; radii [N,2]; group [N] int; bone [N] int: which bone of its group, base to tip.
        back [N,3]: unit vector to the dorsal side.
        knuckles [5,3]: where fingers blend with the palm.
        frame [3,3]: columns = palm axes; wrist [3]; scale: palm length.
    """

    ends: Array
    radii: Array
    group: Array
    bone: Array
    back: Array
    knuckles: Array
    frame: Array
    wrist: Array
    scale: float


def clothe(
    joints: Array, *, left: bool, forearm: Array | None = None, sleeve: float = 0.9, stout: float = 1.0
) -> Flesh:
    """Capsules around 21 joints [21,3] (metres, camera axes).

    `forearm` points from the elbow to the wrist (default: straight on from the palm); the sleeve begins `sleeve`
    palm lengths below the wrist (none when it is 9 or more); `stout` scales all girths.
    """
    scale = float(palm_length(joints))
    frame = palm_frame(joints, left=left)
    x, y, z = frame.T
    hand = -1.0 if left else 1.0  # the palm's axes are left-handed in a right hand
    wrist = joints[0]
    arm = x if forearm is None else unit(forearm)
    ends: list[tuple[Array, Array]] = []
    radii: list[tuple[float, float]] = []
    group: list[int] = []
    bone: list[int] = []
    back: list[Array] = []

    def add(a: Array, b: Array, ra: float, rb: float, kind: int, number: int, dorsal: Array) -> None:
        ends.append((a, b))
        radii.append((ra * scale * stout, rb * scale * stout))
        group.append(kind)
        bone.append(number)
        back.append(dorsal)

    def at(px: float, py: float, pz: float) -> Array:
        return np.asarray(wrist + scale * (px * x + py * y + pz * z))

    width = float((joints[5] - joints[17]) @ y) / scale / (BASES[1, 1] - BASES[4, 1])
    for i, f in enumerate((1, 2, 3, 4)):  # metacarpals, padded towards the palm
        carpal = at(0.06, (0.15 - 0.10 * i) * width, 0.02)
        add(carpal, joints[CHAINS[f, 0]] - 0.01 * scale * x + 0.03 * scale * z, 0.150, GIRTH[f, 0] + 0.012, PALM, i, -z)
    pad = joints[CHAINS[4, 0]]
    add(
        at(0.14, -0.19 * width, 0.07), pad - 0.16 * scale * x + 0.05 * scale * z, 0.155, 0.125, PALM, 4, -z
    )  # hypothenar
    thumb = joints[CHAINS[0]]
    add(
        at(0.12, 0.13 * width, 0.08), thumb[0] * 0.45 + thumb[1] * 0.55 - 0.02 * scale * y, 0.165, 0.140, PALM, 5, -z
    )  # thenar
    web = joints[5] - 0.28 * scale * x
    add(thumb[0] * 0.4 + thumb[1] * 0.6, web, 0.095, 0.105, PALM, 6, -z)
    for f in range(5):
        chain = joints[CHAINS[f]]
        for k in range(3):
            way = unit(chain[k + 1] - chain[k])
            across = unit(z - (z @ way) * way) if f == 0 else unit(y - (y @ way) * way)
            dorsal = -hand * np.cross(across, way)
            end = chain[k + 1]
            if k == 2:  # the pulp lies on the palm side of the bone's axis
                end = end - 0.006 * scale * dorsal
            add(chain[k], end, GIRTH[f, k], GIRTH[f, k + 1], f, k, dorsal)
    lateral = unit(y - (y @ arm) * arm)
    up = -hand * np.cross(lateral, arm)
    for side in (1.0, -1.0):  # radius and ulna: a wrist is wider than thick
        near, far = wrist + side * 0.125 * scale * lateral, wrist + (side * 0.17 * lateral - 2.6 * arm) * scale
        add(near + 0.02 * scale * arm, far, 0.172, 0.27, FOREARM, 0, up)
    if sleeve < 9:
        for side in (1.0, -1.0):
            near = wrist + (side * 0.16 * lateral - sleeve * arm) * scale
            add(near, near + (side * 0.05 * lateral - 2.2 * arm) * scale, 0.31, 0.40, SLEEVE, 0, up)
    knuckles = joints[CHAINS[:, 0]].copy()
    knuckles[0] = 0.5 * (thumb[0] + thumb[1])
    return Flesh(
        np.array(ends), np.array(radii), np.array(group), np.array(bone), np.array(back), knuckles, frame, wrist, scale
    )
