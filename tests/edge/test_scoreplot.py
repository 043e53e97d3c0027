"""The score picture: bars where and when things were done, systems that break at rests, no caption lost."""

import numpy as np
import pytest

from edge.canvas import FINGER_COLOURS
from edge.events import Caption
from edge.score import FingerEvent
from edge.scoreplot import WIDTH, Bends, breaks, draw_score
from edge.timeline import Timeline


def timeline(*captions):
    made = Timeline()
    made.add(captions)
    return made


def said(start, end, *events, text="The hand moves."):
    return Caption(f"p{start}", start, end, text=text, score=events)


def columns(picture, colour):
    """Columns right of the names that have large stretches in that colour."""
    hits = (np.abs(picture.astype(int) - np.asarray(colour)).max(-1) < 10).sum(0)
    found = np.flatnonzero(hits > 8)
    return found[found > 118]


def test_a_bar_lies_at_its_time_in_its_fingers_colour():
    curl = FingerEvent("right", "curl", ("ring",), start=2.0, end=4.0)
    picture = draw_score(timeline(said(2.0, 4.0, curl)), 0.0, 8.0, "clip")
    found = columns(picture, FINGER_COLOURS[3])
    per_second = (WIDTH - 118 - 28) / 8.0
    assert abs(found[0] - (118 + 2 * per_second)) < 4
    assert abs(found[-1] - (118 + 4 * per_second)) < 4
    assert len(columns(picture, FINGER_COLOURS[4])) == 0


def test_times_count_from_the_start_of_a_source_whose_clock_does_not():
    now = 1.7e9
    curl = FingerEvent("right", "curl", ("ring",), start=2.0, end=4.0)
    late = curl.moved(now + 2.0, now + 4.0)
    a = draw_score(timeline(said(2.0, 4.0, curl)), 0.0, 8.0, "clip")
    b = draw_score(timeline(said(now + 2.0, now + 4.0, late)), now, now + 8.0, "clip")
    np.testing.assert_array_equal(a, b)


def test_only_hands_that_did_something_take_room_and_overlap_takes_more():
    one = FingerEvent("right", "curl", ("index",), start=1.0, end=2.0)
    two = FingerEvent("right", "tap", ("index",), start=1.5, end=1.6)
    left = FingerEvent("left", "curl", ("index",), start=1.0, end=2.0)
    plain, deeper, both = (
        draw_score(timeline(said(1.0, 2.0, *events)), 0.0, 4.0, "").shape[0]
        for events in ((one,), (one, two), (one, left))
    )
    assert plain < deeper < both


def test_systems_break_in_the_rest_between_phrases():
    captions = [said(t, t + 2.0) for t in (0.5, 4.0, 7.0, 11.0, 14.0, 18.0)]
    starts = breaks(captions, 0.0, 21.0)
    assert len(starts) == 3
    for start in starts[1:]:
        assert not any(c.t_start < start < c.t_end for c in captions)
    assert breaks(captions, 0.0, 11.5) == [0.0], "a little too long is not torn"


@pytest.mark.parametrize("seconds", [0.0, 0.03, 13.0, 3600.0, 100_000.0])
def test_any_length_gives_a_picture_of_bounded_size(seconds):
    assert len(breaks([], 0.0, seconds)) <= 30
    picture = draw_score(Timeline(), 0.0, seconds, "a title that is longer than fits " * 9)
    assert picture.shape[1] == WIDTH
    assert picture.shape[0] < 12_000


def test_every_caption_is_written_out():
    words = "The right index finger bends, then the thumb taps the side of the middle finger twice. "
    short = draw_score(timeline(said(0.5, 1.0, text=words)), 0.0, 9.0, "").shape[0]
    long = draw_score(timeline(said(0.5, 1.0, text=words * 6)), 0.0, 9.0, "").shape[0]
    assert long > short + 3 * 20


def test_bends_are_drawn_where_a_hand_was_seen():
    t = np.linspace(0.0, 4.0, 120)
    share = np.full((120, 2, 5), np.nan)
    share[60:, 1] = 1.0
    with_bends = draw_score(Timeline(), 0.0, 4.0, "", Bends(t, share)).astype(int)
    share[:] = np.nan
    share[60:, 1] = 0.0
    flat = draw_score(Timeline(), 0.0, 4.0, "", Bends(t, share)).astype(int)
    changed = np.flatnonzero(np.abs(with_bends - flat).max((0, 2)) > 10)
    assert changed[0] > WIDTH // 2 - 60
    assert len(changed) > 500
