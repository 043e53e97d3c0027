"""How other motions score: what a sentence is compared with, and what must not be taken for it.

Two kinds of spans, simulated, of one student and one finger reader. Other motions of the vocabulary: heads say little
of combinations that they never saw, so a sentence's score is held against its typical score on them. Everyday hands,
which reach, carry and fidget: of hours of them, those spans that look most like any gesture; a threshold lies above.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.gestures.match import Matcher
from edge.gestures.reader import Reader
from edge.score import HANDS, Score

Array = NDArray[np.float32]

#: made by `python -m export.gestures.background` for one student and reader, which it names
BACKGROUND = Path(__file__).with_name("background.npz")
#: a threshold is so many times the most that everyday reaches, and lies between these bounds. Spans are kept as twelve
#: stretches each, which takes a fifth of their peaks.
ABOVE, LEAST, MOST = 1.5, 0.04, 0.9
FLOOR = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Spans of motions that are not asked for.

    Attributes:
        rows [N,T,7,R], read [N,T,P] uint8: probabilities times 255, as student and reader say them; hand [N].
        everyday [N] bool: of everyday hands, else other motions of the vocabulary. hours: how many of everyday were
            looked through. weights: of the student; reader: digest of the reader's.
    """

    rows: NDArray[np.uint8]
    read: NDArray[np.uint8]
    hand: NDArray[np.uint8]
    everyday: NDArray[np.bool_]
    hours: float
    weights: str
    reader: str

    def to_bytes(self) -> bytes:
        """As one .npz."""
        packed = io.BytesIO()
        np.savez_compressed(packed, **{n: np.asarray(getattr(self, n)) for n in self.__slots__})
        return packed.getvalue()

    @classmethod
    def load(cls, weights: str, path: Path = BACKGROUND) -> Background | None:
        """The background of a student, by the digest of its weights; None where none is known."""
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as d:
            if str(d["weights"]) != weights:
                return None
            return cls(d["rows"], d["read"], d["hand"], d["everyday"], float(d["hours"]), weights, str(d["reader"]))

    def spans(self, everyday: bool) -> list[tuple[Array, Array, int]]:
        """(rows, read, hand) of one kind."""
        return [
            (rows.astype(np.float32) / 255, read.astype(np.float32) / 255, int(hand))
            for rows, read, hand, kind in zip(self.rows, self.read, self.hand, self.everyday, strict=True)
            if bool(kind) == everyday
        ]

    def scores(self, sentence: Callable[[str], Score], reader: Reader | None, everyday: bool) -> Array:
        """Scores of a sentence, as either hand does it, on every span of a kind."""
        matchers = [Matcher([sentence(hand)], reader) for hand in HANDS]
        return np.array([matchers[h].best(matchers[h].traces(rows, read))[0] for rows, read, h in self.spans(everyday)])


def standing(
    sentence: Callable[[str], Score], background: Background | None, reader: Reader | None
) -> tuple[float, float]:
    """(typical log score, threshold) of a sentence; (0, 0.5) where no background is known.

    sentence: its events by the hand that does them.
    """
    if background is None:
        return 0.0, 0.5
    typical = float(np.log(background.scores(sentence, reader, everyday=False) + FLOOR).mean())
    most = float(background.scores(sentence, reader, everyday=True).max(initial=0.0))
    return typical, float(np.clip(ABOVE * most, LEAST, MOST))
