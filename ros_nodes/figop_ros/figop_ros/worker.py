"""One thread beside the executor: subscription callbacks only put work here, so that none of them ever waits."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
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
        self._jobs: deque[Job] = deque()
        self._calls: deque[Callable[[], Any]] = deque()
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
            if len(self._jobs) >= self._depth:
                self._jobs.popleft()
                self.dropped += 1
            self._jobs.append(job)
            self._changed.notify_all()

    def call(self, function: Callable[[], Any]) -> None:
        """Have something done on the worker's thread, before the jobs that wait; never dropped."""
        with self._changed:
            self._calls.append(function)
            self._changed.notify_all()

    def idle(self, timeout_s: float) -> bool:
        """Wait until nothing is left to do; False when the time is over."""
        with self._changed:
            return self._changed.wait_for(lambda: not (self._jobs or self._calls or self._busy), timeout_s)

    def stop(self, timeout_s: float = 0.8) -> bool:
        """Finish what waits, then end the thread; False when it did not end in time (what waits is then dropped)."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        end = time.monotonic() + timeout_s
        self._thread.join(timeout_s)
        if self._thread.is_alive():
            with self._changed:
                self.dropped += len(self._jobs)
                self._jobs.clear()
            self._thread.join(max(0.0, end - time.monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._jobs or self._calls or self._stopping)
                if self._calls:
                    work: Callable[[], Any] = self._calls.popleft()
                elif self._jobs:
                    job = self._jobs.popleft()
                    work = lambda job=job: self._handle(job)  # noqa: E731
                else:
                    return
                self._busy = True
            try:
                work()
            except Exception as error:  # one bad message must not end the node
                self._on_error(error)
