"""Every node lives: known input in, known output out. Transitions, parameters, QoS, restarts, slow listeners."""

import array
import json
import threading
import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from figop_msgs.msg import FigopUnit, FingerCaption, GestureEvent, HandFrame, MotionTokens
from figop_msgs.srv import SetCaptionStyle
from geometry_msgs.msg import PoseWithCovarianceStamped
from rcl_interfaces.srv import DescribeParameters
from rclpy.parameter import Parameter
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header, String
from tf2_msgs.msg import TFMessage
from visualization_msgs.msg import Marker, MarkerArray

from edge.errors import RuntimeUnavailable
from edge.hands.frame import RIGHT
from edge.pipeline import Captioner
from figop_ros import conversions
from figop_ros.captioner import CaptionerNode
from figop_ros.conversions import from_gesture, from_hand_frame, to_hand_frame, to_time
from figop_ros.figop_buffer import FigopBufferNode
from figop_ros.figop_node import FigopOneNode
from figop_ros.hand_tracker import HandTrackerNode
from figop_ros.images import from_rgb
from figop_ros.micro_gesture import MicroGesture
from figop_ros.player import PlayerNode
from figop_ros.recorder import RecorderNode
from figop_ros.worker import Worker
from tests.ros_nodes.frames import STEP_NS, frame, golden, same
from tests.ros_nodes.stage import wait_for

RGB = np.random.default_rng(0).integers(0, 255, (480, 640, 3)).astype(np.uint8)


class Scripted:
    """A tracker that always sees the same hand, and notes the pictures that it was given."""

    appearance_digest = "digest"

    def __init__(self, gate=None):
        self.seen, self.closed, self.gate, self.resets = [], False, gate, 0

    def track(self, rgb, t_ns, *, appearance=False):
        if self.gate is not None:
            self.gate.wait(10)
        self.seen.append((t_ns, rgb.copy()))
        return frame(t_ns, RIGHT, 8 if appearance else 0)

    def reset(self):
        self.resets += 1

    def close(self):
        self.closed = True


def tracker_node(stage, tracker=None, **parameters):
    tracker = tracker or Scripted()
    node = stage.make(HandTrackerNode, **parameters)
    node.open_tracker = lambda name, **options: tracker
    stage.activate(node)
    return node, tracker


def picture(t_ns=0):
    return from_rgb(RGB, Header(stamp=to_time(t_ns), frame_id="cam_optical"))


def send(node, mouth, frames, end=False, **about):
    """Publish frames no faster than the node takes them, so that no queue on the way is too short."""
    counted, number = node.health.counts["frames"], 0
    for number, one in enumerate(frames, 1):
        mouth.publish(to_hand_frame(one, frame_id="cam", sequence=number - 1, **about))
        if number % 10 == 0:
            wait_for(lambda taken=counted + number: node.health.counts["frames"] >= taken and node.worker.idle(1.0))
    if end:
        number += 1
        mouth.publish(to_hand_frame(frame(), frame_id="cam", sequence=number - 1, end_of_stream=True, **about))
    wait_for(lambda: node.health.counts["frames"] >= counted + number and node.worker.idle(1.0))


# -- hand_tracker ----------------------------------------------------------------------------------------------------


def test_hand_tracker(stage):
    node, tracker = tracker_node(stage, annotated__publish=True)
    hands = stage.ear(HandFrame, "hand_tracker/hands")
    wrists = stage.ear(PoseWithCovarianceStamped, "hand_tracker/wrist/right")
    markers = stage.ear(MarkerArray, "hand_tracker/markers")
    drawn = stage.ear(Image, "hand_tracker/annotated", reliable=False)
    frames = stage.ear(TFMessage, "/tf")
    mouth = stage.mouth(Image, "image")
    wait_for(lambda: all(node.wanted(k) for k in ("wrist/right", "markers", "annotated", "tf")))
    mouth.publish(picture(5_000_000_007))
    wait_for(lambda: hands and wrists and markers and drawn and frames)
    got = from_hand_frame(hands[0])
    assert same(got, frame(5_000_000_007, RIGHT, 8))  # the first frame of a stream is a keyframe
    assert np.array_equal(tracker.seen[0][1], RGB)
    assert hands[0].header.frame_id == wrists[0].header.frame_id == drawn[0].header.frame_id == "cam_optical"
    assert (hands[0].appearance_digest, hands[0].view, hands[0].mirrored) == ("digest", HandFrame.FACING, False)
    assert {"landmarks", "image"} <= set(hands[0].stages.names)
    assert wrists[0].pose.pose.position.z > 0.1
    assert wrists[0].pose.covariance[14] > 0
    actions = {m.ns: m.action for m in markers[0].markers}
    assert actions == {
        "left/joints": Marker.DELETE,
        "left/bones": Marker.DELETE,
        "right/joints": Marker.ADD,
        "right/bones": Marker.ADD,
    }
    assert [t.child_frame_id for t in frames[0].transforms] == ["hand_right"]
    assert frames[0].transforms[0].transform.translation.z == wrists[0].pose.pose.position.z
    assert not np.array_equal(np.frombuffer(drawn[0].data, np.uint8), RGB.reshape(-1))


