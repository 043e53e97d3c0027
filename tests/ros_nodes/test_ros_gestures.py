"""Gestures of one's own by services: defined, shown, kept, told; what cannot be is a sentence, and the node goes on."""

from dataclasses import replace

import pytest
from figop_msgs.msg import GestureEvent, HandFrame
from figop_msgs.srv import DefineGesture, EnrolGesture

from edge.bundle import Bundle
from edge.gestures.sentence import events_of
from edge.gestures.store import GestureStore
from edge.hands.frame import RIGHT
from figop_ros.conversions import to_finger_event, to_hand_frame
from figop_ros.figop_node import FigopOneNode
from figop_ros.micro_gesture import MicroGesture
from tests.ros_nodes.frames import golden
from tests.ros_nodes.stage import wait_for

TEXT = "the index finger bends"


def define(stage, node="micro_gesture", **about):
    return stage.call(DefineGesture, f"{node}/define_gesture", DefineGesture.Request(**about))


def shown(times, first_ns=0):
    """Frames of a right hand that bends its index finger so often, with rests between."""
    once = [f for f in golden("right_facing").frames() if f.present(RIGHT) and f.t < 1.9]
    still = once[0]
    out, t_ns, step = [], first_ns, 33_333_333
    for _ in range(times):
        for frame in [*[still] * 24, *once, *[once[-1]] * 24]:
            out.append(replace(frame, t_ns=t_ns, appearance=None))
            t_ns += step
    return out


def publish(node, mouth, frames):
    """A few at a time, and no more before they came: a subscription keeps ten."""
    before = node.health.counts["frames"]
    for number, one in enumerate(frames, 1):
        mouth.publish(to_hand_frame(one, sequence=number))
        if number % 5 == 0:
            wait_for(lambda taken=before + number: node.health.counts["frames"] >= taken, f"frame {number}")


def test_a_gesture_by_words_is_kept_and_told_at_once_and_after_a_restart(stage, tmp_path):
    own = tmp_path / "own" / "mine.figop"
    node = stage.start(MicroGesture, gestures__file=str(own))
    leaves = "the index finger quickly leaves the palm"
    answer = define(stage, name="let_go", text=leaves)
    assert answer.success, answer.message
    assert str(own) in answer.message
    assert GestureStore.of(Bundle.open(own)).names == ["let_go"]
    assert "says the same as 'let_go'" in define(stage, name="again", text=leaves).message
    heard = stage.ear(GestureEvent, "micro_gesture/gestures")
    mouth = stage.mouth(HandFrame, "hands")
    publish(node, mouth, shown(2))
    wait_for(lambda: any(m.id.startswith("store-") and m.label in ("let_go", "again") for m in heard))
    wait_for(lambda: any(m.id.startswith("gesture-") for m in heard), "the motions, which are told as before")
    node.trigger_deactivate()
    node.trigger_cleanup()
    assert "configure it first" in define(stage, name="later", text=TEXT).message
    stage.activate(node)
    assert node.captioner.gestures is not None


def test_a_gesture_by_events(stage, tmp_path):
    stage.start(MicroGesture, gestures__file=str(tmp_path / "mine.figop"))
    events = [to_finger_event(e) for e in events_of("the left thumb and index finger pinch twice")]
    answer = define(stage, name="double", events=events)
    assert answer.success, answer.message
    (gesture,) = GestureStore.of(Bundle.open(tmp_path / "mine.figop"))
    for hand in ("left", "right"):  # whichever hand performs it
        (event,) = gesture.events(hand)
        assert (event.hand, event.motion, event.fingers, event.repeat) == (hand, "pinch", ("index",), 2)


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"name": "x"}, "by a text or by events"),
        ({"name": "x", "text": "wiggle the toes"}, "words that are understood: "),
        ({"name": "No Name", "text": TEXT}, "lower case letters"),
    ],
)
def test_what_cannot_be_defined_is_said(stage, tmp_path, about, said):
    own = tmp_path / "mine.figop"
    node = stage.start(MicroGesture, gestures__file=str(own))
    answer = define(stage, **about)
    assert (answer.success, said in answer.message) == (False, True), answer.message
    assert not own.exists()
    assert node.state == "active"


def test_a_bundle_that_came_with_figop_is_never_changed(stage):
    stage.start(MicroGesture)
    answer = define(stage, name="x", text=TEXT)
    assert not answer.success
    assert "set the parameter gestures.file" in answer.message


