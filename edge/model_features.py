"""Ticks -> what the encoder sees: 6 part tokens (5 fingers, palm) of 54 numbers for each hand.

Everything is in palm axes and palm lengths, so that both hands, all sizes and all camera poses share one
network; a tracker's image landmarks are read beside its world landmarks, for they err otherwise (on rendered clips
joint angles of the image landmarks follow the truth with r = 0.8, those of the world landmarks with 0.6); what
depends on the camera (palm axes, place, motion through space) is turned into the person's own
directions (right, up, forward) first. The same code runs over one tick on the device and over batches in
training: arrays carry any leading axes [..., 2 hands].
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.resample import TICK_HZ, Tick
from edge.skeleton import ANGLE_FROM, ANGLE_TO, CHAINS, INDEX_MCP, MIDDLE_MCP, PINKY_MCP, TIPS, WAY_FROM, WAY_TO

Array = NDArray[np.float32]

PARTS, WIDTH = 6, 54
#: of the finger tokens and of the palm token: where the columns of the image landmarks begin
_IMAGE = 30
#: person's (right, up, forward) from camera axes (right, down, away), by view
PERSON_AXES = {
    "facing": np.array([-1.0, -1.0, -1.0], np.float32),
    "egocentric": np.array([1.0, -1.0, 1.0], np.float32),
}
#: ticks of visible hand after which its scale no longer changes, and after which an unseen hand is forgotten
SCALE_TICKS = int(TICK_HZ)
FORGET_TICKS = 10
#: the place from which motion through space is measured follows the hand with this time constant, ticks
PLACE_TICKS = 20.0
#: gains that bring the small features near 1
_SPEED_GAIN, _TIP_GAIN, _DEPTH_GAIN, _TURN_GAIN = (np.float32(g) for g in (8.0, 8.0, 4.0, 10.0))

#: the zoom that places are measured with follows slowly: its noise would shake them
_ZOOM_SHARE = np.float32(0.1)
#: features beyond this are tracker failures
_LIMIT = np.float32(6.0)

#: how near the hands are to each other is told in this unit, 1 / palm lengths
_NEAR = np.float32(0.3)


def _sums(rows: list[dict[int, float]]) -> Array:
    """Weights [rows,21] of joints."""
    out = np.zeros((len(rows), 21), np.float32)
    for k, row in enumerate(rows):
        out[k, list(row)] = list(row.values())
    return out


def _ways(to: Iterable[int], start: Iterable[int]) -> list[dict[int, float]]:
    """What leads from joints to joints; nothing from a joint to itself."""
    return [{a: -1.0, z: 1.0} if a != z else {} for z, a in zip(to, start, strict=True)]


_PALM = dict.fromkeys((0, INDEX_MCP, MIDDLE_MCP, PINKY_MCP), 0.25)
_TIPS = TIPS.tolist()
#: All ways of a hand as one product with its joints: those that enclose the angles (first, second), thumb tip to every
#: tip, middle of the palm to every tip, near end of every bone beyond the knuckles to the thumb tip and to its far end,
#: wrist to the middle of the palm.
_ANGLES = len(ANGLE_FROM)
_WAYS = _sums(
    _ways(WAY_TO[ANGLE_FROM].tolist(), WAY_FROM[ANGLE_FROM].tolist())
    + _ways(WAY_TO[ANGLE_TO].tolist(), WAY_FROM[ANGLE_TO].tolist())
    + _ways(_TIPS, _TIPS[:1] * 5)
    + [{tip: 1.0} | dict.fromkeys(_PALM, -0.25) for tip in _TIPS]
    + _ways(_TIPS[:1] * 15, CHAINS[:, :3].ravel().tolist())
    + _ways(CHAINS[:, 1:].ravel().tolist(), CHAINS[:, :3].ravel().tolist())
    + [_PALM]
)
_GAPS = slice(2 * _ANGLES, 2 * _ANGLES + 5)
_THUMB = slice(_GAPS.stop + 5, _GAPS.stop + 20)
_BONES = slice(_THUMB.stop, _THUMB.stop + 15)
#: of the image: thumb tip to every tip, knuckles to tips
_FLAT = _sums(_ways(_TIPS, _TIPS[:1] * 5) + _ways(_TIPS, CHAINS[:, 0].tolist()))
_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_YZX, _ZXY = np.array([1, 2, 0]), np.array([2, 0, 1])


def _dot(u: NDArray[Any], v: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.einsum("...i,...i->...", u, v))


def _length(v: Array) -> Array:
    return np.asarray(np.sqrt(_dot(v, v)))


def _cross(u: Array, v: Array) -> Array:
    return np.asarray(u.take(_YZX, -1) * v.take(_ZXY, -1) - u.take(_ZXY, -1) * v.take(_YZX, -1))


_SIDES = np.array([1.0, -1.0], np.float32)[:, None, None]
_LEAST = np.float32(1e-6)


def palm_axes(points: Array) -> Array:
    """`skeleton.palm_frame` of points [...,2,K,21,3], wrist at the origin, left hand first: [...,2,K,3,3]."""
    out = np.empty((*points.shape[:-2], 3, 3), points.dtype)
    x = points[..., MIDDLE_MCP, :]
    x = x / np.maximum(_length(x), _LEAST)[..., None]
    across = points[..., INDEX_MCP, :] - points[..., PINKY_MCP, :]
    y = across - _dot(across, x)[..., None] * x
    y /= np.maximum(_length(y), _LEAST)[..., None]
    out[..., 0], out[..., 1] = x, y
    np.multiply(_cross(x, y), _SIDES, out=out[..., 2])
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """What one tick holds before any memory. Arrays [..., 2 hands, ...]; finite everywhere, 0 where unknown.

    Attributes:
        points [...,2,21,3]: wrist at the origin: by world landmarks, in the source's unit (by image landmarks where
            it has none), and by image landmarks with their relative depth, in image widths.
        axes [...,2,3,3]: palm axes of both as columns. length [...]: palm length of the first.
        flat [...,21,2]: image, person's right and up, in image widths; zoom [...]: image widths per unit of `points`.
        score [...]: the tracker's own certainty that there is a hand, 0..1.
        wrist [...,3]: the person's right, up, forward, in the source's unit.
        present, has_world, has_image, has_wrist [...]: bool.
    """

    points: Array
    axes: Array
    length: Array
    flat: Array
    zoom: Array
    score: Array
    wrist: Array
    present: NDArray[np.bool_]
    has_world: NDArray[np.bool_]
    has_image: NDArray[np.bool_]
    has_wrist: NDArray[np.bool_]

    def at(self, k: int) -> Geometry:
        """Tick k of a batch [B,T,...]."""
        return Geometry(*(getattr(self, name)[:, k] for name in self.__slots__))


def geometry(
    world: Array, image: Array, wrist: Array, present: NDArray[np.bool_], view: Array, score: Array
) -> Geometry:
    """World [...,2,21,3], image [...,2,21,3] (square pixels), wrist [...,2,3]; view = `PERSON_AXES` [..., 3];
    score [...,2]: the tracker's presence."""
    known = np.isfinite(image)
    has_world = np.isfinite(world).all(axis=(-1, -2)) & present
    has_image = known[..., :2].all(axis=(-1, -2)) & present
    has_wrist = np.isfinite(wrist).all(axis=-1) & present
    seen = has_world | has_image
    if not known.all():
        image = np.where(known, image, _ZERO)
    points = np.empty((*image.shape[:-2], 2, *image.shape[-2:]), np.float32)
    first, shown = points[..., 0, :, :], points[..., 1, :, :]
    np.subtract(image, image[..., :1, :], out=shown)
    if has_world.all():
        np.subtract(world, world[..., :1, :], out=first)
    else:
        first[...] = np.where(has_world[..., None, None], world - world[..., :1, :], shown)
    # weak perspective: the image is about `zoom` times the world seen along the camera's axis
    plane = first[..., :2]
    zoom = np.einsum("...ij,...ij->...", shown[..., :2], plane)
    zoom /= np.maximum(np.einsum("...ij,...ij->...", plane, plane), np.float32(1e-9))
    way = view[..., None, :]
    return Geometry(
        points=points,
        axes=palm_axes(points),
        length=_length(first[..., MIDDLE_MCP, :]),
        flat=image[..., :2] * way[..., None, :2],
        zoom=np.where(has_image & has_world, np.maximum(zoom, _LEAST), _ONE),
        score=np.where(seen, np.minimum(np.maximum(score, _ZERO), _ONE), _ZERO).astype(np.float32, copy=False),
        wrist=np.where(has_wrist[..., None], wrist, _ZERO) * way,
        present=seen,
        has_world=has_world,
        has_image=has_image,
        has_wrist=has_wrist,
    )


