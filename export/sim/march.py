"""Sphere tracing of capsule hands, compiled by numba. Import it lazily: the first import compiles.

A picture is cut into tiles; a tile keeps only the capsules whose bounding spheres its rays can meet, so that a
pixel looks at about six capsules instead of forty.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

FAST = {"cache": True, "fastmath": True, "nogil": True, "boundscheck": False}
TILE = 8
FAR = 1e3


@njit(inline="always", **FAST)
def _smin(a: float, b: float, k: float) -> float:
    h = k - abs(a - b)
    if h <= 0.0:
        return min(a, b)
    return min(a, b) - h * h / (4.0 * k)


@njit(**FAST)
def _distance(
    x: float, y: float, z: float, caps: Any, kinds: Any, knuckles: Any, scales: Any, ids: Any, n: int
) -> float:
    """Distance to the hands. caps [N,9]: end, way, 1/|way|^2, radius, its growth; kinds [N,2]: hand, group."""
    total, palm, finger = FAR, FAR, FAR
    hand, group = -1, -1
    for q in range(n + 1):
        i = ids[q] if q < n else -1
        new_hand, new_group = (kinds[i, 0], kinds[i, 1]) if i >= 0 else (-1, -1)
        if new_hand != hand or new_group != group:
            if group >= 0 and group < 5 and finger < FAR:
                kx, ky, kz = knuckles[hand, group, 0] - x, knuckles[hand, group, 1] - y, knuckles[hand, group, 2] - z
                scale = scales[hand]
                reach = (0.62 if group == 0 else 0.40) * scale
                near = 1.0 - np.sqrt(kx * kx + ky * ky + kz * kz) / reach
                if near > 0.0 and palm < FAR:
                    total = min(total, _smin(palm, finger, 0.16 * scale * near + 1e-6))
                else:
                    total = min(total, finger)
            finger = FAR
            if new_hand != hand:
                total = min(total, palm)
                palm = FAR
            hand, group = new_hand, new_group
        if i < 0:
            break
        ax, ay, az = x - caps[i, 0], y - caps[i, 1], z - caps[i, 2]
        t = (ax * caps[i, 3] + ay * caps[i, 4] + az * caps[i, 5]) * caps[i, 6]
        t = min(max(t, 0.0), 1.0)
        ax -= t * caps[i, 3]
        ay -= t * caps[i, 4]
        az -= t * caps[i, 5]
        d = np.sqrt(ax * ax + ay * ay + az * az) - caps[i, 7] - t * caps[i, 8]
        scale = scales[hand]
        if group < 5:
            finger = _smin(finger, d, 0.035 * scale)
        elif group == 7:
            total = min(total, d)
        else:
            palm = _smin(palm, d, 0.13 * scale)
    return min(total, palm)


@njit(**FAST)
def _closest(x: float, y: float, z: float, caps: Any, ids: Any, n: int) -> int:
    best, where = FAR, 0
    for q in range(n):
        i = ids[q]
        ax, ay, az = x - caps[i, 0], y - caps[i, 1], z - caps[i, 2]
        t = min(max((ax * caps[i, 3] + ay * caps[i, 4] + az * caps[i, 5]) * caps[i, 6], 0.0), 1.0)
        ax -= t * caps[i, 3]
        ay -= t * caps[i, 4]
        az -= t * caps[i, 5]
        d = np.sqrt(ax * ax + ay * ay + az * az) - caps[i, 7] - t * caps[i, 8]
        if d < best:
            best, where = d, i
    return where


@njit(inline="always", **FAST)
def _line(px: float, py: float, line: Any) -> float:
    """Distance of a point to a polyline [M,2]."""
    best = FAR
    for i in range(len(line) - 1):
        bx, by = line[i + 1, 0] - line[i, 0], line[i + 1, 1] - line[i, 1]
        ax, ay = px - line[i, 0], py - line[i, 1]
        t = min(max((ax * bx + ay * by) / (bx * bx + by * by), 0.0), 1.0)
        best = min(best, np.sqrt((ax - t * bx) ** 2 + (ay - t * by) ** 2))
    return best


#: The palm's three lines in palm axes (x to the fingers, y to the thumb): life, head, heart.
_LIFE = np.array([[0.80, 0.26], [0.70, 0.14], [0.52, 0.02], [0.30, -0.02], [0.10, 0.03]])
_HEAD = np.array([[0.78, 0.26], [0.68, 0.08], [0.58, -0.12], [0.48, -0.32]])
_HEART = np.array([[0.95, 0.10], [0.82, -0.02], [0.76, -0.18], [0.74, -0.42]])


@njit(**FAST)
def _paint(x: float, y: float, z: float, nx: float, ny: float, nz: float, i: int, caps: Any, kinds: Any, backs: Any,
           frames: Any, wrists: Any, scales: Any, skin: Any, cloth: Any, out: Any) -> float:  # fmt: skip
    """Albedo of a surface point into out [3]; returns its gloss. skin [4,3]: back, palm, nail, crease."""
    hand, group, bone = kinds[i, 0], kinds[i, 1], kinds[i, 2]
    scale = scales[hand]
    ax, ay, az = x - caps[i, 0], y - caps[i, 1], z - caps[i, 2]
    t = (ax * caps[i, 3] + ay * caps[i, 4] + az * caps[i, 5]) * caps[i, 6]
    wx, wy, wz = x - wrists[hand, 0], y - wrists[hand, 1], z - wrists[hand, 2]
    px = (wx * frames[hand, 0, 0] + wy * frames[hand, 1, 0] + wz * frames[hand, 2, 0]) / scale
    py = (wx * frames[hand, 0, 1] + wy * frames[hand, 1, 1] + wz * frames[hand, 2, 1]) / scale
    pz = (wx * frames[hand, 0, 2] + wy * frames[hand, 1, 2] + wz * frames[hand, 2, 2]) / scale
    if group == 7:
        fold = 1.0 + 0.06 * np.sin(9.0 * px + 2.0 * np.sin(5.0 * py + 3.0 * pz)) + 0.03 * np.sin(60.0 * py + 8.0 * px)
        if t < 0.04:
            fold *= 0.82
        for c in range(3):
            out[c] = cloth[c] * fold
        return 0.0
    up = nx * backs[i, 0] + ny * backs[i, 1] + nz * backs[i, 2]  # 1 = back of the hand, -1 = palm side
    palmar = min(max(0.5 - 1.1 * up, 0.0), 1.0)
    if group == 6:
        palmar *= 0.7
    mottle = 0.030 * np.sin(13.0 * px + 5.0 * py) * np.sin(11.0 * py - 7.0 * pz + 1.3) + 0.018 * np.sin(
        31.0 * px - 23.0 * py + 17.0 * pz
    )
    for c in range(3):
        out[c] = (skin[0, c] + palmar * (skin[1, c] - skin[0, c])) * (1.0 + mottle)
    crease, gloss = 0.0, 0.14
    if group < 5:
        if bone == 2 or (bone == 1 and group > 0):
            line = np.exp(-((t / 0.045) ** 2)) + 0.6 * np.exp(-(((t - 0.10) / 0.035) ** 2))
            crease = line * (0.55 * palmar + 0.22 * (1.0 - palmar))
        if bone == 1 and group > 0 and up > 0.0:
            crease += 0.20 * up * np.exp(-((t / 0.16) ** 2)) * (0.5 + 0.5 * np.sin(70.0 * t))
        if bone == 0 and group > 0:
            crease += 0.35 * palmar * np.exp(-(((t - 0.42) / 0.05) ** 2))
        if bone == 2:
            for c in range(3):  # blood shows in the fingertips
                out[c] *= 1.0 + min(max(t - 0.3, 0.0), 0.8) * (0.05 if c == 0 else -0.07)
            sx, sy, sz = (
                ny * backs[i, 2] - nz * backs[i, 1],
                nz * backs[i, 0] - nx * backs[i, 2],
                nx * backs[i, 1] - ny * backs[i, 0],
            )
            length = np.sqrt(1.0 / caps[i, 6])
            side = (sx * caps[i, 3] + sy * caps[i, 4] + sz * caps[i, 5]) / length
            root = 0.46 + 0.18 * side * side
            if up > 0.30 and t > root and abs(side) < 0.80:
                rim = min(min((t - root) / 0.06, (0.80 - abs(side)) / 0.10), 1.0)
                rim = min(max(rim, 0.0), 1.0)
                white = 1.0 if t > 1.17 else 0.0
                for c in range(3):
                    nail = skin[2, c] + white * 0.5 * (0.92 - skin[2, c])
                    out[c] = out[c] + rim * (nail - out[c])
                    if rim < 0.5:
                        out[c] *= 0.90
                gloss = 0.14 + 0.35 * rim
                crease = 0.0
    elif group == 5 and palmar > 0.3:
        d = min(_line(px, py, _LIFE), min(_line(px, py, _HEAD), _line(px, py, _HEART)))
        crease = 0.55 * palmar * np.exp(-((d / 0.014) ** 2)) + 0.12 * palmar * np.exp(-((d / 0.05) ** 2))
    if group == 6 or (group == 5 and px < 0.12):
        crease = max(crease, 0.35 * palmar * np.exp(-(((px + 0.03) / 0.018) ** 2)))
    elif group == 5 and up > 0.2:  # tendons and knuckles
        crease += 0.05 * (1.0 + np.sin(40.0 * py))
    crease = min(crease, 0.9)
    for c in range(3):
        out[c] += crease * (skin[3, c] - out[c])
    return gloss


@njit(**FAST)
def draw(
    image: Any, hit: Any, behind: Any, focal: float, caps: Any, kinds: Any, backs: Any, bounds: Any, knuckles: Any,
    frames: Any, wrists: Any, scales: Any, skin: Any, cloth: Any, sun: Any, sun_rgb: Any, sky_rgb: Any, ground_rgb: Any,
) -> None:  # fmt: skip
    """Draw hands over image [H,W,3] float32 (linear light); hit [H,W] becomes their coverage.

    behind [H,W]: metres along each ray to what stands in the picture already; it covers hands that are farther.
    focal in pixels. bounds [N,4]: bounding spheres of the capsules. sun: unit vector towards the main light.
    """
    height, width = hit.shape
    count = len(caps)
    ids, shade = np.empty(count, np.int64), np.empty(count, np.int64)
    colour = np.empty(3, np.float64)
    cx, cy = 0.5 * width, 0.5 * height
    pixel = 1.0 / focal
    unit = scales[0]
    for top in range(0, height, TILE):
        for leftmost in range(0, width, TILE):
            mx, my = (leftmost + 0.5 * TILE - cx) / focal, (top + 0.5 * TILE - cy) / focal
            inv = 1.0 / np.sqrt(mx * mx + my * my + 1.0)
            mx, my, mz = mx * inv, my * inv, inv
            cone = 0.75 * TILE * pixel
            n, near, far = 0, FAR, 0.0
            touched = False
            for i in range(count):
                along = bounds[i, 0] * mx + bounds[i, 1] * my + bounds[i, 2] * mz
                ox, oy, oz = bounds[i, 0] - along * mx, bounds[i, 1] - along * my, bounds[i, 2] - along * mz
                off = np.sqrt(ox * ox + oy * oy + oz * oz) - cone * along
                if along > 0.0 and off < bounds[i, 3] + 0.10 * unit:
                    ids[n] = i
                    n += 1
                    if off < bounds[i, 3] + 0.02 * unit:
                        touched = True
                        near, far = min(near, along - bounds[i, 3]), max(far, along + bounds[i, 3])
            if not touched:
                continue
            # capsules that can stand between this tile's surfaces and the sun
            middle, m = 0.5 * (near + far), 0
            room = 0.5 * (far - near) + cone * middle
            for i in range(count):
                vx, vy, vz = bounds[i, 0] - middle * mx, bounds[i, 1] - middle * my, bounds[i, 2] - middle * mz
                along = min(max(vx * sun[0] + vy * sun[1] + vz * sun[2], 0.0), unit)
                vx, vy, vz = vx - along * sun[0], vy - along * sun[1], vz - along * sun[2]
                if vx * vx + vy * vy + vz * vz < (bounds[i, 3] + room) ** 2:
                    shade[m] = i
                    m += 1
            for row in range(top, min(top + TILE, height)):
                for col in range(leftmost, min(leftmost + TILE, width)):
                    dx, dy = (col + 0.5 - cx) / focal, (row + 0.5 - cy) / focal
                    inv = 1.0 / np.sqrt(dx * dx + dy * dy + 1.0)
                    dx, dy, dz = dx * inv, dy * inv, inv
                    t, best, best_t, found = max(near - 0.02 * unit, 0.01), FAR, 0.0, False
                    for _ in range(64):
                        d = _distance(t * dx, t * dy, t * dz, caps, kinds, knuckles, scales, ids, n)
                        if d / t < best:
                            best, best_t = d / t, t
                        if d < 0.25 * pixel * t:
                            found = True
                            break
                        t += 0.92 * d
                        if t > far:
                            break
                    cover = 1.0 if found else 1.0 - best / pixel
                    if cover <= 0.02:
                        continue
                    if not found:
                        t = best_t
                    if t > behind[row, col]:
                        continue
                    x, y, z = t * dx, t * dy, t * dz
                    h = 0.004 * unit
                    d1 = _distance(x + h, y - h, z - h, caps, kinds, knuckles, scales, ids, n)
                    d2 = _distance(x - h, y - h, z + h, caps, kinds, knuckles, scales, ids, n)
                    d3 = _distance(x - h, y + h, z - h, caps, kinds, knuckles, scales, ids, n)
                    d4 = _distance(x + h, y + h, z + h, caps, kinds, knuckles, scales, ids, n)
                    nx, ny, nz = d1 - d2 - d3 + d4, -d1 - d2 + d3 + d4, -d1 + d2 - d3 + d4
                    inv = 1.0 / np.sqrt(nx * nx + ny * ny + nz * nz + 1e-20)
                    nx, ny, nz = nx * inv, ny * inv, nz * inv
                    i = _closest(x, y, z, caps, ids, n)
                    gloss = _paint(
                        x, y, z, nx, ny, nz, i, caps, kinds, backs, frames, wrists, scales, skin, cloth, colour
                    )
                    # ambient occlusion: how open the space before the surface is
                    open_ = 1.0
                    for step in (0.035, 0.09):
                        s = step * unit
                        d = _distance(x + s * nx, y + s * ny, z + s * nz, caps, kinds, knuckles, scales, ids, n)
                        open_ -= 0.42 * (1.0 - min(max(d / s, 0.0), 1.0))
                    facing = nx * sun[0] + ny * sun[1] + nz * sun[2]
                    lit = 1.0
                    if facing > -0.25:
                        s = 0.05 * unit
                        for _ in range(9):  # soft shadow
                            d = _distance(
                                x + s * sun[0] + 0.01 * unit * nx,
                                y + s * sun[1] + 0.01 * unit * ny,
                                z + s * sun[2] + 0.01 * unit * nz,
                                caps,
                                kinds,
                                knuckles,
                                scales,
                                shade,
                                m,
                            )
                            lit = min(lit, 0.5 + 5.0 * d / s)
                            if lit <= 0.0 or s > 0.9 * unit:
                                break
                            s += max(d, 0.06 * unit)
                        lit = min(max(lit, 0.0), 1.0)
                    above = 0.5 - 0.5 * ny
                    hx, hy, hz = sun[0] - dx, sun[1] - dy, sun[2] - dz
                    inv = 1.0 / np.sqrt(hx * hx + hy * hy + hz * hz)
                    shine = max((nx * hx + ny * hy + nz * hz) * inv, 0.0)
                    shine = gloss * shine**26 * lit
                    rim = (1.0 + nx * dx + ny * dy + nz * dz) ** 3 * 0.10
                    for c in range(3):
                        wrap = 0.32 if c == 0 else 0.16 if c == 1 else 0.12  # light bleeds through skin, red most
                        soft = max((facing + wrap) / (1.0 + wrap), 0.0) * (lit if c else 0.25 + 0.75 * lit)
                        ambient = (ground_rgb[c] + above * (sky_rgb[c] - ground_rgb[c])) * (
                            open_ if c else 0.25 + 0.75 * open_
                        )
                        value = (
                            colour[c] * (ambient + soft * sun_rgb[c])
                            + shine * sun_rgb[c] * 0.5
                            + rim * sky_rgb[c] * open_
                        )
                        image[row, col, c] += cover * (value - image[row, col, c])
                    hit[row, col] = cover
