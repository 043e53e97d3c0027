"""The four semantic dimensions of an event as closed lists of values: part, motion, contact, manner."""

from __future__ import annotations

from collections.abc import Iterable

from edge.score import CONTACTS, EXTENTS, FINGERS, MOTIONS, SPEEDS, WHOLE_HAND, FingerEvent

DIMENSIONS = ("part", "motion", "contact", "manner")
_TIMES = ("once", "twice", "several times")


def _motions() -> tuple[str, ...]:
    kinds = (m for m in MOTIONS.values() if m.name != "rest")
    return tuple(f"{m.name} {d}".strip() for m in kinds for d in (m.directions or ("",)))


#: every value of each dimension
VALUES: dict[str, tuple[str, ...]] = {
    "part": (*FINGERS, WHOLE_HAND),
    "motion": _motions(),
    "contact": ("nothing", *CONTACTS),
    "manner": (*_TIMES, *EXTENTS, *SPEEDS),
}


def values_of(event: FingerEvent) -> dict[str, tuple[str, ...]]:
    """The values that an event has: several fingers are several values of `part`."""
    return {
        "part": event.parts(),
        "motion": (f"{event.motion} {event.direction}".strip(),),
        "contact": (event.contact or "nothing",),
        "manner": (_TIMES[min(event.repeat, 3) - 1], event.extent, event.speed),
    }


def merged(events: Iterable[FingerEvent]) -> dict[str, tuple[str, ...]]:
    """The values of all events together, in order, each once."""
    rows = [values_of(e) for e in events]
    return {d: tuple(dict.fromkeys(v for row in rows for v in row[d])) for d in DIMENSIONS}


def said(dimension: str, value: str) -> str:
    """A value in words, for a text network."""
    if dimension == "part":
        return "the whole hand" if value == WHOLE_HAND else f"the {value} finger" if value != "thumb" else "the thumb"
    if dimension == "motion":
        name, _, direction = value.partition(" ")
        ways = {"tip": "towards the fingertip", "base": "towards the base of the finger", "across": "across the finger",
                "cw": "clockwise", "ccw": "counterclockwise"}  # fmt: skip
        text = f"{name}: {MOTIONS[name].meaning}"
        return f"{text}; {ways.get(direction, direction)}" if direction else text
    if dimension == "contact":
        if value == "nothing":
            return "touches nothing, in the air"
        where = {"palm": "the palm", "object": "an object", "surface": "a surface", "other_hand": "the other hand"}
        return f"touches {where.get(value, 'the ' + value + ('' if value == 'thumb' else ' finger'))}"
    return {"small": "a small motion", "half": "half of the way", "full": "all the way", "slow": "slowly",
            "normal": "at a normal pace", "fast": "quickly"}.get(value, value)  # fmt: skip