class FeatureReader:
    """Adds what needs memory: scale, motion, place. One object per stream (or per batch of streams).

    Args:
        view: "facing" or "egocentric", or the axes themselves [..., 3].
        shape: leading axes of a batch, () for one stream.
    """

    def __init__(self, view: str | Array = "facing", shape: tuple[int, ...] = ()) -> None:
        self.view = PERSON_AXES[view] if isinstance(view, str) else np.asarray(view, np.float32)
        self._hands = (*shape, 2)
        self.reset()

    def reset(self) -> None:
        """A new stream."""
        hands = self._hands
        self._unseen = np.full(hands, FORGET_TICKS + 1)
        self._count = np.zeros(hands, np.float32)
        self._scale = np.ones(hands, np.float32)
        self._zoom = np.zeros(hands, np.float32)
        #: place [3], tips by world and by image [2,5,3] and palm axes [2,3,3] when last seen
        self._last = np.zeros((*hands, 51), np.float32)
        self._home = np.zeros((*hands, 3), np.float32)
        self._roll = np.zeros(hands, np.float32)
        self._out = np.zeros((*hands, PARTS, WIDTH), np.float32)

    def read(self, tick: Tick) -> Array:
        """Features [2,6,54] of one tick."""
        now = geometry(tick.world, tick.image, tick.wrist, tick.present, self.view, tick.score)
        return self.step(now, tick.fresh)

    def step(self, now: Geometry, fresh: NDArray[np.bool_]) -> Array:
        """Features [...,2,6,54] of the next tick; `fresh` [...,2]: another hand than before."""
        seen, hands = now.present, self._hands
        new = seen & (fresh | (self._unseen > FORGET_TICKS))
        self._unseen = np.where(seen, 0, self._unseen + 1)
        self._count *= ~new
        learn = seen & (self._count < SCALE_TICKS)
        if learn.any():
            self._count += learn
            self._scale += (now.length - self._scale) * learn / np.maximum(self._count, _ONE)
        scale = np.maximum(self._scale, _LEAST)
        zoom = np.log(now.zoom)
        self._zoom = np.where(new, zoom, self._zoom + (zoom - self._zoom) * (_ZOOM_SHARE * seen))
        # palm length in the image: slow, for depth that errs would else shake all coordinates
        wide = np.exp(self._zoom)
        size = np.maximum(wide * scale, _LEAST)
        lengths = np.empty((*hands, 2), np.float32)
        lengths[..., 0], lengths[..., 1] = scale, size
        local = now.points @ now.axes
        local /= lengths[..., None, None]
        place = self._where(now, scale, wide, zoom)
        last = np.empty_like(self._last)
        last[..., :3] = place
        last[..., 3:33] = local[..., _TIPS, :].reshape(*hands, 30)
        last[..., 33:] = now.axes.reshape(*hands, 18)
        again = (seen & ~new)[..., None]
        moved = (last[..., :33] - self._last[..., :33]) * again
        turn = _turn(self._last[..., 33:].reshape(*hands, 2, 3, 3), now.axes) * again
        self._roll = (self._roll * (1 - 1 / np.float32(PLACE_TICKS)) + turn[..., 0]) * ~new
        home = np.where(new[..., None], place, self._home + (place - self._home) / np.float32(PLACE_TICKS))
        out = self._tokens(now, local, moved, place, home, scale, size)
        palm = out[..., 5, :]
        turn *= _TURN_GAIN
        palm[..., 28], palm[..., 29] = turn[..., 0], self._roll
        palm[..., _IMAGE + 9] = turn[..., 1] * now.has_image
        np.minimum(np.maximum(out, -_LIMIT, out=out), _LIMIT, out=out)
        if seen.all():
            self._last, self._home = last, home
        else:
            # an unseen hand stands still for a moment, marked as unseen, before it goes to nothing
            keep = (self._unseen <= FORGET_TICKS)[..., None, None]
            out = np.where(seen[..., None, None], out, self._out * keep)
            palm = out[..., 5, :]
            hold = seen[..., None]
            self._home = np.where(hold, home, self._last[..., :3])
            self._last = np.where(hold, last, self._last)
        palm[..., 20], palm[..., _IMAGE + 10] = seen, now.score
        self._out = out
        return out.copy()

    def _where(self, now: Geometry, scale: Array, wide: Array, zoom: Array) -> Array:
        """Place of the middle knuckle [...,3] in palm lengths, person's right, up, forward.

        wide: the followed zoom; zoom: logarithm of the tick's own.
        """
        knuckle = now.points[..., 0, MIDDLE_MCP, :] * self.view[..., None, :]
        metric = np.asarray((now.wrist + knuckle) / scale[..., None])
        if now.has_wrist.all():
            return metric
        free = np.empty_like(metric)
        # the image's own palm length where there is no world: zoom is 1 and scale is in image widths
        flat = now.flat[..., MIDDLE_MCP, :] - np.float32(0.5) * self.view[..., None, :2]
        free[..., :2] = flat / (wide * scale)[..., None]
        # 1 / zoom grows with the distance from the camera: its logarithm stands for depth
        free[..., 2] = zoom * (-_DEPTH_GAIN * self.view[..., None, 2])
        return np.where(now.has_wrist[..., None], metric, free)

    def _tokens(
        self, now: Geometry, local: Array, moved: Array, place: Array, home: Array, scale: Array, size: Array
    ) -> Array:
        """Features without those of `step`; local [...,2,21,3] (palm axes and lengths) by world (index 0) and by image
        landmarks (1); moved [...,33]: way of the place and of both sets of tips since the last tick."""
        hands = self._hands
        out = np.zeros((*hands, PARTS, WIDTH), np.float32)
        fingers, token = out[..., :5, :], out[..., 5, :]
        shown = fingers[..., _IMAGE:]
        ways = _WAYS @ local
        angles = _angles(ways)
        lengths = _length(ways[..., _GAPS.start : _THUMB.start, :])
        coordinates = local[..., 1:, :].reshape(*hands, 2, 5, 12)
        bends = angles[..., :15].reshape(*hands, 2, 5, 3)
        spread = angles[..., 0, 15:]
        flow = (moved[..., 3:] * _TIP_GAIN).reshape(*hands, 2, 5, 3)
        gap, apart = ways[..., _GAPS, :], lengths[..., :5]
        for k, (part, at) in enumerate(((fingers, 17), (shown, 15))):
            part[..., :12] = coordinates[..., k, :, :]
            part[..., 12:15] = bends[..., k, :, :]
            part[..., at : at + 3] = flow[..., k, :, :]
            part[..., at + 3 : at + 6] = gap[..., k, :, :]
            part[..., at + 6] = apart[..., k, :]
        fingers[..., :4, 15] = spread
        fingers[..., 1:, 16] = spread
        fingers[..., 24] = lengths[..., 0, 5:10]
        flat = _FLAT @ now.flat
        see = now.has_image[..., None]
        fingers[..., 25] = _length(flat[..., :5, :]) * (see / np.maximum(now.zoom * scale, _LEAST)[..., None])
        fingers[..., 26], fingers[..., 27] = _on_chain(ways[..., 0, _THUMB, :], ways[..., 0, _BONES, :])
        fingers[..., 28] = now.has_world[..., None]
        fingers[..., 29] = see
        shown[..., 22:24] = flat[..., 5:, :] / size[..., None, None]
        if not now.has_image.all():
            shown *= see[..., None]
        axes = (now.axes * self.view[..., None, None, :, None]).reshape(*hands, 2, 9)
        token[..., :9] = axes[..., 0, :]
        token[..., 9:12] = moved[..., :3] * _SPEED_GAIN
        token[..., 12:15] = place - home
        token[..., 15:18] = ways[..., 0, -1, :]
        token[..., 18] = now.length / scale
        token[..., 19] = now.zoom * scale
        token[..., 20] = now.present
        token[..., 21], token[..., 22], token[..., 23] = now.has_world, now.has_image, now.has_wrist
        beside = now.present.all(axis=-1) & (now.has_wrist.all(axis=-1) | now.has_image.all(axis=-1))
        if beside.any():
            other = np.minimum(np.maximum(place[..., ::-1, :] - place, -_LIMIT), _LIMIT)
            token[..., 24:27] = other * (_NEAR * beside)[..., None, None]
            token[..., 27] = beside[..., None]
        token[..., _IMAGE : _IMAGE + 9] = axes[..., 1, :] * see
        return out


