"""Phrases whose answer needs the picture: a hand closes on a thing, or just so on nothing (`export.sim.taking`).

The landmarks of both are alike, so "grabs the object" against "closes into a fist" is decided by the keyframe alone;
half of the clips have the thing, so who cannot see says one of them always, or guesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.score import FingerEvent
from export.mechanisms.telling import Told, understood

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Of every closing hand that was asked for: there [N] the thing is; named [N] a closing of that hand was told; said
    [N] with a thing."""

    there: Flags
    named: Flags
    said: Flags

    def right(self, rows: Any = slice(None)) -> float:
        """Share of the asked that were named and told with a thing where there is one, without where there is none."""
        there, named, said = self.there[rows], self.named[rows], self.said[rows]
        return float((named & (said == there)).mean())

    def figures(self) -> dict[str, float | int]:
        """A row of the results; `right_of_named` is a half for who cannot see."""
        named = self.named
        return {
            "closings": len(named), "named": round(float(named.mean()), 4), "right": round(self.right(), 4),
            "right_of_named": round(self.right(named), 4) if named.any() else 0.0,
            "said_with_thing": round(float(self.said[named].mean()), 4) if named.any() else 0.0,
        }  # fmt: skip


def answers(lines: Sequence[Told]) -> Answers:
    """What was told of every closing hand of these phrases."""
    rows = []
    for line in lines:
        told = understood(line.text)
        for event in line.phrase.score:
            if event.motion == "grab":
                same = [e for e in told if _closing(e) and e.hand == event.hand]
                rows.append((event.contact == "object", bool(same), any(e.contact == "object" for e in same)))
    there, named, said = (np.array(c, bool) for c in zip(*rows, strict=True))
    return Answers(there, named, said)


def _closing(event: FingerEvent) -> bool:
    return event.motion == "grab"


def gain(a: Sequence[Answers], b: Sequence[Answers], rounds: int = 1000, seed: int = 0) -> tuple[float, float, float]:
    """How much more of the asked `a` has right than `b`, runs paired, and its 95 % interval over the closings."""
    rng = np.random.default_rng(seed)
    more = np.stack([(x.named & (x.said == x.there)).astype(float) for x in a])
    less = np.stack([(x.named & (x.said == x.there)).astype(float) for x in b])
    each = (more - less).mean(axis=0)
    found = [each[rows].mean() for rows in rng.integers(len(each), size=(rounds, len(each)))]
    low, high = np.quantile(found, [0.025, 0.975])
    return round(float(each.mean()), 4), round(float(low), 4), round(float(high), 4)
