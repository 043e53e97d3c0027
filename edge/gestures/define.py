"""A gesture by a sentence, or by the events that a sentence would name: where its threshold lies, what it is like."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from edge.bundle import Bundle
from edge.gestures.background import Background, standing
from edge.gestures.reader import shipped
from edge.gestures.sentence import events_of
from edge.gestures.store import Gesture, GestureError, GestureStore
from edge.narrator import narrate
from edge.score import HANDS, FingerEvent

#: score from which a pose is held, or a sentence is meant where nothing is known of other motions: docs/gestures.md
DEFINED = 0.5
_ONE_HAND = re.compile(r"\b(the) right (?!hand\b)", re.IGNORECASE)


def needs_student(bundle: Bundle) -> None:
    """Raises GestureError for a bundle whose captions come from rules alone."""
    if bundle.source != "model":
        raise GestureError(
            f"{bundle.name} has no trained student, and gestures are read from one: use figop-base or one made of it."
        )


def placed(gesture: Gesture, weights: str, threshold: float | None = None) -> Gesture:
    """The gesture with its sentence held against the background of other motions; others as they are."""
    if gesture.kind != "sentence":
        return gesture
    typical, least = standing(gesture.events, _background(weights), shipped())
    return replace(gesture, typical=typical, threshold=threshold or least)


def by_sentence(name: str, sentence: str, bundle: Bundle) -> Gesture:
    """A gesture that a sentence describes. Raises GestureError, or ScoreError naming the words that are understood."""
    needs_student(bundle)
    events_of(sentence)
    return placed(Gesture(name, "sentence", DEFINED, " ".join(sentence.split())), bundle.weights_digest)


def by_events(name: str, events: Iterable[FingerEvent], bundle: Bundle) -> Gesture:
    """A gesture of these events, in order; of one hand's, whichever hand performs it. Raises GestureError."""
    score = tuple(events)
    if len({e.hand for e in score}) == 1:
        score = tuple(replace(e, hand=HANDS[1]) for e in score)
    text = narrate(score, detail="detailed")
    for sentence in (_ONE_HAND.sub(r"\1 ", text), text):
        if _said(events_of(sentence)) == _said(score):
            return by_sentence(name, sentence, bundle)
    raise GestureError(f"These events say {text!r}, which does not say all of them: define the gesture by a sentence.")


def alike(gesture: Gesture, store: GestureStore) -> str:
    """A gesture of the store that says the same, or ""."""
    same = (g for g in store if g.kind == gesture.kind == "sentence" and g.events() == gesture.events())
    return next((str(g.name) for g in same), "")


@cache
def _background(weights: str) -> Background | None:
    return Background.load(weights)


def _said(score: Iterable[FingerEvent]) -> list[FingerEvent]:
    """What events say, without when and how surely."""
    return [replace(e, start=0.0, end=0.0, confidence=1.0, source="") for e in score]
