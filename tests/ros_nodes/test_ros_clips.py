"""The action CaptionClip: files to captions, with feedback; refusals are sentences; cancelling works."""

import threading

import pytest
from figop_msgs.action import CaptionClip
from rclpy.action import ActionClient

from edge.events import Caption
from edge.pipeline import Captioner
from figop_ros import clips
from figop_ros.captioner import CaptionerNode
from figop_ros.clips import ClipRequest, caption_clip
from tests.ros_nodes.frames import golden
from tests.ros_nodes.stage import DEADLINE, GOLDEN, wait_for


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
