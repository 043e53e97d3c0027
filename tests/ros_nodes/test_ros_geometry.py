"""The wrist's pose: right on exact landmarks, honest about noise, the same for mirrored, distorted and deep cameras."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import CameraInfo

from edge.errors import SourceError
from figop_ros.geometry import HAND_SIZE_SIGMA, Intrinsics, hand_axes, quaternion, wrist_pose
from tests.ros_nodes.frames import golden

SIZE = (640, 480)
CAMERA = Intrinsics(600.0, 610.0, 310.0, 245.0, size=SIZE)


def world(slot=1):
    recording = golden("two_hands")
    seen = int(np.flatnonzero(recording.presence[:, slot] >= 0.5)[0])
    return recording.world[seen, slot].astype(np.float64)


def turned(degrees, axis):
    axis = np.array(axis, float) / np.linalg.norm(axis)
    return cv2.Rodrigues(np.radians(degrees) * axis)[0]


def seen(points, camera=CAMERA):
    """Image fractions [21,3] of points in the camera's frame."""
    matrix = np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1.0]])
    if camera.model == "equidistant":
        flat = cv2.fisheye.projectPoints(
            points[:, None], np.zeros(3), np.zeros(3), matrix, np.array(camera.distortion)
        )[0]
    else:
        flat = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, np.array(camera.distortion or (0, 0, 0, 0)))[
            0
        ]
    return np.column_stack([flat.reshape(-1, 2) / SIZE, np.zeros(21)])


@pytest.mark.parametrize("place", [(0.0, 0.0, 0.4), (0.25, -0.15, 0.8), (-0.1, 0.1, 1.5)])
@pytest.mark.parametrize("turn", [0, 20])
def test_exact_landmarks_give_the_exact_pose(place, turn):
    hand, rotation = world(), turned(turn, (1, -2, 1))
    found = wrist_pose(seen(hand @ rotation.T + place), hand, False, CAMERA, SIZE)
    assert np.allclose(found.position, place, atol=1e-5)
    assert np.allclose(found.rotation, rotation @ hand_axes(hand, False), atol=1e-5)
    assert found.residual < 1e-3


@pytest.mark.parametrize(
    ("model", "distortion"),
    [("plumb_bob", (-0.3, 0.1, 0.001, -0.001, 0.0)), ("equidistant", (0.1, -0.02, 0.0, 0.0))],
)
def test_distortion_is_taken_out(model, distortion):
    camera = Intrinsics(400.0, 400.0, 320.0, 240.0, distortion, model, SIZE)
    place = np.array([0.15, -0.1, 0.5])
    found = wrist_pose(seen(world() + place, camera), world(), False, camera, SIZE)
    assert np.allclose(found.position, place, atol=1e-3)


def test_a_mirrored_picture_shows_the_same_scene():
    place = np.array([0.2, -0.1, 0.6])
    flipped = seen(world() + place)
    flipped[:, 0] = 1 - flipped[:, 0]
    camera = Intrinsics(CAMERA.fx, CAMERA.fy, SIZE[0] - CAMERA.cx, CAMERA.cy, size=SIZE)
    found = wrist_pose(flipped, world(), False, camera, SIZE, mirrored=True)
    assert np.allclose(found.position, place, atol=1e-5)


def test_the_covariance_is_as_large_as_the_error():
    """Of noisy landmarks and of hands of other sizes: the squared error in its own units is 6 on average."""
    rng = np.random.default_rng(5)
    place, errors, along = np.array([0.1, -0.05, 0.6]), [], []
    axes = hand_axes(world(), False)
    for _ in range(400):
        size = np.exp(rng.normal(0, HAND_SIZE_SIGMA))
        marks = seen(world() * size + place)
        marks[:, :2] += rng.normal(0, 2.0, (21, 2)) / SIZE
        found = wrist_pose(marks, world(), False, CAMERA, SIZE)
        turn = cv2.Rodrigues(found.rotation @ axes.T)[0].reshape(3)
        error = np.concatenate([found.position - place, turn])
        errors.append(error @ np.linalg.solve(found.covariance, error))
        along.append(found.position[2])
    assert 4.0 < np.mean(errors) < 8.0
    assert 0.05 < np.std(along) / place[2] < 0.15


