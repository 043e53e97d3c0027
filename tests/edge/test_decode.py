import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.decode import COLUMNS, DecodeSettings, best_path, decode
from edge.score import HANDS, MOTIONS, FingerEvent, check
from edge.targets import ATTRIBUTES, MOTION_NAMES, SLOT_WIDTH, SLOTS, allowed, codes, slots_of


def probabilities(events: list[FingerEvent], ticks: int = 60, sure: float = 0.9) -> np.ndarray:
    """What a perfect encoder would say of the events."""
    out = np.zeros((ticks, 2, len(SLOTS), SLOT_WIDTH), np.float32)
    for name, width in ATTRIBUTES.items():
        out[..., COLUMNS[name]] = (1 - sure) / (width - 1)
        out[..., COLUMNS[name].start] = sure
    for event in events:
        a, z = round(event.start * 30), round(event.end * 30)
        for slot in slots_of(event):
            for (name, width), code in zip(ATTRIBUTES.items(), codes(event), strict=True):
                row = np.full(width, (1 - sure) / (width - 1), np.float32)
                row[code] = sure
                out[a:z, HANDS.index(event.hand), slot, COLUMNS[name]] = row
    return out


TIMES = np.arange(60) / 30
EVENTS = [
    FingerEvent("right", "curl", ("index", "middle"), extent="half", start=0.2, end=0.8),
    FingerEvent("right", "pinch", ("ring",), contact="thumb", start=0.4, end=1.0),
    FingerEvent("left", "swipe", (), "up", speed="fast", start=0.5, end=0.8),
    FingerEvent("left", "grab", (), contact="object", start=0.5, end=1.0),
    FingerEvent("left", "tap", ("index",), contact="surface", repeat=3, start=1.1, end=1.8),
    FingerEvent("right", "slide", ("thumb",), "tip", "index", start=1.1, end=1.6),
]


def test_what_the_targets_say_is_read_back() -> None:
    read = decode(TIMES, probabilities(EVENTS))
    assert {replace(e, confidence=1.0, start=0.0, end=0.0) for e in read} == {e.moved(0.0, 0.0) for e in EVENTS}
    for event in EVENTS:
        same = next(e for e in read if (e.hand, e.motion) == (event.hand, event.motion))
        assert same.start == pytest.approx(event.start, abs=0.034)
        assert same.end == pytest.approx(event.end, abs=0.034)
        assert same.confidence == pytest.approx(0.9, abs=0.01)


def test_a_flicker_is_no_event_and_no_break() -> None:
    probs = probabilities([EVENTS[2]])
    swipe, wave = MOTION_NAMES.index("swipe"), MOTION_NAMES.index("wave")
    column = COLUMNS["motion"].start
    probs[18, 0, 6, column + swipe], probs[18, 0, 6, column + wave] = 0.3, 0.5  # one tick says something else
    probs[40, 1, 2, column], probs[40, 1, 2, column + 1] = 0.3, 0.65  # one tick says something of nothing
    assert [(e.hand, e.motion) for e in decode(TIMES, probs)] == [("left", "swipe")]


def test_fingers_join_only_when_they_act_together() -> None:
    apart = [replace(EVENTS[0], fingers=("index",)), replace(EVENTS[0], fingers=("middle",), start=1.2, end=1.8)]
    assert [e.fingers for e in decode(TIMES, probabilities(apart))] == [("index",), ("middle",)]


def test_one_finger_alone_cannot_spread() -> None:
    pair = FingerEvent("right", "spread", ("index", "middle"), start=0.2, end=0.8)
    assert decode(TIMES, probabilities([pair]))[0].fingers == pair.fingers
    assert decode(TIMES, probabilities([replace(pair, fingers=("index",))])) == ()


def test_best_path_is_the_best() -> None:
    rng = np.random.default_rng(0)
    probs = rng.dirichlet(np.ones(len(MOTION_NAMES)), (5, 2, len(SLOTS))).astype(np.float32)
    cost = DecodeSettings(switch=1.0, bias=0.0)
    path = best_path(probs, cost)[:, 1, 5]
    may = allowed(5)
    log = np.log(probs[:, 1, 5])

    def worth(way: tuple[int, ...]) -> float:
        return sum(log[t, m] for t, m in enumerate(way)) - sum(a != b for a, b in itertools.pairwise(way))

    best = max(np.ndindex(*[len(may)] * 5), key=lambda way: worth(tuple(may[i] for i in way)))
    assert tuple(path) == tuple(may[i] for i in best)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 3.0))
def test_every_reading_is_in_the_vocabulary(seed: int, sharpness: float) -> None:
    """Whatever a network says, the score is one that the narrator can tell."""
    rng = np.random.default_rng(seed)
    raw = np.repeat(rng.normal(0, sharpness, (8, 2, len(SLOTS), SLOT_WIDTH)), 8, axis=0)
    probs = np.concatenate(
        [np.exp(raw[..., c]) / np.exp(raw[..., c]).sum(-1, keepdims=True) for c in COLUMNS.values()], axis=-1
    )
    for event in decode(np.arange(64) / 30, probs, DecodeSettings(sure=0.0)):
        check(event)


def test_what_is_doubted_is_left_unsaid() -> None:
    """Below the asked probability an event says less; what it needs to be an event is told all the same."""
    event = FingerEvent("right", "tap", ("index",), "", "thumb", "small", "fast", 3, start=0.2, end=0.7)
    slide = FingerEvent("left", "slide", ("thumb",), "tip", "index", start=0.8, end=1.4)
    probs = probabilities([event, slide]).copy()
    at = COLUMNS["speed"]
    probs[..., at] = 0.5 * probs[..., at] + 0.5 / (at.stop - at.start)  # fast: two in three
    whole, unsure = (decode(TIMES, probs, DecodeSettings(attribute=a)) for a in (0.6, 0.75))
    assert (whole[0].contact, whole[0].extent, whole[0].speed, whole[0].repeat) == ("thumb", "small", "fast", 3)
    assert replace(whole[0], speed="normal") == unsure[0]
    for name, wide in (("contact", 10), ("extent", 3), ("repeat", 4), ("direction", 12)):
        probs[..., COLUMNS[name]] = 0.3 * probs[..., COLUMNS[name]] + 0.7 / wide
    said = decode(TIMES, probs, DecodeSettings(attribute=0.9))
    assert [(e.motion, e.direction, e.contact, e.extent, e.speed, e.repeat) for e in said] == [
        ("tap", "", "", "full", "normal", 1), ("slide", "tip", "index", "full", "normal", 1),
    ]  # fmt: skip


def test_slots_and_motions_cover_each_other() -> None:
    named = {MOTION_NAMES[i] for slot in range(len(SLOTS)) for i in allowed(slot)} - {""}
    assert named == set(MOTIONS) - {"rest"}
    assert sum(ATTRIBUTES.values()) == SLOT_WIDTH
