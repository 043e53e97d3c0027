"""Figures of spotting as SHREC'21 defines them: detection rate, false positives, Jaccard, and how early.

A hit has the truth's label and covers more than half of it; a wrong label over a truth is a misclassification; every
other detection (outside truths, too little of one, or a second one of the same) is a false positive. The Jaccard
index of a class is hits / (hits + missed + misclassified + false positives).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

#: share of the truth that a hit covers more than; intersection over union of the strict reading
COVERED, STRICT_IOU = 0.5, 0.5


@dataclass(frozen=True, slots=True)
class Span:
    """A gesture between two times (seconds). told: when it was first announced under this label, NaN = unknown."""

    label: str
    start: float
    end: float
    told: float = float("nan")


@dataclass(slots=True)
class Tally:
    """Counts of one class. wrong: truths of it that got another label; stray: wrong labels of this name elsewhere."""

    truths: int = 0
    hits: int = 0
    strict: int = 0
    wrong: int = 0
    stray: int = 0
    false: int = 0

    @property
    def jaccard(self) -> float:
        """Hits over everything that should or should not have been; 1 for a class that does not occur."""
        return self.hits / max(self.truths + self.false, 1) if self.truths + self.false else 1.0


def _shared(a: Span, b: Span) -> float:
    return max(0.0, min(a.end, b.end) - max(a.start, b.start))


def judge(truths: Sequence[Span], found: Sequence[Span], tallies: dict[str, Tally]) -> list[float]:
    """Count one stream into `tallies` (by label); returns the hits' delays, announcement minus onset, seconds."""
    for label in {s.label for s in (*truths, *found)}:
        tallies.setdefault(label, Tally())
    used: set[int] = set()
    hit_truths: set[int] = set()
    delays = []
    for k, truth in enumerate(truths):
        tally, length = tallies[truth.label], max(truth.end - truth.start, 1e-9)
        tally.truths += 1
        same = [
            (_shared(truth, f), i)
            for i, f in enumerate(found)
            if i not in used and f.label == truth.label and _shared(truth, f) / length > COVERED
        ]
        if same:
            shared, best = max(same)
            used.add(best)
            hit_truths.add(k)
            hit = found[best]
            tally.hits += 1
            union = max(truth.end, hit.end) - min(truth.start, hit.start)
            tally.strict += shared / max(union, 1e-9) >= STRICT_IOU
            if np.isfinite(hit.told):
                delays.append(hit.told - truth.start)
    missed = [t for k, t in enumerate(truths) if k not in hit_truths]
    confused: set[int] = set()
    for i, f in enumerate(found):
        if i in used:
            continue
        over = [k for k, t in enumerate(missed) if t.label != f.label and _shared(t, f) > 0]
        if over:
            tallies[f.label].stray += 1
            if over[0] not in confused:
                confused.add(over[0])
                tallies[missed[over[0]].label].wrong += 1
        else:
            tallies[f.label].false += 1
    return delays


def summary(tallies: dict[str, Tally], delays: Iterable[float]) -> dict[str, object]:
    """Figures over all classes that occur; rates are of the number of true gestures."""
    known = {k: t for k, t in tallies.items() if t.truths}
    total = Tally(*(sum(getattr(t, n) for t in tallies.values()) for n in Tally.__slots__))
    late = np.array(list(delays))
    return {
        "truths": total.truths,
        "detection_rate": round(total.hits / max(total.truths, 1), 4),
        "false_positive_rate": round(total.false / max(total.truths, 1), 4),
        "false_or_wrong_rate": round((total.false + total.stray) / max(total.truths, 1), 4),
        "jaccard": round(float(np.mean([t.jaccard for t in known.values()])) if known else 0.0, 4),
        "strict_iou_rate": round(total.strict / max(total.truths, 1), 4),
        "delay_ms_median": round(float(np.median(late)) * 1e3, 1) if len(late) else None,
        "delay_ms_p90": round(float(np.quantile(late, 0.9)) * 1e3, 1) if len(late) else None,
        "classes": {
            k: {"truths": t.truths, "hits": t.hits, "wrong": t.wrong, "false": t.false, "jaccard": round(t.jaccard, 3)}
            for k, t in sorted(known.items())
        },
    }
