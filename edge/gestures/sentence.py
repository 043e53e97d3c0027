"""A gesture in words: the narrator's parser turns a sentence into events, whichever hand they are done with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import get_close_matches

from edge.errors import ScoreError
from edge.narrator import not_understood, parse, vocabulary
from edge.score import Score

#: a hand without a side: "the hand waves"
_HAND = re.compile(r"\b(?:(?:the|a|your|my)\s+)?(?<!left )(?<!right )(?<!other )(hand)\b", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+")
#: what a refusal names, where the vocabulary has it
_CORE = (
    *("thumb", "index", "middle", "ring", "pinky", "hand", "palm", "pinches", "taps", "touches", "slides", "swipes"),
    *("bends", "straightens", "flicks", "spread", "opens", "waves", "turns", "left", "right", "forward", "backward"),
    *("tip", "base", "clockwise", "twice", "slowly", "quickly"),
)


def events_of(sentence: str, hand: str = "right") -> Score:
    """The events that a sentence names, in ordinal times; a hand that it leaves open is `hand`.

    Raises ScoreError, listing the words that are understood, for a sentence that says nothing or is not understood.
    """
    text = " ".join(sentence.split())
    if not text:
        raise ScoreError(f"The sentence is empty: say what the fingers do, with words such as {_some(())}.")
    sided = _HAND.sub(f"the {hand} hand", text)
    for version in (text, sided):
        try:
            events = tuple(e for e in parse(version, hand=hand) if e.motion != "rest")
        except ScoreError:
            continue
        if events:
            return events
    missed = [m for m in not_understood(sided) if m] or [text]
    words = _WORD.findall(" ".join(missed).lower())
    raise ScoreError(f"{missed[0]!r} was not understood; words that are understood: {_some(words)}.")


def _some(asked: Sequence[str]) -> str:
    """Words of the vocabulary, those near to what was asked first."""
    known = [w for w in vocabulary() if w.isalpha() and len(w) > 2]
    near = [m for word in asked for m in get_close_matches(word, known, 2, 0.7)]
    return ", ".join(dict.fromkeys([*near, *(w for w in _CORE if w in known)]))
