"""Runs -> motions of the whole hand in space, and of fingers sideways: waves, swipes, spread and close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edge.atoms import Atom, RuleSettings, event_of, meets, overlap, span_of
from edge.channels import Run
from edge.score import FINGERS, FingerEvent


def spreads(
    atoms: Sequence[Atom], bends: Sequence[Atom], unsteady: Sequence[Run], hand: str, s: RuleSettings
) -> list[FingerEvent]:
    """Spread and close from the angles between neighbours; bending fingers and turning or flying hands do not count."""
    quiet = [
        a
        for a in atoms
        if not any(overlap(a.run, b.run) > 0.25 for b in bends) and not any(overlap(a.run, r) > 0.25 for r in unsteady)
    ]
    events: list[FingerEvent] = []
    while quiet:
        lead = max(quiet, key=lambda a: abs(a.run.change))
        group = [lead, *(a for a in quiet if a is not lead and _with(a, lead))]
        numbers = sorted({a.finger for a in group} | {a.finger + 1 for a in group})
        names = tuple(FINGERS[i] for i in range(numbers[0], numbers[-1] + 1))
        motion = "spread" if lead.run.change > 0 else "close"
        events.append(event_of(hand, motion, names, span_of(group), s, size=abs(lead.run.change) * 5))
        quiet = [a for a in quiet if a is not lead and overlap(a.run, lead.run) <= 0.4]
    return events


def _with(atom: Atom, lead: Atom) -> bool:
    """Whether a gap between two fingers changes as another one does, at the same time."""
    return atom.run.change * lead.run.change > 0 and overlap(atom.run, lead.run) > 0.4


def waves_of(atoms: Sequence[Atom], hand: str, s: RuleSettings) -> list[FingerEvent]:
    """The hand swings sideways, to and fro."""
    sideways = sorted(
        (a.run for a in atoms if a.kind == "x" and abs(a.run.change) >= s.wave_min), key=lambda r: r.start
    )
    swings: list[list[Run]] = []
    for run in sideways:
        if swings and run.start - swings[-1][-1].end < 0.3 and run.change * swings[-1][-1].change < 0:
            swings[-1].append(run)
        else:
            swings.append([run])
    return [
        replace(event_of(hand, "wave", (), Run(0, 1, w[0].start, w[-1].end), s), speed="normal")
        for w in swings
        if len(w) >= s.wave_turns
    ]


def swipes_of(
    fast: Sequence[Atom], hand: str, view: str, waves: Sequence[FingerEvent], s: RuleSettings
) -> list[FingerEvent]:
    """The hand moves fast in one way."""
    events: list[FingerEvent] = []
    fast = [a for a in fast if not any(a.run.start < w.end and a.run.end > w.start for w in waves)]
    kept: list[Atom] = []
    for atom in sorted(fast, key=lambda a: -abs(a.run.change)):
        if all(overlap(atom.run, k.run) < 0.3 for k in kept):
            kept.append(atom)
    kept.sort(key=lambda a: a.run.start)
    for i, atom in enumerate(kept):
        back = i and kept[i - 1].kind == atom.kind and kept[i - 1].run.change * atom.run.change < 0
        if back and atom.run.start - kept[i - 1].run.end < 0.4:
            continue  # the way back to where the swipe began
        direction = travel_direction(atom.kind, atom.run.change, view)
        events.append(event_of(hand, "swipe", (), atom.run, s, direction=direction))
    return events


def fast_moves(atoms: Sequence[Atom], others: Sequence[Atom], s: RuleSettings) -> list[Atom]:
    """The hand's moves that are long and quick enough for a swipe.

    Depth comes from the hand's size in the picture, which turns and bends (`others`) change too: a move in depth
    during one is not believed. On rendered clips it was false then (1 of 1), and rarely seen at all (1 of 14).
    """
    changing = [a.run for a in others]
    return [
        a
        for a in atoms
        if a.kind in "xyz"
        and abs(a.run.change) >= (s.swipe_depth_min if a.kind == "z" else s.swipe_min)
        and abs(a.run.change) / max(a.run.end - a.run.start, 1e-3) >= s.swipe_speed
        and not (a.kind == "z" and meets(a.run, changing))
    ]


def travel_direction(axis: str, change: float, view: str) -> str:
    """A move along the scene's x (right), y (down) or z (away from the camera) in the person's directions."""
    if axis == "y":
        return "down" if change > 0 else "up"
    own = (change > 0) == (view == "egocentric")  # a facing camera sees the person's left on its right
    if axis == "x":
        return "right" if own else "left"
    return "forward" if own else "backward"
