"""The motion score: what each finger does, and when. The pivot of the whole system.

The simulator performs a score, the narrator writes it as text, the judge parses text back to it,
the recogniser predicts its attributes, a robot policy reads it. The four attribute groups follow the
four semantic dimensions of fine-grained guidance (FG-SGL): part, motion, contact, manner.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from edge.errors import ScoreError

HANDS = ("left", "right")
FINGERS = ("thumb", "index", "middle", "ring", "pinky")
#: Whole-hand motions carry no fingers; the judge counts them under this name.
WHOLE_HAND = "hand"
#: What a finger may touch. `body` of a finger = its middle segment or side, not its tip.
CONTACTS = ("thumb", "index", "middle", "ring", "pinky", "palm", "object", "surface", "other_hand")
EXTENTS = ("small", "half", "full")
SPEEDS = ("slow", "normal", "fast")

SIDE_DIRECTIONS = ("left", "right", "up", "down", "forward", "backward")
TURN_DIRECTIONS = ("cw", "ccw")
SLIDE_DIRECTIONS = ("tip", "base", "across")


@dataclass(frozen=True, slots=True)
class Motion:
    """One word of the closed motion list.

    Attributes:
        name: the word.
        meaning: kinematic definition that simulator, rules and judge share.
        fingers: smallest and largest number of fingers it may name; (0, 0) = always the whole hand.
        directions: allowed directions; empty = the motion has none. A motion with directions must carry one.
        contacts: allowed contact targets; empty = none allowed.
        needs_contact: whether a contact target must be given.
    """

    name: str
    meaning: str
    fingers: tuple[int, int]
    directions: tuple[str, ...] = ()
    contacts: tuple[str, ...] = ()
    needs_contact: bool = False


_FINGER_CONTACTS = ("thumb", "index", "middle", "ring", "pinky")

MOTIONS: Mapping[str, Motion] = {
    m.name: m
    for m in (
        Motion("curl", "the finger's summed flexion grows by 30 degrees or more", (1, 5), contacts=("palm", "object")),
        Motion("extend", "the finger's summed flexion falls by 30 degrees or more", (1, 5)),
        Motion("spread", "neighbouring fingers move apart sideways", (2, 5)),
        Motion("close", "neighbouring fingers move together sideways", (2, 5)),
        Motion(
            "pinch",
            "the tip of each named finger meets the tip of the thumb and stays there",
            (1, 4),
            contacts=("thumb", "object"),
            needs_contact=True,
        ),
        Motion(
            "release",
            "the named fingers leave what they touched",
            (1, 5),
            contacts=(*_FINGER_CONTACTS, "palm", "object"),
            needs_contact=True,
        ),
        Motion(
            "tap",
            "a quick touch and lift (under 300 ms); without a target, in the air",
            (1, 5),
            contacts=CONTACTS,
        ),
        Motion("touch", "the tip comes to rest on the target", (1, 5), contacts=CONTACTS, needs_contact=True),
        Motion(
            "slide",
            "the tip moves along (towards tip or base) or across the target while touching it",
            (1, 4),
            directions=SLIDE_DIRECTIONS,
            contacts=CONTACTS,
            needs_contact=True,
        ),
        Motion(
            "rotate",
            "the hand (no fingers named) or the named fingers turn about the forearm's axis; "
            "cw as the person sees it, looking from the elbow along the forearm (as one drives a screw in)",
            (0, 5),
            directions=TURN_DIRECTIONS,
        ),
        Motion("point", "the index finger straightens, or stays straight, while the other fingers fold", (1, 1)),
        Motion("hold", "the pose reached stays as it is for half a second or more", (0, 5), contacts=CONTACTS),
        Motion("wave", "the hand swings from side to side, twice or more", (0, 0)),
        Motion(
            "swipe",
            "the hand (no fingers named) or the thumb on its target moves quickly in one direction",
            (0, 1),
            directions=SIDE_DIRECTIONS,
            contacts=_FINGER_CONTACTS,
        ),
        Motion("grab", "all fingers fold together into a fist or around an object", (0, 0), contacts=("object",)),
        Motion("open", "all fingers straighten together from a folded hand", (0, 0)),
        Motion("flick", "the named finger snaps straight, off the thumb", (1, 1), contacts=("thumb",)),
        Motion("rest", "nothing moves", (0, 0)),
    )
}

#: Hand-object verbs: the second closed list, filled by `edge.objects` and whoever narrates objects.
OBJECT_VERBS = (
    "reach", "touch", "grasp", "lift", "move", "put down", "release", "hand over", "turn", "press", "open", "close",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class FingerEvent:
    """One thing that one hand does.

    Attributes:
        hand: "left" or "right", the person's anatomical hand.                       part
        motion: a name of `MOTIONS`.                                                 motion
        fingers: named fingers in thumb-to-pinky order; empty = the whole hand.      part
        direction: in the person's own directions (see `MOTIONS`), or "".            motion
        contact: what is touched or left, or "".                                     contact
        extent: "small", "half" or "full".                                           manner
        speed: "slow", "normal" or "fast".                                           manner
        repeat: how many times in a row, >= 1.                                       manner
        start, end: seconds of the source, end >= start.
        confidence: 0..1.
        source: who read it, "model" or "rules", where one recogniser has both; not written with the event.
    """

    hand: str
    motion: str
    fingers: tuple[str, ...] = ()
    direction: str = ""
    contact: str = ""
    extent: str = "full"
    speed: str = "normal"
    repeat: int = 1
    start: float = 0.0
    end: float = 0.0
    confidence: float = 1.0
    source: str = field(default="", compare=False)

    def parts(self) -> tuple[str, ...]:
        """The names that the judge expands this event to: its fingers, or the whole hand."""
        return self.fingers or (WHOLE_HAND,)

    def moved(self, start: float, end: float) -> FingerEvent:
        """The same event at another time."""
        return replace(self, start=start, end=end)

    def to_dict(self) -> dict[str, Any]:
        """As it stands in JSON lines: attributes that say nothing are left out, times rounded to 1 ms."""
        out: dict[str, Any] = {"hand": self.hand, "motion": self.motion}
        if self.fingers:
            out["fingers"] = list(self.fingers)
        if self.direction:
            out["direction"] = self.direction
        if self.contact:
            out["contact"] = self.contact
        out |= {"extent": self.extent, "speed": self.speed, "repeat": self.repeat}
        out |= {"start": round(self.start, 3), "end": round(self.end, 3), "confidence": round(self.confidence, 3)}
        return out

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> FingerEvent:
        """Inverse of `to_dict`. Raises ScoreError for unknown keys or values."""
        fields = [name for name in cls.__dataclass_fields__ if name != "source"]
        unknown = set(row) - set(fields)
        if unknown:
            known = ", ".join(fields)
            raise ScoreError(f"A finger event has the unknown key {sorted(unknown)[0]!r}; known keys are {known}.")
        try:
            event = cls(**{**row, "fingers": tuple(row.get("fingers", ()))})
        except TypeError as error:
            raise ScoreError(f"A finger event needs at least a hand and a motion, found {dict(row)!r}.") from error
        check(event)
        return event


Score = tuple[FingerEvent, ...]


def check(event: FingerEvent) -> None:
    """Raise ScoreError, in one sentence, when an event is not in the vocabulary."""
    if event.hand not in HANDS:
        raise ScoreError(f"The hand must be left or right, found {event.hand!r}.")
    motion = MOTIONS.get(event.motion)
    if motion is None:
        raise ScoreError(f"The motion {event.motion!r} is not in the vocabulary: {', '.join(MOTIONS)}.")
    if list(event.fingers) != [f for f in FINGERS if f in event.fingers]:
        raise ScoreError(f"Fingers must be a sub-list of {', '.join(FINGERS)} in that order, found {event.fingers!r}.")
    low, high = motion.fingers
    if not low <= len(event.fingers) <= high:
        raise ScoreError(f"{event.motion} names {low} to {high} fingers, found {len(event.fingers)}.")
    if event.direction not in (motion.directions or ("",)):
        allowed = ", ".join(motion.directions) or "no direction"
        raise ScoreError(f"{event.motion} takes {allowed}, found {event.direction!r}.")
    if event.contact and event.contact not in motion.contacts:
        raise ScoreError(f"{event.motion} cannot have the contact {event.contact!r}.")
    if event.motion == "pinch" and "thumb" in event.fingers:
        raise ScoreError("A pinch names the fingers that meet the thumb, not the thumb itself.")
    if event.contact in event.fingers:
        raise ScoreError(f"A finger cannot be its own contact: {event.contact!r}.")
    if motion.needs_contact and not event.contact:
        raise ScoreError(f"{event.motion} needs a contact: one of {', '.join(motion.contacts)}.")
    if event.extent not in EXTENTS or event.speed not in SPEEDS or event.repeat < 1:
        raise ScoreError(f"Extent, speed or repeat is out of range: {event.extent}, {event.speed}, {event.repeat}.")
    if not event.end >= event.start:
        raise ScoreError(f"An event must not end before it starts: {event.start} to {event.end} s.")


def order(events: Iterable[FingerEvent]) -> Score:
    """A score in its canonical order: by start, end, hand, motion, fingers."""
    return tuple(sorted(events, key=lambda e: (e.start, e.end, e.hand, e.motion, e.fingers)))


def expand(score: Iterable[FingerEvent]) -> Iterator[tuple[str, FingerEvent]]:
    """Each (finger, event) pair; the unit that all metrics count. `rest` does not count."""
    for event in score:
        if event.motion != "rest":
            for part in event.parts():
                yield part, event


def iou(a: FingerEvent, b: FingerEvent) -> float:
    """Temporal intersection over union of two events, 0..1."""
    union = max(a.end, b.end) - min(a.start, b.start)
    return max(0.0, min(a.end, b.end) - max(a.start, b.start)) / union if union > 0 else float(a.start == b.start)


def signature(score: Iterable[FingerEvent]) -> tuple[tuple[Any, ...], ...]:
    """What a score says without its times: the key that keeps training and test programs apart."""
    return tuple((e.hand, e.motion, e.fingers, e.direction, e.contact, e.repeat) for e in order(score))
