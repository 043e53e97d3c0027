"""What a hand holds, from the keyframe token: a small head over the landmark network's last feature and the pose.

It says whether the hand holds something, how (power, precision pinch, lateral, hook, flat) and of what coarse shape
the thing is. `grasp.npz` (written by `export.objects.fit` from tracked renders) reads token and pose and belongs to
one landmark network, named by its digest; `grasp-pose.npz` reads the pose alone, for every other source.
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
WEIGHTS, POSE_WEIGHTS = (Path(__file__).with_name(n) for n in ("grasp.npz", "grasp-pose.npz"))

#: A look speaks for so many seconds before and after it: keyframes come about so often.
LOOK_S = 0.25


def pose_of(world: Array, slot: int) -> Array:
    """The pose part of the head's input: joints [21,3] in palm axes, palm lengths, flat [60]."""
    return np.asarray(to_palm(world, left=slot == 0)[..., 1:, :].reshape(*world.shape[:-2], 60), np.float32)


@dataclass(frozen=True, slots=True)
class Grasped:
    """One look at one hand: holding 0..1; grasp [5] (given that it holds) and shape [6] add up to 1."""

    t: float
    holding: float
    grasp: Array
    shape: Array


@dataclass(frozen=True, slots=True, eq=False)
class GraspHead:
    """Two layers. w1 [D+60,H], b1 [H], w2 [H,12], b2 [12]; the inputs' mean and spread are part of w1 and b1.

    digest: sha256 of the landmark network that the feature comes from; "" and D = 0 for a head that reads the pose.
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

    def read(self, t: float, feature: Array | None, world: Array, slot: int) -> Grasped | None:
        """A look at one hand; None where the feature or the joints are missing."""
        feature = np.zeros(0, np.float32) if feature is None or not self.digest else feature
        if feature.shape[-1] + 60 != len(self.w1) or not (np.isfinite(feature).all() and np.isfinite(world).all()):
            return None
        out = self.logits(feature, pose_of(world, slot))
        n = 1 + len(GRASPS)
        return Grasped(t, float(1 / (1 + np.exp(-out[0]))), _softmax(out[1:n]), _softmax(out[n:]))


def _logit(p: float) -> float:
    p = min(max(p, 1e-6), 1 - 1e-6)
    return float(np.log(p / (1 - p)))


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max())
    return np.asarray(e / e.sum())


@lru_cache(maxsize=1)
def shipped() -> tuple[GraspHead, ...]:
    """The heads that come with figop, the one for the keyframe token first."""
    return tuple(GraspHead.load(path) for path in (WEIGHTS, POSE_WEIGHTS) if path.is_file())


def posed(world: Array, slot: int) -> Array:
    """[T,6] what the head for the pose says of joints [T,21,3]: holding, then each grasp given that it holds."""
    head = next(h for h in shipped() if not h.digest)
    out = head.logits(np.zeros((len(world), 0), np.float32), pose_of(world, slot))
    grasp = np.exp(out[:, 1 : 1 + len(GRASPS)] - out[:, 1 : 1 + len(GRASPS)].max(axis=1, keepdims=True))
    return np.concatenate([1 / (1 + np.exp(-out[:, :1])), grasp / grasp.sum(axis=1, keepdims=True)], axis=1)


@dataclass(slots=True)
class GraspTrace:
    """The looks of the head for the keyframe token at both hands over a stream; digest: of the network behind the
    frames' features."""

    heads: tuple[GraspHead, ...]
    digest: str = ""
    looks: tuple[list[Grasped], list[Grasped]] = field(default_factory=lambda: ([], []))

    def push(self, frame: HandFrame) -> None:
        """Look at the hands of a keyframe, where a head reads its network's token."""
        head = next((h for h in self.heads if h.digest and h.digest == self.digest), None)
        if head is None or frame.appearance is None:
            return
        for slot in (0, 1):
            if frame.present(slot):
                look = head.read(frame.t, frame.appearance[slot], frame.world[slot], slot)
                if look is not None:
                    self.looks[slot].append(look)

    def forget(self, before: float) -> None:
        """Drop looks older than this, seconds."""
        for looks in self.looks:
            looks[:] = [g for g in looks if g.t >= before]

    def grasp(self, slot: int, start: float, end: float) -> Array | None:
        """How likely each of `GRASPS` is for a hand between two times, by the keyframe token; None without a look."""
        looks = [g.grasp for g in self.looks[slot] if start <= g.t <= end]
        return np.mean(looks, axis=0) if looks else None

    def evidence(self, times: Array) -> Array:
        """[T,2] log-odds that each hand holds something, by the looks within `LOOK_S` of a time; 0 without a look."""
        out = np.zeros((len(times), 2))
        for slot in (0, 1):
            stamps = np.array([g.t for g in self.looks[slot]])
            if len(stamps):
                odds = np.array([_logit(g.holding) for g in self.looks[slot]])
                near = np.abs(times[:, None] - stamps[None]) <= LOOK_S
                out[:, slot] = near @ odds / np.maximum(near.sum(axis=1), 1)
        return out
