"""Tracked clips (`export.sim.tracked`) as data: the tracker's errors for the noise model, ticks for the student.

A folder holds NNNN.npz (as tracked, with the true score) and NNNN.truth.npz (exact landmarks).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.features import square_pixels
from edge.model_features import FeatureReader
from edge.recording import Recording
from edge.resample import TICK_HZ, Resampler
from edge.score import HANDS, FingerEvent, Score, order
from edge.skeleton import MIDDLE_MCP
from export.sim.batch import truth
from export.sim.split import split_of_score

Array = NDArray[np.float32]
Flags = NDArray[np.bool_]

_OTHER = {"left": "right", "right": "left", "cw": "ccw", "ccw": "cw"}
_FLIP = np.array([-1.0, 1.0, 1.0], np.float32)


def pairs(folder: Path) -> list[tuple[Path, Path]]:
    """(tracked, truth) files, those that are whole. Raises SourceError when there are none."""
    found = [(p.with_name(p.name.replace(".truth", "")), p) for p in sorted(folder.glob("*.truth.npz"))]
    found = [(a, b) for a, b in found if a.exists()]
    if not found:
        raise SourceError(
            f"{folder} holds no tracked clips: make them with `python -m export.sim.tracked -o {folder}`."
        )
    return found


def score_of(recording: Recording) -> Score:
    """The true score that a recording carries."""
    return order(FingerEvent.from_dict(row) for row in json.loads(recording.score_json or "[]"))


def mirrored(event: FingerEvent) -> FingerEvent:
    """The event of the mirror image's other hand."""
    way = _OTHER.get(event.direction, event.direction)
    return replace(event, hand=_OTHER[event.hand], direction=way)


def mirror(recording: Recording) -> Recording:
    """The mirror image: hands change sides, landmarks flip, the score with them."""
    landmarks, world, wrist = (getattr(recording, n)[:, ::-1].copy() for n in ("landmarks", "world", "wrist"))
    landmarks[..., 0] = 1 - landmarks[..., 0]
    return replace(
        recording, landmarks=landmarks, world=world * _FLIP, wrist=wrist * _FLIP,
        presence=recording.presence[:, ::-1], track_id=recording.track_id[:, ::-1],
        appearance=recording.appearance[:, ::-1],
        score_json=json.dumps([mirrored(e).to_dict() for e in score_of(recording)]),
    )  # fmt: skip


def paced(recording: Recording, factor: float) -> Recording:
    """The same clip, `factor` times as long."""
    score = [e.moved(e.start * factor, e.end * factor) for e in score_of(recording)]
    start = recording.t_ns[0]
    stamps = start + np.round((recording.t_ns - start) * factor).astype(np.int64)
    return replace(recording, t_ns=stamps, score_json=json.dumps([e.to_dict() for e in score]))


def rolled(recording: Recording, degrees: float) -> Recording:
    """The same clip by a camera that is rolled about its axis: a few degrees, for the score's directions stay."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)
    width, height = recording.image_size if all(recording.image_size) else (1, 1)
    scale = np.array([1.0, height / width, 1.0], np.float32)
    centre = np.array([0.5, 0.5 * height / width, 0.0], np.float32)
    # a selfie's picture is flipped: it turns the other way
    seen = turn.T if recording.mirrored else turn
    landmarks = ((recording.landmarks * scale - centre) @ seen.T + centre) / scale
    world, wrist = recording.world @ turn.T, recording.wrist @ turn.T
    return replace(recording, landmarks=landmarks.astype(np.float32), world=world, wrist=wrist)


@dataclass(frozen=True, slots=True, eq=False)
class Ticks:
    """One clip at 30 Hz ticks: features [T,2,6,54] float16, present [T,2], targets [T,2,7,6], moving [T,2], score;
    keys [K] ticks and appearance [K,2,D] of keyframes."""

    features: NDArray[np.float16]
    present: Flags
    targets: NDArray[np.uint8]
    moving: Flags
    score: Score
    keys: NDArray[np.int64]
    appearance: NDArray[np.float16]


def ticks_of(recording: Recording, length: int) -> Ticks:
    """A recording as the student's device code reads it, cut or filled to `length` ticks."""
    resampler, reader = Resampler(mirrored=recording.mirrored), FeatureReader(recording.view)
    rows: list[Array] = []
    here: list[Flags] = []
    keys: list[int] = []
    seen: list[Array] = []
    key: Array | None = None
    for frame in recording.frames():
        key = frame.appearance if frame.appearance is not None else key
        for tick in resampler.push(frame):
            if key is not None:
                keys.append(len(rows))
                seen.append(key)
                key = None
            rows.append(reader.read(tick))
            here.append(tick.present)
    features = np.zeros((length, *rows[0].shape), np.float16)
    present = np.zeros((length, 2), bool)
    count = min(length, len(rows))
    features[:count], present[:count] = rows[:count], here[:count]
    score = score_of(recording)
    targets, moving = truth([score], length)
    good = [i for i, k in enumerate(keys) if k < count]
    width = recording.appearance.shape[-1]
    appearance = np.stack([seen[i] for i in good]) if good else np.zeros((0, 2, width))
    return Ticks(
        features, present, targets[0], moving[0], score, np.array([keys[i] for i in good], np.int64),
        appearance.astype(np.float16),
    )  # fmt: skip