def test_hand_tracker_calibrated(stage):
    node, _ = tracker_node(stage, tf__prefix="robot1/")
    wrists = stage.ear(PoseWithCovarianceStamped, "hand_tracker/wrist/right")
    frames = stage.ear(TFMessage, "/tf")
    info = stage.mouth(CameraInfo, "camera_info")
    mouth = stage.mouth(Image, "image")
    wait_for(lambda: node.wanted("tf") and node.wanted("wrist/right"))
    for focal in (640.0, 1280.0):
        message = CameraInfo(width=640, height=480, distortion_model="plumb_bob", d=[0.0] * 5)
        message.k = [focal, 0.0, 320.0, 0.0, focal, 240.0, 0.0, 0.0, 1.0]
        info.publish(message)
        wait_for(lambda focal=focal: node.camera is not None and node.camera.fx == focal)
        seen = len(wrists)
        mouth.publish(picture(int(focal)))
        wait_for(lambda seen=seen: len(wrists) > seen)
    near, far = (w.pose.pose.position.z for w in wrists)
    assert far == pytest.approx(2 * near, rel=0.1)
    wait_for(lambda: frames)
    assert frames[0].transforms[0].child_frame_id == "robot1/hand_right"


def test_hand_tracker_compressed(stage):
    import cv2

    _, tracker = tracker_node(stage, input__from="compressed")
    hands = stage.ear(HandFrame, "hand_tracker/hands")
    mouth = stage.mouth(CompressedImage, "image/compressed")
    data = cv2.imencode(".png", RGB[..., ::-1])[1].tobytes()
    mouth.publish(CompressedImage(format="png", data=array.array("B", data)))
    wait_for(lambda: hands)
    assert np.array_equal(tracker.seen[0][1], RGB)


def test_hand_tracker_takes_the_latest_picture_only_and_says_what_it_dropped(stage):
    gate = threading.Event()
    node, tracker = tracker_node(stage, Scripted(gate), diagnostics__period_s=60.0)  # only asked, below
    hands = stage.ear(HandFrame, "hand_tracker/hands")
    mouth = stage.mouth(Image, "image")
    for number in range(6):
        mouth.publish(picture(number * STEP_NS))
        wait_for(lambda number=number: node.health.counts["frames"] > number)
    gate.set()
    wait_for(lambda: len(hands) == 2)
    assert [t for t, _ in tracker.seen] == [0, 5 * STEP_NS]
    assert node.worker.dropped == 4
    status = node.diagnose().status[0]
    assert status.level == DiagnosticStatus.WARN
    assert "dropped_late 4" in status.message


def test_a_picture_that_cannot_be_read_does_not_end_the_node(stage):
    node, tracker = tracker_node(stage)
    mouth = stage.mouth(Image, "image")
    mouth.publish(Image(width=4, height=4, encoding="strange", step=4, data=array.array("B", bytes(16))))
    wait_for(lambda: node.health.counts["dropped_bad"] == 1)
    status = node.diagnose().status[0]
    assert status.level == DiagnosticStatus.WARN
    assert "'strange' are not read" in status.message
    mouth.publish(picture())
    wait_for(lambda: tracker.seen)


def test_tracking_ends_with_the_end_of_its_stream(stage):
    node, tracker = tracker_node(stage)
    hands = stage.ear(HandFrame, "hand_tracker/hands")
    mouth = stage.mouth(Image, "image")
    mouth.publish(picture(70))
    wait_for(lambda: hands)
    node.trigger_deactivate()
    wait_for(lambda: len(hands) == 2)
    assert hands[1].end_of_stream
    assert conversions.from_time(hands[1].header.stamp) == 70
    assert not tracker.closed
    node.trigger_cleanup()
    assert tracker.closed


