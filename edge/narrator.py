"""Score <-> text. The narrator writes a score as sentences; `parse` reads them back to the same score.

What a text can say of a score is `said(score)`: order and simultaneity instead of seconds, fingers that do the
same at the same time merged. parse(narrate(score)) == said(score), in every style, language and paraphrase.

The plain descriptive wording of a language with a trained captioner (`"captioner": true` in its data file) is the
captioner's register: its weights hold these words and sentences, so they stay as they are. Every other style and
detail is free to speak better.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from edge.errors import ScoreError
from edge.language.parser import not_understood, parse
from edge.language.resource import Language, load, spoken
from edge.score import FINGERS, HANDS, MOTIONS, FingerEvent, Score, check

__all__ = [
    "DETAILS", "STYLES", "describe", "label", "narrate", "not_understood", "parse", "said", "steps",
    "text_of", "together", "vocabulary", "words",
]  # fmt: skip

#: style -> the section of the language file that holds its templates.
STYLES = {"descriptive": "says", "instruction": "tells"}
DETAILS = ("short", "normal", "detailed")
#: Two events are simultaneous when they share this much of the shorter one.
TOGETHER = 0.5

_T = TypeVar("_T")


# -- what a text can say ---------------------------------------------------------------------------------------


def together(a: FingerEvent, b: FingerEvent) -> bool:
    """Whether a text would say "while": they share more than half of the shorter one."""
    shared = min(a.end, b.end) - max(a.start, b.start)
    shorter = min(a.end - a.start, b.end - b.start)
    return a.start == b.start if shorter <= 0 else shared > TOGETHER * shorter


def steps(score: Iterable[FingerEvent]) -> list[list[FingerEvent]]:
    """The score as a row of steps: events of a step are pairwise simultaneous, steps follow one another."""
    out: list[list[FingerEvent]] = []
    for event in sorted(score, key=_key):
        if out and all(together(event, other) for other in out[-1]):
            out[-1].append(event)
        else:
            out.append([event])
    return out


def said(score: Iterable[FingerEvent], *, detail: str = "normal") -> Score:
    """What a text says of a score: step k spans the times k .. k+1; merged fingers; no confidence."""
    out: list[FingerEvent] = []
    for k, step in enumerate(steps(score)):
        timed = (replace(e, start=float(k), end=float(k + 1), confidence=1.0) for e in step)
        out += sorted(
            _merged([replace(e, extent="full", speed="normal") if detail == "short" else e for e in timed]), key=_key
        )
    return tuple(out)


def _key(e: FingerEvent) -> tuple[object, ...]:
    return e.start, e.end, e.hand, e.motion, e.fingers, e.direction, e.contact, e.extent, e.speed, e.repeat


def _merged(step: list[FingerEvent]) -> list[FingerEvent]:
    """One event for fingers that do the same, where the motion is each finger's own."""
    out: list[FingerEvent] = []
    for event in step:
        low, high = MOTIONS[event.motion].fingers
        for i, other in enumerate(out):
            same = replace(other, fingers=event.fingers) == event
            fingers = tuple(f for f in FINGERS if f in event.fingers + other.fingers)
            if same and event.fingers == other.fingers:
                break
            # spreading takes a pair: two pairs that spread are not four fingers that spread
            each = low <= 1 and event.fingers and other.fingers
            if same and each and len(fingers) == len(event.fingers) + len(other.fingers) <= high:
                out[i] = replace(other, fingers=fingers)
                break
        else:
            out.append(event)
    return out


# -- writing ---------------------------------------------------------------------------------------------------


