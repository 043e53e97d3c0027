"""Runs -> contacts of the thumb: pinches, releases, taps, flicks on its tip; touches and slides on the index side."""

from __future__ import annotations

from collections.abc import Container, Sequence

from edge.atoms import Atom, Piece, RuleSettings, event_of, meets, overlap, span_of
from edge.channels import Run
from edge.score import FINGERS


def thumb_contacts(
    atoms: Sequence[Atom], hand: str, folds: Sequence[Sequence[Atom]], touching: Container[str], s: RuleSettings
) -> list[Piece]:
    """Pinches, releases and taps on the thumb from the distances between thumb tip and fingertips."""
    reaches = sorted((a for a in atoms if a.kind == "reach"), key=lambda a: a.run.start)
    spans = [span_of(f) for f in folds]
    closing = [
        a
        for a in reaches
        if -a.run.change >= s.reach_change
        and a.run.last <= s.touch_reach
        and a.bends[a.finger] <= s.pinch_bend_max  # a folded finger's tip lies by the thumb without meeting it
        and not meets(a.run, spans)
    ]
    groups: list[list[Atom]] = []
    for atom in closing:
        if groups and overlap(groups[-1][0].run, atom.run) > 0.3:
            groups[-1].append(atom)
        else:
            groups.append([atom])
    pieces: list[Piece] = []
    lifted: set[int] = set()
    for group in groups:
        nearest = min(a.run.last for a in group)
        group = [a for a in group if a.run.last <= nearest + s.touch_margin]
        if _folds_with_others(group, atoms, s) or not _comes_to_thumb(group, atoms, s):
            continue
        fingers = tuple(FINGERS[i] for i in sorted({a.finger for a in group}))
        span = span_of(group)
        lifts = [o for o in (_lift(a, reaches, s) for a in group) if o is not None]
        explains = _bends_within(atoms, group, span)
        if lifts:
            away = span_of(lifts)
            lifted |= {id(a) for a in lifts}
            explains += _bends_within(atoms, group, away)
            quick = away.end - span.start <= s.tap_touch_s and away.start - span.end <= 0.12
            if quick:
                run = Run(0, 1, span.start, away.end)
                motion = "flick" if _is_flick(group, away, atoms, s) else "tap"
                pieces.append(Piece(event_of(hand, motion, fingers, run, s, contact="thumb"), explains))
                continue
            pieces.append(Piece(event_of(hand, "release", fingers, away, s, contact="thumb"), []))
        pieces.append(Piece(event_of(hand, "pinch", fingers, span, s, contact="thumb"), explains))
    first = min((p.event.start for p in pieces), default=float("inf"))
    return pieces + _late_release(
        [a for a in reaches if id(a) not in lifted and a.run.end <= first and FINGERS[a.finger] in touching],
        *(atoms, hand, spans, s),
    )


def _folds_with_others(group: Sequence[Atom], atoms: Sequence[Atom], s: RuleSettings) -> bool:
    """Whether the fingers near the thumb only fold with two or more others, as in a fist or when pointing."""
    touching = {a.finger for a in group}
    span = span_of(group)
    grown = {
        a.finger: a.run.change
        for a in atoms
        if a.kind == "bend" and a.finger and a.run.change >= s.fold_min and overlap(a.run, span) > 0.3
    }
    others = [change for finger, change in grown.items() if finger not in touching]
    own = [change for finger, change in grown.items() if finger in touching]
    return len(others) >= 2 and bool(own) and min(own) >= 0.7 * sum(others) / len(others)


def _comes_to_thumb(group: Sequence[Atom], atoms: Sequence[Atom], s: RuleSettings) -> bool:
    """Whether a finger of the group moves itself; a thumb that curls past waiting fingertips does not pinch."""
    if min(a.run.last for a in group) <= s.touch_sure:
        return True
    span = span_of(group)
    return any(
        a.kind == "bend"
        and a.finger in {g.finger for g in group}
        and abs(a.run.change) >= s.pinch_own_bend
        and overlap(a.run, span) > 0.3
        for a in atoms
    )


def _lift(closing: Atom, reaches: Sequence[Atom], s: RuleSettings) -> Atom | None:
    """The first run that opens what this one closed."""
    later = (
        a
        for a in reaches
        if a.finger == closing.finger and a.run.change >= s.reach_change and a.run.end > closing.run.end
    )
    return min(later, key=lambda a: a.run.start, default=None)


def _is_flick(group: Sequence[Atom], away: Run, atoms: Sequence[Atom], s: RuleSettings) -> bool:
    """One finger leaves the thumb in a snap, straighter than it came."""
    if len(group) != 1:
        return False
    bends = [a.run for a in atoms if a.kind == "bend" and a.finger == group[0].finger and overlap(a.run, away) > 0.3]
    return any(-r.change >= s.flick_min and -r.change / max(r.end - r.start, 0.03) >= s.flick_speed for r in bends)


