"""Training batches streamed from the simulator: programs -> performances -> cameras -> noise -> ticks -> features.

Batch number i of a seed is always the same, whoever makes it and whenever: training resumes to the step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.model_features import PARTS, PERSON_AXES, WIDTH, FeatureReader, geometry
from edge.resample import SLACK_S, TICK_HZ
from edge.score import HANDS, Score
from edge.targets import ATTRIBUTES, SLOTS, codes, slots_of
from export.sim.anatomy import Array, Body
from export.sim.lens import cameras, projected, turned
from export.sim.noise import NoiseSettings, bursts, errors, shrunk
from export.sim.perform import curves, joints_of, unrest
from export.sim.plan import Plan, plan
from export.sim.stage import Stage
from export.sim.tracker_model import TrackerModel

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """One clip to be performed: what, by whom, how held, how long. varied: see `export.sim.plan.plan`."""

    score: Score
    body: Body
    stage: Stage
    hands: tuple[str, ...]
    duration: float
    varied: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """A batch of clips at 30 Hz ticks.

    Attributes:
        features [B,T,2,6,54] float32.
        targets [B,T,2,7,6] uint8: motion, direction, contact, extent, speed, repeat of every slot (`edge.targets`).
        present [B,T,2] bool: the hand is seen. moving [B,T,2] bool: an event of the hand is under way.
        scores: what is performed, seconds = ticks / 30.
    """

    features: NDArray[np.float32]
    targets: NDArray[np.uint8]
    present: Flags
    moving: Flags
    scores: list[Score]


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """A tracker's view of a batch. times [B,F] seconds; valid [B,F] bool: not dropped; track [B,F,2] int;
    score [B,F,2]: its presence."""

    times: Array
    valid: Flags
    world: Array
    image: Array
    wrist: Array
    present: Flags
    score: Array
    track: NDArray[np.int32]
    view: Array


def feasible(scenes: Sequence[Scene], rng: np.random.Generator) -> tuple[list[Scene], list[Plan]]:
    """The scenes whose score the hand can do, and their plans."""
    seeds = rng.spawn(len(scenes))
    plans = [plan(s.score, s.body, s.stage, g, varied=s.varied) for s, g in zip(scenes, seeds, strict=True)]
    kept = [(s, p) for s, p in zip(scenes, plans, strict=True) if not p.problems]
    return [s for s, _ in kept], [p for _, p in kept]


#: share of hands whose fitted errors are made smaller
EASED = 0.5


def track(
    scenes: Sequence[Scene],
    plans: Sequence[Plan],
    rng: np.random.Generator,
    settings: NoiseSettings,
    *,
    fps: float,
    level: float = 1.0,
    sources: bool = True,
    tracker: TrackerModel | None = None,
    eased: float = EASED,
) -> Frames:
    """Perform, film and corrupt. `level` = 0: a perfect tracker; `sources`: some clips lack world or image.

    tracker: the fitted errors of the native tracker, in place of the `settings` that stand for any tracker; eased:
    share of hands on which they are made smaller.
    """
    count, frames = len(scenes), int(np.ceil(max(s.duration for s in scenes) * fps)) + 1
    s, noisy = settings, level > 0
    times = np.arange(frames)[None] / fps + np.zeros((count, 1))
    if noisy:
        jitter = rng.normal(0, s.stamp_jitter_s, times.shape).clip(-0.3 / fps, 0.3 / fps)
        times = times + jitter - jitter[:, :1]
    bodies, seeds = [c.body for c in scenes], rng.spawn(count)
    values = curves(plans, times.astype(np.float32))
    values += unrest(times.astype(np.float32), bodies, seeds)
    stages = [c.stage for c in scenes]
    joints, wrist, _ = joints_of(values, bodies, stages)
    metres = np.array([b.metres for b in bodies], np.float32)[:, None, None, None, None]
    there = np.array([[h in c.hands for h in HANDS] for c in scenes])
    turn, seen, focal = cameras(wrist, there, rng)
    score, lost = np.ones((count, frames, 2), np.float32), np.zeros((count, frames, 2), bool)
    if tracker is not None and noisy:
        world, depth, score, lost = _tracked(tracker, rng, times, joints, metres, turn, seen, focal, eased)
    else:
        world, depth = _corrupted(
            rng, times, values, joints, bodies, stages, s, fps, level, (metres, turn, seen, focal)
        )
        if noisy and rng.random() < 0.5:  # a tracker that says how sure it is; others are always sure
            score = np.asarray(1 - 0.5 * rng.random((count, frames, 2)) ** 6, np.float32)
    wrist = seen * (1 + s.wrist_depth * level * rng.standard_normal((count, 1, 1, 1)))
    present = np.broadcast_to(there[:, None], (count, frames, 2)).copy()
    track_id = np.zeros((count, frames, 2), np.int32)
    valid = np.ones((count, frames), bool)
    if noisy:
        present &= ~(lost if tracker is not None else bursts(rng, times, s.loss_rate, s.loss_s, 2))
        late = np.where(rng.random((count, 2)) < s.late_share, rng.uniform(0, s.late_s, (count, 2)), 0.0)
        present &= times[..., None] >= late[:, None]
        valid = rng.random(valid.shape) >= s.drop_rate
        valid[:, 0] = True
        track_id = np.cumsum(np.diff(present, axis=1, prepend=False) & present, axis=1).astype(np.int32)
    out = [world, depth, wrist.astype(np.float32)]
    if noisy:
        flip = bursts(rng, times, 1 / times[:, -1].max(), s.flip_s, 1)[..., 0]
        flip &= (rng.random(count) < s.flip_share)[:, None]
        out = [np.where(flip.reshape(*flip.shape, *[1] * (a.ndim - 2)), a[:, :, ::-1], a) for a in out]
        present = np.where(flip[..., None], present[..., ::-1], present)
    world, depth, wrist = (np.where(present.reshape(*present.shape, *[1] * (a.ndim - 3)), a, np.nan) for a in out)
    if sources:
        kind = rng.random(count)
        world[kind < 0.10] = np.nan  # 2D trackers, half of them without z
        depth[kind < 0.05, ..., 2] = np.nan
        depth[kind > 0.90] = np.nan  # headsets
        wrist[(kind < 0.10) | ((kind < 0.90) & (rng.random(count) < 0.8))] = np.nan
    view = np.stack([PERSON_AXES[c.stage.view] for c in scenes])
    return Frames(
        times, valid, world.astype(np.float32), depth.astype(np.float32), wrist.astype(np.float32), present, score,
        track_id, view,
    )  # fmt: skip


def _corrupted(
    rng: np.random.Generator, times: Array, values: Array, joints: Array, bodies: Sequence[Body],
    stages: Sequence[Stage], s: NoiseSettings, fps: float, level: float, filmed: tuple[Array, Array, Array, Array],
) -> tuple[Array, Array]:  # fmt: skip
    """World and image landmarks with the errors that `settings` describe."""
    metres, turn, seen, focal = filmed
    shown, noisy = joints, level > 0
    if noisy:
        joints, shown = (joints_of(v, bodies, stages)[0] for v in shrunk(rng, values, joints, s, level))
    world, shown = turned(joints, turn), turned(shown, turn)
    e = errors(rng, times, s, fps, level)
    zoom = focal[..., 0] / np.maximum(seen[..., 2:], 0.1)
    flat = projected(shown, seen, focal) + e.image * (metres[..., 0] * zoom)[..., None]
    # image landmarks bend as the picture shows, which is nearer to the truth than the world's
    relative = (shown @ np.swapaxes(e.turn, -1, -2))[..., 2] * e.depth[..., 0][..., None]
    relative = relative + (e.world[..., 2] * metres[..., 0])
    world = world @ np.swapaxes(e.turn, -1, -2) * e.size[..., None]
    world[..., 2] *= e.depth
    world = world + e.world * metres
    world = world - world[..., :1, :]
    depth = (relative - relative[..., :1]) * zoom
    return world, np.concatenate([flat, depth[..., None]], axis=-1)


#: a left hand is read as the mirror image of a right one
_SIDES = np.array([[-1, 1, 1], [1, 1, 1]], np.float32)


def _tracked(
    tracker: TrackerModel, rng: np.random.Generator, times: Array, joints: Array, metres: Array, turn: Array,
    seen: Array, focal: Array, eased: float,
) -> tuple[Array, Array, Array, Flags]:  # fmt: skip
    """World and image landmarks, score and losses as the native tracker would have them."""
    true = turned(joints, turn)
    flat = projected(true, seen, focal)
    zoom = focal[..., 0] / np.maximum(seen[..., 2:], 0.1)
    size = metres[..., 0] * zoom
    ray = seen[..., :2] / np.maximum(seen[..., 2:], 0.1) * _SIDES[:, :2]
    sides = _SIDES[:, None]
    said = tracker.see(rng, times, true / metres * sides, ray, np.log(size[..., 0]))
    # the fit is of rendered hands; real ones are what the tracker's networks were made for
    ease = np.where(rng.random((len(times), 1, 2)) < eased, rng.uniform(0.3, 1.0, (len(times), 1, 2)), 1.0)
    ease = ease[..., None, None].astype(np.float32)
    world = true + ease * said.world * sides * metres
    image = (
        np.concatenate([flat, (true[..., 2] * zoom)[..., None]], axis=-1) + ease * said.image * sides * size[..., None]
    )
    return world, image, np.maximum(said.score, np.float32(0.5)), said.lost


def ticks_of(frames: Frames, length: int) -> tuple[Array, Array]:
    """Features [B,T,2,6,54] and presence [B,T,2] as `Resampler` and `FeatureReader` make them from the frames."""
    count = len(frames.times)
    early, late = np.zeros((count, length), int), np.zeros((count, length), int)
    share, first = np.zeros((count, length), np.float32), np.zeros((count, length), bool)
    for b in range(count):
        used = np.flatnonzero(frames.valid[b])
        stamps = frames.times[b, used]
        at = stamps[0] + np.arange(length) / TICK_HZ
        j = np.minimum(np.searchsorted(stamps + SLACK_S, at), len(stamps) - 1)
        i = np.maximum(j - 1, 0)
        gap = np.maximum(stamps[j] - stamps[i], 1e-9)
        share[b] = np.clip((at - stamps[i]) / gap, 0, 1)
        early[b], late[b], first[b] = used[i], used[j], j == i
    who = np.arange(count)[:, None]
    here, seen = frames.present[who, late], frames.present[who, early]
    track = frames.track[who, late]
    both = here & seen & (track == frames.track[who, early]) & ~first[..., None]

    def between(a: Array) -> Array:
        now = a[who, late]
        wide = (...,) + (None,) * (now.ndim - 3)
        return np.where(both[wide], a[who, early] + share[:, :, None][wide] * (now - a[who, early]), now)

    shape = geometry(
        between(frames.world), between(frames.image), between(frames.wrist), here, frames.view[:, None],
        frames.score[who, late],
    )  # fmt: skip
    reader = FeatureReader(frames.view, (count,))
    out = np.empty((count, length, 2, PARTS, WIDTH), np.float32)
    last = np.full((count, 2), -1)
    for k in range(length):
        fresh = here[:, k] & (track[:, k] != last)
        last = np.where(here[:, k], track[:, k], last)
        out[:, k] = reader.step(shape.at(k), fresh)
    return out, here


def truth(scores: Sequence[Score], length: int) -> tuple[NDArray[np.uint8], Flags]:
    """Targets [B,T,2,7,6] and moving [B,T,2] at ticks k / 30 s."""
    targets = np.zeros((len(scores), length, 2, len(SLOTS), len(ATTRIBUTES)), np.uint8)
    moving = np.zeros((len(scores), length, 2), bool)
    for b, score in enumerate(scores):
        for event in score:
            if event.motion == "rest":
                continue
            a, z = (int(np.clip(np.ceil(x * TICK_HZ), 0, length)) for x in (event.start, event.end))
            hand = HANDS.index(event.hand)
            moving[b, a:z, hand] = True
            for slot in slots_of(event):
                targets[b, a:z, hand, slot] = codes(event)
    return targets, moving


class Streamer:
    """Makes batch number i of a seed.

    Args:
        programs: draws one scene; it alone decides what is trained on.
        size: clips in a batch (a few fewer where scores turn out infeasible). seconds: length of the batch.
        native: share of parts that the native tracker sees, as fitted; the rest is seen by any tracker.
    """

    def __init__(
        self,
        programs: Callable[[np.random.Generator], Scene],
        *,
        size: int,
        seconds: float,
        seed: int,
        settings: NoiseSettings | None = None,
        part: int = 16,
        level: float | None = None,
        native: float = 0.7,
    ) -> None:
        self.programs, self.size, self.seconds, self.seed, self.part = programs, size, seconds, seed, part
        self.settings = settings or NoiseSettings.load()
        self.level = level
        self.tracker, self.native = TrackerModel.load(), native

    def batch(self, number: int) -> Clips:
        rng = np.random.default_rng((self.seed, number))
        parts = [self._part(rng, min(self.part, self.size - i)) for i in range(0, self.size, self.part)]
        joined = {
            n: np.concatenate([getattr(p, n) for p in parts]) for n in ("features", "targets", "present", "moving")
        }
        return Clips(**joined, scores=[s for p in parts for s in p.scores])

    def _scenes(self, rng: np.random.Generator, count: int) -> tuple[list[Scene], list[Plan]]:
        return feasible([self.programs(rng) for _ in range(count)], rng)

    def _part(self, rng: np.random.Generator, count: int) -> Clips:
        scenes, plans = self._scenes(rng, count)
        # frames of one part share a rate: half of them 30 fps, the others 15-60
        fps = 30.0 if rng.random() < 0.4 else float(rng.uniform(15, 60))
        level = (
            self.level if self.level is not None else float(rng.choice([0.0, 0.5, 1.0, 1.5], p=[0.05, 0.3, 0.5, 0.15]))
        )
        tracker = self.tracker if level > 0 and rng.random() < self.native else None
        frames = track(scenes, plans, rng, self.settings, fps=fps, level=level, tracker=tracker)
        length = int(self.seconds * TICK_HZ)
        features, present = ticks_of(frames, length)
        scores = [s.score for s in scenes]
        targets, moving = truth(scores, length)
        return Clips(features, targets, present, moving, scores)
