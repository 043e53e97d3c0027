"""The overlay: sizes, what is drawn where, and that nothing a tracker can say breaks it."""

import cv2
import numpy as np
import pytest

from edge import canvas
from edge.canvas import FINGER_COLOURS
from edge.events import Caption, GestureEnd, GestureStart
from edge.hands.frame import HandFrame
from edge.overlay import LINGER_S, MAX_PICTURE, Overlay
from edge.score import FingerEvent
from edge.timeline import Timeline, clock, label, levels
from tests.edge.stage import recording

GRAB = FingerEvent("left", "grab", start=0.2, end=0.8)
CURL = FingerEvent("right", "curl", ("index",), start=0.2, end=0.7)
MADE = recording([CURL])
FRAMES = list(MADE.frames())


def count(picture, colour, tolerance=6):
    return int((np.abs(picture.astype(int) - np.asarray(colour)).max(-1) <= tolerance).sum())


def grey(size):
    return np.full((size[1], size[0], 3), 90, np.uint8)


@pytest.mark.parametrize("size", [(320, 240), (321, 241), (640, 480), (1280, 720), (3840, 2160), (480, 854), (32, 900)])
def test_every_size_gives_an_even_readable_picture(size):
    overlay = Overlay(size)
    out = overlay.draw(grey(size), FRAMES[0], [])
    assert out.shape == (overlay.height, overlay.width, 3)
    assert overlay.height % 2 == overlay.width % 2 == 0
    assert 640 <= overlay.width <= 960
    assert out.dtype == np.uint8
    lanes_begin = overlay._lanes_top
    assert MAX_PICTURE + 200 > lanes_begin > 84


def test_all_fingers_of_both_hands_are_drawn_in_their_colours():
    both = list(recording([CURL, GRAB]).frames())
    picture = Overlay((640, 480)).draw(np.zeros((480, 640, 3), np.uint8), both[0], [])[:480]
    bare = Overlay((640, 480)).draw(np.zeros((480, 640, 3), np.uint8), HandFrame(0), [])[:480]
    assert all(count(picture, colour, 40) > 40 for colour in FINGER_COLOURS[:5])
    assert count(bare, FINGER_COLOURS[1], 40) == 0


def test_nearer_bones_are_brighter():
    hands = FRAMES[0]
    marks = hands.landmarks.copy()
    marks[1, :, 2] = 0
    marks[1, 5:9, 2], marks[1, 17:21, 2] = -0.3, 0.3
    picture = Overlay((640, 480)).draw(
        np.zeros((480, 640, 3), np.uint8),
        HandFrame(0, marks, hands.world, hands.wrist, hands.presence, hands.track_id),
        [],
    )[:480]
    assert count(picture, FINGER_COLOURS[1]) > 100
    assert count(picture, FINGER_COLOURS[4]) == 0, "the far finger is faded"


def test_a_bar_stands_in_its_fingers_lane_and_moves_left():
    overlay = Overlay((640, 480))
    start = GestureStart("g", 0.2, 0.2, final=False, hand="right", event=CURL)
    overlay.draw(None, FRAMES[0], [])
    left = []
    for index, events in ((10, [start]), (25, [GestureEnd("g", 0.2, 0.7, hand="right", event=CURL)])):
        lane = overlay._lanes_top + overlay._group + int(1.5 * overlay._row)
        row = overlay.draw(None, FRAMES[index], events)[lane - 4]
        blue = np.flatnonzero(np.abs(row.astype(int) - FINGER_COLOURS[1]).max(-1) < 90)
        blue = blue[blue > overlay._left]
        left.append(blue[0])
    assert left[0] > left[1] + 30


def test_captions_are_bold_when_final_and_leave_after_a_while():
    overlay = Overlay((640, 480))
    band = slice(480, overlay._lanes_top - 8)  # above the line of "now"
    empty = overlay.draw(None, HandFrame(0), [])[band].max()
    text = "The right index finger bends, then straightens. " * 5
    early = overlay.draw(None, HandFrame(10**9), [Caption("p", 0.2, 1.0, final=False, text=text)])[band]
    late = overlay.draw(None, HandFrame(2 * 10**9), [Caption("p", 0.2, 1.9, revision=1, text=text)])[band]
    gone = overlay.draw(None, HandFrame(round((2 + LINGER_S) * 1e9)), [])[band]
    assert gone.max() == empty < early.max() < late.max()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9, -50.0])
