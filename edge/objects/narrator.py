"""Object events <-> text: "The right hand reaches for the cup, grasps it with a power grasp and lifts it."

A sentence is what one hand does with one thing one after the other, up to its next reach; `it` is the thing of the
clause before, and order words lead the sentences after the first. Words are data
(`language/*.json`). parse(narrate(score)) == `edge.objects.event.said(score)`, whatever the things are called: a name
that could be read as something else stands in quotes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from edge.errors import ScoreError
from edge.objects.event import ObjectEvent, ObjectScore, check, order

_FOLDER = Path(__file__).parent / "language"


class _Words:
    """One language, compiled for speaking and for reading."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data
        texts = [p for key in ("hands", "directions", "grasps", "verbs") for ps in data[key].values() for p in ps]
        texts += [*data["then"], *data["it"], data["last"], *data["heard_separators"], "the a an"]
        self.reserved = {w for t in texts for w in re.findall(r"[\w-]+", re.sub(r"\{\w+\}", " ", t))}
        left, right = (re.escape(q) for q in data["quotes"])
        reserved = "|".join(map(re.escape, sorted(self.reserved, key=len, reverse=True)))
        word = rf"(?!(?:{reserved})\b)[\w-]+"
        name = rf'{left}(?P<quoted>[^"“”]+?){right}'
        if data["space"]:  # without spaces nothing tells where a bare name ends
            name += f"|(?P<plain>{word}(?: {word})*)"
        things = [re.escape(t).replace(r"\{name\}", f"(?:{name})") for t in data["things"]]
        it = "|".join(map(re.escape, data["it"]))
        # one group of names a pattern: the articles go before the alternatives
        heads = sorted({t.split(r"(?:")[0] for t in things}, key=len, reverse=True)
        end = r"(?![\w-])" if data["space"] else ""
        self.thing = rf"(?:(?P<it>{it}){end}|(?:{'|'.join(heads)})(?:{name}))"
        self.clauses = [(verb, self._pattern(text)) for verb, texts in data["verbs"].items() for text in texts]
        self.hands = [(hand, p) for hand, ps in data["hands"].items() for p in sorted(ps, key=len, reverse=True)]
        self.then = sorted(data["then"], key=len, reverse=True)
        self.joins = sorted({data["separator"], data["last"], *data["heard_separators"]}, key=len, reverse=True)

    def _pattern(self, text: str) -> re.Pattern[str]:
        out = ""
        for piece in re.split(r"(\{\w+\})", text):
            if piece == "{thing}":
                out += self.thing
            elif piece in ("{direction}", "{grasp}"):
                table = self.data[piece[1:-1] + "s"]
                said = sorted((p for ps in table.values() for p in ps), key=len, reverse=True)
                out += f"(?P<{piece[1:-1]}>{'|'.join(map(re.escape, said))})"
            else:
                out += re.escape(piece)
        return re.compile(out)

    def meaning(self, table: str, phrase: str | None) -> str:
        return next((key for key, ps in self.data[table].items() if phrase in ps), "") if phrase else ""

    def named(self, name: str) -> str:
        """A thing as it is said the first time."""
        left, right = self.data["quotes"]
        risky = self.data["quote_always"] or bool(set(re.findall(r"[\w-]+", name)) & self.reserved)
        return str(self.data["things"][0].replace("{name}", f"{left}{name}{right}" if risky else name))


@lru_cache(maxsize=4)
def _load(language: str) -> _Words:
    path = _FOLDER / f"{language}.json"
    if not language.isalpha() or not path.is_file():
        known = ", ".join(sorted(p.stem for p in _FOLDER.glob("*.json")))
        raise ScoreError(f"There are no words for things in the language {language!r}; there are some in {known}.")
    return _Words(json.loads(path.read_text(encoding="utf-8")))


