"""Anthropometric hands: joint limits, enslaving, named postures, and how persons differ from `edge.hands.model`.

Lengths are in palm lengths (wrist to middle knuckle), angles in radians. All positions are in the palm's own
axes (`edge.skeleton.palm_frame`: x to the middle knuckle, y to the thumb, z out of the palm), so that one set of
numbers serves both hands. The mean hand is `edge.hands.model`'s; the spread between persons is ~5 % a bone.

Joint angles of one hand are [5,4]: rows thumb to pinky; columns of a finger: MCP flexion, PIP, DIP, abduction
(positive towards the thumb); of the thumb: CMC palmar abduction (opposition), MCP, IP, CMC radial abduction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.hands.model import BASES as BASES
from edge.hands.model import DIP_PER_PIP as DIP_PER_PIP
from edge.hands.model import FIST as FIST
from edge.hands.model import LEAN as LEAN
from edge.hands.model import LENGTHS as LENGTHS
from edge.hands.model import OPEN as OPEN
from edge.hands.model import PALM
from edge.hands.model import THUMB_PRONATION as THUMB_PRONATION

Array = NDArray[Any]

#: [5] radius of each finger's middle segment, palm lengths (index 8 mm, thumb 10 mm).
RADII = np.array([0.108, 0.088, 0.090, 0.084, 0.073])
#: Wrist to middle knuckle, metres: 5th percentile woman to 95th percentile man.
PALM_METRES = (0.08, 0.11)
_deg = np.radians
#: [5,4] smallest and largest angles (AAOS norms; the thumb's CMC as seen in the Quest poses).
LOWER = _deg(
    np.array([[0, -8, -15, -12], [-15, -3, -3, -26], [-15, -3, -3, -22], [-15, -3, -3, -28], [-18, -3, -3, -46]], float)
)
UPPER = _deg(
    np.array([[62, 66, 85, 58], [92, 112, 78, 24], [92, 112, 78, 14], [92, 112, 78, 10], [95, 110, 78, 8]], float)
)

#: [5,4] from open to fist.
SPAN = FIST - OPEN
#: [5,4] what a limp hand does.
RELAXED = _deg(
    np.array([[24, 18, 16, 30], [16, 20, 12, 1], [20, 24, 14, -4], [24, 25, 14, -9], [28, 24, 14, -15]], float)
)
#: [5] sideways angles of fingers laid together, and spread as far as they go.
TOGETHER = _deg(np.array([16, -3.5, -4, -4, -4], float))
SPREAD = _deg(np.array([54, 17, -2, -17, -38], float))

#: [5,5] share of finger j's bend (column) that finger i (row) is dragged along by: shared tendons of the
#: flexor digitorum profundus, strongest between ring, pinky and middle (Zatsiorsky, Li and Latash 2000).
ENSLAVING = np.array(
    [
        [0.00, 0.02, 0.02, 0.01, 0.01],
        [0.01, 0.00, 0.08, 0.03, 0.01],
        [0.00, 0.07, 0.00, 0.15, 0.05],
        [0.00, 0.03, 0.14, 0.00, 0.22],
        [0.00, 0.01, 0.05, 0.22, 0.00],
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """One person's hand (both hands alike). Arrays may carry leading batch axes.

    Attributes:
        metres: palm length in metres [...].
        bases [..., 5, 3], lengths [..., 5, 3]: as the constants above, palm lengths.
        lean [..., 5]: of the flexion planes.
        enslaving: 0..1.2, how strongly fingers drag their neighbours [...].
        tremor: amplitude factor, 1 = average adult [...].
    """

    metres: Array
    bases: Array
    lengths: Array
    lean: Array
    enslaving: Array
    tremor: Array

    @classmethod
    def average(cls) -> Body:
        """The mean adult: 94 mm palm."""
        return cls(np.float64(PALM), BASES, LENGTHS, LEAN, np.float64(0.7), np.float64(1.0))  # type: ignore[arg-type]

    @classmethod
    def sample(cls, rng: np.random.Generator) -> Body:
        """A random person: hand size 0.08-0.11 m, ~4 % a finger and ~3 % a bone, wider or slimmer palm."""
        fingers = 1 + 0.04 * rng.standard_normal((5, 1)).clip(-2, 2)
        bones = 1 + 0.03 * rng.standard_normal((5, 3)).clip(-2, 2)
        bases = BASES * np.array([1.0, 1 + rng.uniform(-0.1, 0.1), 1.0])
        bases = bases + 0.012 * rng.standard_normal((5, 3)).clip(-2, 2)
        bases[2] = BASES[2]  # the middle knuckle is the unit of length
        lean = LEAN + 0.03 * rng.standard_normal(5)
        return cls(
            np.float64(rng.uniform(*PALM_METRES)),  # type: ignore[arg-type]
            bases,
            LENGTHS * fingers * bones,
            lean,
            np.float64(rng.uniform(0.25, 1.0)),  # type: ignore[arg-type]
            np.float64(np.exp(rng.normal(0.0, 0.3))),  # type: ignore[arg-type]
        )


def stack(bodies: Sequence[Body]) -> Body:
    """Bodies as one batch [B, ...]."""
    return Body(*(np.stack([getattr(b, name) for b in bodies]) for name in Body.__dataclass_fields__))


def clamp(angles: Array) -> Array:
    """Angles [..., 5, 4] within the joint limits."""
    return np.clip(angles, LOWER, UPPER)


def bend(level: Array | float, finger: int) -> Array:
    """Flexions [..., 3] of a finger at `level` 0 (straight) .. 1 (fist). The thumb keeps its CMC (first column)."""
    lam = np.asarray(level)[..., None]
    return np.asarray(OPEN[finger, :3] + lam * (FIST[finger, :3] - OPEN[finger, :3]))
