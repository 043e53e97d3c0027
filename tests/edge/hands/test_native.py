"""The tracking loop: who is followed, when the palm network runs, which slot a hand gets."""

from __future__ import annotations

import numpy as np
import pytest

from edge.errors import RuntimeUnavailable, SourceError
from edge.hands.backends import open_tracker
from edge.hands.frame import LEFT, RIGHT, hands_in
from edge.hands.landmark import LandmarkNetwork
from edge.hands.native import as_rgb
from edge.hands.roi import Roi
from edge.runtime.session import TensorSpec
from tests.edge.hands.fakes import FRAME, STEP, Hand, Scene, tracker


@pytest.fixture
def follow(monkeypatch, tmp_path):
    return lambda scene, **options: tracker(monkeypatch, tmp_path, scene, **options)


def run(hands, frames, start=0):
    return [hands.track(FRAME, (start + i) * STEP) for i in range(frames)]


def test_one_hand_allowed_looks_for_palms_once(follow):
    scene = Scene(Hand(300, 200))
    frames = run(follow(scene, max_hands=1), 30)
    assert scene.looked == 1
    assert scene.read_count == 30
    assert all(list(hands_in(f)) == [RIGHT] for f in frames)
    assert {int(f.track_id[RIGHT]) for f in frames} == {0}
    assert "detect" in frames[0].stages_ms
    assert "detect" not in frames[1].stages_ms


def test_the_first_hand_is_found_in_its_first_frame(follow):
    scene = Scene()
    hands = follow(scene)
    assert not any(list(hands_in(f)) for f in run(hands, 20))
    assert scene.looked == 20
    scene.hands.append(Hand(300, 200))
    assert list(hands_in(hands.track(FRAME, 20 * STEP))) == [RIGHT]


@pytest.mark.parametrize("fps", [15, 30, 60])
@pytest.mark.parametrize("phase", range(6))
def test_a_second_hand_is_found_within_a_third_of_a_second(follow, fps, phase):
    scene = Scene(Hand(150, 200))
    hands = follow(scene)
    step = round(1e9 / fps)
    count = fps + phase
    for i in range(count):
        hands.track(FRAME, i * step)
    assert scene.looked <= count / fps / 0.15 + 2
    scene.hands.append(Hand(500, 200, right=0.05))
    waited = 0
    while len(list(hands_in(hands.track(FRAME, (count + waited) * step)))) < 2:
        waited += 1
    assert waited / fps <= 0.233


def test_two_tracked_hands_need_no_palm_network(follow):
    scene = Scene(Hand(150, 200), Hand(500, 200, right=0.05))
    frames = run(follow(scene), 20)
    assert scene.looked == 1
    assert all(list(hands_in(f)) == [LEFT, RIGHT] for f in frames)
    np.testing.assert_allclose(frames[-1].landmarks[LEFT, :, :2] * (640, 480), scene.hands[1].points, rtol=1e-5)


def test_moving_hands_keep_their_ids_and_slots(follow):
    scene = Scene(Hand(150, 150), Hand(500, 350, right=0.05))
    hands = follow(scene)
    for i in range(40):
        scene.hands[0].x += 8
        scene.hands[1].x -= 8
        frame = hands.track(FRAME, i * STEP)
        assert frame.track_id.tolist() == [1, 0]


def test_a_hand_lost_for_a_moment_keeps_its_id(follow):
    scene = Scene(Hand(300, 200))
    hands = follow(scene)
    run(hands, 10)
    scene.hands[0].seen = False
    assert not list(hands_in(hands.track(FRAME, 10 * STEP)))
    scene.hands[0].seen = True
    scene.hands[0].x += 20
    assert hands.track(FRAME, 14 * STEP).track_id[RIGHT] == 0
    scene.hands[0].seen = False
    hands.track(FRAME, 15 * STEP)
    scene.hands[0].seen = True
    assert hands.track(FRAME, 60 * STEP).track_id[RIGHT] == 1


def test_a_hand_that_jumps_is_found_again_in_the_same_frame(follow):
    scene = Scene(Hand(100, 100))
    hands = follow(scene)
    run(hands, 5)
    scene.hands[0].x, scene.hands[0].y = 500, 350
    frame = hands.track(FRAME, 5 * STEP)
    np.testing.assert_allclose(frame.landmarks[RIGHT, 0, :2] * (640, 480), scene.hands[0].points[0], rtol=1e-5)
    assert frame.track_id[RIGHT] == 1


