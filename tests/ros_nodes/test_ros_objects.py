"""Things on a topic, in figop's own messages and in vision_msgs: nodes tell what hands do with them as figop does."""

import math
import re
import threading
import time

import numpy as np
import pytest
import rclpy
from figop_msgs.msg import Detection, FingerCaption, HandFrame
from figop_msgs.msg import Detections as DetectionsMsg
from rclpy.serialization import deserialize_message, serialize_message
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

from edge.errors import SourceError
from edge.objects.detections import Detections
from edge.objects.detector import OnnxDetector
from edge.objects.live import ObjectCaptioner
from edge.pipeline import Captioner
from edge.recording import Recording
from figop_ros import compat
from figop_ros.bags import BagSource, BagWriter
from figop_ros.captioner import CaptionerNode
from figop_ros.clips import ClipRequest, caption_clip
from figop_ros.conversions import from_caption, from_detections, from_vision, to_detections, to_hand_frame, to_time
from figop_ros.figop_node import FigopOneNode
from figop_ros.images import from_rgb
from figop_ros.objects import APART_S, SILENT_S
from figop_ros.player import PlayerNode
from figop_ros.policy import PolicyClient
from figop_ros.recorder import RecorderNode
from tests.edge.objects.blocks import block_detector, red_square, square_detector
from tests.edge.objects.stage import SIZE, hand_frames, seen
from tests.edge.objects.test_dynamics import CARRIED, TAKES, Rows
from tests.ros_nodes.stage import wait_for
from tests.ros_nodes.test_ros_nodes import Scripted, picture

SECONDS = 7.0
FRAMES, ROWS = hand_frames(TAKES, SECONDS), seen({"cup": CARRIED}, SECONDS)
OWN = {"objects__from": "figop_msgs", "bundle": "figop-rules"}


def warning(node):
    return node.diagnose().status[0].message


def expected():
    """What figop itself tells of these frames and things."""
    with ObjectCaptioner(Captioner.open("figop-rules", tracker=None), Rows(exact(ROWS))) as cap:
        events = [e for f in FRAMES for e in cap.push(f)] + cap.flush()
    return [e for e in events if e.source == "objects"]


def exact(rows):
    """As they are after their way through float32."""
    raw = [serialize_message(to_detections(row)) for row in rows]
    return [from_detections(deserialize_message(one, DetectionsMsg)) for one in raw]


def vision(row, names=None, turn=0.0):
    """Detections as a detector of ROS publishes them: pixels, centre and size, several classes each."""
    from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesis, ObjectHypothesisWithPose

    out = Detection2DArray()
    out.header.stamp = to_time(row.t_ns)
    for d in row.objects:
        one = Detection2D()
        left, top, right, bottom = (v * s for v, s in zip(d.box, (*SIZE, *SIZE), strict=True))
        one.bbox.center.position.x, one.bbox.center.position.y = (left + right) / 2, (top + bottom) / 2
        one.bbox.center.theta, one.bbox.size_x, one.bbox.size_y = turn, right - left, bottom - top
        label = names.index(d.label) if names else d.label
        for kind, score in (("vase", d.score / 3), (str(label), d.score)):
            result = ObjectHypothesisWithPose(hypothesis=ObjectHypothesis(class_id=kind, score=score))
            one.results.append(result)
        out.detections.append(one)
    return out


def fed(node, frames, show, things, messages):
    """Each frame with the things of its picture, and each worked on before the next."""
    at = {m.header.stamp.sec * 10**9 + m.header.stamp.nanosec: m for m in messages}

    def taken(name, many):
        wait_for(lambda: node.health.counts[name] == many and node.worker.idle(0.0), f"{many} {name}")

    given = 0
    for number, frame in enumerate(frames, 1):
        if frame.t_ns in at:
            things.publish(at[frame.t_ns])
            given += 1
            taken("detections", given)
        show(number, frame)
        taken("frames", number)
    assert given > SECONDS * 8


def play(stage, node, kind, messages):
    """Hand frames with their things, then the end of the stream."""
    hands, things = stage.mouth(HandFrame, "hands"), stage.mouth(kind, "objects")
    fed(node, FRAMES, lambda n, f: hands.publish(to_hand_frame(f, sequence=n)), things, messages)
    hands.publish(to_hand_frame(FRAMES[-1], sequence=len(FRAMES) + 1, end_of_stream=True))


def told(captions):
    wait_for(lambda: any(c.final and c.source == "objects" for c in captions))
    return [from_caption(c) for c in captions if c.source == "objects"]


