"""The terminal: final captions as lines, a moving part only where there is a terminal, losses said at the end."""

import io

import pytest
from rich.console import Console

from edge.events import Caption, Dropped
from edge.hands.frame import HandFrame
from edge.terminal import Terminal
from tests.edge.test_overlay import CURL, FRAMES


def show(*, terminal, live=False, width=100):
    """Everything that is printed for a short stream."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, height=40, color_system=None, highlight=False)
    ticks = iter(range(1000))
    screen = Terminal(console, "clip", total=40, live=live, clock=lambda: float(next(ticks)))
    for i, frame in enumerate(FRAMES[:20]):
        events = (
            [Caption("p", 0.2, 0.6, final=False, text="Something bends", score=(CURL,), age_ms=12)] if i == 8 else []
        )
        screen.write(None, frame, events)
    screen.write(None, None, [Caption("p", 0.2, 0.7, text="The right index finger bends.", score=(CURL,), age_ms=12)])
    screen.write(None, None, [Dropped("d", 1, 1, reason="late", count=3), Dropped("d", 1, 1, reason="odd", count=1)])
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


def test_times_count_from_the_first_frame():
    out = io.StringIO()
    screen = Terminal(Console(file=out, width=80, color_system=None), "clip")
    screen.write(
        None, HandFrame(t_ns=1_700_000_000 * 10**9), [Caption("p", 1_700_000_001.0, 1_700_000_002.0, text="x")]
    )
    screen.close()
    assert out.getvalue().split() == ["0:01.0", "–", "0:02.0", "x"]
