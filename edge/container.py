"""Video containers from the outside: what kind a file is, and whether its end is missing.

OpenCV reports neither: a cut file simply ends early, and FFmpeg happily plays a text file as a terminal.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_MP4_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_OTHERS = (b"OggS", b"FLV\x01", b"\x30\x26\xb2\x75", b"\x00\x00\x01\xba", b"\x00\x00\x01\xb3")


def kind(path: Path) -> str:
    """ "mp4", "avi", "webm", "gif", "other" (a video of a kind that is not examined further) or "" (no video)."""
    with path.open("rb") as file:
        head = file.read(377)
    if head[4:8] in _MP4_BOXES:
        return "mp4"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[:4] == _EBML:
        return "webm"
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    transport_stream = len(head) == 377 and head[0] == head[188] == head[376] == 0x47
    return "other" if head[:4] in _OTHERS or transport_stream else ""


def cut_short(path: Path) -> bool:
    """Whether the file ends before its container says it should. False where the container does not say."""
    size = path.stat().st_size
    with path.open("rb") as file:
        match kind(path):
            case "mp4":
                return _mp4_end(file, size) > size
            case "avi":
                return _riff_end(file, size) > size
            case "webm":
                return _webm_end(file) > size
            case "gif":
                file.seek(max(0, size - 64))  # some writers pad with zeros behind the trailer
                return not file.read().rstrip(b"\0").endswith(b"\x3b")
    return False


def whole(path: Path) -> bool:
    """Whether an mp4, webm or mkv of our own making ends exactly where its container says; False if it does not say.

    FFmpeg fills the length in when all else is on the disk, so a disk that was full for a moment shows as well.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        match kind(path):
            case "mp4":
                return _mp4_end(file, size) == size
            case "webm":
                return _webm_end(file) == size
    return False


def _mp4_end(file: BinaryIO, size: int) -> int:
    """Where the last top-level box ends; a file without `moov` lacks its end as well."""
    at, moov = 0, False
    while at + 8 <= size:
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        if length == 1 and len(wide := file.read(8)) == 8:
            (length,) = struct.unpack(">Q", wide)
        elif length == 0:  # to the end of the file
            length = size - at
        moov |= name == b"moov"
        if length < 8:
            break
        at += length
    return at if moov else size + 1


def _riff_end(file: BinaryIO, size: int) -> int:
    at = 0
    while at + 8 <= size:
        file.seek(at)
        name, length = struct.unpack("<4sI", file.read(8))
        if name != b"RIFF":  # padding that some writers leave behind the last chunk
            return at
        at += 8 + length + length % 2
    return at


def _webm_end(file: BinaryIO) -> int:
    """Where the EBML segment ends; 0 when it is of unknown size (a live recording)."""
    file.seek(4)
    header = _varint(file)
    file.seek(file.tell() + (header or 0))
    if file.read(4) != _SEGMENT:
        return 0
    length = _varint(file)
    return 0 if length is None else file.tell() + length


def _varint(file: BinaryIO) -> int | None:
    """An EBML length; None when all its bits are set (unknown) or it is missing."""
    first = file.read(1)
    if not first or first[0] == 0:
        return None
    width = 9 - first[0].bit_length()
    rest = file.read(width - 1)
    value = int.from_bytes(bytes([first[0] & ((1 << (8 - width)) - 1)]) + rest, "big")
    return None if value == (1 << (7 * width)) - 1 or len(rest) < width - 1 else value