def plain(events):
    return [{**e.to_dict(), "age_ms": 0, "stages_ms": 0} for e in events]


def test_captions_tell_what_hands_do_with_things(stage):
    """The same events as without ROS, as messages and as JSON lines; a policy's features are of fingers alone."""
    node = stage.start(CaptionerNode, **OWN)
    captions, lines = stage.ear(FingerCaption, "captioner/captions"), stage.ear(String, "captioner/events")
    policy = PolicyClient(stage.probe)
    play(stage, node, DetectionsMsg, [to_detections(row) for row in ROWS])
    said = told(captions)
    assert plain(said) == plain(expected())
    assert said[-1].text.startswith("The right hand reaches for the cup, grasps it")
    assert [e.verb for e in captions[-1].objects] == [e.verb for e in said[-1].objects]
    assert [e.verb for e in said[-1].objects] == ["reach", "grasp", "lift", "move", "put down", "release"]
    assert any('"objects-0"' in line.data for line in lines)
    before = policy.latest().features["caption_number"]
    policy.take_caption(next(c for c in captions if c.source == "objects"))
    assert policy.latest().features["caption_number"] == before


@pytest.mark.parametrize("names", [None, ["pen", "cup"]])
def test_vision_msgs_tell_the_same(stage, tmp_path, names):
    """With names, and with numbers of a file of names."""
    kind = pytest.importorskip("vision_msgs.msg").Detection2DArray
    (tmp_path / "names.txt").write_text("\n".join(names or ["none"]))
    own = {**OWN, "objects__from": "vision_msgs", "objects__labels": str(tmp_path / "names.txt")}
    node = stage.start(CaptionerNode, **own)
    captions = stage.ear(FingerCaption, "captioner/captions")
    play(stage, node, kind, [vision(row, names) for row in ROWS])
    final = told(captions)[-1]
    assert final.text == expected()[-1].text
    assert {e.object for e in final.objects} == {"cup"}


def test_the_one_process_node_hears_them_too(stage):
    """Its frames are pictures; here the tracker sees a hand where the test wants it."""

    node = stage.make(FigopOneNode, **OWN, tf__publish=False)
    hand_sees(node)
    stage.activate(node)
    captions = stage.ear(FingerCaption, "figop_node/captions")
    image, things = stage.mouth(type(picture()), "image", reliable=False), stage.mouth(DetectionsMsg, "objects")
    fed(node, FRAMES, lambda n, f: image.publish(picture(f.t_ns)), things, [to_detections(row) for row in ROWS])
    node.trigger_deactivate()
    assert [e.verb for e in told(captions)[-1].objects] == ["reach", "grasp", "lift", "move", "put down", "release"]


class Hand(Scripted):
    """The tracker sees the hand of FRAMES, whatever the picture shows."""

    def track(self, rgb, t_ns, *, appearance=False):
        return FRAMES[min(range(len(FRAMES)), key=lambda k: abs(FRAMES[k].t_ns - t_ns))]


def hand_sees(node):
    node.open_captioner = lambda bundle, **o: Captioner.open(bundle, **{**o, "tracker": Hand()})


# -- a detector of one's own ---------------------------------------------------------------------------------------


class Late:
    """What a detector saw, a frame later: as it is when it looks beside the tracker."""

    def __init__(self, inner):
        self.inner, self.before = inner, None

    def at(self, t_ns, rgb):
        given, self.before = self.before, self.inner.at(t_ns, rgb)
        return given


def shown(frame):
    """The picture of a moment: a red square where the cup is."""
    return from_rgb(red_square(*CARRIED(frame.t)), Header(stamp=to_time(frame.t_ns), frame_id="cam"))


def looked(node):
    return node._things._detector.idle()


