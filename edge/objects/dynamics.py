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
from edge.objects.contact import carried_frames, extent, pair_of, settled, spans
from edge.objects.event import PRESS_S, ObjectEvent, ObjectScore, order
from edge.objects.travel import approach, change, travels, turned_back, turns
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

    def kind(self, slot: int, start: float, end: float) -> str:
        """The grasp of a hand between two times, "" when it is not known."""
        ...


class _Teller:
    """Makes the events of the spans of one clip."""

    def __init__(self, clip: Clip, s: DynamicsSettings, view: str, grasps: Grasps | None) -> None:
        self.clip, self.s, self.view, self.grasps = clip, s, view, grasps
        self.events: list[ObjectEvent] = []

    def say(self, span: Span, verb: str, start: float, end: float, **more: Any) -> None:
        name = self.clip.names[span.thing]
        self.events.append(ObjectEvent(HANDS[span.slot], verb, name, start=start, end=max(start, end), **more))

    def reach(self, span: Span) -> None:
        if span.came:
            self.say(span, "reach", approach(self.clip, span, self.s), float(self.clip.t[span.first]))

    def touch(self, span: Span) -> None:
        """A span that held nothing."""
        start, end = float(self.clip.t[span.first]), float(self.clip.t[span.last])
        long = end - start >= PRESS_S
        if end - start < self.s.press_s:
            return
        if not span.came or (not long and not (span.went and turned_back(self.clip, span, self.s))):
            return
        self.reach(span)
        self.say(span, "touch" if long else "press", start, end)

    def hold(self, span: Span, *, taken: bool = True, given: float | None = None, height: float = 0.0) -> float:
        """A span that held; `taken` = by its own reach and grasp; given = when the thing went to the other hand.

        height: how far the thing was lifted before; returned: how far it is at the end.
        """
        clip, s, t = self.clip, self.s, self.clip.t
        start, end = float(t[span.first]), float(t[span.last])
        grip_end = min(end, start + s.close_s)
        if taken:
            self.reach(span)
            if span.came:
                kind = self.grasps.kind(span.slot, grip_end, end) if self.grasps else ""
                self.say(span, "grasp", start, grip_end, grasp=kind)
        let_go = end - s.open_s if span.went and given is None else end
        first = int(np.searchsorted(t, start + 0.5 * s.close_s))
        last = int(np.searchsorted(t, let_go, side="right")) - 1
        if span.opened:
            a, b = change(clip, span)
            self.say(span, "open" if span.opened > 1 else "close", a, b)
        else:
            # what was held from the start may have been lifted before
            height = self._carried(span, first, last, height if span.came or height else s.lift)
        if span.went and given is None:
            self.say(span, "release", max(start, let_go), end)
        return height

    def _carried(self, span: Span, first: int, last: int, height: float) -> float:
        clip, s = self.clip, self.s
        turned = turns(clip, span, first, last, s)
        for a, b, angle in turned:
            sign = (1 if angle > 0 else -1) * (1 if span.slot else -1)
            self.say(span, "turn", float(clip.t[a]), float(clip.t[b]), direction="cw" if sign > 0 else "ccw")
        rows = [
            (i, j, way) for i, j, way in travels(clip, span, first, last, self.view, s)
            if not any(min(j, b) - max(i, a) > 0.5 * (j - i) for a, b, _ in turned) or np.abs(way).max() > s.beyond
        ]  # fmt: skip
        for k, (i, j, way) in enumerate(rows):
            verb, direction = self._motion(way, height, k == 0, k == len(rows) - 1)
            if verb == "lift":
                height += way[1]
            elif verb == "put down":
                height = 0.0
            if verb:
                more = {"direction": direction} if direction else {}
                self.say(span, verb, float(clip.t[i]), float(clip.t[j]), **more)
        return height

    def _motion(self, way: Array, height: float, first: bool, last: bool) -> tuple[str, str]:
        """The verb and direction of a travel [3] right, up, forward; ("", "") when it is too small to be told."""
        right, up, forward = (float(v) for v in way)
        if height > 0 and up < 0 and last and abs(up) > 0.6 * max(abs(right), abs(forward)) and -up > 0.5 * self.s.lift:
            return "put down", ""
        if abs(up) >= max(abs(right), abs(forward)):
            if up >= self.s.lift:
                return "lift", ""
            return ("put down", "") if up <= -self.s.lift and height > 0 else ("", "")
        if max(abs(right), abs(forward)) < self.s.move:
            return "", ""
        if abs(right) >= abs(forward):
            return "move", "right" if right > 0 else "left"
        return "move", "forward" if forward > 0 else "backward"


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
    rows = settled(clip, spans(clip, s), s)
    teller = _Teller(clip, s, view, grasps)
    given: dict[int, tuple[Span, Span]] = {}
    for a in rows:
        for b in rows:
            if a.held and a.thing == b.thing and a.slot != b.slot and a.first < b.first <= a.last < b.last:
                after = replace(b, first=min(a.last + 1, b.last))
                pair = pair_of(clip, b.slot, b.thing, s)
                if pair and extent(clip, after, carried_frames(after, pair, s), s) >= s.follows:
                    given[rows.index(a)] = (a, b)
    receivers = {id(b) for _, b in given.values()}
    heights: dict[int, float] = {}
    for k, row in enumerate(rows):
        brushed = _frames(clip, float(clip.t[row.first]) - s.pad_s, float(clip.t[row.last]) + s.pad_s)
        contact[brushed, row.slot, row.thing] = True
        if id(row) in receivers:
            giver = next(a for a, b in given.values() if b is row)
            later = replace(row, first=min(giver.last, row.last), held=True)
            teller.hold(later, taken=False, height=heights.get(id(giver), 0.0))
            given_at = float(clip.t[giver.last]) - s.open_s + 1e-6
            held[_frames(clip, given_at, _until(clip, row, s)), row.slot, row.thing] = True
        elif k in given:
            a, b = given[k]
            heights[id(a)] = teller.hold(row, given=float(clip.t[b.first]))
            teller.say(row, "hand over", float(clip.t[b.first]), float(clip.t[a.last]))
            start = float(clip.t[row.first]) + s.close_s * 0.7
            held[_frames(clip, start, float(clip.t[a.last]) - s.open_s), row.slot, row.thing] = True
        elif row.held:
            teller.hold(row)
            start = float(clip.t[row.first]) + (s.close_s * 0.7 if row.came else 0.0)
            held[_frames(clip, start, _until(clip, row, s)), row.slot, row.thing] = True
        else:
            teller.touch(row)
    return Reading(contact, held, order(teller.events))


def _until(clip: Clip, span: Span, s: DynamicsSettings) -> float:
    return float(clip.t[span.last]) - (s.open_s if span.went else 0.0)


def _frames(clip: Clip, start: float, end: float) -> NDArray[np.bool_]:
    return np.asarray((clip.t >= start) & (clip.t <= end))
