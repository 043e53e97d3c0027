"""The serial link end to end: this computer, a simulated 115200-baud cable, and the C code as a program behind it.

Latency is taken from `submit` in Python to the callback of the C library, on one clock (CLOCK_MONOTONIC), in separate
processes: paced wire, both schedulers and one caption fragment that may be ahead are in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from devices.link.captions import LinkCaption
from devices.link.driver import Link
from devices.link.port import Address
from devices.link.reliable import DEADLINE_S, Outcome
from devices.link.session import Notice
from devices.link.table import ENUMS, LinkError, Message

#: Bars of the issue: end to end on a clean wire; lost and reported events on a bad one.
LATENCY_BAR_MS, FAILED_BAR = 15.0, 0.001
_C = Path(__file__).resolve().parent / "c"
_CAPTION = "The right thumb swipes forward along the index finger twice, then the index finger and thumb pinch."


def build(folder: Path, name: str = "peer", *flags: str) -> Path:
    """The C end as a program. Raises LinkError without a C compiler."""
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise LinkError("The other end of the link is C code and needs a C compiler; install gcc or clang.")
    program = folder / f"figop_{name}"
    sources = [_C / "tools" / f"{name}.c", _C / "figop_link.c"]
    command = [compiler, "-std=c99", "-O2", *flags, f"-I{_C}", "-o", str(program), *map(str, sources)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LinkError(f"The C end of the link does not compile here: {done.stderr.strip().splitlines()[-1]}")
    return program


@contextlib.contextmanager
def process(*command: str) -> Iterator[subprocess.Popen[str]]:
    """A program that ends when its standard input does; the output that is left is read to its end."""
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    try:
        yield child
    finally:
        for stream in (child.stdin, child.stdout):
            if stream is not None and not stream.closed:
                stream.close()
        child.wait()


@dataclass(slots=True)
class Board:
    """The C program, whose lines are read on a thread of their own."""

    program: subprocess.Popen[str]
    lines: list[dict[str, Any]] = field(default_factory=list)
    reader: threading.Thread | None = None

    def listen(self) -> None:
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        assert self.program.stdout is not None
        for line in self.program.stdout:
            self.lines.append(json.loads(line))

    def end(self) -> dict[str, int]:
        """Ask for the counters and wait until everything has been read."""
        assert self.program.stdin is not None
        assert self.reader is not None
        self.program.stdin.close()
        self.reader.join()
        return {k: v for k, v in self.lines[-1].items() if k not in ("t", "kind")}

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["kind"] == kind]


def event(index: int) -> Message:
    """The gesture that stands for a number: every field follows from it, so that a corrupt one would be seen."""
    rng = random.Random(index)
    values: dict[str, Any] = {
        name: rng.choice(ENUMS[name])
        for name in ("phase", "hand", "motion", "direction", "contact", "extent", "speed", "source")
    }
    numbers = {
        "fingers": 31,
        "revision": 255,
        "repeat": 255,
        "confidence": 200,
        "start_ms": 2**32 - 1,
        "end_ms": 2**32 - 1,
    }
    values |= {name: rng.randint(0, high) for name, high in numbers.items()}
    return Message("gesture", {**values, "id": index & 0xFFFF, "age_ms": 0})


def run(seconds: float, rate: float, corrupt: float, baud: int, seed: int = 1) -> dict[str, Any]:
    """Events at `rate` a second at random times, captions all the while; what became of each event."""
    rng = random.Random(seed)
    with TemporaryDirectory() as folder:
        program = build(Path(folder))
        with process(
            sys.executable, "-m", "devices.link.wire", f"--baud={baud}", f"--corrupt={corrupt}", f"--seed={seed}"
        ) as wire:
            assert wire.stdout is not None
            assert wire.stdin is not None
            here, there = json.loads(wire.stdout.readline())["ports"]
            with process(str(program), there) as child:
                board = Board(child)
                board.listen()
                submitted, outcomes, link = _load(Address(here, baud), rng, seconds, rate)
                counts = board.end()
                wire.stdin.close()
                noise = json.loads(wire.stdout.readline())
    return {
        "seconds": seconds,
        "baud": baud,
        "corrupted_share": corrupt,
        **judge(submitted, outcomes, board.of("gesture")),
        "captions_arrived": len(board.of("caption")),
        "here_add_up": link.session.counters.add_up(),
        "there_add_up": add_up(counts),
        "here": {k: v for k, v in link.session.counters.counts.items() if v},
        "there": {k: v for k, v in counts.items() if v},
        "wire": noise,
    }


def _load(
    address: Address, rng: random.Random, seconds: float, rate: float
) -> tuple[dict[int, float], dict[int, Outcome], Link]:
    """Submit for so long; submission times by ticket, outcomes by ticket."""
    link = Link(address)
    outcomes: dict[int, Outcome] = {}

    def heard(notice: Notice) -> None:
        if isinstance(notice, Outcome):
            outcomes[notice.ticket] = notice

    link.listen(heard)
    link.start()
    submitted: dict[int, float] = {}
    begun = due = time.monotonic()
    number = 0
    while (now := time.monotonic()) - begun < seconds:
        if number % 4 == 0:
            link.show(LinkCaption(_CAPTION, phrase=number & 0xFFFF, final=False))
        stamp = time.monotonic()
        submitted[link.submit(event(number))] = stamp
        number += 1
        due += rng.uniform(0.2, 1.8) / rate
        time.sleep(max(0.0, due - now))  # the load itself; nothing waits for it
    link.wait_for(lambda: not link.session.waiting, DEADLINE_S + 1.0)
    link.close()
    return submitted, outcomes, link


def judge(submitted: dict[int, float], outcomes: dict[int, Outcome], arrived: list[dict[str, Any]]) -> dict[str, Any]:
    """Every event: delivered once, in order, in time and as it was sent, or reported failed."""
    tickets = sorted(submitted)
    # ids are modulo 65536 and arrive in order: a smaller one than before has wrapped
    seen: Counter[int] = Counter()
    delays, corrupt, disorder, last, high = [], 0, 0, -1, 0
    for line in arrived:
        if line["id"] < last - 32768:
            high += 65536
        index = line["id"] + high
        disorder += index <= last + (0 if line["id"] >= last else -65536)
        last = line["id"]
        seen[index] += 1
        wanted = event(index)
        corrupt += any(line[name] != value for name, value in wanted.values.items() if name != "age_ms")
        if index < len(tickets):
            delays.append(line["t"] * 1e-9 - submitted[tickets[index]])
    failed = [i for i, t in enumerate(tickets) if t in outcomes and not outcomes[t].delivered]
    untold = [i for i, t in enumerate(tickets) if t not in outcomes]
    lost = [i for i, t in enumerate(tickets) if t in outcomes and outcomes[t].delivered and not seen[i]]
    ms = np.array(delays or [np.nan]) * 1e3
    return {
        "submitted": len(tickets),
        "delivered_once": sum(1 for i in range(len(tickets)) if seen[i] == 1),
        "failed": len(failed),
        "failed_but_arrived": sum(1 for i in failed if seen[i]),
        "doubled": sum(1 for count in seen.values() if count > 1),
        "out_of_order": int(disorder),
        "corrupt": int(corrupt),
        "acknowledged_but_lost": len(lost),
        "without_outcome": len(untold),
        "later_than_deadline": int(np.sum(ms > DEADLINE_S * 1e3)),
        "resent": sum(1 for o in outcomes.values() if o.tries > 1),
        "latency_ms": {
            name: round(float(np.percentile(ms, q)), 2)
            for name, q in (("p50", 50), ("p95", 95), ("p99", 99), ("max", 100))
        },
    }


def add_up(counts: dict[str, int]) -> bool:
    """As `Counters.add_up`, of the C end."""
    from devices.link.framing import Counters

    counters = Counters()
    counters.counts.update(counts)
    return counters.add_up()


def hurry() -> None:
    """Real-time priority for this process and its children, as on a robot. Raises LinkError."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (AttributeError, OSError) as error:
        raise LinkError("Real-time priority needs Linux and CAP_SYS_NICE; use --priority normal.") from error


