"""A sentence as a vector: by the parser's score where the sentence is understood, by the text network otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import FigopError, RuntimeUnavailable, ScoreError
from edge.gestures.sentence import events_of
from edge.score import HANDS, Score
from export.corpus.minilm import PACKAGE, MiniLM
from export.corpus.towers import Towers, unit

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """vectors [K,D]: of either hand where the sentence leaves it open. how: "score" or "words". events: as parsed."""

    vectors: Array
    how: str
    events: Score = ()


class Asker:
    """Sentences -> vectors. The text network is loaded when the first sentence needs it."""

    def __init__(self, towers: Towers) -> None:
        self.towers = towers

    @cached_property
    def network(self) -> MiniLM:
        """Raises RuntimeUnavailable where the package is absent."""
        return MiniLM()

    def ask(self, sentence: str) -> Asked:
        """Raises FigopError for an empty sentence, RuntimeUnavailable where only the absent network could read it."""
        text = " ".join(sentence.split())
        if not text:
            raise FigopError('The sentence is empty: say what the fingers do, as in "the index finger bends".')
        try:
            scores = [events_of(text, hand) for hand in HANDS]
        except ScoreError as error:
            try:
                return Asked(self.towers.words(self.network([text])), "words")
            except RuntimeUnavailable:
                raise FigopError(f"{error} For free sentences: pip install {PACKAGE}.") from error
        if scores[0] == scores[1]:
            scores = scores[:1]
        vectors = np.stack([self.towers.score(s) for s in scores])
        return Asked(unit(vectors), "score", scores[-1])
