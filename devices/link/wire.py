"""A serial cable as a program: two pseudo-terminals joined at a baud rate, with as much noise as one likes (POSIX).

    python -m devices.link.wire --baud 115200 --corrupt 0.01

Prints the two ports as one JSON line and runs until its standard input ends; then prints what it did to the bytes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import select
import sys
import time
import tty
from collections import deque
from dataclasses import dataclass, field


@dataclass(slots=True)
class Noise:
    """What happens to bytes: each is replaced by another, lost, or doubled with these chances.

    >>> Noise(random.Random(1)).spoil(b"abc")
    b'abc'
    """

    rng: random.Random
    corrupt: float = 0.0
    drop: float = 0.0
    insert: float = 0.0
    taken: int = 0
    corrupted: int = 0
    dropped: int = 0
    inserted: int = 0

    def spoil(self, data: bytes) -> bytes:
        """The bytes as they come out at the other end."""
        self.taken += len(data)
        out = bytearray()
        for byte in data:
            if self.rng.random() < self.drop:
                self.dropped += 1
                continue
            if self.rng.random() < self.corrupt:
                self.corrupted += 1
                byte ^= self.rng.randrange(1, 256)
            out.append(byte)
            if self.rng.random() < self.insert:
                self.inserted += 1
                out.append(self.rng.randrange(256))
        return bytes(out)

    def counts(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in ("taken", "corrupted", "dropped", "inserted")}


@dataclass(slots=True)
class _Lane:
    """One direction: a byte leaves `source` only when the ones before it have passed."""

    source: int
    target: int
    noise: Noise
    seconds: float
    free_at: float = 0.0
    under_way: deque[tuple[float, bytes]] = field(default_factory=deque)

    def take(self, now: float) -> None:
        data = os.read(self.source, 4096)
        for byte in data:
            self.free_at = max(self.free_at, now) + self.seconds
            self.under_way.append((self.free_at, self.noise.spoil(bytes([byte]))))

    def give(self, now: float) -> None:
        due = bytearray()
        while self.under_way and self.under_way[0][0] <= now:
            due += self.under_way.popleft()[1]
        if due:
            os.write(self.target, due)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--baud", type=int, default=115200)
    for name in ("corrupt", "drop", "insert"):
        parser.add_argument(f"--{name}", type=float, default=0.0, help="chance of each byte (default 0)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    masters, ports, kept = [], [], []
    for _ in range(2):
        master, slave = os.openpty()
        tty.setraw(master)
        tty.setraw(slave)
        masters.append(master)
        ports.append(os.ttyname(slave))
        kept.append(slave)  # a port that its user closes is not unplugged
    noises = [Noise(random.Random(f"{args.seed}/{i}"), args.corrupt, args.drop, args.insert) for i in (0, 1)]
    lanes = [_Lane(masters[i], masters[1 - i], noises[i], 10 / args.baud) for i in (0, 1)]
    print(json.dumps({"ports": ports}), flush=True)
    while True:
        now = time.monotonic()
        nexts = [lane.under_way[0][0] for lane in lanes if lane.under_way]
        # bytes come out by the millisecond, as adapters hand them on, and at the end of a stretch
        wait = (
            max(0.0, min(min(nexts) + 0.001, *(lane.free_at for lane in lanes if lane.under_way)) - now)
            if nexts
            else 1.0
        )
        ready, _, _ = select.select([*masters, sys.stdin], [], [], wait)
        if sys.stdin in ready and not os.read(sys.stdin.fileno(), 4096):
            break
        now = time.monotonic()
        for lane in lanes:
            if lane.source in ready:
                lane.take(now)
            lane.give(time.monotonic())
    print(json.dumps({"there": noises[0].counts(), "back": noises[1].counts()}), flush=True)


if __name__ == "__main__":
    main()
