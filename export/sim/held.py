"""Single pictures of hands with and without things, as the real tracker saw them: `python -m export.sim.held -o DIR`.

For the grasp head: each row has the keyframe feature and the landmarks that the tracker gave, and what is true. A
picture in which the tracker finds no hand, or the other hand, is counted and left out. Persons, things, looks and
cameras of a picture come from its own seed alone, so parts of different seeds share none of them.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import FigopError, SinkError
from edge.files import write_whole
from edge.hands.native import NativeTracker
from edge.hands.roi import from_landmarks
from edge.objects.event import GRASPS
from edge.objects.grasp import SHAPES
from export.sim.anatomy import Array, Body
from export.sim.camera import Camera
from export.sim.flesh import clothe
from export.sim.grips import FITS, empty_hand, grip
from export.sim.kinematics import landmarks, rotation
from export.sim.render import Look, Renderer
from export.sim.solids import Solid, distance
from export.sim.stage import POSTURES, set_stage
from export.sim.tracker_model import TrackerModel

#: pictures of one file; their sides in pixels: hands of 60 to 150, as cameras at arm's length have them
PART, SIDES = 100, (112, 176)
#: a tracker's square comes from the landmarks of the frame before: off by this much of a palm length
LOOSE = 0.06
#: seeds of the parts: training, choosing settings, figures
SEEDS = {"choose": 52_000_000, "test": 53_000_000, "train": 51_000_000}
#: share of pictures in which the hand holds something; of the others, in which a thing is near or behind the hand
HELD, NEAR = 0.55, 0.5
#: closer than this to the hand's joints, metres, a thing that is not held would look held
CLEAR = 0.028


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture [H,W,3], where its one hand's joints are in it [21,2] (pixels), and what is true of it.

    Without a thing in the hand grasp is -1 and shape the number of "none".
    """

    rgb: NDArray[np.uint8]
    points: Array
    slot: int
    holding: bool
    grasp: int
    shape: int
    near: bool


def _elsewhere(joints: Array, body: Body, rng: np.random.Generator) -> tuple[Solid, ...]:
    """A thing that the hand [21,3] (palm axes, metres) does not touch: beside it or behind it."""
    for _ in range(30):
        grasp = str(rng.choice(["power", "pinch", "flat"]))
        thing = grip(grasp, str(rng.choice(FITS[grasp])), body, rng)
        if thing is None:
            continue
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        middle = np.mean([s.centre for s in thing.solids], axis=0)
        way = rng.normal(size=3)
        shift = joints[9] + way / np.linalg.norm(way) * rng.uniform(0.06, 0.16)
        solids = tuple(s.moved(turn, shift - turn @ middle) for s in thing.solids)
        bones = np.concatenate([joints, 0.5 * (joints[1:] + joints[:-1])])
        if distance(solids, bones).min() > CLEAR:
            return solids
    return ()


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A hand with or without a thing before a camera, and what is true of it (see `Shot`)."""

    body: Body
    look: Look
    camera: Camera
    joints: Array
    forearm: Array
    solids: list[Solid]
    slot: int
    holding: bool
    grasp: int
    shape: int
    near: bool


def pose(seed: int) -> Held:
    """The hand of a seed: joints [21,3] and solids in camera axes."""
    rng = np.random.default_rng(seed)
    side = int(rng.integers(*SIDES))
    body, look = Body.sample(rng), Look.sample(rng)
    slot = int(rng.integers(2))
    holding, near = bool(rng.random() < HELD), False
    grasp, shape = -1, SHAPES.index("none")
    held = None
    if holding:
        while held is None:
            name = str(rng.choice(GRASPS))
            held = grip(name, str(rng.choice(FITS[name])), body, rng, stout=look.stout)
        grasp, shape = GRASPS.index(held.grasp), SHAPES.index(held.shape)
    angles = held.angles if held else empty_hand(body, rng)
    local = landmarks(angles[None], body)[0] * float(body.metres)
    solids = held.solids if held else ()
    if held is None and rng.random() < NEAR:
        solids = _elsewhere(local, body, rng)
        near = bool(solids)
    view = str(rng.choice(["facing", "egocentric"]))
    stage = set_stage(view, str(rng.choice(list(POSTURES[view]))), rng)
    wrist = np.array([stage.supination[slot] + rng.normal(0, 0.6), rng.normal(0, 0.35), rng.normal(0, 0.2)])
    palm = stage.forearm[slot] @ rotation(wrist)
    joints = local @ palm.T
    camera = Camera(
        yaw=rng.normal(0, 0.5), pitch=rng.normal(0.15, 0.4), roll=rng.normal(0, 0.4),
        distance=float(body.metres) * rng.uniform(2.7, 5.2), focal=rng.uniform(0.8, 1.1), size=(side, side),
        centre=tuple(joints.mean(axis=0) + rng.normal(0, 0.012, 3)), mirrored=False,
    )  # fmt: skip
    turn = camera.rotation()
    there = [s.moved(turn @ palm, camera.see(np.zeros(3))) for s in solids]
    arm = turn @ stage.forearm[slot][:, 0]
    return Held(body, look, camera, camera.see(joints), arm, there, slot, holding, grasp, shape, near)


def shoot(seed: int) -> Shot:
    """The picture of a seed."""
    h = pose(seed)
    flesh = clothe(h.joints, left=h.slot == 0, forearm=h.forearm, sleeve=h.look.sleeve, stout=h.look.stout)
    rgb, _ = Renderer(h.camera, h.look, seed=seed).draw([flesh], h.solids)
    points = h.camera.project(h.joints) * h.camera.size[0]
    return Shot(rgb, points, h.slot, h.holding, h.grasp, h.shape, h.near)


def guessed(first: int, count: int) -> dict[str, Array]:
    """Rows as `see` gives them, without pictures: joints with the fitted tracker's errors, no feature."""
    rng = np.random.default_rng((first, 3))
    hands = [pose(first + i) for i in range(count)]
    sides = np.array([[-1.0 if h.slot == 0 else 1.0, 1, 1] for h in hands], np.float32)[:, None]
    metres = np.array([float(h.body.metres) for h in hands], np.float32)[:, None, None]
    joints = np.stack([h.joints for h in hands]).astype(np.float32)
    wrist, true = joints[:, 0], (joints - joints[:, :1]) / metres * sides
    size = metres[:, 0, 0] * np.array([h.camera.focal for h in hands], np.float32) / wrist[:, 2]
    ray = wrist[:, :2] / wrist[:, 2:] * sides[:, 0, :2]
    twice = [np.repeat(np.repeat(a[:, None, None], 2, axis=1), 2, axis=2) for a in (true, ray, np.log(size))]
    times = np.tile(np.array([[0.0, 1 / 15]], np.float32), (count, 1))
    said = TrackerModel.load().see(rng, times, *twice)
    world = (true + said.world[:, 0, 0]) * sides * metres
    kept = ~said.lost[:, 0, 0]
    columns = {n: np.array([getattr(h, n) for h in hands])[kept] for n in ("slot", "holding", "grasp", "shape", "near")}
    empty = np.zeros((int(kept.sum()), 0), np.float16)
    return columns | {
        "feature": empty, "world": (world - world[:, :1])[kept], "lost": np.array((~kept).sum()),
        "other_hand": np.array(0), "digest": np.array(""),
    }  # fmt: skip