class _Writer:
    """Writes one text; with `rng` it picks among paraphrases, without it takes the first of every list."""

    def __init__(self, language: Language, style: str, detail: str, rng: np.random.Generator | None) -> None:
        self.language, self.style, self.detail, self.rng = language, STYLES[style], detail, rng
        self.data = language.data
        self.turns = 0
        self.free = not (language.captioner and style == "descriptive" and detail == "normal")

    def pick(self, options: Sequence[_T]) -> _T:
        if self.rng is None or len(options) == 1:
            return options[0]
        return options[int(self.rng.integers(len(options)))]

    def phrase(self, options: Iterable[str]) -> str:
        return self.pick(spoken(options, free=self.free))

    def turn(self, options: Iterable[str]) -> str:
        """As `phrase`; outside the captioner's register the plain wording takes turns between the first two."""
        said = spoken(options, free=self.free)
        if self.rng is not None or not self.free:
            return self.pick(said)
        self.turns += 1
        return said[(self.turns - 1) % min(2, len(said))]

    def chance(self, p: float) -> bool:
        """A coin for paraphrases; never without rng."""
        return self.rng is not None and bool(self.rng.random() < p)

    def fingers(self, fingers: tuple[str, ...], *, both: bool) -> str:
        """ "index finger", "thumb, index and middle fingers"."""
        names = self.data["fingers"]
        if len(fingers) == 1:
            return self.phrase(names[fingers[0]]["many" if both else "alone"])
        # "thumb and index finger", but "index and middle fingers"
        one = fingers[:-1] == ("thumb",) and not both
        last = self.phrase(names[fingers[-1]]["alone" if one else "many"])
        listed = [self.phrase(names[f]["listed"]) for f in fingers[:-1]]
        join = self.data["finger_list"]
        return f"{(join['comma'] + self.language.space).join(listed)}{join['last']}{self.language.space}{last}"

    def who(self, hands: tuple[str, ...], fingers: tuple[str, ...]) -> str:
        """Hand and fingers as subject or object."""
        who, both = self.data["who"], len(hands) > 1
        hand = "" if both else self.phrase(self.data["hands"][hands[0]])
        if not fingers:
            return self.phrase(who["hands" if both else "hand"]).format(hand=hand)
        sets = spoken(self.data["finger_sets"].get(" ".join(fingers), ()), free=self.free)
        if sets and not self.chance(0.3):
            return self.phrase(who["set_of_both" if both else "set"]).format(hand=hand, set=self.pick(sets))
        if not both:
            return self.phrase(who["fingers"]).format(hand=hand, fingers=self.fingers(fingers, both=False))
        kind = "one_of_both" if len(fingers) == 1 else "fingers_of_both"
        return self.phrase(who[kind]).format(fingers=self.fingers(fingers, both=True))

    def manner(self, event: FingerEvent, *, early: bool) -> tuple[str, str, str, str]:
        """(speed before the verb, extent, speed after, repetition), each may be ""."""
        if self.detail == "short":
            extent = speed = ""
        else:
            # what is usual is said only in full detail, and of motions of which it can be said
            usual = self.data["usual"] if self.detail == "detailed" else {"extent": (), "speed": ()}
            extent = event.extent if event.extent != "full" or event.motion in usual["extent"] else ""
            speed = event.speed if event.speed != "normal" or event.motion in usual["speed"] else ""
        data = self.data
        times = ""
        if event.repeat > 1:
            exact = data["repeats"].get(str(event.repeat))
            numbers = data["numbers"]
            number = numbers[event.repeat] if event.repeat < len(numbers) else str(event.repeat)
            times = self.phrase(exact or data["repeats"]["many"]).format(number=number)
        before = spoken(data["speeds"][speed]["before"], free=self.free) if speed else []
        after = data["speeds"][speed]["after"] if speed else []
        early = early and bool(before) and not self.chance(0.4)
        return (
            self.pick(before) if early else "",
            self.phrase(data["extents"][extent]) if extent else "",
            self.phrase(after) if speed and not early else "",
            times,
        )

    def clause(
        self,
        hands: tuple[str, ...],
        event: FingerEvent,
        before: _Shown | None,
        *,
        elide: bool,
        refer: bool = False,
        early_speed: bool = True,
    ) -> tuple[str, _Shown]:
        """One clause and what it showed as its subject.

        Where the subject is the same as before, `elide` = it may be left out, `refer` = a pronoun may stand for it.
        """
        early, extent, late, times = self.manner(event, early=early_speed)
        plain = not (early or extent or late or times)
        key = (event.motion, self.style, event.contact, event.direction, plain)
        options = self.language.spoken.get(key)
        if not options:
            raise ScoreError(f"The language {self.language.code!r} has no words for {label(event)}.")
        # whole-hand events cannot show the thumb among their fingers
        options = [t for t in options if (not t.thumb or event.fingers) and (self.free or not t.free)]
        template = self.pick(sorted(options, key=lambda t: not t.free) if self.free else options)
        shown = tuple(f for f in FINGERS if f in event.fingers or (template.thumb and f == "thumb"))
        now: _Shown = (hands, shown)
        many = len(hands) > 1 or len(shown) > 1
        same = before == now and (elide or refer or self.style == "tells") and not self.chance(0.2)
        who = self.who(hands, shown)
        if same:
            number, pronouns = "many" if many else "one", self.data["who"]
            if self.style == "tells":
                who = self.phrase(pronouns[f"same_{number}"])
            else:  # a language without pronouns for it leaves the subject out
                who = self.phrase(pronouns.get(f"subject_{number}", [""])) if refer else ""
        do = self.language.inflect(template.text, many=many, base=self.style == "tells").format(
            who=who,
            contact=self.phrase(self.data["contacts"][event.contact]) if event.contact else "",
            direction=self.phrase(self.data["directions"][event.direction]) if "{direction}" in template.text else "",
            extent=extent,
        )
        if "{extent}" in template.text:
            extent = ""
        frame = self.language.frames[self.style][0 if early else 1]
        text = frame.format(who=who, before=early, do=do, extent=extent, after=late, repeat=times)
        return text, now

    def step(
        self, step: list[FingerEvent], before: _Shown | None, *, elide: bool, lead: bool
    ) -> tuple[str, _Shown | None]:
        """The clauses of one step, joined; the subject that the next step may refer to."""
        groups = list(_hands(step))
        joins = self.data["joins"][self.style]
        if len(groups) == 1:
            return self.clause(*groups[0], before, elide=elide)
        lead = lead and bool(joins["lead"]) and self.chance(0.3)
        # "While you A, quickly B": without its comma "quickly" would go with A
        late = lead and self.style == "tells"
        clauses: list[str] = []
        # who is meant twice in a step is named once; "and" needs a name, or it would begin another step
        last = before if self.free else None
        for k, (hands, event) in enumerate(groups):
            text, now = self.clause(
                hands, event, last, elide=elide and k == 0, refer=k == 1, early_speed=not late
            )  # fmt: skip
            clauses.append(text)
            last = now if self.free and k == 0 else None
        if lead:
            end = self.data.get("lead_end", self.data["comma"])
            text = f"{self.phrase(joins['lead'])} {clauses[0]} {end} {clauses[1]}"
        else:
            text = f"{clauses[0]} {self.turn(joins['while'])} {clauses[1]}"
        for clause in clauses[2:]:
            text += f" {self.phrase(joins['also'])} {clause}"
        return text, None

    def write(self, score: Score) -> str:
        """All steps: two to a sentence in the plain form."""
        rows = list(_rows(score))
        joins = self.data["joins"][self.style]
        text = ""
        before: _Shown | None = None
        in_sentence = breaks = 0
        for k, row in enumerate(rows):
            if k == 0:
                join, elide = "", False
            else:
                last = k == len(rows) - 1 and k >= 2
                elide = in_sentence < 2 and not self.chance(0.3)
                if elide:
                    join = self.phrase(joins["next"])
                else:
                    options = joins["last" if last and not self.chance(0.3) else "new"]
                    # the plain wording takes turns, so that not every sentence begins alike
                    options = spoken(options, free=self.free)
                    join = self.pick(options) if self.rng is not None else options[breaks % len(options)]
                    breaks, in_sentence = breaks + 1, 0
            clauses, before = self.step(row, before, elide=elide, lead=not elide)
            text = f"{text} {join} {clauses}"
            in_sentence += len(list(_hands(row)))
        return self.language.text(self.language.words(f"{text} {self.data['stop']}")) if rows else ""


