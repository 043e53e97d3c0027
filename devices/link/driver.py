"""A session on a real port: one thread, paced to the baud rate, which opens the port again when it goes away."""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Callable, Sequence

from devices.link.captions import LinkCaption
from devices.link.port import Address, Port, SerialPort
from devices.link.session import LinkState, Notice, Session
from devices.link.table import VERSION, LinkError, Message

#: An Arduino starts anew when its port is opened, and its boot loader waits 2 s.
ANSWER_S = 5.0
#: Pauses between attempts to open a lost port, doubled each time; a port that is plugged in again is there in a second.
BACK_OFF_S, BACK_OFF_MAX_S = 0.1, 2.0
#: A port that takes nothing for so long is stuck, and is opened anew.
STALL_S = 1.0
#: Start bit, eight bits, stop bit.
BITS_PER_BYTE = 10
#: Longest wait, so that a wake-up lost to a port that is closing costs no more than this.
_NAP_S = 0.2
Listener = Callable[[Notice], None]


def other_version(address: Address, version: str) -> str:
    """What to do about a board with other firmware, in a sentence."""
    return (
        f"The board on {address.path} speaks version {version} of the link, this figop {VERSION}; "
        "flash it with the C files of this figop (devices/c)."
    )


class Link:
    """One end of the link on a port. `start`, then send from any thread; listeners are called on the link's thread.

    Args:
        address: port and baud rate.
        session: its state; by default a new one.
        open_port, clock, nap: the world outside, for tests. nap(seconds) waits, and ends early when `wake` is set.
    """

    def __init__(
        self,
        address: Address,
        session: Session | None = None,
        *,
        open_port: Callable[[Address], Port] = SerialPort,
        clock: Callable[[], float] = time.monotonic,
        nap: Callable[[float], None] | None = None,
    ) -> None:
        self.address = address
        self.session = session or Session(secrets.randbits(32) | 1)
        #: How often the port was lost and found again.
        self.reconnects = 0
        self._open_port, self._clock = open_port, clock
        self._port: Port | None = None
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._woken = threading.Event()
        self._nap = nap or self._doze
        self._listeners: list[Listener] = []
        self._free_at = self._retry_at = self._stuck_since = 0.0
        self._back_off = BACK_OFF_S
        self._unsent = b""
        self._ended = False
        self._thread: threading.Thread | None = None

    # what the user does

    def begin(self) -> None:
        """Open the port and run; nobody need answer yet. Raises LinkError if it cannot be opened."""
        self.connect()
        self._thread = threading.Thread(target=self._run, name=f"figop-link {self.address.path}", daemon=True)
        self._thread.start()

    def start(self, answer_s: float = ANSWER_S) -> None:
        """Open the port and wait for a heartbeat. Raises LinkError if there is none, or of another version."""
        self.begin()
        self.wait_for(lambda: self.session.state.state in ("up", "other_version"), answer_s)
        state = self.session.state
        if state.state == "up":
            return
        self.close()
        if state.state == "other_version":
            raise LinkError(other_version(self.address, state.why))
        raise LinkError(
            f"No figop board answers on {self.address.path} at {self.address.baud} baud within {answer_s:g} s; "
            "is figop_link running on it, at that rate?"
        )

    def listen(self, listener: Listener) -> None:
        """Hear every notice from now on."""
        with self._lock:
            self._listeners.append(listener)

    def submit(self, message: Message) -> int:
        """Send what matters; its `Outcome` is a notice."""
        with self._lock:
            ticket = self.session.submit(message, self._clock())
        self._wake()
        return ticket

    def show(self, caption: LinkCaption) -> None:
        """Send a caption instead of any older one."""
        with self._lock:
            self.session.show(caption, self._clock())
        self._wake()

    def stream(self, message: Message) -> None:
        """Send a hand instead of an older one."""
        with self._lock:
            self.session.stream(message)
        self._wake()

    def wait_for(self, true: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds of the session, or not; returns whether it does."""
        with self._changed:
            return self._changed.wait_for(true, seconds)

    def close(self) -> None:
        """End the thread and release the port; what is still pending fails."""
        self._ended = True
        self._wake()
        if self._thread is not None:
            self._thread.join()
        with self._lock:
            self.session.end(self._clock())
            self._lose("closed here", again=False)
        self._tell()

    # what the thread does

    def _run(self) -> None:
        while not self._ended:
            self.step()

    def step(self, at_most: float = _NAP_S) -> None:
        """Send what is due, wait for what comes or for what is due next, tell what has happened."""
        port = self._port
        if port is None:
            self._again(at_most)
        else:
            try:
                with self._lock:
                    self._send(port, self._clock())
                    pause = self._pause()
                self._tell()
                data = port.read(min(pause, at_most))
                with self._lock:
                    now = self._clock()
                    self.session.receive(data, now)
                    self.session.tick(now)
            except OSError as error:
                with self._lock:
                    self._lose(error.strerror or str(error), again=True)
        self._tell()

    def connect(self) -> None:
        """Open the port now. Raises LinkError."""
        port = self._open_port(self.address)
        with self._lock:
            self._port = port
            self._unsent, self._stuck_since = b"", 0.0
            self._free_at = self._clock()
            self.session.opened(self._free_at)

    def _again(self, at_most: float) -> None:
        """The port is away: try to open it when its time has come, else wait."""
        now = self._clock()
        if now < self._retry_at:
            wait = min(self._retry_at, self.session.wake_at()) - now
            self._nap(min(max(wait, 0.0), at_most))
            with self._lock:
                self.session.tick(self._clock())
            return
        try:
            self.connect()
            self.reconnects += 1
        except LinkError:
            self._retry_at = now + self._back_off
            self._back_off = min(2 * self._back_off, BACK_OFF_MAX_S)

    def _send(self, port: Port, now: float) -> None:
        """Hand over frames as fast as the wire takes them: what waits in the port cannot be overtaken any more."""
        while True:
            if self._unsent:
                taken = port.write(self._unsent)
                self._unsent = self._unsent[taken:]
                if not self._unsent:
                    self._stuck_since = 0.0
                elif taken or not self._stuck_since:
                    self._stuck_since = now
                elif now - self._stuck_since >= STALL_S:
                    raise OSError(f"{self.address.path} takes no more data")
            if self._unsent or self._free_at > now:
                return
            wire = self.session.next_frame(now)
            if wire is None:
                return
            self._unsent = wire
            self._free_at = now + len(wire) * BITS_PER_BYTE / self.address.baud

    def _pause(self) -> float:
        now = self._clock()
        until = max(self.session.wake_at(), self._free_at)
        if self._unsent:
            until = min(until, now + 0.005)  # a full port does not say when it has room again
        return min(max(until - now, 0.0), _NAP_S)

    def _lose(self, why: str, *, again: bool) -> None:
        if self._port is None:
            return
        self._port.close()
        self._port = None
        if self._unsent:
            self.session.counters.add("cut_out")
            self._unsent = b""
        now = self._clock()
        self.session.closed(now, why)
        if again:
            self._retry_at = now + self._back_off
            self._back_off = min(2 * self._back_off, BACK_OFF_MAX_S)

    def _tell(self) -> None:
        with self._changed:
            notices = self.session.notices()
            listeners: Sequence[Listener] = tuple(self._listeners)
            if any(isinstance(n, LinkState) and n.state == "up" for n in notices):
                self._back_off = BACK_OFF_S
            for notice in notices:
                for listener in listeners:
                    listener(notice)
            self._changed.notify_all()

    def _wake(self) -> None:
        self._woken.set()
        port = self._port
        if port is not None:
            with contextlib.suppress(OSError):
                port.wake()

    def _doze(self, seconds: float) -> None:
        self._woken.wait(seconds)
        self._woken.clear()