def see(shots: Iterable[Shot]) -> dict[str, Array]:
    """What the tracker's landmark network saw of shots as it follows a hand: feature [N,D] float16, world [N,21,3],
    and the truth. It looks where the landmarks of the frame before were, a little off."""
    tracker = NativeTracker(max_hands=1)
    rows: list[tuple[Any, ...]] = []
    lost = other = 0
    try:
        for number, shot in enumerate(shots):
            rng = np.random.default_rng((number, 9))
            off = LOOSE * np.linalg.norm(shot.points[9] - shot.points[0])
            before = shot.points + rng.normal(0, off, 2) + rng.normal(0, 0.5 * off, (21, 2))
            reading = tracker.look(shot.rgb, from_landmarks(before))
            if reading is None or reading.feature is None:
                lost += 1
                continue
            found = int(reading.side > 0.5)
            other += found != shot.slot
            rows.append((reading.feature, reading.world, found, shot.holding, shot.grasp, shot.shape, shot.near))
        digest = tracker.appearance_digest
    finally:
        tracker.close()
    feature, world, slot, holding, grasp, shape, near = zip(*rows, strict=True)
    return {
        "feature": np.array(feature, np.float16), "world": np.array(world, np.float32), "slot": np.array(slot, np.int8),
        "holding": np.array(holding), "grasp": np.array(grasp, np.int8), "shape": np.array(shape, np.int8),
        "near": np.array(near), "lost": np.array(lost), "other_hand": np.array(other), "digest": np.array(digest),
    }  # fmt: skip


def make(folder: Path, split: str, count: int, *, pictures: bool = True, part: int = PART) -> None:
    """Make what is missing of `count` pictures. Raises SinkError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder} cannot be used: {error.strerror or error}.") from error
    for first in range(0, count, part):
        path = folder / f"{split}-{first:05d}.npz"
        if path.exists():
            continue
        last = min(first + part, count)
        if pictures:
            rows = see(shoot(SEEDS[split] + i) for i in range(first, last))
        else:
            rows = guessed(SEEDS[split] + first, last - first)
        out = io.BytesIO()
        np.savez(out, **rows)
        write_whole(path, out.getvalue())
        print(f"{path.name}: {len(rows['holding'])} seen, {int(rows['lost'])} not", flush=True)


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Render hands with and without things, and track them.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    parser.add_argument("--train", type=int, default=6000)
    parser.add_argument("--choose", type=int, default=800)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument(
        "--no-pictures", action="store_true", help="joints with fitted errors instead: for the pose head"
    )
    args = parser.parse_args(argv)
    try:
        for split in SEEDS:
            make(args.output, split, getattr(args, split), pictures=not args.no_pictures)
    except FigopError as error:
        print(error)
        return 1
    print(f"{args.output}: done; next: python -m export.objects.fit {args.output}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
