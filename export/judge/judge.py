"""The caption judge (HandJudge): final captions are parsed back to scores and compared with the reference.

How a caption is judged:

* A caption becomes tuples (hand, finger, motion), one per named finger of each event it says; a whole-hand event
  is one tuple of the finger "hand"; a repeated event is one tuple; `rest` is none.
* A text has order, not seconds, so every tuple has the caption's interval. It may match a reference tuple of equal
  (hand, finger, motion) when the caption covers that event: the part of the interval inside the event is >= 30 % of
  the event (section 8's overlap with the interval cut to the event, because a caption spans a whole phrase), or both
  ends lie within 200 ms. Matching is one-to-one over all captions of a clip and as large as possible; among equal
  choices direction and contact, then the order in which things were said, decide.
* precision, recall, F1 and the hallucinated-finger rate count matches and ask for nothing else. `f1_strict` counts a
  match only when direction and contact are equal as well.
* credit of a match = 1 with equal direction and contact, 1/2 with one of them wrong, 0 with both wrong.
* order agreement = (1 + Kendall's tau) / 2 over the pairs of matched events that follow one another in the reference;
  1 where there is no such pair. A caption that calls such a pair simultaneous is half right about it.
* Beside that, hand, finger and motion are each judged alone: tuples that need to be equal in this one thing only. They
  tell what a wrong tuple was wrong about. Direction, contact, extent, speed and repetition are judged on matches.
* HandJudge = 10 (0.5 F1 + 0.5 completeness), completeness = credited recall x order agreement. So a wrong direction or
  contact lowers completeness, a wrong order too, and a wrong hand or finger lowers F1 as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from edge.events import Caption
from edge.narrator import not_understood, parse, together
from edge.score import FingerEvent, Score, expand
from export.judge.delays import Delays, delays
from export.judge.match import END_TOLERANCE_S, MIN_IOU, Counts, Key, key, match_events, one_to_one, tally

#: What of a tuple is judged alone.
ALONE: Mapping[str, Callable[[str, FingerEvent], str]] = {
    "hand": lambda part, event: event.hand,
    "finger": lambda part, event: part,
    "motion": lambda part, event: event.motion,
}


@dataclass(frozen=True, slots=True)
class Line:
    """A final caption: what was said, of which seconds, and when (NaN = with the end of the stream, or not known)."""

    text: str
    start: float
    end: float
    told: float = math.nan

    @classmethod
    def of(cls, caption: Caption, told: float = math.nan) -> Line:
        return cls(caption.text, caption.t_start, caption.t_end, told)


@dataclass(frozen=True, slots=True)
class Said:
    """A tuple of a caption. rank = (caption, step in it); equal ranks were said to be simultaneous."""

    part: str
    event: FingerEvent
    start: float
    end: float
    rank: tuple[int, float]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the judge found in one clip, or in several (they add up).

    Attributes:
        counts: tuples of reference and captions, matches, attribute accuracies.
        strict: matches with equal direction and contact.
        credit: sum of credits.
        in_order, ordered: pairs of matches in the right order, and pairs that have an order.
        events: section 8's event match of the captions' own timed scores, where they came with some.
        motions: motion -> its counts.
        captions: how many; garbled: how many of them held words that the parser did not understand.
        alone: "hand", "finger", "motion" -> counts where only that needs to be equal.
        scores: HandJudge of each clip. delays: how late the captions came.
    """

    counts: Counts = field(default_factory=Counts)
    strict: int = 0
    credit: float = 0.0
    in_order: float = 0.0
    ordered: int = 0
    events: Counts | None = None
    motions: dict[str, Counts] = field(default_factory=dict)
    captions: int = 0
    garbled: int = 0
    scores: tuple[float, ...] = ()
    delays: Delays = field(default_factory=Delays)
    alone: dict[str, Counts] = field(default_factory=dict)

    @property
    def f1(self) -> float:
        return self.counts.f1

    @property
    def f1_strict(self) -> float:
        """F1 that also asks for direction and contact."""
        return Counts(self.strict, self.counts.reference, self.counts.predicted).f1

    @property
    def hallucination(self) -> float:
        """Caption tuples without a match / all caption tuples; 0 where nothing was said."""
        return 1.0 - self.counts.matched / self.counts.predicted if self.counts.predicted else 0.0

    @property
    def order_agreement(self) -> float:
        return self.in_order / self.ordered if self.ordered else 1.0

    @property
    def completeness(self) -> float:
        """Credited recall x order agreement; with nothing to say, whether nothing was said."""
        if not self.counts.reference:
            return float(not self.counts.predicted)
        return self.credit / self.counts.reference * self.order_agreement

    @property
    def hand_judge(self) -> float:
        """0..10, of all tuples taken together; `mean_hand_judge` is the figure to report over clips."""
        return 10.0 * (0.5 * self.f1 + 0.5 * self.completeness)

    @property
    def mean_hand_judge(self) -> float:
        return sum(self.scores) / len(self.scores) if self.scores else 0.0

    def __add__(self, other: Judgement) -> Judgement:
        motions, alone = _added(self.motions, other.motions), _added(self.alone, other.alone)
        events = self.events + other.events if self.events and other.events else self.events or other.events
        return Judgement(
            self.counts + other.counts,
            self.strict + other.strict,
            self.credit + other.credit,
            self.in_order + other.in_order,
            self.ordered + other.ordered,
            events,
            motions,
            self.captions + other.captions,
            self.garbled + other.garbled,
            self.scores + other.scores,
            self.delays + other.delays,
            alone,
        )


