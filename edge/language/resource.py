"""A language resource: words and templates from `<language>.json`, compiled once for speaking and for reading.

Everything about one language is data: nouns, verbs, templates, adverbs, connectives, where adverbs stand,
how words are cut and joined. `edge.narrator` and `edge.language.parser` hold mechanism only.
In every list a phrase that starts with `~` is understood but never spoken, and one that starts with `+` is spoken
only outside the captioner's register: a language with `"captioner": true` has a trained captioner whose words are
those of the plain descriptive wording, and neither that wording nor `vocabulary` may change under its weights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from edge.errors import ScoreError
from edge.score import CONTACTS, EXTENTS, FINGERS, HANDS, MOTIONS, SPEEDS

Tokens = tuple[str, ...]
#: Slots that a template may carry; every other name in braces is an inflected word of the language.
#: `{extent}` may stand in a template whose language puts that adverb inside it; the parser looks for adverbs anyway.
SLOTS = frozenset({"who", "contact", "direction", "hand", "fingers", "set", "number"})
_SLOT = re.compile(r"\{(\w+)\}")


def bare(phrase: str) -> str:
    """A phrase of the data file without its marks."""
    return phrase.lstrip("~+")


def spoken(phrases: Iterable[str], *, free: bool) -> list[str]:
    """The phrases that may be said; `free` = outside the captioner's register, where its own come first."""
    said = [p for p in phrases if not p.startswith("~")]
    own = [p[1:] for p in said if p.startswith("+")] if free else []
    return own + [p for p in said if not p.startswith("+")]


class Lexicon:
    """Phrases and what they mean; finds the longest one at a place."""

    def __init__(self, phrases: Iterable[tuple[Tokens, Any]]) -> None:
        self._by_first: dict[str, list[tuple[Tokens, Any]]] = {}
        for tokens, value in phrases:
            if tokens:
                known = self._by_first.setdefault(tokens[0], [])
                if (tokens, value) not in known:
                    known.append((tokens, value))
        for known in self._by_first.values():
            known.sort(key=lambda item: -len(item[0]))

    def at(self, tokens: Tokens, i: int) -> Iterator[tuple[int, Any]]:
        """(end, value) of every phrase that stands at `i`, longest first."""
        if i < len(tokens):
            for phrase, value in self._by_first.get(tokens[i], ()):
                if tokens[i : i + len(phrase)] == phrase:
                    yield i + len(phrase), value

    def longest(self, tokens: Tokens, i: int) -> tuple[int, Any] | None:
        """The longest phrase at `i`, or None."""
        return next(self.at(tokens, i), None)

    def firsts(self) -> frozenset[str]:
        """Words that begin a phrase."""
        return frozenset(self._by_first)


Element = Lexicon | str  #: of a pattern: words (their values are None), or the name of a slot


@dataclass(frozen=True, slots=True, eq=False)
class Template:
    """One way to put a predicate, with the events it can stand for.

    Attributes:
        motion: the motion it says.
        style: "says" (descriptive, after a subject) or "tells" (instruction, {who} inside).
        text: as in the data file, without the mark of heard-only phrases.
        spoken: whether the narrator may choose it; free: only outside the captioner's register.
        contacts: targets it can say; ("",) = none, ("same",) = what was touched last (heard only).
        fixed: it names no contact slot; the contact is contacts[0].
        directions: likewise; ("",) = none.
        thumb: the thumb is shown among the fingers, although the event does not name it; "shown" = it must be heard.
        plain: cannot carry an extent or a repetition.
        pattern: for the parser.
    """

    motion: str
    style: str
    text: str
    spoken: bool
    free: bool
    contacts: tuple[str, ...]
    directions: tuple[str, ...]
    thumb: bool | str
    plain: bool
    pattern: tuple[Element, ...]

    @property
    def fixed(self) -> bool:
        """Whether the contact is implied by the words."""
        return "{contact}" not in self.text


