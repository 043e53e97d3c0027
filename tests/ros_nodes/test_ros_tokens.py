"""Motion tokens say what the fingers did."""

from itertools import pairwise

import numpy as np
import pytest

from edge.figop import Unit
from edge.hands.frame import LEFT, RIGHT, HandFrame
from edge.pipeline import Captioner
from edge.skeleton import mirror
from edge.student import unit_tokens
from figop_ros.tokens import COLUMNS, GEOMETRY, PARTS, STUDENT, TokenReader, finger_state, motion_tokens
from tests.ros_nodes.frames import STEP_NS, frame, golden


def unit_of(name, start, end):
    frames = tuple(f for f in golden(name).frames() if start <= f.t <= end)
    return Unit(3, frames, False, frames[0].t, frames[-1].t)


def value(tokens, part, column, slot=RIGHT):
    return float(tokens.values[slot, PARTS.index(part), COLUMNS.index(column)])


def test_a_bending_finger_stands_out():
    tokens = motion_tokens(unit_of("right_facing", 0.75, 1.3))  # the index bends from 0.8 to 1.2
    assert (tokens.unit, tokens.valid.tolist()) == (3, [False, True])
    assert not tokens.values[LEFT].any()
    changes = tokens.values[RIGHT, :5, COLUMNS.index("bend_change")]
    assert int(changes.argmax()) == PARTS.index("index")
    assert changes.max() > np.radians(60)
    assert value(tokens, "index", "bend_speed") > value(tokens, "ring", "bend_speed")
    assert value(tokens, "index", "seen") == 1


def test_a_pinch_closes_the_gap():
    tokens = motion_tokens(unit_of("right_facing", 2.5, 3.2))  # middle pinch from 2.6 to 3.1
    assert value(tokens, "middle", "thumb_gap_change") < -0.3
    assert value(tokens, "thumb", "thumb_gap") == value(tokens, "hand", "thumb_gap") < 0.5


def test_a_mirrored_hand_is_the_other_hand():
    unit = unit_of("right_facing", 0.75, 1.3)
    swapped = []
    for f in unit.frames:
        other = HandFrame(t_ns=f.t_ns)
        other.world[LEFT], other.presence[LEFT], other.track_id[LEFT] = mirror(f.world[RIGHT]), 1, 0
        other.wrist[LEFT] = f.wrist[RIGHT] * (-1, 1, 1)
        swapped.append(other)
    tokens, twin = motion_tokens(unit), motion_tokens(Unit(3, tuple(swapped), False, unit.start, unit.end))
    assert np.allclose(tokens.values[RIGHT], twin.values[LEFT], atol=1e-4)


@pytest.mark.parametrize(("name", "start"), [("image_only_15fps", 0.7), ("headset_60fps", 2.8)])
def test_sources_that_lack_something(name, start):
    tokens = motion_tokens(unit_of(name, start, start + 0.8))
    assert tokens.valid[RIGHT]
    assert np.isfinite(tokens.values).all()
    assert tokens.values[RIGHT, :5, COLUMNS.index("bend_change")].max() > np.radians(30)


def test_units_of_one_frame_and_of_none():
    one = motion_tokens(Unit(0, (frame(STEP_NS),), False, 0.0, 0.0))
    assert one.valid[RIGHT]
    assert value(one, "index", "path") == 0
    none = motion_tokens(Unit(0, (HandFrame(t_ns=0),), False, 0.0, 0.0))
    assert not none.valid.any()
    assert not none.values.any()


def test_the_student_s_tokens_are_what_its_captioner_reads():
    """Unit by unit the same tokens as the captioner makes of the phrase's ticks, whatever is told meanwhile."""
    with Captioner.open(tracker=None) as captioner:
        reader, student = TokenReader(captioner), captioner.recogniser.model
        ticks, made = [], []
        student.on_tick = lambda tick, keep=student.on_tick: (keep(tick), ticks.append(tick))
        for f in golden("right_facing").frames():
            captioner.push(f)
            made += [reader.read(unit) for unit in captioner.units]
        captioner.flush()
        assert reader.layout == STUDENT
        assert len(made) > 5
        for before, tokens in pairwise(made):
            mine = [t for t in ticks if max(tokens.start - 1 / 15, before.end + 1e-9) <= t.t <= tokens.end]
            told, seen = unit_tokens(student.captioner, mine[-15:])
            assert tokens.valid.tolist() == [False, True] == (seen > 0).tolist()
            assert np.array_equal(tokens.values[RIGHT], told.reshape(2, 4, 128)[RIGHT])
            assert not tokens.values[LEFT].any()
            assert (tokens.layout, tokens.weights) == (STUDENT, captioner.weights)


def test_rules_have_no_student_and_speak_geometry():
    with Captioner.open("figop-rules", tracker=None) as captioner:
        reader = TokenReader(captioner)
        for f in golden("right_facing").frames():
            captioner.push(f)
            if captioner.units:
                break
        assert reader.layout == GEOMETRY
        assert np.array_equal(reader.read(captioner.units[0]).values, motion_tokens(captioner.units[0]).values)


def test_finger_state():
    state, seen = finger_state(frame())
    assert seen.tolist() == [False, True]
    assert not state[LEFT].any()
    assert (state[RIGHT, 1:, 1] > 0).all()
    none, unseen = finger_state(HandFrame(t_ns=0))
    assert not none.any()
    assert not unseen.any()
