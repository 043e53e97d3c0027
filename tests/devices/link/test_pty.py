"""Real ports and a real C program: a pseudo-terminal has the board at its other end."""

import json
import os
import subprocess
import sys

import pytest

from devices.bench_serial import Board, event, judge, process
from devices.link.captions import LinkCaption
from devices.link.driver import Link
from devices.link.port import Address, SerialPort
from devices.link.reliable import Outcome
from devices.link.session import LinkState
from devices.link.table import LinkError, Message
from tests.devices.link.cable import Cable
from tests.devices.link.conftest import ON_PTYS, ROOT

pytestmark = ON_PTYS
PATIENCE = 30.0  # a deadline for conditions on a machine that may be busy, never a wait


@pytest.fixture
def cable(tmp_path):
    made = Cable(tmp_path)
    yield made
    made.close()


@pytest.fixture
def board(cable, peer_program):
    with process(peer_program, cable.board_port) as child:
        made = Board(child)
        made.listen()
        yield made


def test_events_and_captions_reach_the_c_program(cable, board):
    link = Link(Address(str(cable.link_path)))
    outcomes = {}
    link.listen(lambda n: outcomes.__setitem__(n.ticket, n) if isinstance(n, Outcome) else None)
    link.start(PATIENCE)
    submitted = {link.submit(event(i)): 0.0 for i in range(40)}
    link.submit(Message("hands", {"seen": 2, "at_ms": 12, "age_ms": 0}))
    link.show(LinkCaption("Die rechte Hand öffnet sich.", 3))
    # a busy machine may miss the deadline; what is reported must be what happened
    assert link.wait_for(lambda: link.session.idle, PATIENCE)
    link.close()
    counts = board.end()
    row = judge(submitted, outcomes, board.of("gesture"))
    bad = ("doubled", "out_of_order", "corrupt", "acknowledged_but_lost", "without_outcome")
    assert {name: row[name] for name in bad} == dict.fromkeys(bad, 0)
    assert row["delivered_once"] + row["failed"] >= 40
    assert row["delivered_once"] > 0
    assert [c["text"] for c in board.of("caption")] in ([], ["Die rechte Hand öffnet sich."])
    assert counts["frames_in"] == counts["accepted"]
    assert link.session.counters.died == 0


def test_unplugged_in_mid_frame_it_comes_back(cable, board):
    link = Link(Address(str(cable.link_path)))
    states = []
    link.listen(lambda n: states.append(n.state) if isinstance(n, LinkState) else None)
    link.start(PATIENCE)
    os.write(cable.host_master, b"\x07half a frame")
    assert link.wait_for(lambda: link.session.counters["bytes_in"] > 0, PATIENCE)
    for i in range(8):
        link.submit(event(i))
    cable.unplug()
    assert link.wait_for(lambda: link.session.state.state == "closed", PATIENCE)
    cable.plug()
    assert link.wait_for(lambda: link.session.state.state == "up", PATIENCE)
    assert link.reconnects >= 1
    link.submit(event(8))
    assert link.wait_for(lambda: not link.session.waiting, PATIENCE)
    link.close()
    ids = [line["id"] for line in board.of("gesture")]
    assert ids == sorted(set(ids))
    assert states.index("closed") < len(states) - 1 - states[::-1].index("up")
    assert link.session.counters.add_up()


def test_a_port_is_opened_by_one_program_only(cable, board):
    port = SerialPort(Address(str(cable.link_path)))
    with pytest.raises(LinkError, match="in use by another program"):
        SerialPort(Address(str(cable.link_path)))
    port.close()
    port.close()
    SerialPort(Address(str(cable.link_path))).close()


def test_a_board_with_other_firmware_is_named(cable, peer_program):
    with process(peer_program, cable.board_port, "--version", "7"):
        link = Link(Address(str(cable.link_path)))
        with pytest.raises(LinkError, match=r"speaks version 7 of the link, this figop 1; flash it"):
            link.start(PATIENCE)


def test_a_port_on_which_nobody_answers(cable):
    link = Link(Address(str(cable.link_path)))
    with pytest.raises(LinkError, match=r"No figop board answers on .* at 115200 baud within 0\.2 s"):
        link.start(0.2)


def test_ports_that_are_none(tmp_path):
    with pytest.raises(LinkError, match=r"There is no serial port .*nope; ports found: "):
        SerialPort(Address(str(tmp_path / "nope")))
    (tmp_path / "file").write_text("")
    with pytest.raises(LinkError, match="cannot be used as a serial port"):
        SerialPort(Address(str(tmp_path / "file")))


def test_a_wake_ends_a_read(cable):
    port = SerialPort(Address(str(cable.link_path)))
    port.wake()
    assert port.read(PATIENCE) == b""
    port.close()
    port.wake()


