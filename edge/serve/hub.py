"""Who listens to what: every listener has a bounded queue of its own, so that a slow one costs nobody but itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from edge.events import Dropped, Event

#: messages that wait for a listener; at 60 events a second of a busy scene, four seconds
DEPTH = 256
#: the stream of the server's own camera or recording
OWN = "source"


class Listener:
    """A bounded queue of messages. Used on the event loop's thread alone.

    When it is full the oldest provisional message goes first, then the oldest of all, and the listener is told how
    many by a `dropped` event (reason "slow_listener").
    """

    def __init__(self, depth: int = DEPTH) -> None:
        self.lost = 0
        self._depth, self._told = depth, 0
        self._queue: deque[tuple[bool, str]] = deque()
        self._changed = asyncio.Event()
        self._closed = False
        self._now = 0.0

    def put(self, message: Mapping[str, Any]) -> None:
        """Add a message; never waits."""
        self._now = message.get("t_end", self._now)
        if len(self._queue) >= self._depth:
            weak = next((i for i, (final, _) in enumerate(self._queue) if not final), 0)
            del self._queue[weak]
            self.lost += 1
        self._queue.append((bool(message.get("final", True)), _text(message)))
        self._changed.set()

    def close(self) -> None:
        """What waits is still handed out, then nothing more."""
        self._closed = True
        self._changed.set()

    async def next(self) -> list[str]:
        """What has come since; waits for something. An empty list is the end."""
        while not self._queue and not self._closed:
            self._changed.clear()
            await self._changed.wait()
        return self.waiting()

    def waiting(self) -> list[str]:
        """What has come since, without waiting."""
        out = [text for _, text in self._queue]
        self._queue.clear()
        if self.lost > self._told:
            self._told = self.lost
            lost = Dropped("dropped-slow_listener", self._now, self._now, source="tracker", reason="slow_listener",
                           count=self.lost)  # fmt: skip
            out.insert(0, _text(lost.to_dict()))
        return out


class Hub:
    """Streams by name and their listeners. `publish` may be called on any thread, the rest on the loop's."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[Listener]] = {}
        self._streams: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop runs."""
        self._loop = loop

    def end(self) -> None:
        """Let every listener go."""
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.close()

    @property
    def streams(self) -> dict[str, int]:
        """Open streams and how many listen."""
        return {name: len(self._listeners.get(name, ())) for name in sorted(self._streams)}

    def open(self, stream: str) -> bool:
        """Announce a stream; False when its name is taken."""
        if stream in self._streams:
            return False
        self._streams[stream] = 0
        return True

    def shut(self, stream: str) -> None:
        """The stream is over; its listeners are let go when they have heard all of it."""
        self._streams.pop(stream, None)
        for listener in self._listeners.get(stream, ()):
            listener.close()

    @contextlib.contextmanager
    def listening(self, stream: str, depth: int = DEPTH) -> Any:
        """A listener of a stream, as long as it lasts."""
        listener = Listener(depth)
        self._listeners.setdefault(stream, set()).add(listener)
        try:
            yield listener
        finally:
            self._listeners[stream].discard(listener)

    def publish(self, stream: str, events: Sequence[Event]) -> None:
        """Hand events to whoever listens; never waits for one of them."""
        if events and self._loop is not None:
            rows = [event.to_dict() for event in events]
            with contextlib.suppress(RuntimeError):  # the loop has just been closed
                self._loop.call_soon_threadsafe(self._deliver, stream, rows)

    def _deliver(self, stream: str, rows: Sequence[Mapping[str, Any]]) -> None:
        for listener in self._listeners.get(stream, ()):
            for row in rows:
                listener.put(row)


def _text(message: Mapping[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, allow_nan=False)
