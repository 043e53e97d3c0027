"""What counts as an answer to "with a thing or without", and what more of them is worth."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the studies train: pip install 'figop[train]'")

from edge.score import FingerEvent
from export.mechanisms.holding import Answers, answers, gain
from export.mechanisms.material import Phrase
from export.mechanisms.telling import Told

THING = FingerEvent("right", "grab", contact="object", start=0.5, end=1.0)
NOTHING = FingerEvent("right", "grab", start=0.5, end=1.0)


def told(event: FingerEvent, text: str) -> Told:
    return Told(Phrase(0, 0, 60, "", (event,), frozenset()), text, 0.0)


GRABS, CLOSES = "The right hand grabs the object.", "The right hand closes into a fist."


def test_an_answer_is_right_with_a_thing_where_there_is_one() -> None:
    found = answers([told(THING, GRABS), told(NOTHING, CLOSES), told(NOTHING, GRABS), told(THING, CLOSES)])
    assert (found.there.tolist(), found.said.tolist()) == ([True, False, False, True], [True, False, True, False])
    assert found.figures() == {
        "closings": 4, "named": 1.0, "right": 0.5, "right_of_named": 0.5, "said_with_thing": 0.5,
    }  # fmt: skip


def test_silence_another_hand_and_nonsense_are_no_answers() -> None:
    lines = [told(THING, ""), told(NOTHING, "The left hand closes into a fist."), told(THING, "grabs the the")]
    found = answers(lines)
    assert not found.named.any()
    assert found.figures()["right"] == 0.0
    assert found.figures()["right_of_named"] == 0.0


def test_who_always_says_the_same_is_right_half_the_time() -> None:
    found = answers([told(THING, GRABS), told(NOTHING, GRABS)] * 5)
    assert found.figures()["right_of_named"] == 0.5
    assert found.figures()["said_with_thing"] == 1.0


def test_gain_is_paired_and_says_how_sure_it_is() -> None:
    there = np.arange(40) % 2 == 0
    named = np.ones(40, bool)
    sees, guesses = Answers(there, named, there), Answers(there, named, ~there)
    assert gain([sees], [guesses]) == (1.0, 1.0, 1.0)
    assert gain([sees, guesses], [sees, guesses]) == (0.0, 0.0, 0.0)
    half = Answers(there, named, np.ones(40, bool))
    middle, low, high = gain([sees], [half])
    assert (middle, low < 0.5 < high) == (0.5, True)
