"""Heads of data sets: streams -> ticks and readings -> training -> traces -> spots. Research-only sets: recipes.

Seconds of a stream are ticks / 30; every reading is causal, as `edge.gestures.motion.MotionReader` has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from edge.gestures.motion import WIDTH, read_stream
from edge.gestures.spotter import SpotSettings, Spotter
from edge.model_features import PERSON_AXES
from edge.resample import TICK_HZ
from edge.skeleton import MIDDLE_MCP
from export.gestures.net import Net, NetSettings
from export.gestures.spotting import Span, Tally, judge, summary
from export.gestures.streams import Stream

Array = NDArray[np.float32]
REST = "REST"
_AXES = PERSON_AXES["egocentric"]


@dataclass(frozen=True, slots=True)
class HeadSettings:
    """How a head is trained.

    Attributes:
        steps, batch, crop: updates, crops of each, and ticks of a crop. rate: peak learning rate.
        quick, late: ticks by which the two outputs speak late. copies: altered versions of every stream.
        smooth: label smoothing. average: share of the running average of the weights that a step keeps.
    """

    steps: int = 600
    batch: int = 12
    crop: int = 300
    rate: float = 3e-3
    decay: float = 0.02
    quick: int = 3
    late: int = 12
    copies: int = 5
    smooth: float = 0.05
    average: float = 0.99
    seed: int = 0
    net: NetSettings = field(default_factory=NetSettings)


@dataclass(frozen=True, slots=True, eq=False)
class Ticks:
    """A stream at 30 Hz. x [T,WIDTH] float16; label [T] uint8, 0 = rest; weight [T] float16; spans: its truths."""

    x: NDArray[np.float16]
    label: NDArray[np.uint8]
    weight: NDArray[np.float16]
    spans: tuple[Span, ...]


def _small_turn(rng: np.random.Generator) -> Array:
    yaw, pitch, roll = rng.normal(0, np.radians([14.0, 9.0, 9.0]))
    c, s = np.cos([yaw, pitch, roll]), np.sin([yaw, pitch, roll])
    ry = np.array([[c[0], 0, s[0]], [0, 1, 0], [-s[0], 0, c[0]]])
    rx = np.array([[1, 0, 0], [0, c[1], -s[1]], [0, s[1], c[1]]])
    rz = np.array([[c[2], -s[2], 0], [s[2], c[2], 0], [0, 0, 1]])
    return np.asarray(ry @ rx @ rz, np.float32)


def ticks(
    stream: Stream,
    names: Sequence[str],
    rng: np.random.Generator | None = None,
    alter: Callable[[Array], Array] | None = None,
) -> Ticks:
    """Readings and labels of a stream. rng: another view, pace, proportions and jitter; alter: joints -> joints."""
    joints = stream.joints * _AXES
    pace = 1.0
    if rng is not None:
        pace = float(np.exp(rng.uniform(np.log(0.78), np.log(1.3))))
        joints = joints @ _small_turn(rng).T
        wrist = joints[:, :1]
        stretch = np.ones((21, 1), np.float32)
        stretch[1:] = np.repeat(rng.normal(1, 0.04, (5, 1)), 4, axis=0)
        joints = wrist + (joints - wrist) * stretch.astype(np.float32)
        jitter = rng.normal(0, 1, joints.shape).astype(np.float32) * np.float32(rng.uniform(0, 0.0015))
        joints = joints + jitter
    if alter is not None:
        joints = alter(joints)
    count = len(joints)
    at = np.arange(int(np.floor((count - 1) / stream.fps * TICK_HZ / pace)) + 1) / TICK_HZ * pace * stream.fps
    early = np.minimum(at.astype(int), count - 1)
    late, share = np.minimum(early + 1, count - 1), (at - early).astype(np.float32)[:, None, None]
    joints = joints[early] + share * (joints[late] - joints[early])
    local = joints - joints[:, :1]
    x = read_stream(local, joints[:, MIDDLE_MCP])
    label, weight = np.zeros(len(x), np.uint8), np.ones(len(x), np.float16)
    spans = []
    for e in stream.labels:
        start, end = e.first / stream.fps / pace, (e.last + 1) / stream.fps / pace
        spans.append(Span(e.name, start, end))
        a, z = (int(np.ceil(v * TICK_HZ)) for v in (start, end))
        label[a:z] = names.index(e.name)
        # short gestures are told by few ticks: each of them counts more
        weight[a:z] = np.clip(1.2 / (end - start), 0.6, 3.0)
    return Ticks(x.astype(np.float16), label, weight, tuple(spans))


def train_head(
    streams: Sequence[Stream], names: Sequence[str], settings: HeadSettings, log: Callable[[str], None] = print
) -> Net:
    """Train on streams; names[0] is rest."""
    s = settings
    torch.manual_seed(s.seed)
    rng = np.random.default_rng(s.seed)
    pool = [ticks(one, names, rng if k else None) for k in range(s.copies + 1) for one in streams]
    lengths = np.array([len(p.x) for p in pool], float)
    net = Net(WIDTH, len(names), s.net)
    mean = Net(WIDTH, len(names), s.net)
    mean.load_state_dict(net.state_dict())
    optimiser = torch.optim.AdamW(net.parameters(), lr=s.rate, weight_decay=s.decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, s.rate, s.steps, pct_start=0.15)
    lags = (s.quick, s.late)
    for step in range(s.steps):
        net.train()
        rows = rng.choice(len(pool), s.batch, p=lengths / lengths.sum())
        x = np.zeros((s.batch, s.crop, WIDTH), np.float32)
        y = np.zeros((s.batch, s.crop, 2), np.int64)
        w = np.zeros((s.batch, s.crop, 2), np.float32)
        for b, r in enumerate(rows):
            one = pool[r]
            a = int(rng.integers(0, max(len(one.x) - s.crop, 0) + 1))
            part = slice(a, a + s.crop)
            n = len(one.x[part])
            x[b, :n] = one.x[part]
            for k, lag in enumerate(lags):
                y[b, lag:n, k], w[b, lag:n, k] = one.label[part][: n - lag], one.weight[part][: n - lag]
        w[:, : min(30, s.crop // 4)] = 0  # what came before the crop is not known
        logits = net(torch.from_numpy(x))
        loss = F.cross_entropy(
            logits.flatten(0, 2), torch.from_numpy(y).flatten(), reduction="none", label_smoothing=s.smooth
        )
        weight = torch.from_numpy(w).flatten()
        loss = (loss * weight).sum() / weight.sum()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            share = min(s.average, (1 + step) / (10 + step))
            for old, new in zip(mean.state_dict().values(), net.state_dict().values(), strict=True):
                if old.dtype.is_floating_point:
                    old.lerp_(new, 1 - share)
                else:
                    old.copy_(new)
        if (step + 1) % 100 == 0:
            log(f"step {step + 1}: loss {loss.item():.3f}")
    mean.eval()
    return mean


@torch.no_grad()
def traces(net: Net, one: Ticks) -> Array:
    """Probabilities [T,2,labels] (quick, late)."""
    logits = net(torch.from_numpy(one.x.astype(np.float32))[None])[0]
    return np.asarray(torch.softmax(logits, dim=-1).numpy(), np.float32)


def spots(trace: Array, names: Sequence[str], settings: SpotSettings, lags: tuple[int, int]) -> list[Span]:
    """Final gestures of a trace, each with the time at which its label was first announced (for good)."""
    spotter = Spotter(tuple(names), settings, quick_lag=lags[0] / TICK_HZ, late_lag=lags[1] / TICK_HZ)
    first: dict[int, tuple[str, float]] = {}
    out = []

    def take(said: list[Any], t: float) -> None:
        for spot in said:
            if spot.final:
                if spot.confidence > 0:
                    label, told = first.get(spot.number, ("", t))
                    out.append(Span(spot.label, spot.start, spot.end, told if label == spot.label else t))
            elif first.get(spot.number, ("", 0.0))[0] != spot.label:
                first[spot.number] = (spot.label, t)

    for k, (quick, late) in enumerate(trace):
        take(spotter.push(k / TICK_HZ, quick, late), k / TICK_HZ)
    # the sensor goes on after the last row: rest follows
    rest = np.eye(len(names), dtype=np.float32)[0]
    for k in range(len(trace), len(trace) + lags[1] + 15):
        take(spotter.push(k / TICK_HZ, rest, rest), k / TICK_HZ)
    take(spotter.flush((len(trace) + lags[1] + 15) / TICK_HZ), len(trace) / TICK_HZ)
    return out


def _finals(trace: Array, names: Sequence[str], settings: SpotSettings, lags: tuple[int, int]) -> list[Span]:
    """What `spots` finds, without announcements, jumping over ticks at which nothing can open: for `choose`."""
    spotter = Spotter(tuple(names), settings, late_lag=lags[1] / TICK_HZ)
    rest = np.eye(len(names), dtype=np.float32)[0]
    late = np.concatenate([trace[:, 1], np.tile(rest, (lags[1] + 15, 1))])
    opens = np.flatnonzero(1 - late[:, 0] >= settings.enter)
    out, k = [], 0
    while k < len(late):
        if not spotter.open:
            at = int(np.searchsorted(opens, k))
            if at == len(opens):
                break
            k = int(opens[at])
        out += [s for s in spotter.push(k / TICK_HZ, rest, late[k]) if s.confidence > 0]
        k += 1
    out += [s for s in spotter.flush(len(late) / TICK_HZ) if s.confidence > 0]
    return [Span(s.label, s.start, s.end) for s in out]


def evaluate(
    all_traces: Sequence[Array], truths: Sequence[Sequence[Span]], names: Sequence[str], settings: SpotSettings,
    lags: tuple[int, int],
) -> dict[str, Any]:  # fmt: skip
    """Figures of `export.gestures.spotting` over streams."""
    tallies: dict[str, Tally] = {}
    delays: list[float] = []
    for trace, truth in zip(all_traces, truths, strict=True):
        delays += judge(truth, spots(trace, names, settings, lags), tallies)
    return summary(tallies, delays)


#: what `choose` tries, one number after another
GRID: dict[str, tuple[float, ...]] = {
    "enter": (0.4, 0.5, 0.6, 0.7, 0.8),
    "sure": (0.2, 0.3, 0.4, 0.5, 0.6),
    "leave": (0.15, 0.25, 0.35, 0.5),
    "least_s": (0.07, 0.13, 0.2, 0.27),
    "patience_s": (0.1, 0.2, 0.33),
}


def choose(
    all_traces: Sequence[Array], truths: Sequence[Sequence[Span]], names: Sequence[str], lags: tuple[int, int],
    start: SpotSettings | None = None, rounds: int = 1,
) -> SpotSettings:  # fmt: skip
    """Spotter settings with the best Jaccard index on these traces, found one number at a time."""
    from dataclasses import replace

    best = start or SpotSettings()

    def goal(settings: SpotSettings) -> float:
        tallies: dict[str, Tally] = {}
        for trace, truth in zip(all_traces, truths, strict=True):
            judge(truth, _finals(trace, names, settings, lags), tallies)
        return _goal(summary(tallies, ()))

    score = goal(best)
    for _ in range(rounds):
        for name, values in GRID.items():
            for value in values:
                trial = replace(best, **{name: value})  # type: ignore[arg-type]
                if trial.leave > trial.enter or trial == best:
                    continue
                found = goal(trial)
                if found > score:
                    best, score = trial, found
    return best


#: settings that `choose` found on the cross-validation's traces of each set (`figop eval spotting`)
SPOTTERS: dict[str, SpotSettings] = {"shrec21": SpotSettings(enter=0.4, leave=0.25, sure=0.5)}


def spotter_of(name: str) -> SpotSettings:
    """A head's spotter settings."""
    return SPOTTERS.get(name, SpotSettings())


def _goal(figures: dict[str, Any]) -> float:
    return (
        float(figures["jaccard"]) + 0.3 * float(figures["detection_rate"]) - 0.3 * float(figures["false_positive_rate"])
    )