def _late_release(
    reaches: Sequence[Atom], atoms: Sequence[Atom], hand: str, folds: Sequence[Run], s: RuleSettings
) -> list[Piece]:
    """A release whose pinch lay in an earlier phrase: the distance grows from a touch."""
    opening = [
        a
        for a in reaches
        if a.run.change >= s.reach_change and a.run.first <= s.touch_reach and not meets(a.run, folds)
    ]
    if not opening:
        return []
    nearest = min(opening, key=lambda a: a.run.first)
    group = [
        a for a in opening if overlap(a.run, nearest.run) > 0.3 and a.run.first <= nearest.run.first + s.touch_margin
    ]
    fingers = tuple(FINGERS[i] for i in sorted({a.finger for a in group}))
    span = span_of(group)
    return [Piece(event_of(hand, "release", fingers, span, s, contact="thumb"), _bends_within(atoms, group, span))]


def _bends_within(atoms: Sequence[Atom], group: Sequence[Atom], span: Run) -> list[Atom]:
    """The bends that a contact explains: of its fingers and the thumb, in its time."""
    fingers = {a.finger for a in group} | {0}
    wide = Run(0, 1, span.start - 0.1, span.end + 0.1)
    return [a for a in atoms if a.kind == "bend" and a.finger in fingers and overlap(a.run, wide) > 0.3]


def excused(atom: Atom, contacts: Sequence[Piece]) -> bool:
    """Whether a bend is a by-product of a contact: a neighbour that moved along while a finger met the thumb."""
    return any(
        overlap(atom.run, Run(0, 1, p.event.start - 0.1, p.event.end + 0.1)) > 0.4 and abs(atom.run.change) < 100.0
        for p in contacts
    )


def side_contacts(
    atoms: Sequence[Atom],
    hand: str,
    folds: Sequence[Sequence[Atom]],
    contacts: Sequence[Piece],
    unsteady: Sequence[Run],
    s: RuleSettings,
) -> list[Piece]:
    """Thumb taps, touches, slides and swipes on the index finger's side."""
    busy = [span_of(f) for f in folds] + [Run(0, 1, p.event.start, p.event.end) for p in contacts]
    pieces = []
    for atom in (a for a in atoms if a.kind == "lift" and not meets(a.run, busy)):
        away = Run(0, 1, atom.run.start, atom.run.end + 0.2)
        explains = [a for a in atoms if a.kind == "bend" and a.finger == 0 and overlap(a.run, away) > 0.3]
        pieces.append(Piece(event_of(hand, "release", ("thumb",), away, s, contact="index"), explains))
    for atom in (a for a in atoms if a.kind == "side"):
        run = atom.run
        if meets(run, busy) or meets(run, unsteady):
            continue
        wide = Run(0, 1, run.start - 0.3, run.end + 0.3)
        explains = [a for a in atoms if a.kind == "bend" and a.finger == 0 and overlap(a.run, wide) > 0.3]
        lasting = run.end - run.start
        # the thumb comes and goes besides touching: about two thirds of the touch each way for a swipe
        whole = Run(0, 1, run.start - max(0.64 * lasting, 0.12), run.end + max(0.64 * lasting, 0.12))
        if abs(run.change) >= s.slide_min or abs(atom.across) >= s.slide_min:
            along = abs(run.change) >= abs(atom.across)
            if lasting <= s.swipe_thumb_s:
                direction = _thumb_direction(hand, run.change if along else atom.across, along)
                event = event_of(hand, "swipe", ("thumb",), whole, s, contact="index", direction=direction)
            else:
                direction = ("tip" if run.change > 0 else "base") if along else "across"
                event = event_of(hand, "slide", ("thumb",), run, s, contact="index", direction=direction)
        elif not atom.stays:
            event = event_of(hand, "tap", ("thumb",), whole, s, contact="index")
        else:
            event = event_of(
                hand, "touch", ("thumb",), Run(0, 1, run.start - 0.25, run.start + 0.1), s, contact="index"
            )
        pieces.append(Piece(event, explains))
    return pieces


def _thumb_direction(hand: str, change: float, along: bool) -> str:
    """The D-pad direction of a thumb swipe on the index side.

    Along the finger: towards the tip is left for the right hand, right for the left hand (headset convention).
    Across it: out of the palm's side is backward, towards the back of the hand forward.
    """
    if along:
        return "left" if (change > 0) == (hand == "right") else "right"
    return "backward" if change > 0 else "forward"
