"""Squares around hands, palm decoding, and the wrist's place in space, against plain restatements of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.hands import palm as palm_module
from edge.hands.palm import PalmDetector, anchors, decode, merge
from edge.hands.position import wrist_position
from edge.hands.roi import Roi, from_landmarks, from_palm, iou, upright
from edge.runtime.session import TensorSpec

RNG = np.random.default_rng(4)
#: An open hand, fingers up, in units of the palm: columns x, y (down); rows in landmark order.
HAND = np.array(
    [(0, 0)]
    + [(-0.3 - 0.12 * k, -0.25 - 0.22 * k) for k in range(4)]
    + [(x * (1 + 0.1 * k), -1 - 0.3 * k) for x in (-0.3, 0.0, 0.25, 0.45) for k in range(4)]
)  # fmt: skip
HAND[9] = (0, -1)


def turned(points, angle):
    c, s = math.cos(angle), math.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def test_the_crop_covers_the_square():
    roi = Roi(100, 60, 40, 0.0)
    corners = np.array([[0, 0, 1], [224, 0, 1], [224, 224, 1]]) @ roi.to_image(224).T
    np.testing.assert_allclose(corners, [[80, 40], [120, 40], [120, 80]])


def test_a_turned_square_brings_the_hand_upright():
    """A hand that points to the image's right: the crop's "up" must be the image's "right"."""
    roi = from_landmarks(turned(HAND, math.pi / 2) * 50 + 200)
    assert roi.rotation == pytest.approx(math.pi / 2, abs=0.1)
    up = np.array([0, -1]) @ roi.to_image(224)[:, :2].T
    assert up[0] > 0.99 * roi.size / 224
    assert abs(up[1]) < 0.2 * up[0]


@given(st.floats(-3.1, 3.1), st.floats(10, 300), st.floats(-500, 2000))
def test_the_square_follows_the_hand(angle, size, place):
    still = from_landmarks(HAND * 100)
    moved = from_landmarks(turned(HAND, angle) * size + place)
    assert moved.size == pytest.approx(still.size * size / 100, rel=1e-6)
    apart = moved.rotation - still.rotation - angle
    assert math.cos(apart) == pytest.approx(1, abs=1e-9)
    expected = turned(np.array([[still.x, still.y]]), angle)[0] * size / 100 + place
    np.testing.assert_allclose((moved.x, moved.y), expected, atol=1e-6 * size)


def test_upright_is_zero_for_fingers_up_and_wraps():
    assert upright(0, -1) == pytest.approx(0)
    assert upright(1, 0) == pytest.approx(math.pi / 2)
    assert upright(0, 1) == pytest.approx(-math.pi)
    assert upright(-1, 0) == pytest.approx(-math.pi / 2)


def test_from_palm_shifts_towards_the_fingers_and_scales():
    roi = from_palm(np.array([90, 100, 110, 120]), np.array([100, 125]), np.array([100, 95]))
    assert (roi.x, roi.y, roi.size, roi.rotation) == pytest.approx((100, 100, 52, 0))
    sideways = from_palm(np.array([90, 100, 110, 120]), np.array([85, 110]), np.array([115, 110]))
    assert (sideways.x, sideways.y) == pytest.approx((110, 110))


def test_overlap_of_squares():
    a = Roi(0, 0, 10, 0.3)
    assert iou(a, a) == 1
    assert iou(a, Roi(5, 0, 10, 1.0)) == pytest.approx(1 / 3)
    assert iou(a, Roi(2, 1, 2, 0)) == pytest.approx(0.04)
    assert iou(a, Roi(10, 0, 10, 0)) == 0


@pytest.mark.parametrize(
    "roi",
    [Roi(math.nan, 5, 5, 0), Roi(5, 5, math.nan, 0), Roi(5, 5, 0.5, 0), Roi(5, 5, 1e6, 0), Roi(-40, 5, 20, 0)],
)
def test_squares_not_worth_looking_at(roi):
    assert not roi.inside(100, 100)
    assert Roi(50, 50, 30, 0).inside(100, 100)


def test_anchors_lie_on_their_grids():
    found = anchors()
    assert found.shape == (2016, 2)
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(found[2], [1.5 / 24, 0.5 / 24])
    np.testing.assert_allclose(found[1152], [0.5 / 12, 0.5 / 12])
    np.testing.assert_allclose(found[-1], [11.5 / 12, 11.5 / 12])


def planted(anchor, score=3.0, size=48.0):
    """Raw network output with one palm at an anchor: box `size` pixels of the 192, all points at the anchor."""
    boxes, scores = np.zeros((2016, 18), np.float32), np.full(2016, -20, np.float32)
    boxes[anchor, 2:4] = size
    scores[anchor] = score
    return boxes, scores


