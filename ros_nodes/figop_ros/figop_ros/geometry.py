"""Where a hand is in space: its frame, and the wrist's pose by PnP of the world landmarks, with covariance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.skeleton import INDEX_MCP, MIDDLE_MCP, PINKY_MCP, unit

Array = NDArray[np.float64]

#: The network thinks of one average hand; adults differ by about 10 % (standard deviation of hand length within and
#: across sexes, see edge/hands/position.py): the distance is as wrong as that.
HAND_SIZE_SIGMA = 0.10
#: Smallest standard deviation of a landmark, pixels of a 224 pixel crop at arm's length; residuals say the rest.
LEAST_PIXEL_SIGMA = 1.0
#: A depth camera's own error: metres, plus a share of the distance.
DEPTH_SIGMA_M, DEPTH_SIGMA_SHARE = 0.01, 0.01
#: The wrist joint lies this far behind the skin that a depth camera sees, metres.
SKIN_M = 0.015
#: Residual beyond which the landmarks do not fit a hand in this place, as a share of its size in the picture.
MOST_RESIDUAL = 0.25
#: landmarks whose depth is read: the wrist and the knuckles, which nothing on the hand hides from the front or back
_PALM = [0, 5, 9, 13, 17]


@dataclass(frozen=True, slots=True, eq=False)
class Intrinsics:
    """A pinhole camera: fx, fy, cx, cy in pixels, distortion coefficients of its model, and the picture's size."""

    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()
    model: str = "plumb_bob"
    size: tuple[int, int] = (0, 0)

    @classmethod
    def from_info(cls, info: Any) -> Intrinsics:
        """Of a sensor_msgs/CameraInfo. Raises SourceError where it is not calibrated."""
        k = [float(v) for v in info.k]
        if not (k[0] > 0 and k[4] > 0):
            raise SourceError("The CameraInfo is not calibrated: its focal length is 0; calibrate the camera.")
        model = info.distortion_model or "plumb_bob"
        if model not in ("plumb_bob", "rational_polynomial", "equidistant"):
            raise SourceError(f"Distortion of the model {model!r} is not known; rectify the images first.")
        return cls(k[0], k[4], k[2], k[5], tuple(map(float, info.d)), model, (int(info.width), int(info.height)))

    @classmethod
    def guess(cls, size: tuple[int, int], focal: float = 0.0) -> Intrinsics:
        """Of a camera that nobody calibrated: the focal length is the longer side unless given."""
        width, height = size
        f = focal or float(max(width, height))
        return cls(f, f, width / 2, height / 2, size=size)

    def rays(self, pixels: Array) -> Array:
        """Pixels [N,2] as points on the plane z = 1, undistorted."""
        matrix = np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1]])
        points = np.asarray(pixels, np.float64).reshape(-1, 1, 2)
        if not any(self.distortion):
            return np.asarray((points[:, 0] - (self.cx, self.cy)) / (self.fx, self.fy))
        if self.model == "equidistant":
            found = cv2.fisheye.undistortPoints(points, matrix, np.array(self.distortion[:4]))
        else:
            found = cv2.undistortPoints(points, matrix, np.array(self.distortion))
        return np.asarray(found, np.float64).reshape(-1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class WristPose:
    """position [3] metres and rotation [3,3] (columns: the hand frame's axes) in the optical frame; covariance [6,6]
    of x, y, z and turns about the optical frame's x, y, z; residual: rms reprojection error in pixels."""

    position: Array
    rotation: Array
    covariance: Array
    residual: float


def hand_axes(world: NDArray[Any], left: bool) -> Array:
    """The hand's own frame [3,3], columns x, y, z; right-handed for both hands, REP-103 for a hand lying palm down:
    x along the hand (wrist to middle knuckle), z out of the back of the hand, y to its left."""
    x = unit(np.asarray(world[MIDDLE_MCP] - world[0], np.float64))
    across = np.asarray(world[INDEX_MCP] - world[PINKY_MCP], np.float64)
    thumbwards = unit(across - (across @ x) * x)
    y = -thumbwards if left else thumbwards  # palm down, a right hand's thumb is on its left
    return np.stack([x, y, np.cross(x, y)], axis=1)


def quaternion(rotation: Array) -> tuple[float, float, float, float]:
    """x, y, z, w of a rotation matrix (Shepperd's method), w >= 0."""
    m = np.asarray(rotation, np.float64)
    picks = np.array([m[0, 0], m[1, 1], m[2, 2], np.trace(m)])
    i = int(picks.argmax())
    if i == 3:
        q = [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], 1 + picks[3]]
    else:
        j, k = (i + 1) % 3, (i + 2) % 3
        q = [0.0, 0.0, 0.0, m[k, j] - m[j, k]]
        q[i] = 1 + m[i, i] - m[j, j] - m[k, k]
        q[j], q[k] = m[j, i] + m[i, j], m[k, i] + m[i, k]
    found = np.array(q) / np.linalg.norm(q)
    x, y, z, w = (found if found[3] >= 0 else -found).tolist()
    return x, y, z, w


