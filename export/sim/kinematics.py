"""Forward and inverse kinematics of the hand, compiled by numba: the same lines pose one hand and a batch of clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

from export.sim.anatomy import DIP_PER_PIP, LOWER, THUMB_PRONATION, UPPER, Array, Body

#: Every operation rounds as written: programs of a seed must stay the same ones on every machine. Compiled code is
#: kept on disk until its own file changes: it must take what other files define (anatomy, channels) as arguments.
EXACT: dict[str, Any] = {"cache": True, "fastmath": False, "nogil": True, "boundscheck": False, "error_model": "numpy"}
_THUMB = np.array([np.cos(THUMB_PRONATION), np.sin(THUMB_PRONATION)])


@njit(inline="always", **EXACT)
def _finger(f: int, angles: Any, at: int, bases: Any, lengths: Any, lean: Any, thumb: Any, out: Any) -> None:
    """Landmarks 4 f + 1 .. 4 f + 4 of `out` [21,3] from the four angles at `angles[at]`."""
    kind = angles.dtype.type  # constants in the arrays' own type: mixed ones would turn floats into doubles and back
    zero, one = kind(0.0), kind(1.0)
    a, b, c, side = angles[at], angles[at + 1], angles[at + 2], angles[at + 3]
    x, y, z = bases[f, 0], bases[f, 1], bases[f, 2]
    if f == 0:
        # the metacarpal itself is lifted and turned sideways; MCP and IP flex in a pronated plane
        cl, sl, ct, st = np.cos(a), np.sin(a), np.cos(side), np.sin(side)
        ux, uy, uz = cl * ct, cl * st, sl
        cp, sp = thumb[0], thumb[1]
        bx, by, bz = cp * st - sp * sl * ct, -cp * ct - sp * sl * st, sp * cl
        first, second = b, b + c
        along, up = lengths[f, 0], zero
    else:
        cos = np.cos(a)
        # the collateral ligaments tighten: a bent knuckle hardly abducts
        side *= kind(0.3) + kind(0.7) * cos
        ct, st = np.cos(side), np.sin(side)
        norm = one / np.sqrt(one + lean[f] * lean[f])
        ux, uy, uz = ct, st, zero
        bx, by, bz = -lean[f] * norm * st, lean[f] * norm * ct, norm
        first, second = a + b, a + b + c
        along, up = cos * lengths[f, 0], np.sin(a) * lengths[f, 0]
    i = 4 * f + 1
    out[i, 0], out[i, 1], out[i, 2] = x, y, z
    x, y, z = x + along * ux + up * bx, y + along * uy + up * by, z + along * uz + up * bz
    out[i + 1, 0], out[i + 1, 1], out[i + 1, 2] = x, y, z
    along, up = np.cos(first) * lengths[f, 1], np.sin(first) * lengths[f, 1]
    x, y, z = x + along * ux + up * bx, y + along * uy + up * by, z + along * uz + up * bz
    out[i + 2, 0], out[i + 2, 1], out[i + 2, 2] = x, y, z
    along, up = np.cos(second) * lengths[f, 2], np.sin(second) * lengths[f, 2]
    out[i + 3, 0], out[i + 3, 1], out[i + 3, 2] = (
        x + along * ux + up * bx,
        y + along * uy + up * by,
        z + along * uz + up * bz,
    )


@njit(inline="always", **EXACT)
def _pose(angles: Any, bases: Any, lengths: Any, lean: Any, thumb: Any, out: Any) -> None:
    """Landmarks `out` [21,3] of one hand with joint angles [20], in the palm's axes, palm lengths."""
    out[0, 0] = out[0, 1] = out[0, 2] = 0.0
    for f in range(5):
        _finger(f, angles, 4 * f, bases, lengths, lean, thumb, out)


@njit(**EXACT)
def _poses(angles: Any, bases: Any, lengths: Any, lean: Any, thumb: Any, out: Any) -> None:
    for n in range(len(angles)):
        _pose(angles[n], bases, lengths, lean, thumb, out[n])


def constants(body: Body) -> tuple[Array, Array, Array, Array]:
    """What never changes while a body moves, for compiled code: bases, lengths, lean, cosine and sine of the thumb's
    pronation."""
    return body.bases, body.lengths, body.lean, _THUMB


