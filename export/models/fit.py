"""Fits the tracker's errors: `python -m export.models.fit DIR` reads tracked clips, writes `export/sim/tracker.npz`.

DIR comes from `python -m export.sim.tracked`. Every tenth clip is left out of the fit; on these the errors of the model
are compared with the tracker's, and a classifier says how well the two can be told apart (0.5 = not at all).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.errors import FigopError
from export.data.pairs import Array, Errors, errors_of
from export.sim.tracker_model import (
    BANK_HZ,
    BANK_STEP,
    INPUTS,
    NUMBERS,
    OUTPUTS,
    TrackerModel,
    inputs,
    log_odds,
    outputs,
)

#: width of the hidden state and of the networks
HIDDEN, WIDE = 14, 192
#: weight of the hidden state's divergence: small enough that it explains what the pose does not
DIVERGENCE = 0.5
COURSES = 360


class _Model(nn.Module):
    """The autoencoder: q(z | pose, errors) and errors(pose, z)."""

    def __init__(self) -> None:
        super().__init__()
        self.guess = nn.Sequential(
            nn.Linear(INPUTS + OUTPUTS, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 2 * HIDDEN)
        )
        self.say = nn.Sequential(
            nn.Linear(INPUTS + HIDDEN, WIDE), nn.ReLU(), nn.Linear(WIDE, WIDE), nn.ReLU(), nn.Linear(WIDE, OUTPUTS)
        )
        self.rest = nn.Parameter(torch.zeros(OUTPUTS) - 0.5)

    def posterior(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.guess(torch.cat((x, y), dim=-1)).chunk(2, dim=-1)
        return mean, log_var.clamp(-8, 2)

    def loss(self, x: Tensor, y: Tensor) -> Tensor:
        mean, log_var = self.posterior(x, y)
        z = mean + torch.exp(0.5 * log_var) * torch.randn_like(mean)
        said = self.say(torch.cat((x, z), dim=-1))
        # a Student's t would forgive outliers: they are what the model is for, so Gaussian, but not below 5 %
        rest = self.rest.clamp(min=-3.0)
        misfit = (0.5 * ((y - said) / rest.exp()) ** 2 + rest).sum(dim=-1)
        divergence = 0.5 * (mean**2 + log_var.exp() - 1 - log_var).sum(dim=-1)
        return (misfit + DIVERGENCE * divergence).mean()


def _descend(parameters: Any, loss: Any, rows: int, steps: int, batch: int, seed: int, rate: float = 1.5e-3) -> None:
    optimiser = torch.optim.Adam(parameters, lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    pick = torch.Generator().manual_seed(seed)
    for step in range(steps):
        value = loss(torch.randint(rows, (batch,), generator=pick))
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        schedule.step()
        if step % 500 == 0:
            print(f"  step {step}: {value.item():.3f}", flush=True)


def _layers(net: nn.Sequential) -> tuple[Array, ...]:
    out: list[Array] = []
    for layer in net:
        if isinstance(layer, nn.Linear):
            out += [layer.weight.detach().numpy().T.copy(), layer.bias.detach().numpy().copy()]
    return tuple(out)


def fit(errors: Errors, *, steps: int = 5000, seed: int = 0) -> TrackerModel:
    """The model of these errors."""
    torch.manual_seed(seed)
    seen = errors.of(errors.seen)
    x, raw = inputs(seen.true, seen.ray, seen.size), outputs(seen.world, seen.image, log_odds(seen.score))
    # the score has a mean: it is left in, for the network has biases
    scale = raw.std(axis=0) + 1e-6
    y = np.clip(raw / scale, -12, 12)
    tx, ty = torch.from_numpy(x), torch.from_numpy(y)
    model = _Model()
    _descend(model.parameters(), lambda i: model.loss(tx[i], ty[i]), len(x), steps, 1024, seed)
    with torch.no_grad():
        mean, log_var = model.posterior(tx, ty)
        rest = (ty - model.say(torch.cat((tx, mean), dim=-1))).numpy()
    bank = _bank(seen, mean.numpy(), np.random.default_rng(seed))
    lost = nn.Sequential(nn.Linear(INPUTS, 48), nn.ReLU(), nn.Linear(48, 1))
    all_x = torch.from_numpy(inputs(errors.true, errors.ray, errors.size))
    gone = torch.from_numpy(~errors.seen).float()
    _descend(
        lost.parameters(), lambda i: F.binary_cross_entropy_with_logits(lost(all_x[i])[:, 0], gone[i]), len(all_x),
        steps // 4, 1024, seed,
    )  # fmt: skip
    return TrackerModel(
        _layers(model.say), scale, rest.std(axis=0).astype(np.float32),
        torch.exp(0.5 * log_var).mean(dim=0).numpy(), bank, _layers(lost), _lost_s(errors),
    )  # fmt: skip


def _bank(seen: Errors, z: Array, rng: np.random.Generator) -> Any:
    """Courses of the hidden state of random clips, at `BANK_HZ`, holes bridged. [S,K,L] int8."""
    samples, rows = int(5 * BANK_HZ), []
    for clip in rng.permutation(np.unique(seen.clip)):
        own = np.flatnonzero(seen.clip == clip)
        t = seen.frame[own] / seen.fps[own]
        if len(own) > 20 and t[-1] - t[0] > 3.0:
            at = t[0] + np.arange(samples) / BANK_HZ
            # beyond the clip's end it runs back
            at = np.where(at > t[-1], 2 * t[-1] - at, at)
            nearest = np.abs(at[:, None] - t[None]).argmin(axis=1)
            rows.append(z[own][nearest])
        if len(rows) == COURSES:
            break
    return np.clip(np.round(np.stack(rows) / BANK_STEP), -127, 127).astype(np.int8)


def _lost_s(errors: Errors) -> float:
    """Mean length of a loss, seconds."""
    runs = []
    for clip in np.unique(errors.clip):
        own = errors.clip == clip
        gone = np.r_[False, ~errors.seen[own], False]
        edges = np.flatnonzero(np.diff(gone.astype(int)))
        runs += list((edges[1::2] - edges[::2]) / errors.fps[own][0])
    return float(np.clip(np.mean(runs) if runs else 0.2, 0.05, 3.0))


def drawn(model: TrackerModel, errors: Errors, seed: int = 0) -> tuple[Array, Array]:
    """The model's errors (world, image) on the seen frames of these clips, clip by clip."""
    rng = np.random.default_rng(seed)
    world, image = np.full_like(errors.world, np.nan), np.full_like(errors.image, np.nan)
    for clip in np.unique(errors.clip):
        own = np.flatnonzero(errors.clip == clip)
        times = (errors.frame[own] / errors.fps[own])[None]
        true, ray, size = (np.repeat(a[own][None, :, None], 2, axis=2) for a in (errors.true, errors.ray, errors.size))
        said = model.see(rng, times, true, ray, size)
        world[own], image[own] = said.world[0, :, 0], said.image[0, :, 0]
    return world, image


