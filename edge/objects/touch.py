"""How likely each hand touches, holds and moves each thing, frame by frame: a small network over hands and boxes.

Trained on simulated programs (`export.objects.touch_fit`) in which flesh and surfaces say what is true, landmarks have
the fitted tracker's errors and hands are lost, above all those that hold. It looks back and ahead, so that a thing that
goes away while its hand is unseen counts as held by the hand that was last at it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.objects.clip import Clip
from edge.objects.event import GRASPS
from edge.objects.pairs import FEATURES, RATE, features, frames_of

Array = NDArray[Any]

WEIGHTS = Path(__file__).with_name("touch.npz")
#: steps of the layers' five taps, in frames
STEPS = (1, 2, 4, 8)
#: What is said of a frame: touching and holding, verbs with their directions, and the kinds of grasp.
MOTIONS = (
    ("lift", ""), ("put down", ""), ("move", "left"), ("move", "right"), ("move", "forward"), ("move", "backward"),
    ("turn", "cw"), ("turn", "ccw"), ("open", ""), ("close", ""), ("press", ""), ("touch", ""),
)  # fmt: skip
ANSWERS = 2 + len(MOTIONS) + len(GRASPS)


@dataclass(frozen=True, slots=True, eq=False)
class TouchNet:
    """first [F,H], then layers [5,H,H] each added to what it reads, last [H,ANSWERS]; their biases beside."""

    weights: dict[str, Array]

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> TouchNet:
        """Raises BundleError when the file is not such a network."""
        try:
            with np.load(path, allow_pickle=False) as d:
                weights = {k: d[k].astype(np.float32) for k in d.files}
        except (OSError, ValueError) as error:
            raise BundleError(f"The network of touches {path} cannot be read: {error}.") from error
        wanted = {"first", "first_b", "last", "last_b", *(f"w{k}{b}" for k in range(len(STEPS)) for b in ("", "_b"))}
        if set(weights) != wanted or weights["first"].shape[0] != FEATURES or len(weights["last_b"]) != ANSWERS:
            raise BundleError(f"The network of touches {path} is of another version.")
        return cls(weights)

    def logits(self, x: Array) -> Array:
        """[..., T, ANSWERS] from features [..., T, FEATURES]."""
        w = self.weights
        h = np.maximum(x @ w["first"] + w["first_b"], 0)
        for k, step in enumerate(STEPS):
            pad = np.pad(h, [(0, 0)] * (h.ndim - 2) + [(2 * step, 2 * step), (0, 0)])
            n = h.shape[-2]
            near = sum(pad[..., j * step : j * step + n, :] @ w[f"w{k}"][j] for j in range(5))
            h = h + np.maximum(near + w[f"w{k}_b"], 0)
        return np.asarray(h @ w["last"] + w["last_b"])


@lru_cache(maxsize=1)
def shipped() -> TouchNet:
    """The network that comes with figop."""
    return TouchNet.load()


def likely(clip: Clip, view: str) -> Array:
    """[T,2,N,ANSWERS] at the clip's own times: touches, holds, each of `MOTIONS` and of `GRASPS`, 0..1."""
    x, there = features(clip, view)
    p = 1 / (1 + np.exp(-np.clip(shipped().logits(x), -30, 30)))
    p[~there] = 0.0
    g = frames_of(clip.t)
    at = np.clip(np.round((clip.t - g[0]) * RATE).astype(int), 0, len(g) - 1)
    return np.asarray(p[:, :, at].transpose(2, 0, 1, 3))
