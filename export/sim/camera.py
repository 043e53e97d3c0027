"""A pinhole camera looks at a performance: camera axes, image landmarks, a `Recording` with its true score."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np

from edge.recording import Recording
from export.sim.anatomy import Array
from export.sim.perform import Performance


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the camera stands. Angles in radians.

    Attributes:
        yaw: the camera has walked around to its right, so that the scene turns about the vertical.
        pitch: it has risen and looks down. roll: about its axis.
        distance: metres to the scene's centre. focal: in image widths (0.87 = 60 degrees across).
        centre: scene point that it looks at, metres.
        size: (width, height) in pixels. mirrored: the image is flipped like a selfie (the world is not).
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    distance: float = 0.6
    focal: float = 0.87
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    size: tuple[int, int] = (640, 480)
    mirrored: bool = False

    def rotation(self) -> Array:
        """[3,3] scene axes -> camera axes."""
        cy, sy, cp, sp, cr, sr = (f(a) for a in (self.yaw, self.pitch, self.roll) for f in (np.cos, np.sin))
        yaw = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
        pitch = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        roll = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
        return np.asarray(roll @ pitch @ yaw)

    def see(self, points: Array) -> Array:
        """Scene points [..., 3] in camera axes, metres from the camera."""
        return np.asarray((points - np.asarray(self.centre)) @ self.rotation().T + np.array([0.0, 0.0, self.distance]))

    def project(self, seen: Array) -> Array:
        """Camera points [..., 3] -> image fractions [..., 2] (not mirrored)."""
        width, height = self.size
        flat = self.focal * seen[..., :2] / np.maximum(seen[..., 2:], 1e-3)
        return np.stack([0.5 + flat[..., 0], 0.5 + flat[..., 1] * width / height], axis=-1)


def frame_on(performance: Performance, camera: Camera, *, margin: float = 0.10, closest: float = 0.28) -> Camera:
    """The camera moved so that every landmark of the performance stays `margin` inside the picture."""
    points = (performance.joints + performance.wrist[:, :, None])[performance.presence > 0]
    turned = points.reshape(-1, 3) @ camera.rotation().T
    low, high = turned.min(axis=0), turned.max(axis=0)
    width, height = camera.size
    centre, distance = (low + high) / 2, 0.0
    for _ in range(3):  # perspective shifts the middle a little: settle
        rel = turned - centre
        reach = np.maximum(np.abs(rel[:, 0]), np.abs(rel[:, 1]) * width / height) * camera.focal / (0.5 - margin)
        distance = float(max(closest, (reach - rel[:, 2]).max()))
        flat = rel[:, :2] / (rel[:, 2:] + distance)
        centre[:2] += distance * (flat.min(axis=0) + flat.max(axis=0)) / 2
    rel = turned - centre
    reach = np.maximum(np.abs(rel[:, 0]), np.abs(rel[:, 1]) * width / height) * camera.focal / (0.5 - margin)
    distance = float(max(closest, (reach - rel[:, 2]).max()))
    where = camera.rotation().T @ centre
    return Camera(
        camera.yaw, camera.pitch, camera.roll, distance, camera.focal,
        (float(where[0]), float(where[1]), float(where[2])), camera.size, camera.mirrored,
    )  # fmt: skip


def score_json(performance: Performance) -> str:
    """The true score as the recordings carry it."""
    return json.dumps([e.to_dict() for e in performance.score])


def film(performance: Performance, camera: Camera) -> Recording:
    """The recording of exact landmarks that a perfect tracker would make of the performance."""
    wrist = camera.see(performance.wrist)
    world = performance.joints @ camera.rotation().T
    seen = world + wrist[:, :, None]
    flat = camera.project(seen)
    # z as MediaPipe gives it: relative to the wrist, in image widths at the wrist's distance
    z = world[..., 2] * camera.focal / np.maximum(wrist[..., 2:], 1e-3)
    marks = np.concatenate([flat, z[..., None]], axis=-1)
    if camera.mirrored:
        marks[..., 0] = 1 - marks[..., 0]
    present = performance.presence > 0
    return Recording(
        t_ns=performance.t_ns,
        landmarks=marks.astype(np.float32),
        world=world.astype(np.float32),
        wrist=wrist.astype(np.float32),
        presence=performance.presence,
        track_id=np.where(present, np.arange(2), -1).astype(np.int32),
        image_size=camera.size,
        mirrored=camera.mirrored,
        view=performance.stage.view,
        score_json=score_json(performance),
    )
