"""The C library as the tests run it: a program that is given frames and gives ticks, for this processor or another."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from edge.hands.frame import HandFrame

C = Path(__file__).resolve().parents[2] / "edge" / "c"
STRICT = ("-std=c99", "-D_POSIX_C_SOURCE=199309L", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion",
          "-Wno-sign-conversion", "-Wdouble-promotion", "-Werror")  # fmt: skip
#: figop_frame and figop_tick
FRAME = np.dtype(
    [("t_ns", "<i8"), ("landmarks", "<f4", (2, 21, 3)), ("world", "<f4", (2, 21, 3)), ("wrist", "<f4", (2, 3)),
     ("presence", "<f4", 2), ("track_id", "<i4", 2), ("size", "<i4", 2)]
)  # fmt: skip
TICK = np.dtype(
    [("index", "<i8"), ("t", "<f8"), ("present", "u1", 2), ("fresh", "u1", 2), ("features", "<f4", (2, 6, 54)),
     ("padding", "V4")]
)  # fmt: skip


def built(out: Path, *sources: Path, compiler: str = "gcc", flags: Sequence[str] = (), libraries: Sequence[str] = ()):
    """A program; skips where there is no such compiler, fails where the code does not compile cleanly."""
    found = shutil.which(compiler)
    if found is None:
        pytest.skip(f"no {compiler} here")
    command = [found, *STRICT, *flags, "-o", str(out), *map(str, sources), *libraries, "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def frames_as_bytes(frames: Iterable[HandFrame]) -> bytes:
    """HandFrames as the bytes of figop_frame."""
    rows = [(f.t_ns, f.landmarks, f.world, f.wrist, f.presence, f.track_id, f.image_size) for f in frames]
    return np.array(rows, FRAME).tobytes()


def run(command: Sequence[str], frames: Iterable[HandFrame], view: str, mirrored: bool = False) -> np.ndarray:
    """The ticks [N] of type TICK that a built program makes of frames."""
    done = subprocess.run(
        [*command, view, str(int(mirrored))], input=frames_as_bytes(frames), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert not done.stderr, done.stderr.decode()
    return np.frombuffer(done.stdout, TICK)
