"""Clocks for benchmarks: milliseconds in blocks beside a fixed piece of work, resident memory, energy."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

#: Seconds between two looks at the resident memory.
RSS_EVERY_S = 0.05
_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


@dataclass(slots=True)
class Samples:
    """Milliseconds of one stage, block by block.

    wall: by the clock. cpu: processor time of the calling thread, which other programs disturb least.
    """

    wall: list[list[float]] = field(default_factory=list)
    cpu: list[list[float]] = field(default_factory=list)

    def block(self) -> None:
        """Begin a block."""
        self.wall.append([])
        self.cpu.append([])

    def add(self, wall: float, cpu: float) -> None:
        """One run, milliseconds."""
        if not self.wall:
            self.block()
        self.wall[-1].append(wall)
        self.cpu[-1].append(cpu)

    @contextmanager
    def clocked(self) -> Iterator[None]:
        """Time the body."""
        begun, used = time.perf_counter_ns(), time.thread_time_ns()
        yield
        spent, worked = time.perf_counter_ns() - begun, time.thread_time_ns() - used
        self.add(spent * 1e-6, worked * 1e-6)

    def row(self, reference: Sequence[float] = ()) -> dict[str, Any]:
        """p50, p95, p99 and mean of wall time, p50 and mean of processor time, runs, and the noise.

        reference: the fixed work's milliseconds in each block. noise: half the range of the blocks' medians, of
        processor time in units of the fixed work, relative to their median.
        """
        wall = np.array([v for block in self.wall for v in block])
        cpu = np.array([v for block in self.cpu for v in block])
        p50, p95, p99 = np.percentile(wall, [50, 95, 99])
        medians = np.array([np.median(block) for block in self.cpu if block])
        if len(reference) == len(medians):
            medians = medians / np.array(reference)
        noise = float((medians.max() - medians.min()) / 2 / max(float(np.median(medians)), 1e-12))
        figures = {"p50": p50, "p95": p95, "p99": p99, "mean": wall.mean()}
        figures |= {"cpu_p50": np.median(cpu), "cpu_mean": cpu.mean()}
        rounded: dict[str, Any] = {name: round(float(value), 5) for name, value in figures.items()}
        return rounded | {"runs": len(wall), "noise": round(noise, 4)}


def fixed_work() -> float:
    """Milliseconds of processor time that a fixed piece of plain Python and small arrays takes: the machine's pace."""
    begun = time.thread_time_ns()
    points = np.arange(63, dtype=np.float32).reshape(21, 3)
    total = 0.0
    for turn in range(150):
        moved = points - points[turn % 21]
        total += float(np.sqrt(np.einsum("ij,ij->i", moved, moved)).sum())
        for number in range(60):
            total += number * 0.5
    return (time.thread_time_ns() - begun) * 1e-6


def interleaved(
    stages: dict[str, Callable[[], Any]], *, blocks: int, seconds: float, warm_up: int, fewest: int = 5
) -> tuple[dict[str, Samples], list[float]]:
    """Time every stage in turns, so that whatever else the machine does falls on all of them.

    Each block gives each stage its share of `seconds`, `fewest` runs at least; `warm_up` runs before each are not
    counted. Returns the samples, and the fixed work's milliseconds in each block.
    """
    samples = {name: Samples() for name in stages}
    paces = []
    share = seconds / max(len(stages), 1) / blocks
    for _ in range(blocks):
        paces.append(float(np.median([fixed_work() for _ in range(5)])))
        for name, work in stages.items():
            for _ in range(warm_up):
                work()
            samples[name].block()
            until, runs = time.perf_counter() + share, 0
            while runs < fewest or time.perf_counter() < until:
                with samples[name].clocked():
                    work()
                runs += 1
    return samples, paces