def test_decode_maps_to_image_pixels():
    boxes, scores = planted(1152)
    boxes[1152, 4:6] = (19.2, -19.2)
    (found,) = decode(boxes, scores, side=1280.0, left=0.0, top=-280.0)
    centre = 1280 * 0.5 / 12
    np.testing.assert_allclose(
        found.box, [centre - 160, centre - 160 - 280, centre + 160, centre + 160 - 280], rtol=1e-5
    )
    np.testing.assert_allclose(found.points[0], [centre + 128, centre - 128 - 280], rtol=1e-5)
    assert found.score == pytest.approx(1 / (1 + math.exp(-3)))


@pytest.mark.parametrize("score", [-0.01, -200, math.nan])
def test_decode_drops_what_is_no_palm(score):
    assert decode(*planted(5, score), 192, 0, 0) == []


def test_decode_survives_extreme_and_broken_rows():
    boxes, scores = planted(5, 1e9)
    assert decode(boxes, scores, 192, 0, 0)[0].score == 1.0
    boxes[5, 7] = np.nan
    assert decode(boxes, scores, 192, 0, 0) == []


def test_merge_averages_by_score_and_keeps_what_is_apart():
    box = np.array([0.0, 0.0, 10.0, 10.0])
    rows = np.stack([box, box + 1, box + 50])
    found = merge(np.array([0.6, 0.9, 0.7]), rows)
    assert [round(s, 3) for s, _ in found] == [0.9, 0.7]
    np.testing.assert_allclose(found[0][1], (0.6 * box + 0.9 * (box + 1)) / 1.5)
    np.testing.assert_allclose(found[1][1], box + 50)


class PalmNet:
    """Shows what the palm network was given."""

    inputs = (TensorSpec("x", (1, 192, 192, 3), np.dtype(np.float32)),)
    outputs = (
        TensorSpec("boxes", (1, 2016, 18), np.dtype(np.float32)),
        TensorSpec("scores", (1, 2016, 1), np.dtype(np.float32)),
    )

    def input(self, name):
        self.seen = np.full((1, 192, 192, 3), np.nan, np.float32)
        return self.seen

    def invoke(self):
        boxes, scores = planted(1152 + 6 * (12 * 6 + 6))
        return {"boxes": boxes[None], "scores": scores[None, :, None]}


@pytest.mark.parametrize("shape", [(120, 240, 3), (240, 120, 3), (33, 17, 3)])
def test_the_detector_letterboxes(shape):
    net = PalmNet()
    found = PalmDetector(net).detect(np.full(shape, 255, np.uint8))
    side = max(shape)
    lit = net.seen[0, :, :, 0] > 0.99
    np.testing.assert_allclose(lit.any(axis=1).sum(), 192 * shape[0] / side, atol=192 / side + 2)
    np.testing.assert_allclose(lit.any(axis=0).sum(), 192 * shape[1] / side, atol=192 / side + 2)
    # the anchor lies half a cell of 12 past the middle of the square, which is the middle of the frame
    middle = np.array([shape[1], shape[0]]) / 2 + side / 24
    np.testing.assert_allclose(found[0].points[0], middle, rtol=1e-4)


def test_another_network_is_refused():
    net = PalmNet()
    net.outputs = net.outputs[:1]
    with pytest.raises(palm_module.RuntimeUnavailable, match="palm network"):
        PalmDetector(net)


@pytest.mark.parametrize("wrist", [(0.0, 0.0, 0.5), (0.2, -0.1, 0.7), (-0.3, 0.2, 1.5)])
def test_the_wrist_is_placed_in_space(wrist):
    world = np.column_stack([HAND * 0.09, RNG.normal(0, 0.015, 21)])
    world -= world[0]
    placed = world + wrist
    focal, centre = 900.0, (640.0, 360.0)
    pixels = placed[:, :2] / placed[:, 2:] * focal + centre
    found = wrist_position(pixels, world, centre, focal)
    # weak perspective: a few percent for a hand that is a fifth as deep as it is far
    np.testing.assert_allclose(found, wrist, atol=0.05 * wrist[2])


@pytest.mark.parametrize("world", [np.zeros((21, 3)), np.full((21, 3), np.nan), -np.column_stack([HAND, HAND[:, 0]])])
def test_a_hand_without_extent_is_nowhere(world):
    assert np.isnan(wrist_position(HAND * 100, world, (0, 0), 500.0)).all()