def landmarks(angles: Array, body: Body) -> Array:
    """Joint angles [..., 5, 4] -> 21 landmarks [..., 21, 3] in the palm's axes, palm lengths, wrist at the origin."""
    rows = np.ascontiguousarray(angles).reshape(-1, 20)
    out = np.empty((len(rows), 21, 3), rows.dtype)
    _poses(rows, *(a.astype(rows.dtype) for a in constants(body)), out)
    return out.reshape(*angles.shape[:-2], 21, 3)


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
_LIMITS = np.stack([LOWER.ravel(), UPPER.ravel()])


@njit(**EXACT)
def _residual(joints: Any, ways: Any, offsets: Any, gap: float, out: Any) -> None:
    """What is missing at each point [K,3]: the way from target to point, less the wanted one."""
    for k in range(len(ways)):
        x = y = z = 0.0
        for i in range(21):
            w = ways[k, i]
            if w != 0.0:
                x += w * joints[i, 0]
                y += w * joints[i, 1]
                z += w * joints[i, 2]
        if np.isnan(offsets[k, 0]):
            share = 1.0 - gap / max(np.sqrt(x * x + y * y + z * z), 1e-6)
            out[k, 0], out[k, 1], out[k, 2] = x * share, y * share, z * share
        else:
            out[k, 0], out[k, 1], out[k, 2] = x - offsets[k, 0], y - offsets[k, 1], z - offsets[k, 2]


@njit(**EXACT)
def _solve_normal(normal: Any, slope: Any) -> None:
    """Solves normal @ x = slope in place by Cholesky; the damping keeps the matrix positive."""
    size = len(slope)
    for i in range(size):
        for j in range(i + 1):
            total = normal[i, j]
            for k in range(j):
                total -= normal[i, k] * normal[j, k]
            normal[i, j] = np.sqrt(total) if i == j else total / normal[j, j]
    for i in range(size):
        for k in range(i):
            slope[i] -= normal[i, k] * slope[k]
        slope[i] /= normal[i, i]
    for i in range(size - 1, -1, -1):
        for k in range(i + 1, size):
            slope[i] -= normal[k, i] * slope[k]
        slope[i] /= normal[i, i]


