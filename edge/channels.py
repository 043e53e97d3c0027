"""One measured quantity over time -> monotone runs ("the bend grew by 110 degrees from 1.2 s to 1.7 s").

A causal zig-zag with a moving base: a run opens when the value leaves its base, and closes when it turns
back or stops. The distance that counts as leaving grows with the quantity's own jitter, which its second
differences tell: a tracker that sees a fist from outside makes its hidden joints tremble by 25 degrees.
Times are extrapolated from the 10 % and 90 % crossings by the minimum-jerk profile (Flash and Hogan 1985),
which human reaching follows: it passes 10 % at 0.247 and 90 % at 0.753 of its duration.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

#: mean |second difference| of white noise of standard deviation 1 is sqrt(6) * sqrt(2 / pi)
_SECOND_DIFFERENCE = 1.954
#: time constant with which the jitter is estimated, and how many standard deviations of it a run must leave by
_JITTER_S = 0.4
_JITTER_LEAVE = 2.2
#: minimum jerk s(u) = 10u^3 - 15u^4 + 6u^5 : s(0.247) = 0.1, so (start..10 %) / (10 %..90 %) = 0.247 / 0.506
_TAIL = 0.247 / 0.506


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    """How a quantity is cut into runs; lengths are in the quantity's own unit.

    Attributes:
        leave: distance from the base at which a run opens.
        turn: way back from the extreme at which it closes (or a quarter of the run, if that is more).
        settle_s: seconds without progress after which it closes.
        base_s: time constant with which the base follows while nothing runs.
        smooth_s: time constant of the smoothing in front.
    """

    leave: float
    turn: float
    settle_s: float = 0.13
    base_s: float = 1.0
    smooth_s: float = 0.03


@dataclass(frozen=True, slots=True)
class Run:
    """A monotone run: from value `first` to `last`, from `start` to `end` seconds."""

    first: float
    last: float
    start: float
    end: float

    @property
    def change(self) -> float:
        return self.last - self.first


class Channel:
    """Streaming state of one quantity. `push` returns the run that closed, if one did."""

    __slots__ = (
        *("_base", "_best", "_best_t", "_history", "_leave", "_mark", "_sign", "_t"),
        *("_jitter", "_raw", "_raw2", "settings", "value"),
    )

    def __init__(self, settings: ChannelSettings) -> None:
        self.settings = settings
        self.reset()

    def reset(self) -> None:
        """Forget everything: the next value is the new base."""
        self.value = float("nan")
        self._t = 0.0
        self._raw = self._raw2 = float("nan")
        self._jitter = 0.0
        self._leave = self.settings.leave
        self._base = 0.0
        self._sign = 0
        self._best = 0.0
        self._best_t = 0.0
        self._mark = 0.0
        self._history: deque[tuple[float, float]] = deque()

    @property
    def progressed_at(self) -> float:
        """When the open run last made visible progress, seconds."""
        return self._best_t

    def progress(self) -> Run | None:
        """The run that is still open, as it stands."""
        return self._run(self._best_t) if self._sign else None

    def push(self, t: float, raw: float) -> Run | None:
        """Take the value at t seconds; NaN is ignored."""
        if raw != raw:
            return None
        s = self.settings
        if self.value != self.value:
            self.value, self._t, self._base = raw, t, raw
            self._history.append((t, raw))
            self._raw = raw
            return None
        dt = t - self._t if t - self._t > 1e-4 else 1e-4
        self._t = t
        bend = abs(raw - 2.0 * self._raw + self._raw2)
        if bend == bend:
            self._jitter += (bend / _SECOND_DIFFERENCE - self._jitter) * dt / (dt + _JITTER_S)
            jitter = _JITTER_LEAVE * self._jitter
            self._leave = jitter if jitter > s.leave else s.leave
        self._raw2, self._raw = self._raw, raw
        self.value += (raw - self.value) * dt / (dt + s.smooth_s)
        x = self.value
        self._history.append((t, x))
        if self._sign == 0:
            history = self._history
            while history[0][0] < t - 0.5:
                history.popleft()
            if not -self._leave < x - self._base < self._leave:
                self._sign = 1 if x > self._base else -1
                self._best, self._best_t, self._mark = x, t, x
            else:
                self._base += (x - self._base) * dt / (dt + s.base_s)
            return None
        if self._sign * (x - self._best) > 0:
            self._best = x
            # progress must be visible, or tracker jitter on a plateau would keep the run open for ever
            if self._sign * (x - self._mark) > 0.15 * self._leave:
                self._mark, self._best_t = x, t
        back = self._sign * (self._best - x)
        amplitude = abs(self._best - self._base)
        if back >= max(s.turn, 0.25 * amplitude, self._leave):
            run = self._run(self._best_t)
            self._base, self._sign = self._best, -self._sign
            self._history = deque(h for h in self._history if h[0] >= run.end - 0.1)
            self._best, self._best_t, self._mark = x, t, x
            return run
        if t - self._best_t >= s.settle_s:
            run = self._run(self._best_t)
            self._base, self._sign = x, 0
            return run
        return None

    def flush(self) -> Run | None:
        """Close what is open: the stream ends here."""
        if not self._sign:
            return None
        run = self._run(self._t)
        self._base, self._sign = self.value, 0
        # what was told is over: the next run must not reach back into it
        self._history = deque(h for h in self._history if h[0] >= run.end)
        return run

    def _run(self, t_end: float) -> Run:
        """The run up to t_end with its times extrapolated to the ends of a minimum-jerk profile."""
        amplitude = self._best - self._base
        low = high = t_end
        for when, x in reversed(self._history):
            if when > t_end:
                continue
            share = (x - self._base) / amplitude
            if share >= 0.9:
                high = when
            low = when
            if share <= 0.1:
                break
        tail = _TAIL * (high - low)
        first_seen = self._history[0][0] if self._history else low
        return Run(self._base, self._best, max(low - tail, first_seen), min(high + tail, self._t))
