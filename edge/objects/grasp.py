"""What a hand holds, from the keyframe token: a small head over the landmark network's last feature and the pose.

It says whether the hand holds something, how (power, precision pinch, lateral, hook, flat) and of what coarse shape
the thing is. The weights (`grasp.npz`, written by `export.objects.fit` from renders alone) belong to one landmark
network, named by its digest; with any other network the head keeps silent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.hands.frame import HandFrame
from edge.objects.event import GRASPS
from edge.skeleton import to_palm

Array = NDArray[Any]

SHAPES = ("ball", "cylinder", "box", "stick", "flat", "none")
WEIGHTS = Path(__file__).with_name("grasp.npz")
#: A grasp is said when it is at least this likely over the keyframes of a hold, else left open.
SAID = 0.45


def pose_of(world: Array, slot: int) -> Array:
    """The pose part of the head's input: joints [21,3] in palm axes, palm lengths, flat [60]."""
    return np.asarray(to_palm(world, left=slot == 0)[..., 1:, :].reshape(*world.shape[:-2], 60), np.float32)


@dataclass(frozen=True, slots=True)
class Grasped:
    """One look at one hand: holding 0..1; grasp [5] and shape [6] add up to 1 (given that it holds; shape with none)."""

    t: float
    holding: float
    grasp: Array
    shape: Array


@dataclass(frozen=True, slots=True, eq=False)
class GraspHead:
    """Two layers. w1 [D+60,H], b1 [H], w2 [H,12], b2 [12]; the inputs' mean and spread are part of w1 and b1.

    digest: sha256 of the landmark network that the feature comes from.
    """

    w1: Array
    b1: Array
    w2: Array
    b2: Array
    digest: str

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> GraspHead:
        """Raises BundleError when the file is not such a head."""
        try:
            with np.load(path, allow_pickle=False) as d:
                w1, b1, w2, b2 = (d[n].astype(np.float32) for n in ("w1", "b1", "w2", "b2"))
                head = cls(w1, b1, w2, b2, str(d["digest"]))
        except (OSError, ValueError, KeyError) as error:
            raise BundleError(f"The grasp head {path} cannot be read: {error}.") from error
        if w1.shape[1:] != b1.shape or w2.shape != (len(b1), len(b2)) or len(b2) != 1 + len(GRASPS) + len(SHAPES):
            raise BundleError(f"The grasp head {path} has layers that do not fit together.")
        return head

    def logits(self, feature: Array, pose: Array) -> Array:
        """[..., 12] from feature [..., D] and pose [..., 60]."""
        x = np.concatenate([feature, pose], axis=-1).astype(np.float32)
        return np.asarray(np.maximum(x @ self.w1 + self.b1, 0) @ self.w2 + self.b2)

    def read(self, t: float, feature: Array, world: Array, slot: int) -> Grasped | None:
        """A look at one hand; None where the feature or the joints are missing."""
        if feature.shape[-1] + 60 != len(self.w1) or not (np.isfinite(feature).all() and np.isfinite(world).all()):
            return None
        out = self.logits(feature, pose_of(world, slot))
        n = 1 + len(GRASPS)
        return Grasped(t, float(1 / (1 + np.exp(-out[0]))), _softmax(out[1:n]), _softmax(out[n:]))


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max())
    return np.asarray(e / e.sum())


@lru_cache(maxsize=1)
def shipped() -> GraspHead | None:
    """The head that comes with figop, or None where its file was left out."""
    return GraspHead.load() if WEIGHTS.is_file() else None


@dataclass(slots=True)
class GraspTrace:
    """The head's looks at both hands over a stream."""

    head: GraspHead | None
    digest: str = ""
    looks: tuple[list[Grasped], list[Grasped]] = field(default_factory=lambda: ([], []))

    def push(self, frame: HandFrame) -> None:
        """Look at the hands of a keyframe; other frames carry no feature."""
        if self.head is None or frame.appearance is None or self.digest not in ("", self.head.digest):
            return
        for slot in (0, 1):
            if frame.present(slot):
                look = self.head.read(frame.t, frame.appearance[slot], frame.world[slot], slot)
                if look is not None:
                    self.looks[slot].append(look)

    def forget(self, before: float) -> None:
        """Drop looks older than this, seconds."""
        for looks in self.looks:
            looks[:] = [g for g in looks if g.t >= before]

    def kind(self, slot: int, start: float, end: float) -> str:
        """The grasp of a hand between two times, "" when there is no look or none is likely enough."""
        looks = [g for g in self.looks[slot] if start <= g.t <= end]
        if not looks:
            return ""
        mean = np.mean([g.grasp for g in looks], axis=0)
        return GRASPS[int(mean.argmax())] if mean.max() >= SAID else ""

    def holding(self, slot: int, start: float, end: float) -> float | None:
        """How likely the hand holds something between two times; None without a look."""
        looks = [g.holding for g in self.looks[slot] if start <= g.t <= end]
        return float(np.mean(looks)) if looks else None
