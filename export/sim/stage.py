"""Where the hands are held before the camera, and what the person's directions are in the scene.

Scene axes are the camera's when it looks straight on: x right, y down, z away from it, metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import radians, sqrt

import numpy as np

from export.sim.anatomy import Array

#: The person's directions as scene vectors, by view: a camera that faces the person has the person's left on
#: its right, and the person's forward towards itself.
DIRECTIONS: dict[str, dict[str, Array]] = {
    "facing": {
        "left": np.array([1.0, 0, 0]), "right": np.array([-1.0, 0, 0]), "up": np.array([0, -1.0, 0]),
        "down": np.array([0, 1.0, 0]), "forward": np.array([0, 0, -1.0]), "backward": np.array([0, 0, 1.0]),
    },
    "egocentric": {
        "left": np.array([-1.0, 0, 0]), "right": np.array([1.0, 0, 0]), "up": np.array([0, -1.0, 0]),
        "down": np.array([0, 1.0, 0]), "forward": np.array([0, 0, 1.0]), "backward": np.array([0, 0, -1.0]),
    },
}  # fmt: skip

#: How a hand may be held: fingers' and palm's direction, each in the person's (inward, up, forward).
#: `palm`: palm towards the camera; `back`: back towards it; `edge`: thumb's side towards it, as for a handshake;
#: `micro`: palm inwards, thumb on top of the curled index finger, as for thumb gestures: along that finger is
#: left and right, across it forward and backward.
POSTURES: dict[str, dict[str, tuple[tuple[float, float, float], tuple[float, float, float], float]]] = {
    # view: posture: (fingers, palm at zero supination, supination in degrees)
    "facing": {
        "palm": ((0.10, 1.0, 0.05), (0.0, 0.0, 1.0), 0.0),
        "edge": ((0.30, 0.9, 0.30), (0.0, -0.3, 1.0), 50.0),
        "back": ((0.15, 1.0, 0.0), (0.0, 0.0, 1.0), 148.0),
        "micro": ((0.66, -0.12, 0.70), (0.77, 0.20, -0.60), 0.0),
    },
    "egocentric": {
        "palm": ((0.15, 0.95, 0.25), (0.0, -0.25, 0.95), 150.0),
        "edge": ((0.35, 0.85, 0.40), (0.0, -0.40, 0.85), 112.0),
        "back": ((0.12, 0.85, 0.50), (0.0, -0.50, 0.85), 0.0),
        "micro": ((0.64, 0.39, 0.67), (0.77, -0.32, -0.56), 0.0),
    },
}


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """How a person sits before the camera.

    Attributes:
        view: "facing" or "egocentric".
        forearm [2,3,3]: columns = the palm's axes in the scene at zero wrist and forearm angles, left and right hand.
        home [2,3]: wrist positions, metres in the scene.
        supination [2]: forearm angle at the start, radians.
        posture: a name of `POSTURES`.
    """

    view: str
    forearm: Array
    home: Array
    supination: Array
    posture: str


def _unit(v: Array) -> Array:
    return np.asarray(v / sqrt(float(v @ v)))


def _cross(u: Array, v: Array) -> Array:
    (a, b, c), (x, y, z) = u.tolist(), v.tolist()
    return np.array([b * z - c * y, c * x - a * z, a * y - b * x])


def set_stage(
    view: str = "facing",
    posture: str = "palm",
    rng: np.random.Generator | None = None,
    hands: tuple[str, ...] = ("left", "right"),
) -> Stage:
    """Both hands mirror-wise in one posture; with `rng`, held a little differently by every person."""
    fingers, palm, degrees = POSTURES[view][posture]
    way = DIRECTIONS[view]
    forearm, home, supination = np.empty((2, 3, 3)), np.empty((2, 3)), np.empty(2)
    tilt = rng.normal(0, 0.10, 3) if rng is not None else np.zeros(3)
    height = rng.normal(0, 0.02) if rng is not None else 0.0
    apart = rng.uniform(0.13, 0.19) if rng is not None else 0.15
    for slot, outward in enumerate(("left", "right")):
        own = rng.normal(0, 0.05, 3) if rng is not None else np.zeros(3)
        basis = np.array([-way[outward], way["up"], way["forward"]]).T
        x = _unit(basis @ (fingers + tilt + own))
        z = basis @ palm
        z = _unit(z - (z @ x) * x)
        y = _cross(z, x) if slot == 0 else _cross(x, z)
        forearm[slot, :, 0], forearm[slot, :, 1], forearm[slot, :, 2] = x, y, z
        alone = len(hands) == 1
        side = 0.03 if alone else apart
        home[slot] = way[outward] * side - way["up"] * (0.05 + height)
        own_turn = rng.normal(0, 7.0) if rng is not None else 0.0
        supination[slot] = radians(min(max(degrees + own_turn, -12.0), 158.0))
    return Stage(view, forearm, home, supination, posture)
