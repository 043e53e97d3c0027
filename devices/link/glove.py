"""`--source serial:PORT`: hands from a glove, or from anything else that measures joint angles; no camera."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator

from devices.link import convert
from devices.link.driver import Link
from devices.link.port import Address
from devices.link.session import LinkState, Notice
from devices.link.shared import acquire, release
from devices.link.table import LinkError, Message, words
from edge.hands.frame import LEFT, RIGHT, HandFrame
from edge.sources import SourceEnded

#: The nominal rate; what counts are the glove's own time stamps.
FPS = 50.0
#: A hand whose sample was lost stays for so long while the other one's come: one corrupted frame is no empty hand.
HOLD_NS = 100_000_000
#: Hand frames that wait to be captioned, a second's worth; older ones are dropped.
QUEUE = 64
#: A glove that is unplugged may come back for so long before the stream ends.
PATIENCE_S = 10.0


class HandClock:
    """The glove's 32-bit microseconds as nanoseconds of this computer's clock, which a reboot does not turn back."""

    def __init__(self) -> None:
        self._offset: int | None = None
        self._last = self._high = 0

    def reset(self) -> None:
        """The glove may have begun anew: tie the next stamp to its arrival."""
        self._offset = None

    def time_ns(self, t_us: int, arrival_ns: int) -> int:
        """Unwraps a stamp; `arrival_ns` only sets the origin."""
        if self._offset is None:
            self._offset, self._high = arrival_ns - t_us * 1000, 0
        elif ((t_us - self._last) & 0xFFFFFFFF) < 1 << 31 and t_us < self._last:
            self._high += 1 << 32
        self._last = t_us
        return self._offset + (self._high + t_us) * 1000


class HandPairs:
    """Puts the messages of two hands together to frames."""

    def __init__(self) -> None:
        self._clock = HandClock()
        self._hands: dict[int, tuple[int, Message]] = {}
        self._waiting: int | None = None

    def reset(self) -> None:
        """The stream was broken."""
        self._clock.reset()
        self._hands.clear()
        self._waiting = None

    def push(self, message: Message, arrival_ns: int) -> list[HandFrame]:
        """The frames that a message completes: one, or two when a second hand's message was lost."""
        t_ns = self._clock.time_ns(message["t_us"], arrival_ns)
        frames = []
        if self._waiting is not None and self._waiting != t_ns:
            frames.append(self._frame(self._waiting))
        self._hands[LEFT if message["hand"] == "left" else RIGHT] = (t_ns, message)
        self._waiting = t_ns
        if "more" not in words("hand_flags", message["flags"]):
            frames.append(self._frame(t_ns))
            self._waiting = None
        return frames

    def _frame(self, t_ns: int) -> HandFrame:
        frame = HandFrame(t_ns)
        for slot, (stamp, message) in self._hands.items():
            if "present" in words("hand_flags", message["flags"]) and 0 <= t_ns - stamp <= HOLD_NS:
                frame.world[slot], frame.wrist[slot] = convert.world(message)
                frame.presence[slot], frame.track_id[slot] = 1.0, slot
        return frame


class SerialHands:
    """A source of hand frames in the person's own axes (`egocentric`), for as long as the glove sends.

    A broken link is waited for; after `patience` seconds without hands the stream ends.
    """

    live, gives_hands = True, True
    view: str | None = "egocentric"
    mirrored: bool | None = False

    def __init__(
        self,
        link: Link,
        *,
        let_go: Callable[[Link], None],
        clock: Callable[[], int] = time.monotonic_ns,
        patience: float = PATIENCE_S,
    ) -> None:
        self.name, self.fps, self.count, self.size = f"glove {link.address}", FPS, 0, (0, 0)
        self.dropped: Counter[str] = Counter()
        self._link, self._let_go, self._clock, self._patience = link, let_go, clock, patience
        self._pairs = HandPairs()
        self._frames: deque[HandFrame] = deque()
        self._changed = threading.Condition()
        self._closed = False
        link.listen(self._heard)

    def _heard(self, notice: Notice) -> None:
        if isinstance(notice, LinkState) and notice.state != "up":
            self._pairs.reset()
        elif isinstance(notice, Message) and notice.kind == "hand":
            frames = self._pairs.push(notice, self._clock())
            with self._changed:
                for frame in frames:
                    if len(self._frames) >= QUEUE:
                        self._frames.popleft()
                        self.dropped["hands_late"] += 1
                    self._frames.append(frame)
                self._changed.notify()

    def __iter__(self) -> Iterator[HandFrame]:
        """Raises LinkError for a board that never sends a hand, SourceEnded when the hands cease."""
        given = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._frames or self._closed, self._patience)
                if self._closed:
                    return
                frame = self._frames.popleft() if self._frames else None
            if frame is None:
                break
            given += 1
            yield frame
        if not given:
            raise LinkError(
                f"The board on {self._link.address} answers but sends no hand for {self._patience:g} s; "
                "is it a glove, and switched on?"
            )
        raise SourceEnded(
            f"The glove on {self._link.address} sent nothing more for {self._patience:g} s after {given} frames "
            "(unplugged?); everything until then has been captioned.",
            "hands_lost",
        )

    def close(self) -> None:
        with self._changed:
            if self._closed:
                return
            self._closed = True
            self._changed.notify()
        self._let_go(self._link)


def open_source(where: str) -> SerialHands:
    """The source on PORT or PORT@BAUD. Raises LinkError."""
    return SerialHands(acquire(Address.parse(where)), let_go=release)
