"""Phrases whose answer needs the picture: a hand closes on a thing, or just so on nothing (`export.sim.taking`).

The landmarks of both are alike, so "grabs the object" against "closes into a fist" is decided by the keyframe alone;
half of the clips have the thing, so who cannot see says one of them always, or guesses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from edge.objects.event import GRASPS
from edge.objects.grasp import SHAPES, GraspTrace, shipped
from edge.recording import Recording
from edge.score import HANDS
from export.data.pairs import score_of
from export.mechanisms.telling import Told, understood
from export.models.student import Student
from export.objects.fit import load

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Of every closing hand that was asked for: there [N] the thing is; named [N] a closing of that hand was told; said
    [N] with a thing."""

    there: Flags
    named: Flags
    said: Flags

    def right(self, rows: Any = slice(None)) -> float:
        """Share of the asked that were named and told with a thing where there is one, without where there is none."""
        there, named, said = self.there[rows], self.named[rows], self.said[rows]
        return float((named & (said == there)).mean())

    def figures(self) -> dict[str, float | int]:
        """A row of the results; `right_of_named` is a half for who cannot see."""
        named = self.named
        return {
            "closings": len(named), "named": round(float(named.mean()), 4), "right": round(self.right(), 4),
            "right_of_named": round(self.right(named), 4) if named.any() else 0.0,
            "said_with_thing": round(float(self.said[named].mean()), 4) if named.any() else 0.0,
        }  # fmt: skip


def taught_keys(student: Student, pictures: Path, *, steps: int = 400, seed: int = 0) -> float:
    """Let the layer that reads keyframe features learn first what single pictures of `export.sim.held` show: whether a
    hand holds, how, and what shape. Returns the share of pictures that were kept aside whose holding it then tells.

    Raises SourceError where there are no such pictures.
    """
    torch.manual_seed(seed)
    learn, check = load(pictures, "train"), load(pictures, "choose")
    see, sizes = student.units.see, (1, len(GRASPS), len(SHAPES))
    head = nn.Linear(student.config.units.width, sum(sizes))
    feature = torch.from_numpy(learn.feature.astype(np.float32))
    holding, grasp, shape = (torch.from_numpy(np.asarray(a)) for a in (learn.holding, learn.grasp, learn.shape))
    optimiser = torch.optim.AdamW([*see.parameters(), *head.parameters()], lr=1e-3, weight_decay=0.05)
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        rows = torch.from_numpy(rng.integers(len(feature), size=256))
        held, how, what = head(see(feature[rows])).split(sizes, dim=-1)
        loss = F.binary_cross_entropy_with_logits(held[:, 0], holding[rows].float())
        loss = loss + 0.5 * F.cross_entropy(what, shape[rows].long())
        used = holding[rows]
        loss = loss + 0.5 * F.cross_entropy(how[used], grasp[rows][used].long())
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        told = head(see(torch.from_numpy(check.feature.astype(np.float32))))[:, 0] > 0
    return float((told.numpy() == check.holding).mean())


def answers(lines: Sequence[Told]) -> Answers:
    """What was told of every closing hand of these phrases."""
    rows = []
    for line in lines:
        told = understood(line.text)
        for event in line.phrase.score:
            if event.motion == "grab":
                same = [e for e in told if e.motion == "grab" and e.hand == event.hand]
                rows.append((event.contact == "object", bool(same), any(e.contact == "object" for e in same)))
    there, named, said = (np.array(c, bool) for c in zip(*rows, strict=True))
    return Answers(there, named, said)


def gain(a: Sequence[Answers], b: Sequence[Answers], rounds: int = 1000, seed: int = 0) -> tuple[float, float, float]:
    """How much more of the asked `a` has right than `b`, runs paired, and its 95 % interval over the closings."""
    rng = np.random.default_rng(seed)
    more = np.stack([(x.named & (x.said == x.there)).astype(float) for x in a])
    less = np.stack([(x.named & (x.said == x.there)).astype(float) for x in b])
    each = (more - less).mean(axis=0)
    found = [each[rows].mean() for rows in rng.integers(len(each), size=(rounds, len(each)))]
    low, high = np.quantile(found, [0.025, 0.975])
    return round(float(each.mean()), 4), round(float(low), 4), round(float(high), 4)


def by_head(clips: Sequence[Path]) -> dict[str, float | int]:
    """What the shipped grasp head says of the same closings, by all keyframes after each: how well the keyframe tells a
    thing from none at all. `auc`: a half is a guess."""
    rows = []
    for path in clips:
        seen = Recording.load(path)
        trace = GraspTrace(shipped(), seen.appearance_digest)
        for frame in seen.frames():
            trace.push(frame)
        for event in score_of(seen):
            looks = [g.holding for g in trace.looks[HANDS.index(event.hand)] if g.t >= event.end]
            if event.motion == "grab" and looks:
                sure = np.clip(looks, 1e-6, 1 - 1e-6)
                rows.append((event.contact == "object", float(np.log(sure / (1 - sure)).mean())))
    there, odds = np.array([r[0] for r in rows], bool), np.array([r[1] for r in rows])
    auc = (odds[there][:, None] > odds[~there][None]).mean()
    return {"closings": len(rows), "right": round(float(((odds > 0) == there).mean()), 4), "auc": round(float(auc), 4)}
