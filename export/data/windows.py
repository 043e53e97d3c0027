"""Which stretch of a clip a caption is about, and what the caption says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.captioner import BEGIN, END, SPECIALS
from edge.encoder import LAG
from edge.figop import REST_S
from edge.narrator import narrate, vocabulary, words
from edge.resample import TICK_HZ
from edge.score import HANDS, FingerEvent, Score

#: an event of which less is seen cannot be asked for, one of which more is seen must be told
SEEN_LEAST, SEEN_ENOUGH = 0.25, 0.6
_IDS = {word: i + len(SPECIALS) for i, word in enumerate(vocabulary())}


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """first, last: encoder ticks [first, last) that the captioner reads. text: what it is to say ("" = nothing)."""

    first: int
    last: int
    text: str


def ids_of(text: str) -> list[int]:
    """Token ids with begin and end."""
    return [BEGIN, *(_IDS[w] for w in words(text)), END]


def phrases(score: Sequence[FingerEvent], rest_s: float = REST_S) -> list[Score]:
    """Events between two rests of both hands."""
    out: list[list[FingerEvent]] = []
    until = -np.inf
    for event in sorted(score, key=lambda e: e.start):
        if event.start - until >= rest_s:
            out.append([])
        out[-1].append(event)
        until = max(until, event.end)
    return [tuple(p) for p in out]


def visible(score: Sequence[FingerEvent], present: NDArray[np.bool_]) -> list[tuple[FingerEvent, float]]:
    """Events with the share of their ticks at which the hand [T,2] was seen."""
    out = []
    for event in score:
        a, z = (int(x * TICK_HZ) for x in (event.start, event.end))
        seen = present[a : max(z, a + 1), HANDS.index(event.hand)]
        out.append((event, float(seen.mean()) if len(seen) else 0.0))
    return out


def draw(
    score: Score, present: NDArray[np.bool_], rng: np.random.Generator, paraphrases: float, most: int
) -> Window | None:
    """A random window of a clip with presence [T,2]: mostly one phrase, sometimes any stretch. None = unclear."""
    seen = [(e, share) for e, share in visible(score, present) if e.motion != "rest"]
    told = [e for e, share in seen if share >= SEEN_ENOUGH]
    unclear = [e for e, share in seen if SEEN_LEAST <= share < SEEN_ENOUGH]
    groups = phrases([e for e, _ in seen])
    if groups and rng.random() < 0.85:
        group = groups[int(rng.integers(len(groups)))]
        a = int(min(e.start for e in group) * TICK_HZ) - LAG + int(rng.integers(5, 16))
        z = int(max(e.end for e in group) * TICK_HZ) + int(rng.integers(8, 14))
    else:
        a = int(rng.integers(0, len(present) - 30))
        z = a + int(rng.integers(20, most))
    a, z = max(a, 0), min(z, len(present), max(a, 0) + most)
    inside: list[FingerEvent] = []
    begin, end = (a - LAG) / TICK_HZ, (z - LAG) / TICK_HZ
    for event in (*told, *unclear):
        share = (min(event.end, end) - max(event.start, begin)) / max(event.end - event.start, 1e-6)
        if share < SEEN_LEAST:
            continue
        if share < SEEN_ENOUGH or event not in told:
            return None
        inside.append(event)
    if z - a < 8:
        return None
    say = rng if rng.random() < paraphrases else None
    return Window(a, z, narrate(inside, rng=say) if inside else "")
