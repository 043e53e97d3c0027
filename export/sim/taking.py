"""Programs in which a hand takes a thing, or holds one all along: `python -m export.sim.taking -o DIR --count N`.

The other hand, and the wrist of the holding one, do what programs do (`export.sim.programs`). A hand that takes closes
its fingers on a thing that hangs before it; its twin does the same around nothing, with the same landmarks: then only
the picture tells "grabs the object" from "closes into a fist". Clips are written as `export.sim.clips` writes them
(taking-NNNN.webm, taking-NNNN.npz with exact landmarks and true score), so that `figop eval captions DIR` judges them;
with `--twins SIDE` as `export.sim.tracked` writes them, for the study of what keyframes bring (`export.mechanisms`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from edge.errors import FigopError, SinkError
from edge.files import write_whole
from edge.hands.backends import open_tracker
from edge.recording import Recording
from edge.score import FINGERS, HANDS, FingerEvent, Score, order
from export.sim.anatomy import FIST, OPEN, Array
from export.sim.camera import film, frame_on, score_json
from export.sim.choices import pace
from export.sim.clips import SIZE
from export.sim.grips import FITS, Grip, grip
from export.sim.interactions import Scene, Thing, pictures
from export.sim.kinematics import rotation
from export.sim.perform import Performance, curves, frame_times, joints_of, minimum_jerk, unrest
from export.sim.plan import plan
from export.sim.programs import Program, digest_of, propose
from export.sim.render import Look
from export.sim.split import split_of_score
from export.sim.steps import CHANNELS, MOVE, TURN
from export.sim.tracked import RATES, followed
from export.sim.video import write_webm

#: of the committed test clips
SEED = 20261122
#: of the twins: seeds of both sides; seconds, frame rate and picture of a clip, so small that hundreds are soon made
TWIN_SEEDS = {"train": 8101, "test": 8102}
TWIN_S, TWIN_FPS, TWIN_SIZE = 2.6, 15.0, (256, 192)
#: what a hand takes with all its fingers, and what it holds without being told to
TAKES, HOLDS = ("power", "hook"), ("power", "hook", "pinch", "lateral", "flat")
#: share of clips whose hand takes the thing; the others hold it from beginning to end
TAKING = 0.6
#: A hand that takes a thing bends its long fingers by this in the mean, well over the 30 degrees of a bend.
LEAST_BEND = np.radians(50.0)
#: motions of a whole hand that a holding hand can do
CARRIES = ("swipe", "wave", "rotate")
#: bend of the fingers, 0 open .. 1 fist, up to which a closing is small or half (`export.sim.bends`)
_EXTENTS = (("small", 0.55), ("half", 0.82))


@dataclass(frozen=True, slots=True, eq=False)
class Taking:
    """A program with a thing in it.

    Attributes:
        program: its score is the whole truth. slot: of the hand that holds.
        grip: the thing, and the fingers about it. there: the thing is; else the hand closes around nothing.
        closes, opens: seconds of the closing and the opening; None: it holds from the beginning, or to the end.
    """

    program: Program
    slot: int
    grip: Grip
    there: bool
    closes: tuple[float, float] | None
    opens: tuple[float, float] | None


def takings(
    seed: int, *, split: str = "test", duration: float = 5.0, taking: float = TAKING, releases: bool = True,
    there: bool = True,
) -> Iterator[Taking]:  # fmt: skip
    """Endless programs of a seed, number i the same whoever asks.

    taking: share of hands that take the thing. releases: they may let go of it.
    there False: the twins of the same seed, around nothing; all of them take.
    """
    number = 0
    while True:
        rng = np.random.default_rng((seed, number))
        number += 1
        made = None
        while made is None:
            made = _proposed(rng, split, duration, taking, releases)
        yield made if there else twin(made)


def twin(one: Taking) -> Taking:
    """The same hand around nothing. Raises FigopError where it does not take the thing in this clip."""
    if one.closes is None:
        raise FigopError("A hand that holds a thing all along has no twin: ask for takings with taking=1.")
    level = float(((one.grip.angles - OPEN)[1:, :3] / (FIST - OPEN)[1:, :3]).mean())
    extent = next((name for name, most in _EXTENTS if level < most), "full")
    score = []
    for event in one.program.score:
        if event.hand == HANDS[one.slot] and event.contact == "object":
            event = replace(event, motion="grab" if event.motion == "grab" else "open", fingers=(), contact="",
                            extent=extent if event.motion == "grab" else "full")  # fmt: skip
        score.append(event)
    return replace(one, program=replace(one.program, score=order(score)), there=False)


def _proposed(rng: np.random.Generator, split: str, duration: float, taking: float, releases: bool) -> Taking | None:
    program = propose(rng, split="train" if split == "train" else None, duration=duration, size=SIZE)
    slot = HANDS.index(str(rng.choice(program.hands)))
    takes = bool(rng.random() < taking)
    grasp = str(rng.choice(TAKES if takes else HOLDS))
    held = grip(grasp, str(rng.choice(FITS[grasp])), program.body, rng)
    if held is None or (grasp != "power" and len(held.solids) > 1):  # a bottle's neck would stand in the hand
        return None
    if takes and float((held.angles - held.ready)[1:, :3].sum(axis=1).mean()) < LEAST_BEND:
        return None
    closes, opens, own = _closing(rng, HANDS[slot], duration, releases) if takes else (None, None, ())
    after, before = closes[1] if closes else 0.0, opens[0] if opens else duration
    kept = [
        e for e in program.score
        if e.hand in program.hands and (e.hand != HANDS[slot] or (_carried(e) and after < e.start and e.end < before))
    ]  # fmt: skip
    score = order([*kept, *own])
    if not kept or split_of_score(score) != split:  # with nothing beside it there would be a handful of scores
        return None
    made = Taking(replace(program, score=score), slot, held, True, closes, opens)
    start = np.random.default_rng(program.seed).spawn(1)[0]
    return None if plan(_planned(made), program.body, program.stage, start).problems else made


def _carried(event: FingerEvent) -> bool:
    return event.motion in CARRIES and not event.fingers


def _closing(
    rng: np.random.Generator, hand: str, duration: float, releases: bool
) -> tuple[tuple[float, float], tuple[float, float] | None, tuple[FingerEvent, ...]]:
    event = FingerEvent(hand, "grab", contact="object")
    speed, seconds = pace(event, rng)
    start = float(rng.uniform(0.4, max(0.45, min(1.4, duration - seconds - 0.6))))
    closes = (start, start + seconds)
    own = [replace(event, speed=speed, start=closes[0], end=closes[1])]
    opens = None
    event = FingerEvent(hand, "release", FINGERS, contact="object")
    speed, seconds = pace(event, rng)
    earliest, latest = closes[1] + 0.7, duration - seconds - 0.4
    if releases and latest > earliest and rng.random() < 0.7:
        start = float(rng.uniform(earliest, latest))
        opens = (start, start + seconds)
        own.append(replace(event, speed=speed, start=opens[0], end=opens[1]))
    return closes, opens, tuple(own)


def _planned(one: Taking) -> Score:
    """What the joints are planned for: everything but the fingers of the holding hand."""
    return tuple(e for e in one.program.score if e.hand != HANDS[one.slot] or _carried(e))


def performed(one: Taking) -> Scene:
    """The hands and the thing in every frame, as the program's seed performs it."""
    program = one.program
    start, shake = np.random.default_rng(program.seed).spawn(2)
    times = frame_times(program.duration, program.fps)
    values = curves([plan(_planned(one), program.body, program.stage, start)], times[None])
    fingers = slice(one.slot * CHANNELS, one.slot * CHANNELS + 20)
    closed = _along(times, one.closes, 1.0) - _along(times, one.opens, 0.0)
    way = one.grip.ready + closed[:, None, None] * (one.grip.angles - one.grip.ready)
    values[0, :, fingers] = way.reshape(len(times), 20)
    values += unrest(times[None], [program.body], [shake])
    joints, wrist, angles = (a[0] for a in joints_of(values, [program.body], [program.stage]))
    presence = np.repeat([[h in program.hands for h in HANDS]], len(times), axis=0)
    joints[~presence], wrist[~presence] = np.nan, np.nan
    done = Performance(
        np.round(times * 1e9).astype(np.int64), joints, wrist, presence.astype(np.float32), angles, program.score,
        program.body, program.stage,
    )  # fmt: skip
    own = values[0, :, one.slot * CHANNELS : (one.slot + 1) * CHANNELS]
    palm = program.stage.forearm[one.slot] @ rotation(own[:, TURN : TURN + 3])
    place = program.stage.home[one.slot] + own[:, MOVE : MOVE + 3]
    first = int(np.searchsorted(times, one.closes[1])) if one.closes else 0
    last = int(np.searchsorted(times, one.opens[0])) if one.opens else len(times) - 1
    at = np.clip(np.arange(len(times)), min(first, len(times) - 1), last)
    held = np.zeros((len(times), 2, 1), bool)
    held[first : last + 1, one.slot] = one.there
    things = [Thing("thing", one.grip.solids, palm[at], place[at])] if one.there else []
    look = Look.sample(np.random.default_rng((program.seed, 1)))
    camera = frame_on(done, program.camera)
    return Scene(done, things, (), held, held, ("take",), camera, look, program.seed, program.fps)