def narrate(score: Iterable[ObjectEvent], language: str = "en") -> str:
    """The score as text; "" for an empty one. Raises ScoreError for events outside the vocabulary."""
    words = _load(language)
    data = words.data
    sentences: list[str] = []
    for hand, events in _episodes(order(score)):
        clauses: list[str] = []
        before = None
        for event in events:
            check(event)
            thing = data["it"][0] if event.object == before else words.named(event.object)
            before = event.object
            texts = data["verbs"][event.verb]
            text = texts[0] if event.grasp or "{grasp}" not in texts[0] else texts[1]
            text = text.replace("{thing}", thing)
            if event.direction:
                text = text.replace("{direction}", data["directions"][event.direction][0])
            if event.grasp:
                text = text.replace("{grasp}", data["grasps"][event.grasp][0])
            clauses.append(text)
        row = _joined(clauses, data)
        spoken = data["then"][: data["then_spoken"]]
        lead = spoken[(len(sentences) - 1) % len(spoken)] + data["space"] if sentences else ""
        sentence = lead + data["hands"][hand][0] + data["space"] + row + data["stop"]
        sentences.append(sentence[:1].upper() + sentence[1:] if data["capitalise"] else sentence)
    return str(data["space"].join(sentences))


def _episodes(score: ObjectScore) -> list[tuple[str, list[ObjectEvent]]]:
    """The events of each sentence, with its hand."""
    out: list[tuple[str, list[ObjectEvent]]] = []
    for event in score:
        last = out[-1][1][-1] if out else None
        if last and (last.hand, last.object) == (event.hand, event.object) and event.verb != "reach":
            out[-1][1].append(event)
        else:
            out.append((event.hand, [event]))
    return out


def _joined(clauses: Sequence[str], data: dict[str, Any]) -> str:
    if len(clauses) == 1:
        return clauses[0]
    return str(data["separator"].join(clauses[:-1]) + data["last"] + clauses[-1])


def parse(text: str, language: str = "en") -> ObjectScore:
    """The score that a text says; event k spans the times k .. k+1. Raises ScoreError naming what is not understood."""
    words = _load(language)
    low, at = " ".join(text.split()).lower(), 0
    out: list[ObjectEvent] = []
    while at < len(low):
        at = _skip(low, at, [" ", words.data["stop"]])
        for then in words.then:
            if low.startswith(then, at):
                at = _skip(low, at + len(then), [" ", ",", "，"])
                break
        if at >= len(low):
            break
        hand = next(((h, p) for h, p in words.hands if low.startswith(p, at)), None)
        if hand is None:
            raise _unknown(text, low, at)
        at = _skip(low, at + len(hand[1]), [" "])
        at = _sentence(words, low, at, hand[0], out, text)
    return tuple(out)


def _sentence(words: _Words, low: str, at: int, hand: str, out: list[ObjectEvent], text: str) -> int:
    """Reads the clauses of one hand from `at`; where its sentence ends."""
    before = ""
    while True:
        found = [(m.end(), verb, m) for verb, pattern in words.clauses if (m := pattern.match(low, at))]
        found = [f for f in found if _ends(words, low, f[0])]
        if not found:
            raise _unknown(text, low, at)
        end, verb, match = max(found, key=lambda f: f[0])
        groups = match.groupdict()
        name = before if groups.get("it") else (groups.get("quoted") or groups.get("plain") or "")
        event = ObjectEvent(
            hand, verb, name, words.meaning("grasps", groups.get("grasp")),
            words.meaning("directions", groups.get("direction")), float(len(out)), float(len(out) + 1),
        )  # fmt: skip
        check(event)
        out.append(event)
        before, at = name, end
        if at >= len(low) or low.startswith(words.data["stop"], at):
            return at
        at += len(next(j for j in words.joins if low.startswith(j, at)))
        if any(low.startswith(p, at) for _, p in words.hands):  # "..., and the left hand ..."
            return at


def _ends(words: _Words, low: str, at: int) -> bool:
    return at >= len(low) or low.startswith(words.data["stop"], at) or any(low.startswith(j, at) for j in words.joins)


def _skip(low: str, at: int, marks: Sequence[str]) -> int:
    while at < len(low) and any(low.startswith(m, at) for m in marks):
        at += 1
    return at


def _unknown(text: str, low: str, at: int) -> ScoreError:
    piece = low[at : at + 60]
    return ScoreError(f"The caption says {piece!r}, which was not understood.")
