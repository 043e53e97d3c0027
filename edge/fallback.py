"""The student with the rules at its side: a second opinion where it doubts, a stand-in where it sees nothing.

Both read every frame. The student alone opens and closes phrases, and tells what it is sure of. An event that it
doubts is told only where the rules read the same motion of the same fingers at the same time, and then in the rules'
name; a doubt that nobody shares is silence. Where the student names nothing in a phrase that it opened, the rules may
speak for it, if they are sure enough.

That holds for landmarks that a tracker read from pictures. Where a bundle says so for a kind of landmarks, the rules
speak first and the student where they are silent: figop-base's do for a headset's joints, for real recordings of such
are read better by the rules (docs/results.md).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from edge.confidence import softened
from edge.features import Pose
from edge.hands.frame import HandFrame, hands_in
from edge.rules import RuleRecogniser
from edge.score import MOTIONS, FingerEvent, Score, iou, order
from edge.student import StudentRecogniser

#: The rules confirm an event that they read with at least this temporal IoU: their times are off by 0.1 s.
SAME_IOU = 0.2

#: Kinds of landmarks by what a frame has: world and image both, world alone (headsets), image alone.
BOTH, JOINTS, IMAGE = "both", "joints", "image"
#: of sources that a bundle may name for the rules to speak first
KINDS = (JOINTS, IMAGE)


@dataclass(frozen=True, slots=True)
class FallbackSettings:
    """When the rules are asked; chosen by `python -m export.fallback` on rendered clips apart from every test set.

    Attributes:
        sure: confidence from which the student's events are told unasked, 0..1; 0 = always.
        trust: mean confidence (0..1) that the rules' reading of a phrase needs where the student names nothing;
            1 = they never speak alone (no rule is surer than 0.95).
        temperature: of a caption's confidence, by which it is the share of such captions that are right; chosen by
            `python -m export.judge.reliability --fit` on simulated programs apart from every test set.
        rules_first: kinds of landmarks (`KINDS`) that the rules read first.
    """

    sure: float = 0.8
    trust: float = 1.0
    temperature: float = 1.0
    rules_first: tuple[str, ...] = ()

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> FallbackSettings:
        """As a bundle's student.json holds them. Raises AttributeError, TypeError or ValueError."""
        first = tuple(stored.get("rules_first", ()))
        if unknown := sorted(set(first) - set(KINDS)):
            raise ValueError(f"rules_first names {unknown[0]!r}, which is none of {', '.join(KINDS)}")
        return cls(**{k: float(v) for k, v in stored.items() if k != "rules_first"}, rules_first=first)


def kind_of(frame: HandFrame) -> str:
    """What landmarks a frame's first hand has; "" where there is none."""
    for slot in hands_in(frame):
        world, image = (math.isfinite(a.item(slot, 0, 0)) for a in (frame.world, frame.landmarks))
        return BOTH if world and image else JOINTS if world else IMAGE
    return ""


def choose(model: Score, rules: Score, settings: FallbackSettings) -> Score:
    """What is told of a phrase, given both readings of it; every event says whose it is."""
    if not model:
        mean = sum(e.confidence for e in rules) / len(rules) if rules else 0.0
        return tuple(replace(e, source="rules") for e in rules) if rules and mean >= settings.trust else ()
    told = [
        replace(event, source="model") if event.confidence >= settings.sure else confirmed(event, rules)
        for event in model
    ]
    return order(event for event in told if event is not None)


def confirmed(event: FingerEvent, rules: Iterable[FingerEvent]) -> FingerEvent | None:
    """The part of an event that the rules read too, in their name; None where they do not."""
    same = [r for r in rules if (r.hand, r.motion) == (event.hand, event.motion) and iou(r, event) >= SAME_IOU]
    if not same:
        return None
    seen = {finger for r in same for finger in r.fingers}
    fingers = tuple(f for f in event.fingers if f in seen)
    if len(fingers) < max(MOTIONS[event.motion].fingers[0], bool(event.fingers)):
        return None
    return replace(event, fingers=fingers, source="rules")


def filled(rules: Score, model: Score) -> Score:
    """The rules' events, and the student's where they read nothing of these fingers; every event says whose it is."""
    free = (e for e in model if not any(_meet(e, r) for r in rules))
    return order([*(replace(r, source="rules") for r in rules), *(replace(e, source="model") for e in free)])


def _meet(a: FingerEvent, b: FingerEvent) -> bool:
    """Whether two events are of the same fingers, or of the whole hand, at the same time."""
    parts = not a.fingers or not b.fingers or bool(set(a.fingers) & set(b.fingers))
    return a.hand == b.hand and parts and min(a.end, b.end) > max(a.start, b.start)


class FallbackRecogniser:
    """Student and rules over one stream, as one recogniser (`edge.recognisers.Recogniser`)."""

    source = "model"

    def __init__(
        self, model: StudentRecogniser, rules: RuleRecogniser, settings: FallbackSettings | None = None
    ) -> None:
        self.model, self.rules = model, rules
        self.settings = settings or FallbackSettings()
        self._own = False
        self._first = False

    @property
    def atoms(self) -> int:
        """Changes whenever the reading of either may have changed."""
        return self.model.atoms + self.rules.atoms

    def push(self, frame: HandFrame) -> tuple[Pose | None, Pose | None]:
        """Read one frame; returns the poses that it held."""
        if kind := kind_of(frame):
            self._first = kind in self.settings.rules_first
        return self.model.push(frame, self.rules.push(frame))

    def moved_at(self) -> float:
        """When a hand was last seen to act, by the student (phrases are its own) or by the rules where they lead."""
        moved = self.model.moved_at()
        return max(moved, self.rules.moved_at()) if self._first else moved

    def score(self, *, final: bool) -> Score:
        """What is told of the running phrase so far."""
        own = self.model.score(final=final)
        if self._first:
            self._own = False
            return filled(self.rules.score(final=final), own)
        asked = not own or any(event.confidence < self.settings.sure for event in own)
        # at the end of a phrase the rules close what is under way and remember what lies on the thumb
        other = self.rules.score(final=final) if final or asked else ()
        told = choose(own, other, self.settings)
        self._own = not asked
        return told

    def certainty(self, confidence: float) -> float:
        """A caption's confidence: events are judged one by one, and a caption is wrong with any of them."""
        return softened(confidence, self.settings.temperature)

    def words(self) -> tuple[str, float] | None:
        """The student's own words, where it is sure of all that it read."""
        return self.model.words() if self._own else None

    def forget(self, before: float = math.inf) -> None:
        """Drop what was before this time (seconds)."""
        self.model.forget(before)
        self.rules.forget(before)

    def reset(self) -> None:
        """A new stream."""
        self.model.reset()
        self.rules.reset()
        self._own = self._first = False
