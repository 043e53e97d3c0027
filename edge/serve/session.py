"""One app that sends hands and hears what they say: its own captioner, on a thread of its own."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from edge.errors import FigopError
from edge.events import Dropped
from edge.hands.frame import HandFrame
from edge.hands.messages import Hello, hand_frame, parse
from edge.hands.openxr import JointsError
from edge.pipeline import Captioner
from edge.serve.hub import Hub, Listener

#: frames that wait for the captioner: a fifth of a second of a headset
WAITING = 16
#: seconds within which an app says hello
HELLO_S = 10.0
#: names of streams: what fits a URL as it is
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
#: WebSocket close codes
_REFUSED, _LATER = 1008, 1013

OpenCaptioner = Callable[[Hello], Captioner]


class Inbox:
    """Frames between the socket and the captioner: bounded. `None` = flush.

    live: the oldest frame makes room for the newest; else `put` waits, so that the sender is made to wait.
    """

    def __init__(self, *, live: bool, depth: int = WAITING) -> None:
        self.lost = 0
        self._live, self._depth = live, depth
        self._frames: deque[HandFrame | None] = deque()
        self._changed = asyncio.Condition()
        self._over = False

    async def put(self, frame: HandFrame | None) -> None:
        async with self._changed:
            if self._live and frame is not None and len(self._frames) >= self._depth:
                oldest = next((i for i, f in enumerate(self._frames) if f is not None), None)
                if oldest is not None:
                    del self._frames[oldest]
                    self.lost += 1
            await self._changed.wait_for(lambda: self._over or len(self._frames) < self._depth)
            self._frames.append(frame)
            self._changed.notify_all()

    async def take(self) -> list[HandFrame | None]:
        """The oldest that waits; empty = over."""
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._frames) or self._over)
            out = [self._frames.popleft()] if self._frames else []
            self._changed.notify_all()
            return out

    async def end(self) -> None:
        async with self._changed:
            self._over = True
            self._changed.notify_all()


class Session:
    """Serves one WebSocket of hands until it closes."""

    def __init__(self, socket: WebSocket, hub: Hub, open_captioner: OpenCaptioner) -> None:
        self._socket, self._hub, self._open = socket, hub, open_captioner
        self._out = Listener()
        self._stream = ""

    async def run(self) -> None:
        """From hello to the end. What the app does wrong is told in one message before the socket is closed."""
        try:
            hello, stream = await self._hello()
        except WebSocketDisconnect:
            return
        except TimeoutError:
            await self._refuse(f"No hello came within {HELLO_S:g} seconds.", "hello")
            return
        except FigopError as error:
            await self._refuse(str(error), "hello")
            return
        if stream and not self._hub.open(stream):
            await self._refuse(f"There is a stream named {stream!r} already; choose another name.", "hello")
            return
        self._stream = stream
        thread = ThreadPoolExecutor(1, "figop-hands")
        try:
            await self._serve(hello, thread)
        finally:
            thread.shutdown(wait=False, cancel_futures=True)
            if stream:
                self._hub.shut(stream)

    async def _hello(self) -> tuple[Hello, str]:
        message = parse(await asyncio.wait_for(_text(self._socket), HELLO_S))
        stream = message.pop("stream", "")
        if not isinstance(stream, str) or (stream and not NAME.fullmatch(stream)) or stream == "source":
            raise FigopError(f"A stream is named by small letters, digits, - and _, not {stream!r}.")
        return Hello.from_dict(message), stream

    async def _serve(self, hello: Hello, thread: ThreadPoolExecutor) -> None:
        loop = asyncio.get_running_loop()
        try:
            captioner = await loop.run_in_executor(thread, self._open, hello)
        except FigopError as error:
            await self._refuse(str(error), "hello")
            return
        inbox = Inbox(live=hello.pace == "live")
        self._out.put({"type": "ready", "version": hello.version, "stream": self._stream})
        tasks = {
            loop.create_task(self._receive(hello, inbox), name="receive"),
            loop.create_task(self._caption(captioner, inbox, thread), name="caption"),
            loop.create_task(self._send(), name="send"),
        }
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            mistake = next((e for t in done if isinstance(e := t.exception(), FigopError)), None)
            if mistake is not None:
                self._out.close()
                await asyncio.wait([t for t in tasks if t.get_name() == "send"], timeout=1.0)
                await self._refuse(str(mistake), mistake.reason if isinstance(mistake, JointsError) else "message")
            for task in done:
                failed = task.exception()
                if failed is not None and not isinstance(failed, (FigopError, WebSocketDisconnect, RuntimeError)):
                    raise failed
        finally:
            await inbox.end()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await loop.run_in_executor(thread, captioner.close)

    async def _receive(self, hello: Hello, inbox: Inbox) -> None:
        reader = hello.reader()
        while True:
            message = parse(await _text(self._socket))
            await inbox.put(None if message == {"type": "flush"} else hand_frame(message, reader))

    async def _caption(self, captioner: Captioner, inbox: Inbox, thread: ThreadPoolExecutor) -> None:
        loop, told = asyncio.get_running_loop(), 0
        while frames := await inbox.take():
            for frame in frames:
                events = await loop.run_in_executor(
                    thread, captioner.flush if frame is None else partial(captioner.push, frame)
                )
                if frame is not None and inbox.lost >= max(2 * told, told + 1):
                    told, t = inbox.lost, frame.t
                    events.append(Dropped("dropped-late", t, t, told, source="tracker", reason="late", count=told))
                for event in events:
                    self._out.put(event.to_dict())
                if self._stream:
                    self._hub.publish(self._stream, events)
                if frame is None:
                    self._out.put({"type": "flushed"})

    async def _send(self) -> None:
        while lines := await self._out.next():
            for line in lines:
                await self._socket.send_text(line)

    async def _refuse(self, sentence: str, reason: str) -> None:
        try:
            await self._socket.send_json({"type": "error", "reason": reason, "message": sentence})
            await self._socket.close(_REFUSED, sentence.encode()[:120].decode(errors="ignore"))
        except (WebSocketDisconnect, RuntimeError):
            pass  # it has gone already


async def _text(socket: WebSocket) -> str:
    """The next text message. Raises WebSocketDisconnect, FigopError for bytes."""
    message: dict[str, Any] = dict(await socket.receive())
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1000))
    if message.get("text") is None:
        raise FigopError("Messages are text (JSON), found bytes.")
    return str(message["text"])
