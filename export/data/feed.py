"""Batches for the trainer, made by worker processes while the network learns; no files, always the same order."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Full

import numpy as np
from numpy.typing import NDArray

from edge.captioner import END
from export.data.windows import draw, ids_of
from export.sim.batch import Scene, Streamer


@dataclass(frozen=True, slots=True, eq=False)
class TrainBatch:
    """One batch; rows are hands in view, clips have one or two of them.

    Attributes:
        features [N,T,6,30] float16. targets [N,T,7,6] uint8. present, moving [N,T] bool.
        rows [B,2] int64: row of each clip's left and right hand, N = no such hand.
        first, last [B] int64: the caption's window. tokens [B,L] int64: begin, words, end, then end again.
        told [B] bool: the clip has a caption.
    """

    features: NDArray[np.float16]
    targets: NDArray[np.uint8]
    present: NDArray[np.bool_]
    moving: NDArray[np.bool_]
    rows: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    tokens: NDArray[np.int64]
    told: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """programs: draws scenes. rows: hands of a batch, always so many: kernels are built once. size: clips drawn for
    them. paraphrases: share of captions in other words. longest: tokens. most: ticks of a window at most."""

    programs: Callable[[np.random.Generator], Scene]
    rows: int = 64
    size: int = 64
    seconds: float = 5.0
    seed: int = 0
    paraphrases: float = 0.0
    longest: int = 80
    most: int = 180


def make(streamer: Streamer, settings: FeedSettings, number: int) -> TrainBatch:
    """Batch `number`."""
    clips = streamer.batch(number)
    rng = np.random.default_rng((settings.seed, number, 1))
    used = clips.present.any(axis=1)
    fits = np.cumsum(used.sum(axis=1)) <= settings.rows
    used &= fits[:, None]
    hand = np.argwhere(used)
    rows = np.full(used.shape, settings.rows)
    rows[used] = np.arange(len(hand))
    # short of rows, some hands count twice
    pick = tuple(hand[np.arange(settings.rows) % len(hand)].T)

    def by_hand(a: NDArray[np.generic]) -> NDArray[np.generic]:
        return np.ascontiguousarray(np.swapaxes(a, 1, 2)[pick])

    first, last, told, texts = [], [], [], []
    for score, present, kept in zip(clips.scores, clips.present, fits, strict=True):
        window = draw(score, present, rng, settings.paraphrases, settings.most) if kept else None
        ids = ids_of(window.text) if window else []
        good = window is not None and len(ids) <= settings.longest
        first.append(window.first if window and good else 0)
        last.append(window.last if window and good else 8)
        told.append(bool(good))
        texts.append(ids if good else [END, END])
    longest = -(-max(len(t) for t in texts) // 16) * 16 + 1
    tokens = np.full((len(texts), longest), END)
    for i, ids in enumerate(texts):
        tokens[i, : len(ids)] = ids
    return TrainBatch(
        by_hand(clips.features.astype(np.float16)),  # type: ignore[arg-type]
        by_hand(clips.targets),  # type: ignore[arg-type]
        by_hand(clips.present),  # type: ignore[arg-type]
        by_hand(clips.moving),  # type: ignore[arg-type]
        rows,
        np.array(first),
        np.array(last),
        tokens,
        np.array(told),
    )


def _work(settings: FeedSettings, start: int, step: int, queue: mp.Queue[TrainBatch]) -> None:
    streamer = Streamer(settings.programs, size=settings.size, seconds=settings.seconds, seed=settings.seed)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trainer's, which closes its workers
    number, parent = start, os.getppid()
    while True:
        batch = make(streamer, settings, number)
        while True:
            try:
                queue.put(batch, timeout=2.0)
                break
            except Full:
                if os.getppid() != parent:  # the trainer was killed: nobody will read
                    return
        number += step


class Feed:
    """Batches from number `start` on. Close it: it owns processes."""

    def __init__(self, settings: FeedSettings, start: int = 0, workers: int = 1, ahead: int = 3) -> None:
        context = mp.get_context("spawn")
        self._queues: list[mp.Queue[TrainBatch]] = [context.Queue(ahead) for _ in range(workers)]
        self._processes = [
            context.Process(target=_work, args=(settings, start + w, workers, q), daemon=True)
            for w, q in enumerate(self._queues)
        ]
        for process in self._processes:
            process.start()

    def __iter__(self) -> Iterator[TrainBatch]:
        while True:
            for queue in self._queues:
                yield queue.get()

    def close(self) -> None:
        for process in self._processes:
            process.terminate()
