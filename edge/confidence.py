"""How sure the student may be of an event: a logistic model of what its heads said while the event lasted.

The mean probability of a motion is no probability that the event is right: long and plain motions are righter than it
says, short touches are not. The weights are fitted on clips apart from every test set (`export.models.calibrate`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: what is measured of an event besides its motion
MEASURES = ("mean", "weakest", "second", "seconds", "attributes", "others")


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
        return float(1 / (1 + np.exp(-np.clip(odds, -30, 30))))


def measures(motions: Array, motion: int, seconds: float, attributes: float, others: float) -> Array:
    """`MEASURES` of an event: motions [T, motions] probabilities while it lasts.

    attributes: mean log-probability of the direction and contact that were chosen; others: mean probability that the
    hand's other slots act meanwhile.
    """
    own = np.clip(motions[:, motion], 1e-4, 1 - 1e-4)
    rest = np.delete(motions, (0, motion), axis=1).max(axis=1)
    return np.array([
        np.log(own / (1 - own)).mean(),
        np.log(np.sort(own)[: max(len(own) // 4, 1)]).mean(),
        np.log(np.maximum(rest, 1e-4)).mean() / 5,
        min(seconds, 1.5),
        max(attributes, -3.0),
        others,
    ])  # fmt: skip