class Device:
    """A camera as OpenCV has it."""

    def __init__(self, pictures):
        self.left, self.released = pictures, False

    def grab(self):
        return self.left > 0

    def retrieve(self):
        self.left -= 1
        return True, RGB[..., ::-1]

    def get(self, which):
        return 0.0

    def release(self):
        self.released = True


def test_a_camera_that_is_lost_is_opened_again(stage, monkeypatch):
    from figop_ros import pictures

    made = []

    def opened(where, fps=None):
        made.append(CameraSource(where, Device(1)))
        return made[-1]

    CameraSource = pictures.CameraSource
    monkeypatch.setattr(pictures, "CameraSource", opened)
    monkeypatch.setattr(pictures, "RETRY_S", 0.01)
    node, _tracker = tracker_node(stage, input__from="camera")
    hands = stage.ear(HandFrame, "hand_tracker/hands")
    wait_for(lambda: len(hands) >= 2 and len(made) >= 3)
    assert hands[0].header.frame_id == "camera_optical_frame"
    stamp = conversions.from_time(hands[-1].header.stamp)
    assert abs(node.now_ns() - stamp) < 60e9  # ROS time, whatever the device's clock says
    assert "stopped after 1 frames" in node.diagnose().status[0].message
    node.trigger_deactivate()
    assert node.state == "inactive"


# -- figop_buffer, micro_gesture, captioner ---------------------------------------------------------------------------


def test_figop_buffer(stage):
    node = stage.start(FigopBufferNode)
    units = stage.ear(FigopUnit, "figop_buffer/units")
    mouth = stage.mouth(HandFrame, "hands")
    sent = [frame(i * STEP_NS) for i in range(40)]
    send(node, mouth, sent[:30], view="egocentric")
    wait_for(lambda: len(units) == 2)  # with its last frame, not with the next keyframe
    send(node, mouth, sent[30:], view="egocentric")
    assert [len(u.frames) for u in units] == [15, 15]
    assert [u.index for u in units] == [0, 1]
    assert all(same(a, from_hand_frame(b)) for u in units for a, b in zip(sent[u.index * 15 :], u.frames, strict=False))
    assert units[0].frames[3].view == HandFrame.EGOCENTRIC
    assert units[0].t_end == pytest.approx(14 / 30, abs=1e-6)
    mouth.publish(to_hand_frame(frame(40 * STEP_NS), end_of_stream=True))
    wait_for(lambda: len(units) == 4)
    assert len(units[2].frames) == 10
    assert units[3].end_of_stream


def replay(name, **wording):
    recording = golden(name)
    with Captioner.open(tracker=None, view=recording.view, mirrored=recording.mirrored, **wording) as captioner:
        return [e for f in recording.frames() for e in captioner.push(f)] + captioner.flush()


def test_micro_gesture(stage):
    node = stage.start(MicroGesture)
    heard = stage.ear(GestureEvent, "micro_gesture/gestures")
    mouth = stage.mouth(HandFrame, "hands")
    send(node, mouth, golden("right_facing").frames(), end=True)
    wanted = [e for e in replay("right_facing") if e.type in ("gesture_start", "gesture_end")]
    wait_for(lambda: len(heard) >= len(wanted))
    assert [from_gesture(m) for m in heard] == wanted
    assert {m.header.frame_id for m in heard} == {"cam"}


