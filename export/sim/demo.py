"""Makes the demo clip that ships with figop: `python -m export.sim.demo`.

Writes edge/assets/demo.webm and demo.score.json (the events with their times, seed, fps, view).
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from edge.score import FINGERS, FingerEvent, Score, check, order
from export.sim.anatomy import Body
from export.sim.camera import Camera, film, frame_on
from export.sim.perform import Performance, perform
from export.sim.render import Renderer, plain_look
from export.sim.stage import set_stage
from export.sim.video import write_webm

SEED, FPS, SECONDS, SIZE = 11, 30, 15.0, (480, 360)
ASSETS = Path(__file__).resolve().parents[2] / "edge" / "assets"


def demo_score() -> Score:
    """Seven phrases with rests of 0.8 s between them."""
    long = FINGERS[1:]

    def row(
        start: float, end: float, hand: str, motion: str, *fingers: str, contact: str = "", repeat: int = 1
    ) -> FingerEvent:
        event = FingerEvent(hand, motion, fingers, contact=contact, repeat=repeat, start=start, end=end)
        check(event)
        return event

    return order(
        [
            row(0.8, 1.4, "right", "curl", "index"),
            row(1.6, 2.2, "right", "extend", "index"),
            row(3.0, 3.6, "right", "pinch", "middle", contact="thumb"),
            row(3.8, 4.3, "right", "release", "middle", contact="thumb"),
            row(5.1, 5.65, "right", "tap", "index", contact="thumb", repeat=2),
            row(6.5, 7.0, "left", "spread", *long),
            row(7.2, 7.75, "left", "close", *long),
            row(8.55, 9.2, "right", "grab"),
            row(9.4, 10.0, "right", "open"),
            row(10.8, 11.45, "left", "grab"),
            row(10.8, 11.45, "right", "point", "index"),
            row(11.65, 12.3, "left", "open"),
            row(11.65, 12.3, "right", "open"),
            row(13.1, 14.3, "right", "wave"),
        ]
    )


def demo_performance() -> tuple[Performance, Camera]:
    """The demo as performed, and the camera that sees it."""
    rng = np.random.default_rng(SEED)
    stage = set_stage("facing", "palm")
    stage = replace(stage, home=stage.home * np.array([0.92, 1.0, 1.0]))  # closer together, larger in the picture
    done = perform(
        demo_score(), duration=SECONDS, fps=FPS, rng=rng, body=Body.average(), stage=stage, hands=("left", "right")
    )  # fmt: skip
    return done, frame_on(done, Camera(yaw=0.06, pitch=0.05, size=SIZE), margin=0.12)


def make(folder: Path = ASSETS, *, supersample: int = 2) -> Path:
    """Render the clip and write it beside its score; returns the video's path."""
    from rich.progress import track

    done, camera = demo_performance()
    renderer = Renderer(camera, plain_look(), supersample=supersample, seed=SEED)
    video = folder / "demo.webm"
    frames = track(renderer.frames(done), total=len(done.t_ns), description="demo clip")
    count = write_webm(video, frames, FPS, SIZE)
    about = {"seed": SEED, "fps": FPS, "frames": count, "view": "facing", "mirrored": False, "size": list(SIZE)}
    score = {**about, "score": [e.to_dict() for e in done.score]}
    (folder / "demo.score.json").write_text(json.dumps(score, indent=1) + "\n")
    return video


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Make the demo clip and its true score.")
    parser.add_argument("-o", "--output", type=Path, default=ASSETS, help="folder (default: the package's own)")
    parser.add_argument("--truth", type=Path, help="also write the exact landmarks as a recording (.npz)")
    args = parser.parse_args()
    video = make(args.output)
    if args.truth:
        film(*demo_performance()).save(args.truth)
    print(f"{video}: {video.stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
