"""How fast the renderer draws: `python -m export.sim.speed -o results/render.json`."""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from export.sim.camera import frame_on
from export.sim.clips import SIZE, performed
from export.sim.programs import TEST_SEED, programs
from export.sim.render import Look, Renderer, solid

#: Frames a second per core that clips must be drawn at, at `SIZE`.
BAR = 10.0


def measure(clips: int = 6, frames: int = 30) -> dict[str, object]:
    """Frames a second of one thread on the first test programs; the first frame (compilation) is left out."""
    times: list[float] = []
    stream = programs(TEST_SEED, split="test", size=SIZE)
    for _ in range(clips):
        program = next(stream)
        done = performed(program)
        renderer = Renderer(frame_on(done, program.camera), Look.sample(np.random.default_rng(program.seed)))
        for i in np.linspace(0, len(done.t_ns) - 1, frames + 1).astype(int):
            begin = time.thread_time()
            renderer.draw(solid(done, renderer.camera, renderer.look, int(i)))
            times.append(time.thread_time() - begin)
    milliseconds = np.array([t for i, t in enumerate(times) if i % (frames + 1)]) * 1e3
    p50, p95, p99 = (round(float(v), 2) for v in np.percentile(milliseconds, [50, 95, 99]))
    rate = round(1e3 / float(milliseconds.mean()), 1)
    return {
        "bench": "render",
        "command": "python -m export.sim.speed",
        "size": list(SIZE),
        "frames": len(milliseconds),
        "threads": 1,
        "processor_ms": {"p50": p50, "p95": p95, "p99": p99},
        "frames_per_second": rate,
        "bars": {f">= {BAR:.0f} frames a second per core": rate >= BAR},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the renderer.")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    text = json.dumps(measure(), indent=2)
    print(text)
    if args.output:
        args.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
