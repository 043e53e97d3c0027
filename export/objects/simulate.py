"""Programs of hands with things as the fitted tracker and an ordinary detector would see them, without pictures."""

from __future__ import annotations

import numpy as np

from edge.hands.position import wrist_position
from edge.objects.detections import Detection, Detections
from edge.recording import Recording
from export.sim.anatomy import Array
from export.sim.camera import film
from export.sim.handled import Truth
from export.sim.interactions import Scene, boxes
from export.sim.tracker_model import TrackerModel

#: Of a detector: how far the edges of a box are off (of its size, each look and slowly), how often it sees nothing,
#: and how often when a hand hides half of the thing.
JITTER, DRIFT, BLIND, HIDDEN = 0.03, 0.02, 0.05, 0.35
#: Hz of its looks.
LOOKS = 10.0
_SIDES = np.array([[-1, 1, 1], [1, 1, 1]], np.float32)


def truth_of(scene: Scene) -> Truth:
    """What is true of a scene, in the form that rendered clips keep."""
    done = scene.performance
    return Truth(
        done.t_ns,
        scene.contact,
        scene.held,
        boxes(scene),
        tuple(t.name for t in scene.things),
        scene.score,
        " ".join(scene.act),
    )


def seen_by_fit(scene: Scene, seed: int) -> Recording:
    """The landmarks as the fitted tracker would give them, of the hands alone (it was fitted on empty hands)."""
    rng = np.random.default_rng((seed, 5))
    exact = film(scene.performance, scene.camera)
    world, wrist = exact.world.astype(np.float32), scene.camera.see(scene.performance.wrist).astype(np.float32)
    present = exact.presence > 0
    world, wrist = np.nan_to_num(world), np.nan_to_num(wrist, nan=0.6)
    metres = float(scene.performance.body.metres)
    zoom = scene.camera.focal / np.maximum(wrist[..., 2:], 0.1)
    size = metres * zoom
    ray = wrist[..., :2] / np.maximum(wrist[..., 2:], 0.1) * _SIDES[:, :2]
    times = (exact.t_ns * 1e-9)[None].astype(np.float32)
    said = TrackerModel.load().see(
        rng, times, (world / metres * _SIDES[:, None])[None], ray[None], np.log(size)[None, ..., 0]
    )
    world = world + said.world[0] * _SIDES[:, None] * metres
    world = world - world[..., :1, :]
    marks = exact.landmarks + said.image[0] * _SIDES[:, None] * size[..., None]
    width, height = scene.camera.size
    marks[..., 1] = exact.landmarks[..., 1] + (said.image[0] * size[..., None])[..., 1] * width / height
    present = present & ~said.lost[0]
    place = np.full((len(times[0]), 2, 3), np.nan, np.float32)
    for i in range(len(place)):
        for slot in (0, 1):
            if present[i, slot]:
                pixels = marks[i, slot, :, :2] * [width, height]
                place[i, slot] = wrist_position(
                    pixels, world[i, slot], (width / 2, height / 2), float(max(width, height))
                )
    gone = ~present
    world[gone], marks[gone] = np.nan, np.nan
    return Recording(
        exact.t_ns, marks.astype(np.float32), world.astype(np.float32), place, present.astype(np.float32),
        np.where(present, np.arange(2), -1).astype(np.int32), image_size=exact.image_size, view=exact.view,
    )  # fmt: skip


def detected(truth: Truth, landmarks: Array, seed: int, *, exact: bool = False) -> list[Detections]:
    """What a detector says of a clip's things: true boxes, or boxes with the errors above. landmarks [T,2,21,3]."""
    rng = np.random.default_rng((seed, 6))
    out: list[Detections] = []
    slow = np.zeros((len(truth.names), 4))
    last = -1.0
    for i, t_ns in enumerate(truth.t_ns.tolist()):
        t = t_ns * 1e-9
        if not exact and t - last < 1 / LOOKS - 1e-6:
            continue
        last = t
        objects = []
        for n, name in enumerate(truth.names):
            box = truth.boxes[i, n].astype(float)
            if not exact:
                slow[n] = 0.9 * slow[n] + np.sqrt(1 - 0.81) * rng.normal(0, DRIFT, 4)
                size = np.tile(box[2:] - box[:2], 2)
                joints = landmarks[i, :, 1:, :2].reshape(-1, 2)
                over = ((joints > box[:2]) & (joints < box[2:])).all(axis=-1).sum() >= 8
                if rng.random() < (HIDDEN if over else BLIND):
                    continue
                box = np.clip(box + size * (slow[n] + rng.normal(0, JITTER, 4)), 0, 1)
            if box[2] > box[0] and box[3] > box[1]:
                label = name.rsplit(" ", 1)[0] if name.rsplit(" ", 1)[-1].isdigit() else name
                objects.append(Detection(label, tuple(float(v) for v in box), 1.0 if exact else 0.8))  # type: ignore[arg-type]
        out.append(Detections(t_ns, tuple(objects)))
    return out
