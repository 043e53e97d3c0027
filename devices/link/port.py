"""Serial ports through pyserial: open one alone, read with a time-out, say in one sentence what is wrong."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import threading
from dataclasses import dataclass
from typing import Protocol

import serial
from serial.tools import list_ports

from devices.link.table import LinkError

_REFUSALS: tuple[type[Exception], ...] = (OSError, ValueError)
with contextlib.suppress(ImportError):  # Windows
    import termios

    _REFUSALS = (*_REFUSALS, termios.error)

DEFAULT_BAUD = 115_200
#: Below this a gesture takes over 40 ms on the wire; above it no adapter goes.
BAUD_MIN, BAUD_MAX = 9_600, 12_000_000


class Port(Protocol):
    """What the driver needs of a port. Any method may raise OSError: then the port is gone."""

    def read(self, timeout: float) -> bytes:
        """What has arrived; waits up to `timeout` seconds for the first byte, or for `wake`."""
        ...

    def write(self, data: bytes) -> int:
        """Hand over what fits at once; returns how many bytes did."""
        ...

    def wake(self) -> None:
        """End a `read` that waits on another thread."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Address:
    """PORT or PORT@BAUD, as one types it."""

    path: str
    baud: int = DEFAULT_BAUD

    @classmethod
    def parse(cls, where: str) -> Address:
        """Raises LinkError for a baud rate that is none."""
        path, at, rate = where.rpartition("@")
        if not at:
            path, rate = where, str(DEFAULT_BAUD)
        if not path:
            raise LinkError(f"A serial port is missing in {where!r}; name one, such as /dev/ttyUSB0@115200.")
        if not rate.isdigit() or not BAUD_MIN <= int(rate) <= BAUD_MAX:
            raise LinkError(f"The baud rate must be a number from {BAUD_MIN} to {BAUD_MAX}, found {rate!r} in {where}.")
        return cls(path, int(rate))

    def __str__(self) -> str:
        return self.path if self.baud == DEFAULT_BAUD else f"{self.path}@{self.baud}"


def found() -> list[tuple[str, str]]:
    """The ports of this computer and what is said to be behind each."""
    return sorted((p.device, p.description) for p in list_ports.comports())


class SerialPort:
    """A port of pyserial, locked for this program alone. Raises LinkError if it cannot be opened."""

    def __init__(self, address: Address) -> None:
        try:
            self._serial = serial.Serial(address.path, address.baud, timeout=0, write_timeout=0, exclusive=True)
        except _REFUSALS as error:
            raise LinkError(_refusal(address, error)) from error
        self._keep_others_out(True)
        # pyserial's own time-out is set by configuring the port anew, which some adapters take milliseconds for
        self._pipe = os.pipe() if os.name == "posix" else None
        self._closing, self._closed = threading.Lock(), False

    def _keep_others_out(self, out: bool) -> None:
        """pyserial's lock is seen by those who ask for it; this one also by those who do not (`cat`, `screen`)."""
        with contextlib.suppress(ImportError, AttributeError, OSError):
            import fcntl
            import termios

            fcntl.ioctl(self._serial.fileno(), termios.TIOCEXCL if out else termios.TIOCNXCL)

    def read(self, timeout: float) -> bytes:
        if self._pipe is None:
            self._serial.timeout = timeout
            return bytes(self._serial.read(1) + self._serial.read(self._serial.in_waiting))
        ready, _, _ = select.select([self._serial.fileno(), self._pipe[0]], [], [], timeout)
        if self._pipe[0] in ready:
            os.read(self._pipe[0], 1024)
        if self._serial.fileno() not in ready:
            return b""
        data = os.read(self._serial.fileno(), 4096)
        if not data:
            raise OSError(errno.EIO, "it was unplugged")
        return data

    def write(self, data: bytes) -> int:
        if self._pipe is None:
            return self._serial.write(data) or 0
        try:
            return os.write(self._serial.fileno(), data)
        except BlockingIOError:  # full; pyserial 3.5 would try again for ever
            return 0

    def wake(self) -> None:
        with self._closing:
            if self._closed:  # nobody waits
                return
            if self._pipe is None:
                self._serial.cancel_read()
            else:
                os.write(self._pipe[1], b"w")

    def close(self) -> None:
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._keep_others_out(False)
            with contextlib.suppress(OSError):
                self._serial.close()
            for end in self._pipe or ():
                os.close(end)


def _refusal(address: Address, error: Exception) -> str:
    path, number = address.path, getattr(error, "errno", None)
    if number in (errno.ENOENT, errno.ENXIO, errno.ENODEV):
        ports = ", ".join(name for name, _ in found()) or "none"
        return f"There is no serial port {path}; ports found: {ports}."
    if number in (errno.EACCES, errno.EPERM):
        return f"You may not open {path}; add yourself to its group (sudo usermod -aG dialout $USER) and log in again."
    if number in (errno.EAGAIN, errno.EBUSY, errno.EWOULDBLOCK):
        return f"{path} is in use by another program (a serial monitor, another figop?); close that one first."
    if isinstance(error, ValueError) or number == errno.EINVAL:
        return f"{path} does not take {address.baud} baud; choose a rate that it has, such as {path}@115200."
    return f"{path} cannot be used as a serial port: {getattr(error, 'strerror', None) or error}."
