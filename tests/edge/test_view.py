"""The live view: one local page, pictures and captions over it, nothing for other hosts."""

import json
import socket
import threading
from http.client import HTTPConnection

import cv2
import numpy as np
import pytest

from edge.errors import SinkError
from edge.events import Caption
from edge.hands.frame import HandFrame
from edge.overlay import Overlay
from edge.view import LiveView


@pytest.fixture
def view():
    made = LiveView((96, 64), port=0)
    yield made
    made.close()


def get(view, path, host="127.0.0.1"):
    port = int(view.url.rsplit(":", 1)[1].strip("/"))
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Host": f"{host}:{port}"})
    return connection, connection.getresponse()


def test_the_page_speaks_captions_to_screen_readers(view):
    connection, answer = get(view, "/")
    page = answer.read().decode()
    assert answer.status == 200
    assert 'aria-live="polite"' in page
    assert "http" not in page.replace("http-equiv", ""), "the page loads nothing from elsewhere"
    connection.close()


def test_it_listens_on_this_computer_only_and_answers_to_its_name_only(view):
    assert view._server.server_address[0] == "127.0.0.1"
    for host, status in (("evil.example", 403), ("localhost", 200)):
        connection, answer = get(view, "/", host)
        assert answer.status == status
        connection.close()
    connection, answer = get(view, "/")
    assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin", "no other site embeds the picture"
    connection.close()
    connection, answer = get(view, "/../../etc/passwd")
    assert answer.status == 404
    connection.close()


def test_pictures_stream_to_whoever_looks(view):
    connection, answer = get(view, "/stream.mjpg")
    picture = np.full((64, 96, 3), 180, np.uint8)
    done = threading.Event()

    def film():
        at = 0
        while not done.is_set():
            view.write(picture, HandFrame(t_ns=at), [])
            at += 33_000_000

    camera = threading.Thread(target=film)
    camera.start()
    try:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += answer.read(1)
        length = int(head.split(b"Content-Length: ")[1].split(b"\r")[0])
        shown = cv2.imdecode(np.frombuffer(answer.read(length), np.uint8), cv2.IMREAD_COLOR)
    finally:
        done.set()
        camera.join()
    assert shown.shape[1] == 640
    assert abs(float(shown[200, 320].mean()) - 180) < 6
    connection.close()


def test_while_nobody_looks_nothing_is_encoded_and_little_is_drawn(view, monkeypatch):
    drawn = []
    draw = Overlay.draw
    monkeypatch.setattr(
        Overlay, "draw", lambda self, rgb, hands, events: drawn.append(1) or draw(self, rgb, hands, events)
    )
    for i in range(60):
        view.write(np.zeros((64, 96, 3), np.uint8), HandFrame(t_ns=i * 33_000_000), [])
    assert view._shared.jpeg == b""
    assert len(drawn) == 2, "once a second"


def test_captions_come_as_server_sent_events_with_times_from_the_start(view):
    view.write(None, HandFrame(t_ns=100 * 10**9), [Caption("p", 101.0, 102.5, text="The hand opens.")])
    connection, answer = get(view, "/events")
    assert answer.getheader("Content-Type").startswith("text/event-stream")
    line = b""
    while not line.startswith(b"data: "):
        line = answer.fp.readline()
    row = json.loads(line[6:])
    assert (row["text"], row["since"], row["until"], row["final"]) == ("The hand opens.", "0:01.0", "0:02.5", True)
    connection.close()


def test_closing_ends_the_streams():
    made = LiveView((96, 64), port=0)
    connection, answer = get(made, "/events")
    made.close()
    assert b"figop" in answer.read(), "the answer has an end"
    connection.close()


def test_a_port_in_use_is_one_sentence():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SinkError, match="--view-port"):
            LiveView((96, 64), port=taken.getsockname()[1])


@pytest.mark.parametrize("port", [-1, 99999])
def test_a_port_that_no_computer_has_is_one_sentence(port):
    with pytest.raises(SinkError, match=rf"from 0 to 65535, found {port}\."):
        LiveView((96, 64), port=port)
