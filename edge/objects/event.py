"""What a hand does with a thing: `ObjectEvent`, the second closed list beside the finger motions of `edge.score`.

Simulator, reader, narrator and judge share these meanings:

| verb | meaning |
| --- | --- |
| reach | the hand goes to a thing and ends at it |
| touch | fingers rest on a thing for 0.6 s or more and do not take it |
| press | a finger goes onto a thing and leaves it within 0.6 s; the thing stays where it is |
| grasp | the hand closes on a thing so that the thing will follow it |
| lift | the held thing goes up, 3 cm or more |
| move | the held thing goes sideways, forward or backward, 5 cm or more |
| turn | the held thing turns with the hand about the forearm, 30 degrees or more; cw as the person sees it |
| put down | the held thing comes down and stays there when the hand lets go |
| release | the hand lets go of the thing |
| hand over | one hand gives the held thing to the other; the giver's release and the receiver's grasp are part of it |
| open, close | the hand moves a part of a thing whose rest stays: a lid, a drawer, a door |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edge.errors import ScoreError
from edge.score import HANDS, OBJECT_VERBS, TURN_DIRECTIONS

MOVE_DIRECTIONS = ("left", "right", "forward", "backward")
GRASPS = ("power", "pinch", "lateral", "hook", "flat")
#: verb -> its directions; every other verb has none.
DIRECTIONS: Mapping[str, tuple[str, ...]] = {"move": MOVE_DIRECTIONS, "turn": TURN_DIRECTIONS}
#: A touch that ends sooner is a press, seconds.
PRESS_S = 0.6


@dataclass(frozen=True, slots=True)
class ObjectEvent:
    """One thing that one hand does with one object.

    Attributes:
        hand: "left" or "right", the person's anatomical hand.
        verb: one of `OBJECT_VERBS`.
        object: its name as the detector says it, with a number from 2 on where there are more ("cup", "cup 2").
        grasp: of a grasp, one of `GRASPS`, or "" when it is not known.
        direction: of move and turn, in the person's own directions, or "".
        start, end: seconds of the source, end >= start.
        confidence: 0..1.
    """

    hand: str
    verb: str
    object: str
    grasp: str = ""
    direction: str = ""
    start: float = 0.0
    end: float = 0.0
    confidence: float = 1.0

    def to_dict(self) -> dict[str, Any]:
        """As it stands in JSON lines: attributes that say nothing are left out, times rounded to 1 ms."""
        out: dict[str, Any] = {"hand": self.hand, "verb": self.verb, "object": self.object}
        if self.grasp:
            out["grasp"] = self.grasp
        if self.direction:
            out["direction"] = self.direction
        return {
            **out, "start": round(self.start, 3), "end": round(self.end, 3), "confidence": round(self.confidence, 3)
        }  # fmt: skip

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> ObjectEvent:
        """Inverse of `to_dict`. Raises ScoreError for unknown keys or values."""
        unknown = set(row) - set(cls.__dataclass_fields__)
        if unknown:
            raise ScoreError(f"An object event has the unknown key {sorted(unknown)[0]!r}.")
        try:
            event = cls(**row)
        except TypeError as error:
            raise ScoreError(f"An object event needs a hand, a verb and an object, found {dict(row)!r}.") from error
        check(event)
        return event

    def fact(self) -> tuple[str, str, str, str, str]:
        """What it says without its time."""
        return self.hand, self.verb, self.object, self.grasp, self.direction


ObjectScore = tuple[ObjectEvent, ...]


def check(event: ObjectEvent) -> None:
    """Raise ScoreError, in one sentence, when an event is not in the vocabulary."""
    if event.hand not in HANDS:
        raise ScoreError(f"The hand must be left or right, found {event.hand!r}.")
    if event.verb not in OBJECT_VERBS:
        raise ScoreError(f"The verb {event.verb!r} is not in the vocabulary: {', '.join(OBJECT_VERBS)}.")
    if not isinstance(event.object, str) or name_of(event.object) != event.object:
        raise ScoreError(f"An object's name must be words in lower case, found {event.object!r}.")
    if event.grasp and (event.verb != "grasp" or event.grasp not in GRASPS):
        raise ScoreError(f"{event.verb} cannot have the grasp {event.grasp!r}; a grasp is {', '.join(GRASPS)}.")
    if event.direction not in DIRECTIONS.get(event.verb, ("",)):
        allowed = ", ".join(DIRECTIONS.get(event.verb, ("no direction",)))
        raise ScoreError(f"{event.verb} takes {allowed}, found {event.direction!r}.")
    if not event.end >= event.start:
        raise ScoreError(f"An event must not end before it starts: {event.start} to {event.end} s.")


def name_of(label: str) -> str:
    """A detector's label as an object's name: words of letters, digits and hyphens in lower case, one space apart."""
    kept = "".join(c if c.isalnum() or c == "-" else " " for c in label.lower())
    return " ".join(kept.split()) or "thing"


def order(events: Iterable[ObjectEvent]) -> ObjectScore:
    """A score in its canonical order: by start, end, hand, verb."""
    return tuple(sorted(events, key=lambda e: (e.start, e.end, e.hand, e.verb, e.object, e.direction)))


def said(events: Iterable[ObjectEvent]) -> ObjectScore:
    """What a text says of a score: the order instead of seconds, no confidence; event k spans k .. k+1."""
    return tuple(replace(e, start=float(k), end=float(k + 1), confidence=1.0) for k, e in enumerate(order(events)))