def test_captioner_tells_captions_tokens_and_lines(stage):
    node = stage.start(CaptionerNode)
    captions = stage.ear(FingerCaption, "captioner/captions")
    tokens = stage.ear(MotionTokens, "captioner/tokens")
    lines = stage.ear(String, "captioner/events")
    mouth = stage.mouth(HandFrame, "hands")
    send(node, mouth, golden("right_facing").frames(), end=True)
    wanted = replay("right_facing")
    wait_for(lambda: len(lines) >= len(wanted))
    wait_for(lambda: len(captions) >= sum(e.type == "caption" for e in wanted))
    assert [conversions.from_caption(m) for m in captions] == [e for e in wanted if e.type == "caption"]
    said, meant = ([{**row, "age_ms": 0, "stages_ms": 0} for row in rows] for rows in
                   ([json.loads(m.data) for m in lines], [e.to_dict() for e in wanted]))  # fmt: skip
    assert said == meant
    wait_for(lambda: len(tokens) >= 5)
    assert [t.unit for t in tokens[:5]] == [0, 1, 2, 3, 4]
    assert all(t.valid[RIGHT] and not t.valid[0] for t in tokens[:5])
    assert {(t.layout, t.weights, len(t.tokens)) for t in tokens} == {("student-1", weights(), 2 * 4 * 128)}
    one = np.array(tokens[1].tokens).reshape(2, 4, 128)
    assert not one[0].any()  # there is no left hand
    assert len({row.tobytes() for t in tokens[:5] for row in np.array(t.tokens).reshape(2, 4, 128)[1, 1:]}) > 10


def test_a_bundle_without_a_student_tells_geometry(stage):
    node = stage.start(CaptionerNode, bundle="figop-rules")
    tokens = stage.ear(MotionTokens, "captioner/tokens")
    mouth = stage.mouth(HandFrame, "hands")
    send(node, mouth, golden("right_facing").frames(), end=True)
    wait_for(lambda: len(tokens) >= 3)
    assert {(t.layout, t.weights, t.size, len(t.tokens)) for t in tokens} == {("geometry-1", "", 8, 96)}
    assert tokens[0].columns[0] == "bend"


def weights():
    from edge.bundle import Bundle

    return Bundle.open().weights_digest


def test_captioner_by_units_says_the_same(stage):
    node = stage.start(FigopBufferNode)
    stage.start(CaptionerNode, "units:=figop_buffer/units", input__from="units")
    captions = stage.ear(FingerCaption, "captioner/captions")
    mouth = stage.mouth(HandFrame, "hands")
    wait_for(lambda: stage.probe.count_subscribers(stage.name("figop_buffer/units")))
    send(node, mouth, golden("left_facing").frames(), end=True)
    wanted = [e for e in replay("left_facing") if e.type == "caption"]
    wait_for(lambda: len(captions) >= len(wanted))
    assert [conversions.from_caption(m) for m in captions] == wanted


def test_view_and_mirroring_come_with_the_frames(stage):
    """One node, two streams after each other: each is read as its sender says."""
    node = stage.start(CaptionerNode)
    captions = stage.ear(FingerCaption, "captioner/captions")
    mouth = stage.mouth(HandFrame, "hands")
    for name in ("egocentric", "mirrored"):
        recording, already = golden(name), len(captions)
        send(node, mouth, recording.frames(), end=True, view=recording.view, mirrored=recording.mirrored)
        wanted = [e for e in replay(name) if e.type == "caption"]
        wait_for(lambda already=already, wanted=wanted: len(captions) >= already + len(wanted))
        assert [conversions.from_caption(m) for m in captions[already:]] == wanted


def test_a_silent_input_ends_the_phrase(stage):
    node = stage.start(CaptionerNode, stream__timeout_s=3.0, diagnostics__period_s=0.1)
    captions = stage.ear(FingerCaption, "captioner/captions")
    mouth = stage.mouth(HandFrame, "hands")
    send(node, mouth, [f for f in golden("right_facing").frames() if f.t < 1.3])
    final = wait_for(lambda: [c for c in captions if c.final])
    assert "index" in final[0].text
    wait_for(lambda: "No input for" in node.diagnose().status[0].message)


def test_deactivating_says_the_last_words(stage):
    node = stage.start(CaptionerNode)
    captions = stage.ear(FingerCaption, "captioner/captions")
    mouth = stage.mouth(HandFrame, "hands")
    frames = [f for f in golden("right_facing").frames() if f.t < 1.3]
    send(node, mouth, frames)
    wait_for(lambda: node.health.counts["frames"] == len(frames))
    node.trigger_deactivate()
    assert wait_for(lambda: [c for c in captions if c.final])


