"""`serial_bridge` on a pseudo-terminal, the C end as a program behind it: events, captions, hands, a lost port."""

import math

import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from figop_msgs.msg import FingerCaption, GestureEvent, HandFrame, LinkState
from std_msgs.msg import Header

from devices.bench_serial import Board, build, process
from edge.events import Caption, GestureEnd, GestureStart
from edge.hands.frame import LEFT
from edge.score import FingerEvent
from figop_ros.conversions import to_caption, to_gesture, to_hand_frame, to_stages, to_time
from figop_ros.serial_bridge import SerialBridge
from tests.devices.link.cable import Cable
from tests.ros_nodes.frames import frame
from tests.ros_nodes.stage import wait_for

PINCH = FingerEvent("right", "pinch", ("index",), contact="thumb", start=1.0, end=1.4, confidence=0.9)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The C end; skips where there is no compiler (ROS messages were built by one)."""
    return str(build(tmp_path_factory.mktemp("peer")))


@pytest.fixture
def cable(tmp_path):
    made = Cable(tmp_path)
    yield made
    made.close()


@pytest.fixture
def board(cable, program):
    with process(program, cable.board_port) as child:
        made = Board(child)
        made.listen()
        yield made


def bridge(stage, cable, **parameters):
    return stage.start(SerialBridge, port__device=str(cable.link_path), **parameters)


def gesture(number, kind=GestureStart, confidence=0.9, published_ns=0, age_ms=3.0):
    event = kind(f"gesture-{number}", 1.0, 1.4, number % 3, confidence=confidence, source="model", hand="right",
                 label="index pinch", event=PINCH, age_ms=age_ms)  # fmt: skip
    return to_gesture(event, Header(stamp=to_time(10**9)), to_stages({}, 0, published_ns))


def caption(text, final=True):
    said = Caption("phrase-4", t_start=1.0, t_end=1.4, revision=1, final=final, confidence=0.8, text=text)
    return to_caption(said, Header(), to_stages({}))


def settled(node):
    """Whether every event has its outcome: a busy machine may miss the deadline, and what is told must be so."""
    return node._events["acknowledged"] + node._events["failed"] == node._events["submitted"]


def insist(node, mouth, message, arrived):
    """Publish until the board has it; returns what `arrived` finds."""
    while not arrived():
        before = node._events["submitted"]
        mouth.publish(message)
        wait_for(lambda before=before: node._events["submitted"] > before and settled(node))
    return arrived()


def test_events_captions_and_hands_reach_the_board(stage, cable, board):
    node = bridge(stage, cable)
    states = stage.ear(LinkState, "serial_bridge/link_state")
    gestures, captions = stage.mouth(GestureEvent, "gestures"), stage.mouth(FingerCaption, "captions")
    hands = stage.mouth(HandFrame, "hands")
    wait_for(lambda: states and states[-1].connected)
    for number in range(20):
        gestures.publish(gesture(number))
    wait_for(lambda: node._events["submitted"] == 20 and settled(node))
    insist(node, gestures, gesture(20), lambda: [x for x in board.of("gesture") if x["id"] == 20])
    withdrawn = gesture(20, GestureEnd, confidence=0.0)
    insist(node, gestures, withdrawn, lambda: [x for x in board.of("gesture") if x["phase"] == "withdrawn"])
    said = board.of("gesture")
    ids = [line["id"] for line in said]
    assert ids == sorted(ids)
    assert {(line["hand"], line["motion"], line["contact"]) for line in said} == {("right", "pinch", "thumb")}
    assert {(line["start_ms"], line["end_ms"]) for line in said} == {(1000, 1400)}
    assert {line["confidence"] for line in said} == {180, 0}
    for message in (caption("It will be revised.", final=False), caption("The right thumb and index finger pinch.")):
        captions.publish(message)
    wait_for(lambda: any(c["final"] and c["text"].endswith("pinch.") for c in board.of("caption")))
    for message, seen in ((frame(1), 2), (frame(2), 2), (frame(3, LEFT), 1)):
        hands.publish(to_hand_frame(message))
        wait_for(lambda seen=seen: set(node._seen) == {{1: "left", 2: "right"}[seen]} and settled(node))
    hands.publish(to_hand_frame(frame(4), end_of_stream=True))
    wait_for(lambda: not node._seen and settled(node))
    told = [line["seen"] for line in board.of("hands")]
    assert told in ([2, 1, 0],) or node._events["failed"]  # once for each change
    counts = dict(node._events)
    last = wait_for(lambda: [s for s in states if s.events_acknowledged == counts["acknowledged"]])[-1]
    assert (last.events_submitted, last.events_failed) == (counts["submitted"], counts.get("failed", 0))
    assert len(said) + len(told) >= counts["acknowledged"] > 0
    assert last.boot_id
    assert last.sent >= last.events_submitted
    assert last.received > 0
    assert last.crc_errors == last.framing_errors == last.lost == 0
    assert last.acknowledged_ms > 0
    assert last.heartbeat_age_ms >= 0


def test_the_way_here_is_part_of_the_age(stage, cable, board):
    node = bridge(stage, cable)
    mouth = stage.mouth(GestureEvent, "gestures")
    wait_for(lambda: node._link.session.state.state == "up")
    old = gesture(0, age_ms=250.0, published_ns=node.now_ns() - 10**9)
    assert insist(node, mouth, old, lambda: board.of("gesture"))[0]["age_ms"] >= 1250


def test_what_is_switched_off_is_not_sent(stage, cable, board):
    node = bridge(stage, cable, send__captions=False, send__hands=False)
    gestures, captions = stage.mouth(GestureEvent, "gestures"), stage.mouth(FingerCaption, "captions")
    hands = stage.mouth(HandFrame, "hands")
    wait_for(lambda: node._link.session.state.state == "up")
    assert not node.steady()  # gestures alone may be silent for hours
    captions.publish(caption("Nobody hears this."))
    hands.publish(to_hand_frame(frame(1)))
    own = GestureStart("store-right-1", 1.0, 1.4, hand="right", label="wiggle")
    gestures.publish(to_gesture(own, Header(), to_stages({})))
    wait_for(lambda: node.health.counts["not_for_the_link"] == 1)
    insist(node, gestures, gesture(7), lambda: board.of("gesture"))
    assert node.worker.idle(5.0)
    assert not board.of("hands")
    assert not board.of("caption")


def test_a_message_that_is_none_does_not_end_the_node(stage, cable, board):
    node = bridge(stage, cable)
    mouth = stage.mouth(GestureEvent, "gestures")
    wait_for(lambda: node._link.session.state.state == "up")
    wrong = gesture(1)
    wrong.event[0].motion = "moonwalk"
    mouth.publish(wrong)
    wait_for(lambda: node.health.counts["dropped_bad"] == 1)
    assert "moonwalk" in node.diagnose().status[0].message
    heard = insist(node, mouth, gesture(2), lambda: board.of("gesture"))
    assert {line["id"] for line in heard} == {2}


def test_a_port_that_goes_and_comes_back(stage, cable, board):
    node = bridge(stage, cable, state__period_s=0.1)
    states = stage.ear(LinkState, "serial_bridge/link_state")
    mouth = stage.mouth(GestureEvent, "gestures")
    wait_for(lambda: states and states[-1].connected)
    cable.unplug()
    lost = wait_for(lambda: [s for s in states if s.state == "closed"])[-1]
    assert not lost.connected
    assert "is opened again as soon as it is there" in lost.message
    assert lost.message in node.diagnose().status[0].message
    mouth.publish(gesture(1))
    wait_for(lambda: node._events["failed"] == 1)  # within its deadline; reported, not lost in silence
    assert "no acknowledgement within 2 s" in node.diagnose().status[0].message
    cable.plug()
    wait_for(lambda: states[-1].connected and states[-1].reconnects == 1)
    heard = insist(node, mouth, gesture(2), lambda: board.of("gesture"))
    assert {line["id"] for line in heard} == {2}
    assert node.state == "active"


def test_a_board_that_does_not_answer_is_told_and_awaited(stage, cable, program):
    node = bridge(stage, cable)
    states = stage.ear(LinkState, "serial_bridge/link_state")
    quiet = wait_for(lambda: states)[-1]
    assert (quiet.connected, quiet.state, quiet.boot_id) == (False, "silent", 0)
    assert math.isnan(quiet.heartbeat_age_ms)
    assert math.isnan(quiet.acknowledged_ms)
    assert "is figop_link running on it" in quiet.message
    status = node.diagnose().status[0]
    assert (status.level, quiet.message in status.message) == (DiagnosticStatus.WARN, True)
    with process(program, cable.board_port):
        wait_for(lambda: states[-1].connected)


def test_other_firmware_is_named(stage, cable, program):
    bridge(stage, cable)
    states = stage.ear(LinkState, "serial_bridge/link_state")
    with process(program, cable.board_port, "--version", "7"):
        told = wait_for(lambda: [s for s in states if s.state == "other_version"])[-1]
        assert "speaks version 7 of the link, this figop 1; flash it" in told.message


@pytest.mark.parametrize(
    ("device", "what"),
    [("", "set its parameter port.device"), ("/no/such/port", "There is no serial port /no/such/port; ports found: ")],
)
def test_ports_that_are_none(stage, device, what):
    node = stage.make(SerialBridge, port__device=device)
    assert str(node.trigger_configure()).endswith("FAILURE")
    assert (node.state, what in node.health.error) == ("unconfigured", True)


def test_one_port_one_bridge_and_it_is_free_again(stage, cable, board):
    first, second = bridge(stage, cable), stage.make(SerialBridge, "__node:=other", port__device=str(cable.link_path))
    assert str(second.trigger_configure()).endswith("FAILURE")
    assert "in use by another program" in second.health.error
    first.trigger_deactivate()
    first.trigger_cleanup()
    stage.activate(second)


def test_deactivating_tells_the_board_that_nobody_watches(stage, cable, board):
    node = bridge(stage, cable)
    mouth = stage.mouth(HandFrame, "hands")
    wait_for(lambda: node._link.session.state.state == "up")
    mouth.publish(to_hand_frame(frame(1)))
    wait_for(lambda: [line["seen"] for line in board.of("hands")] == [2])
    node.trigger_deactivate()
    assert node._events["submitted"] == 2
    wait_for(lambda: settled(node))
    assert board.of("hands")[-1]["seen"] == 0 or node._events["failed"]


def test_a_bridge_without_pyserial_says_what_to_install(stage, cable, monkeypatch):
    import sys

    for name in [n for n in sys.modules if n.startswith(("devices.link", "serial"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "serial", None)
    node = stage.make(SerialBridge, port__device=str(cable.link_path))
    assert str(node.trigger_configure()).endswith("FAILURE")
    assert "pip install 'figop[serial]'" in node.health.error
