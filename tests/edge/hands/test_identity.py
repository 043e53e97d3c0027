"""Handedness over time, and one slot per hand."""

from __future__ import annotations

import pytest

from edge.hands.frame import LEFT, RIGHT
from edge.hands.identity import SideVote, assign

DT = 1 / 30


def voted(*rights, dt=DT):
    vote = SideVote()
    for right in rights:
        vote.add(right, dt)
    return vote


def test_the_first_frame_decides():
    assert voted(0.9).side == RIGHT
    assert voted(0.1).side == LEFT


def test_a_settled_hand_survives_a_burst_of_wrong_frames():
    vote = voted(*[0.95] * 60)
    for _ in range(10):
        vote.add(0.02, DT)
        assert vote.side == RIGHT


def test_sustained_evidence_flips_once():
    vote = voted(*[0.95] * 60)
    sides = []
    for _ in range(45):
        vote.add(0.02, DT)
        sides.append(vote.side)
    assert sides[-1] == LEFT
    assert sides == sorted(sides, reverse=True)
    assert sides.index(LEFT) >= 12  # not before 0.4 s


def test_a_wavering_score_does_not_flicker():
    vote = voted(0.6)
    sides = set()
    for k in range(100):
        vote.add(0.7 if k % 2 else 0.3, DT)
        sides.add(vote.side)
    assert sides == {RIGHT}


def test_a_gap_does_not_make_one_frame_decide():
    vote = voted(*[0.9] * 60)
    vote.add(0.0, 100.0)
    assert vote.side == RIGHT


@pytest.mark.parametrize("dt", [1 / 15, 1 / 30, 1 / 60])
def test_evidence_counts_by_time_not_by_frames(dt):
    vote = voted(*[1.0] * 100, dt=dt)
    steps = 0
    while vote.side == RIGHT:
        vote.add(0.0, dt)
        steps += 1
    assert steps * dt == pytest.approx(0.52, abs=0.08)


def test_two_hands_get_two_slots():
    assert assign([voted(0.9), voted(0.1)]) == [RIGHT, LEFT]
    assert assign([voted(0.1)]) == [LEFT]
    assert assign([]) == []


def test_the_weaker_of_two_equal_votes_takes_the_other_slot():
    sure, unsure = voted(*[0.95] * 30), voted(0.6, 0.6)
    assert assign([sure, unsure]) == [RIGHT, LEFT]
    assert assign([unsure, sure]) == [LEFT, RIGHT]


def test_two_hands_that_are_surely_the_same_side_are_not_told_as_two_sides():
    older, newer = voted(*[0.95] * 60), voted(*[0.95] * 60)
    assert assign([older, newer]) == [RIGHT, -1]
    assert assign([older, newer]) == [RIGHT, -1]


def test_the_holder_of_a_slot_keeps_it_against_a_slightly_surer_rival():
    holder, rival = voted(*[0.8] * 8), voted(*[0.9] * 8)
    assign([holder])
    assert abs(rival.value) > abs(holder.value)
    assert assign([holder, rival])[0] == RIGHT
