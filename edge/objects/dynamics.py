"""Hands and boxes over time -> who touches and who holds what, frame by frame, and the object events.

All lengths are in palm lengths of the hand in question, all speeds in palm lengths a second, so that the distance of
the camera does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.objects.clip import Clip, DynamicsSettings, Span
from edge.objects.contact import decided, motions, rested, spans
from edge.objects.event import GRASPS, ObjectEvent, ObjectScore, order
from edge.objects.touch import MOTIONS, likely
from edge.objects.travel import approach, turned_back
from edge.score import HANDS

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """contact, held [T,2,N] bool, and the events."""

    contact: Array
    held: Array
    score: ObjectScore


class Grasps(Protocol):
    """What the grasp head says of a hand over time (`edge.objects.grasp.GraspTrace`)."""

    def grasp(self, slot: int, start: float, end: float) -> Array | None:
        """How likely each of `GRASPS` is for a hand between two times, None when it was not looked at."""
        ...

    def evidence(self, times: Array) -> Array:
        """[T,2] log-odds that each hand holds something at these times, 0 where nothing was looked at."""
        ...


class _Teller:
    """Makes the events of the spans of one clip."""

    def __init__(self, clip: Clip, s: DynamicsSettings, view: str, grasps: Grasps | None, said: Array) -> None:
        self.clip, self.s, self.view, self.grasps, self.said = clip, s, view, grasps, said
        self.events: list[ObjectEvent] = []

    def say(self, span: Span, verb: str, start: float, end: float, **more: Any) -> None:
        name = self.clip.names[span.thing]
        self.events.append(ObjectEvent(HANDS[span.slot], verb, name, start=start, end=max(start, end), **more))

    def reach(self, span: Span) -> None:
        if span.came:
            self.say(span, "reach", approach(self.clip, span, self.s), float(self.clip.t[span.first]))

    def touch(self, span: Span) -> None:
        """A span that held nothing."""
        verb = rested(self.said, span, self.s)
        if verb and span.came and (verb == "touch" or (span.went and turned_back(self.clip, span, self.s))):
            self.reach(span)
            self.say(span, verb, float(self.clip.t[span.first]), float(self.clip.t[span.last]))

    def hold(self, span: Span, *, taken: bool = True, given: bool = False) -> None:
        """A span that held: `taken` by its own reach and grasp, `given` to the other hand at its end."""
        clip, s, t = self.clip, self.s, self.clip.t
        start, end = float(t[span.first]), float(t[span.last])
        if taken:
            self.reach(span)
            if span.came:
                self.say(span, "grasp", start, min(end, start + s.close_s), grasp=self._kind(span))
        let_go = end - s.open_s if span.went and not given else end
        for i, j, verb, way in motions(clip, self.said, span, s):
            self.say(span, verb, float(t[i]), float(t[j]), direction=way)
        if span.went and not given:
            self.say(span, "release", max(start, let_go), end)

    def _kind(self, span: Span) -> str:
        """The grasp of a hold, "" when none is likely enough."""
        p = self.said[span.first : span.last + 1, span.slot, span.thing, 2 + len(MOTIONS) :].mean(axis=0)
        t = self.clip.t
        seen = self.grasps.grasp(span.slot, float(t[span.first]), float(t[span.last])) if self.grasps else None
        p = p if seen is None else p * seen
        p = p / max(float(p.sum()), 1e-9)
        return GRASPS[int(p.argmax())] if p.max() >= self.s.grasp else ""


def _with_token(holds: Array, odds: Array) -> Array:
    """How likely each hand holds each thing [T,2,N] when the token's log-odds [T,2] count too."""
    p = np.clip(holds, 1e-6, 1 - 1e-6)
    more = 1 / (1 + np.exp(-(np.log(p / (1 - p)) + odds[..., None])))
    return np.asarray(np.where(holds > 0, more, 0.0))


def read(
    clip: Clip,
    *,
    view: str = "facing",
    settings: DynamicsSettings | None = None,
    grasps: Grasps | None = None,
) -> Reading:
    """Contact, holding and events of a clip."""
    s = settings or DynamicsSettings()
    shape = (len(clip.t), 2, len(clip.names))
    contact, held = np.zeros(shape, bool), np.zeros(shape, bool)
    if len(clip.t) < 4 or not clip.names:
        return Reading(contact, held, ())
    said = likely(clip, view)
    if s.token and grasps is not None:
        said[..., 1] = _with_token(said[..., 1], s.token * grasps.evidence(clip.t))
    contact, held = decided(clip, said, s)
    rows = spans(clip, contact, held, said, s)
    teller = _Teller(clip, s, view, grasps, said)
    given = [
        (a, b) for a in rows for b in rows
        if a.held and b.held and a.thing == b.thing and a.slot != b.slot and a.first < b.first <= a.last < b.last
    ]  # fmt: skip
    for row in rows:
        giver = next((a for a, b in given if b is row), None)
        taker = next((b for a, b in given if a is row), None)
        if not row.held:
            teller.touch(row)
            continue
        own = row if giver is None else replace(row, first=min(giver.last, row.last))
        teller.hold(own, taken=giver is None, given=taker is not None)
        if taker is not None:
            teller.say(row, "hand over", float(clip.t[taker.first]), float(clip.t[row.last]))
    return Reading(contact, held, order(teller.events))