def wrist_pose(
    landmarks: NDArray[Any],
    world: NDArray[Any],
    left: bool,
    camera: Intrinsics,
    image_size: tuple[int, int],
    mirrored: bool = False,
    depth: NDArray[np.float32] | None = None,
) -> WristPose | None:
    """The wrist from image landmarks [21,3] (fractions) and world landmarks [21,3] of one hand.

    Solves for the rotation and place that bring the world landmarks onto their pixels, from the tracker's own rotation
    (which is that of the camera). A depth picture [H,W] in metres, of the same camera, replaces the distance that the
    average hand size gives. None where nothing fits.
    """
    pixels = np.asarray(landmarks[:, :2], np.float64) * image_size
    if not (np.isfinite(pixels).all() and np.isfinite(world).all()):
        return None
    rays = camera.rays(pixels)
    if mirrored:
        rays = rays * (-1.0, 1.0)
    points = np.asarray(world, np.float64)
    solved = _solve(points, rays)
    if solved is None:
        return None
    turn, place, miss = solved
    pixel = 1.0 / (0.5 * (camera.fx + camera.fy))
    size = float(np.linalg.norm(np.ptp(rays, axis=0)))
    rms = float(np.sqrt(np.mean(np.sum(miss**2, axis=1))))
    if place[2] <= 0.02 or rms > MOST_RESIDUAL * max(size, 1e-9):
        return None
    covariance = _covariance(points @ turn.T, place, max(rms / np.sqrt(2), LEAST_PIXEL_SIGMA * pixel))
    sigma = HAND_SIZE_SIGMA
    if depth is not None:
        measured = _measured_distance(depth, pixels, image_size)
        if measured is not None:
            true = measured + SKIN_M
            modelled = float(np.mean((points @ turn.T + place)[_PALM, 2]))
            sigma = (DEPTH_SIGMA_M + DEPTH_SIGMA_SHARE * true) / true
            place = place * (true / modelled)
    # a hand larger than the average one lies as much further away on the same ray
    covariance[:3, :3] += sigma**2 * np.outer(place, place)
    return WristPose(place, turn @ hand_axes(points, left), covariance, rms / pixel)


def _solve(points: Array, rays: Array, steps: int = 12) -> tuple[Array, Array, Array] | None:
    """Rotation [3,3], place [3] and residuals [21,2] on the plane z = 1, by damped Gauss-Newton from weak perspective.

    The start is good (the network's axes are the camera's), so no other method is needed; six unknowns, 42 equations.
    """
    flat, shape = rays - rays.mean(0), points[:, :2] - points[:, :2].mean(0)
    extent = float(np.vdot(shape, shape))
    scale = float(np.vdot(flat, shape)) / extent if extent > 0 else 0.0
    if not (scale > 0 and np.isfinite(scale)):
        return None
    turn = np.eye(3)
    z = 1.0 / scale
    place = np.array([*(rays.mean(0) * z), z]) - points.mean(0) * (1, 1, 0)
    place[2] = z - float(points[:, 2].mean())
    best = _miss(points @ turn.T, place, rays)
    damping = 1e-3
    for _ in range(steps):
        turned = points @ turn.T
        jacobian = _jacobian(turned, place)
        normal = jacobian.T @ jacobian
        step = np.linalg.solve(normal + damping * np.diag(np.diag(normal) + 1e-12), -jacobian.T @ best.reshape(-1))
        new_turn = np.asarray(cv2.Rodrigues(step[3:])[0]) @ turn
        new_place = place + step[:3]
        miss = _miss(points @ new_turn.T, new_place, rays)
        if new_place[2] > 0.02 and np.vdot(miss, miss) < np.vdot(best, best):
            small = float(np.abs(step).max()) < 1e-7
            turn, place, best, damping = new_turn, new_place, miss, damping * 0.3
            if small:
                break
        else:
            damping *= 10
    return turn, place, best


def _miss(turned: Array, place: Array, rays: Array) -> Array:
    seen = turned + place
    return np.asarray(seen[:, :2] / np.maximum(seen[:, 2:], 1e-6) - rays)


def _jacobian(turned: Array, place: Array) -> Array:
    """Of the projected points [42] after place (3) and small turns about the camera's axes (3)."""
    x, y, z = (turned + place).T
    px, py, pz = turned.T
    zero = np.zeros_like(z)
    du = np.stack([1 / z, zero, -x / z**2], axis=1)
    dv = np.stack([zero, 1 / z, -y / z**2], axis=1)
    # d(w x p)/dw = -[p]x
    spin = np.stack([np.stack([zero, pz, -py], 1), np.stack([-pz, zero, px], 1), np.stack([py, -px, zero], 1)], axis=1)
    rows = np.stack([du, dv], axis=1)
    return np.concatenate([rows, rows @ spin], axis=2).reshape(-1, 6)


def _covariance(turned: Array, place: Array, sigma: float) -> Array:
    """[6,6] of place and turns, for independent errors of `sigma` on the plane z = 1."""
    jacobian = _jacobian(turned, place)
    return np.asarray(sigma**2 * np.linalg.pinv(jacobian.T @ jacobian))


def _measured_distance(depth: NDArray[np.float32], pixels: Array, image_size: tuple[int, int]) -> float | None:
    """Median depth of the palm's joints, each the median of a 5 x 5 window; None where fewer than three are known."""
    height, width = depth.shape
    scaled = pixels[_PALM] * (width / image_size[0], height / image_size[1])
    found = []
    for u, v in np.round(scaled).astype(int):
        window = depth[max(0, v - 2) : v + 3, max(0, u - 2) : u + 3]
        known = window[window > 0.05]
        if known.size >= 5:
            found.append(float(np.median(known)))
    return float(np.median(found)) if len(found) >= 3 else None