_Shown = tuple[tuple[str, ...], tuple[str, ...]]  # hands, fingers as they were said


def _rows(score: Score) -> Iterable[list[FingerEvent]]:
    """`said` again as a row of steps."""
    start: float | None = None
    row: list[FingerEvent] = []
    for event in score:
        if row and event.start != start:
            yield row
            row = []
        start = event.start
        row.append(event)
    if row:
        yield row


def _hands(step: list[FingerEvent]) -> Iterable[tuple[tuple[str, ...], FingerEvent]]:
    """Events of a step, those that both hands do said once."""
    rest = list(step)
    while rest:
        event = rest.pop(0)
        twin = next((o for o in rest if o.hand != event.hand and replace(o, hand=event.hand) == event), None)
        if twin is not None:
            rest.remove(twin)
        yield (HANDS if twin is not None else (event.hand,)), event


def narrate(
    score: Iterable[FingerEvent],
    *,
    style: str = "descriptive",
    detail: str = "normal",
    rng: np.random.Generator | None = None,
    language: str = "en",
) -> str:
    """The score as text; "" for an empty one.

    Args:
        style: "descriptive" ("The right index finger bends.") or "instruction" ("Bend the right index finger.").
        detail: "short" leaves extent and speed out, "normal" says what is not usual, "detailed" says all.
        rng: picks among paraphrases; None = the one plain wording.

    Raises ScoreError for an event that the vocabulary does not allow, or an unknown style, detail or language.
    """
    if style not in STYLES:
        raise ScoreError(f"The style must be one of {', '.join(STYLES)}, found {style!r}.")
    if detail not in DETAILS:
        raise ScoreError(f"The detail must be one of {', '.join(DETAILS)}, found {detail!r}.")
    events = tuple(score)
    for event in events:
        check(event)
    return _Writer(load(language), style, detail, rng).write(said(events, detail=detail))


