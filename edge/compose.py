"""Monotone runs of one hand -> its score: which runs belong together, and what they are called.

Pure functions over the runs of one phrase, so that a provisional and a final reading of the same phrase
come from the same code. The thresholds are in `RuleSettings`; where they come from stands there.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field, replace

from edge.channels import Run
from edge.score import FINGERS, FingerEvent, Score, order


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
    touch_reach_image: float = 0.22
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
    hold_s: float = 0.5
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
class _Piece:
    """A candidate event and the fingers' runs that it explains."""

    event: FingerEvent
    explains: list[Atom] = field(default_factory=list)


def compose(
    atoms: Sequence[Atom], hand: str, view: str, settings: RuleSettings, touching: Container[str] = ()
) -> Score:
    """The score of one hand from its atoms, in order of time.

    `touching` names the fingers that an earlier phrase left on the thumb: only they can be released first.
    """
    s = settings
    stirred = [a for a in atoms if a.kind == "bend" and a.finger and abs(a.run.change) >= s.bend_masks]
    atoms = [a for a in atoms if abs(a.run.change) >= a.doubt * _least(a, s)]
    bends = [a for a in atoms if a.kind == "bend"]
    rolls = [a for a in atoms if a.kind == "roll"]
    # while the hand turns or flies, its fingers are seen anew: small bends there are the tracker's
    waves = _waves(atoms, hand, s)
    fast = _fast(atoms, [*rolls, *bends], s)
    unsteady = [a.run for a in (*rolls, *fast)] + [Run(0, 1, w.start, w.end) for w in waves]
    bends = [
        a for a in bends if not any(_overlap(a.run, r) > 0.4 and abs(a.run.change) < s.roll_masks for r in unsteady)
    ]
    clusters = _clusters(bends, s)
    pieces: list[_Piece] = []
    folds = [c for c in clusters if _is_fold(c, s)]
    for cluster in folds:
        pieces.append(_Piece(_fold_event(cluster, hand, s), cluster))
    contacts = _contacts(atoms, hand, folds, touching, s)
    contacts += _side_contacts(atoms, hand, folds, contacts, unsteady + [a.run for a in bends if a.finger], s)
    pieces += contacts
    explained = {id(a) for p in pieces for a in p.explains}
    for cluster in clusters:
        left = [a for a in cluster if id(a) not in explained and not _excused(a, contacts)]
        if left:
            pieces += _bend_events(left, cluster, hand, s)
    points = [p.event for p in pieces if p.event.motion == "point"]
    events = [p.event for p in pieces if not _straightens_to_point(p.event, points)]
    events = _air_taps(events, s)
    events += _spreads([a for a in atoms if a.kind == "spread"], stirred, unsteady, hand, s)
    events += [
        _event(hand, "rotate", (), r.run, s, direction="cw" if r.run.change > 0 else "ccw", size=abs(r.run.change))
        for r in rolls
        # the palm's own lines shift while all fingers fold: a small turn in it is the tracker's
        if abs(r.run.change) >= s.roll_in_fold_min or not _meets(r.run, [_span(f) for f in folds])
    ]
    events += waves + _swipes(fast, hand, view, waves, s)
    return order(merge_repeats(events, s.repeat_gap_s))


def _least(atom: Atom, s: RuleSettings) -> float:
    """The change of a quantity that a sure tracker must show before it counts."""
    if atom.kind == "bend":
        return s.thumb_bend_min if atom.finger == 0 else s.bend_min
    return {"reach": s.reach_change, "roll": s.roll_min, "spread": s.spread_min, "z": s.swipe_depth_min}.get(
        atom.kind, 0.0
    )


def _overlap(a: Run, b: Run) -> float:
    """Shared time over the shorter of the two runs, 0..1."""
    shared = min(a.end, b.end) - max(a.start, b.start)
    return max(0.0, shared) / max(min(a.end - a.start, b.end - b.start), 1e-3)


def _meets(run: Run, spans: Sequence[Run]) -> bool:
    """Whether a run, however short, lies in one of the spans."""
    return any(run.start < s.end and run.end >= s.start for s in spans)


