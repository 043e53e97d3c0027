"""Text -> score: reads what the narrator writes, its synonyms, and loosely punctuated text.

A text is a row of clauses with connectives between them. Clause n of the text starts a new step, or joins the
step of the clause before it ("while"). Step k is given the times k .. k+1: a parsed score has order and
simultaneity, not seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from edge.errors import ScoreError
from edge.language.resource import Element, Language, Lexicon, Template, Tokens, load
from edge.score import FINGERS, HANDS, FingerEvent, Score, check, order

Manner = tuple[tuple[str, object], ...]  #: ("extent", "half"), ("repeat", 2), ("filler", "") as they were heard


@dataclass(frozen=True, slots=True)
class Who:
    """Whose fingers: hands () = not said; fingers () = the whole hand; `same` = as before ("it")."""

    hands: tuple[str, ...] = ()
    fingers: tuple[str, ...] = ()
    same: bool = False
    contact: bool = False  # "both": the fingers and what they touch


@dataclass(frozen=True, slots=True)
class Clause:
    """One understood clause. `shown` = the fingers as they were said; end = first token after it."""

    events: tuple[FingerEvent, ...]
    style: str
    shown: tuple[str, ...]
    explicit: bool
    end: int

    @property
    def hands(self) -> tuple[str, ...]:
        return tuple(e.hand for e in self.events)


@dataclass(slots=True)
class _Found:
    """Slots of a pattern as far as it has been matched."""

    end: int
    manner: Manner = ()
    values: dict[str, object] = field(default_factory=dict)


def _in_order(fingers: set[str]) -> tuple[str, ...]:
    return tuple(f for f in FINGERS if f in fingers)


class _Reader:
    """Reads one text. `hand` = the hand meant where the text names none."""

    def __init__(self, text: str, language: Language, hand: str | None) -> None:
        self.language = language
        self.text = text
        self.hand = hand
        self.places = [m for m in language.cut(text) if not language.ignored(m.group())]
        self.tokens: Tokens = tuple(m.group() for m in self.places)
        self._adjuncts: dict[tuple[int, bool], tuple[int, Manner]] = {}
        self._who: dict[int, tuple[int, Who] | None] = {}

    # -- pieces --------------------------------------------------------------------------------------------

    def adjunct(self, i: int) -> tuple[int, tuple[str, object]] | None:
        """An adverb, a repetition or a filler word at `i`."""
        for pattern in self.language.counts:
            for found in self.match(pattern, 0, _Found(i), adverbs=False):
                return found.end, ("repeat", found.values["number"])
        return self.language.adjuncts.longest(self.tokens, i)

    def adjuncts(self, i: int, *, late: bool = False) -> tuple[int, Manner]:
        """All that follow one another at `i`; `late`: after the last word of a clause."""
        known = self._adjuncts.get((i, late))
        if known is not None:
            return known
        heard: list[tuple[str, object]] = []
        end = i
        while True:
            comma = end < len(self.tokens) and self.tokens[end] in self.language.commas
            found = self.adjunct(end + comma)
            # "A, slowly." says how A is done, "While A, slowly B" does not
            if found is None or (comma and not self._boundary(found[0])):
                break
            heard.append(found[1])
            end = found[0]
            if comma and not late and end < len(self.tokens) and self.tokens[end] in self.language.commas:
                end += 1
        self._adjuncts[i, late] = end, tuple(heard)
        return end, tuple(heard)

    def finger_list(self, i: int) -> tuple[int, tuple[str, ...]] | None:
        """ "thumb, index and middle fingers": as many as follow one another."""
        fingers: list[str] = []
        end = i
        while (one := self.language.fingers.longest(self.tokens, i)) is not None:
            fingers.append(one[1])
            end = i = one[0]
            if i < len(self.tokens) and self.tokens[i] in self.language.commas:
                i += 1
            separator = self.language.separators.longest(self.tokens, i)
            i = separator[0] if separator else i
        return (end, _in_order(set(fingers))) if fingers else None

    def who(self, i: int) -> tuple[int, Who] | None:
        """The longest naming of hand and fingers at `i`."""
        if i in self._who:
            return self._who[i]
        best: tuple[int, Who] | None = None
        for kind, pattern in self.language.who:
            for found in self.match(pattern, 0, _Found(i), adverbs=False):
                if best is None or found.end > best[0]:
                    best = found.end, _who(kind, found.values)
                break
        for bare in (self.finger_list(i), self.language.sets.longest(self.tokens, i)):
            if bare is not None and (best is None or bare[0] > best[0]):
                best = bare[0], Who((), bare[1])
        self._who[i] = best
        return best

    def slot(self, name: str, i: int) -> Iterator[tuple[int, object]]:
        """What a slot of this name may hold at `i`."""
        language = self.language
        if name == "who":
            named = self.who(i)
            if named is not None:
                yield named
        elif name == "fingers":
            listed = self.finger_list(i)
            if listed is not None:
                yield listed
        elif name == "number":
            if i < len(self.tokens) and self.tokens[i].isdigit():
                yield i + 1, int(self.tokens[i])
            yield from language.numbers.at(self.tokens, i)
        else:
            table: dict[str, Lexicon] = {
                "hand": language.hands,
                "set": language.sets,
                "contact": language.contacts,
                "direction": language.directions,
            }
            yield from table[name].at(self.tokens, i)

    def match(self, pattern: tuple[Element, ...], k: int, so_far: _Found, *, adverbs: bool = True) -> Iterator[_Found]:
        """Every way in which pattern[k:] stands at so_far.end; adverbs may stand between its elements."""
        if k == len(pattern):
            yield so_far
            return
        starts = [(so_far.end, so_far.manner)]
        if adverbs and k:
            after, heard = self.adjuncts(so_far.end)
            if heard:
                starts.append((after, so_far.manner + heard))
        element = pattern[k]
        for start, manner in starts:
            ends = element.at(self.tokens, start) if isinstance(element, Lexicon) else self.slot(element, start)
            for end, value in ends:
                values = so_far.values if isinstance(element, Lexicon) else {**so_far.values, element: value}
                yield from self.match(pattern, k + 1, _Found(end, manner, values), adverbs=adverbs)

    # -- clauses -------------------------------------------------------------------------------------------

    def clause(self, i: int, before: Clause | None, *, leading: bool = False) -> Clause | None:
        """The best reading of a clause at `i`, or None; `leading`: another may follow without any sign."""
        readings: list[tuple[tuple[bool, bool, int, int], Clause]] = []
        start, early = self.adjuncts(i)
        # without a subject: as an instruction, or as one that goes on with the subject before
        tries: list[tuple[int, Manner, Who | None]] = [(start, early, None), (i, (), None)]
        # "They both open": "both" is filler or subject, so the subject is looked for before and after it
        for at, heard in {(start, early), (i, ())}:
            subject = self.who(at)
            if subject is not None:
                after, more = self.adjuncts(subject[0])
                tries += [(after, heard + more, subject[1]), (subject[0], heard, subject[1])]
        for at, heard, who in tries:
            for template in self.language.templates_at(self.tokens, at):
                if who is not None and template.style == "tells":
                    continue
                for match in self.match(template.pattern, 0, _Found(at)):
                    end, late = self.adjuncts(match.end, late=True)
                    manner = heard + match.manner + late
                    told = match.values.get("who", who)
                    understood = self._clause(template, told, match.values, manner, before, end)
                    if understood is not None:
                        consistent = before is None or before.style == template.style
                        fillers = sum(kind == "filler" for kind, _ in manner)
                        readings.append(((leading or self._boundary(end), consistent, end, -fillers), understood))
        return max(readings, key=lambda r: r[0])[1] if readings else None

    def _boundary(self, i: int) -> bool:
        """Whether a clause may well end before token `i`."""
        if i >= len(self.tokens) or self.tokens[i] in self.language.stops or self.tokens[i] in self.language.commas:
            return True
        return self.language.joins.longest(self.tokens, i) is not None

    def _clause(
        self,
        template: Template,
        who: object,
        values: dict[str, object],
        manner: Manner,
        before: Clause | None,
        end: int,
    ) -> Clause | None:
        """The events that a matched template means, or None where the vocabulary does not allow them."""
        explicit = isinstance(who, Who) and not who.same
        named = who if isinstance(who, Who) else Who(same=True)
        hands, shown = named.hands, named.fingers
        if named.same:
            if before is None:
                return None
            shown = before.shown
            if named.contact:
                shown = _in_order({*shown, *(e.contact for e in before.events)})
        hands = hands or (before.hands if before else ()) or ((self.hand,) if self.hand else ())
        if not hands:
            return None
        contact = str(values.get("contact", template.contacts[0]))
        if template.contacts == ("same",):
            contact = before.events[0].contact if before else ""
        elif contact not in template.contacts:
            return None
        direction = str(values.get("direction", template.directions[0]))
        fingers = shown
        if template.thumb:
            if not shown or (template.thumb == "shown" and "thumb" not in shown):
                return None
            fingers = tuple(f for f in shown if f != "thumb")
        attributes = dict(m for m in manner if m[0] != "filler")
        try:
            events = tuple(
                FingerEvent(hand, template.motion, fingers, direction, contact, **attributes)  # type: ignore[arg-type]
                for hand in hands
            )
            for event in events:
                check(event)
        except ScoreError:
            return None
        return Clause(events, template.style, shown, explicit, end)

    # -- the text ------------------------------------------------------------------------------------------

    def read(self) -> tuple[Score, list[str], list[str]]:
        """(events in ordinal times, words not understood, words understood), clause by clause."""
        events: list[FingerEvent] = []
        unknown: list[str] = []
        known: list[str] = []
        before: Clause | None = None
        i, step, leading, join = 0, -1, False, "next"
        while i < len(self.tokens):
            if self.tokens[i] in self.language.stops:
                i, join, leading = i + 1, "next", False
                continue
            if self.tokens[i] in self.language.commas:
                i += 1
                continue
            connective = self.language.joins.longest(self.tokens, i)
            if connective is not None:
                words, kind = self.tokens[i : connective[0]], connective[1]
                # "Then, while A, B": a "while" that no clause precedes joins A to the clause after it
                if words in self.language.leads and (step < 0 or join == "then" or self._starts_sentence(i)):
                    leading = True
                elif kind == "next":
                    join = "then"
                elif not leading:
                    join = kind
                i = connective[0]
                continue
            clause = self.clause(i, before, leading=leading)
            if clause is None:
                end = self._skip(i)
                unknown.append(self._said(i, end))
                # a subject that was not understood must not be guessed for the clauses after it
                before, i, join, leading = None, end, "next", False
                continue
            together = join == "while" or (join == "also" and clause.explicit)
            if step < 0 or not together:
                step += 1
            events += [replace(e, start=float(step), end=float(step + 1)) for e in clause.events]
            known.append(self._said(i, clause.end))
            before, i = clause, clause.end
            join, leading = ("while" if leading else "next"), False
        return order(events), unknown, known

    def _starts_sentence(self, i: int) -> bool:
        return i == 0 or self.tokens[i - 1] in self.language.stops

    def _skip(self, i: int) -> int:
        """Where reading can begin again after something that was not understood."""
        i += 1
        while i < len(self.tokens):
            if self.tokens[i] in self.language.stops or self.tokens[i] in self.language.commas:
                break
            join = self.language.joins.longest(self.tokens, i)
            if join is not None and join[1] != "also":
                break
            i += 1
        return i

    def _said(self, i: int, end: int) -> str:
        return self.text[self.places[i].start() : self.places[end - 1].end()]


def _who(kind: str, values: dict[str, object]) -> Who:
    """What a naming of this kind (a key of "who" in the language file) means."""
    if kind in ("same_one", "same_many", "with_contact"):
        return Who(same=True, contact=kind == "with_contact")
    fingers = values.get("fingers", values.get("set", ()))
    both = kind == "hands" or kind.endswith("_of_both")
    return Who(HANDS if both else (str(values["hand"]),), tuple(fingers))  # type: ignore[arg-type]


def parse(text: str, language: str = "en", *, strict: bool = True, hand: str | None = None) -> Score:
    """The score that a text says; step k of it spans the times k .. k+1.

    Args:
        strict: raise ScoreError naming the words that were not understood; else leave their clauses out.
        hand: "left" or "right" where the text names no hand; without it such a clause is not understood.
    """
    score, unknown, known = _Reader(text, load(language), hand).read()
    if unknown and strict:
        did = "; ".join(known) or "nothing"
        raise ScoreError(
            f"The caption says {'; '.join(map(repr, unknown))}, which was not understood; understood: {did}."
        )
    return score


def not_understood(text: str, language: str = "en", *, hand: str | None = None) -> list[str]:
    """The pieces of a text that `parse` leaves out; `hand` as there."""
    return _Reader(text, load(language), hand).read()[1]
