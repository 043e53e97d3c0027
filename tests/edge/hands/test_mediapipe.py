"""The mediapipe backend, with a stand-in for the package: sides, mirroring, ids, missing package."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from edge.errors import RuntimeUnavailable
from edge.hands.backends import open_tracker
from edge.hands.frame import LEFT, RIGHT, hands_in
from tests.edge.hands.fakes import FRAME, SHAPE, STEP


def hand(x, label, score=0.95):
    points = [SimpleNamespace(x=x + p[0] / 10, y=0.5 + p[1] / 10, z=0.01) for p in SHAPE]
    world = [SimpleNamespace(x=p[0] * 0.09, y=p[1] * 0.09, z=0.02) for p in SHAPE]
    side = SimpleNamespace(classification=[SimpleNamespace(label=label, score=score)])
    return SimpleNamespace(landmark=points), SimpleNamespace(landmark=world), side


@pytest.fixture
def scene(monkeypatch):
    """Set `scene.hands` to what mediapipe is to find."""
    scene = SimpleNamespace(hands=[], opened=0, closed=0)

    class Hands:
        def __init__(self, **options):
            scene.options = options
            scene.opened += 1

        def process(self, rgb):
            columns = list(zip(*scene.hands, strict=True)) or [None, None, None]
            return SimpleNamespace(
                multi_hand_landmarks=columns[0], multi_hand_world_landmarks=columns[1], multi_handedness=columns[2]
            )

        def close(self):
            scene.closed += 1

    package = SimpleNamespace(solutions=SimpleNamespace(hands=SimpleNamespace(Hands=Hands)))
    monkeypatch.setitem(sys.modules, "mediapipe", package)
    return scene


@pytest.mark.parametrize(
    ("label", "mirrored", "slot"),
    [("Left", False, RIGHT), ("Right", False, LEFT), ("Left", True, LEFT), ("Right", True, RIGHT)],
)
def test_its_left_is_a_right_hand_unless_mirrored(scene, label, mirrored, slot):
    tracker = open_tracker("mediapipe", mirrored=mirrored)
    scene.hands = [hand(0.7, label)]
    frame = tracker.track(FRAME, 0)
    assert list(hands_in(frame)) == [slot]
    assert scene.options == {"max_num_hands": 2, "model_complexity": 1}
    np.testing.assert_array_equal(frame.world[slot, 0], 0)
    sign = -1 if mirrored else 1
    np.testing.assert_allclose(frame.world[slot, 20, 0], sign * (SHAPE[20, 0] - SHAPE[0, 0]) * 0.09, rtol=1e-5)
    assert np.sign(frame.wrist[slot, 0]) == sign
    assert frame.landmarks[slot, 0, 0] == pytest.approx(0.7)


def test_ids_follow_the_hands_when_their_order_swaps(scene):
    tracker = open_tracker("mediapipe")
    scene.hands = [hand(0.2, "Left"), hand(0.8, "Right")]
    assert tracker.track(FRAME, 0).track_id.tolist() == [1, 0]
    scene.hands = [hand(0.78, "Right"), hand(0.22, "Left")]
    assert tracker.track(FRAME, STEP).track_id.tolist() == [1, 0]
    scene.hands = []
    assert not list(hands_in(tracker.track(FRAME, 2 * STEP)))
    scene.hands = [hand(0.2, "Left")]
    assert tracker.track(FRAME, 3 * STEP).track_id.tolist() == [-1, 2]


def test_one_wrong_label_does_not_swap_a_settled_hand(scene):
    tracker = open_tracker("mediapipe")
    scene.hands = [hand(0.5, "Left")]
    for i in range(30):
        tracker.track(FRAME, i * STEP)
    scene.hands = [hand(0.5, "Right")]
    assert list(hands_in(tracker.track(FRAME, 30 * STEP))) == [RIGHT]


def test_reset_starts_a_new_graph(scene):
    tracker = open_tracker("mediapipe")
    tracker.reset()
    tracker.close()
    assert (scene.opened, scene.closed) == (2, 2)


@pytest.mark.parametrize("package", [None, SimpleNamespace()])
def test_a_missing_or_newer_package_says_what_to_install(monkeypatch, package):
    monkeypatch.setitem(sys.modules, "mediapipe", package)
    with pytest.raises(RuntimeUnavailable, match=r"pip install 'figop\[mediapipe\]'"):
        open_tracker("mediapipe")
