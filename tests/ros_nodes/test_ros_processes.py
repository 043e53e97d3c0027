"""Nodes in processes of their own, over DDS: captions come through, kills and restarts are survived, ends are clean."""

import os
import signal
import threading
import time
from dataclasses import replace

import pytest
from figop_msgs.msg import FingerCaption, GestureEvent, HandFrame

from figop_ros.conversions import to_hand_frame
from tests.ros_nodes.frames import golden
from tests.ros_nodes.stage import GOLDEN, wait_for


def listening(stage, topic, kind=HandFrame):
    mouth = stage.probe.create_publisher(kind, stage.name(topic), 100)
    wait_for(mouth.get_subscription_count, "the other process", seconds=60)
    return mouth


def test_two_processes(stage):
    """player and captioner, each a process: what they say is heard here."""
    stage.process("captioner", "hands:=player/hands", qos__hands__depth=1000)
    captions = stage.ear(FingerCaption, "captioner/captions")
    stage.process(
        "player",
        file=GOLDEN / "right_facing.npz",
        rate=10.0,
        wait__subscribers=1,
        quit_at_end=True,
        qos__hands__depth=1000,
    )
    wait_for(lambda: sum(c.final for c in captions) >= 2, seconds=60)
    assert any("index" in c.text for c in captions)
    assert stage.processes[1].wait(30) == 0  # quit_at_end


def test_killed_in_mid_stream_and_started_again(stage):
    """kill -9 of a recogniser: its successor takes the stream up and speaks; the tracker's side never notices."""
    first = stage.process("micro_gesture")
    heard = stage.ear(GestureEvent, "micro_gesture/gestures")
    mouth = listening(stage, "hands")
    frames = list(golden("right_facing").frames())
    sent = 0

    def send_until(condition, what):
        nonlocal sent

        def step():
            nonlocal sent
            one = frames[sent % len(frames)]
            t_ns = one.t_ns + (sent // len(frames)) * (frames[-1].t_ns + 2 * 10**9)
            mouth.publish(to_hand_frame(frame_at(one, t_ns), sequence=sent))
            sent += 1
            return condition()

        wait_for(step, what, seconds=90)

    send_until(lambda: heard, "a gesture of the first process")
    first.kill()
    first.wait(10)
    before = len(heard)
    second = stage.process("micro_gesture")
    send_until(lambda: len(heard) > before + 1, "a gesture of the second process")
    assert second.poll() is None


def frame_at(one, t_ns):
    return replace(one, t_ns=t_ns)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_process_with_its_last_words(stage, number):
    process = stage.process("captioner", stream__timeout_s=0.0, qos__hands__depth=1000)
    captions = stage.ear(FingerCaption, "captioner/captions")
    mouth = listening(stage, "hands")
    wait_for(lambda: stage.probe.count_publishers(stage.name("captioner/captions")))
    for number_of, one in enumerate(f for f in golden("right_facing").frames() if f.t < 1.3):
        mouth.publish(to_hand_frame(one, sequence=number_of))
    wait_for(lambda: captions, "a provisional caption", seconds=60)
    assert not any(c.final for c in captions)
    os.kill(process.pid, number)
    assert process.wait(30) == 0
    wait_for(lambda: any(c.final for c in captions))
    assert "Traceback" not in process.stdout.read()


def test_a_wrong_parameter_ends_the_process_with_a_sentence(stage):
    process = stage.process("hand_tracker", camera__view="sideways")
    assert process.wait(60) == 2
    said = process.stdout.read()
    assert "The parameter camera.view must be" in said
    assert "Traceback" not in said


def test_a_failed_autostart_waits_for_another_try(stage):
    from lifecycle_msgs.srv import GetState

    process = stage.process("captioner", bundle="no-such-bundle")
    state = stage.call(GetState, "captioner/get_state", GetState.Request()).current_state.label
    assert state == "unconfigured"
    assert process.poll() is None


def test_half_a_minute_without_growth(stage):
    """60 fps, two hands, 30 s: nothing dropped, memory and age as at the start."""
    from figop_ros.health import memory_mb
    from figop_ros.micro_gesture import MicroGesture

    node = stage.start(MicroGesture)
    heard = stage.ear(GestureEvent, "micro_gesture/gestures")
    mouth = stage.mouth(HandFrame, "hands")
    recording = list(golden("two_hands").frames())
    began, sent, sizes, ages = time.monotonic(), 0, [], []
    pause = threading.Event()
    while time.monotonic() - began < 30.0:
        now = node.now_ns()
        mouth.publish(to_hand_frame(frame_at(recording[sent % len(recording)], now), sequence=sent))
        sent += 1
        if sent % 300 == 0:
            sizes.append(memory_mb())
            ages.append(float({v.key: v.value for v in node.diagnose().status[0].values}["age_ms_p95"]))
        pause.wait(max(0.0, began + sent / 60 - time.monotonic()))
    wait_for(lambda: node.health.counts["frames"] == sent)
    assert node.worker.dropped == node.health.counts["lost"] == 0
    assert heard
    assert sizes[-1] < sizes[0] + 3.0, sizes
    assert ages[-1] < 3 * ages[0] + 20.0, ages
