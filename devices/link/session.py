"""One end of the link, without any input or output: bytes and times go in, frames and notices come out.

What matters (`reliable`) is repeated until it is acknowledged or its deadline has passed, and handed on by the other
end once and in order. What does not (`latest`) is replaced by whatever is newer. Frames go out in this order:
acknowledgement, heartbeat, reliable messages, hands, a piece of a caption; so no more than the one frame that is on
the wire already stands before an event. The C twin is `devices/c/figop_link.c`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from devices.link.captions import CaptionReader, CaptionSender, LinkCaption
from devices.link.framing import Counters, Frame, FrameReader, encode
from devices.link.reliable import DEADLINE_S, QUEUE_MAX, Outcome, ReliableReader, ReliableSender
from devices.link.table import KINDS, VERSION, Died, LinkError, Message, bits, pack, unpack

#: 28 bytes five times a second are 1.2 % of 115200 baud.
HEARTBEAT_S = 0.2
#: At 1 % corrupted bytes a heartbeat dies in 24 % of cases: ten in a row once in 1.5 million.
SILENT_AFTER_S = 2.0


@dataclass(frozen=True, slots=True)
class LinkState:
    """The link changed: "up", "silent" (nothing is heard), "closed" (no port), "other_version"; and why."""

    state: str
    why: str = ""


Notice = LinkState | Outcome | Message | LinkCaption


class Session:
    """One end. All times are seconds of one monotonic clock.

    Args:
        boot: id of this incarnation, not 0; a new one tells the other end that numbers begin anew.
        roles: of the table's roles, told in each heartbeat.
        deadline: seconds after which a reliable message is given up.
    """

    def __init__(self, boot: int, *, roles: Sequence[str] = (), deadline: float = DEADLINE_S) -> None:
        self.boot, self._roles = boot, bits("roles", roles)
        self.counters = Counters()
        self.state = LinkState("closed")
        self.peer = 0
        #: When the other end was heard last; -inf before it was heard at all.
        self.heard_at = -inf
        self._reader = FrameReader(self.counters)
        self._notices: deque[Notice] = deque()
        self._seq = 0
        self._heard = -inf
        self._peer_seq: int | None = None
        self._ack_due, self._ack_seq = False, 0
        self._beat_due = -inf
        self._reliable_out = ReliableSender(self._notices.append, deadline)
        self._reliable_in = ReliableReader(self.counters)
        self._hands: dict[str, Message] = {}
        self._captions, self._assembly = CaptionSender(self.counters), CaptionReader(self.counters)

    # what the user does

    def submit(self, message: Message, now: float) -> int:
        """Send a reliable message; returns a ticket, whose `Outcome` comes as a notice. Raises LinkError."""
        if KINDS[message.kind].delivery != "reliable":
            raise LinkError(f"A {message.kind} message cannot be submitted: it is {KINDS[message.kind].delivery}.")
        pack(Message(message.kind, {**message.values, "number": 0, "behind": 0}))
        return self._reliable_out.submit(message, now)

    def show(self, caption: LinkCaption, now: float) -> None:
        """Send a caption instead of any older one."""
        self._captions.show(caption, now)

    def stream(self, message: Message) -> None:
        """Send a hand instead of an older one of the same side that has not left yet."""
        if message["hand"] in self._hands:
            self.counters.add("replaced")
        self._hands[message["hand"]] = message

    def notices(self) -> list[Notice]:
        """What has happened since the last call, in order."""
        out = list(self._notices)
        self._notices.clear()
        return out

    @property
    def waiting(self) -> int:
        """Reliable messages without an outcome."""
        return len(self._reliable_out)

    @property
    def full(self) -> bool:
        """Whether one more reliable message would find no room."""
        return len(self._reliable_out) >= QUEUE_MAX

    @property
    def idle(self) -> bool:
        """Whether nothing is left to send: every message has its outcome, the newest caption has left once."""
        return not self._reliable_out and self._captions.sent

    # what the driver does

    def opened(self, now: float) -> None:
        """The port is open; nothing has been heard yet."""
        self._heard = self._beat_due = now
        self._become("silent", "nothing heard yet")

    def closed(self, now: float, why: str) -> None:
        """The port is gone. What is pending waits for it to come back, until its deadline."""
        self._reader.cut_off()
        self._become("closed", why)
        self.tick(now)

    def end(self, now: float) -> None:
        """No more will be sent: what is pending has failed."""
        self._reliable_out.end(now)

    def receive(self, data: bytes, now: float) -> None:
        """Bytes that have arrived."""
        for frame in self._reader.push(data):
            if frame.boot == self.boot:
                self.counters.add("echoed")
                continue
            try:
                message = unpack(frame.type, frame.payload)
            except Died as death:
                self.counters.add(death.counter)
                if death.counter == "other_version":
                    self._heard = self.heard_at = now
                    self._become("other_version", str(frame.payload[0]))
                continue
            self.counters.add("accepted")
            self._note(frame, now)
            self._handle(message, now)

    def tick(self, now: float) -> None:
        """Deadlines that have passed by now."""
        if self.state.state in ("up", "other_version") and self._heard + SILENT_AFTER_S <= now:
            self.counters.add("silences")
            self._become("silent", f"nothing heard for {SILENT_AFTER_S:g} s")
        self._reliable_out.expire(now)

    def next_frame(self, now: float) -> bytes | None:
        """The frame to send next, or None. Call only when the wire is free."""
        self.tick(now)
        message = self._next(now) if self.state.state != "closed" else None
        if message is None:
            return None
        kind, payload = pack(message)
        wire = encode(Frame(kind, self._seq, self.boot, payload))
        self._seq = (self._seq + 1) & 0xFFFF
        self.counters.add("frames_out")
        self.counters.add("bytes_out", len(wire))
        return wire

    def wake_at(self) -> float:
        """When something is to be sent or decided next, if nothing arrives before; long ago = at once."""
        times = [self._reliable_out.expires_at()]
        if self.state.state == "closed":
            return times[0]
        times.append(self._beat_due)
        if self._ack_due:
            times.append(-inf)
        if self.state.state != "silent":
            times.append(self._heard + SILENT_AFTER_S)
        if self.state.state == "up":
            times += [self._reliable_out.due_at(), -inf if self._hands else inf, self._captions.due_at()]
        return min(times)

    # inside

    def _become(self, state: str, why: str = "") -> None:
        if state != self.state.state:
            self.state = LinkState(state, why)
            self._notices.append(self.state)

    def _note(self, frame: Frame, now: float) -> None:
        """Who sent a frame, and what of theirs is missing before it."""
        self._heard = self.heard_at = now
        if frame.boot != self.peer:
            if self.peer:
                self.counters.add("reboots")
                self._become("silent", "the other end began anew")
            self.peer, self._peer_seq, self._reliable_in.expected = frame.boot, None, None
            self._assembly.reset()
            self._reliable_out.anew()
        if self._peer_seq is not None:
            self.counters.add("lost", (frame.seq - self._peer_seq - 1) & 0xFFFF)
        self._peer_seq = frame.seq
        self._become("up")

    def _handle(self, message: Message, now: float) -> None:
        match message.kind:
            case "heartbeat":
                if message["heard_boot"] == self.boot:
                    self._reliable_out.acknowledged(message["heard_next"], message["heard_seq"], now, at_once=False)
            case "ack":
                if message["boot"] == self.boot:
                    self._reliable_out.acknowledged(message["next"], message["seq"], now, at_once=True)
            case "caption":
                caption = self._assembly.push(message)
                if caption is not None:
                    self._notices.append(caption)
            case "hand":
                self._notices.append(message)
            case _:
                # also of what came before: its acknowledgement may be what was lost
                self._ack_due, self._ack_seq = True, self._peer_seq or 0
                if self._reliable_in.take(message):
                    self._notices.append(message)

    def _next(self, now: float) -> Message | None:
        expected = self._reliable_in.expected
        if self._ack_due:
            self._ack_due = False
            return Message("ack", {"boot": self.peer, "next": expected or 0, "seq": self._ack_seq})
        if self._beat_due <= now:
            self._beat_due = now + HEARTBEAT_S
            heard = {"heard_boot": 0 if expected is None else self.peer, "heard_next": expected or 0}
            heard["heard_seq"] = self._peer_seq or 0
            counts = {"accepted": self.counters["accepted"] & 0xFFFF, "died": self.counters.died & 0xFFFF}
            return Message("heartbeat", {"version": VERSION, "roles": self._roles, **heard, **counts})
        if self.state.state != "up":
            return None
        message = self._reliable_out.next(self._seq, now)
        if message is None and self._hands:
            message = self._hands.pop(next(iter(self._hands)))
        return message or self._captions.piece(now)
