"""Monotone runs of one hand -> its score: which runs belong together, and what they are called.

Pure functions over the runs of one phrase, so that a provisional and a final reading of the same phrase
come from the same code.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

from edge.atoms import Atom, Piece, RuleSettings, event_of, least_change, meets, overlap, span_of
from edge.channels import Run
from edge.contacts import excused, side_contacts, thumb_contacts
from edge.score import FINGERS, FingerEvent, Score, order
from edge.travels import fast_moves, spreads, swipes_of, waves_of


def compose(
    atoms: Sequence[Atom], hand: str, view: str, settings: RuleSettings, touching: Container[str] = ()
) -> Score:
    """The score of one hand from its atoms, in order of time.

    `touching` names the fingers that an earlier phrase left on the thumb: only they can be released first.
    """
    s = settings
    stirred = [a for a in atoms if a.kind == "bend" and a.finger and abs(a.run.change) >= s.bend_masks]
    atoms = [a for a in atoms if abs(a.run.change) >= a.doubt * least_change(a, s)]
    bends = [a for a in atoms if a.kind == "bend"]
    rolls = [a for a in atoms if a.kind == "roll"]
    # while the hand turns or flies, its fingers are seen anew: small bends there are the tracker's
    waves = waves_of(atoms, hand, s)
    fast = fast_moves(atoms, [*rolls, *bends], s)
    unsteady = [a.run for a in (*rolls, *fast)] + [Run(0, 1, w.start, w.end) for w in waves]
    bends = [
        a for a in bends if not any(overlap(a.run, r) > 0.4 and abs(a.run.change) < s.roll_masks for r in unsteady)
    ]
    clusters = _clusters(bends, s)
    pieces: list[Piece] = []
    folds = [c for c in clusters if _is_fold(c, s)]
    for cluster in folds:
        pieces.append(Piece(_fold_event(cluster, hand, s), cluster))
    contacts = thumb_contacts(atoms, hand, folds, touching, s)
    contacts += side_contacts(atoms, hand, folds, contacts, unsteady + [a.run for a in bends if a.finger], s)
    pieces += contacts
    explained = {id(a) for p in pieces for a in p.explains}
    for cluster in clusters:
        left = [a for a in cluster if id(a) not in explained and not excused(a, contacts)]
        if left:
            pieces += _bend_events(left, cluster, hand, s)
    points = [p.event for p in pieces if p.event.motion == "point"]
    events = [p.event for p in pieces if not _straightens_to_point(p.event, points)]
    events = _air_taps(events, s)
    events += spreads([a for a in atoms if a.kind == "spread"], stirred, unsteady, hand, s)
    events += [
        event_of(hand, "rotate", (), r.run, s, direction="cw" if r.run.change > 0 else "ccw", size=abs(r.run.change))
        for r in rolls
        # the palm's own lines shift while all fingers fold: a small turn in it is the tracker's
        if abs(r.run.change) >= s.roll_in_fold_min or not meets(r.run, [span_of(f) for f in folds])
    ]
    events += waves + swipes_of(fast, hand, view, waves, s)
    return order(merge_repeats(events, s.repeat_gap_s))


def _clusters(bends: Sequence[Atom], s: RuleSettings) -> list[list[Atom]]:
    """Runs of one sign that happen together; one run a finger in each."""
    clusters: list[list[Atom]] = []
    for atom in sorted(bends, key=lambda a: a.run.start):
        for cluster in clusters:
            lead = max(cluster, key=lambda a: abs(a.run.change))
            if (
                lead.run.change * atom.run.change > 0
                and all(a.finger != atom.finger for a in cluster)
                and overlap(lead.run, atom.run) >= 0.5
                and abs(lead.run.start - atom.run.start) <= s.together_s
            ):
                cluster.append(atom)
                break
        else:
            clusters.append([atom])
    return clusters


def _is_fold(cluster: Sequence[Atom], s: RuleSettings) -> bool:
    """All four fingers bend (or straighten) together and far: a fist, or the opening of one."""
    sizes = {a.finger: abs(a.run.change) for a in cluster if a.finger > 0}
    return len(sizes) == 4 and min(sizes.values()) >= max(s.fold_min, s.fold_share * max(sizes.values()))


def _fold_event(cluster: Sequence[Atom], hand: str, s: RuleSettings) -> FingerEvent:
    size = sum(abs(a.run.change) for a in cluster if a.finger > 0) / 4
    return event_of(hand, "grab" if cluster[0].run.change > 0 else "open", (), span_of(cluster), s, size=size)


def _bend_events(left: Sequence[Atom], cluster: Sequence[Atom], hand: str, s: RuleSettings) -> list[Piece]:
    """Curl, extend or point, without the fingers that were only dragged along (enslaving)."""
    biggest = max(abs(a.run.change) for a in cluster)
    kept = [a for a in left if a.finger == 0 or abs(a.run.change) >= s.enslaved_share * biggest]
    # a thumb that gives way while the fingers bend is not news; alone, or as big as they, it is
    if any(a.finger for a in kept):
        kept = [a for a in kept if a.finger or abs(a.run.change) >= s.enslaved_share * biggest]
    if not kept:
        return []
    numbers = sorted(a.finger for a in kept)
    size = max(abs(a.run.change) for a in kept)
    curls = kept[0].run.change > 0
    if curls and {2, 3, 4} <= set(numbers) and 1 not in numbers and kept[-1].bends[1] <= s.point_index_max:
        return [Piece(event_of(hand, "point", ("index",), span_of(kept), s, size=size), list(kept))]
    names = tuple(FINGERS[i] for i in numbers)
    return [Piece(event_of(hand, "curl" if curls else "extend", names, span_of(kept), s, size=size), list(kept))]


def _straightens_to_point(event: FingerEvent, points: Sequence[FingerEvent]) -> bool:
    """Whether an extension is the index finger's part of pointing."""
    return event.motion == "extend" and any(
        set(event.fingers) <= {"thumb", "index"} and event.start < p.end and event.end > p.start for p in points
    )


