"""Golden recordings: what later stages, runtimes, ROS and the browser must agree on.

`python -m export.golden` renders scripted clips, tracks them from pixels with the native tracker (or sees them
as a headset or a plain 2D tracker would), and writes to tests/golden/, for each: NAME.npz (recording with true score
and keyframe appearance), NAME.model.jsonl and NAME.rules.jsonl (what figop-base and figop-rules say of it, without
measured times).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle import Bundle
from edge.events import Event
from edge.hands.frame import HandFrame
from edge.pipeline import Captioner
from edge.recognisers import open_recogniser
from edge.recording import Recording
from edge.score import FingerEvent, Score
from export.sim.anatomy import Body
from export.sim.camera import Camera, film, frame_on, score_json
from export.sim.perform import Performance, perform
from export.sim.render import Look, Renderer
from export.sim.stage import set_stage

HOME = Path(__file__).resolve().parents[1] / "tests" / "golden"
#: measured on the way, different in every run
MEASURED = ("stages_ms", "age_ms")
#: ending of an events file -> the bundle that says them
SPEAKERS = {"model": "figop-base", "rules": "figop-rules"}


@dataclass(frozen=True, slots=True)
class Golden:
    """One golden clip.

    Attributes:
        name: of its files.
        score: what is performed.
        sees: "pixels" (rendered, tracked), "headset" (world landmarks and wrist only) or "image" (2D only).
        view, posture, mirrored, fps, yaw, seed: of stage and camera.
    """

    name: str
    score: Score
    sees: str = "pixels"
    view: str = "facing"
    posture: str = "palm"
    mirrored: bool = False
    fps: float = 30.0
    yaw: float = 0.0
    seed: int = 0


def _score(*rows: tuple[Any, ...]) -> Score:
    return tuple(
        FingerEvent(hand, motion, fingers, direction, contact, start=start, end=end)
        for hand, motion, fingers, direction, contact, start, end in rows
    )


_I, _M, _R = (("index",), ("middle",), ("ring",))
_LONG = ("index", "middle", "ring", "pinky")

CLIPS = (
    Golden(
        "right_facing",
        _score(
            ("right", "curl", _I, "", "", 0.8, 1.2),
            ("right", "extend", _I, "", "", 1.4, 1.8),
            ("right", "pinch", _M, "", "thumb", 2.6, 3.1),
            ("right", "release", _M, "", "thumb", 3.3, 3.7),
            ("right", "grab", (), "", "", 4.5, 5.0),
        ),
        seed=1,
    ),
    Golden(
        "left_facing",
        _score(
            ("left", "pinch", _I, "", "thumb", 0.8, 1.3),
            ("left", "release", _I, "", "thumb", 1.5, 1.9),
            ("left", "spread", _LONG, "", "", 2.7, 3.2),
            ("left", "close", _LONG, "", "", 3.4, 3.9),
        ),
        yaw=0.3,
        seed=2,
    ),
    Golden(
        "two_hands",
        _score(
            ("left", "grab", (), "", "", 0.8, 1.4),
            ("right", "curl", ("index", "middle"), "", "", 1.0, 1.5),
            ("left", "open", (), "", "", 2.4, 2.9),
            ("right", "extend", ("index", "middle"), "", "", 2.5, 3.0),
        ),
        seed=3,
    ),
    Golden(
        "egocentric",
        _score(
            ("right", "grab", (), "", "", 0.8, 1.3),
            ("right", "open", (), "", "", 1.5, 2.0),
            ("right", "swipe", (), "right", "", 2.8, 3.2),
        ),
        view="egocentric",
        seed=4,
    ),
    Golden(
        "mirrored",
        _score(
            ("right", "wave", (), "", "", 0.8, 2.2),
            ("right", "swipe", (), "left", "", 3.2, 3.6),
            ("right", "point", _I, "", "", 4.6, 5.1),
        ),
        mirrored=True,
        seed=5,
    ),
    Golden(
        "headset_60fps",
        _score(
            ("left", "pinch", _I, "", "thumb", 0.8, 1.2),
            ("right", "swipe", ("thumb",), "left", "index", 1.0, 1.5),
            ("left", "release", _I, "", "thumb", 1.6, 2.0),
            ("right", "curl", _R, "", "", 2.9, 3.4),
        ),
        sees="headset",
        view="egocentric",
        fps=60.0,
        seed=6,
    ),
    Golden(
        "image_only_15fps",
        _score(
            ("right", "curl", _M, "", "", 0.8, 1.4),
            ("right", "extend", _M, "", "", 1.6, 2.2),
        ),
        sees="image",
        fps=15.0,
        seed=7,
    ),
)


def play(golden: Golden) -> tuple[Performance, Camera]:
    """Perform a golden clip and frame it."""
    rng = np.random.default_rng(golden.seed)
    hands = tuple(sorted({e.hand for e in golden.score}))
    performance = perform(
        golden.score,
        duration=max(e.end for e in golden.score) + 1.0,
        fps=golden.fps,
        rng=rng,
        body=Body.average(),
        stage=set_stage(golden.view, golden.posture, hands=hands),
        hands=hands,
    )
    if performance.problems:
        raise SystemExit(f"Golden clip {golden.name} cannot be performed: {performance.problems[0]}")
    camera = Camera(yaw=golden.yaw, size=(320, 240), mirrored=golden.mirrored)
    return performance, frame_on(performance, camera)


def track(golden: Golden, captioner: Captioner) -> Recording:
    """The golden clip as its tracker sees it; keyframes carry the landmark network's appearance."""
    performance, camera = play(golden)
    about: dict[str, Any] = {"view": golden.view, "mirrored": golden.mirrored, "score_json": score_json(performance)}
    if golden.sees != "pixels":
        exact = film(performance, camera)
        # a headset's joints and a 2D tracker's points are steadier than a webcam tracker's: 0.3 mm, a third of a pixel
        jitter = np.random.default_rng(golden.seed + 100)
        if golden.sees == "headset":
            world = exact.world + jitter.normal(0, 3e-4, exact.world.shape).astype(np.float32)
            return replace(exact, world=world, landmarks=np.full_like(exact.landmarks, np.nan), image_size=(0, 0))
        marks = exact.landmarks + jitter.normal(0, 1e-3, exact.landmarks.shape).astype(np.float32)
        marks[..., 2] = np.nan
        blank = np.full_like(exact.world, np.nan)
        return replace(exact, landmarks=marks, world=blank, wrist=np.full_like(exact.wrist, np.nan))
    renderer = Renderer(camera, Look.sample(np.random.default_rng(golden.seed + 50)), seed=golden.seed)
    frames: list[HandFrame] = []
    for rgb, t_ns in zip(renderer.frames(performance), performance.t_ns, strict=True):
        captioner.push(rgb, int(t_ns))
        if captioner.last is not None:
            frames.append(replace(captioner.last, stages_ms={}))
    digest = captioner.tracker.appearance_digest if captioner.tracker is not None else ""
    return Recording.from_frames(frames, appearance_digest=digest, **about)


