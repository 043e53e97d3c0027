"""`figop serve`: events to other programs, hands from headsets, over HTTP and WebSocket."""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import FigopError, SinkError, SourceError
from edge.events import Event
from edge.governor import TARGET_MS
from edge.hands.frame import HandFrame
from edge.sinks import Sink
from edge.sources import Item, Source
from edge.verbs.common import add_captioning, add_json, add_outputs, caption_source, port

PORT = 8723
#: bytes of one message: two hands as text have 4 KiB
MESSAGE = 64 * 1024


def add_parser(subparsers: argparse._SubParsersAction[Any]) -> None:
    """Add the verb."""
    parser = subparsers.add_parser("serve", help="a local API for other programs and headset apps", description=__doc__)
    source = parser.add_argument_group(
        "what is captioned besides the hands that apps send"
    ).add_mutually_exclusive_group()
    source.add_argument("--camera", metavar="N", help="a camera: number or device path (default: none)")
    source.add_argument("--source", metavar="KIND:WHERE", help="hands without a camera, such as serial:/dev/ttyUSB0")
    source.add_argument("--play", type=Path, metavar="FILE", help="a video or recording, at its own pace")
    group = parser.add_argument_group("who may ask")
    group.add_argument("--host", default="127.0.0.1", help="address to listen at (default: %(default)s)")
    group.add_argument("--port", type=port, default=PORT, help="0 = any free one (default: %(default)s)")
    tokens = group.add_mutually_exclusive_group()
    tokens.add_argument(
        "--token-file", type=Path, metavar="FILE", help="a token that must be shown, in a file (or in FIGOP_TOKEN)"
    )
    tokens.add_argument("--no-token", action="store_true", help="let everybody in, from other computers too")
    group.add_argument(
        "--origin", action="append", default=[], metavar="URL", help="a web page that may ask, such as https://my.site"
    )
    group.add_argument("--cert", type=Path, metavar="PEM", help="serve https and wss")
    group.add_argument("--key", type=Path, metavar="PEM", help="key of the certificate")
    add_captioning(parser)
    add_outputs(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    import uvicorn

    from edge.addresses import is_loopback
    from edge.bundle import Bundle
    from edge.serve.app import Settings, build
    from edge.serve.guard import Rules
    from edge.serve.hub import OWN, Hub

    if bool(args.cert) != bool(args.key):
        raise FigopError("--cert and --key belong together: give both, or none for plain http.")
    for path in filter(None, (args.cert, args.key)):
        if not path.is_file():
            raise FigopError(f"There is no file {path}.")
    Bundle.open(args.bundle)  # says now what is wrong with it, not to the first app
    local = is_loopback(args.host)
    token = _token(args, local)
    hub = Hub()
    source = _open_source(args)
    listening = _listen(args.host, args.port)
    scheme = "https" if args.cert else "http"
    name = f"[{args.host}]" if ":" in args.host else args.host
    url = f"{scheme}://{name}:{listening.getsockname()[1]}"
    player: threading.Thread | None = None
    stop = threading.Event()

    def begun() -> None:
        nonlocal player
        _tell(args, url, token)
        if source is not None:
            hub.open(OWN)
            player = threading.Thread(target=_play, args=(_Stoppable(source, stop), args, hub), daemon=True)
            player.start()

    app = build(Settings(args.bundle, {"source": source.name if source else None}), Rules(token, args.origin, local),
                hub, begun)  # fmt: skip
    config = uvicorn.Config(
        app, log_level="warning", ws="websockets-sansio", ws_max_size=MESSAGE, timeout_graceful_shutdown=2,
        ssl_certfile=args.cert, ssl_keyfile=args.key, server_header=False, lifespan="on",
    )  # fmt: skip
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        stop.set()
        if player is not None:
            player.join(5.0)
        listening.close()
    return 0


def _token(args: argparse.Namespace, local: bool) -> str:
    """The token that apps must show; "" = none. Needed wherever other computers could ask."""
    from edge.serve.guard import new_token

    given = os.environ.get("FIGOP_TOKEN", "")
    if args.token_file is not None:
        try:
            given = args.token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise FigopError(f"The token file {args.token_file} cannot be read: {error.strerror}.") from error
    if args.no_token:
        return ""
    if (given or args.token_file is not None) and (len(given) < 16 or not given.isascii() or " " in given):
        raise FigopError("A token has at least 16 letters and digits without blanks; this one does not.")
    return given or ("" if local else new_token())


def _open_source(args: argparse.Namespace) -> Source | None:
    if args.camera is not None:
        from edge.sources import CameraSource

        return CameraSource(args.camera)
    if args.source is not None:
        from edge.plugins import open_source

        return open_source(args.source)
    if args.play is not None:
        from edge.sources import open_source as open_file

        return open_file(args.play)
    return None


def _listen(host: str, number: int) -> socket.socket:
    """The socket, bound and listening. Raises SourceError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, number))
        made.listen(64)
    except OSError as error:
        made.close()
        reason = error.strerror or error
        raise SourceError(f"figop cannot listen at {host} port {number}: {reason}; choose with --port.") from error
    return made


def _tell(args: argparse.Namespace, url: str, token: str) -> None:
    """Where it is, and how to come in."""
    if args.json:
        print(json.dumps({"type": "serving", "url": url, "token": token}), flush=True)
        return
    print(f"figop serves at {url} (documents: {url}/openapi.json); Ctrl-C ends it")
    if token:
        print(f"token: {token}")
    elif args.no_token:
        print("figop: everybody who reaches this address is let in", file=sys.stderr)
    shown = f" --token {token}" if token else ""
    print(f"Next: python -m edge.serve.client {url.replace('http', 'ws', 1)}{shown} --send joints.jsonl", flush=True)


class _Publisher:
    """A sink that hands events to the hub."""

    def __init__(self, hub: Any, stream: str) -> None:
        self._hub, self._stream = hub, stream

    def write(self, rgb: NDArray[np.uint8] | None, hands: HandFrame | None, events: Sequence[Event]) -> None:
        self._hub.publish(self._stream, events)

    def close(self) -> None:
        """Listeners stay until the server ends."""


class _Stoppable:
    """A source that ends when it is told to."""

    def __init__(self, source: Source, stop: threading.Event) -> None:
        self._source, self._stop = source, stop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __iter__(self) -> Iterator[Item]:
        for item in self._source:
            if self._stop.is_set():
                return
            yield item


def _play(source: Any, args: argparse.Namespace, hub: Any) -> None:
    """Caption the server's own source to its end; a fault of it leaves the server running."""
    from edge.play import realtime
    from edge.serve.hub import OWN

    def extra(view: str) -> Sequence[Sink]:
        return (_Publisher(hub, OWN),)

    try:
        pace = realtime() if args.play is not None else None
        outcome = caption_source(
            source, args, extra=extra, pace=pace, where=args.play, latency_ms=TARGET_MS if source.live else None
        )
        fault = outcome.error
    except (FigopError, SinkError) as error:
        fault = error
    if fault is not None:
        print(f"figop: {fault}", file=sys.stderr, flush=True)