def _angles(ways: Array) -> Array:
    """Radians [...,19] between the first of `_WAYS` and the next, never by acos.

    In double precision sin^2 = 1 - cos^2 is exact enough near straight and folded.
    """
    wide = ways[..., : 2 * _ANGLES, :].astype(np.float64)
    squares = _dot(wide, wide)
    cosine = _dot(wide[..., :_ANGLES, :], wide[..., _ANGLES:, :])
    sine = squares[..., :_ANGLES] * squares[..., _ANGLES:] - cosine * cosine
    return np.asarray(np.arctan2(np.sqrt(np.maximum(sine, 0.0, out=sine), out=sine), cosine))


def _turn(before: Array, now: Array) -> Array:
    """Rotation about the forearm's axis (wrist -> middle knuckle) between two palm frames, radians; + = clockwise."""
    axis, side, old = now[..., :, 0], now[..., :, 1], before[..., :, 1]
    old = old - _dot(old, axis)[..., None] * axis
    sine = _dot(axis, _cross(old, side))
    return np.asarray(np.arctan2(sine, _dot(old, side)))


def _on_chain(way: Array, bones: Array) -> tuple[Array, Array]:
    """Thumb tip against each finger's bones beyond the knuckle [...,5]: how far along (0..1), how far away.

    way, bones [...,15,3]: from the near end of each bone to the thumb tip, and to its far end.
    """
    u = _dot(way, bones)
    u /= np.maximum(_dot(bones, bones), _LEAST)
    np.minimum(np.maximum(u, _ZERO, out=u), _ONE, out=u)
    far = _length(way - u[..., None] * bones).reshape(*u.shape[:-1], 5, 3)
    nearest = far.argmin(axis=-1)
    at = u.reshape(-1, 3)[np.arange(nearest.size), nearest.ravel()].reshape(nearest.shape)
    return (at + nearest) / 3, far.min(axis=-1)