def events_of(
    recording: Recording, bundle: str = "figop-base", runtime: str = "litert", chunk: int = 1
) -> Iterator[Event]:
    """What a replay of a recording says, by a shipped bundle; `chunk` frames a call."""
    opened = Bundle.open(bundle)
    recogniser = open_recogniser(opened, recording.view, recording.mirrored, runtime)
    with Captioner(recogniser, cutting=opened.preprocessing) as captioner:
        frames = list(recording.frames())
        for i in range(0, len(frames), chunk):
            yield from captioner.push(frames[i : i + chunk])
        yield from captioner.flush()


def rows(events: Sequence[Event]) -> list[dict[str, Any]]:
    """Events as JSON rows without what was measured."""
    return [{k: v for k, v in e.to_dict().items() if k not in MEASURED} for e in events]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events-only", action="store_true", help="keep the recordings, write only their events anew")
    parser.add_argument("-o", "--out", type=Path, default=HOME)
    parser.add_argument("--only", choices=[clip.name for clip in CLIPS], help="make only this one anew")
    args = parser.parse_args()
    for golden in (clip for clip in CLIPS if args.only in (None, clip.name)):
        path = args.out / f"{golden.name}.npz"
        if not args.events_only:
            with Captioner.open(view=golden.view, mirrored=golden.mirrored) as captioner:
                track(golden, captioner).save(path)
        counts = []
        for ending, bundle in SPEAKERS.items():
            lines = [json.dumps(row) for row in rows(list(events_of(Recording.load(path), bundle)))]
            (args.out / f"{golden.name}.{ending}.jsonl").write_text("\n".join(lines) + "\n")
            counts.append(f"{len(lines)} events by {bundle}")
        print(f"{golden.name}: {path.stat().st_size // 1024} KiB, {', '.join(counts)}")
    print("next: pytest tests/e2e/test_golden.py")


if __name__ == "__main__":
    main()