def _clusters(bends: Sequence[Atom], s: RuleSettings) -> list[list[Atom]]:
    """Runs of one sign that happen together; one run a finger in each."""
    clusters: list[list[Atom]] = []
    for atom in sorted(bends, key=lambda a: a.run.start):
        for cluster in clusters:
            lead = max(cluster, key=lambda a: abs(a.run.change))
            if (
                lead.run.change * atom.run.change > 0
                and all(a.finger != atom.finger for a in cluster)
                and _overlap(lead.run, atom.run) >= 0.5
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


def _span(cluster: Sequence[Atom]) -> Run:
    """From the first start to the last end."""
    return Run(0.0, 1.0, min(a.run.start for a in cluster), max(a.run.end for a in cluster))


def _fold_event(cluster: Sequence[Atom], hand: str, s: RuleSettings) -> FingerEvent:
    size = sum(abs(a.run.change) for a in cluster if a.finger > 0) / 4
    return _event(hand, "grab" if cluster[0].run.change > 0 else "open", (), _span(cluster), s, size=size)


def _bend_events(left: Sequence[Atom], cluster: Sequence[Atom], hand: str, s: RuleSettings) -> list[_Piece]:
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
        return [_Piece(_event(hand, "point", ("index",), _span(kept), s, size=size), list(kept))]
    names = tuple(FINGERS[i] for i in numbers)
    return [_Piece(_event(hand, "curl" if curls else "extend", names, _span(kept), s, size=size), list(kept))]


def _straightens_to_point(event: FingerEvent, points: Sequence[FingerEvent]) -> bool:
    """Whether an extension is the index finger's part of pointing."""
    return event.motion == "extend" and any(
        set(event.fingers) <= {"thumb", "index"} and event.start < p.end and event.end > p.start for p in points
    )


def _contacts(
    atoms: Sequence[Atom], hand: str, folds: Sequence[Sequence[Atom]], touching: Container[str], s: RuleSettings
) -> list[_Piece]:
    """Pinches, releases and taps on the thumb from the distances between thumb tip and fingertips."""
    reaches = sorted((a for a in atoms if a.kind == "reach"), key=lambda a: a.run.start)
    spans = [_span(f) for f in folds]
    closing = [
        a
        for a in reaches
        if -a.run.change >= s.reach_change
        and a.run.last <= s.touch_reach
        and a.bends[a.finger] <= s.pinch_bend_max  # a folded finger's tip lies by the thumb without meeting it
        and not _meets(a.run, spans)
    ]
    groups: list[list[Atom]] = []
    for atom in closing:
        if groups and _overlap(groups[-1][0].run, atom.run) > 0.3:
            groups[-1].append(atom)
        else:
            groups.append([atom])
    pieces: list[_Piece] = []
    lifted: set[int] = set()
    for group in groups:
        nearest = min(a.run.last for a in group)
        group = [a for a in group if a.run.last <= nearest + s.touch_margin]
        if _folds_with_others(group, atoms, s) or not _comes_to_thumb(group, atoms, s):
            continue
        fingers = tuple(FINGERS[i] for i in sorted({a.finger for a in group}))
        span = _span(group)
        lifts = [o for o in (_lift(a, reaches, s) for a in group) if o is not None]
        explains = _bends_within(atoms, group, span)
        if lifts:
            away = _span(lifts)
            lifted |= {id(a) for a in lifts}
            explains += _bends_within(atoms, group, away)
            quick = away.end - span.start <= s.tap_touch_s and away.start - span.end <= 0.12
            if quick:
                run = Run(0, 1, span.start, away.end)
                motion = "flick" if _is_flick(group, away, atoms, s) else "tap"
                pieces.append(_Piece(_event(hand, motion, fingers, run, s, contact="thumb"), explains))
                continue
            pieces.append(_Piece(_event(hand, "release", fingers, away, s, contact="thumb"), []))
        pieces.append(_Piece(_event(hand, "pinch", fingers, span, s, contact="thumb"), explains))
    first = min((p.event.start for p in pieces), default=float("inf"))
    return pieces + _late_release(
        [a for a in reaches if id(a) not in lifted and a.run.end <= first and FINGERS[a.finger] in touching],
        *(atoms, hand, spans, s),
    )


def _folds_with_others(group: Sequence[Atom], atoms: Sequence[Atom], s: RuleSettings) -> bool:
    """Whether the fingers near the thumb only fold with two or more others, as in a fist or when pointing."""
    touching = {a.finger for a in group}
    span = _span(group)
    grown = {
        a.finger: a.run.change
        for a in atoms
        if a.kind == "bend" and a.finger and a.run.change >= s.fold_min and _overlap(a.run, span) > 0.3
    }
    others = [change for finger, change in grown.items() if finger not in touching]
    own = [change for finger, change in grown.items() if finger in touching]
    return len(others) >= 2 and bool(own) and min(own) >= 0.7 * sum(others) / len(others)


def _comes_to_thumb(group: Sequence[Atom], atoms: Sequence[Atom], s: RuleSettings) -> bool:
    """Whether a finger of the group moves itself; a thumb that curls past waiting fingertips does not pinch."""
    if min(a.run.last for a in group) <= s.touch_sure:
        return True
    span = _span(group)
    return any(
        a.kind == "bend"
        and a.finger in {g.finger for g in group}
        and abs(a.run.change) >= s.pinch_own_bend
        and _overlap(a.run, span) > 0.3
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
    bends = [a.run for a in atoms if a.kind == "bend" and a.finger == group[0].finger and _overlap(a.run, away) > 0.3]
    return any(-r.change >= s.flick_min and -r.change / max(r.end - r.start, 0.03) >= s.flick_speed for r in bends)


def _late_release(
    reaches: Sequence[Atom], atoms: Sequence[Atom], hand: str, folds: Sequence[Run], s: RuleSettings
) -> list[_Piece]:
    """A release whose pinch lay in an earlier phrase: the distance grows from a touch."""
    opening = [
        a
        for a in reaches
        if a.run.change >= s.reach_change and a.run.first <= s.touch_reach and not _meets(a.run, folds)
    ]
    if not opening:
        return []
    nearest = min(opening, key=lambda a: a.run.first)
    group = [
        a for a in opening if _overlap(a.run, nearest.run) > 0.3 and a.run.first <= nearest.run.first + s.touch_margin
    ]
    fingers = tuple(FINGERS[i] for i in sorted({a.finger for a in group}))
    span = _span(group)
    return [_Piece(_event(hand, "release", fingers, span, s, contact="thumb"), _bends_within(atoms, group, span))]


def _bends_within(atoms: Sequence[Atom], group: Sequence[Atom], span: Run) -> list[Atom]:
    """The bends that a contact explains: of its fingers and the thumb, in its time."""
    fingers = {a.finger for a in group} | {0}
    wide = Run(0, 1, span.start - 0.1, span.end + 0.1)
    return [a for a in atoms if a.kind == "bend" and a.finger in fingers and _overlap(a.run, wide) > 0.3]


def _excused(atom: Atom, contacts: Sequence[_Piece]) -> bool:
    """Whether a bend is a by-product of a contact: a neighbour that moved along while a finger met the thumb."""
    return any(
        _overlap(atom.run, Run(0, 1, p.event.start - 0.1, p.event.end + 0.1)) > 0.4 and abs(atom.run.change) < 100.0
        for p in contacts
    )


def _side_contacts(
    atoms: Sequence[Atom],
    hand: str,
    folds: Sequence[Sequence[Atom]],
    contacts: Sequence[_Piece],
    unsteady: Sequence[Run],
    s: RuleSettings,
) -> list[_Piece]:
    """Thumb taps, touches, slides and swipes on the index finger's side."""
    busy = [_span(f) for f in folds] + [Run(0, 1, p.event.start, p.event.end) for p in contacts]
    pieces = []
    for atom in (a for a in atoms if a.kind == "lift" and not _meets(a.run, busy)):
        away = Run(0, 1, atom.run.start, atom.run.end + 0.2)
        explains = [a for a in atoms if a.kind == "bend" and a.finger == 0 and _overlap(a.run, away) > 0.3]
        pieces.append(_Piece(_event(hand, "release", ("thumb",), away, s, contact="index"), explains))
    for atom in (a for a in atoms if a.kind == "side"):
        run = atom.run
        if _meets(run, busy) or _meets(run, unsteady):
            continue
        wide = Run(0, 1, run.start - 0.3, run.end + 0.3)
        explains = [a for a in atoms if a.kind == "bend" and a.finger == 0 and _overlap(a.run, wide) > 0.3]
        lasting = run.end - run.start
        # the thumb comes and goes besides touching: about two thirds of the touch each way for a swipe
        whole = Run(0, 1, run.start - max(0.64 * lasting, 0.12), run.end + max(0.64 * lasting, 0.12))
        if abs(run.change) >= s.slide_min or abs(atom.across) >= s.slide_min:
            along = abs(run.change) >= abs(atom.across)
            if lasting <= s.swipe_thumb_s:
                direction = _thumb_direction(hand, run.change if along else atom.across, along)
                event = _event(hand, "swipe", ("thumb",), whole, s, contact="index", direction=direction)
            else:
                direction = ("tip" if run.change > 0 else "base") if along else "across"
                event = _event(hand, "slide", ("thumb",), run, s, contact="index", direction=direction)
        elif not atom.stays:
            event = _event(hand, "tap", ("thumb",), whole, s, contact="index")
        else:
            event = _event(hand, "touch", ("thumb",), Run(0, 1, run.start - 0.25, run.start + 0.1), s, contact="index")
        pieces.append(_Piece(event, explains))
    return pieces


def _thumb_direction(hand: str, change: float, along: bool) -> str:
    """The D-pad direction of a thumb swipe on the index side.

    Along the finger: towards the tip is left for the right hand, right for the left hand (headset convention).
    Across it: out of the palm's side is backward, towards the back of the hand forward.
    """
    if along:
        return "left" if (change > 0) == (hand == "right") else "right"
    return "backward" if change > 0 else "forward"


def _spreads(
    atoms: Sequence[Atom], bends: Sequence[Atom], unsteady: Sequence[Run], hand: str, s: RuleSettings
) -> list[FingerEvent]:
    """Spread and close from the angles between neighbours; bending fingers and turning or flying hands do not count."""
    quiet = [
        a
        for a in atoms
        if not any(_overlap(a.run, b.run) > 0.25 for b in bends)
        and not any(_overlap(a.run, r) > 0.25 for r in unsteady)
    ]
    events: list[FingerEvent] = []
    while quiet:
        lead = max(quiet, key=lambda a: abs(a.run.change))
        group = [a for a in quiet if a.run.change * lead.run.change > 0 and _overlap(a.run, lead.run) > 0.4]
        numbers = sorted({a.finger for a in group} | {a.finger + 1 for a in group})
        names = tuple(FINGERS[i] for i in range(numbers[0], numbers[-1] + 1))
        motion = "spread" if lead.run.change > 0 else "close"
        events.append(_event(hand, motion, names, _span(group), s, size=abs(lead.run.change) * 5))
        quiet = [a for a in quiet if _overlap(a.run, lead.run) <= 0.4]
    return events


def _waves(atoms: Sequence[Atom], hand: str, s: RuleSettings) -> list[FingerEvent]:
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
        replace(_event(hand, "wave", (), Run(0, 1, w[0].start, w[-1].end), s), speed="normal")
        for w in swings
        if len(w) >= s.wave_turns
    ]


def _swipes(
    fast: Sequence[Atom], hand: str, view: str, waves: Sequence[FingerEvent], s: RuleSettings
) -> list[FingerEvent]:
    """The hand moves fast in one way."""
    events: list[FingerEvent] = []
    fast = [a for a in fast if not any(a.run.start < w.end and a.run.end > w.start for w in waves)]
    kept: list[Atom] = []
    for atom in sorted(fast, key=lambda a: -abs(a.run.change)):
        if all(_overlap(atom.run, k.run) < 0.3 for k in kept):
            kept.append(atom)
    kept.sort(key=lambda a: a.run.start)
    for i, atom in enumerate(kept):
        back = i and kept[i - 1].kind == atom.kind and kept[i - 1].run.change * atom.run.change < 0
        if back and atom.run.start - kept[i - 1].run.end < 0.4:
            continue  # the way back to where the swipe began
        direction = travel_direction(atom.kind, atom.run.change, view)
        events.append(_event(hand, "swipe", (), atom.run, s, direction=direction))
    return events


def _fast(atoms: Sequence[Atom], others: Sequence[Atom], s: RuleSettings) -> list[Atom]:
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
        and not (a.kind == "z" and _meets(a.run, changing))
    ]


def travel_direction(axis: str, change: float, view: str) -> str:
    """A move along the scene's x (right), y (down) or z (away from the camera) in the person's directions."""
    if axis == "y":
        return "down" if change > 0 else "up"
    own = (change > 0) == (view == "egocentric")  # a facing camera sees the person's left on its right
    if axis == "x":
        return "right" if own else "left"
    return "forward" if own else "backward"


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


def _event(
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
    start = max(run.start, 0.0)
    # bigger motions are surer: 0.55 at 20 degrees (or its like), 0.95 from 180
    confidence = min(0.95, 0.5 + size / 400.0)
    return FingerEvent(
        hand, motion, fingers, direction, contact, extent, speed, 1, start, max(run.end, start), confidence=confidence
    )
