"""Sentences about still hands: "The index finger is held up, the other fingers are folded." -> a shape.

The score has motions alone, so the narrator's parser knows no poses; geometry reads them (`edge.gestures.shapes`).
"""

from __future__ import annotations

import re

from edge.gestures.shapes import Shape
from edge.score import FINGERS

_UP = r"(?:held up|straight|straightened|extended|stretched|stretched out)"
_DOWN = r"(?:folded|bent|folded in|curled)"
_CLAUSE = re.compile(r"[.;]|, (?=the )|\bwhile\b")
_TOUCH = re.compile(r"(?:the )?tips of (?:the )?thumb and (?:the )?(\w+)(?: finger)? touch")
_STATE = re.compile(rf"(.+?) (?:is|are) ({_UP}|{_DOWN})")


def pose_of(sentence: str) -> Shape | None:
    """The pose that a sentence describes to its last word, None where it describes none.

    "The other fingers" are those that are not named; the thumb counts among them only where it is named.
    """
    straight: list[str] = []
    bent: list[str] = []
    touch = rest = ""
    for clause in (c.strip() for c in _CLAUSE.split(" ".join(sentence.lower().split()))):
        if not clause:
            continue
        if found := _TOUCH.fullmatch(clause):
            touch = found[1]
            if touch not in FINGERS[1:]:
                return None
            continue
        found = _STATE.fullmatch(clause)
        if not found:
            return None
        up = re.fullmatch(_UP, found[2]) is not None
        if re.fullmatch(r"(?:all )?(?:the )?other fingers", found[1]):
            rest = "up" if up else "down"
            continue
        named = _fingers(found[1])
        if not named:
            return None
        (straight if up else bent).extend(named)
    if not (straight or bent or touch):
        return None
    others = [f for f in FINGERS[1:] if f not in (*straight, *bent, touch)] if rest else []
    (straight if rest == "up" else bent).extend(others)
    return Shape(straight=_ordered(straight), bent=_ordered(bent), touch=touch)


def _fingers(text: str) -> list[str]:
    words = [w for w in re.split(r"[\s,]+", text) if w not in ("the", "and", "finger", "fingers", "right", "left")]
    return words if words and all(w in FINGERS for w in words) else []


def _ordered(fingers: list[str]) -> tuple[str, ...]:
    return tuple(f for f in FINGERS if f in fingers)