def _added(a: dict[str, Counts], b: dict[str, Counts]) -> dict[str, Counts]:
    return {name: a.get(name, Counts()) + b.get(name, Counts()) for name in (*a, *(n for n in b if n not in a))}


def in_time(lines: Iterable[Line]) -> list[Line]:
    """Captions in the order in which they were said."""
    return sorted(lines, key=lambda line: (line.start, line.end))


def said_tuples(lines: Sequence[Line], language: str = "en") -> tuple[list[Said], int]:
    """All tuples of the captions in the order in which they were said, and how many captions are garbled."""
    out: list[Said] = []
    garbled = 0
    for k, line in enumerate(in_time(lines)):
        garbled += bool(not_understood(line.text, language))
        for part, event in expand(parse(line.text, language, strict=False)):
            out.append(Said(part, event, line.start, line.end, (k, event.start)))
    return out, garbled


def covers(said: Said, event: FingerEvent) -> bool:
    """Whether a caption's interval covers a reference event."""
    if abs(said.start - event.start) <= END_TOLERANCE_S and abs(said.end - event.end) <= END_TOLERANCE_S:
        return True
    inside = min(said.end, event.end) - max(said.start, event.start)
    return inside >= MIN_IOU * (event.end - event.start) and inside >= 0.0


def credit(reference: FingerEvent, said: FingerEvent) -> float:
    """1, less a half for a wrong direction and a half for a wrong contact."""
    return 1.0 - 0.5 * (reference.direction != said.direction) - 0.5 * (reference.contact != said.contact)


def judge(reference: Score, lines: Sequence[Line], *, timed: Score | None = None, language: str = "en") -> Judgement:
    """Judge the final captions of one clip.

    Args:
        reference: the clip's true score, times in seconds.
        lines: its final captions.
        timed: the captions' own scores with times, for the event match that is reported beside.
    """
    said, garbled = said_tuples(lines, language)
    true = sorted(expand(reference), key=lambda item: (item[1].start, item[1].end))
    groups: dict[Key, tuple[list[int], list[int]]] = {}
    for i, (part, event) in enumerate(true):
        groups.setdefault(key(part, event), ([], []))[0].append(i)
    for j, one in enumerate(said):
        groups.setdefault(key(one.part, one.event), ([], []))[1].append(j)
    pairs: list[tuple[FingerEvent, Said]] = []
    motions: dict[str, Counts] = {}
    for (_, _, motion), (trues, saids) in groups.items():
        found = _match([true[i][1] for i in trues], [said[j] for j in saids])
        pairs += found
        events = [(a, b.event) for a, b in found]
        motions[motion] = motions.get(motion, Counts()) + Counts(len(found), len(trues), len(saids), tally(events))
    credits = [credit(a, b.event) for a, b in pairs]
    in_order, ordered = _order(pairs)
    of_caption: dict[int, list[FingerEvent]] = {}
    for event, match in pairs:
        of_caption.setdefault(match.rank[0], []).append(event)
    judged = Judgement(
        counts=Counts(len(pairs), len(true), len(said), tally((a, b.event) for a, b in pairs)),
        strict=sum(c == 1.0 for c in credits),
        credit=sum(credits),
        in_order=in_order,
        ordered=ordered,
        events=match_events(reference, timed)[1] if timed is not None else None,
        motions=motions,
        captions=len(lines),
        garbled=garbled,
        delays=delays(reference, of_caption, [line.told for line in in_time(lines)]),
        alone={name: _alone(true, said, of) for name, of in ALONE.items()},
    )
    return judged + Judgement(scores=(judged.hand_judge,))


def _alone(
    true: Sequence[tuple[str, FingerEvent]], said: Sequence[Said], of: Callable[[str, FingerEvent], str]
) -> Counts:
    """Counts where tuples may match that are equal in one thing only."""
    matched = 0
    for value in {of(*item) for item in true}:
        events = [e for part, e in true if of(part, e) == value]
        matched += len(_match(events, [s for s in said if of(s.part, s.event) == value]))
    return Counts(matched, len(true), len(said))


def _match(true: list[FingerEvent], said: list[Said]) -> list[tuple[FingerEvent, Said]]:
    """Match the tuples of one key, both in order of time."""
    left, right = list(enumerate(true)), list(enumerate(said))

    def liking(a: tuple[int, FingerEvent], b: tuple[int, Said]) -> float:
        # squared, so that crossing over always costs; a hundredth, so that credit decides first
        apart = ((a[0] + 0.5) / len(true) - (b[0] + 0.5) / len(said)) ** 2
        return 0.99 * credit(a[1], b[1].event) + 0.01 * (1.0 - apart) / max(len(true), len(said))

    pairs = one_to_one(left, right, lambda a, b: covers(b[1], a[1]), liking)
    return [(true[i], said[j]) for i, j in pairs]


def _order(pairs: Iterable[tuple[FingerEvent, Said]]) -> tuple[float, int]:
    """Pairs in the right order (a tie in the caption counts half), and pairs that have an order."""
    matched = sorted(pairs, key=lambda p: (p[0].start, p[0].end))
    right, ordered = 0.0, 0
    for i, (a, said_a) in enumerate(matched):
        for b, said_b in matched[i + 1 :]:
            if not together(a, b):
                ordered += 1
                right += 0.5 if said_a.rank == said_b.rank else float(said_a.rank < said_b.rank)
    return right, ordered
