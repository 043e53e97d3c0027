"""How right a reading of hands and things is: contact and holding by frame, facts by what the text says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from edge.objects.dynamics import Reading
from edge.objects.event import ObjectEvent, ObjectScore
from edge.objects.narrator import narrate, parse
from export.sim.anatomy import Array
from export.sim.handled import Truth

Fact = tuple[str, str, str, str]


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one clip: right, said without being so, missed."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.right + other.right, self.wrong + other.wrong, self.missed + other.missed)

    @property
    def f1(self) -> float:
        """1 for a clip in which nothing is and nothing is said."""
        total = 2 * self.right + self.wrong + self.missed
        return 2 * self.right / total if total else 1.0

    @property
    def recall(self) -> float:
        """Share of what is that was said."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def invented(self) -> float:
        """Share of what was said that is not."""
        return self.wrong / (self.right + self.wrong) if self.right + self.wrong else 0.0


def frames_tally(said: Array, names: Sequence[str], true: Array, true_names: Sequence[str]) -> Tally:
    """Frames [T,2,N] of hand and thing: equal names are the same thing."""
    every = sorted({*names, *true_names})
    a, b = (np.zeros((len(true), 2, len(every)), bool) for _ in range(2))
    for n, name in enumerate(names):
        a[:, :, every.index(name)] = said[:, :, n]
    for n, name in enumerate(true_names):
        b[:, :, every.index(name)] = true[:, :, n]
    return Tally(int((a & b).sum()), int((a & ~b).sum()), int((~a & b).sum()))


def facts(events: Iterable[ObjectEvent]) -> Counter[Fact]:
    """What events say: who does what with which thing in which direction; the kind of a grasp is a fact of its own."""
    out: Counter[Fact] = Counter()
    for e in events:
        out[e.hand, e.verb, e.object, e.direction] += 1
        if e.grasp:
            out[e.hand, "grasp as", e.object, e.grasp] += 1
    return out


def retold(reading: Reading, language: str = "en") -> ObjectScore:
    """What the text that the reading is told as says, parsed back."""
    text = narrate(reading.score, language) if reading.score else ""
    return parse(text, language) if text else ()


def facts_tally(reading: Reading, truth: Truth, language: str = "en") -> Tally:
    """Facts of the text that the reading is told as against the true score, in whatever order they are told."""
    said, true = facts(retold(reading, language)), facts(truth.score)
    right = sum((said & true).values())
    return Tally(right, sum(said.values()) - right, sum(true.values()) - right)


def order_tally(reading: Reading, truth: Truth, language: str = "en") -> Tally:
    """Events of the text in their order: right is the longest row of events that text and true score have in common."""
    said = [(e.hand, e.verb, e.object, e.direction) for e in retold(reading, language)]
    true = [(e.hand, e.verb, e.object, e.direction) for e in truth.score]
    best = np.zeros((len(said) + 1, len(true) + 1), int)
    for i, a in enumerate(said):
        for k, b in enumerate(true):
            best[i + 1, k + 1] = best[i, k] + 1 if a == b else max(best[i, k + 1], best[i + 1, k])
    right = int(best[-1, -1])
    return Tally(right, len(said) - right, len(true) - right)


def verbs_tally(reading: Reading, truth: Truth) -> dict[str, Tally]:
    """Facts apart by verb."""
    said, true = facts(retold(reading)), facts(truth.score)
    out: dict[str, Tally] = {}
    for fact in said | true:
        right = min(said[fact], true[fact])
        out[fact[1]] = out.get(fact[1], Tally()) + Tally(right, said[fact] - right, true[fact] - right)
    return out


def total(rows: Iterable[Tally]) -> Tally:
    """All clips together."""
    out = Tally()
    for row in rows:
        out = out + row
    return out


def interval(rows: Sequence[Tally], what: str, *, rounds: int = 1000, seed: int = 0) -> tuple[float, float]:
    """95 % interval of a property of the total, clips drawn again with replacement."""
    rng = np.random.default_rng(seed)
    drawn = [getattr(total(rows[i] for i in rng.integers(len(rows), size=len(rows))), what) for _ in range(rounds)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)
