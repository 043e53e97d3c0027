"""What the hand networks look at, rendered: `python -m quant.crops` writes the crops that calibrate and verify them.

Training programs calibrate, development programs verify; no picture of a person is among them. JPEG, because the
networks see webcam pictures.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.files import write_whole
from quant.calibrate import HOME, UnfitData

FILES = {"calibration": HOME / "hands" / "calibration.npz", "verification": HOME / "hands" / "verification.npz"}
#: Programs and pictures of each, and the seed of the programs; those of `export.sim.tracked` are of training.
_PROGRAMS, _PICTURES = {"calibration": 30, "verification": 16}, 2
_SEEDS = {"calibration": 7001, "verification": 7002}
#: Least crops that ranges may rest on.
MIN_CROPS = 24
_QUALITY = 92


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """Inputs of the hand networks, uint8 RGB: palm [N,192,192,3], landmark [M,224,224,3]; sha256 of the file."""

    palm: NDArray[np.uint8]
    landmark: NDArray[np.uint8]
    digest: str

    @classmethod
    def load(cls, path: Path) -> Crops:
        """Raises UnfitData for a file that cannot calibrate."""
        import cv2

        try:
            data = path.read_bytes()
            with np.load(path, allow_pickle=False) as held:
                sets = [[held[n] for n in sorted(held.files) if n.startswith(kind)] for kind in ("palm", "landmark")]
        except (OSError, ValueError) as error:
            raise UnfitData(f"The crops {path} cannot be read: {error}.") from error
        pictures = [[np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))[..., ::-1] for code in codes] for codes in sets]
        for kind, side, found in zip(("palm", "landmark"), (192, 224), pictures, strict=True):
            if len(found) < MIN_CROPS:
                raise UnfitData(
                    f"{path.name} has {len(found)} crops for the {kind} network and {MIN_CROPS} are needed."
                )
            if any(p.shape != (side, side, 3) for p in found):
                raise UnfitData(f"{path.name}: crops of the {kind} network must be {side} x {side}.")
            if any(p.std() < 4 for p in found):
                raise UnfitData(f"{path.name}: a crop of the {kind} network is blank.")
        return cls(np.stack(pictures[0]), np.stack(pictures[1]), hashlib.sha256(data).hexdigest())


def as_input(crops: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """Each crop as the networks take it: [1,side,side,3], 0..1."""
    return [np.asarray(c[None], np.float32) / np.float32(255) for c in crops]


def rendered(kind: str) -> Iterator[NDArray[np.uint8]]:
    """Pictures of performed programs."""
    from export.sim.camera import frame_on
    from export.sim.clips import SIZE, performed
    from export.sim.programs import programs
    from export.sim.render import Look, Renderer, solid

    for program in islice(programs(_SEEDS[kind], split="train", size=SIZE), _PROGRAMS[kind]):
        done = performed(program)
        camera = frame_on(done, program.camera)
        renderer = Renderer(camera, Look.sample(np.random.default_rng((program.seed, 1))), seed=program.seed)
        seen = np.flatnonzero(done.presence.max(axis=1) > 0)
        for frame in np.random.default_rng(program.seed).choice(seen, _PICTURES, replace=False):
            yield renderer.draw(solid(done, camera, renderer.look, int(frame)))[0]


def crops_of(pictures: Iterator[NDArray[np.uint8]]) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """What the palm and landmark networks are shown while the tracker looks for hands in each picture anew."""
    from edge.hands.native import NativeTracker

    palms, marks = [], []
    with NativeTracker(max_hands=2) as tracker:
        for number, picture in enumerate(pictures):
            tracker.reset()
            for turn in (0, 1):  # found by the palm network, then followed
                frame = tracker.track(picture, (2 * number + turn) * 33_000_000)
                palms += [np.array(tracker._detector._crop)] if turn == 0 else []
                if (frame.presence >= 0.5).any():
                    marks.append(np.array(tracker._network._crop))
    return palms, marks


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    import io

    import cv2

    parser = argparse.ArgumentParser(prog="python -m quant.crops", description=__doc__)
    parser.parse_args(argv)
    for kind, path in FILES.items():
        palms, marks = crops_of(rendered(kind))
        codes = {
            f"{name}{i:03d}": cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
            for name, pictures in (("palm", palms), ("landmark", marks))
            for i, picture in enumerate(pictures)
        }
        packed = io.BytesIO()
        np.savez(packed, **codes)
        write_whole(path, packed.getvalue())
        crops = Crops.load(path)
        print(
            f"{path.name}: {len(crops.palm)} palm, {len(crops.landmark)} landmark crops, {len(packed.getvalue())} bytes"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