def test_a_detector_in_the_one_process_node_tells_what_figop_tells(stage, tmp_path):
    """A real network on the pictures, no topic: all captions, and the detections for others, such as a recorder."""
    model = square_detector(tmp_path / "m.onnx")
    node = stage.make(
        FigopOneNode, bundle="figop-rules", objects__detector=str(model), tf__publish=False, qos__detections__depth=200
    )
    hand_sees(node)
    stage.activate(node)
    captions, lines = stage.ear(FingerCaption, "figop_node/captions"), stage.ear(String, "figop_node/events")
    said = stage.ear(DetectionsMsg, "figop_node/detections")
    image = stage.mouth(Image, "image", reliable=False)
    for number, frame in enumerate(FRAMES, 1):
        image.publish(shown(frame))
        wait_for(lambda many=number: node.health.counts["frames"] == many and node.worker.idle(0.0) and looked(node))
    node.trigger_deactivate()

    detector = OnnxDetector(model)
    looks = detector.detect(red_square(*CARRIED(0.0)))
    with ObjectCaptioner(Captioner.open("figop-rules", tracker=Hand()), Late(detector)) as cap:
        events = [e for f in FRAMES for e in cap.push(red_square(*CARRIED(f.t)), f.t_ns)] + cap.flush()
    wanted = [e for e in events if e.source == "objects"]
    wait_for(lambda: len([c for c in captions if c.source == "objects"]) == len(wanted), "all captions")
    assert plain(told(captions)) == plain(wanted)
    assert [e.verb for e in wanted[-1].objects] == ["reach", "grasp", "lift", "move", "put down", "release"]
    assert any('"objects-0"' in line.data for line in lines)

    wait_for(lambda: len(said) == SECONDS * 10, "ten looks a second")
    assert [m.header.stamp for m in said[:3]] == [to_time(t) for t in (0, 10**8, 2 * 10**8)]
    assert said[0].header.frame_id == "cam"
    (cup,) = from_detections(said[0]).objects
    assert (cup.label, cup.score) == ("cup", pytest.approx(looks[0].score))
    assert np.allclose(cup.box, looks[0].box, atol=1e-6)
    values = {v.key: v.value for v in node.diagnose().status[0].values}
    assert values["detections"] == str(len(said))
    assert float(values["stage.detector_ms_p50"]) > 0


def test_hands_are_tracked_while_a_detector_looks(stage, tmp_path):
    """A slow detector loses looks, not frames; one that never answers is told of, and the node ends all the same."""
    node = stage.make(
        FigopOneNode, bundle="figop-rules", objects__detector=str(square_detector(tmp_path / "m.onnx")),
        objects__every_s=0.0, tf__publish=False,
    )  # fmt: skip
    hand_sees(node)
    stage.activate(node)
    hands = stage.ear(HandFrame, "figop_node/hands")
    gate, looks = threading.Event(), node._things._detector
    whole = looks._detector.detect
    looks._detector.detect = lambda rgb: (gate.wait(10.0), whole(rgb))[1]
    image = stage.mouth(Image, "image", reliable=False)
    for number, frame in enumerate(FRAMES[:10], 1):
        image.publish(shown(frame))
        wait_for(lambda many=number: node.health.counts["frames"] == many and node.worker.idle(0.0))
    wait_for(lambda: len(hands) == 10, "all hand frames")
    assert node.health.counts["detections"] == 0
    looks._answered -= SILENT_S
    assert f"m.onnx has looked at nothing for {SILENT_S:.0f} s, though pictures come" in warning(node)
    gate.set()
    wait_for(lambda: looked(node))
    assert node.health.counts["detections"] == 2, "the first picture, and the newest that came meanwhile"
    assert "has looked at nothing" not in warning(node)
    looks._detector.detect = lambda rgb: 1 / 0
    image.publish(shown(FRAMES[10]))
    wait_for(lambda: "could not look at a picture: division by zero" in warning(node))
    gate.clear()
    looks._detector.detect = lambda rgb: (gate.wait(10.0), ())[1]
    image.publish(shown(FRAMES[11]))
    wait_for(lambda: not looked(node))
    began = time.monotonic()
    node.trigger_deactivate()
    node.trigger_cleanup()
    assert node.state == "unconfigured"
    assert time.monotonic() - began < 8.0, "a look that goes on is not waited for"
    gate.set()


@pytest.mark.parametrize(
    ("own", "why"),
    [
        (
            {"objects__from": "figop_msgs"},
            "Things come from the topic objects .* or from objects.detector, not from both",
        ),
        ({"objects__detector": "none.onnx"}, "cannot be read"),
        ({"objects__labels": "none.txt"}, "The labels .* cannot be read"),
        ({"objects__detector": "unnamed.onnx"}, "in ROS objects.labels"),
        ({"objects__detector": "text.onnx"}, "not a model that ONNX Runtime can load"),
    ],
)
def test_a_detector_that_cannot_be_used_is_one_sentence(stage, tmp_path, monkeypatch, own, why):
    monkeypatch.chdir(tmp_path)
    square_detector(tmp_path / "m.onnx")
    block_detector(tmp_path / "unnamed.onnx", "yolo", names=None)
    (tmp_path / "text.onnx").write_text("not a model")
    node = stage.make(FigopOneNode, **{"bundle": "figop-rules", "objects__detector": "m.onnx", **own})
    node.trigger_configure()
    assert node.state == "unconfigured"
    assert re.search(why, node.health.error), node.health.error
    assert "Traceback" not in node.health.error


