"""How long after a motion its final caption comes, in the source's time, and how often a phrase is cut apart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edge.figop import REST_S
from edge.score import FingerEvent, Score, order

#: end of motion -> final caption, seconds: what 95 % of the captions must keep
DELAY_BAR_S = 0.4


@dataclass(frozen=True, slots=True)
class Delays:
    """Of one clip or of several (they add up).

    Attributes:
        seconds: for every final caption that matched something and did not merely come with the end of the stream:
            when it was told, less the end of the last true event that had begun by then in the phrases that it tells
            of. Negative = that event was still under way.
        phrases: true phrases that some caption matched. captions: final captions of them, one for each phrase told of.
    """

    seconds: tuple[float, ...] = ()
    phrases: int = 0
    captions: int = 0

    def __add__(self, other: Delays) -> Delays:
        return Delays(
            self.seconds + other.seconds, self.phrases + other.phrases, self.captions + other.captions
        )  # fmt: skip

    def row(self) -> dict[str, Any]:
        """Figures as JSON."""
        out: dict[str, Any] = {"captions": len(self.seconds)}
        if self.seconds:
            p50, p90, p95 = np.percentile(self.seconds, [50, 90, 95])
            out |= {"p50_s": round(float(p50), 3), "p90_s": round(float(p90), 3), "p95_s": round(float(p95), 3)}
            out["while_moving"] = sum(s < 0 for s in self.seconds)
        return out | {"phrases": self.phrases, "cut_apart": self.captions - self.phrases}


def phrases(score: Score) -> list[tuple[float, float]]:
    """(start, end) of the stretches of a score between rests of `REST_S` or more."""
    out: list[tuple[float, float]] = []
    for event in order(e for e in score if e.motion != "rest"):
        if out and event.start < out[-1][1] + REST_S:
            out[-1] = (out[-1][0], max(out[-1][1], event.end))
        else:
            out.append((event.start, event.end))
    return out


def delays(reference: Score, matched: Mapping[int, Iterable[FingerEvent]], told: Sequence[float]) -> Delays:
    """Of one clip.

    Args:
        matched: caption -> the true events that it matched.
        told: for each caption, the time at which it was told; NaN = with the end of the stream.
    """
    spans = phrases(reference)
    events = [e for e in reference if e.motion != "rest"]
    hits = {k: {_span(spans, e) for e in found} for k, found in matched.items()}
    seconds = []
    for k, spoken in sorted(hits.items()):
        begun = [e.end for e in events if e.start < told[k] and _span(spans, e) in spoken]
        if begun and not math.isnan(told[k]):
            seconds.append(told[k] - max(begun))
    return Delays(tuple(seconds), len(set().union(*hits.values())), sum(len(spoken) for spoken in hits.values()))


def _span(spans: Sequence[tuple[float, float]], event: FingerEvent) -> int:
    """The phrase that an event lies in."""
    return next(i for i, (start, end) in enumerate(spans) if start <= event.start <= end)
