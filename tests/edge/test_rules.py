"""The rules name what the kinematic hand performs, for both hands, both views, mirrored or not, any frame rate."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.atoms import Atom, RuleSettings
from edge.channels import Run
from edge.compose import compose
from edge.pipeline import Captioner
from edge.rules import RuleRecogniser
from edge.score import FINGERS, HANDS, SIDE_DIRECTIONS, FingerEvent, check
from tests.edge.stage import caption, finals, recording


def said(made):
    return [(e.hand, e.motion, e.fingers, e.direction, e.contact) for e in finals(caption(made))]


def event(hand, motion, fingers=(), direction="", contact="", start=1.0, end=1.5):
    return FingerEvent(hand, motion, fingers, direction, contact, start=start, end=end)


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("finger", FINGERS)
def test_single_bends_and_straightenings(hand, finger):
    made = recording([event(hand, "curl", (finger,)), event(hand, "extend", (finger,), start=2.3, end=2.8)])
    assert said(made) == [(hand, "curl", (finger,), "", ""), (hand, "extend", (finger,), "", "")]


@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("finger", FINGERS[1:])
def test_pinches_and_releases(hand, finger):
    made = recording(
        [event(hand, "pinch", (finger,), contact="thumb"), event(hand, "release", (finger,), "", "thumb", 2.3, 2.8)]
    )
    assert said(made) == [(hand, "pinch", (finger,), "", "thumb"), (hand, "release", (finger,), "", "thumb")]


@pytest.mark.parametrize("hand", HANDS)
def test_fist_opening_spread_and_close(hand):
    long = FINGERS[1:]
    assert said(recording([event(hand, "grab"), event(hand, "open", start=2.3, end=2.8)])) == [
        (hand, "grab", (), "", ""),
        (hand, "open", (), "", ""),
    ]
    assert said(recording([event(hand, "spread", long), event(hand, "close", long, start=2.3, end=2.8)])) == [
        (hand, "spread", long, "", ""),
        (hand, "close", long, "", ""),
    ]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("view", ["facing", "egocentric"])
@pytest.mark.parametrize("hand", HANDS)
@pytest.mark.parametrize("direction", SIDE_DIRECTIONS)
def test_swipes_in_the_persons_own_directions(hand, view, mirrored, direction):
    made = recording([event(hand, "swipe", direction=direction)], view=view, mirrored=mirrored)
    assert said(made) == [(hand, "swipe", (), direction, "")]


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("view", ["facing", "egocentric"])
@pytest.mark.parametrize("hand", HANDS)
def test_turns_have_one_sense_for_both_hands(hand, view, mirrored):
    # from this posture a right hand has room to turn clockwise, a left hand counter-clockwise
    first, back = ("cw", "ccw") if (hand == "right") == (view == "facing") else ("ccw", "cw")
    made = recording(
        [event(hand, "rotate", direction=first, end=1.7), event(hand, "rotate", (), back, "", 2.5, 3.2)],
        view=view,
        mirrored=mirrored,
    )
    assert said(made) == [(hand, "rotate", (), first, ""), (hand, "rotate", (), back, "")]


def test_wave_point_taps_and_thumb_swipes():
    assert said(recording([event("right", "wave", end=2.6)])) == [("right", "wave", (), "", "")]
    assert said(recording([event("right", "point", ("index",))])) == [("right", "point", ("index",), "", "")]
    assert said(recording([event("right", "tap", ("index",), end=1.3)])) == [("right", "tap", ("index",), "", "")]
    tap = event("right", "tap", ("thumb",), "", "index", 1.0, 1.3)
    assert said(recording([tap], posture="micro")) == [("right", "tap", ("thumb",), "", "index")]
    for direction in ("left", "right"):
        swipe = event("right", "swipe", ("thumb",), direction, "index")
        assert said(recording([swipe], posture="micro")) == [("right", "swipe", ("thumb",), direction, "index")]


def test_there_and_back_again_is_a_repeat():
    made = recording([FingerEvent("right", "curl", ("index",), repeat=3, start=1.0, end=3.0)])
    (only,) = finals(caption(made))
    assert (only.motion, only.fingers, only.repeat) == ("curl", ("index",), 3)


@pytest.mark.parametrize("fps", [15, 24, 60])
def test_frame_rate_does_not_matter(fps):
    made = recording([event("right", "pinch", ("middle",), contact="thumb", end=1.6)], fps=fps)
    assert said(made) == [("right", "pinch", ("middle",), "", "thumb")]


def test_times_are_those_of_the_motion():
    (only,) = finals(caption(recording([event("left", "curl", ("index", "middle"), start=1.2, end=1.9)])))
    assert only.start == pytest.approx(1.2, abs=0.12)
    assert only.end == pytest.approx(1.9, abs=0.15)


def test_two_hands_at_once():
    made = recording(
        [event("right", "curl", ("index", "middle")), event("left", "pinch", ("index",), "", "thumb", 1.2, 1.7)]
    )
    assert said(made) == [("right", "curl", ("index", "middle"), "", ""), ("left", "pinch", ("index",), "", "thumb")]


def test_a_still_hand_is_silent():
    made = recording([], hands=("left", "right"), after=8.0)
    jitter = np.random.default_rng(3).normal(0, 0.0012, made.world.shape).astype(np.float32)
    made.world[:] += jitter
    assert [e.type for e in caption(made)] == ["hands_seen"]


def test_image_landmarks_alone_suffice_for_bends():
    made = recording([event("right", "curl", ("index",), end=1.6)])
    made.world[:] = np.nan
    made.wrist[:] = np.nan
    assert ("right", "curl", ("index",), "", "") in said(made)


def test_a_short_hole_in_the_stream_does_not_lose_the_motion():
    made = recording([event("right", "curl", ("index",))])
    frames = [f for f in made.frames() if not 1.62 < f.t < 2.05]  # 0.43 s: too short for a gap, too long to follow
    captioner = Captioner(RuleRecogniser())
    events = [e for f in frames for e in captioner.push(f)] + captioner.flush()
    assert [(e.motion, e.fingers) for e in finals(events)] == [("curl", ("index",))]


def test_a_new_track_id_does_not_lose_the_motion():
    made = recording([event("right", "curl", ("index",))])
    frames = [replace(f, track_id=np.array([-1, 7 if f.t > 1.6 else 1], np.int32)) for f in made.frames()]
    captioner = Captioner(RuleRecogniser())
    events = [e for f in frames for e in captioner.push(f)] + captioner.flush()
    assert [(e.motion, e.fingers) for e in finals(events)] == [("curl", ("index",))]


def test_events_of_one_finger_never_overlap_when_the_hand_is_lost_in_mid_motion():
    made = recording([event("right", "curl", ("index",), end=1.8)])
    frames = [replace(f, presence=np.zeros(2, np.float32)) if 1.3 < f.t < 1.62 else f for f in made.frames()]
    captioner = Captioner(RuleRecogniser())
    told = finals([e for f in frames for e in captioner.push(f)] + captioner.flush())
    assert told
    assert all(a.end <= b.start + 1e-6 for a, b in pairwise(sorted(told, key=lambda e: e.start)))


def still(seconds=4.0):
    return list(recording([], hands=("right",), after=seconds).frames())


def blank(frame, **parts):
    return replace(frame, **{name: np.full_like(getattr(frame, name), value) for name, value in parts.items()})


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda f, i: blank(f, landmarks=np.nan) if i // 8 % 2 else f, id="image landmarks come and go"),
        pytest.param(lambda f, i: blank(f, world=np.nan, wrist=np.nan) if i < 60 else f, id="world begins late"),
        pytest.param(lambda f, i: blank(f, world=0.0) if i == 60 else f, id="one frame of zeros"),
        pytest.param(lambda f, i: replace(f, world=f.world * 9) if i == 60 else f, id="one exploded frame"),
        pytest.param(lambda f, i: replace(f, image_size=(1280, 480)) if i > 60 else f, id="the image size changes"),
    ],
)
def test_a_still_hand_stays_silent_whatever_its_source_does(spoil):
    captioner = Captioner(RuleRecogniser())
    events = [e for i, f in enumerate(still()) for e in captioner.push(spoil(f, i))] + captioner.flush()
    assert finals(events) == []


def test_two_hands_that_swap_places_do_not_move():
    frames = list(recording([], hands=("left", "right"), after=4.0).frames())

    def swapped(frame):
        return replace(frame, **{n: getattr(frame, n)[::-1].copy() for n in ("landmarks", "world", "wrist")})

    captioner = Captioner(RuleRecogniser())
    events = [e for i, f in enumerate(frames) for e in captioner.push(swapped(f) if i > 60 else f)]
    assert [e for e in finals(events + captioner.flush()) if e.motion in ("swipe", "wave", "rotate")] == []


def test_negative_times_are_times_too():
    frames = [replace(f, t_ns=f.t_ns - 10**10) for f in recording([event("right", "curl", ("index",))]).frames()]
    captioner = Captioner(RuleRecogniser())
    (only,) = finals([e for f in frames for e in captioner.push(f)] + captioner.flush())
    assert only.start == pytest.approx(-9.0, abs=0.12)


def test_a_tap_that_the_stream_cuts_is_no_bend():
    made = recording([event("right", "tap", ("thumb",), "", "index", 1.0, 1.4)], posture="micro")
    captioner = Captioner(RuleRecogniser())
    events = [e for f in made.frames() if f.t < 1.2 for e in captioner.push(f)] + captioner.flush()
    assert {e.motion for e in finals(events)} <= {"tap", "touch"}


def test_runs_of_no_length_compose():
    """A run can open and close within one frame; it overlaps nothing, not even itself."""
    atoms = [Atom("spread", f, Run(0.0, 20.0, 1.0, 1.0), (0.0,) * 5, (1.0,) * 4) for f in (1, 2)] + [
        Atom("bend", f, Run(0.0, 90.0, 1.5, 1.5), (0.0,) * 5, (1.0,) * 4) for f in range(5)
    ]
    score = compose(atoms, "right", "facing", RuleSettings())
    assert {e.motion for e in score} >= {"spread", "curl"}


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.001, 0.02, 0.1]))
def test_garbage_makes_no_errors_and_no_invalid_events(seed, size):
    """Noise, leaps, losses, holes and zeros: whatever is said is in the vocabulary."""
    rng = np.random.default_rng(seed)
    good = list(recording([event("right", "pinch", ("index",), contact="thumb"), event("left", "grab")]).frames())
    captioner, events, t = Captioner(RuleRecogniser()), [], 0
    for i in range(150):
        t += int(rng.choice([1e6, 3.3e7, 6e7, 3e8]))
        frame = good[rng.integers(len(good))] if rng.random() < 0.3 else good[i % len(good)]
        world = frame.world + rng.normal(0, size, frame.world.shape).astype(np.float32)
        marks = frame.landmarks + rng.normal(0, size, frame.landmarks.shape).astype(np.float32)
        world *= rng.random() > 0.02
        if rng.random() < 0.02:
            world[int(rng.integers(2))] = np.nan
        presence = (rng.random(2) < 0.95).astype(np.float32)
        events += captioner.push(replace(frame, t_ns=t, world=world, landmarks=marks, presence=presence))
    for one in finals(events + captioner.flush()):
        check(one)
