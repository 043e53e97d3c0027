"""A real server on a loopback port, with the rules alone as its bundle."""

import contextlib
import socket
import threading

import pytest

pytest.importorskip("starlette", reason="needs the extra serve")
pytest.importorskip("uvicorn", reason="needs the extra serve")
pytest.importorskip("websockets", reason="needs the extra serve")

import uvicorn

from edge.serve.app import Settings, build
from edge.serve.guard import Rules
from edge.serve.hub import Hub
from tests.edge.headset_joints import golden, lines, openxr26


@contextlib.contextmanager
def serving(rules=None, hub=None):
    """The address (host:port) of a server that runs as long as the block."""
    listening = socket.create_server(("127.0.0.1", 0))
    began = threading.Event()
    app = build(Settings("figop-rules"), rules or Rules(), hub or Hub(), began.set)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="websockets-sansio", ws_max_size=65536,
                                           timeout_graceful_shutdown=2))  # fmt: skip
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    assert began.wait(20)
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


@pytest.fixture(scope="module")
def address():
    with serving() as where:
        yield where


@pytest.fixture(scope="session")
def joints():
    recording = golden()
    return list(lines(recording.t_ns, openxr26(recording).round(6)))
