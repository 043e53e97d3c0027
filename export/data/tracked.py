"""Tracked clips as a table of ticks that training draws from; read once, kept beside the clips."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from edge.captioner import UNIT_TICKS, UNITS
from edge.model_features import PARTS, WIDTH
from edge.recording import Recording
from edge.score import FingerEvent, Score
from edge.targets import ATTRIBUTES, SLOTS
from export.data.pairs import VARIANTS, Ticks, clip_length, pairs, variants
from export.sim.batch import Clips

#: keyframes kept of a clip
KEYS = 24
#: width of the full landmark network's shared feature
APPEARANCE = 1152


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """N clips of T ticks on disk. features [N,T,2,6,54] float16, targets [N,T,2,7,6], present, moving [N,T,2],
    keys [N,24] ticks (-1 = none), appearance [N,24,2,D] float16; scores [N]."""

    features: NDArray[np.float16]
    targets: NDArray[np.uint8]
    present: NDArray[np.bool_]
    moving: NDArray[np.bool_]
    keys: NDArray[np.int64]
    appearance: NDArray[np.float16]
    scores: list[Score]

    def __len__(self) -> int:
        return len(self.scores)

    def clips(self, rows: NDArray[np.intp]) -> Clips:
        """Some clips as a batch."""
        parts = (np.asarray(a[rows]) for a in (self.features, self.targets, self.present, self.moving))
        features, targets, present, moving = parts
        return Clips(features.astype(np.float32), targets, present, moving, [self.scores[i] for i in rows])

    def seen(self, row: int, first: int, last: int) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
        """Keyframe features of a clip's window by unit: [UNITS,2,D], and which are known [UNITS,2]."""
        out = np.zeros((UNITS, *self.appearance.shape[2:]), np.float16)
        known = np.zeros((UNITS, 2), bool)
        for k, tick in enumerate(self.keys[row]):
            unit = (int(tick) - first) // UNIT_TICKS
            if first <= tick < last and unit < UNITS and not known[unit].any():
                feature = np.asarray(self.appearance[row, k])
                known[unit] = np.isfinite(feature).all(axis=-1)
                out[unit] = np.where(known[unit][:, None], feature, 0)
        return out, known


def mixed(a: Clips, b: Clips, order: NDArray[np.intp]) -> Clips:
    """Both, in this order."""
    names = ("features", "targets", "present", "moving")
    scores = [*a.scores, *b.scores]
    arrays = {n: np.concatenate([getattr(a, n), getattr(b, n)])[order] for n in names}
    return Clips(**arrays, scores=[scores[i] for i in order])


@dataclass(frozen=True, slots=True)
class Joined:
    """Two tables as one; the rows of the second are repeated until they are as many as the first's."""

    first: Table | Joined
    second: Table | Joined

    @property
    def appearance(self) -> NDArray[np.float16]:
        """Of the first: for its width."""
        return self.first.appearance

    def _times(self) -> int:
        return -(-len(self.first) // len(self.second))

    def __len__(self) -> int:
        return len(self.first) + self._times() * len(self.second)

    def clips(self, rows: NDArray[np.intp]) -> Clips:
        """Some clips as a batch."""
        own = rows < len(self.first)
        a, b = self.first.clips(rows[own]), self.second.clips((rows[~own] - len(self.first)) % len(self.second))
        back = np.argsort(np.r_[np.flatnonzero(own), np.flatnonzero(~own)], kind="stable")
        return mixed(a, b, back)

    def seen(self, row: int, first: int, last: int) -> tuple[NDArray[np.float16], NDArray[np.bool_]]:
        """Keyframe features of a clip's window, as `Table.seen` gives them."""
        if row < len(self.first):
            return self.first.seen(row, first, last)
        return self.second.seen((row - len(self.first)) % len(self.second), first, last)


def _files(folder: Path) -> list[Path]:
    """Tracked clips that are whole: those with their truth beside them, or all where no clip has one."""
    if list(folder.glob("*.truth.npz")):
        return [a for a, _ in pairs(folder)]
    return sorted(folder.glob("*.npz")) or [a for a, _ in pairs(folder)]


def table(folder: Path, seconds: float = 5.0, *, every: bool = False) -> Table:
    """The table of a folder of tracked clips, made where it is missing or of other clips. Raises SourceError.

    every: also clips whose score is kept for testing: of people's own recordings none is thrown away.
    """
    from rich.progress import track

    files, home = _files(folder), folder / "ticks"
    length = clip_length(seconds)
    about = {"files": [a.name for a in files], "width": WIDTH, "ticks": length, "variants": [*map(list, VARIANTS)]}
    note = home / "table.json"
    if not note.exists() or json.loads(note.read_text())["about"] != about:
        home.mkdir(exist_ok=True)
        note.unlink(missing_ok=True)
        scores: list[Any] = []
        arrays: dict[str, NDArray[Any]] = {}
        for path in track(files, description="tracked clips"):
            for one in variants(Recording.load(path), length, every=every):
                if not arrays:
                    arrays = _empty(home, len(files) * len(VARIANTS), length, one.appearance.shape[-1] or APPEARANCE)
                _put(arrays, len(scores), one)
                scores.append([e.to_dict() for e in one.score])
        for a in arrays.values():
            a.flush()  # type: ignore[attr-defined]
        note.write_text(json.dumps({"about": about, "scores": scores}))
    scores = json.loads(note.read_text())["scores"]
    loaded = {n: np.load(home / f"{n}.npy", mmap_mode="r") for n in Table.__slots__ if n != "scores"}
    return Table(**loaded, scores=[tuple(FingerEvent.from_dict(e) for e in s) for s in scores])


def _empty(home: Path, count: int, length: int, width: int) -> dict[str, NDArray[Any]]:
    shapes: dict[str, tuple[tuple[int, ...], Any]] = {
        "features": ((length, 2, PARTS, WIDTH), np.float16),
        "targets": ((length, 2, len(SLOTS), len(ATTRIBUTES)), np.uint8),
        "present": ((length, 2), bool), "moving": ((length, 2), bool), "keys": ((KEYS,), np.int64),
        "appearance": ((KEYS, 2, width), np.float16),
    }  # fmt: skip
    return {
        n: open_memmap(home / f"{n}.npy", mode="w+", dtype=kind, shape=(count, *s))  # type: ignore[no-untyped-call]
        for n, (s, kind) in shapes.items()
    }


def _put(arrays: dict[str, NDArray[Any]], row: int, one: Ticks) -> None:
    for name in ("features", "targets", "present", "moving"):
        arrays[name][row] = getattr(one, name)
    n = min(len(one.keys), KEYS)
    arrays["keys"][row] = -1
    if n:
        arrays["keys"][row, :n] = one.keys[:n]
        arrays["appearance"][row, :n] = one.appearance[:n]