def resident_mb() -> float:
    """Megabytes (2^20 bytes) of this process in memory now; nan where the system does not tell."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE / 2**20
    except OSError:
        return float("nan")


def peak_resident_mb() -> float:
    """The most megabytes that this process has had in memory, as the kernel kept count; nan where it does not tell."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return float("nan")


class RssWatch:
    """Looks at the resident memory from a thread while its body runs.

    Afterwards: peak_mb, samples, and cpu_s, the processor time that looking took.
    """

    def __init__(self, every_s: float = RSS_EVERY_S) -> None:
        self.peak_mb, self.samples, self.cpu_s, self._every = 0.0, 0, 0.0, every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="figop-rss", daemon=True)

    def __enter__(self) -> RssWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while True:
            self.peak_mb, self.samples = max(self.peak_mb, resident_mb()), self.samples + 1
            self.cpu_s = time.thread_time()
            if self._over.wait(self._every):
                return


class EnergyMeter(Protocol):
    """Joules since some beginning. `name` says what is measured; boards add theirs to `energy_meters`."""

    name: str

    def joules(self) -> float: ...


class Rapl:
    """Package energy of x86 processors (Linux powercap); the counter's wrap-around is undone."""

    def __init__(self, folder: Path) -> None:
        self.name = f"RAPL {(folder / 'name').read_text().strip()}"
        self._file = folder / "energy_uj"
        self._range = int((folder / "max_energy_range_uj").read_text())
        self._last = self._before = int(self._file.read_text())
        self._wraps = 0

    def joules(self) -> float:
        now = int(self._file.read_text())
        self._wraps += now < self._last
        self._last = now
        return (now + self._wraps * self._range - self._before) * 1e-6


class Ina3221:
    """The input rail of a Jetson: volts times amperes, integrated at every call; call it often."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.perf_counter) -> None:
        self.name = f"INA3221 {(folder / 'in1_label').read_text().strip()}"
        self._volts, self._amperes, self._clock = folder / "in1_input", folder / "curr1_input", clock
        self._at, self._watts, self._sum = clock(), self._power(), 0.0

    def _power(self) -> float:
        return int(self._volts.read_text()) * int(self._amperes.read_text()) * 1e-6

    def joules(self) -> float:
        now, watts = self._clock(), self._power()
        self._sum += (now - self._at) * (watts + self._watts) / 2
        self._at, self._watts = now, watts
        return self._sum


def energy_meters(root: Path = Path("/sys")) -> list[EnergyMeter]:
    """The meters that can be read here: RAPL packages, a Jetson's INA3221. Often none: RAPL needs root."""
    found: list[EnergyMeter] = []
    makers: list[tuple[str, Callable[[Path], EnergyMeter]]] = [
        ("class/powercap/intel-rapl:[0-9]", Rapl),
        ("bus/i2c/drivers/ina3221/*/hwmon/hwmon*", Ina3221),
    ]
    for pattern, make in makers:
        for folder in sorted(root.glob(pattern)):
            try:
                found.append(make(folder))
            except (OSError, ValueError):
                continue
    return found


def measured_energy(work: Callable[[], int], meters: Sequence[EnergyMeter] | None = None) -> dict[str, Any]:
    """Run `work` (it returns how many frames it did) and say the joules of each meter; empty without a meter."""
    here = energy_meters() if meters is None else list(meters)
    if not here:
        return {"meter": None, "why": "no RAPL counter or INA3221 that this user may read"}
    before = [meter.joules() for meter in here]
    begun = time.perf_counter()
    frames = work()
    spent = time.perf_counter() - begun
    rows = {meter.name: meter.joules() - first for meter, first in zip(here, before, strict=True)}
    return {
        "meter": ", ".join(rows),
        "joules": {name: round(j, 4) for name, j in rows.items()},
        "mj_per_frame": {name: round(j / max(frames, 1) * 1e3, 4) for name, j in rows.items()},
        "watts": {name: round(j / max(spent, 1e-9), 3) for name, j in rows.items()},
    }
