"""The routes of `figop serve`: an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from edge import __version__
from edge.errors import FigopError
from edge.hands.messages import Hello, hand_frame, parse
from edge.hands.openxr import JointsError
from edge.pipeline import Captioner
from edge.serve.guard import PROTOCOL, Guard, Rules
from edge.serve.hub import OWN, Hub, Listener
from edge.serve.openapi import openapi, schema
from edge.serve.session import Session

#: apps that send hands at the same time; each has a captioner of its own (about 30 MB and 7 % of a core)
SESSIONS = 4
#: listeners of events at the same time
LISTENERS = 32
#: bytes of a recording that is posted: ten minutes of two hands at 72 fps as JSON have 100 MB
BODY = 128 * 1024 * 1024
#: seconds between signs of life to a browser that hears nothing
ALIVE_S = 15.0


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server captions, and what it serves.

    Attributes:
        bundle: for the sessions. about: what /v1/status tells besides.
    """

    bundle: str = "figop-base"
    about: dict[str, Any] | None = None


class Server:
    """What the routes share."""

    def __init__(self, settings: Settings, hub: Hub) -> None:
        self.settings, self.hub = settings, hub
        self._sessions = asyncio.Semaphore(SESSIONS)
        self._active = self._listening = 0

    def open_captioner(self, hello: Hello) -> Captioner:
        """A captioner for hands as a hello describes them. Raises FigopError."""
        return Captioner.open(
            self.settings.bundle, view=hello.view, tracker=None, language=hello.language, style=hello.style,
            detail=hello.detail,
        )  # fmt: skip

    async def health(self, request: Request) -> Response:
        return JSONResponse({"ok": True})

    async def status(self, request: Request) -> Response:
        return JSONResponse({
            "figop": __version__, "bundle": self.settings.bundle, "streams": self.hub.streams,
            "sessions": self._active, "sessions_at_most": SESSIONS, **(self.settings.about or {}),
        })  # fmt: skip

    async def openapi(self, request: Request) -> Response:
        return JSONResponse(openapi())

    async def schema(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in ("messages", "events"):
            return _error(404, f"There are the schemas messages and events, not {name!r}.", "unknown")
        return JSONResponse(schema(name))

    async def captions(self, request: Request) -> Response:
        """A whole recording of joints in, all its events out."""
        if self._sessions.locked():
            return _error(503, f"{SESSIONS} apps are being captioned already; try again later.", "busy")
        async with self._sessions:
            self._active += 1
            try:
                body = await _body(request)
                lines = await run_in_threadpool(self._caption_all, body)
            except JointsError as error:
                return _error(422, str(error), error.reason)
            except FigopError as error:
                return _error(413 if "bytes" in str(error) else 422, str(error), "message")
            finally:
                self._active -= 1
        return PlainTextResponse("".join(lines), media_type="application/x-ndjson")

    def _caption_all(self, body: bytes) -> list[str]:
        rows = [line for line in body.splitlines() if line.strip()]
        if not rows:
            raise FigopError("The body must hold JSON lines: a hello, then hands; it is empty.")
        hello = Hello.from_dict(parse(rows[0]))
        reader, listener = hello.reader(), Listener(10**9)
        with self.open_captioner(hello) as captioner:
            for number, row in enumerate(rows[1:], 2):
                try:
                    frame = hand_frame(parse(row), reader)
                except JointsError:
                    raise
                except FigopError as error:
                    raise FigopError(f"Line {number}: {error}") from error
                for event in captioner.push(frame):
                    listener.put(event.to_dict())
            for event in captioner.flush():
                listener.put(event.to_dict())
        return [line + "\n" for line in listener.waiting()]

    async def events(self, request: Request) -> Response:
        """Events as server-sent events."""
        stream = request.query_params.get("stream", OWN)
        if stream not in self.hub.streams:
            return _error(404, self._no_stream(stream), "unknown")
        if self._listening >= LISTENERS:
            return _error(503, f"{LISTENERS} listen already; try again later.", "busy")
        return StreamingResponse(
            self._sse(stream), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    async def _sse(self, stream: str) -> AsyncIterator[str]:
        with self._counted(), self.hub.listening(stream) as listener:
            yield ": figop\n\n"
            while True:
                try:
                    lines = await asyncio.wait_for(listener.next(), ALIVE_S)
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if not lines:
                    return
                yield "".join(f"data: {line}\n\n" for line in lines)

    async def listen(self, socket: WebSocket) -> None:
        """Events of a stream over WebSocket."""
        await _accept(socket)
        stream = socket.query_params.get("stream", OWN)
        if stream not in self.hub.streams or self._listening >= LISTENERS:
            sentence = self._no_stream(stream) if stream not in self.hub.streams else f"{LISTENERS} listen already."
            await socket.send_json({"type": "error", "reason": "unknown", "message": sentence})
            await socket.close(1008)
            return
        with self._counted(), self.hub.listening(stream) as listener:
            gone = asyncio.create_task(_until_gone(socket))
            gone.add_done_callback(lambda _: listener.close())
            try:
                while lines := await listener.next():
                    for line in lines:
                        await socket.send_text(line)
                if not gone.done():
                    await socket.close(1000)
            except (WebSocketDisconnect, RuntimeError):
                pass  # it left while it was being told
            finally:
                gone.cancel()

    async def hands(self, socket: WebSocket) -> None:
        """Hands in, events out."""
        await _accept(socket)
        if self._sessions.locked():
            sentence = f"{SESSIONS} apps are being captioned already; try again later."
            await socket.send_json({"type": "error", "reason": "busy", "message": sentence})
            await socket.close(1013)
            return
        async with self._sessions:
            self._active += 1
            try:
                await Session(socket, self.hub, self.open_captioner).run()
            finally:
                self._active -= 1

    def _no_stream(self, stream: str) -> str:
        known = ", ".join(self.hub.streams) or "none at the moment"
        return f"There is no stream {stream!r}; streams are: {known}."

    @contextlib.contextmanager
    def _counted(self) -> Any:
        self._listening += 1
        try:
            yield
        finally:
            self._listening -= 1


def build(
    settings: Settings, rules: Rules, hub: Hub | None = None, begun: Callable[[], None] | None = None
) -> Starlette:
    """The application. `begun` is called when it answers; `hub` is where a source publishes."""
    hub = hub or Hub()

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        hub.begin(asyncio.get_running_loop())
        if begun is not None:
            begun()
        yield
        hub.end()

    server = Server(settings, hub)
    return Starlette(
        routes=[
            Route("/v1/health", server.health),
            Route("/v1/status", server.status),
            Route("/v1/events", server.events),
            WebSocketRoute("/v1/events", server.listen),
            WebSocketRoute("/v1/hands", server.hands),
            Route("/v1/captions", server.captions, methods=["POST"]),
            Route("/v1/schemas/{name}", server.schema),
            Route("/openapi.json", server.openapi),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=list(rules.origins),
                allow_methods=["GET", "POST"],
                allow_headers=["authorization", "content-type"],
            ),
            Middleware(Guard, rules=rules),
        ],
        lifespan=lifespan,
    )


async def _accept(socket: WebSocket) -> None:
    offered: Sequence[str] = socket.scope.get("subprotocols", ())
    await socket.accept(PROTOCOL if PROTOCOL in offered else None)


async def _until_gone(socket: WebSocket) -> None:
    """A listener only listens: what it says is not read, but that it goes is noticed."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > BODY:
            raise FigopError(f"A recording may have {BODY} bytes; send longer ones over /v1/hands.")
    return bytes(body)


def _error(status: int, sentence: str, reason: str) -> Response:
    return JSONResponse({"type": "error", "reason": reason, "message": sentence}, status)
