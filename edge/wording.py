"""How a captioner's next word is chosen: from one conditional, or from two of the same decoder.

The conditionals differ in what of the memory they see: all tokens, motion tokens alone, or keyframe tokens alone. Two
of them cost two steps a word. M-ACM's motion-synergetic decoding is one way (arXiv 2510.24767), beside the usual
baselines; which is used is a bundle's choice (`decoding` in `student.json`), measured in docs/mechanisms.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: weight of the first expert; strength of the contrast, and the share of the best word's probability that it asks for
SHARE, CONTRAST, PLAUSIBLE = 0.5, 0.3, 0.1
#: M-ACM's published numbers (README of its repository): weights of the five terms, the head set's share, the power
ALPHA, BETA, THETA = (0.5, 0.2, 0.4, 0.8, 0.3), 0.2, 2.0


@dataclass(frozen=True, slots=True)
class Wording:
    """views: the conditionals, each "all", "motion" or "key". choose: their log-probabilities [C,...,V] -> scores."""

    views: tuple[str, ...]
    choose: Callable[[Array], Array]


def log_softmax(logits: Array) -> Array:
    """Over the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def greedy(said: Array) -> Array:
    """The likeliest word of the first conditional."""
    return np.asarray(said[0])


def experts(said: Array) -> Array:
    """Product of experts."""
    return np.asarray(SHARE * said[0] + (1 - SHARE) * said[1])


def contrastive(said: Array) -> Array:
    """What all tokens say, against what keyframes alone would have said."""
    score = (1 + CONTRAST) * said[0] - CONTRAST * said[1]
    return np.where(likely(np.exp(said[0]), PLAUSIBLE), score, -np.inf)


def likely(p: Array, share: float) -> Array:
    """The head set: words at least `share` times as likely as the likeliest.

    The published rule, p >= share (1 + S), may leave no word at all.
    """
    return np.asarray(p >= share * p.max(axis=-1, keepdims=True))


def synergy(said: Array) -> Array:
    """M-ACM's synergy score: confidence, mean, disagreement, coupling and gap of both paths, on the head set.

    The terms' roles are published (exponential, mean, logarithm, power, square), their formulas are not.
    """
    p, q = np.exp(said)
    gap = np.abs(p - q)
    a = ALPHA
    sure = (np.expm1(p) + np.expm1(q)) / (2 * np.expm1(1.0))
    score = a[0] * sure + a[1] * (p + q) / 2 - a[2] * np.log1p(gap) + a[3] * (p * q) ** (1 / THETA) - a[4] * gap**2
    return np.where(likely(p, BETA), score, -np.inf)


WORDINGS: Mapping[str, Wording] = {
    "greedy": Wording(("all",), greedy),
    "experts": Wording(("all", "motion"), experts),
    "contrastive": Wording(("all", "key"), contrastive),
    "synergetic": Wording(("all", "motion"), synergy),
}
