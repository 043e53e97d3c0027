"""SHREC'21 and SFINGE 3D as streams of one right hand, and as recordings.

Both were recorded by a Leap Motion under the hand, axes of Unity (left-handed, y up). The sensor lies before the
person, so a recording's view is "egocentric": +x is the person's right, z goes away from the person.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.hands.frame import RIGHT
from edge.recording import Recording

Array = NDArray[np.float32]

#: native 20 joints -> MediaPipe's 21; -1 = THUMB_CMC, which the sensor does not give
MP21_FROM_20 = (0, -1, 1, 2, 3, *range(4, 20))
#: where the thumb's first joint lies on the way from the wrist to the second (README of the data)
CMC_SHARE = 0.4
SHREC_FPS, SFINGE_FPS = 50.0, 20.0
#: columns of the streams' events
COLUMNS = ("seq_index", "sequence_id", "label", "start_frame_1based", "end_frame_1based")
#: names of the files in a data folder
SHREC, SFINGE_CLIPS, SFINGE_STREAMS = "train.npz", "dictionary_train.npz", "sequences_dev.npz"


@dataclass(frozen=True, slots=True)
class Label:
    """A gesture in a stream: class, and its first and last row (from 0, inclusive)."""

    name: str
    first: int
    last: int


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """One right hand over time.

    Attributes:
        name: of the stream. fps: its rate.
        joints [N,21,3] float32: metres, x right, y down, z away, absolute.
        labels: the gestures in it, in order. group: streams of one group are never split between folds.
    """

    name: str
    fps: float
    joints: Array
    labels: tuple[Label, ...]
    group: int


def to_21(joints20: NDArray[Any]) -> Array:
    """Native joints [N,20,3] (Unity) -> [N,21,3] in figop's axes and MediaPipe's order."""
    points = np.asarray(joints20, np.float32) * np.array([1, -1, 1], np.float32)
    out = points[:, np.maximum(MP21_FROM_20, 0)]
    out[:, 1] = out[:, 0] + np.float32(CMC_SHARE) * (out[:, 2] - out[:, 0])
    return np.asarray(out, np.float32)


def size_group(metres: float) -> int:
    """Hand size rounded to 0.5 mm, in half millimetres: who has the same is taken for one person."""
    return round(metres * 2000)


def _load(path: Path, needed: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            missing = [name for name in needed if name not in stored.files]
            if missing:
                raise SourceError(f"{path} is not the data set's file: it has no array {missing[0]!r}.")
            return {name: stored[name] for name in stored.files}
    except FileNotFoundError as error:
        raise SourceError(f"There is no {path.name} in {path.parent}: give the folder of the data set.") from error
    except (ValueError, OSError, EOFError) as error:
        raise SourceError(f"{path} is not a readable data set (.npz): {error}.") from error


def shrec21(folder: Path) -> list[Stream]:
    """The official training streams of SHREC'21. Raises SourceError."""
    d = _load(folder / SHREC, ("joints20_01mm", "origin_m", "offsets", "events", "label_names"))
    names, events = [str(n) for n in d["label_names"]], d["events"]
    out = []
    for i, (a, z) in enumerate(zip(d["offsets"][:-1], d["offsets"][1:], strict=True)):
        metres = d["joints20_01mm"][a:z].astype(np.float32) / 1e4 + d["origin_m"][i].astype(np.float32)
        rows = sorted(events[events[:, 0] == i].tolist(), key=lambda r: r[3])
        labels = tuple(Label(names[r[2]], int(r[3]) - 1, int(r[4]) - 1) for r in rows)
        group = size_group(float(d["index_finger_length_m"][i]))
        out.append(Stream(f"shrec21-{int(d['sequence_id'][i]):03d}", SHREC_FPS, to_21(metres), labels, group))
    return out


def sfinge_clips(folder: Path) -> list[Stream]:
    """The cut gestures of SFINGE 3D, each one label over its whole length; grouped by `block`. Raises SourceError."""
    d = _load(folder / SFINGE_CLIPS, ("joints20", "offsets", "label_name", "block"))
    out = []
    for i, (a, z) in enumerate(zip(d["offsets"][:-1], d["offsets"][1:], strict=True)):
        label = Label(str(d["label_name"][i]), 0, int(z - a) - 1)
        out.append(Stream(f"sfinge-{i:03d}", SFINGE_FPS, to_21(d["joints20"][a:z]), (label,), int(d["block"][i])))
    return out


def sfinge_streams(folder: Path) -> list[Stream]:
    """The continuous streams of SFINGE 3D. Raises SourceError."""
    d = _load(folder / SFINGE_STREAMS, ("joints20", "offsets", "events"))
    clips = _load(folder / SFINGE_CLIPS, ("label", "label_name"))
    names = {int(k): str(v) for k, v in zip(clips["label"], clips["label_name"], strict=True)}
    stream, label, first, last = (
        COLUMNS.index(c) for c in ("seq_index", "label", "start_frame_1based", "end_frame_1based")
    )
    out = []
    for i, (a, z) in enumerate(zip(d["offsets"][:-1], d["offsets"][1:], strict=True)):
        rows = sorted(d["events"][d["events"][:, stream] == i].tolist(), key=lambda r: r[first])
        top = int(z - a) - 1
        labels = tuple(Label(names[int(r[label])], max(int(r[first]) - 1, 0), min(int(r[last]) - 1, top)) for r in rows)
        out.append(Stream(f"sfinge-stream-{i:03d}", SFINGE_FPS, to_21(d["joints20"][a:z]), labels, i))
    return out


def to_recording(stream: Stream) -> Recording:
    """A stream as a recording that `figop replay` takes: world and metric wrist, no image, labels as events."""
    count = len(stream.joints)
    world = np.full((count, 2, 21, 3), np.nan, np.float32)
    wrist = np.full((count, 2, 3), np.nan, np.float32)
    world[:, RIGHT] = stream.joints - stream.joints[:, :1]
    wrist[:, RIGHT] = stream.joints[:, 0]
    presence = np.zeros((count, 2), np.float32)
    presence[:, RIGHT] = 1.0
    names = tuple(sorted({label.name for label in stream.labels}))
    rows = [[names.index(e.name), e.first, e.last, RIGHT] for e in stream.labels]
    return Recording(
        t_ns=np.round(np.arange(count) * 1e9 / stream.fps).astype(np.int64),
        landmarks=np.full((count, 2, 21, 3), np.nan, np.float32),
        world=world,
        wrist=wrist,
        presence=presence,
        track_id=np.where(presence > 0, 0, -1).astype(np.int32),
        view="egocentric",
        events=np.array(rows, np.int64).reshape(-1, 4),
        label_names=names,
    )


def folds(groups: list[int], count: int) -> list[int]:
    """Fold of each stream: whole groups, the largest first into the smallest fold."""
    sizes = {g: groups.count(g) for g in groups}
    filled, where = [0] * count, {}
    for group in sorted(sizes, key=lambda g: (-sizes[g], g)):
        where[group] = min(range(count), key=lambda k: (filled[k], k))
        filled[where[group]] += sizes[group]
    return [where[g] for g in groups]
