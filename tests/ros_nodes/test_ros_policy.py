"""The policy contract: every feature always there, fresh or marked, never waiting; and the gripper that obeys it."""

import threading

import numpy as np
import pytest
from figop_msgs.msg import FingerCaption, FingerEvent, GestureEvent, HandFrame, MotionTokens
from sensor_msgs.msg import JointState
from std_msgs.msg import Header, String

from edge.hands.frame import LEFT, RIGHT
from figop_ros.conversions import to_hand_frame, to_stages, to_tokens
from figop_ros.gripper import Gripper, GripperNode, GripperPolicy
from figop_ros.micro_gesture import MicroGesture
from figop_ros.policy import (
    FEATURES,
    MOTION_NAMES,
    NEVER_S,
    STREAMS,
    Observation,
    PolicyClient,
    empty,
    lerobot_features,
)
from figop_ros.tokens import GEOMETRY, LAYOUTS, STUDENT, Tokens
from tests.ros_nodes.frames import STEP_NS, frame, golden
from tests.ros_nodes.stage import wait_for

#: for tests on a machine that may be busy for seconds
PATIENT = {"hands": 1e6, "gestures": 1e6, "tokens": 1e6}


class Now:
    """A clock that tests move."""

    t = 100.0

    def __call__(self):
        return self.t


def started(number=1, motion="pinch", hand="right", fingers=("index",), **about):
    event = FingerEvent(hand=hand, motion=motion, fingers=list(fingers), contact="thumb")
    return GestureEvent(id=f"gesture-{number}", hand=hand, event=[event], confidence=0.9, **about)


def ended(number=1, confidence=0.9, hand="right"):
    return GestureEvent(id=f"gesture-{number}", hand=hand, type=GestureEvent.END, confidence=confidence)


def caption(number, *motions, final=True, hand="right"):
    score = [FingerEvent(hand=hand, motion=m, t_end=float(i)) for i, m in enumerate(motions)]
    return FingerCaption(id=f"phrase-{number}", final=final, score=score, text="words")


def test_features_are_known_before_any_node_runs():
    first = empty()
    assert first.keys() == FEATURES.keys()
    for name, feature in FEATURES.items():
        assert first[name].shape == feature.shape, name
        assert first[name].dtype == np.dtype(feature.dtype), name
        assert not feature.names or len(feature.names) == feature.shape[-1], name
        assert feature.text
    assert first["age_s"].tolist() == [NEVER_S] * len(STREAMS)


def test_lerobot_form():
    described = lerobot_features()
    given = Observation(empty()).lerobot()
    assert described.keys() == given.keys()
    assert all(given[n].shape == tuple(d["shape"]) and given[n].dtype == d["dtype"] for n, d in described.items())


def check_shapes(observation):
    for name, feature in FEATURES.items():
        value = observation.features[name]
        assert value.shape == feature.shape
        assert value.dtype == np.dtype(feature.dtype)
        assert np.isfinite(value).all()


def test_latest(stage):
    now = Now()
    client = PolicyClient(stage.probe, clock=now)
    check_shapes(client.latest())
    assert not client.latest().features["valid"].any()
    client.take_hands(to_hand_frame(frame(5)))
    client.take_gesture(started(7))
    client.take_caption(caption(3, "curl", "pinch"))
    now.t += 0.2
    seen = client.latest()
    check_shapes(seen)
    f = seen.features
    assert f["hand_seen"].tolist() == [False, True]
    assert f["wrist"][RIGHT] == pytest.approx([0.1, -0.2, 0.6])
    assert f["wrist_known"].tolist() == [False, True]
    assert seen.motion("right") == "pinch"
    assert seen.motion("left") == ""
    assert f["gesture_fingers"][RIGHT].tolist() == [0, 1, 0, 0, 0]
    assert f["gesture_number"].tolist() == [-1, 7]
    assert f["caption_number"] == 3
    assert MOTION_NAMES[f["caption_last"][RIGHT]] == "pinch"
    assert f["caption_motions"][RIGHT].sum() == 2
    assert f["valid"].tolist() == [True, True, False, True]
    assert seen.age_s("hands") == pytest.approx(0.2, abs=1e-5)
    assert (seen.t_ns, seen.text) == (5, "words")
    client.take_gesture(ended(7))
    assert client.latest().motion("right") == ""


def tokens_of(layout, weights=""):
    shape = (2, 4, 128) if layout == STUDENT else (2, 6, 8)
    tokens = Tokens(9, 1.0, 1.5, np.array([True, True]), np.full(shape, 0.5, np.float32), layout, weights)
    return to_tokens(tokens, Header(), to_stages({}))