# -- recordings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["figop_msgs", "vision_msgs"])
def test_a_recorder_keeps_things_and_a_player_gives_them_back(stage, tmp_path, kind):
    """Topics, a recording, `figop replay`'s source, topics again, captions: the same without the detector."""
    if kind == "vision_msgs":
        pytest.importorskip("vision_msgs")
    recorder = stage.start(RecorderNode, folder=str(tmp_path), name="r", objects__from=kind)
    hands = stage.mouth(HandFrame, "hands")
    things = stage.mouth(recorder._things.message, "objects")
    messages = [to_detections(row) if kind == "figop_msgs" else vision(row) for row in ROWS]
    at = {m.header.stamp.sec * 10**9 + m.header.stamp.nanosec: m for m in messages}
    came = 0
    for number, frame in enumerate(FRAMES, 1):
        hands.publish(to_hand_frame(frame, sequence=number))
        came += 1
        if frame.t_ns in at:  # a detector is later than the tracker
            wait_for(lambda many=came: recorder.health.counts["frames"] == many)
            things.publish(at[frame.t_ns])
            came += 1
        wait_for(lambda many=came: recorder.health.counts["frames"] == many)
    recorder.trigger_deactivate()
    kept = Recording.load(tmp_path / "r-000.npz")
    wanted = exact(ROWS) if kind == "figop_msgs" else [from_vision(vision(row), SIZE, {}) for row in ROWS]
    assert list(kept.detections) == wanted
    assert not recorder.health.counts["dropped_detections"]
    if kind == "vision_msgs":
        return

    player = stage.make(PlayerNode, file=str(tmp_path / "r-000.npz"), rate=10.0, wait__subscribers=1)
    node = stage.start(
        CaptionerNode, "hands:=player/hands", "objects:=player/detections", **OWN, qos__hands__depth=1000,
        qos__objects__depth=1000, qos__objects__reliability="reliable",
    )  # fmt: skip
    captions = stage.ear(FingerCaption, "captioner/captions")
    stage.activate(player)
    final = told(captions)[-1]
    assert (final.text, final.final) == (expected()[-1].text, True)
    assert node.health.counts["detections"] == len(ROWS)

    steps = list(caption_clip(ClipRequest(str(tmp_path / "r-000.npz"), bundle="figop-rules")))
    assert final.text in [c.text for step in steps for _, c in step.captions if c.final]


def test_things_that_come_after_their_segment_are_counted(stage, tmp_path):
    recorder = stage.start(RecorderNode, folder=str(tmp_path), name="r", segment_s=1.0, objects__from="figop_msgs")
    hands, things = stage.mouth(HandFrame, "hands"), stage.mouth(DetectionsMsg, "objects")
    sent = [to_hand_frame(f) for f in FRAMES[:25]]  # the 21st begins another segment
    sent += [to_detections(row) for row in (ROWS[0], ROWS[11])]
    for number, message in enumerate(sent, 1):
        (hands if isinstance(message, HandFrame) else things).publish(message)
        wait_for(lambda many=number: recorder.health.counts["frames"] == many)
    recorder.trigger_deactivate()
    assert [len(Recording.load(p).detections) for p in recorder.written] == [0, 1]
    assert recorder.health.counts["dropped_detections"] == 1


def test_a_clip_of_a_bag_tells_of_its_things(stage, tmp_path):
    types = {"/hands": "figop_msgs/msg/HandFrame", "/things": "figop_msgs/msg/Detections"}
    writer = BagWriter(tmp_path / "bag", types)
    for row in ROWS:
        writer.write("/things", row.t_ns, serialize_message(to_detections(row)))
    for frame in FRAMES:
        writer.write("/hands", frame.t_ns, serialize_message(to_hand_frame(frame)))
    writer.close()
    source = BagSource(tmp_path / "bag")
    assert list(source.detections) == exact(ROWS)
    source.close()
    said = [c for step in caption_clip(ClipRequest(str(tmp_path / "bag"), bundle="figop-rules"))
            for _, c in step.captions if c.source == "objects"]  # fmt: skip
    assert plain(said) == plain(expected())


# -- messages --------------------------------------------------------------------------------------------------


