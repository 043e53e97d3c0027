"""Named motions of a clip that must be said, and rests in which nothing may be: a check list beside the metrics.

A truth in JSON may carry `tasks` (finger events with a `name`) and `rests` (`start`, `end`), both in seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.errors import ScoreError
from edge.score import FingerEvent, Score

#: A task is named right by an event that overlaps it when both ends are given this much room, seconds: the two
#: readers of the real hand video differ by up to 0.1 s about where a motion starts.
ROOM_S = 0.2
#: An event is invented in a rest when at least this share of it lies there.
INSIDE = 0.5


@dataclass(frozen=True, slots=True)
class CheckList:
    """What must be said, and when nothing may be.

    Attributes:
        tasks: (name, event) pairs in order of time. rests: (start, end) seconds.
    """

    tasks: tuple[tuple[str, FingerEvent], ...] = ()
    rests: tuple[tuple[float, float], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tasks or self.rests)

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> CheckList:
        """From a truth's JSON object. Raises ScoreError for rows that cannot be read."""
        try:
            tasks = tuple(
                (str(row["name"]), FingerEvent.from_dict({k: v for k, v in row.items() if k != "name"}))
                for row in data.get("tasks", ())
            )
            rests = tuple((float(row["start"]), float(row["end"])) for row in data.get("rests", ()))
        except (KeyError, TypeError, ValueError) as error:
            raise ScoreError(f"tasks need a name and an event, rests a start and an end: {error}.") from error
        return cls(tasks, rests)

    def check(self, said: Score) -> dict[str, Any]:
        """Which tasks were named right, and which events lie in a rest, as a JSON row."""
        right = [name for name, task in self.tasks if any(_names(e, task) for e in said)]
        invented = [e for e in said if e.motion not in ("rest", "hold") and _inside(e, self.rests)]
        return {
            "tasks": len(self.tasks),
            "right": len(right),
            "missed": [name for name, _ in self.tasks if name not in right],
            "rests": len(self.rests),
            "invented_in_rests": [e.to_dict() for e in invented],
        }


def _names(event: FingerEvent, task: FingerEvent) -> bool:
    """Whether an event names a task: hand, motion, fingers and direction equal, at the task's time."""
    return (
        (event.hand, event.motion, event.fingers, event.direction)
        == (task.hand, task.motion, task.fingers, task.direction)
        and event.start < task.end + ROOM_S
        and event.end > task.start - ROOM_S
    )


def _inside(event: FingerEvent, rests: Iterable[tuple[float, float]]) -> bool:
    length = max(event.end - event.start, 1e-3)
    return any(min(event.end, end) - max(event.start, start) >= INSIDE * length for start, end in rests)


def line(rows: Sequence[Mapping[str, Any]]) -> str:
    """One sentence for the terminal."""
    right, tasks = sum(r["right"] for r in rows), sum(r["tasks"] for r in rows)
    missed = [name for r in rows for name in r["missed"]]
    invented = sum(len(r["invented_in_rests"]) for r in rows)
    rests = sum(r["rests"] for r in rows)
    told = f" (missed: {', '.join(missed)})" if missed else ""
    return f"{right} of {tasks} named motions right{told}; {invented} invented in {rests} rests"
