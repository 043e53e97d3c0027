"""Whether modelled tracking is like real tracking: `python -m export.models.noise_check DIR -o FILE --plot PICTURE`.

DIR: tracked development clips (`python -m export.sim.tracked --seed 7002`) that nothing was fitted on. Compared are the
errors joint by joint, how long they last, and what the student sees: a classifier tells tracked from simulated features
of the same programs, once with the hand-set noise (before the fit) and once with the fitted model (0.5 = it cannot).
`--depth tracks.npz` sets the errors of five depth-camera trackers beside them (a check; nothing is fitted on them).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from edge.errors import FigopError
from edge.recording import Recording
from export.data.pairs import Array, Errors, errors_of, pairs, ticks_of
from export.models.fit import auc, drawn, spread_of
from export.sim.clips import SIZE
from export.sim.programs import Program, programs
from export.sim.simulated import seen
from export.sim.tracked import RATES
from export.sim.tracker_model import TrackerModel

#: of the development clips
SEED = 7002
#: lags at which the errors are compared with themselves, seconds
LAGS_S = (0.066, 0.133, 0.2, 0.4, 0.8, 1.6)
#: ticks of a hand that the classifier sees, and the ticks between the two looks that show motion
LOOKS, APART = 24, 2


def lasting(error: Array, frame: NDArray[Any], seconds: float, fps: float) -> float:
    """Correlation of errors [N,K,3] (less their clip's mean) with those `seconds` later; frame [N]: their numbers."""
    steps = max(round(seconds * fps), 1)
    later = {int(f): i for i, f in enumerate(frame)}
    rows = [(i, later[int(f) + steps]) for i, f in enumerate(frame) if int(f) + steps in later]
    if len(rows) < 4:
        return float("nan")
    a, b = (error[list(r)] for r in zip(*rows, strict=True))
    return float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1e-12))


def courses(world: Array, errors: Errors) -> dict[str, float]:
    """Mean correlation over clips at every lag."""
    out = {}
    for lag in LAGS_S:
        found = []
        for clip in np.unique(errors.clip):
            own = errors.clip == clip
            if own.sum() >= 20:
                e = world[own][:, 1:]
                found.append(lasting(e - e.mean(axis=0), errors.frame[own], lag, float(errors.fps[own][0])))
        out[str(lag)] = round(float(np.nanmean(found)), 3)
    return out


def by_joint(error: Array) -> list[float]:
    """Median length of the error of each of 21 joints, palm lengths."""
    return [round(float(v), 4) for v in np.median(np.linalg.norm(error, axis=-1), axis=0)]


def depth_trackers(path: Path) -> dict[str, Any]:
    """Five published depth trackers on NYU: how long their errors last, and tips against the joints before them."""
    with np.load(path, allow_pickle=False) as data:
        true, said = data["nyu_gt_01mm"] * 0.1, data["nyu_pred_01mm"] * 0.1
        names = [str(n) for n in data["nyu_joint_names"]]
    persons = (slice(0, 2440), slice(2440, len(true)))
    rows = {}
    for lag in LAGS_S:
        found = []
        for one in said:
            for who in persons:
                e = (one[who] - true[who]).astype(np.float32)
                # over windows of five seconds, as clips are
                for at in range(0, len(e) - 150, 150):
                    part = e[at : at + 150] - e[at : at + 150].mean(axis=0)
                    found.append(lasting(part, np.arange(150), lag, 30.0))
        rows[str(lag)] = round(float(np.nanmean(found)), 3)
    lengths = np.linalg.norm(said - true, axis=-1).mean(axis=(0, 1))
    return {
        "correlation": rows,
        "error_mm": {n: round(float(v), 1) for n, v in zip(names, lengths, strict=True)},
    }


def looks(recording: Recording, rng: np.random.Generator) -> Iterator[Array]:
    """What the student sees of each hand, at random ticks: [LOOKS, F]."""
    ticks = ticks_of(recording, 5 * 30)
    features = ticks.features.astype(np.float32)
    for hand in range(2):
        good = np.flatnonzero(ticks.present[APART:, hand] & ticks.present[:-APART, hand]) + APART
        if len(good) >= LOOKS:
            at = rng.choice(good, LOOKS, replace=False)
            now = features[at, hand].reshape(LOOKS, -1)
            yield np.concatenate([now, now - features[at - APART, hand].reshape(LOOKS, -1)], axis=1)