def test_boxes_of_vision_msgs_are_fractions_and_stand_upright():
    pytest.importorskip("vision_msgs")
    row = Detections(5, ROWS[0].objects)
    assert from_vision(vision(row), SIZE, {}).t_ns == 5
    box = row.objects[0].box
    assert np.allclose(from_vision(vision(row), SIZE, {}).objects[0].box, box)
    (left, top, right, bottom) = from_vision(vision(row, turn=math.pi / 4), SIZE, {}).objects[0].box
    side = (box[2] - box[0]) * math.sqrt(2)
    assert np.allclose((right - left, bottom - top), side)
    assert np.allclose((left + right, top + bottom), (box[0] + box[2], box[1] + box[3]))
    message = vision(row)
    message.detections[0].results = []
    assert from_vision(message, SIZE, {}).objects[0].label == "thing"  # a detector that only says where


def test_detections_come_back():
    for row in ROWS[:3]:
        back = from_detections(to_detections(row, "cam"))
        assert back.t_ns == row.t_ns
        assert [(d.label, d.score) for d in back.objects] == [("cup", pytest.approx(0.9))]
        assert np.allclose(back.objects[0].box, row.objects[0].box, atol=1e-6)
    with pytest.raises(SourceError, match="Detections were left out: the box must be left < right"):
        from_detections(DetectionsMsg(objects=[Detection(label="cup", left=0.5, right=0.4, bottom=1.0)]))


# -- what goes wrong -------------------------------------------------------------------------------------------


def test_a_language_a_file_and_a_package_that_are_not_there(stage, tmp_path, monkeypatch):
    node = stage.make(CaptionerNode, **OWN, objects__labels=str(tmp_path / "nowhere.txt"))
    node.trigger_configure()
    assert node.state == "unconfigured"
    assert "The labels" in node.health.error
    assert "nowhere.txt cannot be read" in node.health.error
    monkeypatch.setattr(compat, "Detection2DArray", None)
    node = stage.make(CaptionerNode, "__node:=other", **{**OWN, "objects__from": "vision_msgs"})
    node.trigger_configure()
    assert "objects.from is vision_msgs, which is not installed" in node.health.error


def test_detections_that_do_not_come_or_are_of_the_other_type(stage):
    node = stage.start(CaptionerNode, **OWN)
    assert "No detections" not in warning(node)
    node._things._heard -= SILENT_S
    assert f"No detections on {stage.name('objects')} for 3 s" in warning(node)
    kind = pytest.importorskip("vision_msgs.msg").Detection2DArray
    context = rclpy.Context()  # one participant has one type of a topic
    rclpy.init(context=context)
    other = rclpy.create_node("detector", context=context)
    try:
        other.create_publisher(kind, stage.name("objects"), 1)
        wait_for(lambda: "carries vision_msgs/msg/Detection2DArray: set objects.from" in warning(node))
    finally:
        other.destroy_node()
        context.shutdown()


def test_stamps_of_another_clock_are_told(stage):
    node = stage.start(CaptionerNode, **OWN)
    hands, things = stage.mouth(HandFrame, "hands"), stage.mouth(DetectionsMsg, "objects")
    hands.publish(to_hand_frame(FRAMES[0]))
    wait_for(lambda: node.health.counts["frames"] and node.worker.idle(0.0))
    things.publish(to_detections(Detections(int((APART_S + 1) * 1e9), ROWS[0].objects)))
    wait_for(lambda: node.health.counts["detections"])
    wait_for(lambda: "Detections are stamped +6.0 s from the newest hand frame" in warning(node))
    things.publish(DetectionsMsg(objects=[Detection(label="cup", left=0.5, right=0.4, bottom=1.0)]))
    wait_for(lambda: "Detections were left out" in warning(node))
    assert node.health.counts["dropped_bad"] == 1


def test_pixels_without_a_picture_and_classes_without_a_name(stage):
    kind = pytest.importorskip("vision_msgs.msg").Detection2DArray
    node = stage.start(CaptionerNode, **{**OWN, "objects__from": "vision_msgs"})
    hands, things = stage.mouth(HandFrame, "hands"), stage.mouth(kind, "objects")
    bare = to_hand_frame(FRAMES[0])
    bare.image_width = bare.image_height = 0
    hands.publish(bare)
    wait_for(lambda: node.health.counts["frames"] and node.worker.idle(0.0))
    things.publish(vision(ROWS[0]))
    wait_for(lambda: "of no picture whose size is known" in warning(node))
    hands.publish(to_hand_frame(FRAMES[1]))
    wait_for(lambda: node.health.counts["frames"] == 2 and node.worker.idle(0.0))
    things.publish(vision(ROWS[0], ["pen", "cup"]))
    wait_for(lambda: "The class 1 of the detections has no name: set objects.labels" in warning(node))