def test_caption_style_by_service_and_by_parameter(stage):
    node = stage.start(CaptionerNode)
    style = SetCaptionStyle.Request(style="instruction")
    answer = stage.call(SetCaptionStyle, "captioner/set_caption_style", style)
    assert answer.success, answer.message
    assert "instruction" in answer.message
    captions = stage.ear(FingerCaption, "captioner/captions")
    mouth = stage.mouth(HandFrame, "hands")
    send(node, mouth, golden("right_facing").frames(), end=True)
    wanted = [e.text for e in replay("right_facing", style="instruction") if e.type == "caption" and e.final]
    wait_for(lambda: sum(c.final for c in captions) >= len(wanted))
    assert [c.text for c in captions if c.final] == wanted
    assert {c.style for c in captions} == {"instruction"}
    for wrong, what in (
        ({"style": "rude"}, "found 'rude'"),
        ({"language": "tlh"}, "tlh"),
        ({"detail": "x"}, "found 'x'"),
    ):
        answer = stage.call(SetCaptionStyle, "captioner/set_caption_style", SetCaptionStyle.Request(**wrong))
        assert not answer.success
        assert what in answer.message
    assert node.p["caption.style"] == "instruction"


def test_frames_lost_on_the_way_are_counted(stage):
    node = stage.start(MicroGesture, diagnostics__period_s=60.0)
    mouth = stage.mouth(HandFrame, "hands")
    for number in (0, 1, 5):
        mouth.publish(to_hand_frame(frame(number * STEP_NS), sequence=number))
    wait_for(lambda: node.health.counts["lost"] == 3)
    assert "lost 3" in node.diagnose().status[0].message


def test_a_frame_with_two_left_hands_is_told_and_left_out(stage):
    node = stage.start(MicroGesture)
    mouth = stage.mouth(HandFrame, "hands")
    wrong = to_hand_frame(frame())
    wrong.hands[0].side = 1
    mouth.publish(wrong)
    wait_for(lambda: node.health.counts["dropped_bad"] == 1)
    assert "a left (0) and a right (1) hand" in node.diagnose().status[0].message
    assert node.state == "active"


# -- figop_node ------------------------------------------------------------------------------------------------------


class Replayed(Scripted):
    """A tracker that sees a recording, whatever the picture."""

    def __init__(self, frames):
        super().__init__()
        self._frames = iter(frames)

    def track(self, rgb, t_ns, *, appearance=False):
        return next(self._frames)


def test_figop_node_says_what_a_replay_says(stage):
    recording = golden("right_facing")
    frames = [f for f in recording.frames() if f.t < 3.9]
    node = stage.make(FigopOneNode, qos__image__reliability="reliable", qos__image__depth=200)
    node.open_captioner = lambda bundle, **options: Captioner.open(bundle, **{**options, "tracker": Replayed(frames)})
    stage.activate(node)
    ears = {
        key: stage.ear(kind, f"figop_node/{key}")
        for key, kind in {
            "hands": HandFrame,
            "gestures": GestureEvent,
            "captions": FingerCaption,
            "tokens": MotionTokens,
            "units": FigopUnit,
        }.items()
    }
    wait_for(lambda: all(node.wanted(key) for key in ears))
    mouth = stage.mouth(Image, "image")
    small = np.zeros((48, 64, 3), np.uint8)
    for number, one in enumerate(frames):
        mouth.publish(from_rgb(small, Header(stamp=to_time(one.t_ns), frame_id="cam")))
        wait_for(lambda number=number: len(ears["hands"]) > number)  # latest only: one at a time
    node.trigger_deactivate()
    with Captioner.open(tracker=None) as captioner:
        wanted = [e for f in frames for e in captioner.push(f)] + captioner.flush()
    starts = [e for e in wanted if e.type.startswith("gesture")]
    texts = [e for e in wanted if e.type == "caption"]
    wait_for(lambda: len(ears["gestures"]) >= len(starts) and len(ears["captions"]) >= len(texts))
    assert [from_gesture(m) for m in ears["gestures"]] == starts
    assert [conversions.from_caption(m) for m in ears["captions"]] == texts
    wait_for(lambda: len(ears["units"]) and len(ears["tokens"]) == len(ears["units"]))
    assert [u.index for u in ears["units"]] == [t.unit for t in ears["tokens"]]
    wait_for(lambda: ears["hands"][-1].end_of_stream)
    assert all(same(a, from_hand_frame(b)) for a, b in zip(frames, ears["hands"], strict=False))


