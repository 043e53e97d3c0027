"""Who annotates a list of videos: this process, several, or the nodes of a Ray cluster. Each job is done exactly once.

What makes it so: a job's result is one file that is written last and at once, and its name is the job's own. A worker
that dies leaves nothing half-made; its job is given out again, `TRIES` times in all, and a job that was finished in the
moment of death is found finished.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, Generic, TypeVar

from edge.errors import RuntimeUnavailable

Job = TypeVar("Job")
Result = TypeVar("Result")

#: how often a job is begun at most: a file that kills its reader must not hold up the others for ever
TRIES = 3


@dataclass(frozen=True, slots=True)
class Lost(Generic[Job]):
    """A job whose worker died every time."""

    job: Job
    tries: int


def here(work: Callable[[Job], Result], jobs: Sequence[Job]) -> Iterator[Result | Lost[Job]]:
    """One after another, in this process."""
    return (work(job) for job in jobs)


def processes(work: Callable[[Job], Result], jobs: Sequence[Job], count: int) -> Iterator[Result | Lost[Job]]:
    """In `count` processes, results as they come; `work` and jobs must be picklable.

    A worker that dies takes its whole pool with it; who was at work then counts a try, the others do not.
    """
    tries = dict.fromkeys(range(len(jobs)), 0)
    left = list(tries)
    careful = False
    while left:
        # after a death only one job at a time is out, so that the next death has one name
        size = 1 if careful else count
        pool = ProcessPoolExecutor(size, mp_context=get_context("spawn"), initializer=_quiet)
        try:
            yield from _round(pool, work, jobs, left, tries, size)
        except BrokenProcessPool:
            careful = True
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        for i in [i for i in left if tries[i] >= TRIES]:
            left.remove(i)
            yield Lost(jobs[i], tries[i])


def _round(
    pool: ProcessPoolExecutor, work: Callable[[Job], Result], jobs: Sequence[Job], left: list[int],
    tries: dict[int, int], size: int,
) -> Iterator[Result]:  # fmt: skip
    """Hand out what is left, `size` at a time. Raises BrokenProcessPool when a worker died."""
    waiting, out = iter(list(left)), dict[Future[Any], int]()
    while True:
        while len(out) < size and (i := next(waiting, None)) is not None:
            out[pool.submit(work, jobs[i])] = i
            tries[i] += 1
        if not out:
            return
        for done in wait(out, return_when=FIRST_COMPLETED).done:
            i = out.pop(done)
            try:
                result = done.result()
            except BrokenProcessPool:
                if size > 1:  # nobody knows whose fault it was
                    for j in (i, *out.values()):
                        tries[j] -= 1
                raise
            left.remove(i)
            yield result


def _quiet() -> None:
    """Ctrl-C is the parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def cluster(work: Callable[[Job], Result], jobs: Sequence[Job], address: str) -> Iterator[Result | Lost[Job]]:
    """On a Ray cluster ("auto" = the one of this machine, "local" = one of its own), results as they come.

    Every node must see the same paths. Raises RuntimeUnavailable.
    """
    try:
        import ray
    except ImportError as error:
        raise RuntimeUnavailable("A cluster needs Ray: pip install 'figop[cluster]'.") from error
    own = not ray.is_initialized()
    if own:
        try:
            ray.init(address=None if address == "local" else address, log_to_driver=False, include_dashboard=False
                     if address == "local" else None)  # fmt: skip
        except (ConnectionError, ValueError, RuntimeError) as error:
            first = str(error).strip().split("\n")[0]
            raise RuntimeUnavailable(f"No Ray cluster answers at {address!r}: {first}") from error
    try:
        task: Any = ray.remote(num_cpus=1, max_retries=0)(_annotate_one)
        tries = dict.fromkeys(range(len(jobs)), 1)
        out = {task.remote(work, job): i for i, job in enumerate(jobs)}
        while out:
            done, _ = ray.wait(list(out), num_returns=1)
            i = out.pop(done[0])
            try:
                yield ray.get(done[0])
            except _deaths(ray):
                if tries[i] >= TRIES:
                    yield Lost(jobs[i], tries[i])
                else:
                    tries[i] += 1
                    out[task.remote(work, jobs[i])] = i
    finally:
        if own:
            ray.shutdown()


def _deaths(ray: Any) -> tuple[type[Exception], ...]:
    """What Ray raises when a worker or its node dies; names have come and gone with its versions."""
    names = ("WorkerCrashedError", "NodeDiedError", "LocalRayletDiedError", "OutOfMemoryError")
    return tuple(getattr(ray.exceptions, n) for n in names if hasattr(ray.exceptions, n))


def _annotate_one(work: Callable[[Any], Any], job: Any) -> Any:
    """The remote task; its name is what Ray shows as its process's title."""
    return work(job)


@dataclass(slots=True)
class Meter:
    """What a run cost. seconds: of video; cpu: of all workers together; wall: of the run."""

    seconds: float = 0.0
    cpu: float = 0.0
    began: float = 0.0

    def __post_init__(self) -> None:
        self.began = time.perf_counter()

    def add(self, seconds: float, cpu: float) -> None:
        """One job."""
        self.seconds, self.cpu = self.seconds + seconds, self.cpu + cpu

    def row(self) -> dict[str, float]:
        """For a report; hours of video for an hour of one core, and for an hour of the clock."""
        wall = time.perf_counter() - self.began
        return {
            "video_s": round(self.seconds, 2),
            "cpu_s": round(self.cpu, 2),
            "wall_s": round(wall, 2),
            "video_hours_per_core_hour": round(self.seconds / self.cpu, 3) if self.cpu > 0 else 0.0,
            "video_hours_per_hour": round(self.seconds / wall, 3) if wall > 0 else 0.0,
        }
