"""Serves a site from memory over HTTP or HTTPS: standard library only, nothing but the files that it was given."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from edge.errors import FigopError
from edge.web_site import Page

PORT = 8088


class WebServer:
    """`url` says where it listens; `serve` blocks until `close`.

    Args:
        certificate, key: PEM files for HTTPS; without them HTTP.
        told: called with (path, bytes sent) for every answer.
    """

    def __init__(
        self,
        pages: Mapping[str, Page],
        host: str = "127.0.0.1",
        port: int = PORT,
        certificate: Path | None = None,
        key: Path | None = None,
        told: Callable[[str, int], None] | None = None,
    ) -> None:
        try:
            self._server = _Server((host, port), _Answer)
        except OSError as error:
            raise FigopError(
                f"figop web cannot listen on {host} port {port} ({error.strerror or error}): choose another by --port."
            ) from error
        self._server.pages, self._server.told = pages, told
        self.secure = certificate is not None
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            try:
                context.load_cert_chain(certificate, key)
            except (OSError, ssl.SSLError) as error:
                self._server.server_close()
                raise FigopError(
                    f"The certificate {certificate} and its key do not serve for HTTPS ({error}): both must be PEM."
                ) from error
            # the handshake is done by the thread of a connection, so that a slow one holds nobody up
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = int(self._server.server_address[1])
        shown = address_of_this_computer() if host in ("0.0.0.0", "::") else host
        self.url = f"{'https' if self.secure else 'http'}://{_bracketed(shown)}:{self.port}/"

    def serve(self) -> None:
        """Answer until `close`."""
        self._server.serve_forever()

    def start(self) -> None:
        """Answer on a thread of its own."""
        threading.Thread(target=self.serve, name="figop-web", daemon=True).start()

    def close(self) -> None:
        """Stop, and free the port."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    pages: Mapping[str, Page]
    told: Callable[[str, int], None] | None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away, or that refuses a certificate, is no error of ours."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    #: an idle connection is let go, so that browsers which keep many open do not pile up threads
    timeout = 60
    server: _Server

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        path = unquote(urlsplit(self.path).path).lstrip("/") or "index.html"
        page = self.server.pages.get(path)
        if page is None:
            self.send_error(404, "figop serves no such file")
            return
        headers = page.headers
        if self.headers.get("If-None-Match") == headers["ETag"]:
            self.send_response(304)
            self._head({k: headers[k] for k in ("ETag", "Cache-Control")}, 0)
            return
        data = page.data
        if page.zipped is not None and "gzip" in self.headers.get("Accept-Encoding", ""):
            data = page.zipped
            headers["Content-Encoding"] = "gzip"
        headers["Vary"] = "Accept-Encoding"
        self.send_response(200)
        self._head(headers, len(data))
        if body:
            with contextlib.suppress(ConnectionError):
                self.wfile.write(data)
            if self.server.told is not None:
                self.server.told(path, len(data))

    def _head(self, headers: Mapping[str, str], length: int) -> None:
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """No line per request."""


def address_of_this_computer() -> str:
    """The address by which others on the network reach this computer; nothing is sent to learn it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address of documentation: routed, never reached
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