@njit(**EXACT)
def _gauss_newton(
    start: Any, free: Any, ways: Any, offsets: Any, gap: float, bases: Any, lengths: Any, lean: Any, thumb: Any,
    limits: Any, dip_per_pip: float, rounds: int,
) -> tuple[Any, float]:  # fmt: skip
    probes = np.flatnonzero(free)
    size, count = len(probes), len(ways)
    theta, joints, moved = start.copy(), np.empty((21, 3)), np.empty((21, 3))
    here, there, jac = np.empty((count, 3)), np.empty((count, 3)), np.empty((size, 3 * count))
    normal, slope, move = np.empty((size, size)), np.empty(size), np.empty(20)
    for turn in range(rounds):
        stay = _STAY**2 * 0.25 * 0.6**turn  # early rounds keep the posture natural, late rounds close the gap
        _pose(theta, bases, lengths, lean, thumb, joints)
        _residual(joints, ways, offsets, gap, here)
        moved[:] = joints
        for p in range(size):
            q = probes[p]
            f, pip = q // 4, q > 4 and q % 4 == 1
            angle, follower = theta[q], theta[q + 1] if pip else 0.0
            theta[q] = angle + _STEP
            if pip:
                theta[q + 1] = follower + _STEP * dip_per_pip
            _finger(f, theta, 4 * f, bases, lengths, lean, thumb, moved)
            _residual(moved, ways, offsets, gap, there)
            moved[4 * f + 1 : 4 * f + 5] = joints[4 * f + 1 : 4 * f + 5]
            theta[q] = angle
            slope[p] = stay * (angle - start[q])
            if pip:
                theta[q + 1] = follower
                slope[p] += stay * dip_per_pip * (follower - start[q + 1])
            for r in range(3 * count):
                jac[p, r] = (there[r // 3, r % 3] - here[r // 3, r % 3]) / _STEP
        for p in range(size):
            for r in range(3 * count):
                slope[p] += jac[p, r] * here[r // 3, r % 3]
            for q in range(p + 1):
                total = stay + 1e-4 if p == q else 0.0
                for r in range(3 * count):
                    total += jac[p, r] * jac[q, r]
                normal[p, q] = total
        _solve_normal(normal, slope)
        move[:] = 0.0
        for p in range(size):
            q = probes[p]
            move[q] += slope[p]
            if q > 4 and q % 4 == 1:
                move[q + 1] += dip_per_pip * slope[p]
        most = 0.0
        for q in range(20):
            step = min(max(move[q], -0.35), 0.35)
            most = max(most, abs(step))
            if step != 0.0:
                theta[q] = min(max(theta[q] - step, limits[0, q]), limits[1, q])
        if most < 1e-3:
            break
    _pose(theta, bases, lengths, lean, thumb, joints)
    _residual(joints, ways, offsets, gap, here)
    return theta, np.sqrt((here * here).sum(axis=1).max())


def solve(reach: Reach, body: Body, *, rounds: int = 16) -> tuple[Array, float]:
    """Damped Gauss-Newton within the joint limits: angles [5,4] and the largest residual, palm lengths."""
    theta, residual = _gauss_newton(
        reach.start.reshape(20), reach.free.reshape(20), reach.points - reach.targets, reach.offsets, reach.gap,
        *constants(body), _LIMITS, DIP_PER_PIP, rounds,
    )  # fmt: skip
    return theta.reshape(5, 4), residual


@njit(inline="always", **EXACT)
def _turn(supination: float, flexion: float, deviation: float, out: Any) -> None:
    """See `rotation`."""
    cs, ss = np.cos(supination), np.sin(supination)
    cf, sf = np.cos(flexion), np.sin(flexion)
    cd, sd = np.cos(deviation), np.sin(deviation)
    # columns x, y, z of the wrist's turn, then the forearm's about x
    out[0, 0], out[0, 1], out[0, 2] = cf * cd, -sd, -sf * cd
    out[1, 0], out[1, 1], out[1, 2] = cs * cf * sd + ss * sf, cs * cd, ss * cf - cs * sf * sd
    out[2, 0], out[2, 1], out[2, 2] = cs * sf - ss * cf * sd, -ss * cd, cs * cf + ss * sf * sd


@njit(**EXACT)
def _turns(angles: Any, out: Any) -> None:
    for n in range(len(angles)):
        _turn(angles[n, 0], angles[n, 1], angles[n, 2], out[n])


def rotation(angles: Array) -> Array:
    """Supination of the forearm, flexion and deviation of the wrist [..., 3] -> [..., 3, 3]: the palm's axes within
    the forearm's.

    The forearm's axes are the palm's at zero. Supination turns the thumb's side away from the palm's side;
    flexion bends the hand to the palm (+), deviation to the thumb (+).
    """
    rows = np.ascontiguousarray(angles).reshape(-1, 3)
    out = np.empty((len(rows), 3, 3), rows.dtype)
    _turns(rows, out)
    return out.reshape(*angles.shape, 3)


@njit(**EXACT)
def hold_out(
    values: Any, move: int, turn: int, low: Any, high: Any, metres: Any, bases: Any, lengths: Any, lean: Any,
    thumb: Any, forearms: Any, homes: Any, angles: Any, joints: Any, wrist: Any,
) -> None:  # fmt: skip
    """Channel values [B,T,2,C] -> angles [B,T,2,20], joints [B,T,2,21,3], wrist [B,T,2,3] in the scene. `move` and
    `turn`: first channels of the wrist's place and angles."""
    kind = values.dtype
    local, palm, arm = np.empty((21, 3), kind), np.empty((3, 3), kind), np.empty((3, 3), kind)
    for b in range(values.shape[0]):
        for t in range(values.shape[1]):
            for h in range(2):
                value, theta, out = values[b, t, h], angles[b, t, h], joints[b, t, h]
                for q in range(20):
                    theta[q] = min(max(value[q], low[q // 4, q % 4]), high[q // 4, q % 4])
                _pose(theta, bases[b], lengths[b], lean[b], thumb, local)
                _turn(value[turn], value[turn + 1], value[turn + 2], palm)
                for i in range(3):
                    wrist[b, t, h, i] = homes[b, h, i] + value[move + i]
                    for j in range(3):
                        way = forearms[b, h, i, 0] * palm[0, j] + forearms[b, h, i, 1] * palm[1, j]
                        arm[i, j] = metres[b] * (way + forearms[b, h, i, 2] * palm[2, j])
                for p in range(21):
                    x, y, z = local[p, 0], local[p, 1], local[p, 2]
                    out[p, 0] = arm[0, 0] * x + arm[0, 1] * y + arm[0, 2] * z
                    out[p, 1] = arm[1, 0] * x + arm[1, 1] * y + arm[1, 2] * z
                    out[p, 2] = arm[2, 0] * x + arm[2, 1] * y + arm[2, 2] * z
