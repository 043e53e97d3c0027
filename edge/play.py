"""Runs a source through a captioner into sinks, and keeps what was said when something breaks on the way."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.errors import FigopError, SinkError
from edge.events import Caption, Dropped, Event
from edge.governor import LEFT_OUT, Governor, told
from edge.hands.frame import HandFrame
from edge.sinks import Sink
from edge.sources import Picture, Source, SourceEnded


class StreamCaptioner(Protocol):
    """What `edge.pipeline.Captioner` is to a stream."""

    last: HandFrame | None

    def push(self, frame: NDArray[np.uint8] | HandFrame, t_ns: int | None = None) -> list[Event]: ...
    def flush(self) -> list[Event]: ...
    def relax(self, factor: float) -> None: ...


@dataclass(slots=True)
class Outcome:
    """How a stream went.

    Attributes:
        frames, captions: how many frames were taken, how many final captions said.
        error: the first thing that went wrong.
        interrupted: the user ended it.
        written: the files that are whole.
    """

    frames: int = 0
    captions: int = 0
    error: FigopError | None = None
    interrupted: bool = False
    written: list[Path] = field(default_factory=list)


def play(
    source: Source,
    captioner: StreamCaptioner,
    sinks: Sequence[Sink],
    *,
    seconds: float | None = None,
    pace: Callable[[int], None] | None = None,
    governor: Governor | None = None,
) -> Outcome:
    """Caption a stream to its end, to Ctrl-C, or for `seconds` of the source; sinks are closed whatever happens.

    `pace` is called with each time stamp before the frame is used (to replay in real time).
    `governor` keeps a live stream within its latency by doing less; every change of level is an event.
    Errors that a user can act on are returned in the outcome, after everything said so far has been written.
    """
    stream = _Stream(captioner, sinks, governor)
    first: int | None = None
    try:
        try:
            for item in source:
                first = item.t_ns if first is None else first
                if seconds is not None and (item.t_ns - first) * 1e-9 >= seconds:
                    break
                if pace is not None:
                    pace(item.t_ns)
                stream.push(item)
                stream.tell_dropped(source.dropped + stream.left_out)
        except SourceEnded as error:
            stream.outcome.error = error
            stream.lost(error)
        except FigopError as error:
            stream.outcome.error = error
        except KeyboardInterrupt:
            stream.outcome.interrupted = True
        stream.tell_dropped(source.dropped + stream.left_out, last=True)
        stream.emit(None, None, captioner.flush())
    finally:
        with _undisturbed():
            try:
                source.close()
            finally:
                stream.close()
    return stream.outcome


class _Stream:
    def __init__(self, captioner: StreamCaptioner, sinks: Sequence[Sink], governor: Governor | None) -> None:
        self.outcome = Outcome()
        self._captioner, self._sinks, self._governor = captioner, list(sinks), governor
        self._steps: Counter[str] = Counter()
        self._broken: set[int] = set()
        self._told: Counter[str] = Counter()
        self._now = 0.0

    @property
    def left_out(self) -> Counter[str]:
        """Frames that the governor left out, as sources count theirs."""
        return Counter({LEFT_OUT: self._governor.left_out} if self._governor is not None else {})

    def push(self, item: Picture | HandFrame) -> None:
        if self._governor is not None and not self._governor.takes(item.t_ns * 1e-9):
            return
        rgb = item.rgb if isinstance(item, Picture) else None
        events = self._captioner.push(item.rgb, item.t_ns) if isinstance(item, Picture) else self._captioner.push(item)
        last = self._captioner.last
        used = last is not None and last.t_ns == item.t_ns
        self.outcome.frames += 1
        self._now = item.t_ns * 1e-9
        self.emit(rgb, last if used else None, events)
        if self._governor is not None and (step := self._governor.took(self._now)) is not None:
            self._captioner.relax(step.level.units)
            self.emit(None, None, [told(step, self._now, self._steps)])
        if self.outcome.error is not None:
            raise self.outcome.error

    def emit(self, rgb: NDArray[np.uint8] | None, hands: HandFrame | None, events: Sequence[Event]) -> None:
        """Hand on to every sink that still works; the first failure is kept, the others go on."""
        self.outcome.captions += sum(isinstance(e, Caption) and e.final and bool(e.text) for e in events)
        drawn = self._governor is None or hands is None or self._governor.draws(hands.t)
        for index, sink in enumerate(self._sinks):
            if index not in self._broken:
                try:
                    if drawn or not getattr(sink, "draws", False):
                        sink.write(rgb, hands, events)
                    else:
                        sink.write(None, None, events)
                except SinkError as error:
                    self._broken.add(index)
                    self.outcome.error = self.outcome.error or error

    def tell_dropped(self, dropped: Counter[str], last: bool = False) -> None:
        """Counts of the source as events: at the 1st, 2nd, 4th, ... of a reason and at the end, never a flood."""
        for reason, count in dropped.items():
            told = self._told[reason]
            if count > told and (last or count >= 2 * told):
                self._told[reason] = count
                self._drop(reason, count)

    def lost(self, error: SourceEnded) -> None:
        self._drop(error.reason, max(1, error.count))

    def _drop(self, reason: str, count: int) -> None:
        name, now = f"dropped-{reason}", self._now
        self.emit(None, None, [Dropped(name, now, now, count, source="tracker", reason=reason, count=count)])

    def close(self) -> None:
        with contextlib.ExitStack() as rest:  # closes them all, in order, whatever else one of them raises
            for index, sink in reversed(list(enumerate(self._sinks))):
                rest.callback(self._close, index, sink)

    def _close(self, index: int, sink: Sink) -> None:
        try:
            path = sink.close()
        except SinkError as error:
            self.outcome.error = self.outcome.error or error
        else:
            if path is not None and index not in self._broken:
                self.outcome.written.append(path)


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM while files are finished: a second one would leave halves behind."""
    kept = {}
    if threading.current_thread() is threading.main_thread():
        kept = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def realtime(
    clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> Callable[[int], None]:
    """A `pace` that waits until each frame's time has come."""
    begun: list[float] = []

    def wait(t_ns: int) -> None:
        offset = t_ns * 1e-9
        if not begun:
            begun.append(clock() - offset)
        ahead = begun[0] + offset - clock()
        if ahead > 0:
            sleep(min(ahead, 10.0))

    return wait