def test_figop_node_with_the_real_networks(stage):
    """A rendered hand on an image topic is seen."""
    try:
        from edge.hands.networks import locate_networks

        locate_networks()
    except RuntimeUnavailable as error:
        pytest.skip(str(error))
    from edge.sources import open_source
    from tests.ros_nodes.stage import ROOT

    node = stage.start(FigopOneNode, tracker__max_hands=1)
    hands = stage.ear(HandFrame, "figop_node/hands")
    mouth = stage.mouth(Image, "image")
    for item, _ in zip(open_source(ROOT / "edge" / "assets" / "demo.webm"), range(5), strict=False):
        seen = len(hands)
        mouth.publish(from_rgb(item.rgb, Header(stamp=to_time(item.t_ns))))
        wait_for(lambda seen=seen: len(hands) > seen)
    assert any(h.presence >= 0.5 for m in hands for h in m.hands)
    assert node.health.counts["dropped_bad"] == 0


# -- transitions -----------------------------------------------------------------------------------------------------

BROKEN = [
    (CaptionerNode, {"bundle": "no-such-bundle"}, "no-such-bundle"),
    (CaptionerNode, {"caption__language": "tlh"}, "tlh"),
    (MicroGesture, {"bundle": "no-such-bundle"}, "no-such-bundle"),
    (FigopBufferNode, {"bundle": "no-such-bundle"}, "no-such-bundle"),
    (FigopOneNode, {"bundle": "no-such-bundle"}, "no-such-bundle"),
    (HandTrackerNode, {"input__from": "camera", "input__camera": "nonsense"}, "a number or a device path"),
    (PlayerNode, {}, "nothing to play"),
    (PlayerNode, {"file": "no-such-file.npz"}, "There is no file no-such-file.npz"),
    (RecorderNode, {}, "set its parameter folder"),
    (RecorderNode, {"folder": "out", "npz": False}, "neither npz nor bag"),
]


@pytest.mark.parametrize(("kind", "parameters", "what"), BROKEN, ids=lambda v: getattr(v, "__name__", None))
def test_a_failed_configure_is_a_sentence_and_the_node_lives(stage, kind, parameters, what):
    node = stage.make(kind, **parameters)
    told = stage.ear(DiagnosticArray, "/diagnostics")
    assert str(node.trigger_configure()).endswith("FAILURE")
    assert node.state == "unconfigured"
    assert what in node.health.error
    assert node.health.error.count("\n") == 0
    status = node.diagnose().status[0]
    assert status.level == DiagnosticStatus.ERROR
    assert status.message == node.health.error
    wait_for(lambda: any(what in s.message for m in told for s in m.status))
    # another try works once the reason is gone
    assert str(node.trigger_configure()).endswith("FAILURE")


def test_what_nobody_foresaw_is_a_failure_too(stage):
    node = stage.make(HandTrackerNode)

    def broken(name, **options):
        raise ZeroDivisionError("out of luck")

    node.open_tracker = broken
    assert str(node.trigger_configure()).endswith("FAILURE")
    assert node.health.error == "hand_tracker could not be configured: ZeroDivisionError: out of luck"
    node.open_tracker = lambda name, **options: Scripted()
    stage.activate(node)
    assert not node.health.error


def test_a_failed_activate_stays_inactive(stage, monkeypatch):
    node = stage.make(MicroGesture)
    node.trigger_configure()

    def broken(*args, **options):
        raise RuntimeError("no thread")

    monkeypatch.setattr(node, "start_worker", broken)
    assert str(node.trigger_activate()).endswith("FAILURE")
    assert node.state == "inactive"
    monkeypatch.undo()
    node.trigger_activate()
    assert node.state == "active"


@pytest.mark.parametrize("kind", [CaptionerNode, MicroGesture, FigopBufferNode, HandTrackerNode])
def test_nodes_go_round_and_leave_nothing_behind(stage, kind):
    node = stage.make(kind)
    if kind is HandTrackerNode:
        node.open_tracker = lambda name, **options: Scripted()
    before, ends = threading.active_count(), lambda: len(list(node.publishers)) + len(list(node.subscriptions))
    bare = ends()
    for _ in range(3):
        stage.activate(node)
        assert ends() > bare
        node.trigger_deactivate()
        assert node.state == "inactive"
        node.trigger_cleanup()
        assert node.state == "unconfigured"
        assert ends() == bare
        assert threading.active_count() == before
    node.trigger_shutdown()
    assert node.state == "finalized"


