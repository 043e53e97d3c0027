"""The live picture in a browser: a page on this computer only, served while `figop run --view` runs.

Headless OpenCV has no window, and a page needs nothing installed. The server listens on 127.0.0.1 and answers
only to that name, so that no other computer, and no other web site in the same browser, can look.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections import deque
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.cv import load_cv2
from edge.errors import SinkError
from edge.events import Caption, Event
from edge.hands.frame import HandFrame
from edge.timeline import clock

PORT = 8765
_PAGE = Path(__file__).parent / "assets" / "view.html"
#: Events kept for a browser that is slow or has just come.
_KEPT = 64
_QUALITY = 85
#: Seconds between pictures while no browser looks: often enough for the score in them to go on.
_IDLE_S = 1.0


class LiveView:
    """A sink that serves what it is given. `port` 0 = any free one; `url` says where."""

    #: its pictures may be skipped under load (`edge.governor`)
    draws = True

    def __init__(self, size: tuple[int, int], view: str = "facing", port: int = PORT) -> None:
        from edge.overlay import Overlay

        self._overlay: Overlay | None = None
        self._size, self._view = size, view
        self._held: Sequence[Event] = ()
        self._origin: float | None = None
        self._drawn = float("-inf")
        self._shared = _Shared()
        if not 0 <= port <= 65535:
            raise SinkError(f"The live view's port must be from 0 to 65535, found {port}.")
        try:
            self._server = _Server(("127.0.0.1", port), _Page)
        except OSError as error:
            raise SinkError(
                f"The live view cannot use port {port} ({error.strerror}); choose another with --view-port."
            ) from error
        self._server.shared = self._shared
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, name="figop-view", daemon=True).start()

    def write(self, rgb: NDArray[np.uint8] | None, hands: HandFrame | None, events: Sequence[Event]) -> None:
        """Show one frame. Without a browser that looks, few are drawn and none is encoded."""
        if self._origin is None and hands is not None:
            self._origin = hands.t
        for event in events:
            if isinstance(event, Caption):
                origin = self._origin or 0.0
                since, until = clock(event.t_start - origin), clock(event.t_end - origin)
                self._shared.say(json.dumps({**event.to_dict(), "since": since, "until": until}))
        self._held = [*self._held, *events]
        if hands is None or (not self._shared.watchers and abs(hands.t - self._drawn) < _IDLE_S):
            return
        self._drawn = hands.t
        if self._overlay is None:
            from edge.overlay import Overlay

            size = (rgb.shape[1], rgb.shape[0]) if rgb is not None else self._size
            self._overlay = Overlay(size, self._view)
        picture = self._overlay.draw(rgb, hands, self._held)
        self._held = ()
        if self._shared.watchers:
            cv2 = load_cv2()
            bgr = np.ascontiguousarray(picture[:, :, ::-1])
            done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
            if done:
                self._shared.show(data.tobytes())

    def close(self) -> None:
        """Let every browser go and free the port."""
        self._shared.end()
        self._server.shutdown()
        self._server.server_close()


class _Shared:
    """What the stream's thread hands to the server's threads."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.jpeg, self.shown = b"", 0
        self.said: deque[tuple[int, str]] = deque(maxlen=_KEPT)
        self.count = 0
        self.watchers = 0
        self.over = False

    def show(self, jpeg: bytes) -> None:
        with self.changed:
            self.jpeg, self.shown = jpeg, self.shown + 1
            self.changed.notify_all()

    def say(self, line: str) -> None:
        with self.changed:
            self.count += 1
            self.said.append((self.count, line))
            self.changed.notify_all()

    def end(self) -> None:
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def picture(self, after: int) -> tuple[int, bytes] | None:
        """The newest picture later than `after`; None when the stream is over."""
        with self.changed:
            self.changed.wait_for(lambda: self.over or self.shown > after)
            return None if self.over else (self.shown, self.jpeg)

    def lines(self, after: int) -> list[tuple[int, str]] | None:
        """What was said after that number; an empty list now and then to feel whether the browser is still there."""
        with self.changed:
            self.changed.wait_for(lambda: self.over or self.count > after, timeout=5.0)
            left = [row for row in self.said if row[0] > after]
            return left if left or not self.over else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    shared: _Shared

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no error."""


class _Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    server: _Server

    def do_GET(self) -> None:
        host = self.headers.get("Host", "").rsplit(":", 1)[0]
        if host not in ("127.0.0.1", "localhost"):  # another site's name that points here
            self.send_error(403, "figop answers to 127.0.0.1 only")
            return
        path = self.path.split("?", 1)[0]
        with contextlib.suppress(ConnectionError, BrokenPipeError):
            if path == "/":
                self._start("text/html; charset=utf-8")
                self.wfile.write(_PAGE.read_bytes())
            elif path == "/stream.mjpg":
                self._pictures()
            elif path == "/events":
                self._events()
            else:
                self.send_error(404)

    def _start(self, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")  # no other site shows the picture
        self.end_headers()

    def _pictures(self) -> None:
        shared = self.server.shared
        with shared.changed:
            shared.watchers += 1
        try:
            self._start("multipart/x-mixed-replace; boundary=frame")
            seen = 0
            while (new := shared.picture(seen)) is not None:
                seen, jpeg = new
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                self.wfile.write(head.encode() + jpeg + b"\r\n")
        finally:
            with shared.changed:
                shared.watchers -= 1

    def _events(self) -> None:
        self._start("text/event-stream; charset=utf-8")
        self.wfile.write(b": figop\n\n")
        self.wfile.flush()
        seen = 0
        while (new := self.server.shared.lines(seen)) is not None:
            for number, line in new:
                self.wfile.write(f"id: {number}\ndata: {line}\n\n".encode())
                seen = number
            if not new:
                self.wfile.write(b": still here\n\n")
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """No line per request."""
