"""Performs scores: plans -> channel curves -> joints in the scene, for one clip or many at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from edge.score import HANDS, FingerEvent, Score
from export.sim.anatomy import LOWER, UPPER, Array, Body, stack
from export.sim.kinematics import EXACT, constants, hold_out
from export.sim.plan import CHANNELS, MOVE, TURN, Plan, plan
from export.sim.stage import Stage, set_stage

#: Physiological tremor lies at 8-12 Hz; drift of a hand held still is far slower.
TREMOR_HZ, DRIFT_HZ = (8.0, 12.0), (0.08, 0.35)
#: [CHANNELS] amplitudes: radians of joints, metres of the wrist. Tremor of a healthy hand is ~0.1 degrees and
#: ~0.2 mm; postural drift about a degree and a few millimetres over seconds.
_TREMOR = np.concatenate([np.full(20, np.radians(0.10)), np.full(3, 0.0002), np.full(3, np.radians(0.10))])
_DRIFT = np.concatenate([np.full(20, np.radians(0.5)), np.full(3, 0.0025), np.full(3, np.radians(0.8))])
#: [3,2] the waves' bands, Hz; [3,1] which one is tremor; [3,52] their amplitudes.
_BANDS = np.array([TREMOR_HZ, DRIFT_HZ, DRIFT_HZ])
_TREMBLING = np.array([[True], [False], [False]])
_AMPLITUDES = np.tile(np.stack([_TREMOR, _DRIFT / 2, _DRIFT / 2]), 2)


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


@njit(**EXACT)
def minimum_jerk(phase: Any) -> Any:
    """10 s^3 - 15 s^4 + 6 s^5 of the phase clipped to 0..1 (Flash and Hogan 1985)."""
    s = np.minimum(np.maximum(phase, 0.0), 1.0)
    return s * s * s * (10.0 + s * (6.0 * s - 15.0))


@njit(**EXACT)
def _follow(steps: Any, bounds: Any, times: Any, out: Any) -> None:
    """Add the steps [N,5] of clip b, bounds[b] to bounds[b + 1], to its channels `out` [B,T,52]."""
    for b in range(len(times)):
        for n in range(bounds[b], bounds[b + 1]):
            channel, begin, length, delta, square = steps[n]
            for t in range(times.shape[1]):
                if times[b, t] > begin:
                    shape = minimum_jerk((times[b, t] - begin) / length)
                    out[b, t, int(channel)] += delta * (shape * shape if square == 2.0 else shape)


def curves(plans: Sequence[Plan], times: Array) -> Array:
    """Channel values [B, T, 2 * CHANNELS] of plans at times [B, T] seconds."""
    start = np.stack([p.start.ravel() for p in plans]).astype(times.dtype)
    out = np.repeat(start[:, None], times.shape[1], axis=1)
    bounds = np.cumsum([0, *(len(p.steps) for p in plans)])
    _follow(np.concatenate([p.steps for p in plans]), bounds, times, out)
    return out


#: Taylor series of sin(2 pi m), odd powers of m = 0..1/4 turns: within 4e-6, a thousandth of the smallest wave.
_SINE = tuple((-1) ** k * (2 * np.pi) ** (2 * k + 1) / factorial(2 * k + 1) for k in range(5))


@njit(**EXACT)
def _tremble(hz: Any, phase: Any, scale: Any, times: Any, out: Any) -> None:
    """out [B,T,C] = sums of the sinusoids [B,3,C], phases in turns; branchless, for the compiler to vectorise."""
    kind = out.dtype.type
    half, a, b, c, d, e = (
        kind(0.5), kind(_SINE[0]), kind(_SINE[1]), kind(_SINE[2]), kind(_SINE[3]), kind(_SINE[4])
    )  # fmt: skip
    for i in range(times.shape[0]):
        for t in range(times.shape[1]):
            now = times[i, t]
            for channel in range(out.shape[2]):
                total = kind(0.0)
                for w in range(3):
                    turn = hz[i, w, channel] * now + phase[i, w, channel]
                    turn -= np.rint(turn)
                    m = min(abs(turn), half - abs(turn))
                    q = m * m
                    sine = m * (a + q * (b + q * (c + q * (d + q * e))))
                    total += scale[i, w, channel] * (sine if turn >= 0 else -sine)
                out[i, t, channel] = total


def unrest(times: Array, bodies: Sequence[Body], seeds: Sequence[np.random.Generator]) -> Array:
    """Tremor and slow drift [B, T, 2 * CHANNELS]: sums of three sinusoids a channel, the same at any frame rate."""
    kind = times.dtype
    drawn = np.stack([rng.random((len(_BANDS), 3, 2 * CHANNELS)) for rng in seeds])
    tremor = np.array([float(b.tremor) for b in bodies])[:, None, None]
    hz = _BANDS[:, :1] + (_BANDS[:, 1:] - _BANDS[:, :1]) * drawn[:, :, 0]
    scale = np.where(_TREMBLING, tremor, 1.0) * _AMPLITUDES * (0.5 + 0.9 * drawn[:, :, 2])
    out = np.empty((*times.shape, 2 * CHANNELS), kind)
    _tremble(hz.astype(kind), drawn[:, :, 1].astype(kind), scale.astype(kind), times, out)
    return out


def joints_of(values: Array, bodies: Sequence[Body], stages: Sequence[Stage]) -> tuple[Array, Array, Array]:
    """Channel values [B,T,52] -> joints [B,T,2,21,3] and wrist [B,T,2,3] in the scene, angles [B,T,2,5,4]."""
    value = values.reshape(*values.shape[:2], 2, CHANNELS)
    angles, joints, wrist = (np.empty((*value.shape[:3], *end), values.dtype) for end in ((20,), (21, 3), (3,)))
    batch = stack(bodies)
    held = (np.stack([s.forearm for s in stages]), np.stack([s.home for s in stages]))
    still = (a.astype(values.dtype) for a in (LOWER, UPPER, batch.metres, *constants(batch), *held))
    hold_out(value, MOVE, TURN, *still, angles, joints, wrist)
    return joints, wrist, angles.reshape(*value.shape[:3], 5, 4)


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
    one = plan(tuple(score), body, stage, start)
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
    return plan(tuple(score), body, stage or set_stage(), rng).problems


def feasible(score: Sequence[FingerEvent], *, body: Body | None = None, stage: Stage | None = None) -> bool:
    """Whether a hand can perform the score in the states that it passes through."""
    return not problems_of(score, body=body, stage=stage)
