"""Frames on the wire: 0, COBS(type, sequence, boot id, payload, CRC-32), 0.

Zero is the delimiter and nothing else, so that a reader that has lost its place finds it at the next zero. One zero
stands before each frame as well as behind it: noise between two frames then dies alone and not with the next frame.
The CRC-32 (IEEE 802.3, as zlib has it) is inside the stuffed block. No length that came over the wire is trusted.
COBS: Cheshire and Baker, "Consistent Overhead Byte Stuffing", 1999.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from devices.link.table import COUNTERS, DEATHS, PAYLOAD_MAX, Died

_HEADER = struct.Struct("<BHI")
_CRC = struct.Struct("<I")
BODY_MAX = _HEADER.size + PAYLOAD_MAX + _CRC.size
#: Bodies are shorter than 255 bytes, so stuffing adds one byte. This is the hard cap of every buffer.
ENCODED_MAX = BODY_MAX + 1
#: With both delimiters.
WIRE_MAX = ENCODED_MAX + 2


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole frame: type number, frame number of its sender (modulo 65536), its boot id, payload."""

    type: int
    seq: int
    boot: int
    payload: bytes


@dataclass(slots=True)
class Counters:
    """How often each thing of the table happened; as attributes of `counts`."""

    counts: dict[str, int] = field(default_factory=lambda: {c.name: 0 for c in COUNTERS})

    def __getitem__(self, name: str) -> int:
        return self.counts[name]

    def add(self, name: str, by: int = 1) -> None:
        self.counts[name] += by

    @property
    def died(self) -> int:
        """Frames that died in any way."""
        return sum(self.counts[name] for name in DEATHS)

    def add_up(self) -> bool:
        """Whether every frame that came in is accounted for once, and every reliable message as well."""
        c = self.counts
        return (
            c["frames_in"] == c["accepted"] + self.died
            and c["reliable_in"] == c["delivered"] + c["doubled"] + c["early"]
        )


def stuff(data: bytes) -> bytes:
    """COBS: the same bytes without a zero, one byte longer per 254.

    >>> stuff(bytes([0x11, 0x22, 0x00, 0x33])).hex()
    '0311220233'
    """
    out = bytearray()
    for run in data.split(b"\0"):
        left = run
        while len(left) >= 254:
            out += b"\xff" + left[:254]
            left = left[254:]
        out += bytes([len(left) + 1]) + left
    # a block of 254 at the very end needs no empty one behind it
    if data and len(data.rsplit(b"\0", 1)[-1]) % 254 == 0 and data[-1:] != b"\0":
        del out[-1]
    return bytes(out)


def unstuff(data: bytes) -> bytes:
    """Inverse of `stuff`. Raises Died for what no `stuff` has made."""
    out = bytearray()
    at = 0
    while at < len(data):
        code = data[at]
        end = at + code
        if code == 0 or end > len(data):
            raise Died("bad_cobs")
        out += data[at + 1 : end]
        at = end
        if code < 255 and at < len(data):
            out.append(0)
    return bytes(out)


def encode(frame: Frame) -> bytes:
    """A frame as it goes over the wire."""
    body = _HEADER.pack(frame.type, frame.seq, frame.boot) + frame.payload
    return b"\0" + stuff(body + _CRC.pack(zlib.crc32(body))) + b"\0"


def decode(chunk: bytes) -> Frame:
    """A frame from what stood between two delimiters. Raises Died."""
    if len(chunk) > ENCODED_MAX:
        raise Died("too_long")
    body = unstuff(chunk)
    if len(body) < _HEADER.size + _CRC.size:
        raise Died("too_short")
    inner = body[: -_CRC.size]
    if zlib.crc32(inner) != _CRC.unpack_from(body, len(inner))[0]:
        raise Died("bad_crc")
    kind, seq, boot = _HEADER.unpack_from(inner)
    return Frame(kind, seq, boot, inner[_HEADER.size :])


class FrameReader:
    """Finds frames in bytes as they come, in pieces of any size; its buffer never outgrows one frame."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._chunk = bytearray()
        self._spoilt = False

    def push(self, data: bytes) -> list[Frame]:
        """The whole frames that end in `data`; the others are counted."""
        self._counters.add("bytes_in", len(data))
        frames: list[Frame] = []
        pieces = data.split(b"\0")
        for index, piece in enumerate(pieces):
            self._take(piece)
            if index < len(pieces) - 1 and (frame := self._end()) is not None:
                frames.append(frame)
        return frames

    def cut_off(self) -> None:
        """The port went away: what had begun will never end."""
        if self._chunk or self._spoilt:
            self._counters.add("frames_in")
            self._counters.add("too_long" if self._spoilt else "cut_off")
        self._chunk.clear()
        self._spoilt = False

    def _take(self, piece: bytes) -> None:
        if self._spoilt or len(self._chunk) + len(piece) > ENCODED_MAX:
            self._spoilt = True
            self._chunk.clear()
        else:
            self._chunk += piece

    def _end(self) -> Frame | None:
        if not self._chunk and not self._spoilt:
            return None
        self._counters.add("frames_in")
        try:
            if self._spoilt:
                raise Died("too_long")
            return decode(bytes(self._chunk))
        except Died as death:
            self._counters.add(death.counter)
            return None
        finally:
            self._chunk.clear()
            self._spoilt = False
