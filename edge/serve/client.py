"""A client of `figop serve` as an example: listen to captions, or send joints and hear what they say.

    python -m edge.serve.client ws://127.0.0.1:8723                          # what the server's camera sees
    python -m edge.serve.client ws://127.0.0.1:8723 --send joints.jsonl      # as a headset app would

Needs the package `websockets`, and of figop nothing but this file.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect


def open_socket(url: str, path: str, token: str = "") -> ClientConnection:
    """Connect; the token goes into a header, never into the address, which ends up in logs."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return connect(url.rstrip("/") + path, additional_headers=headers, subprotocols=["figop.v1"])  # type: ignore[list-item]


def listen(socket: ClientConnection) -> Iterator[dict[str, Any]]:
    """Messages as they come, until the server ends. Raises RuntimeError for what it refuses."""
    try:
        for text in socket:
            message = json.loads(text)
            if message["type"] == "error":
                raise RuntimeError(message["message"])
            yield message
    except ConnectionClosed:
        return


def send(socket: ClientConnection, lines: list[str], *, realtime: bool = False) -> None:
    """Send a hello and frames of hands (JSON lines), at the pace of their stamps if asked for, then flush."""
    begun = first = 0.0
    for line in lines:
        message = json.loads(line)
        if realtime and message["type"] == "hands":
            t = message["t_ns"] * 1e-9 if "t_ns" in message else message["t"]
            if not begun:
                begun, first = time.monotonic(), t
            time.sleep(max(0.0, begun + t - first - time.monotonic()))
        socket.send(line)
    socket.send('{"type": "flush"}')


def captions(url: str, lines: list[str], token: str = "") -> list[dict[str, Any]]:
    """What a whole recording of joints says, every event of it."""
    hello = {**json.loads(lines[0]), "pace": "all"}  # nothing is to be dropped
    with open_socket(url, "/v1/hands", token) as socket:
        sender = threading.Thread(target=_quietly, args=(socket, [json.dumps(hello), *lines[1:]]), daemon=True)
        sender.start()
        out = []
        for message in listen(socket):
            if message["type"] == "flushed":
                break
            if message["type"] != "ready":
                out.append(message)
        return out


def _quietly(socket: ClientConnection, lines: list[str]) -> None:
    with contextlib.suppress(ConnectionClosed):  # why is told by what is listened to
        send(socket, lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("url", help="such as ws://127.0.0.1:8723")
    parser.add_argument("--token", default="")
    parser.add_argument("--stream", default="source", help="which stream to listen to (default: %(default)s)")
    parser.add_argument("--send", type=Path, metavar="FILE", help="joints as JSON lines; their captions are printed")
    args = parser.parse_args()
    try:
        if args.send is not None:
            for message in captions(args.url, args.send.read_text(encoding="utf-8").splitlines(), args.token):
                _show(message)
        else:
            with open_socket(args.url, f"/v1/events?stream={args.stream}", args.token) as socket:
                for message in listen(socket):
                    _show(message)
    except InvalidStatus as error:
        body = error.response.body or b""
        print(json.loads(body)["message"] if body[:1] == b"{" else error, file=sys.stderr)
        return 1
    except (OSError, RuntimeError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _show(message: dict[str, Any]) -> None:
    if message["type"] == "caption" and message["final"] and message["text"]:
        print(f"{message['t_start']:8.2f}  {message['text']}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