def test_depth_replaces_what_hand_size_guesses():
    place = np.array([0.1, -0.05, 0.6])
    small = world() * 0.8
    marks = seen(small + place)
    skin = np.full((SIZE[1], SIZE[0]), float((small + place)[[0, 5, 9, 13, 17], 2].mean()) - 0.015, np.float32)
    without = wrist_pose(marks, world(), False, CAMERA, SIZE)
    found = wrist_pose(marks, world(), False, CAMERA, SIZE, depth=skin)
    half = wrist_pose(marks, world(), False, CAMERA, SIZE, depth=skin[::2, ::2])
    assert abs(without.position[2] - place[2]) > 0.1
    assert np.allclose(found.position, place, atol=0.01)
    assert np.allclose(half.position, place, atol=0.01)
    assert found.covariance[2, 2] < 0.1 * without.covariance[2, 2]
    unknown = wrist_pose(marks, world(), False, CAMERA, SIZE, depth=np.zeros_like(skin))
    assert np.array_equal(unknown.position, without.position)


def test_what_is_no_hand_has_no_pose():
    nothing = np.full((21, 3), np.nan)
    assert wrist_pose(nothing, world(), False, CAMERA, SIZE) is None
    assert wrist_pose(seen(world() + np.array((0, 0, 0.6))), nothing, False, CAMERA, SIZE) is None
    assert wrist_pose(np.full((21, 3), 0.5), world(), False, CAMERA, SIZE) is None
    scattered = np.random.default_rng(1).random((21, 3))
    assert wrist_pose(scattered, world(), False, CAMERA, SIZE) is None


@pytest.mark.parametrize("left", [False, True])
def test_hand_axes_follow_rep_103(left):
    """A hand that lies palm down and points away: forward is forward, up is up, left is left."""
    flat = np.zeros((21, 3))  # optical axes: x right, y down, z forward
    flat[9] = (0, 0, 0.1)
    side = 1 if left else -1  # palm down, the thumb of a right hand is on its left
    flat[5], flat[17] = (side * 0.03, 0, 0.09), (-side * 0.03, 0, 0.09)
    axes = hand_axes(flat, left)
    assert np.allclose(axes[:, 0], (0, 0, 1))
    assert np.allclose(axes[:, 1], (-1, 0, 0))
    assert np.allclose(axes[:, 2], (0, -1, 0))
    assert np.linalg.det(axes) == pytest.approx(1)


@pytest.mark.parametrize("degrees", [0, 1, 90, 179, 180, 270])
@pytest.mark.parametrize("axis", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 2, -3)])
def test_quaternions(degrees, axis):
    x, y, z, w = quaternion(turned(degrees, axis))
    assert x * x + y * y + z * z + w * w == pytest.approx(1)
    assert w >= 0
    back = np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip
    assert np.allclose(back, turned(degrees, axis), atol=1e-9)


def test_camera_info():
    info = CameraInfo(width=640, height=480, distortion_model="plumb_bob")
    with pytest.raises(SourceError, match="not calibrated"):
        Intrinsics.from_info(info)
    info.k = [600.0, 0, 320, 0, 601, 240, 0, 0, 1]
    info.d = [0.1, 0.0, 0.0, 0.0, 0.0]
    found = Intrinsics.from_info(info)
    assert (found.fx, found.fy, found.cx, found.cy, found.size) == (600, 601, 320, 240, (640, 480))
    info.distortion_model = "kannala"
    with pytest.raises(SourceError, match="'kannala' is not known"):
        Intrinsics.from_info(info)


def test_a_camera_that_nobody_calibrated():
    found = Intrinsics.guess((640, 480))
    assert (found.fx, found.cx, found.cy) == (640, 320, 240)
    assert np.allclose(found.rays(np.array([[320.0, 240.0], [960.0, 240.0]])), [[0, 0], [1, 0]])