def test_motion_tokens_go_where_their_layout_belongs(stage):
    client = PolicyClient(stage.probe)
    assert client.latest().features["token_layout"] == -1
    for layout, full, bare in (
        (STUDENT, "motion_tokens", "motion_geometry"),
        (GEOMETRY, "motion_geometry", "motion_tokens"),
    ):
        client.take_tokens(tokens_of(layout, "w" if layout == STUDENT else ""))
        seen = client.latest()
        check_shapes(seen)
        assert (seen.features[full] == 0.5).all()
        assert not seen.features[bare].any()
        assert seen.features["token_layout"] == LAYOUTS.index(layout)
        assert seen.features["token_unit"] == 9
        assert seen.weights == ("w" if layout == STUDENT else "")


def test_tokens_of_other_weights_or_layouts_are_left_out_and_the_policy_lives(stage):
    client = PolicyClient(stage.probe, PATIENT, "trained-with-these")
    mouth = stage.mouth(MotionTokens, "tokens")
    mouth.publish(tokens_of(STUDENT, "others"))
    wait_for(lambda: "trained with those of trained-with" in client.trouble)
    mouth.publish(MotionTokens(layout="geometry-9"))
    wait_for(lambda: "'geometry-9'" in client.trouble)
    assert not client.latest().valid("tokens")
    mouth.publish(tokens_of(STUDENT, "trained-with-these"))
    wait_for(lambda: client.latest().valid("tokens"))


def test_a_gesture_of_nobody_s_hand_does_not_end_the_policy(stage):
    client = PolicyClient(stage.probe, PATIENT)
    client.take_hands(to_hand_frame(frame(5)))
    mouth = stage.mouth(GestureEvent, "gestures")
    mouth.publish(started(1, hand="third"))
    wait_for(lambda: "A GestureEvent was left out" in client.trouble)
    mouth.publish(started(2))
    wait_for(lambda: client.latest().features["gesture_number"][RIGHT] == 2)


def test_gestures_of_one_s_own_have_a_name(stage):
    client = PolicyClient(stage.probe, PATIENT)
    client.take_hands(to_hand_frame(frame(5)))
    client.take_gesture(GestureEvent(id="store-right-7", hand="right", label="my_bend"))
    client.take_gesture(started(7))
    assert client.latest().named == ("", "my_bend")
    client.take_gesture(GestureEvent(id="store-right-7", hand="right", type=GestureEvent.END, label="my_bend"))
    seen = client.latest()
    assert seen.named == ("", "")
    assert seen.features["gesture_withdrawn"].tolist() == [-1, -1]  # another gesture has that number
    assert seen.motion("right") == "pinch"


def test_what_is_old_is_not_valid_and_its_gestures_count_as_none(stage):
    now = Now()
    client = PolicyClient(stage.probe, {"hands": 0.5}, clock=now)
    client.take_hands(to_hand_frame(frame(5)))
    client.take_gesture(started())
    now.t += 0.51
    old = client.latest()
    assert not old.valid("hands")
    assert not old.valid("gestures")
    assert old.motion("right") == ""
    client.take_hands(to_hand_frame(frame(6)))
    assert client.latest().motion("right") == "pinch"
    now.t += 7.0
    client.take_hands(to_hand_frame(frame(7)))  # whoever recognises gestures has fallen silent
    assert client.latest().motion("right") == ""


def test_an_old_stamp_is_an_old_frame(stage):
    """A frame that was under way for long is old when it comes."""
    client = PolicyClient(stage.probe)
    client.take_hands(to_hand_frame(frame(stage.probe.get_clock().now().nanoseconds - 2 * 10**9)))
    assert client.latest().age_s("hands") >= 2.0
    assert not client.latest().valid("hands")


def test_the_end_of_a_stream_ends_everything(stage):
    client = PolicyClient(stage.probe)
    client.take_hands(to_hand_frame(frame(5)))
    client.take_gesture(started())
    client.take_hands(to_hand_frame(frame(6), end_of_stream=True))
    assert not client.latest().features["valid"].any()


def test_latest_from_another_thread_while_messages_come(stage):
    client = PolicyClient(stage.probe)
    going, failed = threading.Event(), []

    def read():
        while not going.is_set():
            try:
                check_shapes(client.latest())
            except Exception as error:
                failed.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(200):
        client.take_hands(to_hand_frame(frame(number)))
        client.take_gesture(started(number) if number % 2 else ended(number - 1))
        client.take_caption(caption(number, "grab"))
    going.set()
    reader.join()
    assert not failed


def test_by_topics(stage):
    client = PolicyClient(stage.probe, PATIENT)
    hands, gestures = stage.mouth(HandFrame, "hands"), stage.mouth(GestureEvent, "gestures")
    hands.publish(to_hand_frame(frame(5)))
    gestures.publish(started(2, "grab", fingers=()))
    wait_for(lambda: client.latest().motion("right") == "grab")
    client.close()
    wait_for(lambda: not stage.probe.count_subscribers(stage.name("hands")))


# -- gripper -----------------------------------------------------------------------------------------------------------


