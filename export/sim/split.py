"""What training may never see: 20 % of the (finger, motion, contact) combinations, and the test programs' scores.

Pure functions of one committed seed; nothing is drawn at run time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache

from edge.score import FINGERS, FingerEvent, Score, expand, signature

#: Names the split; another seed is another benchmark.
SPLIT_SEED = 2026
#: Share of combinations that only test programs contain, and of score signatures that are kept for testing.
HELD_OUT, TEST_SHARE = 0.20, 0.10

Combination = tuple[str, str, str]

_LONG = FINGERS[1:]
#: Every (finger, motion, contact) that the program generator can make; whole-hand motions are never held out,
#: for they have one combination only and would never be learnt.
COMBINATIONS: tuple[Combination, ...] = tuple(
    (finger, motion, contact)
    for motion, pairs in {
        "curl": [(f, "") for f in FINGERS],
        "extend": [(f, "") for f in FINGERS],
        "spread": [(f, "") for f in FINGERS],
        "close": [(f, "") for f in FINGERS],
        "pinch": [*((f, "thumb") for f in _LONG), *((f, "object") for f in _LONG[:3])],
        "release": [
            *((f, "thumb") for f in _LONG), *((f, "object") for f in FINGERS), *((f, "palm") for f in _LONG),
            ("thumb", "index"), ("thumb", "middle"),
        ],
        "tap": [
            *((f, "") for f in FINGERS), *((f, "thumb") for f in _LONG), *((f, "surface") for f in _LONG),
            ("thumb", "index"), ("thumb", "middle"),
        ],
        "touch": [
            *((f, "palm") for f in _LONG), ("index", "thumb"), ("middle", "thumb"), ("thumb", "index"),
            ("thumb", "middle"),
        ],
        "slide": [
            *((f, "palm") for f in _LONG), *((f, "surface") for f in _LONG), ("index", "thumb"), ("middle", "thumb"),
            ("thumb", "index"), ("thumb", "middle"),
        ],
        "rotate": [("thumb", ""), ("index", ""), ("middle", "")],
        "hold": [
            *((f, "thumb") for f in _LONG), *((f, "palm") for f in _LONG), *((f, "object") for f in _LONG[:3]),
            ("thumb", "index"), ("thumb", "middle"),
        ],
        "point": [("index", "")],
        "swipe": [("thumb", "index"), ("thumb", "middle")],
        "flick": [(f, "thumb") for f in _LONG],
    }.items()
    for finger, contact in pairs
)  # fmt: skip


def _hash(text: str) -> float:
    """0..1, uniform, the same everywhere."""
    return int.from_bytes(hashlib.sha256(f"{SPLIT_SEED}:{text}".encode()).digest()[:8], "big") / 2**64


#: What any model must have seen: bends of every finger, and the commonest contacts.
EVERYDAY = frozenset(
    [
        *((f, m, "") for f in FINGERS for m in ("curl", "extend")),
        *((f, m, "thumb") for f in ("index", "middle") for m in ("pinch", "release")),
        *(("index", m, c) for m, c in (("point", ""), ("tap", ""), ("tap", "thumb"), ("touch", "thumb"))),
        *(("thumb", m, "index") for m in ("tap", "touch", "swipe", "slide", "release")),
        # a knob needs thumb and index together: without one of them the motion would never be seen
        ("thumb", "rotate", ""),
        ("index", "rotate", ""),
    ]
)


def _kin(combination: Combination) -> tuple[str, str]:
    """Combinations that differ in the finger only (or in the finger that the thumb meets)."""
    finger, motion, contact = combination
    return motion, "finger" if finger == "thumb" and contact in FINGERS else contact


@lru_cache(maxsize=1)
def held_out() -> frozenset[Combination]:
    """The combinations that are never trained: 20 % of all, never more than half of those that are kin."""
    ranked = sorted(COMBINATIONS, key=lambda c: _hash("/".join(c)))
    room = {_kin(c): sum(_kin(o) == _kin(c) for o in COMBINATIONS) // 2 for c in COMBINATIONS}
    kept: list[Combination] = []
    for most in (1, 2):  # first one of each kin, then a second until 20 % are reached
        for combination in ranked:
            kin = _kin(combination)
            taken = sum(_kin(k) == kin for k in kept)
            enough = len(kept) >= round(HELD_OUT * len(COMBINATIONS))
            if combination not in EVERYDAY and combination not in kept and taken < min(most, room[kin]) and not enough:
                kept.append(combination)
    return frozenset(kept)


def combinations_of(event: FingerEvent) -> set[Combination]:
    """The (finger, motion, contact) that an event consists of."""
    return {(part, event.motion, event.contact) for part, _ in expand([event])}


def split_of(event: FingerEvent) -> str:
    """ "test" when an event contains a combination that training must not see, else "train"."""
    return "test" if combinations_of(event) & held_out() else "train"


def split_of_score(score: Iterable[FingerEvent]) -> str:
    """ "test" or "train" by the score's signature; "held" for scores that belong to neither.

    Held are scores with a held-out combination whose signature is not a test signature: training may not see
    them, and a test set made of them would be nothing but held-out combinations.
    """
    score = tuple(score)
    if _hash(repr(signature(score))) < TEST_SHARE:
        return "test"
    return "held" if any(split_of(e) == "test" for e in score) else "train"


def digest(scores: Iterable[Score]) -> str:
    """sha256 of scores with their times in milliseconds."""
    out = hashlib.sha256()
    for score in scores:
        for e in score:
            row = (e.hand, e.motion, e.fingers, e.direction, e.contact, e.extent, e.speed, e.repeat)
            out.update(repr((row, round(e.start * 1000), round(e.end * 1000))).encode())
        out.update(b"\n")
    return out.hexdigest()
