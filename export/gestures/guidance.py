"""Fine-grained semantic guidance of the finger reader: texts of attributes guide its middle, texts of classes its end.

    python -m export.gestures.guidance -o edge/gestures/reader.npz [--ablation results/gestures_guidance.json]

Labels are vectors: the sum of what frozen sentence vectors of their attributes (motion, contact) and of their class
project to (`export.gestures.text`). Training is coarse to fine: classes from the start, the attributes of the middle
layer ramp up over the first third. On the device attribute vectors are left, of which labels are composed.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edge.bundle import Bundle
from edge.encoder import LAG
from edge.files import write_whole
from edge.gestures.reader import LISTS
from edge.provenance import versions
from export.gestures.evaluate import simulated, top1_of_reader
from export.gestures.guided import GuideNet, GuideSettings, fold, labels, loss_of, tables, targets_of
from export.gestures.material import Material, load
from export.gestures.performed import zero_shot

#: hands that training leaves out, and ticks of a window
HELD, LENGTH = 120, 72
PROVENANCE = "simulated performances and everyday hands, the fitted tracker's errors, all-MiniLM-L6-v2; no real data"


def train(
    s: GuideSettings, scenes: Material, everyday: Material, say: Callable[[str], None] = lambda text: None
) -> GuideNet:
    """Train on all but the last hands of `scenes`."""
    torch.manual_seed(s.seed)
    rng = np.random.default_rng(s.seed)
    known = labels()
    table, net = tables(known), GuideNet(known, s)
    optimiser = torch.optim.AdamW(net.parameters(), lr=s.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, s.rate, s.steps, pct_start=0.1)
    idle = round(s.batch * s.everyday)
    for step in range(s.steps):
        a = scenes.crops(rng, rng.integers(len(scenes) - HELD, size=s.batch - idle), LENGTH)
        b = everyday.crops(rng, rng.integers(len(everyday), size=idle), LENGTH)
        x, y, seen = (np.concatenate(both) for both in zip(a, b, strict=True))
        target = {n: torch.from_numpy(v) for n, v in targets_of(y, table).items()}
        ramp = s.fine * min(1.0, 3 * step / s.steps)
        loss = loss_of(net(torch.from_numpy(x)), target, torch.from_numpy(seen.astype(np.float32)), net, ramp)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            say(f"step {step}: loss {float(loss.detach()):.2f}")
    return net.eval()


@torch.no_grad()
def figures(net: GuideNet, held: Material) -> dict[str, float]:
    """Of ticks at which something happens, the share that is named; of the others, the share called something."""
    out = net(torch.from_numpy(held.x.astype(np.float32)))
    target = targets_of(held.y, tables(net.known))
    rows: dict[str, float] = {}
    for n in LISTS:
        said: Tensor = out[n].argmax(-1)
        told = (said.transpose(1, 2) if said.ndim == 3 else said).numpy()[:, LAG:]
        goal, seen = target[n][:, :-LAG], held.present[:, LAG:]
        seen = seen[..., None] & np.ones_like(goal, bool) if goal.ndim == 3 else seen
        acts = (goal > 0) & seen
        rows[f"{n}_named"] = round(float((told[acts] == goal[acts]).mean()), 4)
        rows[f"{n}_invented"] = round(float((told[~acts & seen] > 0).mean()), 4)
    return rows


#: the ablation's rows: (class text, attribute text)
ABLATION = {
    "labels only": (False, False), "+ class text": (True, False), "+ attribute text": (False, True),
    "both": (True, True),
}  # fmt: skip


def ablation(scenes: Material, everyday: Material, steps: int, seed: int, work: Path) -> dict[str, Any]:
    """Every row trained alike, judged on hands that training left out and on the simulated zero-shot gestures."""
    out: dict[str, Any] = {}
    bundle, ten = Bundle.open("figop-base"), zero_shot()
    for name, (whole, parts) in ABLATION.items():
        s = GuideSettings(class_text=whole, attribute_text=parts, steps=steps, seed=seed)
        net = train(s, scenes, everyday)
        reader = fold(net, {})
        clips = simulated(ten, bundle, reader, work)
        out[name] = {**figures(net, scenes.last(HELD)), "zero_shot_top1": top1_of_reader(reader, clips, ten)}
        print(name, out[name], flush=True)
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train the finger reader that sentences and examples are read with.")
    parser.add_argument("--steps", type=int, default=GuideSettings().steps)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, default=Path("out/gestures"), help="where material is kept")
    parser.add_argument("-o", "--output", type=Path, help="reader.npz to write")
    parser.add_argument("--ablation", type=Path, metavar="FILE.json")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    scenes, everyday = load("scenes", args.work), load("everyday", args.work)
    if args.output:
        s = GuideSettings(steps=args.steps, seed=args.seed)
        net = train(s, scenes, everyday, lambda text: print(text, flush=True))
        about = {"provenance": PROVENANCE, "steps": s.steps, "seed": s.seed}
        write_whole(args.output, fold(net, about).to_bytes())
        print(args.output, figures(net, scenes.last(HELD)))
    if args.ablation:
        report = {
            "schema": 2, "command": f"python -m export.gestures.guidance --ablation --steps {args.steps}",
            "versions": versions(("numpy", "torch")), "hands": len(scenes), "everyday_hands": len(everyday),
            "settings": asdict(GuideSettings(steps=args.steps, seed=args.seed)),
            "rows": ablation(scenes, everyday, args.steps, args.seed, args.work),
        }  # fmt: skip
        write_whole(args.ablation, (json.dumps(report, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
