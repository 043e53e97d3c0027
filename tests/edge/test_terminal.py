"""The terminal: final captions as lines, a moving part only where there is a terminal, losses said at the end."""

import io
import re

import pytest
from rich.console import Console

from edge.events import Caption, Dropped
from edge.hands.frame import HandFrame
from edge.terminal import Terminal
from tests.edge.test_overlay import CURL, FRAMES


def show(*, terminal, live=False, width=100, height=40):
    """Everything that is printed for a short stream."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, height=height, color_system=None, highlight=False)
    ticks = iter(range(1000))
    screen = Terminal(console, "clip", total=40, live=live, clock=lambda: float(next(ticks)))
    for i, frame in enumerate(FRAMES[:20]):
        events = (
            [Caption("p", 0.2, 0.6, final=False, text="Something bends", score=(CURL,), age_ms=12)] if i == 8 else []
        )
        screen.write(None, frame, events)
    screen.write(None, None, [Caption("p", 0.2, 0.7, text="The right index finger bends.", score=(CURL,), age_ms=12)])
    dropped = [
        Dropped("d", 1, 1, reason=reason, count=n) for reason, n in (("late", 3), ("odd", 1), ("camera_lost", 1))
    ]
    screen.write(None, None, dropped)
    screen.close()
    return out.getvalue()


def test_without_a_terminal_only_lines_are_printed():
    lines = show(terminal=False).splitlines()
    assert lines[0].rstrip() == "0:00.2 – 0:00.7  The right index finger bends."
    assert lines[1:] == ["3 × camera frames came while the last was being worked on", "1 × odd"]


@pytest.mark.parametrize(("live", "words"), [(False, "20/40 frames"), (True, "caption age 12 ms")])
def test_on_a_terminal_it_moves_and_cleans_up(live, words):
    out = show(terminal=True, live=live)
    assert "… Something bends" in out
    assert words in out
    assert ("Ctrl-C ends" in out) == live
    assert out.count("The right index finger bends.") == 1


def test_the_live_panel_shows_each_finger_and_its_motion():
    out = show(terminal=True, live=True)
    assert "pinky" in out
    assert "curl" in out
    assert any(block in out for block in "▂▃▄▅"), "the bend of the fingers as a trace"


def test_the_panel_leaves_room_for_the_echo_of_ctrl_c():
    assert {len(top) for top in re.findall("╭.*?╮", show(terminal=True, live=True, width=100))} == {96}


@pytest.mark.parametrize("size", [{"width": 60}, {"height": 14}])
def test_where_the_panel_does_not_fit_the_caption_is_still_seen(size):
    out = show(terminal=True, live=True, **size)
    assert "… Something bends" in out
    assert "caption age 12 ms" in out
    assert "pinky" not in out


def test_times_count_from_the_first_frame():
    out = io.StringIO()
    screen = Terminal(Console(file=out, width=80, color_system=None), "clip")
    screen.write(
        None, HandFrame(t_ns=1_700_000_000 * 10**9), [Caption("p", 1_700_000_001.0, 1_700_000_002.0, text="x")]
    )
    screen.close()
    assert out.getvalue().split() == ["0:01.0", "–", "0:02.0", "x"]
