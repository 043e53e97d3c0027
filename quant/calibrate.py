"""Calibration data: recordings, judged before anything is converted, with a digest that goes into the bundle."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge.bundle import Bundle
from edge.errors import FigopError
from edge.recording import Recording
from quant.feeds import Feed, record

#: Tracked rendered training programs (see `quant.choose`).
HOME = Path(__file__).resolve().parent / "data"
#: Least of each: fewer ranges than these and a hand, a view or a motion is likely to be missing.
MIN_RECORDINGS, MIN_SECONDS, MIN_SEEN = 8, 20.0, 0.3
#: Prefills, that is captions, below which the captioner's ranges rest on too few sentences.
MIN_CAPTIONS = 6


class UnfitData(FigopError):
    """Recordings that cannot calibrate, or verify, a bundle."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Recordings with their digest: sha256 over the sorted sha256 of the files."""

    recordings: tuple[Recording, ...]
    files: tuple[str, ...]
    digest: str

    @property
    def seconds(self) -> float:
        """Length of all recordings."""
        return sum(float(r.t_ns[-1] - r.t_ns[0]) * 1e-9 for r in self.recordings if len(r))

    def feeds(self, bundle: Bundle) -> dict[str, list[Feed]]:
        """What the float bundle's graphs are fed. Raises UnfitData where its captioner hardly speaks."""
        kept = record(bundle, self.recordings).feeds
        if len(kept["prefill"]) < MIN_CAPTIONS:
            raise UnfitData(
                f"The calibration data give {len(kept['prefill'])} captions and at least {MIN_CAPTIONS} are needed: "
                "add recordings in which hands move and rest."
            )
        return kept


def files_in(folder: Path) -> list[Path]:
    """The recordings of a folder, without the exact twins that the simulator writes beside tracked ones."""
    return sorted(p for p in folder.glob("*.npz") if not p.name.endswith(".truth.npz"))


def load(folder: Path = HOME / "calibration", *, not_in: Path | None = None) -> Calibration:
    """Recordings of a folder that are fit to calibrate with. Raises UnfitData saying what is wrong with them.

    not_in: a folder of recordings that verify the result; sharing one with it is refused.
    """
    paths = files_in(folder)
    if not paths:
        raise UnfitData(f"There is no recording (.npz) in {folder}: calibration needs at least {MIN_RECORDINGS}.")
    digests = {hashlib.sha256(p.read_bytes()).hexdigest(): p for p in paths}
    if not_in is not None:
        for path in files_in(not_in):
            if shared := digests.get(hashlib.sha256(path.read_bytes()).hexdigest()):
                raise UnfitData(
                    f"{shared.name} is among the recordings that verify the result: calibrate on others, "
                    "or the gate says nothing."
                )
    recordings = tuple(Recording.load(p) for p in paths)
    check(recordings, [p.name for p in paths])
    digest = hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
    return Calibration(recordings, tuple(p.name for p in paths), digest)


def check(recordings: Sequence[Recording], names: Sequence[str]) -> None:
    """Raise UnfitData unless these recordings show enough of what hands do."""
    if len(recordings) < MIN_RECORDINGS:
        raise UnfitData(f"{len(recordings)} recordings were given and calibration needs at least {MIN_RECORDINGS}.")
    for recording, name in zip(recordings, names, strict=True):
        if len(recording) < 2:
            raise UnfitData(f"{name} has {len(recording)} frames: it cannot calibrate anything.")
        seen = recording.presence >= 0.5
        points = recording.world[seen] if not np.isnan(recording.world).all() else recording.landmarks[seen][..., :2]
        if not seen.any() or not np.isfinite(points).all():
            raise UnfitData(f"{name} has {'landmarks that are no numbers' if seen.any() else 'no hand in any frame'}.")
    seconds = sum(float(r.t_ns[-1] - r.t_ns[0]) * 1e-9 for r in recordings)
    if seconds < MIN_SECONDS:
        raise UnfitData(f"The recordings last {seconds:.0f} s together and calibration needs {MIN_SECONDS:.0f} s.")
    share = float(np.mean(np.concatenate([(r.presence >= 0.5).any(axis=1) for r in recordings])))
    if share < MIN_SEEN:
        raise UnfitData(f"A hand is seen in {share:.0%} of the frames and calibration needs {MIN_SEEN:.0%}.")
    for slot, hand in enumerate(("left", "right")):
        if not any((r.presence[:, slot] >= 0.5).any() for r in recordings):
            raise UnfitData(f"No recording shows a {hand} hand: its ranges would be guessed.")
