"""The two real landmark sets that serve for tests alone, as recordings: Leap Motion tracks, MediaPipe webcam streams.

    python -m export.data.real ../shared/data -o out/real

writes out/real/leap/*.npz and out/real/streams/*.npz, of which `tests/reference/` holds scores read by eye. Nothing may
be trained, fitted or chosen on them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.features import square_pixels
from edge.hands.openxr import Layout, side
from edge.recording import Recording
from edge.score import HANDS

Array = NDArray[Any]

LEAP, STREAMS = "leap_recordings/recordings.npz", "mediapipe_raw_streams/streams.npz"
#: seconds of a stream that were read by eye: each repeats one motion for half a minute
STREAM_S = 12.0
#: The streams' pictures were not kept; a webcam that is asked for nothing gives this.
IMAGE_SIZE = (640, 480)
#: seconds below which two stamps of a sensor are one instant
SAME_S = 1e-4
#: The sensor lies before the person and looks up; its axes are those of `edge.hands.openxr`.
_SENSOR = Layout("mediapipe21", "openxr", "m")


@dataclass(frozen=True, slots=True, eq=False)
class LeapTrack:
    """One hand of a file: t [T] seconds of it, joints [T,21,3] metres, x right, y down, z away from the person."""

    file: str
    hand: str
    t: Array
    joints: Array


def _arrays(path: Path) -> dict[str, Array]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}
    except (OSError, ValueError) as error:
        raise SourceError(f"{path} is no data set of arrays (.npz): give the folder that holds it.") from error


def leap_tracks(folder: Path) -> list[LeapTrack]:
    """The tracks of `leap_recordings` without repeated stamps; `folder` holds the data sets. Raises SourceError."""
    d = _arrays(folder / LEAP)
    out = []
    for i, file in enumerate(d["recording"]):
        rows = slice(int(d["offsets"][i]), int(d["offsets"][i + 1]))
        t = d["t_s"][rows]
        keep = np.concatenate(([True], np.diff(t) > SAME_S))
        joints = _SENSOR.landmarks(d["mp21"][rows])
        out.append(LeapTrack(str(file), str(d["handedness"][i]), t[keep], joints[keep]))
    return out


def leap(folder: Path) -> Iterator[tuple[str, Recording]]:
    """A recording of each file, both hands of it together, each on its own stamps. Raises SourceError."""
    tracks = leap_tracks(folder)
    for file in dict.fromkeys(track.file for track in tracks):
        mine = [track for track in tracks if track.file == file]
        every = np.unique(np.concatenate([track.t for track in mine]))
        t = every[np.concatenate(([True], np.diff(every) > SAME_S))]
        joints = np.full((len(t), 2, 21, 3), np.nan, np.float32)
        track_id = np.full((len(t), 2), -1, np.int32)
        for number, track in enumerate(mine):
            at, slot = np.searchsorted(t, track.t + SAME_S) - 1, HANDS.index(track.hand)
            joints[at, slot], track_id[at, slot] = track.joints, number
        wrist = joints[:, :, 0]
        yield file, replace(
            _empty(np.round(t * 1e9).astype(np.int64)), world=joints - wrist[:, :, None], wrist=wrist,
            presence=(track_id >= 0).astype(np.float32), track_id=track_id, view="egocentric",
        )  # fmt: skip


def streams(folder: Path, seconds: float = STREAM_S) -> Iterator[tuple[str, Recording]]:
    """The beginning of each webcam stream: image landmarks of a selfie view, one hand, evenly stamped.

    Which hand it is, its shape tells: the set does not. Raises SourceError.
    """
    d = _arrays(folder / STREAMS)
    for i, label in enumerate(d["label"]):
        rows = d["landmarks"][int(d["offsets"][i]) : int(d["offsets"][i + 1])]
        fps = float(d["fps_estimate"][i])
        rows = rows[: round(seconds * fps)]
        slot = int(np.median(np.sign(side(square_pixels(rows, IMAGE_SIZE, mirrored=True)))) > 0)
        out = _empty(np.round(np.arange(len(rows)) / fps * 1e9).astype(np.int64))
        out.landmarks[:, slot], out.presence[:, slot], out.track_id[:, slot] = rows, 1.0, 0
        yield str(label), replace(out, image_size=IMAGE_SIZE, mirrored=True, view="facing")


def _empty(t_ns: NDArray[np.int64]) -> Recording:
    shape = (len(t_ns), 2)
    return Recording(
        t_ns=t_ns,
        landmarks=np.full((*shape, 21, 3), np.nan, np.float32),
        world=np.full((*shape, 21, 3), np.nan, np.float32),
        wrist=np.full((*shape, 3), np.nan, np.float32),
        presence=np.zeros(shape, np.float32),
        track_id=np.full(shape, -1, np.int32),
    )


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Write the real, test-only landmark sets as recordings.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("../shared/data"), help="folder of the data sets")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/real"))
    args = parser.parse_args(argv)
    try:
        made = {"leap": list(leap(args.folder)), "streams": list(streams(args.folder))}
    except SourceError as error:
        parser.error(str(error))
    for name, recordings in made.items():
        (args.output / name).mkdir(parents=True, exist_ok=True)
        for stem, recording in recordings:
            recording.save(args.output / name / f"{stem}.npz")
        print(f"{len(recordings)} recordings: {args.output / name}")
    print(f"figop eval captions {args.output / 'leap'} --truth tests/reference/leap")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
