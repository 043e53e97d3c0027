from dataclasses import replace

import numpy as np
import pytest

from edge.hands.frame import HandFrame
from edge.model_features import FORGET_TICKS, PARTS, WIDTH, FeatureReader
from edge.resample import Resampler, Tick
from edge.score import HANDS, FingerEvent
from export.sim.anatomy import Body
from export.sim.camera import Camera, film, frame_on
from export.sim.perform import perform
from export.sim.stage import set_stage

MOVES = (("curl", ("index",), ""), ("swipe", (), "left"))


def frames(hand: str, view: str = "facing", body: Body | None = None, **camera: float) -> list[HandFrame]:
    score = tuple(FingerEvent(hand, m, f, d, start=0.3, end=0.8) for m, f, d in MOVES)
    rng = np.random.default_rng(3)
    done = perform(score, duration=1.0, rng=rng, body=body or Body.average(), stage=set_stage(view, hands=(hand,)))
    return list(film(done, frame_on(done, Camera(**camera))).frames())


def read(given: list[HandFrame], view: str = "facing") -> np.ndarray:
    resampler, reader = Resampler(), FeatureReader(view)
    return np.stack([reader.read(k) for f in given for k in resampler.push(f)])


def test_shape_and_absent_hand() -> None:
    out = read(frames("right"))
    assert out.shape == (30, 2, PARTS, WIDTH)
    assert out.dtype == np.float32
    assert (out[:, 0] == 0).all()
    assert np.isfinite(out).all()


def test_finger_tokens_of_left_and_right_hand_are_alike() -> None:
    left, right = read(frames("left"))[:, 0, :5, :16], read(frames("right"))[:, 1, :5, :16]
    assert np.abs(left - right).max() < 0.15  # drift differs by 0.1, mirrored coordinates would by 1


def test_size_of_the_hand_drops_out() -> None:
    average = Body.average()
    small = Body(average.metres * 0.8, average.bases, average.lengths, average.lean, average.enslaving, average.tremor)
    a, b = read(frames("right"))[:, 1, :5, :16], read(frames("right", body=small))[:, 1, :5, :16]
    assert np.abs(a - b).max() < 0.02


@pytest.mark.parametrize("view", ["facing", "egocentric"])
def test_swipe_to_the_left_reads_left_in_both_views(view: str) -> None:
    out = read(frames("right", view), view)
    assert out[12:20, 1, 5, 9].mean() < -0.3  # person's right is positive
    assert abs(out[12:20, 1, 5, 10].mean()) < 0.25


@pytest.mark.parametrize("hand", ["left", "right"])
@pytest.mark.parametrize("view", ["facing", "egocentric"])
def test_clockwise_turn_is_positive(hand: str, view: str) -> None:
    way = "cw" if (hand == "right") == (view == "facing") else "ccw"
    score = (FingerEvent(hand, "rotate", direction=way, start=0.3, end=0.8),)
    done = perform(score, duration=1.0, rng=np.random.default_rng(0), stage=set_stage(view, hands=(hand,)))
    assert not done.problems
    out = read(list(film(done, frame_on(done, Camera())).frames()), view)
    turned = out[9:25, HANDS.index(hand), 5, 28].sum() / 10
    assert turned * (1 if way == "cw" else -1) > 1.0


def test_depth_from_the_image_has_the_sign_of_the_metric_wrist() -> None:
    score = (FingerEvent("right", "swipe", direction="forward", start=0.3, end=0.8),)
    done = perform(score, duration=1.0, rng=np.random.default_rng(0), stage=set_stage(hands=("right",)))
    given = list(film(done, frame_on(done, Camera())).frames())
    metric = read(given)[12:20, 1, 5, 11].mean()
    blind = [replace(f, wrist=f.wrist * np.nan) for f in given]
    assert metric > 0.3
    assert read(blind)[12:20, 1, 5, 11].mean() > 0.2


def test_sources_that_lack_something_are_marked_and_finite() -> None:
    whole = frames("right")
    nothing = np.full((2, 21, 3), np.nan, np.float32)
    flat = [replace(f, world=nothing, wrist=f.wrist * np.nan) for f in whole]
    head = [replace(f, landmarks=nothing, image_size=(0, 0)) for f in whole]
    for given, world, image in ((whole, 1, 1), (flat, 0, 1), (head, 1, 0)):
        out = read(given)
        assert np.isfinite(out).all()
        assert (out[:, 1, :5, 28] == world).all()
        assert (out[:, 1, :5, 29] == image).all()


def test_lost_hand_stands_still_and_then_goes_to_nothing() -> None:
    resampler, reader = Resampler(), FeatureReader("facing")
    (tick,) = resampler.push(frames("right")[0])
    first = reader.read(tick)
    nothing = (a * np.nan for a in (tick.world, tick.image, tick.wrist))
    nobody = Tick(0, 0.0, *nothing, np.zeros(2, np.float32), np.zeros(2, bool), tick.fresh)
    held = reader.read(nobody)
    assert held[1, 5, 20] == 0
    assert np.array_equal(held[1, :5], first[1, :5])
    for _ in range(FORGET_TICKS):
        held = reader.read(nobody)
    assert (held == 0).all()


def test_batch_and_stream_are_the_same_code() -> None:
    given = frames("right")
    resampler = Resampler()
    ticks = [k for f in given for k in resampler.push(f)]
    from edge.model_features import PERSON_AXES, geometry

    views = np.stack([PERSON_AXES["facing"], PERSON_AXES["egocentric"]])
    batch = FeatureReader(views, (2,))
    ones = [FeatureReader("facing"), FeatureReader("egocentric")]
    for k in ticks:
        both = [np.stack([a, a]) for a in (k.world, k.image, k.wrist, k.present)]
        score = np.stack([k.score, k.score])
        out = batch.step(geometry(*both, views, score), np.stack([k.fresh, k.fresh]))
        for i, reader in enumerate(ones):
            np.testing.assert_allclose(out[i], reader.read(k), atol=2e-6)