def test_a_palm_on_a_tracked_hand_is_not_a_second_hand(follow):
    scene = Scene(Hand(300, 200))
    frames = run(follow(scene), 60)
    assert scene.looked > 5
    assert all(list(hands_in(f)) == [RIGHT] for f in frames)
    assert scene.read_count == 60


def test_two_tracks_on_one_hand_become_one_and_the_older_stays(follow):
    scene = Scene(Hand(200, 200), Hand(420, 200, right=0.05))
    hands = follow(scene)
    first = run(hands, 10)[-1]
    assert first.track_id.tolist() == [1, 0]
    scene.hands[1].seen = False
    hands._tracks[1].roi = hands._tracks[0].roi
    frame = hands.track(FRAME, 10 * STEP)
    assert list(hands_in(frame)) == [RIGHT]
    assert frame.track_id[RIGHT] == 0
    assert hands.counts["merged"] == 1


def test_two_right_hands_are_told_as_one_and_counted(follow):
    scene = Scene(Hand(150, 200), Hand(500, 200))
    hands = follow(scene)
    frames = run(hands, 60)
    assert list(hands_in(frames[-1])) == [RIGHT]
    assert frames[-1].track_id[RIGHT] == 0
    assert hands.counts["same_side"] > 0


@pytest.mark.parametrize(("mirrored", "slot"), [(False, RIGHT), (True, LEFT)])
def test_mirrored_sources_swap_the_side_and_flip_the_scene(follow, mirrored, slot):
    scene = Scene(Hand(500, 200))
    frame = run(follow(scene, mirrored=mirrored), 3)[-1]
    assert list(hands_in(frame)) == [slot]
    expected = scene.read(FRAME, Roi(500, 200, 100, 0), threshold=0.5)
    flip = np.array([-1 if mirrored else 1, 1, 1])
    np.testing.assert_allclose(frame.world[slot], expected.world * flip, atol=1e-6)
    assert np.sign(frame.wrist[slot, 0]) == (-1 if mirrored else 1)
    # the image is as it was given
    np.testing.assert_allclose(frame.landmarks[slot, :, :2] * (640, 480), scene.hands[0].points, rtol=1e-5)


def test_the_keyframe_feature_is_read_out_when_asked(follow):
    scene = Scene(Hand(300, 200))
    hands = follow(scene)
    assert hands.track(FRAME, 0).appearance is None
    feature = hands.track(FRAME, STEP, appearance=True).appearance
    np.testing.assert_array_equal(feature[RIGHT], [300, 300, 300])
    assert np.isnan(feature[LEFT]).all()
    assert len(hands.appearance_digest) == 64


def test_reset_forgets_hands_but_never_reuses_an_id(follow):
    hands = follow(Scene(Hand(300, 200)))
    assert hands.track(FRAME, 0).track_id[RIGHT] == 0
    hands.reset()
    assert hands.track(FRAME, 0).track_id[RIGHT] == 1


def test_a_clock_that_goes_back_or_stands_still_does_no_harm(follow):
    scene = Scene(Hand(150, 200))
    hands = follow(scene)
    for t_ns in (10**12, 10**12, 5, 5, 0, 10**15):
        assert list(hands_in(hands.track(FRAME, t_ns))) == [RIGHT]
    scene.hands.append(Hand(500, 200, right=0.05))
    assert list(hands_in(hands.track(FRAME, 6))) == [LEFT, RIGHT]


def test_frames_are_not_shared_between_calls(follow):
    hands = follow(Scene(Hand(300, 200)))
    first = hands.track(FRAME, 0)
    kept = first.landmarks.copy()
    hands._network.hands[0].x += 30
    hands.track(FRAME, STEP)
    np.testing.assert_array_equal(first.landmarks, kept)


def test_the_wrist_follows_the_given_focal_length(follow):
    near = run(follow(Scene(Hand(300, 200)), focal=300.0), 2)[-1].wrist[RIGHT]
    far = run(follow(Scene(Hand(300, 200)), focal=600.0), 2)[-1].wrist[RIGHT]
    assert far[2] == pytest.approx(2 * near[2], rel=1e-4)


