"""`figop serial`: which ports there are, what a board would hear, a glove without a glove."""

from __future__ import annotations

import argparse
import json
import secrets
import time
from dataclasses import asdict
from typing import Any

from devices.link import convert
from devices.link.captions import LinkCaption
from devices.link.driver import Link
from devices.link.port import Address, Port, found
from devices.link.session import LinkState, Notice, Session
from devices.link.simulate import RATE, PseudoPort, sample
from devices.link.table import Message


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser("serial", help="boards and gloves on serial ports", description=__doc__)
    kinds = parser.add_subparsers(required=True, metavar="WHAT")
    ports = kinds.add_parser("ports", help="list the serial ports of this computer")
    ports.set_defaults(run=run_ports)
    monitor = kinds.add_parser("monitor", help="be the board: print what arrives on a port")
    monitor.add_argument("port", metavar="PORT", help="PORT or PORT@BAUD")
    monitor.set_defaults(run=run_monitor)
    glove = kinds.add_parser("glove", help="be a glove: send a right hand that bends its index finger and makes a fist")
    glove.add_argument("port", metavar="PORT", nargs="?", help="PORT or PORT@BAUD (default: a new pseudo-terminal)")
    glove.set_defaults(run=run_glove)
    for one in (monitor, glove):
        one.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long (default: at Ctrl-C)")
    for one in (ports, monitor, glove):
        one.add_argument("--json", action="store_true", help="print JSON")


def run_ports(args: argparse.Namespace) -> int:
    """`figop serial ports`."""
    rows = found()
    if args.json:
        print(json.dumps([{"port": port, "what": what} for port, what in rows]))
    else:
        for port, what in rows:
            print(f"{port:24} {what}")
        if not rows:
            print("This computer has no serial port.")
    return 0


def run_monitor(args: argparse.Namespace) -> int:
    """`figop serial monitor`. The exit code is 1 when nothing was heard."""
    link = Link(Address.parse(args.port), Session(secrets.randbits(32) | 1, roles=("takes_captions",)))
    link.listen(lambda notice: print(_line(notice, as_json=args.json), flush=True))
    _until(link, args.seconds)
    counts = {name: n for name, n in link.session.counters.counts.items() if n}
    print(json.dumps({"counters": counts}) if args.json else f"counters: {counts}")
    return 0 if link.session.counters["accepted"] else 1


def run_glove(args: argparse.Namespace) -> int:
    """`figop serial glove`."""
    pseudo = None if args.port else PseudoPort()
    where = Address(pseudo.name) if pseudo else Address.parse(args.port)
    session = Session(secrets.randbits(32) | 1, roles=("gives_hands",))

    def same(_: Address) -> Port:
        assert pseudo is not None
        return pseudo

    link = Link(where, session, open_port=same) if pseudo else Link(where, session)
    if args.json:
        print(json.dumps({"port": where.path}), flush=True)
    else:
        print(f"The glove is on {where.path}. Next: figop run --source serial:{where.path}", flush=True)
    _until(link, args.seconds, glove=True)
    return 0


def _until(link: Link, seconds: float, *, glove: bool = False) -> None:
    """Drive a link from this thread until Ctrl-C or for so long."""
    link.connect()
    begun = due = time.monotonic()
    try:
        while (now := time.monotonic()) - begun < seconds:
            if glove and now >= due:
                link.stream(sample(now - begun))
                due = max(due + 1 / RATE, now)
            link.step(at_most=max(0.0, due - now) if glove else 0.1)
    except KeyboardInterrupt:
        pass
    finally:
        link.close()


def _line(notice: Notice, *, as_json: bool) -> str:
    row: dict[str, Any]
    match notice:
        case LinkState():
            row = {"type": "state", "state": notice.state, "why": notice.why}
        case LinkCaption():
            row = {"type": "caption", **asdict(notice)}
        case Message(kind="gesture"):
            row = {"type": f"gesture_{notice['phase']}", "id": notice["id"], "age_ms": notice["age_ms"]}
            row["event"] = convert.finger_event(notice).to_dict()
        case Message():
            row = {"type": notice.kind, **notice.values}
        case _:
            row = {"type": "outcome", **asdict(notice)}
    return json.dumps(row, ensure_ascii=False) if as_json else "  ".join(f"{v}" for v in row.values() if v != "")
