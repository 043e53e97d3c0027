"""How fast the student trains: `python -m export.models.speed -o results/training.json`.

Clips made a second by one, two, ... workers; and clips learned a second by one process and by two that share every step
(`export.models.crew`), each side by side on this machine. A step's clips: 48, some 64 hands of 5 s.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from devices.bench import host
from edge.files import write_whole
from export.data.feed import Feed, FeedSettings
from export.data.scenes import draw_people

#: clips of a step, hands of a step
CLIPS, HANDS = 48, 64


def feeding(workers: int, batches: int) -> float:
    """Clips a second that so many workers make."""
    feed = Feed(FeedSettings(draw_people, rows=HANDS, size=CLIPS), workers=workers)
    try:
        made = iter(feed)
        for _ in range(2 * workers):  # the processes' start, and what they made ahead
            next(made)
        began = time.perf_counter()
        for _ in range(batches):
            next(made)
        return CLIPS * batches / (time.perf_counter() - began)
    finally:
        feed.close()


def learning(processes: int, steps: int) -> float:
    """Clips a second that so many processes learn; the first five steps are left out."""
    train = [
        "-m", "edge.cli", "train", "--steps", str(steps), "--batch", str(HANDS), "--out",
    ]  # fmt: skip
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    with tempfile.TemporaryDirectory() as home:
        command = [sys.executable, *(launch if processes > 1 else []), *train, home]
        subprocess.run(
            command,
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        rows = (Path(home) / "log.csv").read_text().splitlines()[1:]
    (a, t), (b, u) = ((float(x) for x in row.split(",")[:2]) for row in (rows[0], rows[-1]))
    return CLIPS * processes * (b - a) / (u - t)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m export.models.speed", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--most", type=int, default=os.cpu_count() or 1, help="workers and processes (%(default)s)")
    parser.add_argument("--batches", type=int, default=16)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("-o", "--output", type=Path, default=Path("results/training.json"))
    args = parser.parse_args(argv)
    counts = range(1, args.most + 1)
    row: dict[str, Any] = {
        "bench": "training",
        "command": "python -m export.models.speed",
        "clips_a_step": CLIPS,
        "clips_made_a_second": {str(n): round(feeding(n, args.batches), 1) for n in counts},
        "clips_learned_a_second": {str(n): round(learning(n, args.steps), 1) for n in counts},
        "host": host(),
    }
    write_whole(args.output, (json.dumps(row, indent=1) + "\n").encode())
    print(json.dumps({k: v for k, v in row.items() if k != "host"}, indent=1))
    print(f"{args.output} written; next: python -m export.report")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
