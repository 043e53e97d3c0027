"""Clips in which hands come into an empty picture: `python -m export.sim.entering -o DIR`.

Each clip begins without hands; one hand enters, later the other. For every clip NNNN.webm and NNNN.npz, whose
presence is true from the frame on which most of the hand is in the picture. `figop bench second-hand` reads them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np

from edge.recording import Recording
from edge.score import HANDS
from export.sim.camera import Camera, film, frame_on
from export.sim.clips import performed
from export.sim.perform import Performance, minimum_jerk
from export.sim.programs import random_program
from export.sim.render import Look, Renderer
from export.sim.video import write_webm

#: Names this set; no other set is drawn from it.
SEED = 20261122
FPS = 30.0
#: Seconds without hands, until the second hand comes (range), and that a hand takes to come in.
EMPTY, SECOND, COMING = 1.0, (2.0, 2.6), 0.35
#: A hand counts as in the picture when so many of its 21 landmarks are.
VISIBLE = 16
#: Presence of a hand that is coming in: neither there nor absent, so that it counts for nothing.
PARTLY = 0.25


def entering(number: int, *, seed: int = SEED, duration: float = 4.0) -> tuple[Performance, Camera, int]:
    """Clip `number` of a seed: hands that come in from outside, the camera, and the seed of its look."""
    rng = np.random.default_rng((seed, number))
    for _ in count():
        program = random_program(rng, split="test", duration=duration)
        if program.hands == HANDS:
            break
    done = performed(replace(program, fps=FPS))
    camera = frame_on(done, replace(program.camera, mirrored=False))
    times = done.t_ns * 1e-9
    joints, wrist, presence = done.joints.copy(), done.wrist.copy(), done.presence.copy()
    order = rng.permutation(2)
    for slot, begin in zip(order, (EMPTY, float(rng.uniform(*SECOND))), strict=True):
        # from the side on which the hand is, in the camera's own x
        seen = camera.see(done.wrist[:, slot])
        way = camera.rotation().T @ np.array([np.sign(np.median(seen[:, 0])) or 1.0, 0.0, 0.0])
        left_to_go = 1.0 - minimum_jerk((times - begin) / COMING)
        wrist[:, slot] += 0.6 * left_to_go[:, None] * way
        presence[times < begin, slot] = 0.0
        joints[times < begin, slot], wrist[times < begin, slot] = np.nan, np.nan
    return replace(done, joints=joints, wrist=wrist, presence=presence), camera, program.seed


def make(folder: Path, clips: int, *, seed: int = SEED) -> None:
    """Render the clips that are missing."""
    from rich.progress import track

    for number in track(range(clips), description="entering hands"):
        truth = folder / f"{number:04d}.npz"
        if truth.exists():
            continue
        done, camera, look = entering(number, seed=seed)
        renderer = Renderer(camera, Look.sample(np.random.default_rng((look, 2))), seed=look)
        write_webm(folder / f"{number:04d}.webm", renderer.frames(done), FPS, camera.size, codec="VP80")
        truth_of(done, camera).save(truth)


def truth_of(done: Performance, camera: Camera) -> Recording:
    """The true recording; a hand that is only partly in the picture has a presence of `PARTLY`."""
    recording = film(done, camera)
    inside = ((recording.landmarks[..., :2] > 0) & (recording.landmarks[..., :2] < 1)).all(axis=-1).sum(axis=-1)
    share = np.where(inside >= VISIBLE, 1.0, np.where(inside > 0, PARTLY, 0.0))
    seen = (recording.presence * share).astype(np.float32)
    return replace(recording, presence=seen, track_id=np.where(seen >= 0.5, recording.track_id, -1).astype(np.int32))


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Render clips in which hands come into an empty picture.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    parser.add_argument("--count", type=int, default=24)
    parser.add_argument("--seed", type=int, default=SEED)
    args = parser.parse_args(argv)
    make(args.output, args.count, seed=args.seed)
    print(f"next: figop bench second-hand {args.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
