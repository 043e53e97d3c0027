"""The action CaptionClip: files to captions, with feedback; refusals are sentences; cancelling works."""

import threading

import cv2
import pytest
from figop_msgs.action import CaptionClip
from rclpy.action import ActionClient
from std_msgs.msg import Header

from edge.errors import RuntimeUnavailable
from edge.events import Caption
from edge.hands.networks import locate_networks
from edge.pipeline import Captioner
from edge.sources import open_source
from figop_ros import clips
from figop_ros.captioner import CaptionerNode
from figop_ros.clips import ClipRequest, caption_clip
from figop_ros.conversions import to_hand_frame, to_time
from figop_ros.images import from_rgb
from tests.ros_nodes.frames import golden
from tests.ros_nodes.stage import DEADLINE, GOLDEN, ROOT, wait_for
from tests.ros_nodes.test_ros_replay import bag_of


def finals(name):
    recording = golden(name)
    with Captioner.open(tracker=None, view=recording.view, mirrored=recording.mirrored) as captioner:
        events = [e for f in recording.frames() for e in captioner.push(f)] + captioner.flush()
    return [e.text for e in events if isinstance(e, Caption) and e.final]


def send(stage, goal, feedback=None):
    client = ActionClient(stage.probe, CaptionClip, stage.name("captioner/caption_clip"))
    assert client.wait_for_server(DEADLINE)
    future = client.send_goal_async(goal, feedback_callback=feedback)
    wait_for(future.done)
    return future.result()


def result_of(handle):
    future = handle.get_result_async()
    wait_for(future.done, seconds=60)
    return future.result().result


def test_a_recording(stage):
    stage.start(CaptionerNode)
    told = []
    goal = CaptionClip.Goal(path=str(GOLDEN / "egocentric.npz"), provisional=True)
    result = result_of(send(stage, goal, lambda m: told.append(m.feedback)))
    assert result.success, result.message
    assert [c.text for c in result.captions] == finals("egocentric")
    assert result.frames == len(golden("egocentric"))
    wait_for(lambda: told and told[-1].progress == 1.0)
    said = [c for f in told for c in f.captions]
    assert [c.text for c in said if c.final] == finals("egocentric")
    assert any(not c.final for c in said)
    assert [f.frames for f in told] == sorted(f.frames for f in told)


def test_a_bag_of_hand_frames(stage, tmp_path):
    """By the type of what it holds; the same captions as of the recording."""
    pytest.importorskip("rosbags")
    recording = golden("egocentric")
    messages = [("/t", to_hand_frame(f, view="egocentric")) for f in recording.frames()]
    bag = bag_of(tmp_path / "bag", {"/t": "figop_msgs/msg/HandFrame", "/s": "std_msgs/msg/String"}, messages)
    stage.make(CaptionerNode)
    result = result_of(send(stage, CaptionClip.Goal(path=str(bag))))
    assert result.success, result.message
    assert [c.text for c in result.captions] == finals("egocentric")


@pytest.mark.parametrize("kind", ["video", "bag"])
def test_pictures_of_a_video_and_of_a_bag(stage, tmp_path, kind):
    try:
        locate_networks()
    except RuntimeUnavailable as error:
        pytest.skip(str(error))
    shown = [item for item, _ in zip(open_source(ROOT / "edge" / "assets" / "demo.webm"), range(6), strict=False)]
    if kind == "video":
        path = tmp_path / "clip.avi"
        height, width = shown[0].rgb.shape[:2]
        film = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 30.0, (width, height))
        for item in shown:
            film.write(item.rgb[..., ::-1].copy())
        film.release()
    else:
        pytest.importorskip("rosbags")
        messages = [("/cam", from_rgb(i.rgb, Header(stamp=to_time(i.t_ns)))) for i in shown]
        path = bag_of(tmp_path / "bag", {"/cam": "sensor_msgs/msg/Image"}, messages)
    stage.make(CaptionerNode)
    told = []
    result = result_of(send(stage, CaptionClip.Goal(path=str(path)), lambda m: told.append(m.feedback)))
    assert result.success, result.message
    assert result.frames == len(shown)
    wait_for(lambda: told and told[-1].progress == 1.0)


@pytest.mark.parametrize(
    ("goal", "what"),
    [
        ({"path": "nowhere.npz"}, "There is no file nowhere.npz"),
        ({"path": str(GOLDEN / "egocentric.npz"), "camera_view": "sideways"}, "found 'sideways'"),
    ],
)
def test_refusals_are_sentences(stage, goal, what):
    stage.make(CaptionerNode)  # works unconfigured too: a file needs no stream
    result = result_of(send(stage, CaptionClip.Goal(**goal)))
    assert not result.success
    assert what in result.message


def test_cancelling_and_one_at_a_time(stage, monkeypatch):
    stage.start(CaptionerNode)
    gate, real = threading.Event(), caption_clip

    def held(request):
        for step in real(request):
            yield step
            gate.wait(DEADLINE)

    monkeypatch.setattr(clips, "caption_clip", held)
    goal = CaptionClip.Goal(path=str(GOLDEN / "egocentric.npz"))
    handle = send(stage, goal)
    assert "Another clip is being captioned" in result_of(send(stage, goal)).message
    cancelled = handle.cancel_goal_async()
    wait_for(cancelled.done)
    gate.set()
    result = result_of(handle)
    assert not result.success
    assert "Cancelled after" in result.message
    assert result_of(send(stage, goal)).success


def test_progress_without_ros():
    steps = list(caption_clip(ClipRequest(str(GOLDEN / "left_facing.npz"))))
    assert [s.frames for s in steps[:3]] == [1, 2, 3]
    assert steps[-1].progress == 1.0
    assert [c.text for s in steps for _, c in s.captions if c.final] == finals("left_facing")