def test_transitions_by_service(stage):
    """As a lifecycle manager does it."""
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState, GetState

    node = stage.make(MicroGesture)
    for transition, state in (
        (Transition.TRANSITION_CONFIGURE, "inactive"),
        (Transition.TRANSITION_ACTIVATE, "active"),
        (Transition.TRANSITION_DEACTIVATE, "inactive"),
        (Transition.TRANSITION_CLEANUP, "unconfigured"),
    ):
        request = ChangeState.Request(transition=Transition(id=transition))
        assert stage.call(ChangeState, "micro_gesture/change_state", request).success
        assert stage.call(GetState, "micro_gesture/get_state", GetState.Request()).current_state.label == state
        assert node.state == state


# -- parameters ------------------------------------------------------------------------------------------------------


def test_parameters_are_described_and_ranged(stage):
    stage.make(HandTrackerNode)
    request = DescribeParameters.Request(names=["tracker.max_hands", "camera.view", "depth.max_age_s"])
    hands, view, age = stage.call(DescribeParameters, "hand_tracker/describe_parameters", request).descriptors
    assert (hands.integer_range[0].from_value, hands.integer_range[0].to_value) == (1, 2)
    assert "one of facing, egocentric" in view.additional_constraints
    assert "unconfigured" in view.additional_constraints
    assert "unconfigured" not in age.additional_constraints
    assert age.description


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("camera.view", "sideways", "one of facing, egocentric, found 'sideways'"),
        ("tracker.max_hands", 3, ""),
        ("qos.hands.reliability", "maybe", "one of reliable, best_effort"),
        ("tracker.max_hands", "two", ""),
    ],
)
def test_wrong_values_are_refused(stage, name, value, what):
    node = stage.make(HandTrackerNode)
    before = node.p[name]
    result = node.set_parameters([Parameter(name, value=value)])[0]
    assert not result.successful
    assert what in result.reason
    assert node.p[name] == before


def test_what_is_fixed_changes_while_unconfigured_only(stage):
    node = stage.start(CaptionerNode)
    refused = node.set_parameters([Parameter("bundle", value="x")])[0]
    assert not refused.successful
    assert "clean it up first" in refused.reason
    assert node.set_parameters([Parameter("caption.style", value="instruction")])[0].successful
    node.trigger_deactivate()
    node.trigger_cleanup()
    assert node.set_parameters([Parameter("bundle", value="x")])[0].successful


def test_a_wrong_value_at_the_start_is_a_sentence(stage):
    from edge.errors import SourceError

    with pytest.raises(SourceError, match=r"camera.view must be .*facing.*found 'sideways'"):
        stage.make(HandTrackerNode, camera__view="sideways")


# -- quality of service ----------------------------------------------------------------------------------------------


def test_a_mismatch_is_told_with_both_ends(stage):
    node = stage.start(MicroGesture)
    stage.probe.create_publisher(HandFrame, stage.name("hands"), outputs_qos("best_effort"))
    sentence = wait_for(lambda: node.watch.sentences())[0]
    ns = stage.namespace
    assert sentence == (
        f"Nothing arrives on {ns}/hands: {ns}/probe publishes best_effort, {ns}/micro_gesture asks for reliable; "
        f"set qos.hands.reliability of {ns}/micro_gesture to best_effort."
    )
    status = node.diagnose().status[0]
    assert status.level == DiagnosticStatus.WARN
    assert sentence in status.message


def test_a_mismatch_is_seen_from_the_publisher_too_and_ends(stage):
    node, _ = tracker_node(stage, qos__hands__reliability="best_effort")
    ear = stage.probe.create_subscription(HandFrame, stage.name("hand_tracker/hands"), print, outputs_qos("reliable"))
    sentence = wait_for(lambda: node.watch.sentences())[0]
    assert (
        f"{stage.namespace}/hand_tracker publishes best_effort, {stage.namespace}/probe asks for reliable" in sentence
    )
    assert sentence.endswith("to reliable.")
    stage.probe.destroy_subscription(ear)
    wait_for(lambda: not node.watch.sentences())


def outputs_qos(reliability):
    from figop_ros.qos import profile

    return profile({"qos.x.reliability": reliability, "qos.x.depth": 5}, "x")


def test_the_remedy_works(stage):
    node = stage.start(MicroGesture, qos__hands__reliability="best_effort")
    heard = stage.ear(GestureEvent, "micro_gesture/gestures")
    mouth = stage.mouth(HandFrame, "hands", reliable=False)
    send(node, mouth, golden("right_facing").frames())
    wait_for(lambda: heard)


