"""Gestures as vectors: attribute vectors of a text network, composed without it, and what a span of motion looks like.

Trained by `export.gestures.guidance`: for each of the four dimensions, a span's tokens (a finger, the grasp or the
wrist at a tick, as the student's heads read them) are pooled by a learned query and laid beside the vectors of the
attributes' texts. On the device only vectors are left.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.gestures.attributes import DIMENSIONS, VALUES, merged
from edge.score import FingerEvent

Array = NDArray[np.float32]

GUIDE_SCHEMA = 1
#: logits of the pooling are bounded: sums over a span must not overflow
_BOUND = 12.0


def unit(v: Array) -> Array:
    """Rows of length 1."""
    return np.asarray(v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-6), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Pooled:
    """Sums of a pooling over ticks: values [5,C], weights [5]. They add up over time."""

    values: Array
    weights: Array

    def __add__(self, other: Pooled) -> Pooled:
        return Pooled(self.values + other.values, self.weights + other.weights)

    def __sub__(self, other: Pooled) -> Pooled:
        return Pooled(self.values - other.values, self.weights - other.weights)


class Guide:
    """Weights of the guidance. Arrays:

    slots [S,C] and bias: of a slot's row [S,R] -> tokens; embed [E,C]: of the hand's embedding; queries [5,C] (four
    dimensions, then the class); out [5,C,D]; bank_<dimension> [values,D]: attribute vectors, length 1.
    """

    def __init__(self, arrays: Mapping[str, Array], student: str) -> None:
        self.arrays, self.student = dict(arrays), student

    def to_bytes(self) -> bytes:
        """As one .npz, the same bytes for the same numbers."""
        packed = io.BytesIO()
        arrays = {name: self.arrays[name].astype(np.float32) for name in sorted(self.arrays)}
        np.savez(packed, schema=np.asarray(GUIDE_SCHEMA), student=np.asarray(self.student), **arrays)  # type: ignore[arg-type]
        return packed.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Guide:
        """Read and check. Raises BundleError."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                schema, student = int(stored["schema"]), str(stored["student"])
                arrays = {n: stored[n] for n in stored.files if n not in ("schema", "student")}
            size = arrays["out"].shape[2]
            fits = all(arrays[f"bank_{d}"].shape == (len(VALUES[d]), size) for d in DIMENSIONS)
        except Exception as error:  # a damaged archive raises anything
            raise BundleError(f"The gesture vectors of the bundle cannot be read: {error}.") from error
        if schema > GUIDE_SCHEMA or not fits:
            raise BundleError(
                "The gesture vectors of the bundle are of a kind that this figop does not know: update figop."
            )
        return cls(arrays, student)

    def pool(self, rows: Array, embedding: Array) -> Pooled:
        """One tick of one hand: the heads' rows [7,R], the embedding [E]."""
        a = self.arrays
        tokens = np.maximum(rows @ a["rows"] + a["slots"] + embedding @ a["embed"], 0)  # [7,C]
        weights = np.exp(np.clip(tokens @ a["queries"].T, -_BOUND, _BOUND))  # [7,5]
        return Pooled(weights.T @ tokens, weights.sum(axis=0))

    def look(self, pooled: Pooled) -> Array:
        """What a span looks like: [5,D], a unit vector for each dimension and one for the class."""
        mean = pooled.values / np.maximum(pooled.weights, 1e-9)[:, None]
        return unit(np.einsum("kc,kcd->kd", mean, self.arrays["out"]))

    def compose(self, events: Iterable[FingerEvent]) -> Array:
        """The vectors [4,D] of what events say, from the attribute vectors alone."""
        values = merged(events)
        return np.stack(
            [unit(self.arrays[f"bank_{d}"][[VALUES[d].index(v) for v in values[d]]].mean(axis=0)) for d in DIMENSIONS]
        )


def likeness(look: Array, wanted: Array) -> float:
    """Mean cosine over the dimensions that both have, -1..1."""
    count = min(len(look), len(wanted))
    return float(np.einsum("kd,kd->k", look[:count], wanted[:count]).mean())
