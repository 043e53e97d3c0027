"""What the studies of the captioner share: clips as a frozen encoder reads them, and phrases to tell.

The encoder of a checkpoint reads every clip once; units, projector and captioner are then trained on what it said, so
that a run takes minutes. Training clips are tracked renders (with keyframe features) and simulated ones (without);
phrases to be judged come from tracked clips and programs that no training saw.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edge.encoder import LAG
from edge.narrator import narrate
from edge.recording import Recording
from edge.resample import TICK_HZ
from edge.score import FINGERS, FingerEvent, Score
from edge.skeleton import CHAINS
from export.data.pairs import clip_length, hand_errors, score_of, ticks_of
from export.data.scenes import draw_scene
from export.data.tracked import APPEARANCE, KEYS, table
from export.data.windows import SEEN_ENOUGH, Window, draw, phrases, visible
from export.models.encoder import Encoder
from export.sim.batch import Streamer
from export.sim.programs import programs
from export.sim.simulated import seen

Array = NDArray[np.float32]

#: seconds of a clip, and the longest phrase, ticks
SECONDS, MOST = 5.0, 180
#: columns of a finger's token with its joints by the image, in palm axes and palm lengths
_JOINTS = slice(30, 42)
#: A finger is hidden from the landmarks while they are off by more than this, palm lengths: five times the median of
#: tracked fingertips (0.05, results/tracker_noise.json).
HIDDEN = 0.25
#: seeds of the simulated training clips and of the programs to be judged
SEED, TEST_SEED = 31, 20261130


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """N clips of T ticks as the encoder read them.

    Attributes:
        embedding [N,T,2,E], logits [N,T,2,7*slot width], joints [N,T,2,60] float16. present [N,T,2].
        keys [N,24] ticks of keyframes (-1 = none), appearance [N,24,2,D] float16 (NaN rows: no hand).
        scores [N]; hidden [N]: (hand, finger, start) of events whose finger the landmarks did not follow.
    """

    embedding: NDArray[np.float16]
    logits: NDArray[np.float16]
    joints: NDArray[np.float16]
    present: NDArray[np.bool_]
    keys: NDArray[np.int64]
    appearance: NDArray[np.float16]
    scores: tuple[Score, ...]
    hidden: tuple[frozenset[tuple[str, str, float]], ...]

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True, eq=False)
class Phrase:
    """What is to be told: clip and its ticks [first, last), the text, its score, and how many of its events'
    fingers were hidden from the landmarks."""

    clip: int
    first: int
    last: int
    text: str
    score: Score
    hidden: frozenset[tuple[str, str, float]]


@torch.no_grad()
def _read(encoder: Encoder, features: Array) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Features [n,T,2,6,54] -> embedding [n,T,2,E], logits [n,T,2,7*S]."""
    hands = torch.from_numpy(np.ascontiguousarray(features.swapaxes(1, 2)).reshape(-1, *features.shape[1:2], 6, 54))
    logits, _, embedding = encoder(hands)
    shape = (len(features), 2, features.shape[1], -1)
    return tuple(  # type: ignore[return-value]
        np.ascontiguousarray(a.reshape(shape).numpy().astype(np.float16).swapaxes(1, 2)) for a in (embedding, logits)
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    features: Array
    present: NDArray[np.bool_]
    keys: NDArray[np.int64]
    appearance: NDArray[np.float16]
    scores: list[Score]
    hidden: list[frozenset[tuple[str, str, float]]]


def encoded(encoder: Encoder, rows: Iterable[_Rows]) -> Encoded:
    """Everything that the rows hold, read."""
    encoder.eval()
    made: list[tuple[NDArray[np.generic], ...]] = []
    scores: list[Score] = []
    hidden: list[frozenset[tuple[str, str, float]]] = []
    for row in rows:
        embedding, logits = _read(encoder, row.features)
        joints = row.features[..., :5, _JOINTS].reshape(*row.features.shape[:3], -1).astype(np.float16)
        made.append((embedding, logits, joints, row.present, row.keys, row.appearance))
        scores += row.scores
        hidden += row.hidden
    columns: list[Any] = [np.concatenate(c) for c in zip(*made, strict=True)]
    return Encoded(*columns, scores=tuple(scores), hidden=tuple(hidden))  # type: ignore[misc]


def tracked_rows(folder: Path) -> Iterator[_Rows]:
    """Training clips of a folder of tracked renders, with their variants."""
    known = table(folder, SECONDS)
    for i in range(0, len(known), 32):
        n = np.arange(i, min(i + 32, len(known)))
        clips = known.clips(n)
        yield _Rows(
            clips.features, clips.present, known.keys[n], known.appearance[n], clips.scores, [frozenset()] * len(n)
        )


def simulated_rows(count: int, seed: int = SEED) -> Iterator[_Rows]:
    """Training clips of the simulator: no keyframe features."""
    streamer = Streamer(draw_scene, size=32, seconds=SECONDS, seed=seed)
    made = number = 0
    while made < count:
        clips = streamer.batch(number)
        number += 1
        made += len(clips.scores)
        yield _plain(clips.features, clips.present, clips.scores)


def _plain(features: Array, present: NDArray[np.bool_], scores: list[Score]) -> _Rows:
    n = len(scores)
    return _Rows(
        features, present, np.full((n, KEYS), -1), np.full((n, KEYS, 2, 1), np.nan, np.float16), scores,
        [frozenset()] * n,
    )  # fmt: skip


def simulated_test_rows(count: int, seed: int = TEST_SEED) -> Iterator[_Rows]:
    """Programs of the test side under the fitted tracker's errors."""
    for program in islice(programs(seed, split="test"), count):
        recording = seen(program)
        one = ticks_of(recording, clip_length(SECONDS))
        yield _plain(one.features[None].astype(np.float32), one.present[None], [program.score])


def judged_rows(files: Sequence[tuple[Path, Path]]) -> Iterator[_Rows]:
    """Tracked clips to be judged, (tracked, exact) files: with keyframe features, and with what was hidden."""
    for path, exact in files:
        recording, true = Recording.load(path), Recording.load(exact)
        score = score_of(true if true.score_json else recording)
        one = ticks_of(recording, clip_length(SECONDS))
        keys = np.full((1, KEYS), -1)
        appearance = np.full((1, KEYS, 2, one.appearance.shape[-1]), np.nan, np.float16)
        n = min(len(one.keys), KEYS)
        keys[0, :n], appearance[0, :n] = one.keys[:n], one.appearance[:n]
        yield _Rows(
            one.features[None].astype(np.float32), one.present[None], keys, appearance, [score],
            [frozenset(unfollowed(recording, true, score))],
        )  # fmt: skip


def unfollowed(seen_: Recording, true: Recording, score: Score) -> Iterator[tuple[str, str, float]]:
    """(hand, finger, start) of the events whose finger was hidden: half of their frames lost, or off by `HIDDEN`."""
    times = (true.t_ns - true.t_ns[0]) * 1e-9
    for hand, side in enumerate(("left", "right")):
        rows = hand_errors(seen_, true, hand, 0)
        if rows is None:
            continue
        off = np.linalg.norm(rows.image[..., :2], axis=-1)  # [n,21]
        for event in score:
            if event.hand != side:
                continue
            inside = (times[rows.frame] >= event.start) & (times[rows.frame] <= event.end)
            for finger in event.fingers:
                here = off[inside][:, CHAINS[FINGERS.index(finger)][1:]].mean(axis=1)
                if len(here) and (~(here < HIDDEN)).mean() > 0.5:
                    yield event.hand, finger, event.start


def told(event: FingerEvent) -> bool:
    return event.motion != "rest"


def phrases_of(clips: Encoded) -> list[Phrase]:
    """The phrases of clips that were seen well enough to be asked for: from just before to just after their motion."""
    out = []
    for i, score in enumerate(clips.scores):
        present = clips.present[i]
        seen_ = visible(score, present)
        for group in phrases([e for e, _ in seen_ if told(e)]):
            if any(share < SEEN_ENOUGH for e, share in seen_ if e in group):
                continue
            first = max(int(min(e.start for e in group) * TICK_HZ) - LAG + 8, 0)
            last = min(int(max(e.end for e in group) * TICK_HZ) + 10, len(present), first + MOST)
            if last - first >= 8 and last / TICK_HZ >= max(e.end for e in group):
                out.append(Phrase(i, first, last, narrate(group), tuple(group), clips.hidden[i]))
    return out


def window(clips: Encoded, clip: int, rng: np.random.Generator) -> Window | None:
    """A random stretch of a training clip, as `figop train` draws them."""
    made = draw(clips.scores[clip], clips.present[clip], rng, 0.0, MOST)
    return made if made is not None and made.text else None


def keep(path: Path, clips: Encoded) -> None:
    """Write clips so that another run need not read them again."""
    arrays = {n: getattr(clips, n) for n in Encoded.__slots__ if n not in ("scores", "hidden")}
    scores = json.dumps([[e.to_dict() for e in s] for s in clips.scores])
    hidden = json.dumps([sorted(h) for h in clips.hidden])
    partial = path.with_suffix(".partial.npz")
    np.savez(partial, **arrays, scores=np.array(scores), hidden=np.array(hidden))
    partial.replace(path)


def kept(path: Path) -> Encoded:
    """What `keep` wrote."""
    with np.load(path, allow_pickle=False) as d:
        arrays = {n: d[n] for n in Encoded.__slots__ if n not in ("scores", "hidden")}
        scores = tuple(tuple(FingerEvent.from_dict(e) for e in s) for s in json.loads(str(d["scores"])))
        hidden = tuple(frozenset((str(a), str(b), float(c)) for a, b, c in h) for h in json.loads(str(d["hidden"])))
    return Encoded(**arrays, scores=scores, hidden=hidden)


def width_of(clips: Encoded) -> int:
    """Of the keyframe features."""
    return max(clips.appearance.shape[-1], APPEARANCE)
