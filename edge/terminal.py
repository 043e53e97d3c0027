"""Captions on a terminal as they are spoken: provisional ones dim and changing, final ones bold with their time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from edge.canvas import FINGER_COLOURS
from edge.events import Caption, Dropped, Event
from edge.governor import LEFT_OUT, says
from edge.hands.frame import HandFrame
from edge.score import HANDS
from edge.timeline import LANES, Timeline, bends, clock, label, lanes_of

#: Redraws a second: captions feel immediate, and drawing stays below one per cent of a core.
REDRAWS = 10.0
#: Samples of each finger's bend that the live panel shows, one per redraw.
TRACE = 36
#: Columns kept free for the terminal's echo of Ctrl-C, which would push the panel up a line.
_ECHO = 4
#: Columns and rows below which the panel does not fit, and one line stands for it.
_PANEL = (68, 18)
_BLOCKS = " ▁▂▃▄▅▆▇█"
_REASONS = {
    "late": "camera frames came while the last was being worked on",
    "hands_late": "hands came while others were being worked on",
    "unreadable": "pictures could not be read",
    "gap": "holes in the time stamps",
    "time_went_back": "time stamps went backwards",
    "time_stood_still": "time stamps stood still",
    LEFT_OUT: says(LEFT_OUT),
}
#: Reasons that end a stream: the error tells them.
_ENDS = ("truncated", "camera_lost", "hands_lost")


class Terminal:
    """Shows a stream on `console`; lines only when that is no terminal.

    `total` = frames expected (0 = unknown); `live` shows a panel with a lane per finger instead of progress.
    """

    def __init__(
        self,
        console: Console,
        title: str,
        *,
        total: int = 0,
        live: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console, self._title, self._total, self._panel, self._clock = console, title, total, live, clock
        self._timeline, self._frames, self._origin = Timeline(keep_s=4.0), 0, float("nan")
        self._now, self._ages = 0.0, deque[float](maxlen=60)
        self._trace: deque[NDArray[np.float64]] = deque(maxlen=TRACE)
        self._started = clock()
        self._drawn = -1.0
        self._arrivals: deque[float] = deque(maxlen=60)
        self._dropped: dict[str, int] = {}
        self._live = Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        if self._live:
            self._live.start()

    def write(self, rgb: NDArray[np.uint8] | None, hands: HandFrame | None, events: Sequence[Event]) -> None:
        """Take one frame's events; redraws at most REDRAWS times a second."""
        self._frames += rgb is not None or hands is not None
        self._arrivals.append(self._clock())
        if hands is not None:
            self._now = hands.t
            self._origin = hands.t if np.isnan(self._origin) else self._origin
        self._timeline.add(events)
        self._timeline.forget(self._now)
        for event in events:
            if isinstance(event, Caption):
                self._ages.append(event.age_ms)
                if event.final and event.text:
                    self._console.print(self._line(event))
            elif isinstance(event, Dropped) and event.id.startswith("load-"):
                words = f"{says(event.reason)} (latency {event.age_ms:.0f} ms)"
                self._console.print(Text(f"{self._since(event.t_start)}  {words}", style="yellow"))
            elif isinstance(event, Dropped) and event.reason not in _ENDS:
                self._dropped[event.reason] = event.count
        if self._live and self._clock() - self._drawn >= 1.0 / REDRAWS:
            if hands is not None:
                self._trace.append(bends(hands))
            self._live.update(self._running() if self._panel else self._progress(), refresh=True)
            self._drawn = self._clock()

    def close(self) -> None:
        """Clear what moves, and say what was left out."""
        if self._live:
            self._live.stop()
        for reason, count in self._dropped.items():
            self._console.print(Text(f"{count} × {_REASONS.get(reason, reason)}", style="yellow"))

    def _since(self, t: float) -> str:
        return clock(t - (0.0 if np.isnan(self._origin) else self._origin))

    def _line(self, caption: Caption) -> RenderableType:
        row = Table.grid(padding=(0, 2))
        row.add_column(no_wrap=True, style="cyan")
        row.add_column()
        row.add_row(f"{self._since(caption.t_start)} – {self._since(caption.t_end)}", Text(caption.text, "bold"))
        return row

    def _provisional(self) -> Text:
        running = self._timeline.provisional()
        return Text(f"… {running.text}" if running else "", style="dim italic")

    def _progress(self) -> RenderableType:
        row = Table.grid(padding=(0, 2))
        done = f"{self._frames}/{self._total}" if self._total else f"{self._frames}"
        rate = self._frames / max(1e-6, self._clock() - self._started)
        total = self._total or None
        row.add_row(
            ProgressBar(
                total=total, completed=min(self._frames, self._total) if total else 0, width=28, pulse=not total
            ),
            Text(f"{done} frames", "dim"),
            Text(f"{rate:.0f} a second", "dim"),
        )
        return Group(self._provisional(), row)

    def _running(self) -> RenderableType:
        span = self._arrivals[-1] - self._arrivals[0]
        rate = (len(self._arrivals) - 1) / span if span > 0 else 0.0
        age = f" · caption age {np.median(self._ages):.0f} ms" if self._ages else ""
        title = f"{self._title} · {self._since(self._now)} · {rate:.0f} fps{age}"
        width, height = self._console.size
        if width < _PANEL[0] or height < _PANEL[1]:
            return Group(self._provisional(), Text(title, "dim", no_wrap=True, overflow="ellipsis"))
        body = Group(self._lanes(), self._provisional())
        return Panel(body, title=title, subtitle="Ctrl-C ends", border_style="dim", width=width - _ECHO)

    def _lanes(self) -> RenderableType:
        table = Table.grid(padding=(0, 1))
        running = {
            (b.event.hand, lane): label(b.event)
            for b in self._timeline.bars()
            if b.end(self._now) >= self._now - 1.0
            for lane in lanes_of(b.event)
        }
        for hand, name in enumerate(HANDS):
            for lane, finger in enumerate(LANES):
                colour = "rgb({},{},{})".format(*FINGER_COLOURS[lane])
                table.add_row(
                    Text(name if lane == 0 else "", "bold"),
                    Text(f"{finger:>6}", colour),
                    Text(_spark([t[hand, lane] for t in self._trace]) if lane < 5 else " " * TRACE, colour),
                    Text(running.get((name, lane), ""), "bold " + colour),
                )
        return table


def _spark(values: Sequence[float]) -> str:
    cells = [" " if np.isnan(v) else _BLOCKS[1 + round(float(v) * 7)] for v in values]
    return "".join(cells).rjust(TRACE)
