"""Forward and inverse kinematics of the hand, vectorised over clips and frames; numpy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from export.sim.anatomy import DIP_PER_PIP, LOWER, THUMB_PRONATION, UPPER, Array, Body


def landmarks(angles: Array, body: Body) -> Array:
    """Joint angles [..., 5, 4] -> 21 landmarks [..., 21, 3] in the palm's axes, palm lengths, wrist at the origin.

    The body's leading axes must broadcast against those of `angles`.
    """
    kind = angles.dtype
    out = np.empty((*angles.shape[:-2], 21, 3), kind)
    out[..., 0, :] = 0
    bases, lengths = body.bases.astype(kind), body.lengths.astype(kind)
    straight, bent = _planes(angles, body)
    flex = angles[..., :3].copy()
    flex[..., 0, 0] = 0  # the thumb's metacarpal is `straight` itself
    total = np.cumsum(flex, axis=-1)
    along, up = np.cos(total) * lengths, np.sin(total) * lengths  # [..., 5, 3 bones]
    point = np.broadcast_to(bases, straight.shape)
    out[..., 1::4, :] = point
    for bone in range(3):
        point = point + along[..., bone, None] * straight + up[..., bone, None] * bent
        out[..., 2 + bone :: 4, :] = point
    return out


def _planes(angles: Array, body: Body) -> tuple[Array, Array]:
    """Unit vectors [..., 5, 3] of each finger's flexion plane: the straight finger, and where it bends to."""
    kind = angles.dtype
    side = angles[..., 3].copy()
    # the collateral ligaments tighten: a bent knuckle hardly abducts
    side[..., 1:] *= 0.3 + 0.7 * np.cos(angles[..., 1:, 0])
    cos, sin = np.cos(side), np.sin(side)
    lean = body.lean.astype(kind)
    norm = 1 / np.sqrt(1 + lean * lean)
    straight = np.stack([cos, sin, np.zeros_like(cos)], axis=-1)
    bent = np.stack([-lean * norm * sin, lean * norm * cos, np.broadcast_to(norm, cos.shape)], axis=-1)
    lift = angles[..., 0, 0]
    cl, sl, ct, st = np.cos(lift), np.sin(lift), cos[..., 0], sin[..., 0]
    straight[..., 0, :] = np.stack([cl * ct, cl * st, sl], axis=-1)
    cp, sp = np.cos(THUMB_PRONATION).astype(kind), np.sin(THUMB_PRONATION).astype(kind)
    bent[..., 0, :] = np.stack([cp * st - sp * sl * ct, -cp * ct - sp * sl * st, sp * cl], axis=-1)
    return straight, bent


@dataclass(frozen=True, slots=True, eq=False)
class Reach:
    """One inverse problem: some weighted landmark points are to meet others.

    Attributes:
        start [5,4]: posture that the solution starts from and stays near.
        free [5,4] bool: angles that may change. A free PIP takes its DIP along.
        points [K,21]: weights of the moving points; targets [K,21]: of what they are to meet (0 = the wrist).
        offsets [K,3]: wanted point - target, palm lengths; NaN = any direction at distance `gap`.
        gap: palm lengths; pads that touch leave their landmarks about one finger radius apart.
    """

    start: Array
    free: Array
    points: Array
    targets: Array
    offsets: Array
    gap: float = 0.075


_STEP = 1e-3
_STAY = 0.06  # pull towards the starting posture: palm lengths per radian


