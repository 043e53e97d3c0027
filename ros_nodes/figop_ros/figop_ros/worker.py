"""One thread beside the executor: subscription callbacks only put work here, so that none of them ever waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar

Job = TypeVar("Job")


class Worker(Generic[Job]):
    """Handles jobs in order on a thread of its own. When `depth` of them wait, the oldest is dropped and counted.

    depth 1 = latest only. What `handle` raises goes to `on_error`, and the thread goes on.
    """

    def __init__(
        self, handle: Callable[[Job], Any], depth: int, name: str, on_error: Callable[[BaseException], Any]
    ) -> None:
        self.dropped = 0
        self._handle, self._on_error, self._depth = handle, on_error, depth
        self._work: deque[tuple[bool, Callable[[], Any]]] = deque()  # whether it may be dropped, and what to do
        self._waiting = 0  # jobs among it
        self._changed = threading.Condition()
        self._stopping = False
        self._busy = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, job: Job) -> None:
        """Hand over a job; never waits."""
        with self._changed:
            if self._stopping:
                return
            if self._waiting >= self._depth:
                del self._work[next(i for i, (is_job, _) in enumerate(self._work) if is_job)]
                self.dropped += 1
            else:
                self._waiting += 1
            self._work.append((True, partial(self._handle, job)))
            self._changed.notify_all()

    def call(self, function: Callable[[], Any]) -> None:
        """Have something done on the worker's thread, after the jobs that wait; never dropped."""
        with self._changed:
            self._work.append((False, function))
            self._changed.notify_all()

    def idle(self, timeout_s: float) -> bool:
        """Wait until nothing is left to do; False when the time is over."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._work or self._busy), timeout_s)

    def stop(self, timeout_s: float = 0.8) -> bool:
        """Finish what waits, then end the thread; False when it did not end in time (what waits is then dropped)."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        end = time.monotonic() + timeout_s
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            with self._changed:
                self.dropped += self._waiting
                self._work.clear()
                self._waiting = 0
            self._thread.join(max(0.0, end - time.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._work or self._stopping)
                if not self._work:
                    return
                is_job, work = self._work.popleft()
                self._waiting -= is_job
                self._busy = True
            try:
                work()
            except Exception as error:  # one bad message must not end the node
                self._on_error(error)
