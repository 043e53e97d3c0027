"""Batches for the trainer, made by worker processes while the network learns; no files, always the same order."""

from __future__ import annotations

import multiprocessing as mp
import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from queue import Full

import numpy as np
from numpy.typing import NDArray

from edge.captioner import END, UNITS
from export.data.tracked import APPEARANCE, Joined, Table, mixed, table
from export.data.windows import draw, ids_of
from export.sim.batch import Scene, Streamer


@dataclass(frozen=True, slots=True, eq=False)
class TrainBatch:
    """One batch; rows are hands in view, clips have one or two of them.

    Attributes:
        features [N,T,6,54] float16. targets [N,T,7,6] uint8. present, moving [N,T] bool.
        rows [B,2] int64: row of each clip's left and right hand, N = no such hand.
        first, last [B] int64: the caption's window. tokens [B,L] int64: begin, words, end, then end again.
        told [B] bool: the clip has a caption.
        appearance [B,U,2,D] float16, has [B,U,2] float32: keyframe features of the window's units, where known.
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
    appearance: NDArray[np.float16]
    has: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FeedSettings:
    """programs: draws scenes. rows: hands of a batch, always so many: kernels are built once. size: clips drawn for
    them. paraphrases: share of captions in other words. longest: tokens. most: ticks of a window at most.
    tracked: folders of tracked clips (`export.sim.tracked`); data: of captioned ones (`export.data.lessons`), half of
    both; `real` = their share of the clips; blind = share of their keyframe features that are hidden, so that the
    captioner can do without."""

    programs: Callable[[np.random.Generator], Scene]
    rows: int = 64
    size: int = 64
    seconds: float = 5.0
    seed: int = 0
    paraphrases: float = 0.0
    longest: int = 80
    most: int = 180
    tracked: tuple[Path, ...] = ()
    data: Path | None = None
    real: float = 0.5
    blind: float = 0.4


def make(streamer: Streamer, settings: FeedSettings, number: int, known: Table | Joined | None = None) -> TrainBatch:
    """Batch `number`; known: the tracked clips of `settings.tracked`."""
    clips = streamer.batch(number)
    rng = np.random.default_rng((settings.seed, number, 1))
    whose = np.full(len(clips.scores), -1)
    if known is not None:
        drawn = rng.choice(len(known), max(round(settings.size * settings.real), 1), replace=len(known) < settings.size)
        a, b = len(clips.scores), len(drawn)
        order = np.argsort(np.r_[np.arange(a) / a, np.arange(b) / b], kind="stable")
        clips, whose = mixed(clips, known.clips(drawn), order), np.r_[whose, drawn][order]
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
    width = known.appearance.shape[-1] if known is not None else APPEARANCE
    appearance = np.zeros((len(clips.scores), UNITS, 2, width), np.float16)
    has = np.zeros(appearance.shape[:-1], np.float32)
    for i, (score, present, kept) in enumerate(zip(clips.scores, clips.present, fits, strict=True)):
        window = draw(score, present, rng, settings.paraphrases, settings.most) if kept else None
        ids = ids_of(window.text) if window else []
        good = window is not None and len(ids) <= settings.longest
        first.append(window.first if window and good else 0)
        last.append(window.last if window and good else 8)
        told.append(bool(good))
        if known is not None and good and whose[i] >= 0 and rng.random() >= settings.blind:
            appearance[i], has[i] = known.seen(int(whose[i]), first[-1], last[-1])
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
        appearance,
        has,
    )


def tables(settings: FeedSettings) -> Table | Joined | None:
    """The clips that settings name besides the simulator's; made where they are not yet. Raises SourceError."""
    found: list[Table | Joined] = [table(folder, settings.seconds) for folder in settings.tracked]
    if settings.data:
        found.append(table(settings.data, settings.seconds, every=True))
    return reduce(Joined, found) if found else None


def _work(settings: FeedSettings, start: int, step: int, queue: mp.Queue[TrainBatch]) -> None:
    known = tables(settings)
    share = settings.real if known is not None else 0.0
    size = max(round(settings.size * (1 - share)), 1)
    streamer = Streamer(settings.programs, size=size, seconds=settings.seconds, seed=settings.seed)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the trainer's, which closes its workers
    number, parent = start, os.getppid()
    while True:
        batch = make(streamer, settings, number, known)
        while True:
            try:
                queue.put(batch, timeout=2.0)
                break
            except Full:
                if os.getppid() != parent:  # the trainer was killed: nobody will read
                    return
        number += step


class Feed:
    """Batches from number `start` on, every n-th. Close it: it owns processes."""

    def __init__(
        self, settings: FeedSettings, start: int = 0, workers: int = 1, ahead: int = 3, every: int = 1
    ) -> None:
        context = mp.get_context("spawn")
        self._queues: list[mp.Queue[TrainBatch]] = [context.Queue(ahead) for _ in range(workers)]
        self._processes = [
            context.Process(target=_work, args=(settings, start + w * every, workers * every, q), daemon=True)
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