def solve(reaches: list[Reach], bodies: Body, *, rounds: int = 16) -> tuple[Array, Array]:
    """Damped Gauss-Newton within the joint limits, all problems at once.

    `bodies` has the batch axis [N]. Returns angles [N,5,4] and the largest residual of each [N], palm lengths.
    """
    count, most = len(reaches), max(len(r.points) for r in reaches)
    points, targets = np.zeros((count, most, 21)), np.zeros((count, most, 21))
    offsets = np.zeros((count, most, 3))
    for i, reach in enumerate(reaches):
        k = len(reach.points)
        points[i, :k], targets[i, :k], offsets[i, :k] = reach.points, reach.targets, reach.offsets
    start = np.stack([r.start for r in reaches]).reshape(count, 20)
    free = np.stack([r.free for r in reaches]).reshape(count, 20)
    gap = np.array([r.gap for r in reaches])[:, None, None]
    basis = np.eye(20)
    for pip in (5, 9, 13, 17):
        basis[pip, pip + 1] = DIP_PER_PIP
    # only the free angles are probed: their numbers, padded with directions that move nothing
    ways = np.zeros((count, int(free.sum(axis=1).max()), 20))
    for i, flags in enumerate(free):
        ways[i, : flags.sum()] = basis[flags]
    spread = Body(*(np.asarray(getattr(bodies, n))[:, None] for n in Body.__dataclass_fields__))
    low, high = LOWER.ravel(), UPPER.ravel()
    anywhere = np.isnan(offsets)[:, None]
    way_weights = points - targets

    def residual(theta: Array) -> Array:
        """[N, M, 20] angles -> [N, M, 3K] residuals."""
        joints = landmarks(theta.reshape(*theta.shape[:-1], 5, 4), spread)
        way = way_weights[:, None] @ joints
        length = np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), 1e-6)
        wanted = np.where(anywhere, gap[:, None] * way / length, offsets[:, None])
        return np.asarray((way - wanted).reshape(*theta.shape[:-1], -1))

    theta, eye = start.copy(), np.eye(ways.shape[1])
    for turn in range(rounds):
        stay = _STAY**2 * 0.25 * 0.6**turn  # early rounds keep the posture natural, late rounds close the gap
        values = residual(np.concatenate([theta[:, None], theta[:, None] + _STEP * ways], axis=1))
        here = values[:, 0]
        jac = np.swapaxes(values[:, 1:] - here[:, None], 1, 2) / _STEP  # [N, R, directions]
        normal = np.swapaxes(jac, 1, 2) @ jac + (stay + 1e-4) * eye
        slope = (here[:, None] @ jac)[:, 0] + stay * (ways @ (theta - start)[..., None])[..., 0]
        step = np.linalg.solve(normal, slope[..., None])[..., 0]
        move = (step[:, None] @ ways)[:, 0].clip(-0.35, 0.35)
        theta = np.where(move != 0, np.clip(theta - move, low, high), theta)
        if np.abs(move).max() < 1e-3:
            break
    last = residual(theta[:, None])[:, 0].reshape(count, most, 3)
    return theta.reshape(count, 5, 4), np.linalg.norm(last, axis=-1).max(axis=1)


def rotation(supination: Array, flexion: Array, deviation: Array) -> Array:
    """Wrist and forearm angles [...] -> [..., 3, 3] turning the palm's axes within the forearm's.

    The forearm's axes are the palm's at zero. Supination turns the thumb's side away from the palm's side;
    flexion bends the hand to the palm (+), deviation to the thumb (+).
    """
    cs, ss = np.cos(supination), np.sin(supination)
    cf, sf = np.cos(flexion), np.sin(flexion)
    cd, sd = np.cos(deviation), np.sin(deviation)
    x = np.stack([cf * cd, cf * sd, sf], axis=-1)
    y = np.stack([-sd, cd, np.zeros_like(cd)], axis=-1)
    z = np.stack([-sf * cd, -sf * sd, cf], axis=-1)
    local = np.stack([x, y, z], axis=-1)  # columns
    zero, one = np.zeros_like(cs), np.ones_like(cs)
    turn = np.stack(
        [np.stack([one, zero, zero], -1), np.stack([zero, cs, ss], -1), np.stack([zero, -ss, cs], -1)], axis=-2
    )
    return np.asarray(turn @ local)
