"""The README's picture: a frame of the demo overlay beside its score. `figop demo`, then `python -m export.picture`."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from edge.errors import SourceError

HOME = Path(__file__).resolve().parents[1] / "docs" / "images" / "demo.png"
#: seconds: both hands are moving
MOMENT = 11.35


def compose(demo: Path, moment: float = MOMENT) -> np.ndarray:  # type: ignore[type-arg]
    """BGR [H,W,3]: overlay frame on the left, score on the right, equally high."""
    video = cv2.VideoCapture(str(demo / "overlay.webm"))
    video.set(cv2.CAP_PROP_POS_MSEC, 1e3 * moment)
    good, frame = video.read()
    video.release()
    score = cv2.imread(str(demo / "score.png"))
    if not good or score is None:
        raise SourceError(f"{demo} holds no overlay.webm and score.png: run `figop demo` first.")
    height = frame.shape[0]
    score = cv2.resize(score, (round(score.shape[1] * height / score.shape[0]), height), interpolation=cv2.INTER_AREA)
    gap = np.full((height, 16, 3), score[0, 0], np.uint8)
    return np.hstack([frame, gap, score])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--demo", type=Path, default=Path("out/demo"))
    parser.add_argument("-o", "--out", type=Path, default=HOME)
    args = parser.parse_args()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(args.out), compose(args.demo), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
