"""How the next word is chosen from two conditionals of one decoder (M-ACM's motion-synergetic decoding, and others).

The conditionals differ in what of the memory they see: all tokens, motion tokens alone, or keyframe tokens alone. Both
are one batched step, so every choice but greedy costs the same.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from export.mechanisms.telling import Choose, greedy

#: weight of the first expert; strength of the contrast, and the share of the best word's probability that it asks for
SHARE, CONTRAST, PLAUSIBLE = 0.5, 0.3, 0.1
#: M-ACM's published numbers (README of its repository): weights of the five terms, the head set's share, the power
ALPHA, BETA, THETA = (0.5, 0.2, 0.4, 0.8, 0.3), 0.2, 2.0


def experts(logits: Tensor) -> Tensor:
    """Product of experts."""
    said = F.log_softmax(logits, -1)
    return SHARE * said[0] + (1 - SHARE) * said[1]


def contrastive(logits: Tensor) -> Tensor:
    """What all tokens say, against what keyframes alone would have said."""
    said = F.log_softmax(logits, -1)
    score = (1 + CONTRAST) * said[0] - CONTRAST * said[1]
    return torch.where(likely(said[0].exp(), PLAUSIBLE), score, -torch.inf)


def likely(p: Tensor, share: float) -> Tensor:
    """The head set: words at least `share` times as likely as the likeliest.

    The published rule, p >= share (1 + S), may leave no word at all.
    """
    return p >= share * p.amax(-1, keepdim=True)


def synergy(logits: Tensor) -> Tensor:
    """M-ACM's synergy score [B,V]: confidence, mean, disagreement, coupling and gap of both paths, on the head set.

    The terms' roles are published (exponential, mean, logarithm, power, square), their formulas are not.
    """
    p, q = F.softmax(logits, -1)
    gap = (p - q).abs()
    a = ALPHA
    sure = ((p.exp() - 1) + (q.exp() - 1)) / (2 * (torch.e - 1))
    score = a[0] * sure + a[1] * (p + q) / 2 - a[2] * torch.log1p(gap) + a[3] * (p * q) ** (1 / THETA) - a[4] * gap**2
    return torch.where(likely(p, BETA), score, -torch.inf)


DECODINGS: dict[str, tuple[tuple[str, ...], Choose]] = {
    "greedy": (("all",), greedy),
    "greedy, motion tokens alone": (("motion",), greedy),
    "greedy, keyframe tokens alone": (("key",), greedy),
    "product of experts": (("all", "motion"), experts),
    "contrastive": (("all", "key"), contrastive),
    "synergetic": (("all", "motion"), synergy),
}