def test_the_simulated_cable_paces_and_spoils():
    """115200 baud: bytes take the time they take; noise is counted where it happens."""
    import time

    command = (sys.executable, "-m", "devices.link.wire", "--baud=9600", "--corrupt=1")
    with process(*command) as wire:
        here, there = (SerialPort(Address(p)) for p in json.loads(wire.stdout.readline())["ports"])
        begun, got = time.monotonic(), b""
        assert here.write(bytes(200)) == 200
        while len(got) < 200:
            got += there.read(PATIENCE)
        assert time.monotonic() - begun >= 200 * 10 / 9600
        assert 0 not in got
        here.close()
        there.close()
        wire.stdin.close()
        assert json.loads(wire.stdout.readline())["there"] == {
            "taken": 200,
            "corrupted": 200,
            "dropped": 0,
            "inserted": 0,
        }


def test_the_verb_is_a_glove(cable):
    """`figop serial glove` at one end of the cable."""
    code = (
        "import argparse, sys; from devices.link.cli import add_parser; p = argparse.ArgumentParser();"
        "add_parser(p.add_subparsers()); a = p.parse_args(sys.argv[1:]); sys.exit(a.run(a))"
    )
    command = [sys.executable, "-c", code, "serial", "glove", cable.board_port, "--json"]
    sender = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    link = Link(Address(str(cable.link_path)))
    hands = []
    link.listen(lambda n: hands.append(n) if isinstance(n, Message) and n.kind == "hand" else None)
    link.start(PATIENCE)
    assert link.wait_for(lambda: len(hands) >= 3, PATIENCE)
    link.close()
    sender.terminate()
    sender.wait()
    sender.stdout.close()
    assert all(h["hand"] == "right" for h in hands)


@pytest.mark.heavy
@pytest.mark.soak
def test_ten_minutes_of_noise_lose_nothing():
    """The run behind results/serial.json: 1 % of all bytes corrupted, events and captions all the while."""
    from devices.bench_serial import FAILED_BAR, run

    row = run(600.0, 10.0, 0.01, 115200, seed=2)
    bad = ("doubled", "out_of_order", "corrupt", "acknowledged_but_lost", "without_outcome", "later_than_deadline")
    assert {name: row[name] for name in bad} == dict.fromkeys(bad, 0)
    assert row["failed"] <= FAILED_BAR * row["submitted"]
    assert row["here_add_up"]
    assert row["there_add_up"]


def test_a_replay_is_told_to_a_board(cable, board, monkeypatch, capsys, tmp_path):
    """`figop replay RECORDING --serial PORT`: the board hears the very gestures of the events, and the last caption."""
    from devices.link.sink import SerialSink
    from edge import cli
    from edge.verbs import common

    def opened(kind, where, live):
        link = Link(Address.parse(where))
        link.start(PATIENCE)
        return SerialSink(link, live=live, tell=lambda _: None, let_go=Link.close)

    monkeypatch.setattr(common, "open_sink", opened)
    recording = ROOT / "tests" / "golden" / "right_facing.npz"
    said = tmp_path / "events.jsonl"
    args = [
        "replay",
        str(recording),
        "--bundle",
        "figop-rules",
        "--serial",
        str(cable.link_path),
        "--events",
        str(said),
    ]
    code = cli.main(args)
    board.end()
    rows = [json.loads(line) for line in said.read_text().splitlines()]
    ends = [r["event"] for r in rows if r["type"] == "gesture_end" and r["confidence"] > 0]
    heard = [(g["hand"], g["motion"], g["start_ms"]) for g in board.of("gesture") if g["phase"] == "end"]
    told = [(e["hand"], e["motion"], round(e["start"] * 1000)) for e in ends]
    assert told
    if code == 0:
        assert heard == told
        captions = [r["text"] for r in rows if r["type"] == "caption" and r["final"]]
        assert board.of("caption")[-1]["text"] == captions[-1]
    else:  # a machine so busy that acknowledgements took 2 s: then it was said
        assert "did not acknowledge" in capsys.readouterr().err
        assert set(heard) <= set(told)


def test_a_monitor_prints_what_it_hears():
    from devices.link.cli import _line

    assert json.loads(_line(LinkState("up"), as_json=True)) == {"type": "state", "state": "up", "why": ""}
    assert "Hallo" in _line(LinkCaption("Hallo"), as_json=False)
    row = json.loads(_line(Message("gesture", {**event(3).values, "number": 0, "behind": 0}), as_json=True))
    assert row["type"].startswith("gesture_")
    assert row["event"]["motion"] == event(3)["motion"]
    assert json.loads(_line(Outcome(1, True, "", 0.1, 1), as_json=True))["type"] == "outcome"