def test_the_worker_keeps_the_order_and_drops_the_oldest_job_only():
    gate, began, done = threading.Event(), threading.Event(), []

    def handle(job):
        began.set()
        gate.wait(10)
        done.append(job)

    worker = Worker(handle, 2, "w", print)
    worker.put(0)
    assert began.wait(10)
    worker.put(1)
    worker.call(lambda: done.append("after 1"))  # a silence that was noticed then comes before what follows
    worker.put(2)
    worker.put(3)
    gate.set()
    assert worker.idle(10)
    assert done == [0, "after 1", 2, 3]
    assert worker.dropped == 1
    worker.put(4)
    assert worker.stop(10)
    worker.put(5)
    assert done[-1] == 4


# -- robustness ------------------------------------------------------------------------------------------------------


def test_a_slow_subscriber_holds_nobody_up(stage):
    """A listener that never takes its messages: the node goes on, and others hear everything."""
    node = stage.start(MicroGesture)
    heard = stage.ear(GestureEvent, "micro_gesture/gestures")
    import rclpy
    from rclpy.qos import QoSProfile

    deaf = rclpy.create_node("deaf", namespace=stage.namespace, context=stage.context)  # nobody spins it
    deaf.create_subscription(GestureEvent, stage.name("micro_gesture/gestures"), print, QoSProfile(depth=1))
    wait_for(lambda: node._outputs["gestures"].get_subscription_count() == 2)
    mouth = stage.mouth(HandFrame, "hands")
    send(node, mouth, golden("right_facing").frames(), end=True)
    wanted = [e for e in replay("right_facing") if e.type.startswith("gesture")]
    wait_for(lambda: len(heard) == len(wanted))
    assert node.worker.dropped == 0
    deaf.destroy_node()


def test_simulated_time_that_jumps_back_begins_anew(stage):
    from rosgraph_msgs.msg import Clock

    node = stage.make(CaptionerNode, use_sim_time=True)
    stage.activate(node)
    clock = stage.mouth(Clock, "/clock")
    captions = stage.ear(FingerCaption, "captioner/captions")
    mouth = stage.mouth(HandFrame, "hands")
    wanted = [e.text for e in replay("right_facing") if e.type == "caption" and e.final]
    for _ in range(2):  # a bag that is played twice, without an end of its stream
        clock.publish(Clock(clock=to_time(0)))
        wait_for(lambda: node.now_ns() == 0)
        before = sum(c.final for c in captions)
        send(node, mouth, golden("right_facing").frames())
        clock.publish(Clock(clock=to_time(10**10)))
        wait_for(lambda: node.now_ns() == 10**10)
    clock.publish(Clock(clock=to_time(0)))
    wait_for(lambda: sum(c.final for c in captions) >= 2 * len(wanted))
    assert [c.text for c in captions if c.final] == 2 * wanted
    assert before <= len(wanted)


def test_nothing_is_published_while_inactive(stage):
    node = stage.make(MicroGesture)
    node.trigger_configure()
    heard = stage.ear(GestureEvent, "micro_gesture/gestures")
    node.publish("gestures", GestureEvent())
    node.trigger_activate()
    node.publish("gestures", GestureEvent(id="now"))
    wait_for(lambda: heard)
    assert [m.id for m in heard] == ["now"]


def test_diagnostics_come_by_themselves_with_figures(stage):
    node = stage.start(MicroGesture, diagnostics__period_s=0.1)
    told = stage.ear(DiagnosticArray, "/diagnostics")
    mouth = stage.mouth(HandFrame, "hands")
    end = time.monotonic() + 0.5
    number = 0
    while time.monotonic() < end:
        now = node.now_ns()
        mouth.publish(to_hand_frame(frame(now), sequence=number))
        number += 1
        wait_for(lambda number=number: node.health.counts["frames"] >= number)
    mine = [s for m in told for s in m.status if s.name == f"{stage.namespace[1:]}/micro_gesture"]
    values = {v.key: v.value for v in wait_for(lambda: mine)[-1].values}
    assert float(values["rate_hz"]) > 0
    assert float(values["latency_ms_p95"]) > 0
    assert 0 <= float(values["age_ms_p50"]) < 10_000
    assert values["state"] == "active"
    assert int(values["frames"]) > 0
    assert float(values["memory_mb"]) > 1