class Language:
    """One compiled language. Raises ScoreError when the data file breaks the rules of this module."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.code: str = data["language"]
        self.captioner = bool(data.get("captioner", False))
        self._token = re.compile(data["token"])
        self.space: str = data["space"]
        self.commas, self.stops = frozenset(data["commas"]), frozenset(data["stops"])
        self._ignore = frozenset(data["ignore"])
        self.verbs: dict[str, list[str]] = data["verbs"]
        self.nouns: dict[str, list[str]] = data["nouns"]
        self.frames: dict[str, list[str]] = data["frames"]
        self._check()
        self.templates = tuple(self._templates())
        self.spoken: dict[tuple[str, str, str, str, bool], list[Template]] = {}
        for t in self.templates:
            if t.spoken:
                for contact in t.contacts:
                    for direction in t.directions:
                        for plain in (True, False) if not t.plain else (True,):
                            self.spoken.setdefault((t.motion, t.style, contact, direction, plain), []).append(t)
        self._by_word: dict[str, list[Template]] = {}
        self._any: list[Template] = []
        for t in self.templates:
            first = t.pattern[0]
            if isinstance(first, Lexicon):
                for word in first.firsts():
                    self._by_word.setdefault(word, []).append(t)
            else:
                self._any.append(t)
        self._reading()

    def _check(self) -> None:
        """Every word of the score must be sayable."""
        data = self.data
        for key, names in (
            ("hands", HANDS), ("fingers", FINGERS), ("contacts", CONTACTS), ("extents", EXTENTS),
            ("speeds", SPEEDS), ("motions", MOTIONS),
        ):  # fmt: skip
            missing = [name for name in names if name not in data.get(key, {})]
            if missing:
                raise ScoreError(f"The language file {self.code!r} has no word for {missing[0]!r} in {key!r}.")

    # -- words ---------------------------------------------------------------------------------------------

    def cut(self, text: str) -> list[re.Match[str]]:
        """The words and stops of a text, in lower case, with their places."""
        return list(self._token.finditer(text.lower()))

    def ignored(self, word: str) -> bool:
        """Whether a word carries nothing (articles)."""
        return word in self._ignore

    def tokens(self, phrase: str) -> Tokens:
        """A phrase of the data file as the parser meets it: no articles."""
        return tuple(w for w in self._token.findall(phrase.lower()) if w not in self._ignore)

    def inflect(self, text: str, *, many: bool, base: bool) -> str:
        """Fill the inflected words of a template: verbs by person, nouns by number; slots stay."""

        def form(match: re.Match[str]) -> str:
            name = match.group(1)
            if name in self.verbs:
                return self.verbs[name][0 if base or many else 1]
            return self.nouns[name][1 if many else 0] if name in self.nouns else match.group(0)

        return _SLOT.sub(form, text)

    # -- for reading ---------------------------------------------------------------------------------------

    def pattern(self, text: str) -> tuple[Element, ...]:
        """A template for the parser: words with all their forms, and slots."""
        out: list[Element] = []
        for piece in re.split(r"(\{\w+\})", text):
            match = _SLOT.fullmatch(piece)
            if piece == "{extent}":
                continue
            if match is None:
                words = self.tokens(piece)
                if words:
                    out.append(Lexicon([(words, None)]))
            elif match.group(1) in SLOTS:
                out.append(match.group(1))
            else:
                name = match.group(1)
                forms = self.verbs.get(name) or self.nouns.get(name)
                if forms is None:
                    raise ScoreError(f"The language file {self.code!r} has a template with the unknown word {piece}.")
                out.append(Lexicon([(self.tokens(form), None) for form in forms]))
        return tuple(out)

    def _templates(self) -> Iterator[Template]:
        for motion, entries in self.data["motions"].items():
            for entry in entries:
                for style in ("says", "tells"):
                    for text in entry[style]:
                        plain_text = bare(text)
                        yield Template(
                            motion=motion,
                            style=style,
                            text=plain_text,
                            spoken=not text.startswith("~"),
                            free=text.startswith("+"),
                            contacts=tuple(entry.get("contact", ("",))),
                            directions=tuple(entry.get("direction", ("",))),
                            thumb=entry.get("thumb", False),
                            plain=bool(entry.get("plain", False)),
                            pattern=self.pattern(plain_text),
                        )

    def _lexicon(self, table: Mapping[str, Any]) -> Lexicon:
        return Lexicon((self.tokens(bare(p)), value) for value, phrases in table.items() for p in phrases)

    def _reading(self) -> None:
        """Everything that the parser looks words up in."""
        data = self.data
        self.hands = self._lexicon(data["hands"])
        self.contacts = self._lexicon(data["contacts"])
        self.directions = self._lexicon(data["directions"])
        self.fingers = self._lexicon(
            {f: [p for form in forms.values() for p in form] for f, forms in data["fingers"].items()}
        )
        self.sets = Lexicon(
            (self.tokens(bare(p)), tuple(names.split()))
            for names, phrases in data["finger_sets"].items()
            for p in phrases
        )
        self.separators = Lexicon([(self.tokens(data["finger_list"]["last"]), None)])
        self.who = tuple((kind, self.pattern(bare(p))) for kind, phrases in data["who"].items() for p in phrases)
        adjuncts: list[tuple[Tokens, Any]] = [(self.tokens(p), ("filler", "")) for p in data["filler"]]
        for extent, phrases in data["extents"].items():
            adjuncts += [(self.tokens(bare(p)), ("extent", extent)) for p in phrases]
        for speed, places in data["speeds"].items():
            adjuncts += [(self.tokens(bare(p)), ("speed", speed)) for ps in places.values() for p in ps]
        self.counts: list[tuple[Element, ...]] = []
        for count, phrases in data["repeats"].items():
            for p in phrases:
                if count == "many":
                    self.counts.append(self.pattern(bare(p)))
                else:
                    adjuncts.append((self.tokens(bare(p)), ("repeat", int(count))))
        self.adjuncts = Lexicon(adjuncts)
        self.numbers = Lexicon((self.tokens(word), n) for n, word in enumerate(data["numbers"]))
        joins: list[tuple[Tokens, Any]] = []
        for table in data["joins"].values():
            for kind, phrases in table.items():
                meaning = {"new": "next", "last": "next", "lead": "while"}.get(kind, kind)
                for p in phrases:
                    plain = tuple(w for w in self.tokens(p) if w not in self.commas and w not in self.stops)
                    joins.append((plain, meaning))
        self.joins = Lexicon(joins)
        self.leads = frozenset(self.tokens(p) for table in data["joins"].values() for p in table.get("lead", ()))

    def templates_at(self, tokens: Tokens, i: int) -> Iterator[Template]:
        """Templates that may begin at `i`."""
        if i < len(tokens):
            yield from self._by_word.get(tokens[i], ())
            yield from self._any

    # -- for speaking --------------------------------------------------------------------------------------

    def text(self, words: Iterable[str]) -> str:
        """Join words and stops to a text: spacing, numerals, capitals."""
        out: list[str] = []
        capital = bool(self.data["capitalise"])
        for word in words:
            stop = word in self.stops or word in self.commas
            if out and not stop and not (word.isdigit() and out[-1].isdigit()):
                out.append(self.space)
            out.append(word[:1].upper() + word[1:] if capital and not stop else word)
            capital = (word in self.stops and bool(self.data["capitalise"])) or (stop and capital)
        return "".join(out)

    def words(self, text: str) -> list[str]:
        """Inverse of `text`: words, stops, and single digits, as they stand in `vocabulary`."""
        out: list[str] = []
        for match in self.cut(text):
            word = match.group()
            out += list(word) if word.isdigit() else [word]
        return out

    def vocabulary(self, *, free: bool = False) -> list[str]:
        """Every word and stop that the narrator can say, sorted; `free` adds those outside the captioner's register."""
        data = self.data
        texts: list[str] = [*"0123456789", data["comma"], data["stop"], *data["numbers"], *data["finger_list"].values()]
        for key in ("hands", "who", "contacts", "directions", "extents", "finger_sets", "repeats"):
            texts += [p for phrases in data[key].values() for p in phrases]
        texts += [p for forms in data["fingers"].values() for phrases in forms.values() for p in phrases]
        texts += [p for places in data["speeds"].values() for phrases in places.values() for p in phrases]
        texts += [p for style in ("says", "tells") for ps in data["joins"][style].values() for p in ps]
        texts += [frame for frames in self.frames.values() for frame in frames]
        for t in self.templates:
            if t.spoken and (free or not t.free):
                texts += [self.inflect(t.text, many=m, base=b) for m in (False, True) for b in (False, True)]
        texts += [data["lead_end"]] if "lead_end" in data else []
        return sorted({w for p in spoken(texts, free=free) for w in self._token.findall(_SLOT.sub(" ", p).lower())})


@lru_cache(maxsize=8)
def load(language: str) -> Language:
    """The language of that code. Raises ScoreError naming the languages that exist."""
    folder = Path(__file__).parent
    path = folder / f"{language}.json"
    if not language.isalpha() or not path.is_file():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.json")))
        raise ScoreError(f"There is no language {language!r}; there is {known}.")
    return Language(json.loads(path.read_text(encoding="utf-8")))
