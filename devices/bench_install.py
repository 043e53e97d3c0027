"""What an installation costs: megabytes on disk, seconds to start, seconds for the demo."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from edge.errors import SourceError

SIZE_BAR_MB, DEMO_BAR_S = 380, 180


def size_mb(folder: Path) -> float:
    """Megabytes (2^20 bytes) that a folder takes on disk, hard links once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            status = os.lstat(os.path.join(root, name))
            key = (status.st_dev, status.st_ino)
            if key not in seen:
                seen.add(key)
                total += status.st_blocks * 512
    return total / 2**20


def measure(venv: Path) -> dict[str, Any]:
    """Size of a virtual environment, and the wall seconds of its `figop --help` (best of 3) and `figop demo`."""
    command = venv / "bin" / "figop"
    if not command.is_file():
        raise SourceError(f"{venv} is not a virtual environment with figop in it: run `make demo` first.")
    start_s = min(_seconds([str(command), "--help"]) for _ in range(3))
    with tempfile.TemporaryDirectory() as out:
        demo_s = _seconds([str(command), "demo", "--out", f"{out}/demo"])
    return {"venv_mb": round(size_mb(venv), 1), "start_s": round(start_s, 3), "demo_s": round(demo_s, 1)}


def _seconds(words: list[str]) -> float:
    begin = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SourceError(f"`{' '.join(words)}` failed: {done.stderr.strip().splitlines()[-1:]}")
    return time.perf_counter() - begin