def _along(times: Array, span: tuple[float, float] | None, without: float) -> Array:
    """0 before the span, 1 after it, by minimum jerk; without a span always `without`."""
    if span is None:
        return np.full(len(times), without)
    return np.asarray(minimum_jerk((times - span[0]) / (span[1] - span[0])))


def make_clip(one: Taking, video: Path, truth: Path) -> None:
    """Render one program; the recording is written last, so that it stands for a finished clip."""
    scene = performed(one)
    write_webm(video, pictures(scene), scene.fps, scene.camera.size, codec="VP80")
    film(scene.performance, scene.camera).save(truth)


def watched(one: Taking) -> tuple[Recording, Recording]:
    """What the tracker saw of a program, with keyframe features and the true score; and the truth."""
    scene = performed(one)
    done = scene.performance
    tracker = open_tracker("native", mirrored=scene.camera.mirrored)
    try:
        frames = list(followed(tracker, pictures(scene), done.t_ns.tolist()))
        digest = tracker.appearance_digest
    finally:
        tracker.close()
    about = {"view": done.stage.view, "mirrored": scene.camera.mirrored, "score_json": score_json(done)}
    return Recording.from_frames(frames, appearance_digest=digest, **about), film(done, scene.camera)


def make(folder: Path, count: int, *, job: int = 0, jobs: int = 1) -> int:
    """Render what is missing of `count` test clips; how many were made. Raises SinkError."""
    made = [replace(t, program=replace(t.program, fps=RATES[t.program.seed % len(RATES)]))
            for t in islice(takings(SEED), count)]  # fmt: skip
    _begin(folder, "test", SEED, made)
    fresh = 0
    for i, one in enumerate(made):
        truth = folder / f"taking-{i:04d}.npz"  # beside other test clips' tracks in one cache
        if i % jobs == job and not truth.exists():
            make_clip(one, truth.with_suffix(".webm"), truth)
            fresh += 1
            print(f"{truth.name}: {len(list(folder.glob('taking-*.npz')))} of {count}", flush=True)
    return fresh


