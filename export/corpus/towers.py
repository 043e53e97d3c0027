"""Motion and text as vectors of one space: the two towers, in numpy. Trained by `export.corpus.fit`.

The motion tower stands on the frozen student: of a phrase it sees the heads' rows and the embedding of both hands,
step by step (0.1 s). The text tower has two entrances: a score (what the narrator's parser understands), read event by
event, and the sentence vector of a text network, for what the parser does not understand.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.score import EXTENTS, HANDS, SPEEDS, FingerEvent
from edge.targets import CONTACT_NAMES, DIRECTION_NAMES, MOTION_NAMES, REPEATS, SLOTS, slots_of

Array = NDArray[np.float32]

TOWERS_SCHEMA = 1
WEIGHTS = Path(__file__).with_name("towers.npz")
#: events of a text that are read, and steps ("then") that are told apart
EVENTS, ORDER = 8, 6
#: of a position in the phrase: how far from its begin and its end, and the time
_PLACES = 6

_BLOCKS = {
    "hand": len(HANDS), "slot": len(SLOTS), "motion": len(MOTION_NAMES), "direction": len(DIRECTION_NAMES),
    "contact": len(CONTACT_NAMES), "extent": len(EXTENTS), "speed": len(SPEEDS), "repeat": len(REPEATS), "order": ORDER,
}  # fmt: skip
#: numbers that an event is told by
EVENT_WIDTH = sum(_BLOCKS.values())


def event_row(event: FingerEvent) -> Array:
    """An event of `edge.narrator.said` (its start is the number of its step) as attributes [EVENT_WIDTH]."""
    parts = {name: np.zeros(width, np.float32) for name, width in _BLOCKS.items()}
    parts["hand"][HANDS.index(event.hand)] = 1
    parts["slot"][list(slots_of(event))] = 1
    parts["motion"][MOTION_NAMES.index(event.motion)] = 1
    parts["direction"][DIRECTION_NAMES.index(event.direction)] = 1
    parts["contact"][CONTACT_NAMES.index(event.contact)] = 1
    parts["extent"][EXTENTS.index(event.extent)] = 1
    parts["speed"][SPEEDS.index(event.speed)] = 1
    parts["repeat"][min(event.repeat, REPEATS[-1]) - 1] = 1
    parts["order"][min(int(event.start), ORDER - 1)] = 1
    return np.concatenate(list(parts.values()))


def event_rows(said: Sequence[FingerEvent]) -> tuple[Array, Array]:
    """What a text says as rows [EVENTS,EVENT_WIDTH] and which of them are used [EVENTS]."""
    rows, mask = np.zeros((EVENTS, EVENT_WIDTH), np.float32), np.zeros(EVENTS, np.float32)
    for i, event in enumerate([e for e in said if e.motion != "rest"][:EVENTS]):
        rows[i], mask[i] = event_row(event), 1
    return rows, mask


def places(count: int) -> Array:
    """Where each of `count` steps lies in its phrase [count,6]."""
    i = np.arange(count, dtype=np.float32)
    share = (i + 0.5) / count
    return np.stack(
        [share, 1 - share, np.sin(np.pi * share), i / 48, np.minimum(i, 5) / 5, np.full_like(i, count / 48)], 1
    )


def steps_in(rows: Array, embedding: Array, scale: Array) -> Array:
    """rows [S,2,7,R], embedding [S,2,E] -> what the motion tower reads of each hand [S,2,7*R+E]."""
    flat = rows.reshape(*rows.shape[:2], -1).astype(np.float32)
    return np.concatenate([flat, embedding.astype(np.float32) * scale], axis=-1)


def unit(x: Array) -> Array:
    """Rows of length 1."""
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-9), np.float32)


class Towers:
    """Weights of both towers. `student` = digest of the weights that the motion tower was trained on."""

    def __init__(self, arrays: Mapping[str, Array], student: str) -> None:
        self.arrays = {n: np.asarray(a, np.float32) for n, a in arrays.items()}
        self.student = student

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return int(self.arrays["motion.out.weight"].shape[0])

    @property
    def heads_only(self) -> bool:
        """Whether the motion tower reads the heads' rows alone, which mean the same whatever the student's weights."""
        return not self.arrays["motion.hand.weight"][:, -len(self.arrays["motion.scale"]) :].any()

    @classmethod
    def load(cls, path: Path = WEIGHTS) -> Towers:
        """Raises BundleError."""
        try:
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as stored:
                if int(stored["schema"]) > TOWERS_SCHEMA:
                    raise BundleError(f"{path} is of a kind that this figop does not know: update figop.")
                names = [n for n in stored.files if n not in ("schema", "student")]
                return cls({n: stored[n] for n in names}, str(stored["student"]))
        except (OSError, ValueError, KeyError) as error:
            raise BundleError(f"The weights of search, {path}, cannot be read: {error}.") from error

    def save(self, path: Path) -> None:
        """As float16."""
        arrays = {n: a.astype(np.float16) for n, a in sorted(self.arrays.items())}
        np.savez(path, schema=np.asarray(TOWERS_SCHEMA), student=np.asarray(self.student), **arrays)  # type: ignore[arg-type]

    def motion(self, rows: Array, embedding: Array) -> Array:
        """A phrase's steps, rows [S,2,7,R] and embedding [S,2,E] -> a unit vector."""
        x = np.maximum(self._dense(steps_in(rows, embedding, self.arrays["motion.scale"]), "motion.hand"), 0)
        x = np.concatenate([x.reshape(len(x), -1), places(len(x))], axis=-1)
        x = np.maximum(self._dense(x, "motion.both"), 0)
        for name in ("motion.first", "motion.second"):
            wide = np.concatenate([np.pad(x, ((1, 0), (0, 0)))[:-1], x, np.pad(x, ((0, 1), (0, 0)))[1:]], axis=-1)
            x = x + self._dense(np.maximum(self._dense(wide, name + ".wide"), 0), name + ".back")
        weights = x @ self.arrays["motion.queries"].T
        weights = np.exp(weights - weights.max(axis=0))
        pooled = (weights / weights.sum(axis=0)).T @ x
        return unit(self._dense(pooled.reshape(-1), "motion.out"))

    def score(self, said: Sequence[FingerEvent]) -> Array:
        """What a text says (`edge.narrator.parse`) -> a unit vector."""
        rows, mask = event_rows(said)
        used = max(int(mask.sum()), 1)
        x = np.maximum(self._dense(rows[:used], "score.enter"), 0)
        for name in ("score.first", "score.second"):
            mean = np.broadcast_to(x.mean(axis=0), x.shape)
            x = x + np.maximum(self._dense(np.concatenate([x, mean], axis=-1), name), 0)
        return unit(self._dense(np.concatenate([x.mean(axis=0), x.max(axis=0)]), "score.out"))

    def words(self, sentence: Array) -> Array:
        """A sentence vector [384] of the text network -> a unit vector."""
        return unit(self._dense(np.maximum(self._dense(sentence, "words.enter"), 0), "words.out"))

    def _dense(self, x: Array, name: str) -> Array:
        return np.asarray(x @ self.arrays[name + ".weight"].T + self.arrays[name + ".bias"])