class Told:
    """Observations made of what a policy has been told, through the real client."""

    def __init__(self, stage, **options):
        self.now = Now()
        self.client = PolicyClient(stage.probe, clock=self.now)
        self.policy = GripperPolicy(**options)
        self.t = 0

    def hands(self):
        self.t += STEP_NS
        self.now.t += STEP_NS * 1e-9
        self.client.take_hands(to_hand_frame(frame(self.t)))

    def decide(self, *messages):
        for message in messages:
            take = self.client.take_caption if isinstance(message, FingerCaption) else self.client.take_gesture
            take(message)
        return self.policy.decide(self.client.latest())


@pytest.fixture
def told(stage):
    made = Told(stage)
    made.hands()
    assert made.decide() == ""
    return made


def test_gestures_drive(told):
    assert told.decide(started(1)) == "close"
    assert told.decide() == ""  # once
    assert told.decide(ended(1)) == ""
    assert told.decide(started(2, "open", fingers=())) == "open"
    assert told.decide(ended(2), started(3, "curl")) == ""
    assert told.decide(ended(3), started(4, "grab", fingers=())) == "stop"


def test_a_fist_of_either_hand_wins(told):
    assert told.decide(started(1), started(2, "grab", "left", ())) == "stop"


def test_a_gesture_that_was_none_stops(told):
    assert told.decide(started(1)) == "close"
    assert told.decide(ended(1, confidence=0.0)) == "stop"
    assert "withdrawn" in told.policy.reason


def test_a_doubtful_gesture_does_nothing(told):
    doubtful = started(1)
    doubtful.confidence = 0.3
    assert told.decide(doubtful) == ""
    sure = started(1)
    assert told.decide(sure) == "close"


def test_a_caption_says_what_gestures_missed(told):
    assert told.decide(caption(0, "curl", "pinch", final=False)) == ""
    assert told.decide(caption(0, "curl", "pinch")) == "close"
    assert told.decide() == ""
    assert told.decide(caption(1, "wave")) == ""


def test_safety_stop_and_a_fresh_gesture_after_it(told):
    assert told.decide(started(1)) == "close"
    told.now.t += 0.31
    assert told.decide() == "stop"
    assert "safety stop" in told.policy.reason
    assert told.decide() == ""
    told.hands()
    assert told.decide() == ""  # the old pinch is still announced, and does not start it again
    assert told.decide(caption(0, "pinch")) == "close"
    told.now.t += 0.31
    assert told.decide() == "stop"
    told.hands()
    assert told.decide(started(9)) == ""  # begun before anyone looked
    assert told.decide(ended(9), started(10, "open", fingers=())) == "open"


def test_one_hand_only(stage):
    made = Told(stage, hands="left")
    made.hands()
    made.decide()
    assert made.decide(started(1)) == ""
    assert made.decide(started(2, hand="left")) == "close"


def test_kinematics():
    gripper = Gripper(width=0.08, speed=0.1, position=0.08, target=0.08)
    gripper.command("close")
    assert gripper.step(0.1) == pytest.approx(-0.1)
    assert gripper.position == pytest.approx(0.07)
    gripper.command("stop")
    assert gripper.step(1.0) == 0
    gripper.command("close")
    for _ in range(20):
        gripper.step(0.1)
    assert gripper.position == 0
    gripper.command("open")
    gripper.step(10)
    assert gripper.position == pytest.approx(0.08)


def test_hands_drive_the_gripper_over_dds_and_it_stops_when_they_are_gone(stage):
    """Recorded hands -> micro_gesture -> gripper: a pinch closes; then the hands fall silent half way."""
    gesture = stage.start(MicroGesture)
    node = stage.start(GripperNode, "gestures:=micro_gesture/gestures", safety__max_age_s=5.0, gripper__speed_m_s=0.02)
    commands = stage.ear(String, "gripper/command")
    joints = stage.ear(JointState, "gripper/joint_states")
    mouth = stage.mouth(HandFrame, "hands", listeners=2)
    wait_for(lambda: node.wanted("command") and gesture.wanted("gestures"))
    for number, one in enumerate(f for f in golden("right_facing").frames() if f.t < 3.2):
        mouth.publish(to_hand_frame(one, sequence=number))
        wait_for(lambda number=number: gesture.health.counts["frames"] > number and gesture.worker.idle(1.0))
    wait_for(lambda: any(m.data.startswith("close (right hand: pinch") for m in commands))
    wait_for(lambda: any(m.velocity[0] < 0 for m in joints))
    node.policy.safe_stop = False
    wait_for(lambda: commands[-1].data.startswith("stop (safety stop"), seconds=30)
    halted = node.gripper.position
    seen = len(joints)
    wait_for(lambda: len(joints) > seen + 3)
    assert joints[-1].velocity[0] == 0
    assert node.gripper.position == halted
    assert LEFT == 0
