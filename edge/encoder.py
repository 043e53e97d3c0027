"""Streaming frame encoder: one tick of features in, probabilities of every slot's motion out; explicit state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.runtime import Session
from edge.targets import SLOT_WIDTH, SLOTS

Array = NDArray[np.float32]

#: ticks by which the frame heads speak late: they see this much of what follows (0.27 s, within a phrase's rest)
LAG = 8
#: ticks by which `moving` speaks late
MOVING_LAG = 2


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """What the encoder says at one tick.

    Attributes:
        probs [2,7,slot width]: every slot's attributes, of `LAG` ticks ago. moving [2]: probability that the hand
        acts. embedding [2,E]: for the captioner.
    """

    probs: Array
    moving: Array
    embedding: Array


class FrameEncoder:
    """The encoder's step graph and its state. Inputs args_0 (features), args_1 (state)."""

    def __init__(self, session: Session) -> None:
        self._session = session
        specs = {spec.name: spec for spec in session.inputs}
        if set(specs) != {"args_0", "args_1"} or len(session.outputs) != 4:
            raise BundleError("The encoder graph must take features and state; this one takes other inputs.")
        width = next(s for s in session.outputs if s.name == "output_0").shape
        if width != (2, len(SLOTS), SLOT_WIDTH):
            raise BundleError(
                f"The encoder graph says {list(width)} numbers, this version reads {[2, len(SLOTS), SLOT_WIDTH]}."
            )
        self._zero = np.zeros(specs["args_1"].shape, np.float32)
        self.reset()

    def reset(self) -> None:
        """A new stream."""
        self._state = self._zero

    def push(self, features: Array) -> Reading:
        """Features [2,6,30] of the next tick."""
        out = self._session.run({"args_0": np.ascontiguousarray(features, np.float32), "args_1": self._state})
        self._state = out["output_3"]
        return Reading(out["output_0"], out["output_1"][:, 0], out["output_2"])
