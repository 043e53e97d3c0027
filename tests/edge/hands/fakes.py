"""A scene of hands, and networks that see it: the tracking loop is tested without images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edge.hands import native
from edge.hands.landmark import Reading
from edge.hands.networks import HandNetworks
from edge.hands.palm import Palm

#: An open hand in palm lengths around its middle, fingers up.
SHAPE = np.array(
    [(0, 0.7), (-0.3, 0.5), (-0.5, 0.3), (-0.6, 0.1), (-0.7, -0.1)]
    + [(x, -0.3 - 0.3 * k) for x in (-0.3, 0.0, 0.25, 0.45) for k in range(4)]
)
FRAME = np.zeros((480, 640, 3), np.uint8)
STEP = 33_333_333


@dataclass
class Hand:
    """A hand at (x, y) pixels; `right` is what the network says about an unmirrored image; `seen` by the networks."""

    x: float
    y: float
    right: float = 0.95
    palm: float = 40.0
    seen: bool = True
    nan: bool = False

    @property
    def points(self):
        return SHAPE * self.palm + (self.x, self.y)


class Scene:
    """Both networks of a tracker. `looked` counts palm runs, `read` landmark runs."""

    feature_size = 3

    def __init__(self, *hands: Hand) -> None:
        self.hands = list(hands)
        self.looked = self.read_count = 0

    def detect(self, rgb):
        self.looked += 1
        return [
            Palm(
                0.9,
                np.array([h.x - h.palm, h.y - h.palm, h.x + h.palm, h.y + h.palm], np.float32),
                h.points[[0, 5, 9, 13, 17, 1, 2]].astype(np.float32),
            )
            for h in self.hands
            if h.seen
        ]

    def read(self, rgb, roi, *, threshold, feature=False):
        self.read_count += 1
        inside = [h for h in self.hands if h.seen and np.hypot(h.x - roi.x, h.y - roi.y) < roi.size / 3]
        if not inside:
            return None
        hand = min(inside, key=lambda h: np.hypot(h.x - roi.x, h.y - roi.y))
        if hand.nan:
            return None
        points = np.column_stack([hand.points, np.zeros(21)]).astype(np.float32)
        world = (points - points[0]) / hand.palm * np.float32(0.09)
        vector = np.full(3, hand.x, np.float32) if feature else None
        return Reading(points, world, 0.9, hand.right, vector)


class Session:
    def close(self):
        pass


def tracker(monkeypatch, tmp_path, scene: Scene, **options) -> native.NativeTracker:
    """A NativeTracker whose networks look at `scene`."""
    path = tmp_path / "network"
    path.write_bytes(b"network")
    monkeypatch.setattr(native, "open_session", lambda *args, **kwargs: Session())
    monkeypatch.setattr(native, "PalmDetector", lambda session: scene)
    monkeypatch.setattr(native, "LandmarkNetwork", lambda session: scene)
    return native.NativeTracker(networks=HandNetworks(path, path), **options)
