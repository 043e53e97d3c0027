"""The heads' network: causal, the same folded in numpy; data as it is asked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edge.gestures.head import Head, HeadWeights
from edge.gestures.motion import WIDTH
from edge.gestures.spotter import SpotSettings
from export.gestures.spotting import Span
from export.gestures.streams import Label, Stream

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from export.gestures.heads import HeadSettings, _finals, choose, evaluate, spots, ticks, train_head  # noqa: E402
from export.gestures.net import Net, NetSettings, fold  # noqa: E402


def stream(seed: int = 0, frames: int = 300) -> Stream:
    rng = np.random.default_rng(seed)
    hand = rng.normal(size=(21, 3)) * 0.05
    way = np.zeros((frames, 1, 3))
    way[100:150, 0, 0] = np.linspace(0, 0.4, 50)
    way[150:, 0, 0] = 0.4
    joints = (hand[None] + way + rng.normal(size=(frames, 21, 3)) * 1e-4).astype(np.float32)
    return Stream(f"s{seed}", 50.0, joints, (Label("SWIPE", 100, 149),), seed)


def test_a_tick_knows_nothing_of_the_future_and_numpy_agrees_with_torch() -> None:
    torch.manual_seed(0)
    net = Net(WIDTH, 4, NetSettings(width=16, dilations=(1, 2, 4)))
    x = torch.randn(2, 40, WIDTH)
    net.train()
    net(x)  # running statistics that are not the identity
    net.eval()
    later = x.clone()
    later[:, 25:] += 1
    with torch.no_grad():
        whole = net(x)
        assert torch.equal(whole[:, :25], net(later)[:, :25])
        assert not torch.equal(whole[:, 25:], net(later)[:, 25:])
    weights = fold(net, {"labels": ["REST", "a", "b", "c"], "quick_lag": 3, "late_lag": 12, "spotter": {}})
    head = Head(HeadWeights.from_bytes(weights.to_bytes()))
    for _ in range(2):  # a reset head begins anew
        head.reset()
        for k in range(40):
            quick, late = head.push(x[0, k].numpy())
            wanted = torch.softmax(whole[0, k], -1).numpy()
            np.testing.assert_allclose(np.stack([quick, late]), wanted, atol=2e-5)


def test_ticks_at_30_hz_with_labels_where_the_gesture_is() -> None:
    one = ticks(stream(), ["REST", "SWIPE"])
    assert one.x.shape == (180, WIDTH)
    assert (one.spans[0].start, one.spans[0].end) == (2.0, 3.0)
    assert np.flatnonzero(one.label).tolist() == list(range(60, 90))
    altered = ticks(stream(), ["REST", "SWIPE"], np.random.default_rng(1))
    assert len(altered.x) != len(one.x) or not np.array_equal(altered.x, one.x)


def test_training_learns_a_swipe_and_repeats_itself() -> None:
    settings = HeadSettings(
        steps=40, batch=4, crop=120, copies=1, net=NetSettings(width=16, dilations=(1, 2, 4)), average=0.9
    )
    streams, names = [stream(s) for s in range(3)], ["REST", "SWIPE"]
    one = train_head(streams, names, settings, lambda text: None)
    two = train_head(streams, names, settings, lambda text: None)
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)
    other = train_head(streams, names, replace(settings, seed=1), lambda text: None)
    assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_thresholds_are_chosen_on_what_is_given() -> None:
    names, lags = ["REST", "A"], (3, 12)
    trace = np.zeros((120, 2, 2), np.float32)
    trace[..., 0] = 1.0
    trace[43:63, 0] = trace[52:72, 1] = [0.35, 0.65]  # a gesture from tick 40 to 60, told late
    trace[100:106, 1] = [0.45, 0.55]  # a weak false one
    truth = [Span("A", 40 / 30, 60 / 30)]
    best = choose([trace], [truth], names, lags, SpotSettings(enter=0.5, sure=0.2))
    figures = evaluate([trace], [truth], names, best, lags)
    assert (figures["detection_rate"], figures["false_positive_rate"]) == (1.0, 0.0)


def test_the_quick_way_to_final_gestures_finds_what_the_spotter_finds() -> None:
    rng = np.random.default_rng(4)
    names, lags = ["REST", "A", "B"], (3, 12)
    for _ in range(5):
        logits = np.repeat(rng.normal(size=(40, 2, 3)) * 3, 8, axis=0)
        trace = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
        for settings in (SpotSettings(), SpotSettings(enter=0.7, leave=0.2, least_s=0.2, debounce_s=0.0)):
            whole = [(s.label, s.start, s.end) for s in spots(trace, names, settings, lags)]
            assert [(s.label, s.start, s.end) for s in _finals(trace, names, settings, lags)] == whole
            assert whole
