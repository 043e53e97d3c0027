"""Trains the network of touches on simulated programs: `python -m export.objects.touch_fit DIR [-o FILE]`.

DIR keeps what was made of the programs. Each is seen four ways: exactly, with the fitted tracker's errors, and twice
with hands that are lost on top, as real trackers lose hands that hold things. Programs, persons and things come from
seeds of their own; the last part of them is held out to choose by.
"""

from __future__ import annotations

import argparse
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edge.errors import FigopError, SinkError
from edge.files import write_whole
from edge.objects.clip import Clip, clip_of
from edge.objects.event import GRASPS
from edge.objects.pairs import FEATURES, MIRRORED, features, frames_of
from edge.objects.things import Things
from edge.objects.touch import ANSWERS, MOTIONS, STEPS, WEIGHTS, TouchNet
from edge.recording import Recording
from edge.score import HANDS
from export.objects.simulate import detected, seen_by_fit, truth_of
from export.sim.anatomy import Array
from export.sim.camera import film
from export.sim.handled import ROW, Truth
from export.sim.interactions import direct

#: seeds of the programs (others than those of `export.objects.evaluate`), of one file, and held out of a hundred
FIRST, PART, HELD_OUT = 200_000, 40, 10
#: how often a hand is lost that holds, by view, and how often it is then seen as the other hand for a moment
LOST, SWAPPED = {"facing": 0.35, "egocentric": 0.85}, 0.35
#: width, rounds, pairs of a step, frames of a piece, step size, pull to zero: chosen on the held-out part
HIDDEN, ROUNDS, BATCH, PIECE, RATE, DECAY = 32, 20, 32, 64, 3e-3, 1e-3
#: presses last five frames of a clip: their frames count more
RARE = 3.0


#: the answers' columns as they are in a mirror
_OTHER = {"left": "right", "right": "left", "cw": "ccw", "ccw": "cw"}
_SWAPPED = [
    0,
    1,
    *(2 + MOTIONS.index((verb, _OTHER.get(way, way))) for verb, way in MOTIONS),
    *range(2 + len(MOTIONS), ANSWERS),
]


def lose(seen: Recording, truth: Truth, rng: np.random.Generator) -> Recording:
    """The recording with hands lost for a while, mostly as they hold something, and taken for the other hand."""
    presence, track = seen.presence.copy(), seen.track_id.copy()
    marks, world, wrist = seen.landmarks.copy(), seen.world.copy(), seen.wrist.copy()
    t = truth.t_ns * 1e-9
    for slot in (0, 1):
        holds = np.flatnonzero((truth.held | truth.contact)[:, slot].any(axis=-1))
        if rng.random() > LOST[seen.view] or not (presence[:, slot] > 0).any():
            continue
        at = t[holds[0]] if len(holds) else rng.uniform(t[0], t[-1])
        end = t[holds[-1]] if len(holds) else at + 1.0
        for _ in range(int(rng.integers(1, 3))):
            kind = rng.random()
            start = at + rng.normal(0.0, 0.35) if kind < 0.6 else rng.uniform(t[0] - 0.5, t[-1])
            stop = end + rng.normal(0, 0.4) if kind < 0.35 else start + rng.uniform(0.3, 2.5)
            gone = (t >= start) & (t < stop)
            rows = np.flatnonzero(gone & (presence[:, slot] > 0))
            if len(rows) and rng.random() < SWAPPED and not presence[rows, 1 - slot].any():
                first = int(rng.integers(len(rows)))
                for k in rows[first : first + int(rng.integers(1, 12))]:
                    presence[k, 1 - slot], track[k, 1 - slot] = 1.0, 9
                    for a in (marks, world, wrist):
                        a[k, 1 - slot] = a[k, slot]
            presence[gone, slot], track[gone, slot] = 0.0, -1
            for a in (marks, world, wrist):
                a[gone, slot] = np.nan
    return replace(seen, presence=presence, track_id=track, landmarks=marks, world=world, wrist=wrist)