def auc(real: Array, made: Array, *, train: Any, seed: int = 0) -> float:
    """How well a small network tells [N,F] real from made rows; `train` [N] bool: rows that it learns from."""
    torch.manual_seed(seed)
    mean, spread = real[train].mean(axis=0), real[train].std(axis=0) + 1e-6
    x = torch.from_numpy(np.clip(np.concatenate([real, made]) - mean, -8 * spread, 8 * spread) / spread).float()
    goal = torch.cat((torch.ones(len(real)), torch.zeros(len(made))))
    learn = np.flatnonzero(np.concatenate([train, train]))
    rows = torch.from_numpy(learn)
    net = nn.Sequential(nn.Linear(x.shape[1], 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 1))
    _descend(
        net.parameters(),
        lambda i: F.binary_cross_entropy_with_logits(net(x[rows[i]])[:, 0], goal[rows[i]]), len(rows), 1500, 512, seed,
    )  # fmt: skip
    net.eval()
    with torch.no_grad():
        score = net(x)[:, 0].numpy()
    test = np.concatenate([~train, ~train])
    order = score[test].argsort().argsort()
    good = goal.numpy()[test] > 0
    return float((order[good].mean() - order[~good].mean()) / len(order) + 0.5)


def spread_of(world: Array, image: Array) -> dict[str, list[float]]:
    """Percentiles 25, 50, 75, 90 of a frame's mean landmark error."""
    out = {}
    for name, a in (("world", world), ("image", image[..., :2]), ("depth", image[..., 2:])):
        length = np.linalg.norm(a, axis=-1).mean(axis=-1)
        out[name] = [round(float(v), 3) for v in np.percentile(length, [25, 50, 75, 90])]
    return out


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Fit the tracker's errors on tracked clips.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, default=NUMBERS)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--report", type=Path, help="JSON file for the comparison on clips left out")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    try:
        errors = errors_of(args.folder)
    except FigopError as error:
        print(error)
        return 1
    left = errors.clip // 2 % 10 == 9
    model = fit(errors.of(~left), steps=args.steps)
    model.save(args.output)
    model = TrackerModel.load(args.output)
    check = errors.of(left & errors.seen)
    world, image = drawn(model, check)
    rows = inputs(check.true, check.ray, check.size)
    flat = [np.concatenate([rows, w[:, 1:].reshape(len(w), -1), i.reshape(len(i), -1)], axis=1)
            for w, i in ((check.world, check.image), (world, image))]  # fmt: skip
    even = check.clip // 2 // 10 % 2 == 0
    said = {
        "bench": "tracker noise", "command": f"python -m export.models.fit {args.folder.name}",
        "frames": {"fitted": int((~left & errors.seen).sum()), "checked": len(check.clip)},
        "tracked": spread_of(check.world, check.image), "modelled": spread_of(world, image),
        "lost": {"tracked": round(float(1 - errors.seen[left].mean()), 4), "lost_s": round(model.lost_s, 3)},
        "auc": round(auc(flat[0], flat[1], train=even), 3),
    }  # fmt: skip
    print(json.dumps(said, indent=1))
    if args.report:
        args.report.write_text(json.dumps(said, indent=1) + "\n")
    print(f"{args.output}: fitted; next: figop train")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