def test_coordinates_beyond_reason_are_not_drawn_and_do_no_harm(value):
    hands = HandFrame(0, presence=np.ones(2, np.float32))
    hands.landmarks[:] = FRAMES[0].landmarks[1]
    hands.landmarks[:, 7, 0] = value
    hands.world[:] = 0.0
    out = Overlay((320, 240)).draw(grey((320, 240)), hands, [])
    assert out.shape[1] == 640


def test_a_headset_without_pictures_shows_its_hands():
    hands = FRAMES[0]
    bare = HandFrame(0, world=hands.world, presence=hands.presence)
    picture = Overlay((0, 0)).draw(None, bare, [])[:480]
    assert count(picture, FINGER_COLOURS[1], 40) > 40


def test_frames_that_change_their_shape_are_fitted_in():
    overlay = Overlay((320, 240))
    shape = overlay.draw(grey((320, 240)), FRAMES[0], []).shape
    assert overlay.draw(grey((200, 400)), FRAMES[1], []).shape == shape


def test_text_is_as_wide_as_it_says_and_wraps_within_its_width():
    picture = np.zeros((40, 400, 3), np.uint8)
    canvas.text(picture, "Fingers, thumbs", 10, 20, 18)
    columns = np.flatnonzero(picture.max((0, 2)) > 60)
    assert abs(columns[-1] - 10 - canvas.text_width("Fingers, thumbs", 18)) < 4
    lines = canvas.wrap("the right index finger bends and straightens " * 3, 150, 14, lines=3)
    assert len(lines) == 3
    assert all(canvas.text_width(line, 14) <= 150 for line in lines)
    assert lines[-1].endswith("…")
    assert canvas.wrap("Donaudampfschifffahrtsgesellschaft", 60, 14)[0].endswith("…")
    canvas.text(picture, "日本語 outside the atlas", -50, 20, 18)
    assert cv2.countNonZero(picture[:, :, 0]) > 0


def test_bars_have_soft_edges_and_are_clipped_at_the_border():
    picture = np.zeros((20, 40, 3), np.uint8)
    canvas.bar(picture, -5, 5.5, 12.5, 14.5, (200, 200, 200), radius=0)
    assert picture[10, 0, 0] == 200
    assert 80 < picture[10, 12, 0] < 120, "half a pixel is half covered"
    assert picture[:5].max() == 0
    canvas.bar(picture, 60, 0, 50, 9, (255, 255, 255))


def test_a_caption_takes_the_place_of_the_gestures_it_names():
    timeline = Timeline()
    timeline.add([GestureStart("g", 0.2, 0.2, final=False, hand="right", event=CURL)])
    assert [(b.event, b.running) for b in timeline.bars()] == [(CURL, True)]
    timeline.add([Caption("p", 0.2, 0.7, final=False, text="…", score=(CURL,))])
    assert [(b.final, b.running) for b in timeline.bars()] == [(False, False)]
    assert timeline.provisional().id == "p"
    timeline.add([Caption("p", 0.2, 0.7, revision=1, text="bends", score=(CURL, GRAB))])
    assert [b.event.motion for b in timeline.bars()] == ["curl", "grab"]
    assert timeline.provisional() is None
    assert [c.text for c in timeline.finals()] == ["bends"]


def test_withdrawn_gestures_and_captions_vanish():
    timeline = Timeline()
    timeline.add([GestureStart("g", 0.2, 0.2, hand="right", event=CURL), Caption("p", 0, 1, final=False, text="x")])
    timeline.add([GestureEnd("g", 0.2, 0.3, confidence=0.0, hand="right", event=CURL), Caption("p", 0, 1, text="")])
    assert (timeline.bars(), timeline.finals(), timeline.provisional()) == ([], [], None)


def test_levels_separate_overlaps_only_within_their_cluster():
    assert levels([(0, 2), (1, 3), (2.5, 4), (5, 6), (6, 7)]) == [(0, 2), (1, 2), (0, 2), (0, 1), (0, 1)]


def test_labels_and_clock():
    assert label(CURL) == "curl"
    assert label(FingerEvent("left", "swipe", ("thumb",), "left", "index", repeat=2)) == "swipe left · index ×2"
    assert label(FingerEvent("left", "pinch", ("ring",), contact="thumb")) == "pinch"
    assert [clock(t) for t in (0, 59.96, 61.2, 3723.4, -1)] == ["0:00.0", "1:00.0", "1:01.2", "1:02:03.4", "0:00.0"]
