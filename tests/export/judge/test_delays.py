"""How late final captions come: from the true end of the phrase, in the source's time."""

import math

import pytest

from edge.events import Caption
from edge.hands.frame import HandFrame
from edge.score import FingerEvent
from export.judge.delays import Delays, delays, phrases
from export.judge.evaluate import listen, summary
from export.judge.judge import Line, judge

CURL = FingerEvent("right", "curl", ("index",), start=1.0, end=1.5)
GRAB = FingerEvent("left", "grab", start=1.6, end=2.0)
OPEN = FingerEvent("left", "open", start=3.0, end=3.5)
SCORE = (CURL, GRAB, OPEN)


def test_phrases_lie_between_rests():
    assert phrases(SCORE) == [(1.0, 2.0), (3.0, 3.5)]
    assert phrases((FingerEvent("left", "rest", start=0.0, end=9.0),)) == []


@pytest.mark.parametrize(
    ("matched", "told", "seconds", "phrases", "captions"),
    [
        ({0: [CURL, GRAB], 1: [OPEN]}, [2.3, 3.9], (0.3, 0.4), 2, 2),
        ({0: [CURL]}, [2.3], (0.3,), 1, 1),  # the motion that was not named ended the phrase all the same
        ({0: [CURL], 1: [GRAB]}, [1.8, 2.3], (-0.2, 0.3), 1, 2),  # cut apart, the first while the hand moved
        ({0: [CURL]}, [1.55], (0.05,), 1, 1),  # what had not begun is no motion yet
        ({0: [CURL, OPEN]}, [3.9], (0.4,), 2, 2),  # two phrases in one caption
        ({0: [CURL], 1: [OPEN]}, [2.3, math.nan], (0.3,), 2, 2),  # told because the stream ended
        ({}, [], (), 0, 0),
    ],
)
def test_delays_of_a_clip(matched, told, seconds, phrases, captions):
    found = delays(SCORE, matched, told)
    assert found.seconds == pytest.approx(seconds)
    assert (found.phrases, found.captions) == (phrases, captions)


def test_rows_add_up():
    total = Delays((0.1, 0.3), 2, 3) + Delays((-0.1,), 1, 1)
    assert total.row() == {"captions": 3, "p50_s": 0.1, "p90_s": 0.26, "p95_s": 0.28, "while_moving": 1,
                           "phrases": 3, "cut_apart": 1}  # fmt: skip
    assert Delays().row() == {"captions": 0, "phrases": 0, "cut_apart": 0}


def test_the_judge_asks_only_of_captions_that_are_right():
    lines = [Line("The right index finger bends.", 1.0, 1.5, 2.4), Line("The left hand waves.", 3.0, 3.5, 9.9)]
    assert judge(SCORE, lines).delays == Delays((pytest.approx(0.4),), 1, 1)
    row = summary([judge(SCORE, lines), judge(SCORE, lines)])["final_caption_delay"]
    assert (row["captions"], row["p50_s"], row["phrases"]) == (2, pytest.approx(0.4), 2)


class Speaker:
    """Says something at the third frame, and at the end."""

    tracker = last = None

    def push(self, frame):
        self.last = frame
        return [Caption("phrase-0", 0.0, 0.1, text="The left hand opens.")] if frame.t_ns == 200_000_000 else []

    def flush(self):
        return [Caption("phrase-1", 0.2, 0.3, text="The left hand waves.")]


def test_captions_are_told_when_their_frame_comes():
    heard = listen(Speaker(), [HandFrame(t_ns=i * 100_000_000) for i in range(4)])
    assert heard.lines[0].told == pytest.approx(0.2)
    assert math.isnan(heard.lines[1].told)
