"""How other motions score: what a sentence is compared with, so that motions nobody was trained on stand a chance.

Heads say little of combinations that they never saw. A sentence's score is therefore held against its typical score on
a background of other motions (simulated ones of the training side), and its threshold lies where few of these reach.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.gestures.watch import sentence_score
from edge.score import HANDS, Score

#: made by `python -m export.gestures.background` for one student, which it names
BACKGROUND = Path(__file__).with_name("background.npz")
#: of the background's motions this share scores below the threshold, which stays between these bounds
QUIET, LEAST, MOST = 0.98, 0.2, 0.6
FLOOR = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Spans of other motions. rows [N,T,7,R] uint8, probabilities times 255; hand [N]; weights: of the student."""

    rows: NDArray[np.uint8]
    hand: NDArray[np.uint8]
    weights: str

    def to_bytes(self) -> bytes:
        """As one .npz."""
        packed = io.BytesIO()
        np.savez_compressed(packed, rows=self.rows, hand=self.hand, weights=np.asarray(self.weights))
        return packed.getvalue()

    @classmethod
    def load(cls, path: Path = BACKGROUND) -> Background | None:
        """None where there is none."""
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as d:
            return cls(d["rows"], d["hand"], str(d["weights"]))

    def scores(self, left: Score, right: Score) -> NDArray[np.float64]:
        """Score of a sentence, as either hand does it, on every span."""
        events = (left, right)
        return np.array(
            [
                sentence_score(events[h], rows.astype(np.float32) / 255)
                for rows, h in zip(self.rows, self.hand.tolist(), strict=True)
            ]
        )


def standing(sentence_events: tuple[Score, Score], weights: str, background: Background | None) -> tuple[float, float]:
    """(typical log score, threshold) of a sentence for a student; (0, 0.5) where no background of it is known."""
    if background is None or background.weights != weights:
        return 0.0, 0.5
    scores = background.scores(*sentence_events)
    threshold = float(np.clip(np.quantile(scores, QUIET), LEAST, MOST))
    return float(np.log(scores + FLOOR).mean()), threshold


def both_hands(events: object) -> tuple[Score, Score]:
    """A gesture's events for the left and for the right hand."""
    return tuple(events(hand) for hand in HANDS)  # type: ignore[operator,return-value]
