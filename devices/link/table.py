"""`messages.json`, the one table of the link, as types; and the codec that follows it.

The C codec (`devices/c/figop_messages.h`), the golden vectors and the tables of docs/serial.md are written from the
same file by `python -m devices.link.generate`.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from edge.errors import FigopError

Value = Any
#: `struct` codes of the table's types; "text" is what is left of the payload.
_CODES: Mapping[str, str] = {"u8": "B", "u16": "H", "u32": "I", "i16": "h", "text": ""}


class LinkError(FigopError):
    """A serial port or the board behind it cannot be used."""


class Died(Exception):
    """A frame that cannot be used; `counter` names the way it died."""

    def __init__(self, counter: str) -> None:
        super().__init__(counter)
        self.counter = counter


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message, little-endian on the wire.

    Attributes:
        name, type, count, doc: as in the table; count > 1 is an array.
        low, high: smallest and largest value; of a text, its length in bytes.
        unknown: a value outside of them that is allowed, or None.
        enum: the words that the numbers stand for, or ().
    """

    name: str
    type: str
    doc: str
    count: int
    low: int
    high: int
    unknown: int | None
    enum: tuple[str, ...]

    def holds(self, value: int) -> bool:
        """Whether the value may be sent."""
        return self.low <= value <= self.high or value == self.unknown


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of message: a row of the table. `size` is its payload's length, of a text's at least."""

    name: str
    id: int
    delivery: str
    doc: str
    fields: tuple[Field, ...]
    layout: struct.Struct

    @property
    def size(self) -> int:
        return self.layout.size

    @property
    def text(self) -> Field | None:
        """The text at the end, if there is one."""
        return self.fields[-1] if self.fields[-1].type == "text" else None


@dataclass(frozen=True, slots=True)
class Message:
    """A message: the name of its kind, and its values by field (words of enums, tuples of arrays, bytes of texts)."""

    kind: str
    values: Mapping[str, Value]

    def __getitem__(self, name: str) -> Value:
        return self.values[name]


@dataclass(frozen=True, slots=True)
class Counter:
    """One counter of the link. `group`: in, death, reliable, caption, out or link."""

    name: str
    group: str
    doc: str


def _field(row: Mapping[str, Any], enums: Mapping[str, Sequence[str]]) -> Field:
    enum = tuple(enums[row["enum"]]) if "enum" in row else ()
    kind = row["type"]
    if kind == "text":
        low, high = 0, row["max"]
    else:
        bits = 8 * struct.calcsize(_CODES[kind])
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if kind[0] == "i" else (0, (1 << bits) - 1)
    low, high = row.get("min", low), len(enum) - 1 if enum else row.get("max", high)
    return Field(row["name"], kind, row["doc"], row.get("count", 1), low, high, row.get("unknown"), enum)


def _kind(row: Mapping[str, Any], enums: Mapping[str, Sequence[str]]) -> Kind:
    fields = tuple(_field(f, enums) for f in row["fields"])
    layout = "<" + "".join(f"{f.count if f.count > 1 else ''}{_CODES[f.type]}" for f in fields)
    return Kind(row["name"], row["id"], row["delivery"], row["doc"], fields, struct.Struct(layout))


#: The file itself, for the generator.
TABLE: Mapping[str, Any] = json.loads(resources.files("devices.link").joinpath("messages.json").read_text("utf-8"))
VERSION: int = TABLE["version"]
PAYLOAD_MAX: int = TABLE["payload_max"]
PIECE: int = TABLE["caption"]["piece"]
PIECES: int = TABLE["caption"]["pieces"]
BITS: Mapping[str, tuple[str, ...]] = {name: tuple(words) for name, words in TABLE["bits"].items()}
ENUMS: Mapping[str, tuple[str, ...]] = {name: tuple(words) for name, words in TABLE["enums"].items()}
KINDS: Mapping[str, Kind] = {row["name"]: _kind(row, ENUMS) for row in TABLE["messages"]}
COUNTERS = tuple(Counter(**row) for row in TABLE["counters"])
DEATHS = tuple(c.name for c in COUNTERS if c.group == "death")
_BY_ID: Mapping[int, Kind] = {kind.id: kind for kind in KINDS.values()}


def bits(name: str, words: Sequence[str]) -> int:
    """Words of a set as a number: bit i = the i-th word of `BITS[name]`."""
    return sum(1 << BITS[name].index(word) for word in words)


def words(name: str, value: int) -> tuple[str, ...]:
    """Inverse of `bits`."""
    return tuple(word for i, word in enumerate(BITS[name]) if value >> i & 1)


def pack(message: Message) -> tuple[int, bytes]:
    """Type number and payload. Raises LinkError for a value that its field cannot hold."""
    kind = KINDS[message.kind]
    flat: list[int] = []
    text = b""
    for field in kind.fields:
        value = message.values[field.name]
        if field.type == "text":
            text = bytes(value)
            if len(text) > field.high:
                raise LinkError(f"{kind.name}.{field.name} takes {field.high} bytes, found {len(text)}.")
            continue
        numbers = list(value) if field.count > 1 else [field.enum.index(value) if field.enum else value]
        if len(numbers) != field.count or not all(field.holds(n) for n in numbers):
            raise LinkError(
                f"{kind.name}.{field.name} takes {field.count} numbers from {field.low} to {field.high}, found {value}."
            )
        flat += numbers
    return kind.id, kind.layout.pack(*flat) + text


def unpack(number: int, payload: bytes) -> Message:
    """A message from type number and payload. Raises Died."""
    kind = _BY_ID.get(number)
    if kind is None:
        raise Died("unknown_type")
    if kind.name == "heartbeat" and payload and payload[0] != VERSION:
        raise Died("other_version")
    text = kind.text
    if not kind.size <= len(payload) <= kind.size + (text.high if text else 0):
        raise Died("bad_length")
    flat = kind.layout.unpack_from(payload)
    values: dict[str, Value] = {}
    at = 0
    for field in kind.fields:
        if field.type == "text":
            values[field.name] = bytes(payload[kind.size :])
            continue
        numbers = flat[at : at + field.count]
        at += field.count
        if not all(field.holds(n) for n in numbers):
            raise Died("bad_value")
        values[field.name] = numbers if field.count > 1 else field.enum[numbers[0]] if field.enum else numbers[0]
    if kind.name == "caption" and not _fits(values):
        raise Died("bad_value")
    return Message(kind.name, values)


def _fits(caption: Mapping[str, Value]) -> bool:
    """Every piece but the last is full, and only a caption of one piece may be empty."""
    piece, pieces, size = caption["piece"], caption["pieces"], len(caption["text"])
    return piece < pieces and (size == PIECE if piece + 1 < pieces else size > 0 or pieces == 1)
