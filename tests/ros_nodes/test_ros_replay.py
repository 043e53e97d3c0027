"""player -> nodes says exactly what `figop replay` says of the same recording, and what bags and recorders keep."""

import json
import subprocess
import sys

import pytest
from figop_msgs.msg import FigopUnit, FingerCaption, GestureEvent, HandFrame, StageTimes
from rclpy.parameter import Parameter
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Header, String

from edge.errors import SourceError
from edge.events import Caption
from edge.objects.event import ObjectEvent
from edge.recording import Recording
from figop_ros.bags import BagReader, BagSource, BagWriter, message_class
from figop_ros.captioner import CaptionerNode
from figop_ros.conversions import from_caption, from_gesture, from_hand_frame, to_caption, to_hand_frame
from figop_ros.micro_gesture import MicroGesture
from figop_ros.player import PlayerNode
from figop_ros.recorder import KINDS, RecorderNode
from tests.ros_nodes.frames import frame, golden, same
from tests.ros_nodes.stage import GOLDEN, ROOT, wait_for

MEASURED = ("stages_ms", "age_ms")
START = "import sys; from edge.cli import main; sys.exit(main())"


def replayed(path):
    """The JSON lines of `figop replay PATH --json`, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", START, "replay", str(path), "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [unmeasured(json.loads(line)) for line in done.stdout.splitlines()]


def unmeasured(row):
    return {k: v for k, v in row.items() if k not in MEASURED}


@pytest.mark.parametrize("name", sorted(p.stem for p in GOLDEN.glob("*.npz")))
def test_nodes_say_what_a_replay_says(stage, name):
    path = GOLDEN / f"{name}.npz"
    # queues as long as the recording: however slow this machine is, nothing is lost
    long = {"qos__hands__depth": 1000}
    player = stage.make(PlayerNode, file=str(path), rate=20.0, wait__subscribers=2, **long)
    gestures = stage.start(MicroGesture, "hands:=player/hands", qos__gestures__depth=1000, **long)
    captioner = stage.start(
        CaptionerNode, "hands:=player/hands", qos__events__depth=1000, qos__captions__depth=1000, **long
    )
    lines = stage.ear(String, "captioner/events")
    heard = stage.ear(GestureEvent, "micro_gesture/gestures")
    texts = stage.ear(FingerCaption, "captioner/captions")
    wait_for(lambda: all(captioner.wanted(k) for k in ("events", "captions")) and gestures.wanted("gestures"))
    stage.activate(player)
    wanted = replayed(path)
    wait_for(lambda: len(lines) >= len(wanted), seconds=60)
    assert [unmeasured(json.loads(m.data)) for m in lines] == wanted
    motions = [row for row in wanted if row["type"].startswith("gesture")]
    captions = [row for row in wanted if row["type"] == "caption"]
    wait_for(lambda: len(heard) >= len(motions) and len(texts) >= len(captions))
    assert [unmeasured(from_gesture(m).to_dict()) for m in heard] == motions
    assert [unmeasured(from_caption(m).to_dict()) for m in texts] == captions
    assert gestures.health.counts["lost"] == captioner.health.counts["lost"] == 0


def test_the_player_keeps_every_stamp(stage):
    player = stage.make(
        PlayerNode, file=str(GOLDEN / "mirrored.npz"), rate=0.0, wait__subscribers=1, qos__hands__depth=1000
    )
    player.trigger_configure()
    heard = stage.ear(HandFrame, "player/hands")
    player.trigger_activate()
    frames = list(golden("mirrored").frames())
    wait_for(lambda: len(heard) == len(frames) + 1)
    assert all(same(a, from_hand_frame(b)) for a, b in zip(frames, heard, strict=False))
    assert [m.sequence for m in heard] == list(range(len(heard)))
    assert all(m.mirrored for m in heard)
    assert [m.end_of_stream for m in heard] == [False] * len(frames) + [True]
    assert player.finished.wait(5)


def test_the_player_starts_later_and_changes_its_rate(stage):
    """At a hundredth of the speed this would take minutes; the rate that is set meanwhile takes effect."""
    player = stage.make(PlayerNode, file=str(GOLDEN / "left_facing.npz"), rate=0.01, start_s=1.0, wait__subscribers=1)
    player.trigger_configure()
    heard = stage.ear(HandFrame, "player/hands")
    player.trigger_activate()
    wait_for(lambda: heard)
    assert from_hand_frame(heard[0]).t == pytest.approx(golden("left_facing").t_ns[0] * 1e-9 + 1.0, abs=0.04)
    assert not player.finished.is_set()
    assert player.set_parameters([Parameter("rate", value=50.0)])[0].successful
    assert player.finished.wait(60)


def test_the_player_loops_and_stops(stage):
    player = stage.make(
        PlayerNode, file=str(GOLDEN / "image_only_15fps.npz"), rate=50.0, loop=True, wait__subscribers=1
    )
    player.trigger_configure()
    heard = stage.ear(HandFrame, "player/hands")
    player.trigger_activate()
    wait_for(lambda: sum(m.end_of_stream for m in heard) >= 2)
    player.trigger_deactivate()
    assert player.state == "inactive"


def test_recorder_keeps_a_recording(stage, tmp_path):
    recorder = stage.start(RecorderNode, folder=str(tmp_path), name="mine")
    mouth = stage.mouth(HandFrame, "hands")
    frames = list(golden("right_facing").frames())
    about = {"view": "egocentric", "mirrored": True}
    for number, one in enumerate(frames):
        mouth.publish(to_hand_frame(one, sequence=number, appearance_digest="d", **about))
        if number % 10 == 9:
            wait_for(lambda number=number: recorder.health.counts["frames"] > number)
    wait_for(lambda: recorder.health.counts["frames"] == len(frames))
    recorder.trigger_deactivate()
    assert [p.name for p in recorder.written] == ["mine-000.npz"]
    kept = Recording.load(tmp_path / "mine-000.npz")
    assert all(same(a, b) for a, b in zip(frames, kept.frames(), strict=True))
    assert (kept.view, kept.mirrored, kept.appearance_digest) == ("egocentric", True, "d")
    recorder.trigger_activate()
    mouth.publish(to_hand_frame(frame(1)))
    wait_for(lambda: recorder.health.counts["frames"] == len(frames) + 1)
    recorder.trigger_deactivate()
    assert (tmp_path / "mine-000-1.npz").exists()  # a recording never replaces another


def test_recorder_cuts_where_the_stream_changes(stage, tmp_path):
    recorder = stage.start(RecorderNode, folder=str(tmp_path), name="cut", segment_s=1.0)
    mouth = stage.mouth(HandFrame, "hands")
    messages = [to_hand_frame(frame(t)) for t in (0, 5 * 10**8, 10**9, 10**8)]  # too long, then back in time
    messages.append(to_hand_frame(frame(2 * 10**8), mirrored=True))
    messages.append(to_hand_frame(frame(), end_of_stream=True))
    for message in messages:
        mouth.publish(message)
    wait_for(lambda: len(recorder.written) == 4)
    assert [len(Recording.load(p)) for p in recorder.written] == [2, 1, 1, 1]


def test_recorder_and_player_by_bag(stage, tmp_path):
    recorder = stage.start(
        RecorderNode, "gestures:=micro_gesture/gestures", folder=str(tmp_path), name="b", npz=False, bag=True,
        topics="hands,gestures",
    )  # fmt: skip
    gestures = stage.start(MicroGesture)
    mouth = stage.mouth(HandFrame, "hands", listeners=2)
    wait_for(lambda: stage.probe.count_subscribers(stage.name("micro_gesture/gestures")))
    frames = list(golden("right_facing").frames())

    def taken(number):
        """The recorder has all hand frames sent so far, and every gesture that they gave rise to."""
        done = gestures.health.counts["frames"] == number and gestures.worker.idle(1.0)
        said = gestures.health.published("gestures")
        return done and recorder.health.counts["frames"] == number + said and recorder.worker.idle(1.0)

    for number, one in enumerate(frames):
        mouth.publish(to_hand_frame(one, sequence=number))
        if number % 10 == 9:
            wait_for(lambda number=number: taken(number + 1))
    wait_for(lambda: taken(len(frames)) and gestures.health.published("gestures"))
    recorder.trigger_deactivate()
    assert not recorder.health.counts["dropped_bad"], recorder.diagnose()
    bag = tmp_path / "b-bag"
    reader = BagReader(bag)
    assert reader.topics == {
        stage.name("hands"): "figop_msgs/msg/HandFrame",
        stage.name("micro_gesture/gestures"): "figop_msgs/msg/GestureEvent",
    }
    reader.close()
    source = BagSource(bag)
    assert (source.count, source.view, source.mirrored) == (len(frames), "facing", False)
    assert all(same(a, b) for a, b in zip(frames, source, strict=True))
    source.close()
    stage.probe.destroy_publisher(mouth)

    player = stage.make(
        PlayerNode, file=str(bag), rate=0.0, topics=stage.name("hands"), wait__subscribers=1, qos__bag__depth=1000
    )
    player.trigger_configure()
    assert player.state == "inactive", player.health.error
    heard = stage.ear(HandFrame, "hands")
    player.trigger_activate()
    wait_for(lambda: len(heard) >= len(frames))
    assert all(same(a, from_hand_frame(b)) for a, b in zip(frames, heard, strict=True))


def test_every_kind_goes_into_a_bag_and_comes_out(stage, tmp_path):
    """Their definitions are found with all that they hold; what is read is what was sent."""
    node = stage.start(RecorderNode, folder=str(tmp_path), name="all", npz=False, bag=True, topics=",".join(KINDS))
    event = ObjectEvent("left", "move", "cup 2", direction="right", start=1.0, end=2.0)
    caption = to_caption(Caption("objects-0", 0, 2, text="...", objects=(event,)), Header(), StageTimes())
    sent = {topic: caption if kind is FingerCaption else kind() for topic, kind in KINDS.items()}
    for topic, message in sent.items():
        stage.mouth(KINDS[topic], topic).publish(message)
    wait_for(lambda: node.health.counts["frames"] == len(KINDS) and node.worker.idle(1.0))
    node.trigger_deactivate()
    reader = BagReader(tmp_path / "all-bag")
    found = {topic: deserialize_message(raw, message_class(reader.topics[topic]))
             for topic, _, raw in reader.messages(set(reader.topics))}  # fmt: skip
    reader.close()
    assert found == {stage.name(topic): message for topic, message in sent.items()}
    assert from_caption(found[stage.name("captions")]).objects == (event,)


def bag_of(path, types, messages):
    writer = BagWriter(path, types)
    for t, (topic, message) in enumerate(messages):
        writer.write(topic, t, serialize_message(message))
    writer.close()
    return path


def test_bags_that_leave_a_choice(tmp_path):
    kinds = {"/a": "figop_msgs/msg/HandFrame", "/b": "figop_msgs/msg/HandFrame", "/c": "std_msgs/msg/String"}
    bag = bag_of(tmp_path / "bag", kinds, [("/a", to_hand_frame(frame(5)))])
    with pytest.raises(SourceError, match=r"which topic of the bag.*/a, /b"):
        BagSource(bag)
    with pytest.raises(SourceError, match=r"no hand frames or images on /c; it has /a, /b"):
        BagSource(bag, "/c")
    assert [f.t_ns for f in BagSource(bag, "/a")] == [5]


def test_what_is_no_bag(stage, tmp_path):
    (tmp_path / "metadata.yaml").write_text("nonsense: [")
    with pytest.raises(SourceError, match="is not a readable rosbag2"):
        BagReader(tmp_path)
    player = stage.make(PlayerNode, file=str(tmp_path))
    player.trigger_configure()
    assert "is not a readable rosbag2" in player.health.error


def test_a_bag_without_the_topic_asked_for(stage, tmp_path):
    bag = bag_of(tmp_path / "bag", {"/u": "figop_msgs/msg/FigopUnit"}, [("/u", FigopUnit())])
    player = stage.make(PlayerNode, file=str(bag), topics="/v")
    player.trigger_configure()
    assert player.health.error == "The bag has no topic /v; it has /u."
