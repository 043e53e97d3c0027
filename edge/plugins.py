"""Sources and sinks that other packages bring, found by entry points: `KIND:WHERE`, such as `serial:/dev/ttyUSB0`.

[project.entry-points."figop.sources"]
serial = "devices.link.glove:open_source"     # (where: str) -> edge.sources.Source
[project.entry-points."figop.sinks"]
serial = "devices.link.sink:open_sink"        # (where: str, live: bool) -> edge.sinks.Sink
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import metadata
from typing import Any

from edge.errors import FigopError, SinkError, SourceError
from edge.sinks import Sink
from edge.sources import Source

SOURCES, SINKS = "figop.sources", "figop.sinks"


def open_source(address: str) -> Source:
    """The source that KIND:WHERE names. Raises SourceError."""
    kind, colon, where = address.partition(":")
    if not colon or not where:
        raise SourceError(f"A source is named as KIND:WHERE, such as serial:/dev/ttyUSB0; found {address!r}.")
    source: Source = _load(SOURCES, kind, SourceError)(where)
    return source


def open_sink(kind: str, where: str, *, live: bool) -> Sink:
    """A sink of that kind; `live` = it may not hold up the source. Raises SinkError."""
    sink: Sink = _load(SINKS, kind, SinkError)(where, live)
    return sink


def _load(group: str, kind: str, refusal: type[FigopError]) -> Callable[..., Any]:
    known = {entry.name: entry for entry in metadata.entry_points(group=group)}
    if kind not in known:
        what = group.removeprefix("figop.").removesuffix("s")
        kinds = ", ".join(sorted(known)) or "none installed"
        raise refusal(f"There is no {what} of the kind {kind!r}; kinds are {kinds}.")
    loaded: Callable[..., Any] = known[kind].load()
    return loaded
