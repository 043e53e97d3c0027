from dataclasses import replace

import numpy as np
import pytest

from edge.errors import SinkError
from edge.recording import Recording
from edge.score import FINGERS, FingerEvent
from edge.skeleton import BONES
from export.sim import clips
from export.sim.camera import Camera, film, frame_on
from export.sim.flesh import GIRTH, clothe
from export.sim.perform import perform
from export.sim.render import Look, Renderer, backdrop, plain_look, solid
from export.sim.stage import set_stage
from export.sim.video import write_webm

pytest.importorskip("numba")
SIZE = (160, 120)


def scene(seed=0, hands=("left", "right"), **camera):
    score = [FingerEvent("right", "pinch", ("index",), contact="thumb", start=0.2, end=0.6)]
    rng = np.random.default_rng(seed)
    done = perform(score, duration=0.8, fps=5, rng=rng, stage=set_stage("facing", "palm"), hands=hands)
    return done, frame_on(done, Camera(size=SIZE, **camera))


@pytest.mark.parametrize("mirrored", [False, True])
def test_hand_pixels_are_where_the_landmarks_are_and_nowhere_else(mirrored):
    done, camera = scene(mirrored=mirrored)
    marks = film(done, camera).landmarks[..., :2] * SIZE
    renderer = Renderer(camera, replace(plain_look(), sleeve=9.0))
    for i in range(len(done.t_ns)):
        rgb, hit = renderer.draw(solid(done, camera, renderer.look, i))
        assert rgb.shape == (120, 160, 3)
        assert rgb.dtype == np.uint8
        v, u = np.mgrid[0:120, 0:160] + 0.5
        nearest = np.full(hit.shape, np.inf)
        for hand in marks[i]:
            for a, b in BONES:  # the middle of every bone is covered
                x, y = (hand[a] + hand[b]) / 2
                assert hit[int(y), int(x)] == 1.0
            for x, y in hand:
                nearest = np.minimum(nearest, np.hypot(u - x, v - y))
        palm = np.linalg.norm(marks[i, 1, 9] - marks[i, 1, 0])
        above = v < marks[i, :, 0, 1].max()  # below the wrists is forearm
        assert hit[above & (nearest > 0.6 * palm)].max() == 0


def test_a_hand_looks_like_skin_and_the_empty_room_like_the_backdrop():
    done, camera = scene()
    renderer = Renderer(camera)
    rgb, hit = renderer.draw(solid(done, camera, renderer.look, 0))
    empty, none = renderer.draw([])
    assert none.max() == 0
    np.testing.assert_array_equal(rgb[hit == 0], empty[hit == 0])
    palm = rgb[hit == 1].astype(float)
    assert np.mean(palm[:, 0] > palm[:, 2]) > 0.6
    wall = (255 * backdrop(SIZE, renderer.look.backdrop) ** (1 / 2.2)).round()
    assert np.abs(empty - wall).mean() < 1


def test_the_same_seed_draws_the_same_picture():
    done, camera = scene()
    look = Look.sample(np.random.default_rng(4))
    one, two = (next(Renderer(camera, look, seed=3).frames(done)) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    other = next(Renderer(camera, Look.sample(np.random.default_rng(5)), seed=3).frames(done))
    assert np.abs(one.astype(int) - other).mean() > 5


def test_supersampling_keeps_size_and_place():
    done, camera = scene()
    hands = solid(done, camera, plain_look(), 0)
    rough, fine = Renderer(camera).draw(hands)[1], Renderer(camera, supersample=2).draw(hands)[1]
    assert rough.shape == fine.shape
    assert np.abs(rough - fine).mean() < 0.02


def test_looks_are_within_what_a_picture_can_show():
    for seed in range(60):
        look = Look.sample(np.random.default_rng(seed))
        assert np.isfinite(look.skin).all()
        assert 0 < look.skin.min() <= look.skin.max() <= 1
        assert np.linalg.norm(look.sun) == pytest.approx(1)
        picture = backdrop((32, 24), look.backdrop)
        assert np.isfinite(picture).all()
        assert 0 <= picture.min() <= picture.max() <= 1


def test_flesh_follows_the_bones_and_fingernails_are_on_the_back():
    done, camera = scene()
    joints = camera.see(done.joints[0, 1] + done.wrist[0, 1])
    body = clothe(joints, left=False)
    for f in range(5):
        tip = (body.group == f) & (body.bone == 2)
        np.testing.assert_allclose(body.ends[tip][0, 0], joints[4 * f + 3])
        assert body.radii[tip][0, 1] == pytest.approx(GIRTH[f, 3] * body.scale)
    # palm to the camera: backs point away from it
    assert body.back[(body.group > 0) & (body.group < 5)][:, 2].min() > 0.3
    assert len(FINGERS) == 5


def test_clips_come_with_their_truth_and_a_broken_run_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(clips, "SIZE", (64, 48))
    arguments = ["-o", str(tmp_path), "--count", "2", "--seed", "3", "--seconds", "2.2", "--split", "any"]
    assert clips.main(arguments) == 0
    truth = Recording.load(tmp_path / "0001.npz")
    assert truth.image_size == (64, 48)
    assert truth.score_json.startswith("[")
    import cv2

    video = cv2.VideoCapture(str(tmp_path / "0001.webm"))
    count = 0
    while video.read()[0]:
        count += 1
    assert count == len(truth)
    (tmp_path / "0001.npz").unlink()
    stamp = (tmp_path / "0000.npz").stat().st_mtime_ns
    assert clips.main(arguments) == 0
    assert (tmp_path / "0001.npz").exists()
    assert (tmp_path / "0000.npz").stat().st_mtime_ns == stamp
    assert clips.main([*arguments[:4], "--seed", "4", "--split", "any"]) == 1
    assert "another folder" in capsys.readouterr().out


def test_a_video_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="could not be written"):
        write_webm(tmp_path / "file" / "clip.webm", [], 30, (32, 24))
