"""Vectors shared by every implementation of the features: Python, C99 and TypeScript read the same files.

`python -m export.vectors` writes tests/vectors/features/NAME.npz. Each is a recording as any other (`figop replay`
reads it) of a source at its worst, with what `edge.resample` and `edge.model_features` make of it beside:

    tick_t [N] float64         seconds of the source
    tick_present [N,2] bool    a hand is there
    tick_fresh [N,2] bool      it is another than at the tick before
    features [N,2,6,54] float32

Whoever reads them must hold `TOLERANCE` in every number.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.files import write_whole
from edge.hands.frame import LEFT, RIGHT
from edge.model_features import FeatureReader
from edge.recording import Recording
from edge.resample import Resampler
from edge.score import HANDS, FingerEvent
from export.sim.camera import Camera, film, frame_on
from export.sim.perform import perform
from export.sim.stage import set_stage

HOME = Path(__file__).resolve().parents[1] / "tests" / "vectors" / "features"
#: the most that two implementations may differ in any feature (features are cut at 6)
TOLERANCE = 1e-5

Rng = np.random.Generator
Change = Callable[[Recording, Rng], Recording]


@dataclass(frozen=True, slots=True)
class Case:
    """One stream: which hands, seen how, and what goes wrong with it."""

    name: str
    change: Change
    hands: tuple[str, ...] = ("right",)
    view: str = "facing"
    fps: float = 30.0
    seconds: float = 1.0
    mirrored: bool = False
    yaw: float = 0.0


def _arrays(recording: Recording) -> dict[str, Any]:
    names = ("t_ns", "landmarks", "world", "wrist", "presence", "track_id")
    return {name: np.array(getattr(recording, name)) for name in names}


def _whole(recording: Recording, rng: Rng) -> Recording:
    """A camera tracker: jitter on all, and its own certainty."""
    a = _arrays(recording)
    a["landmarks"] += rng.normal(0, 2e-3, a["landmarks"].shape).astype(np.float32)
    a["world"] += rng.normal(0, 1e-3, a["world"].shape).astype(np.float32)
    a["presence"] = a["presence"] * rng.uniform(0.55, 1.0, a["presence"].shape).astype(np.float32)
    return replace(recording, **a)


def _headset(recording: Recording, rng: Rng) -> Recording:
    """Joints and wrists, no picture; starts at no whole second."""
    a = _arrays(recording)
    a["landmarks"][:] = np.nan
    a["world"] += rng.normal(0, 3e-4, a["world"].shape).astype(np.float32)
    a["t_ns"] += 86_400_123_456_789
    return replace(recording, **a, image_size=(0, 0))


def _image_only(recording: Recording, rng: Rng) -> Recording:
    """A plain 2D tracker: no depth, no metres."""
    a = _arrays(_whole(recording, rng))
    a["landmarks"][..., 2] = np.nan
    a["world"][:], a["wrist"][:] = np.nan, np.nan
    return replace(recording, **a)


def _uneven(recording: Recording, rng: Rng) -> Recording:
    """Frames at 12 to 90 a second, one stall of 0.2 s, stamps that serve a tick a little early."""
    a = _arrays(_whole(recording, rng))
    gaps = rng.uniform(1 / 90, 1 / 12, len(a["t_ns"]))
    gaps[len(gaps) // 2] = 0.2
    a["t_ns"] = np.cumsum(gaps * 1e9).astype(np.int64)
    a["t_ns"][4] = a["t_ns"][0] + round(1e9 * 5 / 30 - 1.5e6)
    a["t_ns"] = np.sort(a["t_ns"])
    return replace(recording, **a)


def _lost(recording: Recording, rng: Rng) -> Recording:
    """The right hand is gone for a moment, then long enough to be forgotten, and comes back as another track."""
    a = _arrays(_whole(recording, rng))
    for first, last, track in ((8, 12, 1), (20, 36, 7)):
        a["presence"][first:last, RIGHT] = 0.3
        a["world"][first:last, RIGHT], a["landmarks"][first:last, RIGHT] = np.nan, np.nan
        a["track_id"][first:last, RIGHT], a["track_id"][last:, RIGHT] = -1, track
    a["presence"][:5, LEFT], a["track_id"][:5, LEFT] = 0.0, -1
    return replace(recording, **a)


def _swapped(recording: Recording, rng: Rng) -> Recording:
    """A track changes without a gap, to a hand half as large elsewhere."""
    a = _arrays(_whole(recording, rng))
    half = len(a["t_ns"]) // 2
    a["world"][half:, RIGHT] *= np.float32(0.5)
    a["wrist"][half:, RIGHT] += np.float32(0.2)
    a["track_id"][half:, RIGHT] = 9
    return replace(recording, **a)


def _broken(recording: Recording, rng: Rng) -> Recording:
    """What a faulty source sends: one joint unknown, a hand in one point, an exploded one, a wrist that blinks."""
    a = _arrays(_whole(recording, rng))
    a["world"][4, RIGHT, 7] = np.nan
    a["landmarks"][6, RIGHT, 3] = np.nan
    a["world"][10:12, RIGHT] = 0.0
    a["world"][16, RIGHT] *= np.float32(40.0)
    a["landmarks"][20:22, RIGHT] = np.float32(0.5)
    a["wrist"][24:, RIGHT] = np.nan
    a["presence"][26, RIGHT] = 1.5
    a["landmarks"][28:, RIGHT], a["landmarks"][28:, RIGHT, :, 0] = np.nan, 0.4
    return replace(recording, **a)


CASES = (
    Case("tracker", _whole, yaw=0.3),
    Case("tracker_two_hands_mirrored", _whole, ("left", "right"), mirrored=True, seconds=1.4),
    Case("headset_72fps", _headset, ("left", "right"), "egocentric", 72.0, 0.8),
    Case("image_only_15fps", _image_only, ("left",), fps=15.0, seconds=1.2),
    Case("uneven_stamps", _uneven, ("left",), "egocentric"),
    Case("hand_lost", _lost, ("left", "right"), seconds=1.6),
    Case("track_changes", _swapped),
    Case("broken_landmarks", _broken),
)


def recording_of(case: Case) -> Recording:
    """The stream of a case; the same for ever."""
    moves = (("pinch", ("index",), "", "thumb", 0.1, 0.4), ("curl", ("ring",), "", "", 0.5, 0.9))
    score = tuple(
        FingerEvent(hand, motion, fingers, way, contact, start=start, end=end)
        for hand in case.hands
        for motion, fingers, way, contact, start, end in moves
    )
    rng = np.random.default_rng(CASES.index(case))
    stage = set_stage(case.view, hands=case.hands)
    done = perform(score, duration=case.seconds, fps=case.fps, rng=rng, stage=stage, hands=case.hands)
    camera = Camera(yaw=case.yaw, size=(320, 240), mirrored=case.mirrored)
    return replace(case.change(film(done, frame_on(done, camera)), rng), score_json="")


def read(recording: Recording) -> dict[str, NDArray[Any]]:
    """What the resampler and the features make of a recording: the arrays of a vector file."""
    resampler, reader = Resampler(mirrored=recording.mirrored), FeatureReader(recording.view)
    ticks = [tick for frame in recording.frames() for tick in resampler.push(frame)]
    return {
        "tick_t": np.array([k.t for k in ticks], np.float64),
        "tick_present": np.stack([k.present for k in ticks]),
        "tick_fresh": np.stack([k.fresh for k in ticks]),
        "features": np.stack([reader.read(k) for k in ticks]),
    }


def save(recording: Recording, made: dict[str, NDArray[Any]], path: Path) -> None:
    """A recording with its features in one file."""
    recording.save(path)
    with np.load(path, allow_pickle=False) as stored:
        arrays: dict[str, Any] = {name: stored[name] for name in stored.files}
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays, **made)
    write_whole(path, packed.getvalue())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--out", type=Path, default=HOME)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        recording, path = recording_of(case), args.out / f"{case.name}.npz"
        made = read(recording)
        save(recording, made, path)
        sides = "+".join(side for side in HANDS if side in case.hands)
        print(f"{case.name}: {len(made['tick_t'])} ticks, {sides}, {path.stat().st_size // 1024} KiB")
    print("Next: pytest tests/edge/test_feature_vectors.py")


if __name__ == "__main__":
    main()
