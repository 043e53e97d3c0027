"""The vocabulary refuses what it does not know, and says events the same way forth and back."""

from dataclasses import replace

import pytest

from edge.errors import ScoreError
from edge.score import FINGERS, HANDS, MOTIONS, FingerEvent, check, expand, iou, order, signature

PINCH = FingerEvent("right", "pinch", ("index",), contact="thumb", start=1.0, end=1.5)


def test_every_motion_has_a_valid_event():
    for motion in MOTIONS.values():
        event = FingerEvent(
            "left",
            motion.name,
            FINGERS[1 : 1 + motion.fingers[0]],
            direction=motion.directions[0] if motion.directions else "",
            contact=next((c for c in motion.contacts if c not in FINGERS[1:]), "") if motion.needs_contact else "",
        )
        check(event)
        assert FingerEvent.from_dict(event.to_dict()) == event


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"hand": "both"}, "left or right"),
        ({"motion": "squeeze"}, "vocabulary"),
        ({"fingers": ("pinky", "index")}, "in that order"),
        ({"fingers": ()}, "1 to 4 fingers"),
        ({"direction": "left"}, "no direction"),
        ({"contact": ""}, "needs a contact"),
        ({"contact": "palm"}, "cannot have the contact"),
        ({"fingers": ("thumb",)}, "not the thumb itself"),
        ({"motion": "touch", "fingers": ("thumb",)}, "own contact"),
        ({"extent": "huge"}, "out of range"),
        ({"repeat": 0}, "out of range"),
        ({"end": 0.5}, "before it starts"),
        ({"end": float("nan")}, "before it starts"),
    ],
)
def test_refusals_are_one_sentence(change, says):
    with pytest.raises(ScoreError, match=says) as error:
        check(replace(PINCH, **change))
    assert "\n" not in str(error.value)


def test_unknown_and_missing_keys():
    with pytest.raises(ScoreError, match="unknown key 'strength'"):
        FingerEvent.from_dict({**PINCH.to_dict(), "strength": 3})
    with pytest.raises(ScoreError, match="at least a hand and a motion"):
        FingerEvent.from_dict({"hand": "left"})


def test_expand_counts_fingers_and_skips_rest():
    score = (replace(PINCH, fingers=("index", "middle")), FingerEvent("left", "grab"), FingerEvent("left", "rest"))
    assert [part for part, _ in expand(score)] == ["index", "middle", "hand"]


def test_order_and_signature_ignore_the_order_given():
    late = PINCH.moved(3.0, 4.0)
    assert order([late, PINCH]) == (PINCH, late)
    assert signature([late, PINCH]) == signature([PINCH.moved(0.0, 0.2), late])
    assert signature([PINCH]) != signature([replace(PINCH, hand=HANDS[0])])


def test_iou():
    assert iou(PINCH, PINCH) == 1.0
    assert iou(PINCH, PINCH.moved(1.25, 1.75)) == pytest.approx(1 / 3)
    assert iou(PINCH, PINCH.moved(2.0, 3.0)) == 0.0
    assert iou(PINCH.moved(1.0, 1.0), PINCH.moved(1.0, 1.0)) == 1.0
