"""A hand and a thing as plain paths: hand frames with image and world landmarks, detections beside them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edge.hands.frame import HandFrame
from edge.hands.model import FIST, OPEN, PALM, flat, landmarks
from edge.objects.detections import Detection, Detections

FPS = 20.0
SIZE = (400, 400)
#: A palm length in the picture, as a fraction of it.
SCALE = 0.12

Way = Callable[[float], tuple[float, float]]


def along(*keys: tuple[float, float, float]) -> Way:
    """Through (t, x, y), smoothly, resting at each key."""
    t, x, y = np.array(keys).T

    def at(now: float) -> tuple[float, float]:
        k = int(np.clip(np.searchsorted(t, now, side="right") - 1, 0, len(t) - 2))
        s = float(np.clip((now - t[k]) / max(t[k + 1] - t[k], 1e-9), 0, 1))
        s = s * s * s * (10 + s * (6 * s - 15))
        return float(x[k] + s * (x[k + 1] - x[k])), float(y[k] + s * (y[k + 1] - y[k]))

    return at


def hand_frames(
    way: Way,
    seconds: float,
    *,
    slot: int = 1,
    closed: Callable[[float], float] = lambda t: 0.0,
) -> list[HandFrame]:
    """Frames of one hand, fingers to the right of the picture; `way` = where its middle fingertip is."""
    out = []
    for k in range(int(seconds * FPS)):
        t = k / FPS
        frame = HandFrame(int(t * 1e9), image_size=SIZE)
        local = landmarks(OPEN + closed(t) * (FIST - OPEN))
        world = local @ flat(slot == 0).T @ _VIEW.T * PALM
        marks = world / PALM * SCALE
        x, y = way(t)
        tip = marks[12, :2]
        frame.landmarks[slot] = marks + np.array([x - tip[0], y - tip[1], 0.0])
        frame.world[slot] = world
        frame.wrist[slot] = (0.0, 0.0, 0.5)
        frame.presence[slot], frame.track_id[slot] = 1.0, slot
        out.append(frame)
    return out


#: Person's axes -> the picture's, so that the fingers point to the right of it and the thumb up.
_VIEW = np.array([[0.0, 0, 1], [0.0, 1, 0], [-1.0, 0, 0]])


def seen(things: dict[str, Way], seconds: float, *, size: float = 0.10) -> list[Detections]:
    """Detections of square things at ten looks a second; a way is that of the thing's middle."""
    out = []
    for k in range(int(seconds * 10)):
        t = k / 10
        objects = []
        for label, way in things.items():
            x, y = way(t)
            objects.append(Detection(label, (x - size / 2, y - size / 2, x + size / 2, y + size / 2), 0.9))
        out.append(Detections(int(t * 1e9), tuple(objects)))
    return out
