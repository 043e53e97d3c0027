"""Detections over time -> things that keep their identity: name, and a box in every frame where that can be known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.objects.detections import Detection, Detections

Array = NDArray[Any]

#: A box belongs to a thing of its name when they overlap this much, or lie nearer than this many of its own sizes.
SAME_IOU, SAME_GAP = 0.15, 1.2
#: A thing unseen for longer is another one when it comes back, seconds; hands hide what they hold for seconds.
LOST_S = 3.0
#: Holes up to this long are bridged in a straight line; longer ones stay as the box was last seen.
BRIDGE_S = 1.5
#: A thing is believed in once it was seen so often, or this surely.
SEEN, SURE = 3, 0.85


@dataclass(slots=True)
class Thing:
    """One thing: its name, and the boxes as seen (times [K] seconds, boxes [K,4] image fractions)."""

    label: str
    number: int
    times: list[float] = field(default_factory=list)
    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    best: float = 0.0
    count: int = 0

    @property
    def name(self) -> str:
        """As events call it: "cup", "cup 2"."""
        return self.label if self.number == 1 else f"{self.label} {self.number}"

    @property
    def believed(self) -> bool:
        """Whether it is more than a flicker of the detector."""
        return self.count >= SEEN or self.best >= SURE

    def at(self, times: Array) -> Array:
        """Boxes [T,4] at these times; NaN before the first sight and long after the last."""
        stamps, boxes = np.array(self.times), np.array(self.boxes).reshape(-1, 4)
        out = np.full((len(times), 4), np.nan)
        if not len(stamps):
            return out
        after = np.searchsorted(stamps, times, side="right")
        i = np.clip(after - 1, 0, len(stamps) - 1)
        j = np.clip(after, 0, len(stamps) - 1)
        gap = stamps[j] - stamps[i]
        part = np.where((gap > 0) & (gap <= BRIDGE_S), (times - stamps[i]) / np.maximum(gap, 1e-9), 0.0)
        known = (after > 0) & (times - stamps[i] <= LOST_S)
        out[known] = (boxes[i] + part[:, None] * (boxes[j] - boxes[i]))[known]
        early = (after == 0) & (stamps[0] - times <= 0.25)  # detectors that look now and then begin late
        out[early] = boxes[0]
        return out


class Things:
    """The things of a stream. Feed instants in order; `known` are those worth speaking of."""

    def __init__(self) -> None:
        self.all: list[Thing] = []

    @property
    def known(self) -> list[Thing]:
        """Believed things, in the order in which they were first seen."""
        return [t for t in self.all if t.believed]

    def push(self, seen: Detections) -> None:
        """Give each detection to its thing; what belongs to none begins one."""
        t = seen.t_ns * 1e-9
        live = [x for x in self.all if x.times and t - x.times[-1] <= LOST_S]
        alone = {d.label for d in seen.objects if sum(o.label == d.label for o in seen.objects) == 1}
        single = {x.label for x in live if sum(o.label == x.label for o in self.all) == 1}
        pairs = sorted(
            ((_far(thing, d), k, n) for n, d in enumerate(seen.objects) for k, thing in enumerate(live)
             if thing.label == d.label)
        )  # fmt: skip
        taken_things: set[int] = set()
        taken: set[int] = set()
        for far, k, n in pairs:
            # the only one of its name is the same wherever it went
            if (far < 1.0 or live[k].label in alone & single) and k not in taken_things and n not in taken:
                taken_things.add(k)
                taken.add(n)
                _add(live[k], t, seen.objects[n])
        for n, detection in enumerate(seen.objects):
            if n not in taken:
                same = [x for x in self.all if x.label == detection.label]
                back = [x for x in same if x not in live and not any(x is live[k] for k in taken_things)]
                # the only one of its name that was lost is it again
                thing = back[0] if len(back) == 1 and len(same) == 1 else Thing(detection.label, len(same) + 1)
                if thing not in same:
                    self.all.append(thing)
                _add(thing, t, detection)

    def forget(self, before: float) -> None:
        """Drop sights older than this, seconds; the newest of each thing stays."""
        for thing in self.all:
            keep = max(0, min(int(np.searchsorted(thing.times, before)), len(thing.times) - 1))
            del thing.times[:keep], thing.boxes[:keep]


def _add(thing: Thing, t: float, detection: Detection) -> None:
    if thing.times and t <= thing.times[-1]:
        return
    thing.times.append(t)
    thing.boxes.append(detection.box)
    thing.best, thing.count = max(thing.best, detection.score), thing.count + 1


def _far(thing: Thing, detection: Detection) -> float:
    """Below 1 = may be the same: 0 for boxes that lie on one another."""
    a, b = np.array(thing.boxes[-1]), np.array(detection.box)
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    both = float(np.prod(np.clip(high - low, 0, None)))
    area = float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - both
    share = both / max(area, 1e-12)
    if share > SAME_IOU:
        return 0.5 * (1 - share)
    size = float(np.sqrt(np.prod(a[2:] - a[:2])))
    gap = float(np.linalg.norm((a[:2] + a[2:] - b[:2] - b[2:]) / 2)) / max(size, 1e-6)
    return 0.5 + 0.5 * gap / SAME_GAP
