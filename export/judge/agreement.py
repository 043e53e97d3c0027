"""How far two judges agree: on the captions of clips, and on which of two captions is the worse.

Protocol. (1) Ratings: both judges rate the same captions of the same clips; Spearman's and Kendall's rank correlation
(ties: average rank, tau-b), mean difference and mean absolute difference, 95 % intervals by bootstrap over clips.
(2) Mistakes: of each clip's true score the plain narration, and the narration of the score with one mistake (another
finger, hand, direction, contact, or order); a judge detects a mistake when it rates it below the true one. Detection
rate of each judge and kind, and the share of pairs about which both say the same.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import kendalltau, spearmanr

from edge.errors import ScoreError
from edge.narrator import narrate
from edge.score import FINGERS, MOTIONS, FingerEvent, Score, check, order
from export.judge.judge import Line, judge

KINDS = ("finger", "hand", "direction", "contact", "order")
BOOTSTRAPS = 1000
Rate = Callable[[Score, Sequence[Line]], float]  #: a judge: 0..10


def ratings(a: Sequence[float], b: Sequence[float], *, seed: int = 0) -> dict[str, Any]:
    """Agreement of two judges' ratings of the same clips; correlations are None where one of them never varies."""
    x, y = np.asarray(a, float), np.asarray(b, float)
    out: dict[str, Any] = {"clips": len(x), "spearman": None, "kendall": None, "interval_95": None}
    if len(x) != len(y) or not len(x):
        return out
    out["mean_difference"] = round(float((y - x).mean()), 3)
    out["mean_absolute_difference"] = round(float(np.abs(y - x).mean()), 3)
    if len(x) < 3 or x.std() == 0 or y.std() == 0:
        return out
    out["spearman"] = round(float(spearmanr(x, y).statistic), 4)
    out["kendall"] = round(float(kendalltau(x, y).statistic), 4)
    rng = np.random.default_rng(seed)
    drawn = (rng.integers(0, len(x), len(x)) for _ in range(BOOTSTRAPS))
    rho = [float(spearmanr(x[i], y[i]).statistic) for i in drawn if x[i].std() > 0 and y[i].std() > 0]
    out["interval_95"] = [round(float(np.percentile(rho, q)), 4) for q in (2.5, 97.5)]
    return out


def mistaken(score: Score, kind: str, rng: np.random.Generator) -> Score | None:
    """The score with one mistake of this kind; None where it has no room for one."""
    true = [e for e in score if e.motion != "rest"]
    if kind == "order":
        pairs = [
            (a, b) for a in true for b in true if a.end <= b.start and _facts(a) != _facts(b)
        ]  # fmt: skip
        if not pairs:
            return None
        a, b = pairs[int(rng.integers(len(pairs)))]
        rest = [e for e in true if e is not a and e is not b]
        return order([*rest, a.moved(b.start, b.end), b.moved(a.start, a.end)])
    choices = [(i, wrong) for i, e in enumerate(true) for wrong in _variants(e, kind)]
    choices = [(i, w) for i, w in choices if _facts(w) not in {_facts(e) for e in true}]
    if not choices:
        return None
    i, wrong = choices[int(rng.integers(len(choices)))]
    return order([*true[:i], wrong, *true[i + 1 :]])


def _facts(e: FingerEvent) -> tuple[object, ...]:
    return e.hand, e.motion, e.fingers, e.direction, e.contact


def _variants(event: FingerEvent, kind: str) -> list[FingerEvent]:
    if kind == "hand":
        out = [replace(event, hand="left" if event.hand == "right" else "right")]
    elif kind == "finger":
        out = [
            replace(event, fingers=tuple(f for f in FINGERS if f in {*event.fingers, new} - {old}))
            for old in event.fingers
            for new in FINGERS
            if new not in event.fingers
        ]
    elif kind == "direction":
        out = [replace(event, direction=d) for d in MOTIONS[event.motion].directions if d != event.direction]
    else:
        out = [replace(event, contact=c) for c in MOTIONS[event.motion].contacts if event.contact not in ("", c)]
    return [e for e in out if _valid(e)]


def _valid(event: FingerEvent) -> bool:
    try:
        check(event)
    except ScoreError:
        return False
    return True


def whole(score: Score, language: str = "en") -> list[Line]:
    """A score as one caption over all its time."""
    true = [e for e in score if e.motion != "rest"]
    return [Line(narrate(true, language=language), min(e.start for e in true), max(e.end for e in true))]


def mistakes(
    scores: Iterable[Score], judges: dict[str, Rate], *, most: int, seed: int = 0, language: str = "en"
) -> dict[str, Any]:
    """Detection rates of `judges` over at most `most` pairs, kinds taking turns clip by clip."""
    found: dict[str, dict[str, list[bool]]] = {name: defaultdict(list) for name in judges}
    number = 0
    for k, score in enumerate(s for s in scores if any(e.motion != "rest" for e in s)):
        if number >= most:
            break
        rng = np.random.default_rng((seed, k))
        turn = (KINDS[(k + i) % len(KINDS)] for i in range(len(KINDS)))
        made = next(((kind, wrong) for kind in turn if (wrong := mistaken(score, kind, rng)) is not None), None)
        if made is None:
            continue
        number += 1
        for name, rate in judges.items():
            worse = rate(score, whole(made[1], language)) < rate(score, whole(score, language))
            found[name][made[0]].append(worse)
    names = list(judges)
    alike = [
        found[names[0]][kind][i] == found[name][kind][i]
        for name in names[1:]
        for kind in found[names[0]]
        for i in range(len(found[names[0]][kind]))
    ]
    return {
        "pairs": number,
        "detected": {
            name: {kind: [sum(f), len(f)] for kind, f in sorted(kinds.items())} for name, kinds in found.items()
        },
        "agree": round(float(np.mean(alike)), 4) if alike else None,
    }


def by_score(reference: Score, lines: Sequence[Line], language: str = "en") -> float:
    """The deterministic judge as a rater."""
    return judge(reference, lines, language=language).hand_judge
