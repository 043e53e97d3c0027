"""Ticks -> what the encoder sees: 6 part tokens (5 fingers, palm) of 54 numbers for each hand.

Everything is in palm axes and palm lengths, so that both hands, all sizes and all camera poses share one
network; a tracker's image landmarks are read beside its world landmarks, for they err otherwise (on rendered clips
joint angles of the image landmarks follow the truth with r = 0.8, those of the world landmarks with 0.6); what
depends on the camera (palm axes, place, motion through space) is turned into the person's own
directions (right, up, forward) first. The same code runs over one tick on the device and over batches in
training: arrays carry any leading axes [..., 2 hands].
"""

from __future__ import annotations

from dataclasses import dataclass

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

#: of the skeleton's directions: the bones beyond the knuckles
_BONES = np.arange(20).reshape(5, 4)[:, 1:]
_KNUCKLES = CHAINS[:, 0]
_MIDDLE = np.array([0, INDEX_MCP, MIDDLE_MCP, PINKY_MCP])
_ZERO = np.float32(0.0)


def _dot(u: Array, v: Array) -> Array:
    return np.asarray(np.einsum("...i,...i->...", u, v))


def _length(v: Array) -> Array:
    return np.asarray(np.sqrt(_dot(v, v)))


def _cross(u: Array, v: Array) -> Array:
    return np.stack(
        (
            u[..., 1] * v[..., 2] - u[..., 2] * v[..., 1],
            u[..., 2] * v[..., 0] - u[..., 0] * v[..., 2],
            u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0],
        ),
        axis=-1,
    )


def _angle(u: Array, v: Array) -> Array:
    """Radians between unit vectors (or zeros): half-angles by atan2, never acos; exact near straight and folded."""
    return np.asarray(np.float32(2.0) * np.arctan2(_length(u - v), _length(u + v)))


def _unit(v: Array) -> Array:
    return np.asarray(v / np.maximum(_length(v), np.float32(1e-6))[..., None])


_SIDES = np.array([1.0, -1.0], np.float32)[:, None, None]