def describe(event: FingerEvent, language: str = "en") -> str:
    """An event in a few words, for lists and overlays: "right thumb and index finger pinch"."""
    text = text_of(words(narrate((event,), detail="short", language=language), language)[:-1], language)
    return text[:1].lower() + text[1:]


def label(event: FingerEvent) -> str:
    """A stable name without the hand: motion, fingers, direction, contact: "pinch_index", "swipe_thumb_left_on_index".

    A contact that the motion implies is left out (the thumb of pinch, release and flick); all five fingers = "all".
    """
    parts = [event.motion]
    parts += ["all"] if event.fingers == FINGERS else event.fingers
    parts += [event.direction] if event.direction else []
    implied = event.contact == "thumb" and event.motion in ("pinch", "release", "flick")
    if event.contact and not implied:
        parts += ["on", event.contact]
    return "_".join(parts)


def vocabulary(language: str = "en", *, free: bool = False) -> list[str]:
    """Every word, stop and digit of the plain register, sorted: the token list of a learned captioner.

    It is baked into trained weights. `free` adds what the other styles and details say.
    """
    return load(language).vocabulary(free=free)


def words(text: str, language: str = "en") -> list[str]:
    """A narration as tokens of `vocabulary`: lower case, stops apart, numerals as digits."""
    return load(language).words(text)


def text_of(tokens: Iterable[str], language: str = "en") -> str:
    """Inverse of `words`: spaces, capitals, numerals."""
    return load(language).text(tokens)
