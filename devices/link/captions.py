"""Captions in pieces: the newest one wins, and each piece carries the caption's age."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from devices.link.framing import Counters
from devices.link.table import PIECE, PIECES, Message, bits, words

#: A caption is sent so many times, so far apart, unless a newer one comes: nothing acknowledges it.
PASSES, PASS_GAP_S = 3, 0.25
_ELLIPSIS = "…".encode()


@dataclass(frozen=True, slots=True)
class LinkCaption:
    """A caption as the link carries it.

    Attributes: phrase and revision as in `edge.events.Caption`; age_ms when it was handed to the link, or arrived.
    """

    text: str
    phrase: int = 0
    revision: int = 0
    final: bool = True
    confidence: float = 1.0
    age_ms: float = 0.0
    shortened: bool = False


def milliseconds(value: float) -> int:
    """An age as u16, which stays at its end."""
    return min(max(round(value), 0), 0xFFFF)


def cut(text: str) -> tuple[bytes, bool]:
    """UTF-8 of at most `PIECES` pieces, ended by an ellipsis where it was longer; and whether it was."""
    data = text.encode()
    if len(data) <= PIECE * PIECES:
        return data, False
    kept = data[: PIECE * PIECES - len(_ELLIPSIS)].decode(errors="ignore")
    return kept.encode() + _ELLIPSIS, True


class CaptionSender:
    """Gives the pieces of the newest caption, one at a time."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._number = -1
        self._caption: LinkCaption | None = None
        self._data, self._shortened = b"", False
        self._since = 0.0
        self._next, self._passes, self._due = 0, 0, 0.0

    def show(self, caption: LinkCaption, now: float) -> None:
        """From now on this one; what is left of the one before is dropped."""
        if self._caption is not None and not self._passes:
            self._counters.add("replaced")
        self._number = (self._number + 1) & 0xFFFF
        self._caption, self._since = caption, now
        self._data, self._shortened = cut(caption.text)
        self._next, self._passes, self._due = 0, 0, now

    @property
    def sent(self) -> bool:
        """Whether the newest caption has left once as a whole (or there is none)."""
        return self._caption is None or self._passes > 0

    def due_at(self) -> float:
        """When the next piece is to go."""
        return inf if self._caption is None or self._passes >= PASSES else self._due

    def piece(self, now: float) -> Message | None:
        """The next piece that is due."""
        caption = self._caption
        if caption is None or self.due_at() > now:
            return None
        pieces = max(1, -(-len(self._data) // PIECE))
        index = self._next
        flags = [n for n, on in (("final", caption.final), ("shortened", self._shortened)) if on]
        self._next += 1
        if self._next == pieces:
            self._next, self._passes, self._due = 0, self._passes + 1, now + PASS_GAP_S
        return Message(
            "caption",
            {
                "id": self._number,
                "piece": index,
                "pieces": pieces,
                "flags": bits("caption_flags", flags),
                "phrase": caption.phrase & 0xFFFF,
                "revision": min(caption.revision, 255),
                "confidence": round(200 * min(max(caption.confidence, 0.0), 1.0)),
                "age_ms": milliseconds(caption.age_ms + (now - self._since) * 1e3),
                "text": self._data[index * PIECE : (index + 1) * PIECE],
            },
        )


class CaptionReader:
    """Puts pieces together; a caption is told once, when its last missing piece is there."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._key: tuple[int, int] | None = None
        self._pieces: dict[int, bytes] = {}

    def push(self, message: Message) -> LinkCaption | None:
        """Take a piece; returns the caption that it completes."""
        key = (message["id"], message["pieces"])
        if key != self._key:
            if self._key is not None and len(self._pieces) < self._key[1]:
                self._counters.add("captions_partial")
            self._key, self._pieces = key, {}
        if message["piece"] in self._pieces:
            return None
        self._pieces[message["piece"]] = message["text"]
        if len(self._pieces) < message["pieces"]:
            return None
        self._counters.add("captions_in")
        flags = words("caption_flags", message["flags"])
        return LinkCaption(
            b"".join(self._pieces[i] for i in range(message["pieces"])).decode(errors="replace"),
            message["phrase"],
            message["revision"],
            "final" in flags,
            message["confidence"] / 200,
            float(message["age_ms"]),
            "shortened" in flags,
        )

    def reset(self) -> None:
        """The other end began anew: its numbers mean other captions."""
        self._key, self._pieces = None, {}