def rows_of(hands: Recording, exact: Recording, truth: Truth, seed: int) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Features [P,T,F], truth [P,T,ANSWERS] and view of every pair of hand and thing of a clip."""
    things = Things()
    for row in detected(truth, exact.landmarks, seed):
        things.push(row)
    t = truth.t_ns * 1e-9
    known = things.known
    boxes = np.stack([x.at(t) for x in known], axis=1) if known else np.zeros((len(t), 0, 4))
    clip: Clip = clip_of(list(hands.frames()), boxes, [x.name for x in known], view=hands.view)
    x, there = features(clip, hands.view)
    at = np.clip(np.searchsorted(clip.t, frames_of(clip.t) - 1e-3), 0, len(t) - 1)
    y = np.zeros((*x.shape[:3], ANSWERS), bool)
    for n, name in enumerate(clip.names):
        if name in truth.names:
            m = truth.names.index(name)
            y[:, n, :, :2] = np.stack([truth.contact[at, :, m], truth.held[at, :, m]], axis=-1).transpose(1, 0, 2)
    g = frames_of(clip.t)
    for e in truth.score:
        if e.object in clip.names and (e.verb, e.direction) in MOTIONS:
            k = 2 + MOTIONS.index((e.verb, e.direction))
            y[HANDS.index(e.hand), clip.names.index(e.object), (g >= e.start) & (g <= e.end), k] = True
        if e.object in clip.names and e.grasp:
            rows = y[HANDS.index(e.hand), clip.names.index(e.object)]
            rows[:, 2 + len(MOTIONS) + GRASPS.index(e.grasp)] = rows[:, 1]
    return x[there].astype(np.float16), y[there], there


def program(seed: int) -> list[tuple[Array, Array]]:
    """Features and truth of the pairs of one program, seen four ways."""
    scene = direct(seed, ROW[seed % len(ROW)])
    truth, exact = truth_of(scene), film(scene.performance, scene.camera)
    rng = np.random.default_rng((seed, 8))
    fitted = seen_by_fit(scene, seed)
    ways = [exact, fitted, lose(fitted, truth, rng), lose(seen_by_fit(scene, seed + 1), truth, rng)]
    return [rows_of(hands, exact, truth, 7 * seed + k)[:2] for k, hands in enumerate(ways)]


def make(folder: Path, count: int) -> None:
    """Make what is missing of `count` programs. Raises SinkError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SinkError(f"{folder} cannot be used: {error.strerror or error}.") from error
    for first in range(0, count, PART):
        path = folder / f"touch-{first:05d}.npz"
        if path.exists():
            continue
        pairs = [
            (x[k], y[k]) for seed in range(FIRST + first, FIRST + min(first + PART, count))
            for x, y in program(seed) for k in range(len(x))
        ]  # fmt: skip
        out = io.BytesIO()
        np.savez_compressed(
            out, x=np.concatenate([x for x, _ in pairs]), y=np.concatenate([y for _, y in pairs]),
            length=np.array([len(x) for x, _ in pairs]),
        )  # fmt: skip
        write_whole(path, out.getvalue())
        print(f"{path.name}: {len(pairs)} pairs", flush=True)


def load(folder: Path) -> tuple[list[tuple[Array, Array]], list[tuple[Array, Array]]]:
    """Pairs (features, truth) to learn from and held-out ones."""
    train: list[tuple[Array, Array]] = []
    held_out: list[tuple[Array, Array]] = []
    files = sorted(folder.glob("touch-*.npz"))
    for k, path in enumerate(files):
        with np.load(path, allow_pickle=False) as d:
            ends = np.cumsum(d["length"])[:-1]
            pairs = list(zip(np.split(d["x"], ends), np.split(d["y"], ends), strict=True))
        (held_out if k % HELD_OUT == HELD_OUT - 1 else train).extend(pairs)
    return train, held_out


