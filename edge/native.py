"""The C99 features (`edge/c`) in place of the Python ones, where they have been built: the same numbers, sooner.

`figop setup` builds them where there is a C compiler, into the cache beside the hand networks; nothing needs them, and
without them Python computes the same to 1e-5. The file's name holds a digest of its source, so that a library of
another version is never loaded. `FIGOP_NATIVE=0` leaves them aside.
"""

from __future__ import annotations

import ctypes
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np

from edge.hands.frame import HandFrame
from edge.hands.networks import cache_folder, sha256
from edge.ticks import TickFeatures

SOURCES = Path(__file__).with_name("c")
#: figop_frame and figop_tick of edge/c/figop_features.h
FRAME = np.dtype(
    [
        ("t_ns", "<i8"), ("landmarks", "<f4", (2, 21, 3)), ("world", "<f4", (2, 21, 3)), ("wrist", "<f4", (2, 3)),
        ("presence", "<f4", 2), ("track_id", "<i4", 2), ("size", "<i4", 2),
    ]
)  # fmt: skip
TICK = np.dtype(
    [
        ("index", "<i8"), ("t", "<f8"), ("present", "u1", 2), ("fresh", "u1", 2), ("features", "<f4", (2, 6, 54)),
        ("padding", "V4"),
    ]
)  # fmt: skip
_VIEWS = {"facing": 0, "egocentric": 1}
#: never -ffast-math: what is not known is NaN
_FLAGS = ("-std=c99", "-O2", "-shared", "-fPIC")
_BUILD_S = 60.0


def library_file() -> Path:
    """Where the library of these sources stands, built or not."""
    digest = sha256(b"".join((SOURCES / f"figop_features.{end}").read_bytes() for end in "hc"))
    return cache_folder().parent / "native" / f"figop_features-{digest[:16]}-{platform.machine()}.so"


def compiler() -> str:
    """The C compiler that `build` would use: `$CC`, cc, gcc or clang; "" without one."""
    from shutil import which

    names = [os.environ["CC"]] if os.environ.get("CC") else ["cc", "gcc", "clang"]
    return next(filter(None, map(which, names)), "") if os.name == "posix" else ""


def build() -> Path | None:
    """Build the library where it is not there yet (what `figop setup` does); None without a working C compiler."""
    import subprocess
    import tempfile

    out, command = library_file(), compiler()
    if out.is_file() and _load(out) is not None:
        return out
    if not command:
        return None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent) as folder:
            made = Path(folder) / out.name
            words = [command, *_FLAGS, "-o", str(made), str(SOURCES / "figop_features.c"), "-lm"]
            subprocess.run(words, check=True, capture_output=True, timeout=_BUILD_S)
            if _load(made) is None:
                return None
            made.replace(out)
    except (OSError, subprocess.SubprocessError):
        return None
    return out


def library() -> Any:
    """The built library, ready to call; None where there is none, or `FIGOP_NATIVE=0`."""
    if os.environ.get("FIGOP_NATIVE") == "0":
        return None
    path = library_file()
    return _load(path) if path.is_file() else None


def _load(path: Path) -> Any:
    try:
        found = ctypes.CDLL(str(path))
        found.figop_stream_size.restype, found.figop_stream_size.argtypes = ctypes.c_size_t, []
        found.figop_stream_init.restype = None
        found.figop_stream_init.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
        for call in (found.figop_stream_push, found.figop_stream_next):
            call.restype, call.argtypes = ctypes.c_int, [ctypes.c_void_p, ctypes.c_void_p]
    except (OSError, AttributeError):
        return None
    return found


class NativeTicks:
    """`edge.ticks.PlainTicks` by the library."""

    def __init__(self, library: Any, view: str = "facing", mirrored: bool = False) -> None:
        self._library, self._view, self._mirrored = library, _VIEWS[view], int(mirrored)
        self._stream = np.zeros(int(library.figop_stream_size()) // 8 + 1, np.int64)
        self._frame, self._tick = np.zeros(1, FRAME), np.zeros(1, TICK)
        self._parts = [self._frame[name][0] for name in ("landmarks", "world", "wrist", "presence", "track_id")]
        self._now, self._size = self._frame["t_ns"], self._frame["size"][0]
        self._at, self._present, self._out = self._tick["t"], self._tick["present"][0], self._tick["features"][0]
        self._where = self._stream.ctypes.data, self._frame.ctypes.data, self._tick.ctypes.data
        self.reset()

    def reset(self) -> None:
        """A new stream."""
        self._library.figop_stream_init(self._where[0], self._view, self._mirrored)

    def push(self, frame: HandFrame) -> list[TickFeatures]:
        """Take one frame; returns the ticks that it completes."""
        stream, given, taken = self._where
        self._now[0] = frame.t_ns
        self._size[:] = frame.image_size
        for part, value in zip(
            self._parts, (frame.landmarks, frame.world, frame.wrist, frame.presence, frame.track_id), strict=True
        ):
            part[...] = value
        ticks: list[TickFeatures] = []
        if self._library.figop_stream_push(stream, given) == 0:
            while self._library.figop_stream_next(stream, taken):
                ticks.append(TickFeatures(float(self._at[0]), self._present.astype(bool), self._out.copy()))
        return ticks
