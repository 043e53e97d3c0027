"""A glove as a program: `figop serial glove` moves a hand through a script and sends its joint angles."""

from __future__ import annotations

import os
import select
import tty
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.link import convert
from devices.link.table import Message
from edge.hands.model import FIST, OPEN

Array = NDArray[Any]
RATE = 50.0


def posture(**bent: float) -> Array:
    """Angles [5,4] of an open hand with the named fingers bent, 0 = open, 1 = as in a fist."""
    out: Array = OPEN.copy()
    for f, name in enumerate(("thumb", "index", "middle", "ring", "pinky")):
        out[f] += bent.get(name, 0.0) * (FIST[f] - OPEN[f])
    return out


@dataclass(frozen=True, slots=True)
class Move:
    """`seconds` long, to a posture [5,4] and from the one before."""

    seconds: float
    to: Array


#: Index finger bends and straightens, a fist and an open hand; rests of a second end the phrases.
SCRIPT = (
    Move(0.8, OPEN), Move(0.4, posture(index=1)), Move(0.1, posture(index=1)), Move(0.4, OPEN), Move(1.0, OPEN),
    Move(0.5, FIST), Move(0.1, FIST), Move(0.5, OPEN), Move(1.0, OPEN),
)  # fmt: skip


def angles_at(t: float, script: Sequence[Move] = SCRIPT) -> Array:
    """Angles [5,4] at t seconds; the script repeats. Moves have a minimum-jerk profile."""
    t %= sum(move.seconds for move in script)
    before = script[-1].to
    for move in script:
        if t <= move.seconds:
            part = t / move.seconds
            return np.asarray(before + (move.to - before) * part**3 * (10 + part * (6 * part - 15)))
        t -= move.seconds
        before = move.to
    return script[-1].to


def sample(t: float, side: str = "right") -> Message:
    """What the glove measures at t seconds."""
    return convert.hand(side, round(t * 1e6), angles_at(t))


class PseudoPort:
    """One end of a pseudo-terminal as a port; `name` is the other end, for whoever is to talk with us (POSIX)."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()  # the other end stays open here, or closing it would look like a fault
        tty.setraw(self._master)
        os.set_blocking(self._master, False)
        self.name = os.ttyname(self._slave)
        self._pipe = os.pipe()

    def read(self, timeout: float) -> bytes:
        ready, _, _ = select.select([self._master, self._pipe[0]], [], [], timeout)
        if self._pipe[0] in ready:
            os.read(self._pipe[0], 1024)
        return os.read(self._master, 4096) if self._master in ready else b""

    def write(self, data: bytes) -> int:
        try:
            return os.write(self._master, data)
        except BlockingIOError:  # nobody reads
            return 0

    def wake(self) -> None:
        os.write(self._pipe[1], b"w")

    def close(self) -> None:
        for end in (self._master, self._slave, *self._pipe):
            os.close(end)
