"""figop's types -> messages -> figop's types: nothing is lost, over the wire format too."""

import numpy as np
import pytest
from figop_msgs.action import CaptionClip
from figop_msgs.msg import FigopUnit, FingerCaption, GestureEvent, HandFrame, LinkState, MotionTokens
from figop_msgs.srv import DefineGesture, EnrolGesture, SetCaptionStyle
from hypothesis import given, settings
from hypothesis import strategies as st
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header

from edge.errors import SourceError
from edge.events import Caption, GestureEnd, GestureStart
from edge.figop import Unit
from edge.pipeline import Captioner
from figop_ros.conversions import (
    from_caption,
    from_gesture,
    from_hand_frame,
    from_stages,
    from_time,
    from_tokens,
    from_unit,
    to_caption,
    to_gesture,
    to_hand_frame,
    to_stages,
    to_time,
    to_tokens,
    to_unit,
    view_of,
)
from figop_ros.tokens import STUDENT, Tokens, motion_tokens
from tests.ros_nodes.frames import STEP_NS, frame, golden, same


def over_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


@settings(deadline=None)
@given(st.integers(-(1 << 31) * 10**9, ((1 << 31) - 1) * 10**9))
def test_times(t_ns):
    stamp = to_time(t_ns)
    assert 0 <= stamp.nanosec < 10**9
    assert from_time(over_the_wire(stamp)) == t_ns


def test_a_time_that_ros_cannot_hold():
    with pytest.raises(SourceError, match="32 bits of seconds, found 2147483648"):
        to_time((1 << 31) * 10**9)


@pytest.mark.parametrize("appearance", [0, 7])
@pytest.mark.parametrize("slot", [0, 1])
def test_hand_frames(slot, appearance):
    sent = frame(123_456_789_012, slot, appearance)
    message = over_the_wire(
        to_hand_frame(sent, frame_id="cam", sequence=9, view="egocentric", mirrored=True, appearance_digest="ab")
    )
    got = from_hand_frame(message)
    assert same(sent, got)
    assert got.stages_ms == {"landmarks": 4.5}
    assert (message.header.frame_id, message.sequence, view_of(message)) == ("cam", 9, "egocentric")
    assert (message.mirrored, message.appearance_digest, message.end_of_stream) == (True, "ab", False)


@pytest.mark.parametrize("name", ["two_hands", "headset_60fps", "image_only_15fps", "mirrored"])
def test_recorded_frames(name):
    for sent in list(golden(name).frames())[::17]:
        assert same(sent, from_hand_frame(over_the_wire(to_hand_frame(sent))))


def test_slots_go_by_side_whatever_their_order():
    message = to_hand_frame(frame(slot=0))
    message.hands = list(reversed(message.hands))
    assert same(frame(slot=0), from_hand_frame(message))
    message.hands[0].side = message.hands[1].side
    with pytest.raises(SourceError, match=r"a left .0. and a right .1. hand"):
        from_hand_frame(message)


def test_a_view_that_nobody_knows():
    message = to_hand_frame(frame())
    message.view = 7
    with pytest.raises(SourceError, match="found 7"):
        view_of(message)


def test_events_of_a_recording_come_back_equal():
    header = Header(frame_id="cam")
    kinds = set()
    with Captioner.open(tracker=None) as captioner:
        events = [e for f in golden("right_facing").frames() for e in captioner.push(f)] + captioner.flush()
    for event in events:
        stages = to_stages(event.stages_ms, 5, 6)
        if isinstance(event, GestureStart):
            kinds.add(type(event))
            assert from_gesture(over_the_wire(to_gesture(event, header, stages))) == event
        elif isinstance(event, Caption):
            kinds.add(type(event))
            message = over_the_wire(to_caption(event, header, stages, ("en", "instruction", "short")))
            assert from_caption(message) == event
            assert (message.language, message.style, message.detail) == ("en", "instruction", "short")
            assert from_stages(message.stages).keys() == event.stages_ms.keys()
    assert kinds == {GestureStart, GestureEnd, Caption}


def test_units_and_tokens():
    frames = tuple(frame(i * STEP_NS) for i in range(4))
    unit = Unit(5, frames, True, frames[0].t, frames[-1].t)
    got = from_unit(over_the_wire(to_unit(unit, frame_id="cam", about={"mirrored": True}, sequences=(4, 5, 6, 7))))
    assert (got.index, got.early, got.start, got.end) == (5, True, unit.start, unit.end)
    assert all(same(a, b) for a, b in zip(unit.frames, got.frames, strict=True))
    tokens = motion_tokens(unit)
    back = from_tokens(over_the_wire(to_tokens(tokens, Header(), to_stages({}))))
    assert (back.unit, back.start, back.end) == (tokens.unit, tokens.start, tokens.end)
    assert np.array_equal(back.values, tokens.values)
    assert back.valid.tolist() == [False, True]


def test_tokens_of_another_layout_are_refused():
    message = MotionTokens(layout="geometry-9")
    with pytest.raises(SourceError, match="geometry-9"):
        from_tokens(message)


def test_tokens_of_the_student_come_back():
    values = np.random.default_rng(1).normal(size=(2, 4, 128)).astype(np.float32)
    tokens = Tokens(7, 1.0, 1.5, np.array([True, True]), values, STUDENT, "abc")
    message = over_the_wire(to_tokens(tokens, Header(), to_stages({})))
    assert (message.size, message.parts[0], list(message.columns)) == (128, "keyframe", [])
    back = from_tokens(message)
    assert np.array_equal(back.values, values)
    assert (back.unit, back.layout, back.weights) == (7, STUDENT, "abc")
    message.tokens = message.tokens[:-1]
    with pytest.raises(SourceError, match=r"2 x 4 x 128 numbers, found 1023"):
        from_tokens(message)


def test_every_interface_is_built():
    for kind in (FigopUnit, FingerCaption, GestureEvent, HandFrame, LinkState, MotionTokens):
        assert over_the_wire(kind()).__class__ is kind
    for service in (DefineGesture, EnrolGesture, SetCaptionStyle):
        assert {"success", "message"} <= set(service.Response.get_fields_and_field_types())
    assert "captions" in CaptionClip.Feedback.get_fields_and_field_types()


def test_a_hand_frame_over_dds(stage):
    heard = []
    stage.probe.create_subscription(HandFrame, stage.name("x"), heard.append, 10)
    mouth = stage.mouth(HandFrame, "x")
    from tests.ros_nodes.stage import wait_for

    mouth.publish(to_hand_frame(frame(7)))
    wait_for(lambda: heard)
    assert same(from_hand_frame(heard[0]), frame(7))
