"""Things that hands hold: balls, cylinders and boxes, alone or put together, drawn beside the hands.

A thing is a few solids; each knows its signed distance, so that fingers can close on it, and is sphere-traced into
the picture before the hands, which then hide it or are hidden by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from export.sim.anatomy import Array
from export.sim.march import FAR, FAST, _distance

if TYPE_CHECKING:
    from export.sim.render import Look

BALL, CYLINDER, BOX = 0, 1, 2
_END = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """One body, metres.

    Attributes:
        kind: BALL, CYLINDER (its axis is the third) or BOX.
        centre [3]; axes [3,3]: columns = its own axes.
        half [3]: half sizes along its axes (a ball's radius thrice; a cylinder's radius, radius, half length).
        rgb [3], second [3]: linear colours; stripes: how many bands of the second colour, 0 = none.
    """

    kind: int
    centre: Array
    axes: Array
    half: Array
    rgb: Array
    second: Array
    stripes: int = 0

    def distance(self, points: Array) -> Array:
        """Signed distance of points [..., 3] to the surface, negative inside."""
        local = np.abs((points - self.centre) @ self.axes)
        if self.kind == BALL:
            return np.asarray(np.linalg.norm(local, axis=-1) - self.half[0])
        if self.kind == CYLINDER:
            local = np.stack([np.hypot(local[..., 0], local[..., 1]), local[..., 2]], axis=-1)
            out = local - self.half[1:]
        else:
            out = local - self.half
        return np.asarray(np.linalg.norm(np.maximum(out, 0), axis=-1) + np.minimum(out.max(axis=-1), 0))

    def corners(self) -> Array:
        """[8,3] of the box around it along its own axes."""
        signs = np.array([[a, b, c] for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)], float)
        return np.asarray(self.centre + (signs * self.half) @ self.axes.T)

    def moved(self, turn: Array, shift: Array) -> Solid:
        """Turned about the origin by `turn` [3,3], then shifted."""
        return replace(self, centre=turn @ self.centre + shift, axes=turn @ self.axes)


def distance(solids: Sequence[Solid], points: Array) -> Array:
    """Signed distance of points [..., 3] to the nearest of several solids."""
    return np.asarray(np.min([s.distance(points) for s in solids], axis=0))


def _surface(solid: Solid, count: int = 24) -> Array:
    """Points [N,3] on the outline of a solid, for its box in a picture."""
    if solid.kind == BOX:
        return solid.corners()
    turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
    ring = np.column_stack([np.cos(turn), np.sin(turn), np.zeros(count)])
    if solid.kind == CYLINDER:
        local = np.concatenate([ring + _END, ring - _END]) * solid.half
    else:
        rise = np.linspace(-1.0, 1.0, 9)[:, None, None]  # rings from pole to pole
        local = (np.sqrt(1 - rise**2) * ring + rise * _END).reshape(-1, 3) * solid.half
    return np.asarray(solid.centre + local @ solid.axes.T)


def outline(solids: Sequence[Solid]) -> Array:
    """Points [N,3] whose image box is the image box of the thing."""
    return np.concatenate([_surface(s) for s in solids])


@njit(inline="always", **FAST)
def _solid(x: float, y: float, z: float, kind: int, half: Any) -> Any:
    if kind == 0:
        return np.sqrt(x * x + y * y + z * z) - half[0]
    if kind == 1:
        a, b = np.sqrt(x * x + y * y) - half[0], abs(z) - half[2]
        inside = min(max(a, b), 0.0)
        a, b = max(a, 0.0), max(b, 0.0)
        return np.sqrt(a * a + b * b) + inside
    a, b, c = abs(x) - half[0], abs(y) - half[1], abs(z) - half[2]
    inside = min(max(a, max(b, c)), 0.0)
    a, b, c = max(a, 0.0), max(b, 0.0), max(c, 0.0)
    return np.sqrt(a * a + b * b + c * c) + inside


@njit(**FAST)
def _draw(
    image: Any, behind: Any, focal: float, kind: int, centre: Any, axes: Any, half: Any, rgb: Any, second: Any,
    stripes: int, caps: Any, kinds: Any, knuckles: Any, scales: Any, ids: Any, sun: Any, sun_rgb: Any, sky_rgb: Any,
    ground_rgb: Any,
) -> None:  # fmt: skip
    height, width = behind.shape
    cx, cy = 0.5 * width, 0.5 * height
    room = np.sqrt(half[0] ** 2 + half[1] ** 2 + half[2] ** 2)
    if centre[2] < room + 0.01:
        return
    pixel = 1.0 / focal
    spread = focal * room / (centre[2] - room) + 2
    u, v = cx + focal * centre[0] / centre[2], cy + focal * centre[1] / centre[2]
    away = np.sqrt(centre[0] ** 2 + centre[1] ** 2 + centre[2] ** 2)
    h = 2e-4
    normal = np.empty(3)
    colour = np.empty(3)
    for row in range(max(0, int(v - spread)), min(height, int(v + spread) + 1)):
        for col in range(max(0, int(u - spread)), min(width, int(u + spread) + 1)):
            dx, dy = (col + 0.5 - cx) / focal, (row + 0.5 - cy) / focal
            inv = 1.0 / np.sqrt(dx * dx + dy * dy + 1.0)
            dx, dy, dz = dx * inv, dy * inv, inv
            # the ray in the solid's own axes
            ox = -(centre[0] * axes[0, 0] + centre[1] * axes[1, 0] + centre[2] * axes[2, 0])
            oy = -(centre[0] * axes[0, 1] + centre[1] * axes[1, 1] + centre[2] * axes[2, 1])
            oz = -(centre[0] * axes[0, 2] + centre[1] * axes[1, 2] + centre[2] * axes[2, 2])
            ax = dx * axes[0, 0] + dy * axes[1, 0] + dz * axes[2, 0]
            ay = dx * axes[0, 1] + dy * axes[1, 1] + dz * axes[2, 1]
            az = dx * axes[0, 2] + dy * axes[1, 2] + dz * axes[2, 2]
            t, best, best_t, found = away - room, FAR, 0.0, False
            for _ in range(48):
                d = _solid(ox + t * ax, oy + t * ay, oz + t * az, kind, half)
                if d / t < best:
                    best, best_t = d / t, t
                if d < 0.25 * pixel * t:
                    found = True
                    break
                t += d
                if t > away + room:
                    break
            cover = 1.0 if found else 1.0 - best / pixel
            if cover <= 0.02:
                continue
            t = t if found else best_t
            if t > behind[row, col]:
                continue
            x, y, z = ox + t * ax, oy + t * ay, oz + t * az
            d = _solid(x, y, z, kind, half)
            gx = _solid(x + h, y, z, kind, half) - d
            gy = _solid(x, y + h, z, kind, half) - d
            gz = _solid(x, y, z + h, kind, half) - d
            inv = 1.0 / np.sqrt(gx * gx + gy * gy + gz * gz + 1e-20)
            gx, gy, gz = gx * inv, gy * inv, gz * inv
            for c in range(3):
                normal[c] = axes[c, 0] * gx + axes[c, 1] * gy + axes[c, 2] * gz
            band = False
            if stripes > 0:
                along = 0.5 + 0.5 * z / half[2]
                band = int(along * (2 * stripes + 1)) % 2 == 1
            for c in range(3):
                colour[c] = second[c] if band else rgb[c]
            # the hands darken what they touch and stand before the light of
            open_, lit = 1.0, 1.0
            px, py, pz = t * dx, t * dy, t * dz
            if len(ids) > 0:
                unit = scales[0]
                for step in (0.05, 0.14):
                    s = step * unit
                    d = _distance(px + s * normal[0], py + s * normal[1], pz + s * normal[2], caps, kinds, knuckles,
                                  scales, ids, len(ids))  # fmt: skip
                    open_ -= 0.40 * (1.0 - min(max(d / s, 0.0), 1.0))
                for step in (0.10, 0.25, 0.45):
                    s = step * unit
                    d = _distance(px + s * sun[0], py + s * sun[1], pz + s * sun[2], caps, kinds, knuckles, scales,
                                  ids, len(ids))  # fmt: skip
                    lit = min(lit, 0.5 + 3.0 * d / s)
                lit = min(max(lit, 0.0), 1.0)
            facing = max(normal[0] * sun[0] + normal[1] * sun[1] + normal[2] * sun[2], 0.0)
            above = 0.5 - 0.5 * normal[1]
            hx, hy, hz = sun[0] - dx, sun[1] - dy, sun[2] - dz
            inv = 1.0 / np.sqrt(hx * hx + hy * hy + hz * hz)
            shine = max((normal[0] * hx + normal[1] * hy + normal[2] * hz) * inv, 0.0) ** 20 * lit * 0.2
            for c in range(3):
                ambient = (ground_rgb[c] + above * (sky_rgb[c] - ground_rgb[c])) * open_
                value = colour[c] * (ambient + facing * lit * sun_rgb[c]) + shine * sun_rgb[c]
                image[row, col, c] += cover * (value - image[row, col, c])
            if cover > 0.5:
                behind[row, col] = t


def draw(
    image: Any, behind: Any, focal: float, solids: Sequence[Solid], hands: tuple[Array, ...] | None, look: Look
) -> None:
    """Draw solids (camera axes) over image [H,W,3]; behind [H,W] becomes how far along each ray they are.

    hands: the packed capsules that shade them, or None.
    """
    caps, kinds, _, _, knuckles, _, _, scales = hands or (
        np.zeros((1, 9)), np.zeros((1, 3), np.int64), None, None, np.zeros((1, 5, 3)), None, None, np.ones(1)
    )  # fmt: skip
    ids = np.arange(len(caps) if hands else 0)
    for s in solids:
        _draw(
            image, behind, focal, s.kind, s.centre, np.ascontiguousarray(s.axes), s.half, s.rgb, s.second, s.stripes,
            caps, kinds, knuckles, scales, ids, look.sun, look.sun_rgb, look.sky_rgb, look.ground_rgb,
        )  # fmt: skip
