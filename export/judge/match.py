"""Event match: which predicted finger events are which reference events (DESIGN.md section 8).

Events are expanded per finger. Two finger events may match when (hand, finger, motion) are equal and their times
agree: intersection over union >= 0.3, or both ends within 200 ms. Matching is one-to-one and largest possible
(Hungarian); `rest` does not count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from scipy.optimize import linear_sum_assignment

from edge.score import FingerEvent, expand, iou

#: Binding for all issues.
MIN_IOU = 0.3
END_TOLERANCE_S = 0.2
#: What may be right or wrong about a matched event; direction and contact only where either side has one.
ATTRIBUTES = ("direction", "contact", "extent", "speed", "repeat")

Key = tuple[str, str, str]  #: hand, finger (or "hand"), motion
_A = TypeVar("_A")
_B = TypeVar("_B")


@dataclass(frozen=True, slots=True)
class Counts:
    """What precision, recall and F1 are made of; sums over clips are micro-averages.

    Attributes: matched, reference and predicted count finger events; attributes: name -> (right, judged).
    """

    matched: int = 0
    reference: int = 0
    predicted: int = 0
    attributes: dict[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def precision(self) -> float:
        """Of what was said, how much is so; 1 where nothing was said."""
        return self.matched / self.predicted if self.predicted else 1.0

    @property
    def recall(self) -> float:
        """Of what is so, how much was said; 1 where there was nothing to say."""
        return self.matched / self.reference if self.reference else 1.0

    @property
    def f1(self) -> float:
        """Harmonic mean; 1 where there was nothing to say and nothing was said."""
        total = self.reference + self.predicted
        return 2 * self.matched / total if total else 1.0

    def accuracy(self, attribute: str) -> float | None:
        """Share of matches whose attribute is right; None where none was judged."""
        right, judged = self.attributes.get(attribute, (0, 0))
        return right / judged if judged else None

    def __add__(self, other: Counts) -> Counts:
        attributes = dict(self.attributes)
        for name, (right, judged) in other.attributes.items():
            mine = attributes.get(name, (0, 0))
            attributes[name] = (mine[0] + right, mine[1] + judged)
        return Counts(
            self.matched + other.matched,
            self.reference + other.reference,
            self.predicted + other.predicted,
            attributes,
        )


def key(part: str, event: FingerEvent) -> Key:
    """What must be equal for a match."""
    return event.hand, part, event.motion


def times_agree(a: FingerEvent, b: FingerEvent) -> bool:
    """The temporal half of an event match."""
    close = abs(a.start - b.start) <= END_TOLERANCE_S and abs(a.end - b.end) <= END_TOLERANCE_S
    return close or iou(a, b) >= MIN_IOU


def one_to_one(
    left: Sequence[_A], right: Sequence[_B], may: Callable[[_A, _B], bool], liking: Callable[[_A, _B], float]
) -> list[tuple[int, int]]:
    """The largest one-to-one matching of allowed pairs; among the largest, the one with most liking (0..1 a pair)."""
    if not left or not right:
        return []
    weight = np.zeros((len(left), len(right)))
    one_pair = min(len(left), len(right)) + 1.0  # a pair more outweighs every liking
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            if may(a, b):
                weight[i, j] = one_pair + liking(a, b)
    rows, columns = linear_sum_assignment(weight, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if weight[i, j] > 0]


def right_attributes(reference: FingerEvent, predicted: FingerEvent) -> dict[str, bool]:
    """Attribute -> right or wrong, for the attributes that this pair is judged by."""
    out: dict[str, bool] = {}
    for name in ATTRIBUTES:
        a, b = getattr(reference, name), getattr(predicted, name)
        if name not in ("direction", "contact") or a or b:
            out[name] = a == b
    return out


def tally(pairs: Iterable[tuple[FingerEvent, FingerEvent]]) -> dict[str, tuple[int, int]]:
    """Right and judged per attribute over matched pairs (reference, predicted)."""
    out: dict[str, tuple[int, int]] = {}
    for reference, predicted in pairs:
        for name, is_right in right_attributes(reference, predicted).items():
            right, judged = out.get(name, (0, 0))
            out[name] = (right + is_right, judged + 1)
    return out


def match_events(
    reference: Iterable[FingerEvent], predicted: Iterable[FingerEvent]
) -> tuple[list[tuple[int, int]], Counts]:
    """Pairs of places in the two expanded scores (`edge.score.expand`), and their counts."""
    said, true = list(expand(predicted)), list(expand(reference))
    pairs = one_to_one(
        true,
        said,
        lambda a, b: key(*a) == key(*b) and times_agree(a[1], b[1]),
        lambda a, b: iou(a[1], b[1]),
    )
    events = ((true[i][1], said[j][1]) for i, j in pairs)
    return pairs, Counts(len(pairs), len(true), len(said), tally(events))