def _air_taps(events: Iterable[FingerEvent], s: RuleSettings) -> list[FingerEvent]:
    """A curl that is at once followed by the same fingers' extension, all within `tap_s`, is a tap in the air."""
    out: list[FingerEvent] = []
    for event in order(events):
        last = out[-1] if out else None
        if (
            last is not None
            and last.motion == "curl"
            and event.motion == "extend"
            and (last.hand, last.fingers) == (event.hand, event.fingers)
            and event.end - last.start <= s.tap_s
        ):
            out[-1] = replace(last, motion="tap", end=event.end, speed="fast")
        else:
            out.append(event)
    return out


#: what undoes a motion: there, back and there again is the motion twice
_BACK = {"curl": "extend", "extend": "curl", "grab": "open", "open": "grab", "spread": "close", "close": "spread",
         "pinch": "release", "release": "pinch"}  # fmt: skip
#: a way back that pauses longer than this is a motion of its own
_BACK_PAUSE_S = 0.15


def merge_repeats(events: Iterable[FingerEvent], gap: float) -> list[FingerEvent]:
    """Equal events in a row become one with `repeat`; so does there, at once back, and there again."""
    out: list[FingerEvent] = []
    for event in order(events):
        same = [i for i, e in enumerate(out) if _alike(e, event)]
        if same:
            last = out[same[-1]]
            between = [e for e in out[same[-1] + 1 :] if e.hand == event.hand and set(e.parts()) & set(event.parts())]
            undone = (
                len(between) == 1
                and between[0].motion == _BACK.get(event.motion)
                and between[0].fingers == event.fingers
                and between[0].start - last.end <= _BACK_PAUSE_S
                and event.start - between[0].end <= _BACK_PAUSE_S
            )
            if undone or (not between and event.start - last.end <= gap):
                out[same[-1]] = replace(last, end=max(last.end, event.end), repeat=last.repeat + event.repeat)
                out = [e for e in out if not (undone and e is between[0])]
                continue
        out.append(event)
    return out


def _alike(a: FingerEvent, b: FingerEvent) -> bool:
    """Equal but for manner and time."""
    return (a.hand, a.motion, a.fingers, a.direction, a.contact) == (
        b.hand,
        b.motion,
        b.fingers,
        b.direction,
        b.contact,
    )
