"""What the rules read: monotone runs of one hand (`Atom`), their thresholds, and what they may be called (`Piece`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from edge.channels import Run
from edge.score import FingerEvent


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """Thresholds of the rules. Angles in degrees, lengths in palm lengths, times in seconds.

    Set on rendered clips tracked from pixels (seeds apart from every test set) and on the definitions of
    `edge.score.MOTIONS`; a bundle may override them (`rules.json`).
    """

    bend_min: float = 36.0
    bend_masks: float = 26.0
    doubt_from: float = 0.96
    doubt_gain: float = 8.0
    doubt_most: float = 3.0
    thumb_bend_min: float = 28.0
    enslaved_share: float = 0.5
    fold_min: float = 60.0
    fold_share: float = 0.4
    together_s: float = 0.3
    point_index_max: float = 65.0
    touch_reach: float = 0.28
    touch_margin: float = 0.1
    touch_sure: float = 0.12
    pinch_own_bend: float = 16.0
    reach_change: float = 0.22
    tap_s: float = 0.5
    tap_touch_s: float = 0.65
    side_reach: float = 0.24
    side_bend_max: float = 210.0
    side_stay_s: float = 0.5
    flick_min: float = 60.0
    flick_speed: float = 500.0
    pinch_bend_max: float = 200.0
    slide_min: float = 0.26
    swipe_thumb_s: float = 0.4
    spread_min: float = 10.0
    roll_min: float = 32.0
    roll_in_fold_min: float = 60.0
    roll_masks: float = 70.0
    swipe_min: float = 0.85
    swipe_depth_min: float = 1.2
    swipe_speed: float = 2.2
    wave_min: float = 0.45
    wave_turns: int = 3
    repeat_gap_s: float = 0.5
    extent_half: float = 75.0
    extent_full: float = 130.0
    speed_slow_s: float = 0.9
    speed_fast_s: float = 0.28


@dataclass(frozen=True, slots=True)
class Atom:
    """A run of one quantity of one hand.

    Attributes:
        kind: "bend", "reach", "spread", "roll", "x", "y", "z", "side" (thumb on the index finger) or "lift".
        finger: finger number 0..4 ("spread": of the finger nearer the thumb), -1 for the hand.
        run: the run; for "side" its values are the position along the index finger (0 base .. 1 tip).
        bends: the five bends when the run closed.
        reaches: the four thumb distances when the run closed.
        closed: whether the run is over.
        across: for "side", the way across the index finger, palm lengths, + out of the palm.
        stays: for "side", whether the thumb came to rest on the finger.
        doubt: 1 when the tracker was sure of the hand; the changes asked for grow with it.
    """

    kind: str
    finger: int
    run: Run
    bends: tuple[float, ...]
    reaches: tuple[float, ...]
    closed: bool = True
    across: float = 0.0
    stays: bool = False
    doubt: float = 1.0


@dataclass
class Piece:
    """A candidate event and the fingers' runs that it explains."""

    event: FingerEvent
    explains: list[Atom] = field(default_factory=list)


def least_change(atom: Atom, s: RuleSettings) -> float:
    """The change of a quantity that a sure tracker must show before it counts."""
    if atom.kind == "bend":
        return s.thumb_bend_min if atom.finger == 0 else s.bend_min
    return {"reach": s.reach_change, "roll": s.roll_min, "spread": s.spread_min, "z": s.swipe_depth_min}.get(
        atom.kind, 0.0
    )


def overlap(a: Run, b: Run) -> float:
    """Shared time over the shorter of the two runs, 0..1."""
    shared = min(a.end, b.end) - max(a.start, b.start)
    return max(0.0, shared) / max(min(a.end - a.start, b.end - b.start), 1e-3)


def meets(run: Run, spans: Sequence[Run]) -> bool:
    """Whether a run, however short, lies in one of the spans."""
    return any(run.start < s.end and run.end >= s.start for s in spans)


def span_of(cluster: Sequence[Atom]) -> Run:
    """From the first start to the last end."""
    return Run(0.0, 1.0, min(a.run.start for a in cluster), max(a.run.end for a in cluster))


def event_of(
    hand: str,
    motion: str,
    fingers: tuple[str, ...],
    run: Run,
    s: RuleSettings,
    *,
    direction: str = "",
    contact: str = "",
    size: float = 180.0,
) -> FingerEvent:
    """An event with its manner: extent from the size in degrees, speed from its duration."""
    lasting = run.end - run.start
    extent = "small" if size < s.extent_half else "half" if size < s.extent_full else "full"
    speed = "fast" if lasting < s.speed_fast_s else "slow" if lasting > s.speed_slow_s else "normal"
    # bigger motions are surer: 0.55 at 20 degrees (or its like), 0.95 from 180
    confidence = min(0.95, 0.5 + size / 400.0)
    return FingerEvent(
        hand,
        motion,
        fingers,
        direction,
        contact,
        extent,
        speed,
        1,
        run.start,
        max(run.end, run.start),
        confidence=confidence,
    )