def make_twins(folder: Path, count: int, split: str, *, job: int = 0, jobs: int = 1) -> int:
    """Render and track what is missing of `count` clips, every second the twin of the one before it: NNNN.npz and
    NNNN.truth.npz, as `export.sim.tracked` makes them; how many were made. Raises SinkError."""
    rate = {"split": split, "duration": TWIN_S, "taking": 1.0, "releases": False}
    made = list(islice(takings(TWIN_SEEDS[split], **rate), (count + 1) // 2))  # type: ignore[arg-type]
    made = [replace(t, program=_small(t.program)) for t in made]
    _begin(folder, split, TWIN_SEEDS[split], made)
    fresh = 0
    for i in range(count):
        path = folder / f"{i:04d}.npz"
        if i % jobs != job or path.exists():
            continue
        seen, truth = watched(twin(made[i // 2]) if i % 2 else made[i // 2])
        truth.save(folder / f"{i:04d}.truth.npz")
        seen.save(path)
        fresh += 1
        print(f"{path.name}: {len(list(folder.glob('????.npz')))} of {count}", flush=True)
    return fresh


def _small(program: Program) -> Program:
    return replace(program, fps=TWIN_FPS, camera=replace(program.camera, size=TWIN_SIZE))


def _begin(folder: Path, split: str, seed: int, made: Sequence[Taking]) -> None:
    about = {"seed": seed, "split": split, "digest": digest_of([t.program for t in made]), "count": len(made)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / "programs.json", (json.dumps(about, indent=1) + "\n").encode())
    except OSError as error:
        raise SinkError(f"{folder} cannot be used for clips: {error.strerror or error}.") from error


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Render clips of hands that take and hold things.")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder")
    parser.add_argument("--count", type=int, default=86)
    parser.add_argument(
        "--twins", choices=tuple(TWIN_SEEDS), help="tracked clips of this side, each beside one without the thing"
    )
    parser.add_argument("--job", default="0/1", help="which of how many processes this is (default %(default)s)")
    args = parser.parse_args(argv)
    try:
        job, jobs = (int(part) for part in args.job.split("/"))
        if args.twins:
            fresh = make_twins(args.output, args.count, args.twins, job=job, jobs=jobs)
        else:
            fresh = make(args.output, args.count, job=job, jobs=jobs)
    except ValueError:
        parser.error(f"--job {args.job} is not a number and how many, such as 0/2")
    except FigopError as error:
        print(error)
        return 1
    done = "python -m export.mechanisms.cli holding" if args.twins else f"figop eval captions {args.output}"
    print(f"{args.output}: {fresh} clips made; next: {done}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
