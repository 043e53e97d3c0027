"""Recordings: hand landmarks over time in one `.npz` file (`allow_pickle=False`).

Written by `figop record`, the simulator and the ROS recorder; read by replay, training and tests.
Arrays: see `Recording`. Absent arrays are all-NaN (floats) or empty.
"""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import SinkError, SourceError
from edge.hands.frame import VIEWS, Array, HandFrame

RECORDING_SCHEMA = 1
#: fields stored as they are
_ARRAYS = (
    *("t_ns", "landmarks", "world", "wrist", "presence", "track_id", "keyframes", "appearance", "events"),
    *("mirrored", "view", "appearance_digest", "score_json"),
)


def _nans(frames: int, *shape: int) -> Array:
    return np.full((frames, *shape), np.nan, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """One stream of hands.

    Attributes:
        t_ns [T] int64: time stamps in the source's clock.
        landmarks [T,2,21,3] float32: image fractions, z relative; slot 0 = left, 1 = right (anatomical).
        world [T,2,21,3] float32: metres, wrist at the origin, x right, y down, z away from the camera.
        wrist [T,2,3] float32: metres in the source's frame.
        presence [T,2] float32; track_id [T,2] int32 (-1 = none).
        image_size: (width, height), (0, 0) without an image.
        mirrored: the image (not world) is a selfie view; view: "facing" or "egocentric".
        keyframes [Nk] int64: frame numbers whose appearance is kept; appearance [Nk,2,D] float32 beside it.
        appearance_digest: sha256 of the network that the appearance belongs to.
        events [N,4] int64: label, first frame, last frame, hand; label_names names the labels.
        captions: texts, where the recording came with some.
        score_json: the true score as JSON (a list of FingerEvent dicts), or "".
    """

    t_ns: NDArray[np.int64]
    landmarks: Array
    world: Array
    wrist: Array
    presence: Array
    track_id: NDArray[np.int32]
    image_size: tuple[int, int] = (0, 0)
    mirrored: bool = False
    view: str = "facing"
    keyframes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    appearance: Array = field(default_factory=lambda: np.zeros((0, 2, 0), np.float32))
    appearance_digest: str = ""
    events: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 4), np.int64))
    label_names: tuple[str, ...] = ()
    captions: tuple[str, ...] = ()
    score_json: str = ""

    def __len__(self) -> int:
        return len(self.t_ns)

    def frames(self) -> Iterator[HandFrame]:
        """The frames in order, with the keyframes' appearance where there is one."""
        where = {int(f): i for i, f in enumerate(self.keyframes)}
        for i in range(len(self)):
            yield HandFrame(
                t_ns=int(self.t_ns[i]),
                landmarks=self.landmarks[i],
                world=self.world[i],
                wrist=self.wrist[i],
                presence=self.presence[i],
                track_id=self.track_id[i],
                appearance=self.appearance[where[i]] if i in where else None,
                image_size=self.image_size,
            )

    @classmethod
    def from_frames(cls, frames: Iterable[HandFrame], **about: Any) -> Recording:
        """Stack frames; `about` sets mirrored, view, score_json, appearance_digest, ..."""
        kept = list(frames)
        keys = [i for i, f in enumerate(kept) if f.appearance is not None]
        size = kept[0].image_size if kept else (0, 0)
        return cls(
            t_ns=np.array([f.t_ns for f in kept], np.int64),
            landmarks=np.stack([f.landmarks for f in kept]) if kept else _nans(0, 2, 21, 3),
            world=np.stack([f.world for f in kept]) if kept else _nans(0, 2, 21, 3),
            wrist=np.stack([f.wrist for f in kept]) if kept else _nans(0, 2, 3),
            presence=np.stack([f.presence for f in kept]) if kept else np.zeros((0, 2), np.float32),
            track_id=np.stack([f.track_id for f in kept]) if kept else np.full((0, 2), -1, np.int32),
            image_size=size,
            keyframes=np.array(keys, np.int64),
            appearance=(
                np.stack([a for f in kept if (a := f.appearance) is not None])
                if keys
                else np.zeros((0, 2, 0), np.float32)
            ),
            **about,
        )

    def save(self, path: str | Path) -> None:
        """Write atomically: a reader sees the whole recording or the old one. Raises SinkError."""
        path = Path(path)
        arrays: dict[str, Any] = {name: np.asarray(getattr(self, name)) for name in _ARRAYS}
        arrays["schema"] = np.asarray(RECORDING_SCHEMA)
        arrays["image_size"] = np.asarray(self.image_size, np.int64)
        arrays["label_names"] = np.asarray(self.label_names or [], dtype=str)
        arrays["captions"] = np.asarray(self.captions or [], dtype=str)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as part:
                try:
                    np.savez_compressed(part, **arrays)
                    part.flush()
                    os.replace(part.name, path)
                except BaseException:
                    Path(part.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise SinkError(f"The recording {path} could not be written: {error.strerror or error}.") from error

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Read and check a recording. Raises SourceError naming what is wrong with it."""
        path = Path(path)
        try:
            with np.load(path, allow_pickle=False) as stored:
                data = {name: stored[name] for name in stored.files}
        except FileNotFoundError as error:
            raise SourceError(f"There is no recording at {path}.") from error
        except (OSError, ValueError, zipfile.BadZipFile, EOFError, KeyError) as error:
            raise SourceError(f"{path} is not a readable recording (.npz): {error}.") from error
        return cls._from_arrays(data, path)

    @classmethod
    def _from_arrays(cls, data: dict[str, Any], path: Path) -> Recording:
        if "t_ns" not in data or "schema" not in data:
            raise SourceError(f"{path} is not a figop recording: it has no t_ns or no schema.")
        schema = int(data["schema"])
        if schema > RECORDING_SCHEMA:
            raise SourceError(
                f"{path} is a recording of schema {schema}; this figop reads up to {RECORDING_SCHEMA}: update figop."
            )
        t_ns = np.asarray(data["t_ns"], np.int64)
        count = len(t_ns)
        shapes = {"landmarks": (2, 21, 3), "world": (2, 21, 3), "wrist": (2, 3)}
        arrays: dict[str, Any] = {
            name: np.asarray(data.get(name, _nans(count, *shape)), np.float32) for name, shape in shapes.items()
        }
        _check_shapes(arrays, shapes, count, path)
        if "presence" in data:
            arrays["presence"] = np.asarray(data["presence"], np.float32)
        else:  # whoever has coordinates is there
            seen = np.isfinite(arrays["world"][:, :, 0, 0]) | np.isfinite(arrays["landmarks"][:, :, 0, 0])
            arrays["presence"] = seen.astype(np.float32)
        _check_shapes(arrays, {"presence": (2,)}, count, path)
        default_ids = np.where(arrays["presence"] > 0, np.arange(2), -1)
        arrays["track_id"] = np.asarray(data.get("track_id", default_ids), np.int32)
        _check_shapes(arrays, {"track_id": (2,)}, count, path)
        view = str(data.get("view", "facing"))
        if view not in VIEWS:
            raise SourceError(f"{path}: the view must be one of {', '.join(VIEWS)}, found {view!r}.")
        size = [int(v) for v in np.asarray(data.get("image_size", (0, 0))).ravel()]
        return cls(
            t_ns=t_ns,
            **arrays,
            image_size=(size[0], size[1]),
            mirrored=bool(data.get("mirrored", False)),
            view=view,
            keyframes=np.asarray(data.get("keyframes", np.zeros(0)), np.int64),
            appearance=np.asarray(data.get("appearance", np.zeros((0, 2, 0))), np.float32),
            appearance_digest=str(data.get("appearance_digest", "")),
            events=np.asarray(data.get("events", np.zeros((0, 4))), np.int64),
            label_names=tuple(str(v) for v in data.get("label_names", ())),
            captions=tuple(str(v) for v in data.get("captions", ())),
            score_json=str(data.get("score_json", "")),
        )


def _check_shapes(arrays: dict[str, Any], shapes: dict[str, tuple[int, ...]], count: int, path: Path) -> None:
    """Raise SourceError for the first array that does not fit the time stamps."""
    for name, shape in shapes.items():
        if arrays[name].shape != (count, *shape):
            raise SourceError(
                f"{path}: {name} has the shape {arrays[name].shape}, but {count} time stamps need {(count, *shape)}."
            )
