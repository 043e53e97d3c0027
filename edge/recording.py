"""Recordings: hand landmarks over time in one `.npz` file (`allow_pickle=False`).

Written by `figop record`, the simulator and the ROS recorder; read by replay, training and tests.
Arrays: see `Recording`. Absent arrays are all-NaN (floats) or empty.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import SinkError, SourceError
from edge.files import write_whole
from edge.hands.frame import VIEWS, Array, HandFrame
from edge.objects.detections import Detections
from edge.objects.stored import from_arrays, to_arrays

#: 2 adds detections; a recording without them is still written as 1, which every figop reads
RECORDING_SCHEMA = 2
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
        detections: what a detector saw of the things beside the hands, in order of time.
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
    detections: tuple[Detections, ...] = ()

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
        arrays["schema"] = np.asarray(RECORDING_SCHEMA if self.detections else 1)
        arrays["image_size"] = np.asarray(self.image_size, np.int64)
        arrays["label_names"] = np.asarray(self.label_names or [], dtype=str)
        arrays["captions"] = np.asarray(self.captions or [], dtype=str)
        if self.detections:
            arrays |= to_arrays(self.detections)
        packed = io.BytesIO()  # not the file itself: an archive that the disk cuts off complains when collected
        np.savez_compressed(packed, **arrays)
        try:
            write_whole(path, packed.getvalue())
        except OSError as error:
            raise SinkError(f"The recording {path} could not be written: {error.strerror or error}.") from error

    @classmethod
    def load(cls, path: str | Path) -> Recording:
        """Read and check a recording. Raises SourceError naming what is wrong with it."""
        path = Path(path)
        try:
            stored = np.load(path, allow_pickle=False)
            if not isinstance(stored, np.lib.npyio.NpzFile):
                raise ValueError("it holds one array alone")
            with stored:
                data = {name: stored[name] for name in stored.files}
        except FileNotFoundError as error:
            raise SourceError(f"There is no recording at {path}.") from error
        except Exception as error:  # a damaged file raises anything: zip, zlib, bz2, lzma, struct, numpy, no memory
            reason = " ".join(str(error).split()) or type(error).__name__
            raise SourceError(f"{path} is not a readable recording (.npz): {reason}.") from error
        return cls._from_arrays(data, path)

    @classmethod
    def _from_arrays(cls, data: Mapping[str, Any], path: Path) -> Recording:
        if "t_ns" not in data or "schema" not in data:
            raise SourceError(f"{path} is not a figop recording: it has no t_ns or no schema.")
        read = _Reader(data, path)
        schema = int(read.whole("schema", (), 0))
        if schema > RECORDING_SCHEMA:
            raise SourceError(
                f"{path} is a recording of schema {schema}; this figop reads up to {RECORDING_SCHEMA}: update figop."
            )
        t_ns = read.whole("t_ns", (None,), 0)
        count = len(t_ns)
        landmarks = read.numbers("landmarks", (count, 2, 21, 3), np.nan)
        world = read.numbers("world", (count, 2, 21, 3), np.nan)
        # whoever has coordinates is there
        seen = np.isfinite(world[:, :, 0, 0]) | np.isfinite(landmarks[:, :, 0, 0])
        presence = read.numbers("presence", (count, 2), seen)
        view = read.text("view", "facing")
        if view not in VIEWS:
            raise SourceError(f"{path}: the view must be one of {', '.join(VIEWS)}, found {view!r}.")
        size = read.whole("image_size", (2,), 0)
        keyframes = read.whole("keyframes", (None,), 0)
        if len(keyframes) and not (keyframes.min() >= 0 and keyframes.max() < count):
            raise SourceError(f"{path}: keyframes must number the {count} frames from 0, found {keyframes.tolist()}.")
        return cls(
            t_ns=t_ns,
            landmarks=landmarks,
            world=world,
            wrist=read.numbers("wrist", (count, 2, 3), np.nan),
            presence=presence,
            track_id=read.whole("track_id", (count, 2), np.where(presence > 0, np.arange(2), -1)).astype(np.int32),
            image_size=(int(size[0]), int(size[1])),
            mirrored=read.flag("mirrored"),
            view=view,
            keyframes=keyframes,
            appearance=read.numbers("appearance", (len(keyframes), 2, None), np.nan),
            appearance_digest=read.text("appearance_digest", ""),
            events=read.whole("events", (None, 4), 0),
            label_names=read.texts("label_names"),
            captions=read.texts("captions"),
            score_json=read.text("score_json", ""),
            detections=read.detections(),
        )


#: None = any length; an array that is absent is as short there as it can be
_Shape = tuple[int | None, ...]


@dataclass(frozen=True, slots=True)
class _Reader:
    """Arrays of a file, checked for type and shape. Every method raises SourceError naming the array."""

    data: Mapping[str, Any]
    path: Path

    def whole(self, name: str, shape: _Shape, absent: Any) -> NDArray[np.int64]:
        """Integers, and stored as such: seconds as floats would silently become whole ones."""
        found = self._array(name, shape, np.asarray(absent, np.int64), "iu", "whole numbers")
        if found.dtype.kind == "u" and found.size and found.max() > np.iinfo(np.int64).max:
            raise SourceError(f"{self.path}: {name} holds numbers above 63 bits.")
        return found.astype(np.int64)

    def numbers(self, name: str, shape: _Shape, absent: Any) -> Array:
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and counts as not finite later
            return self.doubles(name, shape, absent).astype(np.float32)

    def doubles(self, name: str, shape: _Shape, absent: Any) -> NDArray[np.float64]:
        return self._array(name, shape, np.asarray(absent, np.float64), "fiub", "numbers").astype(np.float64)

    def detections(self) -> tuple[Detections, ...]:
        where = self.whole("detections", (None, 2), 0)
        boxes = self.doubles("detection_boxes", (len(where), 4), np.nan)
        scores = self.doubles("detection_scores", (len(where),), 1.0)
        try:
            names = self.texts("detection_names")
            return from_arrays(self.whole("detections_t_ns", (None,), 0), where, boxes, scores, names)
        except ValueError as error:
            raise SourceError(f"{self.path}: {error}.") from None

    def text(self, name: str, absent: str) -> str:
        return str(self._array(name, (), np.asarray(absent), "U", "text"))

    def texts(self, name: str) -> tuple[str, ...]:
        return tuple(str(v) for v in self._array(name, (None,), np.asarray(""), "U", "texts"))

    def flag(self, name: str) -> bool:
        return bool(self._array(name, (), np.asarray(False), "biu", "true or false"))

    def _array(self, name: str, shape: _Shape, absent: NDArray[Any], kinds: str, what: str) -> NDArray[Any]:
        if name not in self.data:
            return np.broadcast_to(absent, [length or 0 for length in shape])
        found = np.asarray(self.data[name])
        if found.dtype.kind not in kinds and found.size:  # numpy makes an empty list an array of floats
            raise SourceError(f"{self.path}: {name} must hold {what}, found {found.dtype}.")
        fits = len(found.shape) == len(shape) and all(
            length in (None, n) for n, length in zip(found.shape, shape, strict=True)
        )
        if not fits:
            wanted = " x ".join("any" if length is None else str(length) for length in shape) or "a single value"
            raise SourceError(f"{self.path}: {name} has the shape {found.shape}, but {wanted} is needed.")
        return found
