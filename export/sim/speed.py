"""How fast the simulator is, in processor time of one thread.

`python -m export.sim.speed -o results/render.json`: the renderer's pictures;
`python -m export.sim.speed --clips -o results/simulator.json`: landmarks of random clips, as training streams them.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from edge.score import HANDS
from export.data.scenes import draw_scene
from export.sim.anatomy import Array
from export.sim.batch import Scene, feasible, ticks_of, track
from export.sim.camera import frame_on
from export.sim.clips import SIZE, performed
from export.sim.lens import cameras, projected, turned
from export.sim.noise import NoiseSettings
from export.sim.perform import curves, joints_of, unrest
from export.sim.plan import Plan
from export.sim.programs import TEST_SEED, programs
from export.sim.render import Look, Renderer, solid

#: Frames a second per core that clips must be drawn at, at `SIZE`.
BAR = 10.0
#: Clips a second per core that landmarks must be made at: 5 s, 30 fps, both hands, a perfect tracker.
CLIPS_BAR = 1000
FPS, SECONDS = 30.0, 5.0


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


class Laps:
    """Milliseconds of processor time, all threads of the process, between calls: each ends the stage it names."""

    def __init__(self) -> None:
        self.milliseconds: dict[str, float] = {}
        self._last = time.process_time()

    def __call__(self, stage: str) -> None:
        now = time.process_time()
        self.milliseconds[stage], self._last = (now - self._last) * 1e3, now


def perfect(
    scenes: Sequence[Scene], plans: Sequence[Plan], rng: np.random.Generator, lap: Callable[[str], None]
) -> tuple[Array, Array]:
    """What a perfect tracker sees: world [B,T,2,21,3] and image landmarks [B,T,2,21,2]."""
    times = np.tile(np.arange(round(SECONDS * FPS) + 1, dtype=np.float32) / np.float32(FPS), (len(scenes), 1))
    bodies, stages = [s.body for s in scenes], [s.stage for s in scenes]
    values = curves(plans, times) + unrest(times, bodies, rng.spawn(len(scenes)))
    joints, wrist, _ = joints_of(values, bodies, stages)
    lap("performance")
    turn, seen, focal = cameras(wrist, np.array([[h in s.hands for h in HANDS] for s in scenes]), rng)
    world = turned(joints, turn)
    image = projected(world, seen, focal)
    lap("camera")
    return world, image


def _batch(rng: np.random.Generator, size: int, settings: NoiseSettings) -> dict[str, float]:
    """Milliseconds a clip of every stage. Programs that turn out infeasible cost time and count for nothing."""
    lap = Laps()
    drawn = [draw_scene(rng) for _ in range(size)]
    lap("programs")
    scenes, plans = feasible(drawn, rng)
    lap("plans")
    perfect(scenes, plans, rng, lap)
    frames = track(scenes, plans, rng, settings, fps=FPS, level=1.0)
    lap("noise")
    ticks_of(frames, round(SECONDS * FPS))
    lap("features")
    took = {stage: each / len(scenes) for stage, each in lap.milliseconds.items()}
    # what a noisy tracker's view takes more than a perfect one's
    took["noise"] -= took["performance"] + took["camera"]
    took["landmarks"] = sum(took[stage] for stage in ("programs", "plans", "performance", "camera"))
    took["with noise"] = took["landmarks"] + took["noise"]
    took["with noise and features"] = took["with noise"] + took["features"]
    return took


def measure_clips(batches: int = 40, size: int = 64) -> dict[str, object]:
    """Landmarks of random training clips, by stage; a first batch (compilation) is left out."""
    rng, settings = np.random.default_rng(TEST_SEED), NoiseSettings.load()
    rows = [_batch(rng, size, settings) for _ in range(batches + 1)][1:]
    took = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    rate = {name: round(1e3 / float(took[name].mean())) for name in ("landmarks", *list(took)[-2:])}
    return {
        "bench": "simulator",
        "command": "python -m export.sim.speed --clips",
        "clip": {"seconds": SECONDS, "frames_per_second": FPS, "hands": len(HANDS)},
        "batches": batches,
        "clips_in_a_batch": size,
        "threads": 1,
        "clock": "processor time of the process: other work on the machine is not counted, but shares caches and cores",
        "processor_ms_per_clip": {name: _spread(each) for name, each in took.items()},
        "clips_per_second": rate,
        "bars": {f"landmarks: >= {CLIPS_BAR} clips a second per core": rate["landmarks"] >= CLIPS_BAR},
    }


def _spread(values: Array) -> dict[str, float]:
    p50, p95 = np.percentile(values, [50, 95])
    return {n: round(float(v), 3) for n, v in (("mean", values.mean()), ("p50", p50), ("p95", p95))}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure the simulator.")
    parser.add_argument("--clips", action="store_true", help="landmarks of random clips, not pictures")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    os.environ.setdefault("NUMBA_NUM_THREADS", "1")
    text = json.dumps(measure_clips() if args.clips else measure(), indent=2)
    print(text)
    if args.output:
        args.output.write_text(text + "\n")


if __name__ == "__main__":
    main()