def palm_axes(points: Array) -> Array:
    """`skeleton.palm_frame` of points [...,2,K,21,3], wrist at the origin, left hand first: [...,2,K,3,3]."""
    x = points[..., MIDDLE_MCP, :]
    x = x / np.maximum(_length(x), 1e-6)[..., None]
    across = points[..., INDEX_MCP, :] - points[..., PINKY_MCP, :]
    y = across - _dot(across, x)[..., None] * x
    y = y / np.maximum(_length(y), 1e-6)[..., None]
    return np.stack((x, y, _cross(x, y) * _SIDES), axis=-1)


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
    has_world = np.isfinite(world).all(axis=(-1, -2)) & present
    has_image = np.isfinite(image[..., :2]).all(axis=(-1, -2)) & present
    has_wrist = np.isfinite(wrist).all(axis=-1) & present
    seen = present & (has_world | has_image)
    image = np.where(np.isfinite(image), image, _ZERO)
    world = np.where(has_world[..., None, None], world, _ZERO)
    shown = image - image[..., :1, :]
    first = np.where(has_world[..., None, None], world - world[..., :1, :], shown)
    points = np.stack((first, shown), axis=-3)
    # weak perspective: the image is about `zoom` times the world seen along the camera's axis
    plane = first[..., :2]
    zoom = np.einsum("...ij,...ij->...", shown[..., :2], plane)
    zoom = zoom / np.maximum(np.einsum("...ij,...ij->...", plane, plane), 1e-9)
    way = view[..., None, :]
    return Geometry(
        points=points,
        axes=palm_axes(points),
        length=_length(first[..., MIDDLE_MCP, :]),
        flat=image[..., :2] * way[..., None, :2],
        zoom=np.where(has_image & has_world, np.maximum(zoom, np.float32(1e-6)), np.float32(1.0)),
        score=np.where(seen, np.clip(score, _ZERO, np.float32(1.0)), _ZERO).astype(np.float32),
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
        self._place = np.zeros((*hands, 3), np.float32)
        self._home = np.zeros((*hands, 3), np.float32)
        self._tips = np.zeros((*hands, 2, 5, 3), np.float32)
        self._axes = np.zeros((*hands, 2, 3, 3), np.float32)
        self._roll = np.zeros(hands, np.float32)
        self._out = np.zeros((*hands, PARTS, WIDTH), np.float32)

    def read(self, tick: Tick) -> Array:
        """Features [2,6,54] of one tick."""
        now = geometry(tick.world, tick.image, tick.wrist, tick.present, self.view, tick.score)
        return self.step(now, tick.fresh)

    def step(self, now: Geometry, fresh: NDArray[np.bool_]) -> Array:
        """Features [...,2,6,54] of the next tick; `fresh` [...,2]: another hand than before."""
        seen = now.present
        new = seen & (fresh | (self._unseen > FORGET_TICKS))
        self._unseen = np.where(seen, 0, self._unseen + 1)
        self._count = np.where(new, _ZERO, self._count)
        learn = seen & (self._count < SCALE_TICKS)
        self._count = self._count + learn
        share = 1 / np.maximum(self._count, 1)
        self._scale = np.where(learn, self._scale + (now.length - self._scale) * share, self._scale)
        scale = np.maximum(self._scale, np.float32(1e-6))
        zoom = np.log(now.zoom)
        self._zoom = np.where(new, zoom, np.where(seen, self._zoom + (zoom - self._zoom) * _ZOOM_SHARE, self._zoom))
        # palm length in the image: slow, for depth that errs would else shake all coordinates
        size = np.maximum(np.exp(self._zoom) * scale, np.float32(1e-6))
        axes = now.axes
        local = now.points @ axes / np.stack((scale, size), axis=-1)[..., None, None]
        chains = local.take(CHAINS, axis=-2)
        tips = chains[..., 3, :]
        place = self._where(now, scale)
        again = (seen & ~new)[..., None]
        speed = np.where(again, place - self._place, _ZERO)
        flow = np.where(again[..., None, None], tips - self._tips, _ZERO)
        turn = np.where(again, _turn(self._axes, axes), _ZERO)
        self._roll = np.where(new, _ZERO, self._roll * (1 - 1 / np.float32(PLACE_TICKS)) + turn[..., 0])
        self._home = np.where(new[..., None], place, self._home + (place - self._home) / np.float32(PLACE_TICKS))
        out = self._tokens(now, local, chains, flow, speed, place, scale, size)
        out[..., 5, 28], out[..., 5, 29] = turn[..., 0] * _TURN_GAIN, self._roll
        out[..., 5, _IMAGE + 9] = np.where(now.has_image, turn[..., 1] * _TURN_GAIN, _ZERO)
        keep = (self._unseen <= FORGET_TICKS)[..., None, None]
        # an unseen hand stands still for a moment, marked as unseen, before it goes to nothing
        out = np.clip(out, -_LIMIT, _LIMIT)
        self._out = np.where(seen[..., None, None], out, np.where(keep, self._out, _ZERO))
        self._out[..., 5, 20] = seen
        self._out[..., 5, _IMAGE + 10] = now.score
        hold = seen[..., None]
        self._place = np.where(hold, place, self._place)
        self._home = np.where(hold, self._home, self._place)
        self._tips = np.where(hold[..., None, None], tips, self._tips)
        self._axes = np.where(hold[..., None, None], axes, self._axes)
        return self._out.copy()

    def _where(self, now: Geometry, scale: Array) -> Array:
        """Place of the middle knuckle [...,3] in palm lengths, person's right, up, forward."""
        knuckle = now.points[..., 0, MIDDLE_MCP, :] * self.view[..., None, :]
        metric = (now.wrist + knuckle) / scale[..., None]
        # the image's own palm length where there is no world: zoom is 1 and scale is in image widths
        size = np.exp(self._zoom) * scale
        flat = (now.flat[..., MIDDLE_MCP, :] - np.float32(0.5) * self.view[..., None, :2]) / size[..., None]
        # 1 / zoom grows with the distance from the camera: its logarithm stands for depth
        depth = -_DEPTH_GAIN * np.log(now.zoom) * self.view[..., None, 2]
        free = np.concatenate((flat, depth[..., None]), axis=-1)
        return np.where(now.has_wrist[..., None], metric, free).astype(np.float32)

    def _tokens(
        self,
        now: Geometry,
        both: Array,
        chains: Array,
        flow: Array,
        speed: Array,
        place: Array,
        scale: Array,
        size: Array,
    ) -> Array:
        """Features without those of `step`; both [...,2,21,3], chains [...,2,5,4,3], flow [...,2,5,3]: by world (index
        0) and by image landmarks (1), palm axes and lengths."""
        out = np.zeros((*self._hands, PARTS, WIDTH), np.float32)
        fingers, token = out[..., :5, :], out[..., 5, :]
        ways = both.take(WAY_TO, axis=-2) - both.take(WAY_FROM, axis=-2)
        unit = _unit(ways)
        angles = _angle(unit.take(ANGLE_FROM, axis=-2), unit.take(ANGLE_TO, axis=-2))
        bends = angles[..., :15].reshape(*self._hands, 2, 5, 3)
        tips = chains[..., 3, :]
        gap = tips - tips[..., :1, :]
        apart = _length(gap)
        coordinates = chains.reshape(*self._hands, 2, 5, 12)
        local, flow = both[..., 0, :, :], flow * _TIP_GAIN
        fingers[..., :12] = coordinates[..., 0, :, :]
        fingers[..., 12:15] = bends[..., 0, :, :]
        spread = angles[..., 0, 15:]
        fingers[..., :4, 15] = spread
        fingers[..., 1:, 16] = spread
        fingers[..., 17:20] = flow[..., 0, :, :]
        fingers[..., 20:23] = gap[..., 0, :, :]
        fingers[..., 23] = apart[..., 0, :]
        palm = local.take(_MIDDLE, axis=-2).sum(axis=-2) * np.float32(0.25)
        fingers[..., 24] = _length(tips[..., 0, :, :] - palm[..., None, :])
        fingertips = now.flat.take(TIPS, axis=-2)
        flat = (fingertips - fingertips[..., :1, :]) / np.maximum(now.zoom * scale, np.float32(1e-6))[..., None, None]
        see = now.has_image[..., None]
        fingers[..., 25] = _length(flat) * see
        fingers[..., 26], fingers[..., 27] = _on_chain(
            chains[..., 0, :, :, :], ways[..., 0, :, :].take(_BONES, axis=-2)
        )
        fingers[..., 28] = now.has_world[..., None]
        fingers[..., 29] = see
        shown = fingers[..., _IMAGE:]
        shown[..., :12] = coordinates[..., 1, :, :]
        shown[..., 12:15] = bends[..., 1, :, :]
        shown[..., 15:18] = flow[..., 1, :, :]
        shown[..., 18:21] = gap[..., 1, :, :]
        shown[..., 21] = apart[..., 1, :]
        shown[..., 22:24] = (fingertips - now.flat.take(_KNUCKLES, axis=-2)) / size[..., None, None]
        shown *= see[..., None]
        axes = (now.axes * self.view[..., None, None, :, None]).reshape(*self._hands, 2, 9)
        token[..., :9] = axes[..., 0, :]
        token[..., 9:12] = speed * _SPEED_GAIN
        token[..., 12:15] = place - self._home
        token[..., 15:18] = palm
        token[..., 18] = now.length / scale
        token[..., 19] = now.zoom * scale
        token[..., 20] = now.present
        token[..., 21], token[..., 22], token[..., 23] = now.has_world, now.has_image, now.has_wrist
        beside = now.present.all(axis=-1) & (now.has_wrist.all(axis=-1) | now.has_image.all(axis=-1))
        other = place[..., ::-1, :] - place
        token[..., 24:27] = np.clip(other, -6.0, 6.0) * np.float32(0.3) * beside[..., None, None]
        token[..., 27] = beside[..., None]
        token[..., _IMAGE : _IMAGE + 9] = axes[..., 1, :] * see
        return out


def _turn(before: Array, now: Array) -> Array:
    """Rotation about the forearm's axis (wrist -> middle knuckle) between two palm frames, radians; + = clockwise."""
    axis, side, old = now[..., :, 0], now[..., :, 1], before[..., :, 1]
    old = old - _dot(old, axis)[..., None] * axis
    sine = _dot(axis, _cross(old, side))
    return np.asarray(np.arctan2(sine, _dot(old, side)))


def _on_chain(chains: Array, bones: Array) -> tuple[Array, Array]:
    """Thumb tip against each finger's bones beyond the knuckle [...,5]: how far along (0..1), how far away.

    chains [...,5,4,3]: joints from the knuckle on; bones [...,5,3,3] between them.
    """
    way = chains[..., :1, 3:, :] - chains[..., :3, :]
    u = _dot(way, bones) / np.maximum(_dot(bones, bones), 1e-6)
    u = np.minimum(np.maximum(u, _ZERO), np.float32(1.0))
    far = _length(way - u[..., None] * bones)
    nearest = far.argmin(axis=-1)
    at = u.reshape(-1, 3)[np.arange(nearest.size), nearest.ravel()].reshape(nearest.shape)
    return (at + nearest) / 3, far.min(axis=-1)
