"""Standard output that cannot be written is an error for the user: a full disk, or closed by who started figop."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Any, TextIO

from edge.errors import SinkError


class StdoutError(SinkError):
    """Standard output cannot be written."""


class _Stdout:
    """`sys.stdout` that raises StdoutError once, and then swallows what is still printed on the way out.

    BrokenPipeError passes: it is how a reader that has enough, as `head`, ends figop.
    """

    def __init__(self, target: TextIO | None) -> None:
        self._target, self._over = target, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def write(self, text: str) -> int:
        if self._over:
            return len(text)
        if self._target is None:
            self._over = True
            raise StdoutError("Standard output is closed; redirect it to a file or to the null device.")
        try:
            return self._target.write(text)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._failed(error) from error

    def flush(self) -> None:
        if self._target is None or self._over:
            return
        try:
            self._target.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise self._failed(error) from error

    def isatty(self) -> bool:
        return self._target is not None and self._target.isatty()

    def silence(self) -> None:
        """Send what is printed, and what waits in buffers, nowhere: the interpreter flushes once more as it ends."""
        self._over = True
        with contextlib.suppress(OSError, AttributeError):
            _to_null(self.fileno())

    def _failed(self, error: OSError) -> StdoutError:
        self.silence()
        return StdoutError(f"Standard output could not be written: {error.strerror or error}.")


@contextlib.contextmanager
def guarded() -> Iterator[_Stdout]:
    """`sys.stdout` as described, flushed at the end however that comes about."""
    kept = sys.stdout
    if kept is None:
        try:
            os.fstat(1)
        except OSError:  # else the next file that is opened gets the number, and whatever C code prints
            _to_null(1)
    stdout = _Stdout(kept)
    sys.stdout = stdout  # type: ignore[assignment]
    try:
        yield stdout
    finally:
        try:
            stdout.flush()
        except BrokenPipeError:
            stdout.silence()
            raise
        finally:
            sys.stdout = kept


def _to_null(number: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    if null != number:
        os.dup2(null, number)
        os.close(null)
