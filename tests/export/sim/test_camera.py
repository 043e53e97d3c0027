import json
from dataclasses import replace

import numpy as np
import pytest

from edge import skeleton as sk
from edge.recording import Recording
from edge.score import HANDS, FingerEvent
from export.sim.camera import Camera, film, frame_on
from export.sim.perform import perform
from export.sim.stage import POSTURES, set_stage

CURL = FingerEvent("right", "curl", ("index",), start=0.3, end=0.7)


def shown(view="facing", posture="palm", hands=HANDS, **camera):
    result = perform(
        [CURL], duration=1.0, fps=20, rng=np.random.default_rng(0), stage=set_stage(view, posture), hands=hands
    )
    placed = frame_on(result, Camera(**camera))
    return result, placed, film(result, placed)


@pytest.mark.parametrize("view", list(POSTURES))
@pytest.mark.parametrize("posture", list(POSTURES["facing"]))
def test_the_recording_is_of_real_hands_in_the_picture(view, posture):
    _, _, seen = shown(view, posture, yaw=0.5, pitch=-0.4, roll=0.1)
    assert np.all(sk.chirality(seen.world[-1]) * [-1, 1] > 0.1)
    assert seen.landmarks[..., :2].min() > 0.05
    assert seen.landmarks[..., :2].max() < 0.95
    np.testing.assert_array_equal(seen.world[:, :, 0], 0)
    assert seen.view == view
    assert seen.wrist[..., 2].min() > 0.2


def test_a_person_who_faces_the_camera_has_the_right_hand_on_its_left():
    _, _, seen = shown("facing")
    assert seen.landmarks[0, 1, 0, 0] < seen.landmarks[0, 0, 0, 0]
    _, _, seen = shown("egocentric")
    assert seen.landmarks[0, 1, 0, 0] > seen.landmarks[0, 0, 0, 0]


def test_landmarks_are_the_projection_of_world_and_wrist():
    _, camera, seen = shown(yaw=0.3, size=(640, 480))
    points = seen.world + seen.wrist[:, :, None]
    u = 0.5 + camera.focal * points[..., 0] / points[..., 2]
    v = 0.5 + camera.focal * points[..., 1] / points[..., 2] * 640 / 480
    np.testing.assert_allclose(seen.landmarks[..., 0], u, atol=1e-5)
    np.testing.assert_allclose(seen.landmarks[..., 1], v, atol=1e-5)
    np.testing.assert_allclose(seen.landmarks[..., 0, 2], 0, atol=1e-6)
    nearer = seen.world[..., 8, 2] < seen.world[..., 0, 2]
    np.testing.assert_array_equal(seen.landmarks[..., 8, 2] < 0, nearer)


def test_mirroring_flips_the_picture_and_nothing_else():
    result, camera, plain = shown()
    mirrored = film(result, replace(camera, mirrored=True))
    np.testing.assert_allclose(mirrored.landmarks[..., 0], 1 - plain.landmarks[..., 0], atol=1e-6)
    np.testing.assert_array_equal(mirrored.landmarks[..., 1:], plain.landmarks[..., 1:])
    np.testing.assert_array_equal(mirrored.world, plain.world)
    np.testing.assert_array_equal(mirrored.wrist, plain.wrist)
    assert mirrored.mirrored
    assert not plain.mirrored


def test_a_camera_that_rises_or_walks_around_sees_the_same_hand():
    _, _, front = shown()
    _, _, aside = shown(yaw=0.6, pitch=0.4)
    np.testing.assert_allclose(sk.flexion(front.world), sk.flexion(aside.world), atol=1e-4)
    np.testing.assert_allclose(sk.palm_length(front.world), sk.palm_length(aside.world), atol=1e-6)
    assert np.abs(front.world - aside.world).max() > 0.02


def test_an_absent_hand_is_absent_and_the_score_is_carried(tmp_path):
    _, _, seen = shown(hands=("right",))
    assert np.isnan(seen.world[:, 0]).all()
    assert seen.presence[:, 0].max() == 0
    assert seen.track_id[0].tolist() == [-1, 1]
    seen.save(tmp_path / "clip.npz")
    again = Recording.load(tmp_path / "clip.npz")
    assert [FingerEvent.from_dict(row) for row in json.loads(again.score_json)] == [CURL]
    np.testing.assert_array_equal(np.isnan(again.world), np.isnan(seen.world))
