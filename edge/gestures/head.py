"""A small causal network over a hand's readings, in numpy: class probabilities at every tick, explicit state.

Blocks of depthwise taps over time and a pointwise product, residual, as in `export.gestures.net`; norms are folded
into the weights when it is written. Two outputs: `quick` speaks of few ticks ago and announces, `late` of more and
decides.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.gestures.motion import WIDTH

Array = NDArray[np.float32]

HEAD_SCHEMA = 1


@dataclass(frozen=True, slots=True, eq=False)
class HeadWeights:
    """A head's numbers. `about`: labels (rest first), lags in ticks, dilations, taps, spotter settings, provenance."""

    arrays: Mapping[str, Array]
    about: Mapping[str, Any]

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names; the first is rest."""
        return tuple(self.about["labels"])

    def to_bytes(self) -> bytes:
        """As one .npz."""
        packed = io.BytesIO()
        np.savez(packed, about=np.asarray(json.dumps({**self.about, "schema": HEAD_SCHEMA}, sort_keys=True)),
                 **self.arrays)  # type: ignore[arg-type]  # fmt: skip
        return packed.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> HeadWeights:
        """Read and check. Raises BundleError."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                arrays = {n: stored[n].astype(np.float32) for n in stored.files if n != "about"}
                about = json.loads(str(stored["about"]))
            known = int(about["schema"]) <= HEAD_SCHEMA
            shapes = arrays["enter"].shape[0] == WIDTH and len(arrays["taps"]) == len(about["dilations"])
            fits = arrays["out"].shape[1] == 2 * len(about["labels"])
        except Exception as error:  # a damaged archive raises anything
            raise BundleError(f"The gesture head of the bundle cannot be read: {error}.") from error
        if not known or not shapes or not fits or any(not np.isfinite(a).all() for a in arrays.values()):
            raise BundleError(
                "The gesture head of the bundle is of a kind that this figop does not know: update figop."
            )
        return cls(arrays, about)


class Head:
    """Runs a head over one hand."""

    def __init__(self, weights: HeadWeights) -> None:
        self.weights = weights
        self._dilations = [int(d) for d in weights.about["dilations"]]
        self._taps = weights.arrays["taps"].shape[1]
        self.reset()

    def reset(self) -> None:
        """A new hand or stream."""
        width = self.weights.arrays["enter"].shape[1]
        self._lines = [np.zeros(((self._taps - 1) * d + 1, width), np.float32) for d in self._dilations]
        self._ticks = 0

    def push(self, reading: Array) -> tuple[Array, Array]:
        """(quick, late) probabilities [labels] of the next tick."""
        a = self.weights.arrays
        h = np.maximum(reading @ a["enter"] + a["enter_bias"], 0)
        for i, (d, line) in enumerate(zip(self._dilations, self._lines, strict=True)):
            at = self._ticks % len(line)
            line[at] = h
            rows = line[(at - d * np.arange(self._taps - 1, -1, -1)) % len(line)]
            u = np.maximum((rows * a["taps"][i]).sum(axis=0) + a["taps_bias"][i], 0)
            h = np.maximum(h + u @ a["point"][i] + a["point_bias"][i], 0)
        self._ticks += 1
        logits = (h @ a["out"] + a["out_bias"]).reshape(2, -1)
        e = np.exp(logits - logits.max(axis=-1, keepdims=True))
        quick, late = e / e.sum(axis=-1, keepdims=True)
        return quick, late
