"""Still poses by geometry: which fingers are straight, where the thumb or the palm points. No learning.

Joints are the person's right, up, forward, metres, wrist at the origin. Every condition gives 0..1; a pose's score is
the worst of its conditions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.gestures.motion import palm_axes
from edge.score import FINGERS
from edge.skeleton import CHAINS, MIDDLE_MCP, TIPS

Array = NDArray[np.float32]

#: degrees of summed flexion below which a finger is straight and above which it is bent (the thumb has two joints)
_STRAIGHT, _BENT = np.array([45.0, 60.0, 60.0, 60.0, 60.0]), np.array([50.0, 110.0, 110.0, 110.0, 110.0])
#: how soft the thresholds are, degrees
_SOFT = np.array([12.0, 18.0, 18.0, 18.0, 18.0])
#: the thumb is out when its tip is so far (palm lengths) from the knuckle of the middle finger; touch of two tips
_THUMB_OUT, _TOUCH, _APART = 0.75, 0.35, 14.0


@dataclass(frozen=True, slots=True)
class Shape:
    """A pose.

    Attributes:
        straight, bent: fingers. touch: finger whose tip lies on the thumb's, or "". apart: index and middle form a V.
        thumb: "up", "down" or "": where the thumb points. palm: "forward" or "".
    """

    straight: tuple[str, ...] = ()
    bent: tuple[str, ...] = ()
    touch: str = ""
    apart: bool = False
    thumb: str = ""
    palm: str = ""

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Shape:
        """Raises BundleError."""
        try:
            values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
            shape = cls(**values)
        except TypeError as error:
            raise BundleError(f"A pose of the gesture store is not understood: {error}.") from error
        named = (*shape.straight, *shape.bent, *((shape.touch,) if shape.touch else ()))
        if (
            any(f not in FINGERS for f in named)
            or shape.thumb not in ("", "up", "down")
            or shape.palm not in ("", "forward")
        ):
            raise BundleError(f"A pose of the gesture store names what no hand has: {dict(row)}.")
        return shape


def _soft(x: float) -> float:
    return float(1 / (1 + np.exp(-np.clip(x, -30, 30))))


def bends(joints: Array) -> Array:
    """Summed flexion of each finger, degrees [5]; the thumb's two outer joints."""
    chains = np.concatenate((np.zeros((5, 1), int), CHAINS), axis=1)
    bones = joints[chains[:, 1:]] - joints[chains[:, :-1]]
    u, v = bones[:, :-1], bones[:, 1:]
    angle = np.arctan2(np.linalg.norm(np.cross(u, v), axis=-1), np.einsum("...i,...i->...", u, v))
    angle[0, 0] = 0.0  # at its root the thumb turns, whatever it does
    return np.asarray(np.degrees(angle.sum(axis=1)), np.float32)


class PoseReader:
    """What of a hand's joints [21,3] the shapes ask for, computed once a tick."""

    def __init__(self, joints: Array, *, left: bool) -> None:
        scale = max(float(np.linalg.norm(joints[MIDDLE_MCP])), 1e-4)
        self._bends = bends(joints)
        tips = joints[TIPS]
        self._gap = np.linalg.norm(tips - tips[0], axis=-1) / scale
        self._out = float(np.linalg.norm(tips[0] - joints[MIDDLE_MCP])) / scale
        ways = tips - joints[CHAINS[:, 0]]
        self._ways = ways / np.maximum(np.linalg.norm(ways, axis=-1, keepdims=True), 1e-6)
        self._palm = palm_axes(joints[None], left=left)[0][:, 2]

    def score(self, shape: Shape) -> float:
        """0..1."""
        parts = [1.0]
        for f in shape.straight:
            i = FINGERS.index(f)
            parts.append(_soft((_STRAIGHT[i] - self._bends[i]) / _SOFT[i]))
            if f == "thumb":
                parts.append(_soft((self._out - _THUMB_OUT) / 0.08))
        for f in shape.bent:
            i = FINGERS.index(f)
            bent = _soft((self._bends[i] - _BENT[i]) / _SOFT[i])
            # a folded thumb may lie straight across the palm
            parts.append(max(bent, _soft((_THUMB_OUT - self._out) / 0.08)) if f == "thumb" else bent)
        if shape.touch:
            parts.append(_soft((_TOUCH - self._gap[FINGERS.index(shape.touch)]) / 0.06))
        if shape.apart:
            u, v = self._ways[1], self._ways[2]
            angle = np.degrees(np.arctan2(np.linalg.norm(np.cross(u, v)), u @ v))
            parts.append(_soft((angle - _APART) / 4))
        if shape.thumb:
            up = self._ways[0][1] * (1 if shape.thumb == "up" else -1)
            parts.append(_soft((up - 0.6) / 0.1))
        if shape.palm:
            parts.append(_soft((self._palm[2] - 0.5) / 0.1))
        return min(parts)
