"""The check list: named motions that must be said, rests that must stay silent."""

from dataclasses import replace

import pytest

from edge.errors import ScoreError
from edge.score import FingerEvent
from export.judge.tasks import CheckList, line

BEND = FingerEvent("right", "curl", ("index",), start=1.0, end=1.4)
TURN = FingerEvent("right", "rotate", direction="cw", start=3.0, end=4.0)
LIST = CheckList((("bend index", BEND), ("turn", TURN)), ((0.0, 0.9), (1.5, 2.9)))


def test_all_said_and_nothing_else():
    assert LIST.check((BEND, TURN.moved(3.2, 4.4))) == {
        "tasks": 2,
        "right": 2,
        "missed": [],
        "rests": 2,
        "invented_in_rests": [],
    }


@pytest.mark.parametrize(
    "wrong",
    [
        replace(BEND, fingers=("middle",)),
        replace(BEND, hand="left"),
        replace(BEND, motion="extend"),
        BEND.moved(1.7, 2.0),
        replace(TURN, direction="ccw"),
    ],
)
def test_a_wrong_word_or_time_misses_the_task(wrong):
    said = tuple(
        wrong if e.motion == wrong.motion or (e is BEND and wrong.motion == "extend") else e for e in (BEND, TURN)
    )
    assert LIST.check(said)["right"] == 1


def test_events_in_a_rest_are_invented():
    inside, across = BEND.moved(0.2, 0.6), BEND.moved(0.7, 1.3)
    found = LIST.check((inside, across))["invented_in_rests"]
    assert [e["start"] for e in found] == [0.2]


def test_one_sentence():
    assert line([LIST.check((TURN,))]) == "1 of 2 named motions right (missed: bend index); 0 invented in 2 rests"


def test_unreadable_rows():
    with pytest.raises(ScoreError, match="tasks need a name"):
        CheckList.of({"tasks": [{"hand": "right", "motion": "curl"}]})
