"""Things on a topic, in figop's own messages and in vision_msgs: nodes tell what hands do with them as figop does."""

import math

import numpy as np
import pytest
import rclpy
from figop_msgs.msg import Detection, FingerCaption, HandFrame
from figop_msgs.msg import Detections as DetectionsMsg
from std_msgs.msg import String

from edge.errors import SourceError
from edge.objects.detections import Detections
from edge.objects.live import ObjectCaptioner
from edge.pipeline import Captioner
from figop_ros import compat
from figop_ros.captioner import CaptionerNode
from figop_ros.conversions import from_caption, from_detections, from_vision, to_detections, to_hand_frame, to_time
from figop_ros.figop_node import FigopOneNode
from figop_ros.objects import APART_S, SILENT_S
from figop_ros.policy import PolicyClient
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
    return [from_detections(to_detections(row)) for row in rows]


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

    class Tracker(Scripted):
        def track(self, rgb, t_ns, *, appearance=False):
            return FRAMES[min(range(len(FRAMES)), key=lambda k: abs(FRAMES[k].t_ns - t_ns))]

    node = stage.make(FigopOneNode, **OWN, tf__publish=False)
    node.open_captioner = lambda bundle, **o: Captioner.open(bundle, **{**o, "tracker": Tracker()})
    stage.activate(node)
    captions = stage.ear(FingerCaption, "figop_node/captions")
    image, things = stage.mouth(type(picture()), "image", reliable=False), stage.mouth(DetectionsMsg, "objects")
    fed(node, FRAMES, lambda n, f: image.publish(picture(f.t_ns)), things, [to_detections(row) for row in ROWS])
    node.trigger_deactivate()
    assert [e.verb for e in told(captions)[-1].objects] == ["reach", "grasp", "lift", "move", "put down", "release"]


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
