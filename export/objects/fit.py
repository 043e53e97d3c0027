"""Trains the grasp head on tracked renders: `python -m export.objects.fit DIR [-o FILE] [--results FILE]`.

DIR is what `python -m export.sim.held` made; with `--no-pictures` there it has no tokens, and the head for the pose
alone is trained. The part `train` is learned from, `choose` chose the number of hidden
units and of rounds, `test` is looked at for the figures alone. Ablations (token alone, pose alone) and the baseline
(the most frequent answer) are trained or counted on the same rows. With `--attempts` what else was tried is measured
instead, and no head is written: see `export.objects.attempts`.
"""

from __future__ import annotations

import argparse
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import FigopError, SourceError
from edge.files import write_whole
from edge.objects.event import GRASPS
from edge.objects.grasp import POSE_WEIGHTS, SHAPES, WEIGHTS, GraspHead, pose_of
from export.judge.reliability import wilson
from export.sim.anatomy import Array

#: Hidden units, rounds over the rows, rows of a step, step size, pull to zero, dropout: chosen on `choose`.
HIDDEN, ROUNDS, BATCH, RATE, DECAY, DROP = 32, 60, 128, 2e-3, 3e-3, 0.3
SEEDS = (0, 1, 2)
INPUTS = ("both", "token", "pose")


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Pictures of a part: feature [N,D], pose [N,60], truth, and how many the tracker did not find."""

    feature: Array
    pose: Array
    holding: Array
    grasp: Array
    shape: Array
    near: Array
    lost: int
    digest: str


def load(folder: Path, split: str) -> Rows:
    """All files of a part. Raises SourceError when there is none."""
    files = sorted(folder.glob(f"{split}-*.npz"))
    if not files:
        raise SourceError(f"{folder} holds no part {split!r}: python -m export.sim.held -o {folder}")
    parts = [dict(np.load(f, allow_pickle=False)) for f in files]
    digests = {str(p["digest"]) for p in parts}
    if len(digests) != 1:
        raise SourceError(f"{folder} holds pictures of {len(digests)} landmark networks; make it anew.")
    row = {
        k: np.concatenate([p[k] for p in parts])
        for k in ("feature", "world", "slot", "holding", "grasp", "shape", "near")
    }
    pose = np.stack([pose_of(w, int(s)) for w, s in zip(row["world"], row["slot"], strict=True)])
    return Rows(
        row["feature"].astype(np.float32), pose, row["holding"], row["grasp"].astype(int), row["shape"].astype(int),
        row["near"], int(sum(int(p["lost"]) for p in parts)), digests.pop(),
    )  # fmt: skip


def inputs(rows: Rows, use: str) -> Array:
    """[N, D+60]; the part that is not used is zero."""
    feature = rows.feature if use != "pose" else np.zeros_like(rows.feature)
    pose = rows.pose if use != "token" else np.zeros_like(rows.pose)
    return np.concatenate([feature, pose], axis=1)


def fit(rows: Rows, seed: int, *, use: str = "both", hidden: int = HIDDEN, rounds: int = ROUNDS) -> GraspHead:
    """A head trained on the rows."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    x = inputs(rows, use)
    mean, spread = x.mean(axis=0), x.std(axis=0) + 1e-3
    spread[(x == 0).all(axis=0)] = 1.0
    data = torch.from_numpy(((x - mean) / spread).astype(np.float32))
    holding = torch.from_numpy(rows.holding.astype(np.float32))
    grasp, shape = torch.from_numpy(rows.grasp), torch.from_numpy(rows.shape)
    first, second = nn.Linear(x.shape[1], hidden), nn.Linear(hidden, 1 + len(GRASPS) + len(SHAPES))
    optimiser = torch.optim.AdamW([*first.parameters(), *second.parameters()], lr=RATE, weight_decay=DECAY)
    steps = rounds * max(1, len(data) // BATCH)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=RATE, total_steps=steps + rounds)
    draw = torch.Generator().manual_seed(seed)
    n = 1 + len(GRASPS)
    for _ in range(rounds):
        for pick in torch.randperm(len(data), generator=draw).split(BATCH):
            if len(pick) < 8:
                continue
            seen = nn.functional.dropout(data[pick], DROP)
            out = second(nn.functional.dropout(torch.relu(first(seen)), 0.1))
            held = holding[pick] > 0.5
            loss = nn.functional.binary_cross_entropy_with_logits(out[:, 0], 0.97 * holding[pick] + 0.015)
            loss = loss + 0.5 * nn.functional.cross_entropy(out[:, n:], shape[pick], label_smoothing=0.03)
            if held.any():
                loss = loss + 0.5 * nn.functional.cross_entropy(out[held, 1:n], grasp[pick][held], label_smoothing=0.03)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            plan.step()
    w1 = (first.weight.detach().numpy() / spread).T
    b1 = first.bias.detach().numpy() - mean @ w1
    last = second.weight.detach().numpy().T, second.bias.detach().numpy()
    w1, b1, w2, b2 = (np.asarray(a, np.float16).astype(np.float32) for a in (w1, b1, *last))
    return GraspHead(w1, b1, w2, b2, rows.digest)


def save(head: GraspHead, path: Path) -> None:
    """The head at half precision."""
    out = io.BytesIO()
    parts = {n: getattr(head, n).astype(np.float16) for n in ("w1", "b1", "w2", "b2")}
    np.savez_compressed(out, **parts, digest=np.array(head.digest))  # type: ignore[arg-type]
    write_whole(path, out.getvalue())


def score(head: GraspHead, rows: Rows, use: str = "both") -> dict[str, float]:
    """Shares of right answers: holding; grasp of what is held; shape, "none" included; holding with a thing near."""
    x = inputs(rows, use)
    d = rows.feature.shape[1]
    out = head.logits(x[:, :d], x[:, d:])
    n = 1 + len(GRASPS)
    held = rows.holding
    right = (out[:, 0] > 0) == held
    return {
        "holding": float(right.mean()),
        "holding_near": float(right[rows.near].mean()) if rows.near.any() else float("nan"),
        "grasp": float((out[held, 1:n].argmax(axis=1) == rows.grasp[held]).mean()),
        "shape": float((out[:, n:].argmax(axis=1) == rows.shape).mean()),
    }


def results(folder: Path, out: Path) -> tuple[GraspHead, dict[str, Any]]:
    """Trains everything; writes the head that ships (first seed) and returns the figures."""
    train, choose, test = (load(folder, s) for s in ("train", "choose", "test"))
    figures: dict[str, Any] = {
        "command": "python -m export.objects.fit", "pictures": {
            "train": len(train.holding), "choose": len(choose.holding), "test": len(test.holding),
            "not_found": {"train": train.lost, "choose": choose.lost, "test": test.lost},
        },
        "seeds": list(SEEDS), "network": train.digest,
    }  # fmt: skip
    shipped: GraspHead | None = None
    for use in INPUTS if train.digest else ("both",):
        heads = [fit(train, seed, use=use) for seed in SEEDS]
        rows = [score(h, test, use) for h in heads]
        figures[use] = {k: [round(r[k], 4) for r in rows] for k in rows[0]}
        figures[use]["choose_holding"] = [round(score(h, choose, use)["holding"], 4) for h in heads]
        shipped = shipped or heads[0]
    assert shipped is not None
    held = test.holding
    figures["most_frequent"] = {
        "holding": round(float(max(held.mean(), 1 - held.mean())), 4),
        "grasp": round(float(np.bincount(test.grasp[held]).max() / held.sum()), 4),
        "shape": round(float(np.bincount(test.shape).max() / len(test.shape)), 4),
    }
    right = round(figures["both"]["holding"][0] * len(held))
    figures["holding_interval"] = [round(v, 4) for v in wilson(right, len(held))]
    save(shipped, out)
    figures["bytes"] = out.stat().st_size
    x = inputs(test, "both")
    logits = shipped.logits(x[:, : test.feature.shape[1]], x[:, test.feature.shape[1] :])
    figures["confusion_grasp"] = _confusion(test.grasp[held], logits[held, 1:6].argmax(axis=1), len(GRASPS))
    figures["confusion_shape"] = _confusion(test.shape, logits[:, 6:].argmax(axis=1), len(SHAPES))
    figures["grasps"], figures["shapes"] = list(GRASPS), list(SHAPES)
    return shipped, figures


def _confusion(true: Array, said: Array, size: int) -> list[list[int]]:
    table = np.zeros((size, size), int)
    np.add.at(table, (true, said), 1)
    return [[int(v) for v in row] for row in table]


def real(head: GraspHead, labels: Path, images: Path) -> dict[str, Any]:
    """The head on real pictures that were labelled by eye; those in which no hand is found are counted apart."""
    import cv2

    from edge.hands.backends import open_tracker

    rows = json.loads(labels.read_text(encoding="utf-8"))["labels"]
    tracker = open_tracker("native", max_hands=2)
    out: dict[str, Any] = {"pictures": len(rows), "found": 0, "rows": []}
    try:
        for number, row in enumerate(rows):
            picture = cv2.imread(str(images / row["file"]))
            if picture is None:
                raise SourceError(f"{images / row['file']} cannot be read.")
            rgb = np.ascontiguousarray(picture[..., ::-1])
            tracker.reset()
            frame = None
            for k in range(2):  # as in a video: once found, once followed
                frame = tracker.track(rgb, (2 * number + k) * 10**9 // 30, appearance=True)
            looks = [
                look for slot in (0, 1) if frame is not None and frame.present(slot) and frame.appearance is not None
                and (look := head.read(frame.t, frame.appearance[slot], frame.world[slot], slot)) is not None
            ]  # fmt: skip
            if not looks:
                continue
            out["found"] += 1
            sure = max(looks, key=lambda g: abs(g.holding - 0.5))
            out["rows"].append({
                "file": row["file"], "holding": row["holding"], "said": round(sure.holding, 3),
                "sure_label": row["sure"],
                "grasp": row["grasp"], "grasp_said": GRASPS[int(sure.grasp.argmax())],
                "shape": row["shape"], "shape_said": SHAPES[int(sure.shape.argmax())],
            })  # fmt: skip
    finally:
        tracker.close()
    for name, kept in (("all", out["rows"]), ("sure", [r for r in out["rows"] if r["sure_label"]])):
        right = sum((r["said"] > 0.5) == r["holding"] for r in kept)
        out[name] = {
            "count": len(kept),
            "holding_right": right,
            "interval": [round(v, 3) for v in wilson(right, len(kept))],
        }
    return out


def _note(results: Path, name: str, figures: dict[str, Any]) -> None:
    """One part of the results' file anew, the others as they are."""
    kept = json.loads(results.read_text()) if results.exists() else {}
    about = {"what": "grasp", "command": "python -m export.objects.fit DIR (each part says which)"}
    write_whole(results, (json.dumps(about | kept | {name: figures}, indent=1) + "\n").encode())


def _attempts(folder: Path, results: Path, pictures: list[int] | None) -> int:
    from export.objects import attempts

    folder.mkdir(parents=True, exist_ok=True)
    counts = dict(zip(("train", "choose", "test"), pictures, strict=True)) if pictures else None
    figures = attempts.figures(folder, counts)
    _note(results, "attempts", figures)
    for name in attempts.READS:
        told = {split: figures[name].get(f"{split}_holding") for split in ("choose", "test")}
        print(f"{name}: holding " + ", ".join(f"{v:.3f} on {k}" for k, v in told.items() if v is not None))
    print(f"figures in {results}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description="Train the grasp head on tracked renders.")
    parser.add_argument("folder", type=Path, help="of python -m export.sim.held")
    parser.add_argument("-o", "--output", type=Path, help="the head (default: the file that ships)")
    parser.add_argument("--results", type=Path, default=root / "results" / "grasp.json")
    parser.add_argument("--real", type=Path, help="folder of mmpose_hand_samples, where it is there")
    parser.add_argument("--attempts", action="store_true", help="several looks and inner maps instead; no head")
    parser.add_argument("--pictures", nargs=3, type=int, metavar=("TRAIN", "CHOOSE", "TEST"), help="of the attempts")
    args = parser.parse_args(argv)
    try:
        if args.pictures and not (args.attempts and min(args.pictures[:2]) > 0 and args.pictures[2] >= 0):
            raise SourceError("--pictures gives the pictures of --attempts, three numbers above 0 (TEST may be 0).")
        if args.attempts:
            return _attempts(args.folder, args.results, args.pictures)
        name = "token" if load(args.folder, "test").digest else "pose"
        output = args.output or (WEIGHTS if name == "token" else POSE_WEIGHTS)
        _, figures = results(args.folder, output)
        if args.real is not None:
            labels = root / "tests" / "reference" / "mmpose_grasp.json"
            figures["real"] = real(GraspHead.load(output), labels, args.real)
        _note(args.results, name, figures)
    except FigopError as error:
        print(error)
        return 1
    print(f"{output}: holding {figures['both']['holding'][0]:.3f} on renders; figures in {args.results}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
