"""Runs are found where a minimum-jerk motion was made, at any frame rate, and jitter makes none."""

import numpy as np
import pytest

from edge.channels import Channel, ChannelSettings

SETTINGS = ChannelSettings(leave=14.0, turn=14.0)


def jerk(u):
    u = np.clip(u, 0, 1)
    return 10 * u**3 - 15 * u**4 + 6 * u**5


def runs_of(signal, fps, seconds, settings=SETTINGS, flush=False):
    channel = Channel(settings)
    found = []
    for t in np.arange(0, seconds, 1 / fps):
        run = channel.push(float(t), float(signal(t)))
        if run is not None:
            found.append(run)
    if flush and (run := channel.flush()) is not None:
        found.append(run)
    return found


@pytest.mark.parametrize("fps", [15, 24, 30, 60])
@pytest.mark.parametrize("lasting", [0.25, 0.6, 1.5])
def test_a_motion_is_one_run_with_its_times(fps, lasting):
    (run,) = runs_of(lambda t: 20 + 120 * jerk((t - 1.0) / lasting), fps, 4.0)
    assert run.change == pytest.approx(120, abs=12)
    slack = 0.06 + 0.13 * lasting + 1 / fps
    assert run.start == pytest.approx(1.0, abs=slack)
    assert run.end == pytest.approx(1.0 + lasting, abs=slack)


def test_there_and_back_is_two_runs():
    out, back = runs_of(lambda t: 90 * (jerk((t - 0.5) / 0.4) - jerk((t - 0.9) / 0.4)), 30, 2.5)
    assert out.change > 60
    assert back.change < -60
    assert out.end <= back.start + 0.1


def test_jitter_and_drift_are_silent():
    noise = np.random.default_rng(7)
    assert runs_of(lambda t: 40 + noise.normal(0, 2.5) + 4 * t, 30, 20.0) == []


def test_nan_is_ignored():
    signal = runs_of(lambda t: float("nan") if int(t * 30) % 4 == 0 else 120 * jerk((t - 1) / 0.5), 30, 3.0)
    assert len(signal) == 1


def test_flush_closes_what_is_open():
    assert runs_of(lambda t: 100 * t, 30, 1.0) == []
    (run,) = runs_of(lambda t: 100 * t, 30, 1.0, flush=True)
    assert run.change > 80