def measure(minutes: float, baud: int, priority: str) -> tuple[dict[str, Any], dict[str, bool]]:
    """A clean run of a minute at most and one of `minutes` with 1 % of all bytes corrupted; and the bars."""
    if priority == "realtime":
        hurry()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    clean = run(min(60.0, 60.0 * minutes), 10.0, 0.0, baud)
    noisy = run(60.0 * minutes, 10.0, 0.01, baud)
    share = noisy["failed"] / max(1, noisy["submitted"])
    sound = all(
        not noisy[k]
        for k in (
            "doubled",
            "out_of_order",
            "corrupt",
            "acknowledged_but_lost",
            "without_outcome",
            "later_than_deadline",
        )
    )
    bars = {
        f"gesture event end to end at {baud} baud <= {LATENCY_BAR_MS:g} ms (p95)": clean["latency_ms"]["p95"]
        <= LATENCY_BAR_MS,
        f"1 % corrupted bytes, {minutes:g} min: each once, in order, within {DEADLINE_S:g} s, none corrupt": sound,
        f"1 % corrupted bytes, {minutes:g} min: <= {FAILED_BAR:.1%} reported failed": share <= FAILED_BAR,
        "counters add up at both ends": noisy["here_add_up"] and noisy["there_add_up"],
    }
    return {"load_average": round(load, 1), "cores": os.cpu_count(), "clean": clean, "noisy": noisy}, bars
