"""What a node knows of its own health: rate, age, drops, stage times, temperature; as one DiagnosticStatus."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticStatus, KeyValue

#: samples behind every figure: 5 s at 60 fps
WINDOW = 300
#: processors are throttled from here on (Raspberry Pi 80, Jetson 97 by default)
HOT_C = 80.0
_ZONES = Path("/sys/class/thermal")


def temperature(zones: Path = _ZONES) -> float | None:
    """The hottest thermal zone, degrees Celsius; None where the system tells none."""
    found = []
    for file in zones.glob("thermal_zone*/temp"):
        try:
            found.append(int(file.read_text()) / 1000.0)
        except (OSError, ValueError):
            continue
    return max((t for t in found if -40.0 < t < 150.0), default=None)


def memory_mb(status: Path = Path("/proc/self/status")) -> float | None:
    """Resident memory of this process, MB."""
    try:
        rows = status.read_text().splitlines()
    except OSError:
        return None
    return next((int(row.split()[1]) / 1024.0 for row in rows if row.startswith("VmRSS:")), None)


def percentile(values: deque[float], share: float) -> float:
    """Nearest-rank percentile; 0 of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Health:
    """Counts and times of one node. Any thread may tell it something."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.error = ""
        self.reset()

    def reset(self) -> None:
        """A new run: all counts from zero."""
        with self._lock:
            self._arrivals: deque[float] = deque(maxlen=WINDOW)
            self._latency: deque[float] = deque(maxlen=WINDOW)
            self._age: deque[float] = deque(maxlen=WINDOW)
            self._stages: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))
            self._said: Counter[str] = Counter()
            self.counts: Counter[str] = Counter()
            self._last_counts: Counter[str] = Counter()

    def arrived(self) -> None:
        """An input came."""
        with self._lock:
            self._arrivals.append(self._clock())
            self.counts["frames"] += 1

    def done(self, latency_ms: float, age_ms: float | None, stages: Mapping[str, float]) -> None:
        """An input was worked on: time in this node, age of its stamp (None: another clock), time of its stages."""
        with self._lock:
            self._latency.append(latency_ms)
            if age_ms is not None:
                self._age.append(age_ms)
            for name, spent in stages.items():
                self._stages[name].append(spent)

    def took(self, stage: str, spent_ms: float) -> None:
        """A stage beside the inputs' own was gone through."""
        with self._lock:
            self._stages[stage].append(spent_ms)

    def count(self, name: str, many: int = 1) -> None:
        """Something happened `many` times."""
        with self._lock:
            self.counts[name] += many

    def said(self, kind: str) -> None:
        """An output of this kind was published."""
        with self._lock:
            self._said[kind] += 1

    def published(self, kind: str) -> int:
        """How many of this kind were published."""
        with self._lock:
            return self._said[kind]

    def silent_s(self) -> float:
        """Seconds since the last input; infinite before the first."""
        with self._lock:
            return self._clock() - self._arrivals[-1] if self._arrivals else float("inf")

    def rate(self) -> float:
        """Inputs per second over the window; 0 once they have stopped for two seconds."""
        with self._lock:
            seen = self._arrivals
            if len(seen) < 2 or self._clock() - seen[-1] > 2.0 or seen[-1] <= seen[0]:
                return 0.0
            return (len(seen) - 1) / (seen[-1] - seen[0])

    def status(self, name: str, state: str, dropped: int, sentences: list[str], timeout_s: float) -> DiagnosticStatus:
        """The DiagnosticStatus of this moment. `sentences`: faults that others have found (QoS)."""
        rate, silent, hot = self.rate(), self.silent_s(), temperature()
        with self._lock:
            counts = Counter({**self.counts, "dropped_late": dropped})
            fresh = {n: counts[n] - self._last_counts[n] for n in counts if n.startswith("dropped") or n == "lost"}
            self._last_counts = Counter(counts)
            values = {
                "state": state,
                "rate_hz": f"{rate:.1f}",
                "latency_ms_p50": f"{percentile(self._latency, 0.50):.2f}",
                "latency_ms_p95": f"{percentile(self._latency, 0.95):.2f}",
                **{n: str(c) for n, c in sorted(counts.items())},
                **{f"published.{n}": str(c) for n, c in sorted(self._said.items())},
                **{f"stage.{n}_ms_p50": f"{percentile(v, 0.5):.2f}" for n, v in sorted(self._stages.items())},
            }
            if self._age:
                values["age_ms_p50"] = f"{percentile(self._age, 0.50):.1f}"
                values["age_ms_p95"] = f"{percentile(self._age, 0.95):.1f}"
        memory = memory_mb()
        if memory is not None:
            values["memory_mb"] = f"{memory:.0f}"
        if hot is not None:
            values["temperature_c"] = f"{hot:.1f}"
        warnings = list(sentences)
        if state == "active" and timeout_s and silent > timeout_s:
            since = "yet" if silent == float("inf") else f"for {silent:.1f} s"
            warnings.append(f"No input {since}.")
        lost = {n: c for n, c in fresh.items() if c > 0}
        if lost:
            warnings.append("Dropped since the last message: " + ", ".join(f"{n} {c}" for n, c in lost.items()) + ".")
        if hot is not None and hot >= HOT_C:
            warnings.append(f"The processor is at {hot:.0f} degrees and will be throttled.")
        level, message = DiagnosticStatus.OK, f"{state}, {rate:.1f} Hz"
        if warnings:
            level, message = DiagnosticStatus.WARN, " ".join(warnings)
        if self.error:
            level, message = DiagnosticStatus.ERROR, self.error
        return DiagnosticStatus(
            level=level,
            name=name,
            message=message,
            hardware_id="figop",
            values=[KeyValue(key=k, value=v) for k, v in values.items()],
        )
