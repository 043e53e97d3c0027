"""`figop bench serve`: from an event's publication to its arrival at a client, beside a bare TCP line of its bytes."""

from __future__ import annotations

import argparse
import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import FigopError
from edge.events import Event
from edge.pipeline import Captioner
from edge.recording import Recording

#: milliseconds between two events: a busy scene has 60 a second
EVERY_MS = 10.0
#: events that are sent before any is counted
WARM_UP = 100
#: what is measured, by turns
WAYS = ("figop_serve", "bare_tcp")
#: seconds until a listener has to be there, or the last event to have come
PATIENCE_S = 30.0


def add_kind(kinds: Any) -> argparse.ArgumentParser:
    """Add `figop bench serve` to the kinds of the verb `bench`."""
    parser: argparse.ArgumentParser = kinds.add_parser(
        "serve", help="milliseconds from an event to its arrival at a client of figop serve"
    )
    parser.add_argument("--recording", type=Path, required=True, help="whose events are sent (.npz)")
    parser.add_argument("--events", type=int, default=1000, help="events that count (default: %(default)s)")
    parser.add_argument("--listeners", type=int, default=4, help="clients in the crowded run (default: %(default)s)")
    return parser


def measure(recording: Path, count: int, listeners: int) -> dict[str, Any]:
    """One listener and several, both beside bare TCP in turn. Raises FigopError."""
    if count < 100:
        raise FigopError(f"--events is {count}: 99 percent of fewer than 100 events say nothing.")
    events = _events(recording)
    about = {"every_ms": EVERY_MS, "warm_up": WARM_UP, "bytes": round(float(np.mean([len(_line(e)) for e in events])))}
    return {**about, **{f"listeners_{n}": _run(events, count, n) for n in dict.fromkeys((1, listeners))}}


def _events(recording: Path) -> list[Event]:
    read = Recording.load(recording)
    with Captioner.open("figop-base", view=read.view, mirrored=read.mirrored, tracker=None) as captioner:
        events = [e for frame in read.frames() for e in captioner.push(frame)] + captioner.flush()
    if not events:
        raise FigopError(f"Nothing is said of {recording}, so there is nothing to send: name another recording.")
    return events


def _line(event: Event) -> bytes:
    return json.dumps(event.to_dict(), ensure_ascii=False).encode() + b"\n"


def _run(events: Sequence[Event], count: int, listeners: int) -> dict[str, Any]:
    """Publish at a steady pace; every second one goes by TCP instead."""
    from edge.serve.hub import OWN, Hub

    hub = Hub()
    with _serving(hub) as port, socket.create_server(("127.0.0.1", 0)) as plain:
        hub.open(OWN)
        call = [sys.executable, "-m", "devices.bench_serve", str(port), str(plain.getsockname()[1])]
        clients = [subprocess.Popen(call, stdout=subprocess.PIPE, text=True) for _ in range(listeners)]
        try:
            plain.settimeout(PATIENCE_S)
            wires = [plain.accept()[0] for _ in clients]
            deadline = time.monotonic() + PATIENCE_S
            while hub.streams[OWN] < listeners:
                if time.monotonic() > deadline:
                    raise FigopError(
                        "The clients of the bench did not come: is something between this computer and itself?"
                    )
                time.sleep(0.01)
            sent = _send(hub, wires, events, count)
            for wire in wires:
                wire.close()
            hub.shut(OWN)
            came = [json.loads(client.communicate(timeout=PATIENCE_S)[0]) for client in clients]
        finally:
            for client in clients:
                client.kill()
    return {way: _spread(sent[way], [seen[way] for seen in came]) for way in WAYS}


def _send(hub: Any, wires: Sequence[socket.socket], events: Sequence[Event], count: int) -> dict[str, dict[str, int]]:
    """Names and times of what counts, by the way that it went."""
    from edge.serve.hub import OWN

    sent: dict[str, dict[str, int]] = {way: {} for way in WAYS}
    begun = time.monotonic()
    for i in range(WARM_UP + count):
        time.sleep(max(0.0, begun + i * EVERY_MS * 1e-3 - time.monotonic()))
        for way in WAYS:
            event = replace(events[i % len(events)], id=f"{way}-{i}")
            line = _line(event)
            at = time.monotonic_ns()
            if way == "figop_serve":
                hub.publish(OWN, [event])
            else:
                for wire in wires:
                    wire.sendall(line)
            if i >= WARM_UP:
                sent[way][event.id] = at
            time.sleep(EVERY_MS * 0.4e-3)
    return sent


@contextlib.contextmanager
def _serving(hub: Any) -> Iterator[int]:
    """The application of `figop serve` on a thread; yields its port."""
    import uvicorn

    from edge.serve.app import Settings, build
    from edge.serve.guard import Rules

    begun = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        app = build(Settings(), Rules("", [], True), hub, begun.set)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="websockets-sansio", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        if not begun.wait(PATIENCE_S):
            raise FigopError("figop serve did not start on this computer.")
        try:
            yield listening.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(PATIENCE_S)


def _spread(sent: dict[str, int], came: Sequence[dict[str, int]]) -> dict[str, Any]:
    ms = [(seen[name] - at) * 1e-6 for seen in came for name, at in sent.items() if name in seen]
    if not ms:
        raise FigopError("No event came to any client of the bench.")
    p50, p95, p99 = (round(float(v), 3) for v in np.percentile(ms, (50, 95, 99)))
    return {"arrived": len(ms), "of": len(sent) * len(came), "p50_ms": p50, "p95_ms": p95, "p99_ms": p99}


def listen(port: int, plain: int) -> dict[str, dict[str, int]]:
    """A client, in a process of its own: when which event came, nanoseconds of the clock that processes share."""
    from edge.serve.client import listen as messages
    from edge.serve.client import open_socket

    came: dict[str, dict[str, int]] = {way: {} for way in WAYS}

    def lines() -> None:
        with socket.create_connection(("127.0.0.1", plain)) as wire, wire.makefile("r", encoding="utf-8") as text:
            for line in text:
                came["bare_tcp"][json.loads(line)["id"]] = time.monotonic_ns()

    thread = threading.Thread(target=lines)
    with open_socket(f"ws://127.0.0.1:{port}", "/v1/events?stream=source") as web:
        thread.start()
        for message in messages(web):
            if "id" in message:
                came["figop_serve"][message["id"]] = time.monotonic_ns()
    thread.join()
    return came


if __name__ == "__main__":
    print(json.dumps(listen(int(sys.argv[1]), int(sys.argv[2]))))
