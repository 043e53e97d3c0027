"""Performs scores: plans -> channel curves -> joints in the scene, for one clip or many at once."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edge.score import HANDS, FingerEvent, Score
from export.sim.anatomy import LOWER, UPPER, Array, Body, stack
from export.sim.kinematics import Reach, landmarks, rotation, solve
from export.sim.plan import CHANNELS, MOVE, TURN, Plan, plan
from export.sim.stage import Stage, set_stage

#: Physiological tremor lies at 8-12 Hz; drift of a hand held still is far slower.
TREMOR_HZ, DRIFT_HZ = (8.0, 12.0), (0.08, 0.35)
#: [CHANNELS] amplitudes: radians of joints, metres of the wrist. Tremor of a healthy hand is ~0.1 degrees and
#: ~0.2 mm; postural drift about a degree and a few millimetres over seconds.
_TREMOR = np.concatenate([np.full(20, np.radians(0.10)), np.full(3, 0.0002), np.full(3, np.radians(0.10))])
_DRIFT = np.concatenate([np.full(20, np.radians(0.5)), np.full(3, 0.0025), np.full(3, np.radians(0.8))])


@dataclass(frozen=True, slots=True, eq=False)
class Performance:
    """Hands in motion, in the scene (see `export.sim.stage`), before any camera.

    Attributes:
        t_ns [T] int64.
        joints [T,2,21,3] float: metres, wrist at the origin, scene axes; slot 0 = left; NaN where no hand is.
        wrist [T,2,3] float: metres in the scene.
        presence [T,2] float32.
        angles [T,2,5,4] float: joint angles, tremor included.
        score: what is performed. body, stage: by whom, and how held.
        problems: sentences for events that the hand could not do; empty for a feasible score.
    """

    t_ns: NDArray[np.int64]
    joints: Array
    wrist: Array
    presence: NDArray[np.float32]
    angles: Array
    score: Score
    body: Body
    stage: Stage
    problems: tuple[str, ...] = ()


def minimum_jerk(phase: Array) -> Array:
    """10 s^3 - 15 s^4 + 6 s^5 of the phase clipped to 0..1 (Flash and Hogan 1985)."""
    s = np.clip(phase, 0.0, 1.0)
    return np.asarray(s * s * s * (10.0 + s * (6.0 * s - 15.0)))


def drive(plans: Sequence[Generator[Reach, tuple[Array, float], Plan]], bodies: Sequence[Body]) -> list[Plan]:
    """Run many plans in step, solving their inverse problems together."""
    done: dict[int, Plan] = {}
    waiting: dict[int, Reach] = {}

    def advance(i: int, answer: tuple[Array, float] | None) -> None:
        try:
            waiting[i] = next(plans[i]) if answer is None else plans[i].send(answer)
        except StopIteration as end:
            done[i] = end.value

    for i in range(len(plans)):
        advance(i, None)
    while waiting:
        who, reaches = list(waiting), list(waiting.values())
        waiting.clear()
        angles, residuals = solve(reaches, stack([bodies[i] for i in who]))
        for i, a, r in zip(who, angles, residuals, strict=True):
            advance(i, (a, float(r)))
    return [done[i] for i in range(len(plans))]


def curves(plans: Sequence[Plan], times: Array) -> Array:
    """Channel values [B, T, 2 * CHANNELS] of plans at times [B, T] seconds."""
    start = np.stack([p.start.ravel() for p in plans]).astype(times.dtype)
    out = np.repeat(start[:, None], times.shape[1], axis=1)
    for i, one in enumerate(plans):
        if not len(one.steps):
            continue
        steps = one.steps[np.argsort(one.steps[:, 0], kind="stable")]
        shape = minimum_jerk((times[i][None] - steps[:, 1:2].astype(times.dtype)) / steps[:, 2:3].astype(times.dtype))
        square = steps[:, 4] == 2
        shape[square] *= shape[square]
        shape *= steps[:, 3:4].astype(times.dtype)
        channels = steps[:, 0].astype(int)
        first = np.flatnonzero(np.r_[True, channels[1:] != channels[:-1]])
        out[i, :, channels[first]] += np.add.reduceat(shape, first, axis=0)
    return out


def unrest(times: Array, bodies: Sequence[Body], seeds: Sequence[np.random.Generator]) -> Array:
    """Tremor and slow drift [B, T, 2 * CHANNELS]: sums of three sinusoids a channel, the same at any frame rate."""
    width = 2 * CHANNELS
    out = np.zeros((*times.shape, width), times.dtype)
    for i, (body, rng) in enumerate(zip(bodies, seeds, strict=True)):
        for band, amplitude, waves in ((TREMOR_HZ, _TREMOR * float(body.tremor), 1), (DRIFT_HZ, _DRIFT, 2)):
            for _ in range(waves):
                hz = rng.uniform(*band, width).astype(times.dtype)
                phase = rng.uniform(0, 2 * np.pi, width).astype(times.dtype)
                scale = (np.tile(amplitude, 2) * rng.uniform(0.5, 1.4, width) / waves).astype(times.dtype)
                out[i] += scale * np.sin(2 * np.pi * hz * times[i][:, None] + phase)
    return out


def joints_of(values: Array, bodies: Sequence[Body], stages: Sequence[Stage]) -> tuple[Array, Array, Array]:
    """Channel values [B,T,52] -> joints [B,T,2,21,3] and wrist [B,T,2,3] in the scene, angles [B,T,2,5,4]."""
    kind = values.dtype
    value = values.reshape(*values.shape[:2], 2, CHANNELS)
    angles = np.clip(value[..., :20].reshape(*value.shape[:3], 5, 4), LOWER.astype(kind), UPPER.astype(kind))
    batch = stack(bodies)
    wide = Body(*(np.asarray(getattr(batch, n))[:, None, None] for n in Body.__dataclass_fields__))
    local = landmarks(angles, wide) * batch.metres.astype(kind)[:, None, None, None, None]
    forearm = np.stack([s.forearm for s in stages]).astype(kind)[:, None]
    turn = forearm @ rotation(value[..., TURN], value[..., TURN + 1], value[..., TURN + 2])
    home = np.stack([s.home for s in stages]).astype(kind)[:, None]
    return local @ np.swapaxes(turn, -1, -2), home + value[..., MOVE : MOVE + 3], angles


def frame_times(duration: float, fps: float) -> Array:
    """Time stamps [T] in seconds."""
    return np.arange(max(1, round(duration * fps))) / fps


def perform(
    score: Sequence[FingerEvent],
    *,
    duration: float,
    fps: float = 30.0,
    rng: np.random.Generator,
    body: Body | None = None,
    stage: Stage | None = None,
    hands: tuple[str, ...] | None = None,
) -> Performance:
    """Perform a score.

    `hands` says which hands are in view; by default those of the score. Events that the hand cannot do in its
    state (see `Performance.problems`) are performed as far as joint limits allow.
    """
    seen = hands or tuple(h for h in HANDS if any(e.hand == h for e in score)) or ("right",)
    body = body or Body.average()
    stage = stage or set_stage(hands=seen)
    start, shake = rng.spawn(2)
    (one,) = drive([plan(tuple(score), body, stage, start)], [body])
    times = frame_times(duration, fps)
    values = curves([one], times[None]) + unrest(times[None], [body], [shake])
    joints, wrist, angles = (a[0] for a in joints_of(values, [body], [stage]))
    presence = np.repeat([[h in seen for h in HANDS]], len(times), axis=0)
    joints[~presence], wrist[~presence] = np.nan, np.nan
    return Performance(
        np.round(times * 1e9).astype(np.int64), joints, wrist, presence.astype(np.float32), angles,
        tuple(score), body, stage, one.problems,
    )  # fmt: skip


def problems_of(
    score: Sequence[FingerEvent], *, body: Body | None = None, stage: Stage | None = None, seed: int = 0
) -> tuple[str, ...]:
    """What a hand cannot do of a score: one sentence each; empty = feasible."""
    body = body or Body.average()
    rng = np.random.default_rng(seed)
    return drive([plan(tuple(score), body, stage or set_stage(), rng)], [body])[0].problems


def feasible(score: Sequence[FingerEvent], *, body: Body | None = None, stage: Stage | None = None) -> bool:
    """Whether a hand can perform the score in the states that it passes through."""
    return not problems_of(score, body=body, stage=stage)
