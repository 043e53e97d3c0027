"""The C library as the tests run it: a program that is given frames and gives ticks, for this processor or another."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest

from devices.bench_headset import TICK, as_bytes
from edge.hands.frame import HandFrame

C = Path(__file__).resolve().parents[2] / "edge" / "c"
STRICT = ("-std=c99", "-D_POSIX_C_SOURCE=199309L", "-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion",
          "-Wno-sign-conversion", "-Wdouble-promotion", "-Werror")  # fmt: skip


def built(out: Path, *sources: Path, compiler: str = "gcc", flags: Sequence[str] = (), libraries: Sequence[str] = ()):
    """A program; skips where there is no such compiler, fails where the code does not compile cleanly."""
    found = shutil.which(compiler)
    if found is None:
        pytest.skip(f"no {compiler} here")
    command = [found, *STRICT, *flags, "-o", str(out), *map(str, sources), *libraries, "-lm"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def run(command: Sequence[str], frames: Iterable[HandFrame], view: str, mirrored: bool = False) -> np.ndarray:
    """The ticks [N] of type TICK that a built program makes of frames."""
    done = subprocess.run(
        [*command, view, str(int(mirrored))], input=as_bytes(frames), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    assert not done.stderr, done.stderr.decode()
    return np.frombuffer(done.stdout, TICK)