def fit(pairs: list[tuple[Array, Array]], seed: int = 0, *, hidden: int = HIDDEN, rounds: int = ROUNDS) -> TouchNet:
    """A network trained on the pairs."""
    import torch
    from torch import nn

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    every = np.concatenate([x for x, _ in pairs]).astype(np.float32)
    mean, spread = every.mean(axis=0), every.std(axis=0) + 1e-2
    first, last = nn.Linear(FEATURES, hidden), nn.Linear(hidden, ANSWERS)
    layers = nn.ModuleList([nn.Conv1d(hidden, hidden, 5, dilation=s, padding=2 * s) for s in STEPS])
    parameters = [*first.parameters(), *last.parameters(), *layers.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=RATE, weight_decay=DECAY)
    pieces = [(p, a) for p, (x, _) in enumerate(pairs) for a in range(0, max(1, len(x) - PIECE // 2), PIECE)]
    steps = rounds * (len(pieces) // BATCH)
    plan = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=RATE, total_steps=steps)
    rng = np.random.default_rng(seed)
    rare = torch.ones(ANSWERS)
    rare[2 + MOTIONS.index(("press", ""))] = RARE
    for step in range(steps):
        if step % (len(pieces) // BATCH) == 0:
            order = rng.permutation(len(pieces))
        x = np.zeros((BATCH, PIECE, FEATURES), np.float32)
        y, weight = np.zeros((BATCH, PIECE, ANSWERS), np.float32), np.zeros((BATCH, PIECE, 1), np.float32)
        at = step % (len(pieces) // BATCH) * BATCH
        for k, number in enumerate(order[at : at + BATCH]):
            p, a = pieces[number]
            fx, fy = pairs[p]
            a = max(0, min(a + int(rng.integers(-8, 9)), len(fx) - PIECE))
            part = fx[a : a + PIECE]
            x[k, : len(part)] = (part - mean) / spread
            y[k, : len(part)], weight[k, : len(part)] = fy[a : a + PIECE], 1.0
            if rng.random() < 0.5:  # the same in a mirror
                x[k, : len(part), list(MIRRORED)] = (
                    (-part[:, list(MIRRORED)] - mean[list(MIRRORED)]) / spread[list(MIRRORED)]
                ).T
                y[k] = y[k][:, _SWAPPED]
        h = torch.relu(first(torch.from_numpy(x)))
        mask = torch.from_numpy(weight)
        h = (h * mask).transpose(1, 2)
        for layer in layers:  # nothing is beyond the ends of a clip, as where it is used
            h = (h + torch.relu(layer(nn.functional.dropout(h, 0.1)))) * mask.transpose(1, 2)
        out = last(h.transpose(1, 2))
        loss = nn.functional.binary_cross_entropy_with_logits(
            out, torch.from_numpy(y), reduction="none", pos_weight=rare
        )
        loss = (loss * mask).sum() / mask.sum()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        plan.step()
        if step % 200 == 0:
            print(f"step {step} of {steps}: loss {loss.item():.4f}", flush=True)
    w = first.weight.detach().numpy().T / spread[:, None]
    weights = {
        "first": w, "first_b": first.bias.detach().numpy() - mean @ w,
        "last": last.weight.detach().numpy().T, "last_b": last.bias.detach().numpy(),
    }  # fmt: skip
    for k, layer in enumerate(layers):
        weights[f"w{k}"] = layer.weight.detach().numpy().transpose(2, 1, 0)
        weights[f"w{k}_b"] = layer.bias.detach().numpy()
    return TouchNet({k: np.asarray(v, np.float16).astype(np.float32) for k, v in weights.items()})


def score(net: TouchNet, pairs: list[tuple[Array, Array]]) -> Array:
    """[ANSWERS] F1 of frames."""
    counts = np.zeros((3, ANSWERS))
    for x, y in pairs:
        said = net.logits(x.astype(np.float32)) > 0
        counts += np.stack([(said & y).sum(axis=0), (said & ~y).sum(axis=0), (~said & y).sum(axis=0)])
    f1 = 2 * counts[0] / np.maximum(2 * counts[0] + counts[1] + counts[2], 1)
    return np.asarray(f1)


def save(net: TouchNet, path: Path) -> None:
    """The network at half precision."""
    out = io.BytesIO()
    np.savez_compressed(out, **{k: v.astype(np.float16) for k, v in net.weights.items()})  # type: ignore[arg-type]
    write_whole(path, out.getvalue())


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train the network of touches on simulated programs.")
    parser.add_argument("folder", type=Path, help="for what is made of the programs")
    parser.add_argument("--programs", type=int, default=400)
    parser.add_argument("-o", "--output", type=Path, default=WEIGHTS, help="the network (default: the file that ships)")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    try:
        make(args.folder, args.programs)
        train, held_out = load(args.folder)
        net = fit(train, args.seed)
        save(net, args.output)
    except FigopError as error:
        print(error)
        return 1
    contact, held, *others = score(net, held_out or train)
    print(f"{args.output}: F1 of frames on held-out programs: contact {contact:.3f}, holding {held:.3f},", end=" ")
    print(f"motions and grasps {np.mean(others):.3f}")
    print("Next: python -m export.objects.evaluate out/handled")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