#: (length factor, mirrored, roll in degrees): what is made of every tracked clip
VARIANTS = (
    (1.0, False, 0.0),
    (1.0, True, 8.0),
    (0.85, False, -12.0),
    (1.18, True, -5.0),
    (0.93, False, 15.0),
    (1.08, True, 3.0),
)


def variants(recording: Recording, length: int, *, every: bool = False) -> Iterator[Ticks]:
    """The clip and its mirror image at several paces and rolls; without those whose score training may not see, unless
    `every` is asked for."""
    for factor, turned, roll in VARIANTS:
        one = mirror(recording) if turned else recording
        if every or split_of_score(score_of(one)) == "train":
            yield ticks_of(rolled(paced(one, factor), roll), length)


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """The tracker's errors on hands of all clips, left hands mirrored to right ones. N = frames with a true hand.

    Attributes:
        clip [N]: number of the clip and hand; frame [N]: its frame; fps [N].
        true [N,21,3]: camera axes, palm lengths, wrist at the origin. ray [N,2]: x / z and y / z of the wrist.
        size [N]: logarithm of the palm's length in image widths.
        seen [N] bool: the tracker had it, in the right slot. score [N]: its presence.
        world [N,21,3], image [N,21,3]: as tracked minus true, palm lengths; NaN where not seen. Image z is the error
            of the relative depth.
    """

    clip: NDArray[np.int64]
    frame: NDArray[np.int64]
    fps: Array
    true: Array
    ray: Array
    size: Array
    seen: Flags
    score: Array
    world: Array
    image: Array

    def of(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> Errors:
        """Some rows."""
        return Errors(*(getattr(self, n)[rows] for n in self.__slots__))


def hand_errors(seen: Recording, true: Recording, hand: int, number: int) -> Errors | None:
    """One hand's errors in one clip; None where the hand was never in view."""
    n = min(len(seen), len(true))
    there = true.presence[:n, hand] > 0
    if not there.any():
        return None
    side = np.array([-1.0 if hand == 0 else 1.0, 1.0, 1.0], np.float32)
    exact, found = true.world[:n, hand] * side, seen.world[:n, hand] * side
    palm = np.linalg.norm(exact[:, MIDDLE_MCP], axis=-1)[:, None, None]
    flat = [_flat(r, n)[:, hand] for r in (true, seen)]
    for a in flat:
        a[..., 0] = (a[..., 0] - 0.5) * side[0]
    wrist = true.wrist[:n, hand] * side
    zoom = np.linalg.norm(flat[0][:, MIDDLE_MCP, :2] - flat[0][:, 0, :2], axis=-1) / np.maximum(
        np.linalg.norm(exact[:, MIDDLE_MCP, :2], axis=-1), 1e-3
    )
    size = (zoom * palm[:, 0, 0])[:, None, None]
    other = np.linalg.norm(_flat(true, n)[:, 1 - hand, 9, :2] - _flat(seen, n)[:, hand, 9, :2], axis=-1)
    own = np.linalg.norm(flat[0][:, 9, :2] - flat[1][:, 9, :2], axis=-1)
    good = (seen.presence[:n, hand] >= 0.5) & (own < 2 * size[:, 0, 0]) & ~(other < own)
    image = (flat[1] - flat[0]) / size
    image[..., 2] = ((flat[1][..., 2] - flat[1][:, :1, 2]) - (flat[0][..., 2] - flat[0][:, :1, 2])) / size[..., 0]
    step = np.median(np.diff(true.t_ns)) * 1e-9
    fill = np.where(good, 1.0, np.nan)[:, None, None]
    rows = Errors(
        np.full(n, 2 * number + hand), np.arange(n), np.full(n, 1 / step, np.float32),
        (exact / palm).astype(np.float32), (wrist[:, :2] / wrist[:, 2:]).astype(np.float32),
        np.log(size[:, 0, 0]).astype(np.float32), good, seen.presence[:n, hand].copy(),
        ((found - exact) / palm * fill).astype(np.float32), (image * fill).astype(np.float32),
    )  # fmt: skip
    return rows.of(there)


def _flat(recording: Recording, n: int) -> Array:
    """Image landmarks in image widths, the scene's own sides. [n,2,21,3]."""
    out = np.stack([square_pixels(a, recording.image_size, recording.mirrored) for a in recording.landmarks[:n]])
    return np.asarray(out, np.float32)


def errors_of(folder: Path, most: int | None = None) -> Errors:
    """All clips' errors, one after the other."""
    found = []
    for number, (tracked, exact) in enumerate(pairs(folder)[:most]):
        seen, true = Recording.load(tracked), Recording.load(exact)
        found += [e for h in range(len(HANDS)) if (e := hand_errors(seen, true, h, number)) is not None]
    return Errors(*(np.concatenate([getattr(e, n) for e in found]) for n in Errors.__slots__))


def clip_length(seconds: float) -> int:
    """Ticks of a clip."""
    return int(seconds * TICK_HZ)
