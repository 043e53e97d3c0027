"""What the pipeline says: typed events, one JSON line each (schema: `edge/schemas/events.schema.json`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Union

from edge.objects.event import ObjectScore
from edge.score import FingerEvent, Score

EVENT_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class _Event:
    """Fields that every event has.

    Attributes:
        id: names the thing spoken of; a later revision of it carries the same id.
        t_start, t_end: seconds of the source.
        revision: counts up from 0 as a provisional event is revised.
        final: nothing with this id follows.
        source: "model", "rules", "tracker" or "objects".
        stages_ms: milliseconds per stage, measured; not part of what the event says.
        age_ms: milliseconds from the newest frame's arrival to this event; measured likewise.
    """

    type: ClassVar[str] = ""
    id: str
    t_start: float
    t_end: float
    revision: int = 0
    final: bool = True
    confidence: float = 1.0
    source: str = "rules"
    stages_ms: dict[str, float] = field(default_factory=dict, compare=False)
    age_ms: float = field(default=0.0, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """One JSON line: plain types, times rounded to 1 ms."""
        return {
            "type": self.type,
            "schema": EVENT_SCHEMA,
            "id": self.id,
            "revision": self.revision,
            "final": self.final,
            "t_start": round(self.t_start, 3),
            "t_end": round(self.t_end, 3),
            "confidence": round(float(self.confidence), 3),
            "source": self.source,
            "stages_ms": {k: round(v, 3) for k, v in self.stages_ms.items()},
            "age_ms": round(self.age_ms, 3),
        }


@dataclass(frozen=True, slots=True)
class HandsSeen(_Event):
    """The set of hands in view changed. `hands` maps side to track id."""

    type: ClassVar[str] = "hands_seen"
    hands: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        return {**_Event.to_dict(self), "hands": dict(self.hands)}


@dataclass(frozen=True, slots=True)
class GestureStart(_Event):
    """A finger motion has begun; early, and revisable until its GestureEnd (same id)."""

    type: ClassVar[str] = "gesture_start"
    hand: str = ""
    label: str = ""
    event: FingerEvent | None = None

    def to_dict(self) -> dict[str, Any]:
        out = {**_Event.to_dict(self), "hand": self.hand, "label": self.label}
        return {**out, "event": self.event.to_dict()} if self.event else out


@dataclass(frozen=True, slots=True)
class GestureEnd(GestureStart):
    """A finger motion is over: final class, start and end."""

    type: ClassVar[str] = "gesture_end"


@dataclass(frozen=True, slots=True)
class Caption(_Event):
    """Text for a phrase; provisional while the phrase runs, final at its end.

    `objects`: what hands do with things, in captions of the source "objects"; others have none.
    """

    type: ClassVar[str] = "caption"
    text: str = ""
    score: Score = ()
    objects: ObjectScore = ()

    def to_dict(self) -> dict[str, Any]:
        out = {**_Event.to_dict(self), "text": self.text, "score": [e.to_dict() for e in self.score]}
        return {**out, "objects": [e.to_dict() for e in self.objects]} if self.objects else out


@dataclass(frozen=True, slots=True)
class Dropped(_Event):
    """Frames that were not used, and why. `count` = how many of this reason so far."""

    type: ClassVar[str] = "dropped"
    reason: str = ""
    count: int = 0

    def to_dict(self) -> dict[str, Any]:
        return {**_Event.to_dict(self), "reason": self.reason, "count": self.count}


Event = Union[HandsSeen, GestureStart, GestureEnd, Caption, Dropped]  # noqa: UP007
