import numpy as np
import pytest

from edge.hands.frame import HandFrame
from edge.resample import TICK_HZ, Resampler


def frame(t: float, x: float = 0.0, track: int = 1, present: bool = True) -> HandFrame:
    world = np.full((2, 21, 3), np.nan, np.float32)
    marks = np.full((2, 21, 3), np.nan, np.float32)
    world[1], marks[1] = x, x
    return HandFrame(
        t_ns=round(t * 1e9),
        landmarks=marks,
        world=world,
        presence=np.array([0, present], np.float32),
        track_id=np.array([-1, track], np.int32),
        image_size=(640, 480),
    )


@pytest.mark.parametrize("fps", [15.0, 24.0, 29.97, 30.0, 60.0])
def test_ticks_are_30_a_second_and_lie_on_the_motion(fps: float) -> None:
    times = np.arange(0, 2, 1 / fps) + 5.0
    resampler = Resampler()
    ticks = [k for t in times for k in resampler.push(frame(t, x=t))]
    assert [k.index for k in ticks] == list(range(len(ticks)))
    assert len(ticks) == int((times[-1] + 0.002 - 5.0) * TICK_HZ + 1e-6) + 1
    for k in ticks:
        assert k.t == pytest.approx(5.0 + k.index / TICK_HZ)
        assert k.world[1, 0, 0] == pytest.approx(k.t, abs=0.0025)  # the motion is linear, stamps have slack


def test_image_points_have_square_pixels() -> None:
    (tick,) = Resampler().push(frame(0.0, x=0.8))
    assert tick.image[1, 0].tolist() == pytest.approx([0.8, 0.6, 0.8])
    assert tick.world[1, 0].tolist() == pytest.approx([0.8, 0.8, 0.8])


def test_nothing_is_interpolated_between_two_hands() -> None:
    resampler = Resampler()
    resampler.push(frame(0.0, x=0.0))
    ticks = resampler.push(frame(0.1, x=1.0, track=2))
    assert [float(k.world[1, 0, 0]) for k in ticks] == [1.0, 1.0, 1.0]
    assert [bool(k.fresh[1]) for k in ticks] == [True, False, False]


def test_a_hand_that_left_is_not_there_before_the_next_frame() -> None:
    resampler = Resampler()
    assert resampler.push(frame(0.0))[0].present.tolist() == [False, True]
    ticks = resampler.push(frame(0.1, present=False))
    assert [k.present.tolist() for k in ticks] == [[False, False]] * 3


def test_no_tick_looks_ahead() -> None:
    resampler = Resampler()
    resampler.push(frame(0.0))
    assert resampler.push(frame(0.030)) == []
    assert len(resampler.push(frame(0.034))) == 1
