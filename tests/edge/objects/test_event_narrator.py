"""Object events and their sentences: what is said is what is read back, whatever things are called."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ScoreError
from edge.objects.event import DIRECTIONS, GRASPS, ObjectEvent, name_of, said
from edge.objects.narrator import narrate, parse
from edge.score import HANDS, OBJECT_VERBS

NAMES = (
    "cup",
    "cup 2",
    "it",
    "left hand",
    "to the left",
    "traffic light",
    "then",
    "wine-glass",
    "opens it",
    "a",
    "盒子",
)


@st.composite
def events(draw: st.DrawFn) -> list[ObjectEvent]:
    out = []
    for k in range(draw(st.integers(1, 7))):
        verb = draw(st.sampled_from(OBJECT_VERBS))
        out.append(
            ObjectEvent(
                draw(st.sampled_from(HANDS)),
                verb,
                draw(st.sampled_from(NAMES)),
                draw(st.sampled_from(("", *GRASPS))) if verb == "grasp" else "",
                draw(st.sampled_from(DIRECTIONS[verb])) if verb in DIRECTIONS else "",
                float(k),
                k + 1.0,
            )
        )
    return out


@pytest.mark.parametrize("language", ["en", "zh"])
@given(score=events())
@settings(max_examples=120, deadline=None)
def test_what_is_said_is_read_back(language: str, score: list[ObjectEvent]) -> None:
    assert parse(narrate(score, language), language) == said(score)


def test_a_sentence_as_one_would_say_it() -> None:
    score = [
        ObjectEvent("right", "reach", "cup", start=0.2, end=1.0),
        ObjectEvent("right", "grasp", "cup", "power", start=1.0, end=1.3),
        ObjectEvent("right", "move", "cup", direction="left", start=1.5, end=2.0),
        ObjectEvent("left", "press", "salt and pepper", start=3.0, end=3.2),
    ]
    assert narrate(score) == (
        "The right hand reaches for the cup, grasps it with a power grasp and moves it to the left. "
        'Then the left hand presses the "salt and pepper".'
    )
    assert narrate(()) == ""


def test_a_new_reach_begins_a_sentence_and_order_words_take_turns() -> None:
    rows = [("right", "reach", "cup"), ("right", "lift", "cup"), ("right", "reach", "cup"), ("right", "press", "box"),
            ("left", "touch", "box"), ("left", "press", "box"), ("right", "press", "pen")]  # fmt: skip
    score = [ObjectEvent(h, v, o, start=float(k), end=k + 1.0) for k, (h, v, o) in enumerate(rows)]
    assert narrate(score) == (
        "The right hand reaches for the cup and lifts it. Then the right hand reaches for the cup. After that the "
        "right hand presses the box. Next the left hand touches the box and presses it. "
        "Then the right hand presses the pen."
    )
    for k in range(1, len(score)):  # what follows changes no words of the sentences before
        assert narrate(score).startswith(narrate(score[:k]).rsplit(". ", 1)[0].rstrip(".").split(" and ")[0])
    assert narrate(score, "zh").count("然后") == 2
    assert parse(narrate(score, "zh"), "zh") == said(score)


def test_other_words_mean_the_same() -> None:
    heard = parse("The right hand reaches out for a cup, then grabs it, picks it up and shifts it left.")
    assert [e.verb for e in heard] == ["reach", "grasp", "lift", "move"]
    assert {e.object for e in heard} == {"cup"}
    two = parse("Left hand opens the box and the right hand takes the pen with a pinch.")
    assert [(e.hand, e.verb, e.grasp) for e in two] == [("left", "open", ""), ("right", "grasp", "pinch")]


def test_what_is_not_understood_is_named() -> None:
    with pytest.raises(ScoreError, match="eats the cup"):
        parse("The right hand eats the cup.")
    with pytest.raises(ScoreError, match="no words for things in the language 'fr'"):
        narrate((), "fr")


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"hand": "both", "verb": "lift", "object": "cup"}, "left or right"),
        ({"hand": "left", "verb": "eat", "object": "cup"}, "'eat' is not in the vocabulary"),
        ({"hand": "left", "verb": "move", "object": "cup"}, "move takes left, right"),
        ({"hand": "left", "verb": "lift", "object": "cup", "direction": "left"}, "no direction"),
        ({"hand": "left", "verb": "lift", "object": "cup", "grasp": "power"}, "cannot have the grasp"),
        ({"hand": "left", "verb": "lift", "object": "Cup!"}, "words in lower case"),
        ({"hand": "left", "verb": "lift", "object": "cup", "start": 2.0, "end": 1.0}, "must not end before"),
        ({"hand": "left", "verb": "lift", "object": "cup", "color": "red"}, "unknown key 'color'"),
        ({"hand": "left"}, "needs a hand, a verb and an object"),
    ],
)
def test_events_outside_the_vocabulary(row: dict[str, object], why: str) -> None:
    with pytest.raises(ScoreError, match=why):
        ObjectEvent.from_dict(row)


def test_events_as_json() -> None:
    event = ObjectEvent("left", "grasp", "cup", "hook", start=1.0004, end=2.0, confidence=0.5)
    row = event.to_dict()
    assert row["start"] == 1.0
    assert ObjectEvent.from_dict(row).fact() == event.fact()


def test_labels_become_names() -> None:
    assert [name_of(t) for t in ("Wine_Glass", "  cup ", "!!", "T-shirt (red)")] == [
        "wine glass", "cup", "thing", "t-shirt red",
    ]  # fmt: skip
