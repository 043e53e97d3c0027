"""`--serial PORT`: gesture events and captions to a board."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.link import convert
from devices.link.captions import LinkCaption
from devices.link.driver import Link
from devices.link.port import Address
from devices.link.reliable import DEADLINE_S, Outcome
from devices.link.session import LinkState, Notice
from devices.link.shared import acquire, release
from edge.errors import SinkError
from edge.events import Caption, Event, GestureStart, HandsSeen
from edge.hands.frame import HandFrame

#: Every message has its outcome by its deadline; a little more for the last caption's way over the wire.
_DRAIN_S = DEADLINE_S + 0.5


class SerialSink:
    """Sends what is said to a board. Never holds up a live source; others wait for room in the queue.

    Attributes:
        failed: how many messages were not acknowledged, by reason.
        sent: how many were to be.
    """

    def __init__(self, link: Link, *, live: bool, tell: Callable[[str], None], let_go: Callable[[Link], None]) -> None:
        self._link, self._live, self._tell, self._let_go = link, live, tell, let_go
        self.failed: Counter[str] = Counter()
        self.sent = 0
        link.listen(self._heard)
        tell(f"{link.address}: up")

    def _heard(self, notice: Notice) -> None:
        if isinstance(notice, Outcome) and not notice.delivered:
            self.failed[notice.why] += 1
        elif isinstance(notice, LinkState):
            self._tell(f"{self._link.address}: {notice.state}" + (f" ({notice.why})" if notice.why else ""))

    def write(self, rgb: NDArray[np.uint8] | None, hands: HandFrame | None, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, Caption):
                self._show(convert.caption(event))
            elif isinstance(event, GestureStart):
                self._submit(convert.gesture(event))
            elif isinstance(event, HandsSeen):
                self._submit(convert.hands_seen(event))

    def _submit(self, message: Any) -> None:
        if message is None:
            return
        if not self._live:
            self._link.wait_for(lambda: not self._link.session.full, _DRAIN_S)
        self.sent += 1
        self._link.submit(message)

    def _show(self, caption: LinkCaption) -> None:
        self._link.show(caption)
        if not self._live and caption.final:
            self._link.wait_for(lambda: self._link.session.idle, _DRAIN_S)

    def close(self) -> Path | None:
        """Wait until everything has its outcome. Raises SinkError if the board did not get it all."""
        self._link.wait_for(lambda: self._link.session.idle, _DRAIN_S)
        self._let_go(self._link)
        if self.failed:
            why = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in self.failed.items())
            raise SinkError(
                f"The board on {self._link.address} did not acknowledge {sum(self.failed.values())} of {self.sent} "
                f"events ({why}); check its cable, and that nothing else slows it down."
            )
        return None


def open_sink(where: str, live: bool) -> SerialSink:
    """The sink on PORT or PORT@BAUD. Raises LinkError."""

    def tell(text: str) -> None:
        print(f"serial {text}", file=sys.stderr, flush=True)

    return SerialSink(acquire(Address.parse(where)), live=live, tell=tell, let_go=release)