def test_a_bundle_of_rules_has_no_student_to_read_gestures_with(stage, tmp_path):
    stage.start(MicroGesture, bundle="figop-rules", gestures__file=str(tmp_path / "mine.figop"))
    assert "has no trained student" in define(stage, name="x", text=TEXT).message


def test_a_file_that_cannot_be_written_is_said(stage, tmp_path):
    (tmp_path / "file").write_text("")
    node = stage.start(MicroGesture, gestures__file=str(tmp_path / "file" / "mine.figop"))
    answer = define(stage, name="x", text=TEXT)
    assert not answer.success
    assert "file" in answer.message
    assert node.state == "active"


def test_a_file_of_another_student_fails_to_configure(stage, tmp_path):
    own = tmp_path / "mine.figop"
    first = stage.start(MicroGesture, gestures__file=str(own))
    assert define(stage, name="x", text=TEXT).success
    first.trigger_deactivate()
    first.trigger_cleanup()
    other = stage.make(MicroGesture, "__node:=other", bundle="figop-rules", gestures__file=str(own))
    assert str(other.trigger_configure()).endswith("FAILURE")
    assert "was made of another bundle than figop-rules" in other.health.error


def test_a_gesture_that_is_shown_is_learned_and_told(stage, tmp_path):
    own = tmp_path / "mine.figop"
    node = stage.start(MicroGesture, gestures__file=str(own), stream__timeout_s=0.0)
    mouth = stage.mouth(HandFrame, "hands")
    client = stage.probe.create_client(EnrolGesture, stage.name("micro_gesture/enrol_gesture"))
    assert client.wait_for_service(20)
    asked = client.call_async(EnrolGesture.Request(name="my_bend", examples=3, timeout_s=120.0))
    wait_for(lambda: node._own._frames is not None, "the enrolment")
    busy = stage.call(EnrolGesture, "micro_gesture/enrol_gesture", EnrolGesture.Request(name="other", examples=3))
    assert "Another gesture is being enrolled" in busy.message
    publish(node, mouth, shown(4))
    wait_for(asked.done, "the answer", seconds=120)
    answer = asked.result()
    assert answer.success, answer.message
    assert answer.recorded == 3
    assert "by 3 examples" in answer.message
    assert GestureStore.of(Bundle.open(own)).get("my_bend").kind == "examples"
    heard = stage.ear(GestureEvent, "micro_gesture/gestures")
    publish(node, mouth, shown(3, first_ns=100 * 10**9))
    wait_for(lambda: any(m.label == "my_bend" and m.confidence > 0 for m in heard), "the gesture that was learned")


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ({"name": "x", "examples": 1}, "2 to 20 examples"),
        ({"name": "No Name", "examples": 3}, "lower case letters"),
        ({"name": "x", "examples": 3, "timeout_s": -1.0}, "timeout_s must be 0 or more"),
        ({"name": "x", "examples": 3, "timeout_s": 0.3}, "0 of 3 examples were seen within 0.3 s"),
    ],
)
def test_what_cannot_be_enrolled_is_said(stage, tmp_path, about, said):
    node = stage.start(MicroGesture, gestures__file=str(tmp_path / "mine.figop"))
    answer = stage.call(EnrolGesture, "micro_gesture/enrol_gesture", EnrolGesture.Request(**about))
    assert (answer.success, said in answer.message) == (False, True), answer.message
    assert node.state == "active"
    assert not (tmp_path / "mine.figop").exists()


def test_a_node_that_is_deactivated_while_somebody_shows_ends_it(stage, tmp_path):
    node = stage.start(MicroGesture, gestures__file=str(tmp_path / "mine.figop"))
    client = stage.probe.create_client(EnrolGesture, stage.name("micro_gesture/enrol_gesture"))
    assert client.wait_for_service(20)
    asked = client.call_async(EnrolGesture.Request(name="x", examples=3, timeout_s=60.0))
    wait_for(lambda: node._own._frames is not None, "the enrolment")
    node.trigger_deactivate()
    wait_for(asked.done, "the answer")
    assert "micro_gesture is inactive: activate it" in asked.result().message


def test_the_one_process_node_has_them_too(stage, tmp_path):
    from tests.ros_nodes.test_ros_nodes import Scripted

    node = stage.make(FigopOneNode, gestures__file=str(tmp_path / "mine.figop"))
    open_captioner = node.open_captioner
    node.open_captioner = lambda bundle, **options: open_captioner(bundle, **{**options, "tracker": Scripted()})
    stage.activate(node)
    assert define(stage, "figop_node", name="bend_it", text=TEXT).success
    assert node._next == tmp_path / "mine.figop"  # from the next picture on
