"""Keeps a live stream within a latency target by doing less, in a stated order, and says so every time.

    full -> pictures drawn twice a second -> half, then a third of the tracking rate -> longer units

Latency is the age of a frame when everything that it caused has been handed on. It grows when the processor slows
down (heat, power mode) or is shared. Files are never governed: their events do not depend on the machine.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge.events import Dropped

#: Milliseconds from the camera's stamp to the last sink. A frame of 30 fps, tracked, is 20-40 ms old on the boards
#: that hold the rate; beyond 150 ms a caption visibly trails the hand.
TARGET_MS = 150.0
#: Frames that are judged together, and the share of them that must meet the target: one in five may look for hands.
WINDOW, SHARE = 15, 0.8
#: Doing more again needs latencies this far below the target, for so many seconds; each time it was too early the
#: wait doubles, so that the stream does not swing.
EASY, PATIENCE_S, MOST_PATIENCE_S = 0.6, 5.0, 80.0
#: Rates below this are not tracked: motion is no longer read.
LEAST_FPS = 10.0
#: A first frame older than this, or from the future, is stamped by another clock than ours: then lateness is counted
#: from the freshest frame seen.
OTHER_CLOCK_S = 10.0
#: Seconds between pictures while they are skipped: somebody who looks still sees that it lives.
DRAW_S = 0.5


@dataclass(frozen=True, slots=True)
class Level:
    """How much is done. draws: every picture; every: one in so many frames is tracked; units: their length, times."""

    name: str
    says: str
    draws: bool = True
    every: int = 1
    units: float = 1.0


#: The order in which a stream degrades; what a level gives up, the next ones give up too.
LEVELS = (
    Level("full", "everything is done"),
    Level("overlay_skipped", "pictures are drawn twice a second", draws=False),
    Level("rate_halved", "every second frame is tracked", draws=False, every=2),
    Level("rate_third", "every third frame is tracked", draws=False, every=3),
    Level("units_longer", "captions under way come half as often", draws=False, every=3, units=2.0),
)
#: `Dropped.reason` of frames that were left out to keep up, and of doing more again.
LEFT_OUT, EASED = "left_out_for_load", "load_eased"


@dataclass(frozen=True, slots=True)
class Step:
    """A change of level: which it is now, whether more is given up, and the latency that caused it."""

    level: Level
    down: bool
    latency_ms: float


class Governor:
    """One stream's governor. `takes` before a frame, `took` after it.

    Args:
        target_ms: the latency to keep. fps: of the source. draws: there is something that draws pictures.
        clock: seconds; a camera stamps its frames by the same one.
    """

    def __init__(
        self,
        target_ms: float = TARGET_MS,
        *,
        fps: float = 30.0,
        draws: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target_ms, self._fps, self._clock = target_ms, fps, clock
        self.levels = levels_for(fps, draws)
        self.left_out = 0
        self._at = 0
        self._latencies: deque[float] = deque(maxlen=WINDOW)
        self._tracked = self._drawn = float("-inf")
        self._easy_since: float | None = None
        self._offset: float | None = None
        self._patience, self._raised = PATIENCE_S, float("-inf")

    @property
    def level(self) -> Level:
        """What is done now."""
        return self.levels[self._at]

    def takes(self, t: float) -> bool:
        """Whether the frame at t seconds is to be tracked; one that is not counts in `left_out`."""
        # a quarter of a frame of slack: stamps of a camera jitter
        if 0 <= t - self._tracked < (self.level.every - 0.25) / self._fps:
            self.left_out += 1
            return False
        self._tracked = t
        return True

    def draws(self, t: float) -> bool:
        """Whether pictures are to be drawn for the frame at t seconds."""
        if not self.level.draws and 0 <= t - self._drawn < DRAW_S:
            return False
        self._drawn = t
        return True

    def took(self, t: float) -> Step | None:
        """The frame at t seconds has been handed on: judge, and say when the level changes."""
        now = self._clock()
        self._latencies.append(self._late(now - t) * 1e3)
        if len(self._latencies) < WINDOW:
            return None
        latency = sorted(self._latencies)[int(SHARE * WINDOW)]
        if latency > self.target_ms:
            self._easy_since = None
            return self._lower(now, latency)
        if latency > EASY * self.target_ms or self._at == 0:
            self._easy_since = None
            return None
        self._easy_since = now if self._easy_since is None else self._easy_since
        if now - self._easy_since < self._patience:
            return None
        return self._move(-1, now, latency)

    def _late(self, age: float) -> float:
        if self._offset is None:
            self._offset = 0.0 if 0 <= age < OTHER_CLOCK_S else age
        elif self._offset and age < self._offset:
            self._offset = age
        return age - self._offset

    def _lower(self, now: float, latency: float) -> Step | None:
        if self._at + 1 == len(self.levels):
            return None
        if now - self._raised < 2 * self._patience:  # doing more was too early
            self._patience = min(2 * self._patience, MOST_PATIENCE_S)
        return self._move(+1, now, latency)

    def _move(self, by: int, now: float, latency: float) -> Step:
        self._at += by
        self._latencies.clear()
        self._easy_since = None
        if by < 0:
            self._raised = now
        return Step(self.level, by > 0, latency)


def levels_for(fps: float, draws: bool) -> tuple[Level, ...]:
    """The levels that a stream has: no picture is given up where none is drawn, no rate below `LEAST_FPS`."""
    kept: list[Level] = []
    for level in LEVELS:
        every = max(n for n in range(1, level.every + 1) if n == 1 or fps / n >= LEAST_FPS)
        one = Level(level.name, level.says, level.draws or not draws, every, level.units)
        if not kept or (one.draws, one.every, one.units) != (kept[-1].draws, kept[-1].every, kept[-1].units):
            kept.append(one)
    return tuple(kept)


def told(step: Step, t: float, counts: Counter[str]) -> Dropped:
    """A step as an event: the reason is the level's name, or `EASED`; count says how often it came to that."""
    reason = step.level.name if step.down else EASED
    counts[reason] += 1
    return Dropped(
        f"load-{sum(counts.values())}",
        t,
        t,
        source="tracker",
        reason=reason,
        count=counts[reason],
        age_ms=step.latency_ms,
    )


def says(reason: str) -> str:
    """What a reason of these events means, in words; "" for any other."""
    if reason == EASED:
        return "the machine keeps up again: more is done"
    if reason == LEFT_OUT:
        return "frames were left out to keep up"
    given_up: Sequence[Level] = LEVELS[1:]
    return next((f"the machine is too slow: {level.says}" for level in given_up if level.name == reason), "")