def told_apart(folder: Path, seed: int) -> dict[str, float]:
    """AUC of a classifier between tracked clips and simulated ones of the same programs, before and after the fit."""
    files = [a for a, _ in pairs(folder)]
    made: list[Program] = [
        replace(p, fps=RATES[p.seed % len(RATES)])
        for p in islice(programs(seed, split="train", size=SIZE), int(files[-1].stem) + 1)
    ]
    rng = np.random.default_rng(0)
    real: list[Array] = []
    before: list[Array] = []
    after: list[Array] = []
    clip: list[int] = []
    for file in files:
        program = made[int(file.stem)]
        try:
            tracked = list(looks(Recording.load(file), rng))
            rough, fitted = (list(looks(seen(program, fitted=f), rng)) for f in (False, True))
        except FigopError:
            continue
        for rows in zip(tracked, rough, fitted, strict=False):
            for kept, row in zip((real, before, after), rows, strict=True):
                kept.append(row)
            clip.append(int(file.stem))
    train = np.repeat(np.array(clip) // 2 % 2 == 0, LOOKS)
    a, b, c = (np.concatenate(rows) for rows in (real, before, after))
    # once more against other tracked hands: what chance and so few clips give
    order = np.random.default_rng(1).permutation(len(clip))
    half = order[: len(order) // 2], order[len(order) // 2 : 2 * (len(order) // 2)]
    chance = auc(
        *(np.concatenate([real[i] for i in h]) for h in half), train=np.repeat(np.arange(len(half[0])) % 2 == 0, LOOKS)
    )
    return {
        "before": round(auc(a, b, train=train), 3), "after": round(auc(a, c, train=train), 3),
        "tracked_against_tracked": round(chance, 3), "hands": len(clip),
    }  # fmt: skip


def draw(said: dict[str, Any], path: Path) -> None:
    """Errors joint by joint, and how long they last."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), dpi=90, layout="constrained")
    at = np.arange(21)
    for name, shade in (("world", "tab:blue"), ("image", "tab:orange")):
        left.plot(at, said["joints"]["tracked"][name], "o-", color=shade, label=f"{name}, tracked")
        left.plot(at, said["joints"]["modelled"][name], "x--", color=shade, label=f"{name}, modelled")
    left.set_xticks(at, ["wrist", *(f"{f}{i}" for f in ("T", "I", "M", "R", "P") for i in range(1, 5))], rotation=70)
    left.set(ylabel="median error, palm lengths", title="Error by joint")
    for name, rows in said["correlation"].items():
        right.plot([float(k) for k in rows], list(rows.values()), "o-", label=name)
    right.set(xlabel="lag, s", xscale="log", ylabel="correlation", title="How long errors last (within a clip)")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    plt.close(figure)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(
        prog="python -m export.models.noise_check", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=SEED, help="of the folder's programs (%(default)s)")
    parser.add_argument("--depth", type=Path, help="tracks.npz of depth trackers, to compare with")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        errors = errors_of(args.folder)
        check = errors.of(errors.seen)
        world, image = drawn(TrackerModel.load(), check)
        said: dict[str, Any] = {
            "what": "tracker noise", "command": f"python -m export.models.noise_check {args.folder.name}",
            "clips": len(pairs(args.folder)), "frames": len(check.clip),
            "tracked": spread_of(check.world, check.image), "modelled": spread_of(world, image),
            "joints": {
                "tracked": {"world": by_joint(check.world), "image": by_joint(check.image[..., :2])},
                "modelled": {"world": by_joint(world), "image": by_joint(image[..., :2])},
            },
            "correlation": {"tracked": courses(check.world, check), "modelled": courses(world, check)},
            "auc": told_apart(args.folder, args.seed),
        }  # fmt: skip
        if args.depth:
            depth = depth_trackers(args.depth)
            said["correlation"]["depth trackers (NYU)"] = depth["correlation"]
            said["depth_error_mm"] = depth["error_mm"]
    except FigopError as error:
        print(error)
        return 1
    if args.plot:
        draw(said, args.plot)
    args.output.write_text(json.dumps(said, indent=1) + "\n")
    print(json.dumps({k: said[k] for k in ("tracked", "modelled", "correlation", "auc")}, indent=1))
    print(f"{args.output} written; next: python -m export.report")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
