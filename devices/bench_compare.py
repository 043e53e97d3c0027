"""Two results of `figop bench` beside each other: what moved by more than the noise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.errors import SourceError

#: A figure that moves by less has not moved.
NOISE = 0.05
#: Other figures that are compared: where they are, what they are called, and what they may move by.
_OTHERS = (
    ("start_up", "first_caption_cpu_s", "start to first caption (processor)", 0.15),
    ("caption_path", "peak_rss_mb", "peak memory", 0.05),
    ("caption_path", "share_of_core", "share of a core", 0.15),
)


@dataclass(frozen=True, slots=True)
class Change:
    """One figure, before and now; `share` is relative (0.1 = a tenth slower), `noise` what it may move by."""

    name: str
    before: float
    now: float
    share: float
    noise: float

    @property
    def moved(self) -> bool:
        """More than the noise, up or down."""
        return abs(self.share) > self.noise

    @property
    def regressed(self) -> bool:
        """Worse by more than the noise."""
        return self.share > self.noise

    def __str__(self) -> str:
        return f"{self.name}: {self.before:g} -> {self.now:g} ({self.share:+.0%}, noise {self.noise:.0%})"


def load(path: Path) -> dict[str, Any]:
    """A result of `figop bench`. Raises SourceError for anything else."""
    try:
        row = json.loads(path.read_text())
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise SourceError(f"{path} is not readable JSON: {error}.") from error
    if not isinstance(row, dict) or row.get("bench") != "device":
        raise SourceError(f"{path} is not a result of `figop bench`.")
    return row


def compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Change]:
    """Changes of every stage that both have, in units of the fixed work measured beside it.

    A loaded machine is slower at both, so what is left is the stage's own. Raises SourceError where the two are of
    different processors, bundles or thread counts: then nothing can be concluded.
    """
    for what, a, b in (
        ("processors", before["host"]["cpu"], now["host"]["cpu"]),
        ("devices", before["device"], now["device"]),
        ("thread counts", before["threads"], now["threads"]),
        ("recordings", before["recording"], now["recording"]),
    ):
        if a != b:
            raise SourceError(f"The two results are of different {what} ({a} and {b}), so they cannot be compared.")
    found = []
    for name, new in now["stages_ms"].items():
        old = before["stages_ms"].get(name)
        if old is not None:
            share = (new["cpu_p50"] / new["pace_ms"]) / (old["cpu_p50"] / old["pace_ms"]) - 1
            noise = max(NOISE, 2 * max(old["noise"], new["noise"]))
            found.append(Change(name, old["cpu_p50"], new["cpu_p50"], share, noise))
    for part, key, name, noise in _OTHERS:
        if key in before.get(part, {}) and key in now.get(part, {}):
            old_value, value = before[part][key], now[part][key]
            found.append(Change(name, old_value, value, value / old_value - 1, noise))
    return found
