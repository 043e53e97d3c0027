"""Messages that matter: repeated until acknowledged or too old, handed on once and in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import islice
from math import inf

from devices.link.captions import milliseconds
from devices.link.framing import Counters
from devices.link.table import Message

#: How long a reliable message is worth repeating: a robot must not act on an older gesture.
DEADLINE_S = 2.0
#: Messages that wait for their turn at most, and those of them that may be on the way unacknowledged.
QUEUE_MAX, WINDOW = 64, 8
#: Bounds of the time after which a message is sent again without any sign of its loss. It follows the round trips
#: measured (RFC 6298), without its back-off: on a wire of one's own a loss means noise, never congestion.
RESEND_MIN_S, RESEND_MAX_S, RESEND_FIRST_S = 0.015, 0.1, 0.06
#: The last copy leaves so long before the deadline: what arrives at all arrives in time.
LAST_TRY_S = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a reliable message.

    Attributes:
        ticket: what `Session.submit` returned.
        delivered: it was acknowledged. If not, it may still have arrived: only the acknowledgement may be missing.
        why: "deadline", "queue_full", "closed", or "".
        took_s: from submission to this outcome.
        tries: how often it was sent.
    """

    ticket: int
    delivered: bool
    why: str
    took_s: float
    tries: int


@dataclass(slots=True)
class _Pending:
    number: int
    ticket: int
    message: Message
    since: float
    deadline: float
    sent: float = -inf
    seq: int = 0
    tries: int = 0


class ReliableSender:
    """Keeps messages until they have an outcome, which goes to `tell`. Sends a window of them, repeats what is late."""

    def __init__(self, tell: Callable[[Outcome], None], deadline: float) -> None:
        self._tell, self._deadline = tell, deadline
        self._pending: deque[_Pending] = deque()
        self._number = self._ticket = 0
        self._smooth, self._spread = 0.0, 0.0
        self._resend = RESEND_FIRST_S

    def __len__(self) -> int:
        return len(self._pending)

    def submit(self, message: Message, now: float) -> int:
        """Take a message; returns its ticket. A full queue is an outcome as well."""
        self._ticket += 1
        if len(self._pending) >= QUEUE_MAX:
            self._tell(Outcome(self._ticket, False, "queue_full", 0.0, 0))
        else:
            self._pending.append(_Pending(self._number, self._ticket, message, now, now + self._deadline))
            self._number = (self._number + 1) & 0xFFFF
        return self._ticket

    def expire(self, now: float) -> None:
        """Give up what is past its deadline."""
        while self._pending and self._pending[0].deadline <= now:
            self._fail("deadline", now)

    def end(self, now: float) -> None:
        """Give up everything."""
        while self._pending:
            self._fail("closed", now)

    def anew(self) -> None:
        """Send everything again at once: the other end began anew and has heard nothing."""
        for pending in self._pending:
            pending.sent = -inf

    def expires_at(self) -> float:
        """When the next message is to be given up."""
        return self._pending[0].deadline if self._pending else inf

    def due_at(self) -> float:
        """When the next message is to be sent."""
        times = ((p.sent + self._resend, p.deadline - LAST_TRY_S) for p in islice(self._pending, WINDOW))
        return min((due for due, last in times if due < last), default=inf)

    def next(self, seq: int, now: float) -> Message | None:
        """The oldest message that is due, with its numbers and its age as of now; it leaves in frame `seq`."""
        for pending in islice(self._pending, WINDOW):
            if pending.sent + self._resend <= now < pending.deadline - LAST_TRY_S:
                pending.sent, pending.seq = now, seq
                pending.tries += 1
                age = milliseconds(pending.message["age_ms"] + (now - pending.since) * 1e3)
                numbers = {"number": pending.number, "behind": (pending.number - self._pending[0].number) & 0xFFFF}
                return replace(pending.message, values={**pending.message.values, **numbers, "age_ms": age})
        return None

    def acknowledged(self, until: int, seq: int, now: float, *, at_once: bool) -> None:
        """The other end expects `until` next, and frame `seq` has reached it; `at_once` = this was its answer to it."""
        if not self._pending or not 0 <= ahead(until, self._pending[0].number) <= len(self._pending):
            return
        while self._pending and ahead(until, self._pending[0].number) > 0:
            arrived = self._pending.popleft()
            self._tell(Outcome(arrived.ticket, True, "", now - arrived.since, arrived.tries))
            if at_once and arrived.seq == seq:
                self._measured(now - arrived.sent)
        for pending in self._pending:
            # a wire keeps the order of frames: what left up to `seq` and was not taken is lost, or came too early
            if pending.tries and ahead(seq, pending.seq) >= 0:
                pending.sent = -inf

    def _fail(self, why: str, now: float) -> None:
        lost = self._pending.popleft()
        self._tell(Outcome(lost.ticket, False, why, now - lost.since, lost.tries))

    def _measured(self, trip: float) -> None:
        if self._smooth == 0.0:
            self._smooth, self._spread = trip, trip / 2
        else:
            self._spread += (abs(self._smooth - trip) - self._spread) / 4
            self._smooth += (trip - self._smooth) / 8
        self._resend = min(max(self._smooth + 4 * self._spread, RESEND_MIN_S), RESEND_MAX_S)


class ReliableReader:
    """Lets each message of one sender pass once and in order.

    Attributes: expected is the number of the next one; None before the first.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self.expected: int | None = None

    def take(self, message: Message) -> bool:
        """Whether the message is the next one."""
        self._counters.add("reliable_in")
        number: int = message["number"]
        oldest = (number - message["behind"]) & 0xFFFF
        if self.expected is None:
            self.expected = oldest
        if (skipped := ahead(oldest, self.expected)) > 0:
            self._counters.add("given_up", skipped)
            self.expected = oldest
        early = ahead(number, self.expected)
        if early:
            self._counters.add("early" if early > 0 else "doubled")
            return False
        self._counters.add("delivered")
        self.expected = (number + 1) & 0xFFFF
        return True


def ahead(a: int, b: int) -> int:
    """a - b of numbers modulo 65536, -32768..32767."""
    return ((a - b + 0x8000) & 0xFFFF) - 0x8000
