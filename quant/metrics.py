"""How far two runs of the same thing are apart."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Decibels that equal signals are given: more than float32 can hold.
EQUAL_DB = 200.0


class Snr:
    """Signal-to-noise ratio over many arrays, decibels."""

    def __init__(self) -> None:
        self.signal = self.noise = 0.0

    def add(self, wanted: NDArray[Any], found: NDArray[Any]) -> None:
        """One more pair of equal shape; anything not finite is infinite noise."""
        a, b = wanted.astype(np.float64), found.astype(np.float64)
        apart = float(((a - b) ** 2).sum())
        self.signal += float((a**2).sum())
        self.noise += apart if math.isfinite(apart) else math.inf

    @property
    def db(self) -> float:
        """-EQUAL_DB..EQUAL_DB; a signal of zeros that stays zeros is equal."""
        if self.noise == 0:
            return EQUAL_DB
        if self.signal == 0 or math.isinf(self.noise):
            return -EQUAL_DB
        return max(-EQUAL_DB, min(EQUAL_DB, 10 * math.log10(self.signal / self.noise)))


def agreement(a: Iterable[Hashable], b: Iterable[Hashable]) -> tuple[int, int]:
    """(things in both, counted with their number, and mean number of things): their ratio is F1."""
    left, right = Counter(a), Counter(b)
    return 2 * sum((left & right).values()), sum(left.values()) + sum(right.values())


def equal_places(a: Sequence[int], b: Sequence[int]) -> tuple[int, int]:
    """(places with the same token, length of the longer)."""
    return sum(x == y for x, y in zip(a, b, strict=False)), max(len(a), len(b))


def in_order(a: Sequence[Hashable], b: Sequence[Hashable]) -> tuple[int, int]:
    """(places that line up when insertions and deletions are left out, counted in both; length of both)."""
    blocks = SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks()
    return 2 * sum(block.size for block in blocks), len(a) + len(b)


def share(pairs: Iterable[tuple[int, int]]) -> float:
    """Sum of the first over sum of the second; 1 of nothing."""
    got = [(x, y) for x, y in pairs]
    total = sum(y for _, y in got)
    return sum(x for x, _ in got) / total if total else 1.0