def test_options_out_of_range(follow):
    with pytest.raises(ValueError, match="1 or 2 hands, found 3"):
        follow(Scene(), max_hands=3)
    with pytest.raises(RuntimeUnavailable, match="no hand tracker 'leap'; choose one of native, native-lite, "):
        open_tracker("leap")


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (21, 33, 3), (20, 30, 4)])
def test_frames_of_other_kinds_become_rgb(shape):
    frame = np.random.default_rng(0).integers(0, 255, shape, np.uint8)
    rgb = as_rgb(frame[:, ::-1])
    assert rgb.shape == (*shape[:2], 3)
    assert rgb.flags.c_contiguous
    np.testing.assert_array_equal(rgb[..., 0], frame[:, ::-1].reshape(*shape[:2], -1)[..., 0])


@pytest.mark.parametrize(
    "frame",
    [np.zeros((20, 20, 2), np.uint8), np.zeros((20, 20, 3), np.float32), np.zeros((0, 0, 3), np.uint8),
     np.zeros((8, 200, 3), np.uint8), np.zeros(20, np.uint8)],
)  # fmt: skip
def test_what_is_no_frame_is_refused(frame):
    with pytest.raises(SourceError, match="A frame must"):
        as_rgb(frame)


class LandmarkNet:
    """A landmark network that says what it is told."""

    inputs = (TensorSpec("x", (1, 224, 224, 3), np.dtype(np.float32)),)
    outputs = tuple(
        TensorSpec(n, s, np.dtype(np.float32))
        for n, s in (("l", (1, 63)), ("p", (1, 1)), ("s", (1, 1)), ("w", (1, 63)))
    )

    def __init__(self, **values):
        rng = np.random.default_rng(1)
        self.out = {"l": rng.random((1, 63)) * 224, "p": [[0.9]], "s": [[0.8]], "w": rng.normal(size=(1, 63)), **values}

    def input(self, name):
        self.seen = np.full((1, 224, 224, 3), np.nan, np.float32)
        return self.seen

    def invoke(self):
        return {k: np.array(v, np.float32) for k, v in self.out.items()}


def test_landmarks_go_back_to_the_image_and_world_is_turned_with_the_square():
    net = LandmarkNet()
    image = np.zeros((480, 640, 3), np.uint8)
    image[100:140, 200:240] = 255
    roi = Roi(220, 120, 112, np.pi / 2)
    seen = LandmarkNetwork(net).read(image, roi, threshold=0.5)
    crop = net.out["l"].reshape(21, 3)
    # a quarter turn clockwise: the crop's right is the image's down, its down the image's left
    np.testing.assert_allclose(seen.landmarks[:, 0], 220 - (crop[:, 1] - 112) / 2, rtol=1e-4)
    np.testing.assert_allclose(seen.landmarks[:, 1], 120 + (crop[:, 0] - 112) / 2, rtol=1e-4)
    np.testing.assert_allclose(seen.landmarks[:, 2], crop[:, 2] / 2 / 0.4, rtol=1e-4)
    world = net.out["w"].reshape(21, 3) - net.out["w"].reshape(21, 3)[0]
    np.testing.assert_allclose(seen.world, world[:, [1, 0, 2]] * [-1, 1, 1], atol=1e-5)
    # the white square of 40 pixels fills the middle 80 of the crop, in 0..1
    assert net.seen[0, 112, 112, 0] == pytest.approx(1)
    assert (net.seen[0, 112, :, 0] > 0.5).sum() == pytest.approx(80, abs=2)


@pytest.mark.parametrize(
    "broken",
    [
        {"p": [[0.4]]},
        {"p": [[np.nan]]},
        {"s": [[np.nan]]},
        {"l": np.full((1, 63), np.nan)},
        {"w": np.full((1, 63), np.inf)},
    ],
)
def test_a_network_that_says_no_hand_or_no_number(broken):
    roi = Roi(300, 200, 200, 0)
    assert LandmarkNetwork(LandmarkNet()).read(FRAME, roi, threshold=0.5) is not None
    assert LandmarkNetwork(LandmarkNet(**broken)).read(FRAME, roi, threshold=0.5) is None
