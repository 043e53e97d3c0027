"""How sure the student may be of an event: a logistic model of what its heads said while the event lasted.

The mean probability of a motion is no probability that the event is right: long and plain motions are righter than it
says, short touches are not. The weights are fitted on clips apart from every test set (`export.models.calibrate`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: what is measured of an event besides its motion
MEASURES = ("mean", "weakest", "second", "seconds", "attributes", "others")


def softened(confidence: float, temperature: float) -> float:
    """A confidence whose log-odds are divided by the temperature (Guo et al. 2017); above 1 makes it humbler."""
    if temperature == 1:
        return confidence
    p = min(max(confidence, 1e-4), 1 - 1e-4)
    return 1 / (1 + math.exp(-math.log(p / (1 - p)) / temperature))


@dataclass(frozen=True, slots=True)
class Confidence:
    """weights: of `MEASURES`; motions: by motion name, added. Without a fit the mean probability is the confidence."""

    weights: tuple[float, ...]
    motions: dict[str, float]

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Confidence:
        """From a bundle. Raises KeyError, TypeError or ValueError where it does not fit this version."""
        weights = tuple(float(data["weights"][name]) for name in MEASURES)
        return cls(weights, {str(k): float(v) for k, v in data["motions"].items()})

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for a bundle."""
        return {"weights": dict(zip(MEASURES, self.weights, strict=True)), "motions": dict(self.motions)}

    def of(self, motion: str, measures: Array) -> float:
        """Probability (0..1) that an event of this motion with these `measures` is right."""
        odds = float(np.dot(self.weights, measures)) + self.motions.get(motion, self.motions[""])
        return 1 / (1 + math.exp(-min(max(odds, -30.0), 30.0)))


def measures(motions: Array, motion: int, seconds: float, attributes: float, others: float) -> Array:
    """`MEASURES` of an event: motions [T, motions] probabilities while it lasts.

    attributes: mean log-probability of the direction and contact that were chosen; others: mean probability that the
    hand's other slots act meanwhile.
    """
    own = np.minimum(np.maximum(motions[:, motion], 1e-4), 1 - 1e-4)
    count, rest = len(own), motions[:, 1:].copy()
    rest[:, motion - 1] = 0.0
    weakest = np.sort(own)[: max(count // 4, 1)]
    logs = np.log(np.concatenate((own / (1 - own), weakest, np.maximum(rest.max(axis=1), 1e-4))))
    first, second = count, count + len(weakest)
    return np.array([
        np.add.reduce(logs[:first]) / count,
        np.add.reduce(logs[first:second]) / len(weakest),
        np.add.reduce(logs[second:]) / count / 5,
        min(seconds, 1.5),
        max(attributes, -3.0),
        others,
    ])  # fmt: skip
