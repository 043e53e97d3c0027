"""`figop bench headset`: the C99 features against Python's: how far apart, and how much quicker, side by side."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import RuntimeUnavailable
from edge.hands.frame import HandFrame
from edge.model_features import FeatureReader
from edge.native import FRAME, SOURCES, TICK
from edge.recording import Recording
from edge.resample import Resampler

#: the most that C and Python may differ in any feature
DIFFERENCE_BAR = 1e-5
_SOURCES = (SOURCES / "tools" / "ticks.c", SOURCES / "figop_features.c")
#: processors by name: compiler, its flags, and what runs its programs here
TARGETS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "native": ("gcc", (), ()),
    "aarch64, emulated": ("aarch64-linux-gnu-gcc", ("-static",), ("qemu-aarch64-static",)),
}
#: times that the stream is read for the timing, alternately by both
ROUNDS = 3


def add_kind(kinds: Any) -> argparse.ArgumentParser:
    """Add `figop bench headset` to the kinds of the verb `bench`."""
    parser: argparse.ArgumentParser = kinds.add_parser("headset", help="the C99 features against Python's")
    parser.add_argument("recordings", type=Path, nargs="+", help="recordings or feature vectors (.npz)")
    return parser


def as_bytes(frames: Iterable[HandFrame]) -> bytes:
    """Hand frames as the bytes of figop_frame."""
    rows = [(f.t_ns, f.landmarks, f.world, f.wrist, f.presence, f.track_id, f.image_size) for f in frames]
    return np.array(rows, FRAME).tobytes()


def in_python(recording: Recording) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Features [N,2,6,54] by Python."""
    resampler, reader = Resampler(mirrored=recording.mirrored), FeatureReader(recording.view)
    return np.stack([reader.read(tick) for frame in recording.frames() for tick in resampler.push(frame)])


def measure(paths: Sequence[Path]) -> dict[str, Any]:
    """Differences by processor, and the time of C and Python, a frame. Raises SourceError, RuntimeUnavailable."""
    recordings = [Recording.load(path) for path in paths]
    if shutil.which("gcc") is None:
        raise RuntimeUnavailable("figop bench headset needs a C compiler: apt install gcc.")
    out: dict[str, Any] = {"frames": sum(map(len, recordings)), "difference": {}}
    wanted = [in_python(r) for r in recordings]
    with tempfile.TemporaryDirectory() as folder:
        for name, (compiler, flags, runner) in TARGETS.items():
            if not all(shutil.which(tool) for tool in (compiler, *runner)):
                continue
            program = str(Path(folder) / name.split(",")[0])
            build = [compiler, "-std=c99", "-D_POSIX_C_SOURCE=199309L", "-O2", *flags, "-o", program]
            subprocess.run([*build, *map(str, _SOURCES), "-lm"], check=True)
            far = 0.0
            for recording, want in zip(recordings, wanted, strict=True):
                said = _ticks([*runner, program], recording)
                far = max(far, float(np.abs(said["features"] - want).max()))
            out["difference"][name] = far
        out["us_a_frame"] = _times(str(Path(folder) / "native"), recordings)
    out["difference_at_most"] = max(out["difference"].values())
    return out


def _ticks(command: list[str], recording: Recording) -> np.ndarray[Any, Any]:
    arguments = [*command, recording.view, str(int(recording.mirrored))]
    done = subprocess.run(arguments, input=as_bytes(recording.frames()), capture_output=True, check=True)
    return np.frombuffer(done.stdout, TICK)


def _times(program: str, recordings: Sequence[Recording]) -> dict[str, float]:
    """Median microseconds a frame of both, measured alternately, and their ratio."""
    c, python = [], []
    for _ in range(ROUNDS):
        for recording in recordings:
            arguments = [program, recording.view, str(int(recording.mirrored)), "40"]
            done = subprocess.run(arguments, input=as_bytes(recording.frames()), capture_output=True, check=True)
            c.append(float(done.stdout.split()[0]) * 1e-3)
            began = time.process_time()
            in_python(recording)
            python.append((time.process_time() - began) * 1e6 / len(recording))
    ratios = np.array(python) / np.array(c)
    return {
        "c": round(float(np.median(c)), 3),
        "python": round(float(np.median(python)), 3),
        "python_over_c": round(float(np.median(ratios)), 1),
    }
