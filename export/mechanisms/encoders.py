"""Two studies of the encoder at the small size: motion adapters with slow/fast co-training, and distillation.

Clips are cached twice: as the fitted tracker sees them, and as they are. Students see the first; the teacher, wider and
looking both ways in time, sees the second (privileged).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from edge.decode import COLUMNS, decode
from edge.encoder import LAG
from edge.resample import TICK_HZ
from edge.score import Score
from edge.targets import SLOT_WIDTH, SLOTS
from export.data.scenes import draw_scene
from export.judge.match import Counts, match_events
from export.mechanisms.material import SECONDS
from export.models.encoder import Block, Encoder, EncoderConfig, probabilities, to_parts
from export.models.losses import Batch, frame_losses, total
from export.models.trainer import TrainSettings, rate_at
from export.sim.batch import feasible, ticks_of, track, truth
from export.sim.noise import NoiseSettings
from export.sim.tracker_model import TrackerModel

Array = NDArray[np.float32]

#: the small size: a quarter of the shipped encoder's weights
SMALL = EncoderConfig(token=32, context=64, hidden=48, embed=48)
#: of the teacher: the shipped size
WIDE = EncoderConfig()
#: seed of the cached training clips
SEED = 41
#: every so many ticks the slow path looks
SLOW = 4
#: distillation: temperature of the logits, weights of their divergence and of the feature's
HEAT, LOGIT, FEATURE = 2.0, 1.0, 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """N clips of hands: features as tracked and exact [N,T,6,54] float16, targets [N,T,7,6], present, moving [N,T]."""

    seen: NDArray[np.float16]
    exact: NDArray[np.float16]
    targets: NDArray[np.uint8]
    present: NDArray[np.bool_]
    moving: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.seen)


def simulated(count: int, seed: int = SEED) -> Clips:
    """At least `count` hands of training programs."""
    rng = np.random.default_rng(seed)
    settings, tracker, length = NoiseSettings.load(), TrackerModel.load(), int(SECONDS * TICK_HZ)
    parts: list[tuple[Any, ...]] = []
    made = 0
    while made < count:
        scenes, plans = feasible([draw_scene(rng) for _ in range(16)], rng)
        fps = 30.0 if rng.random() < 0.4 else float(rng.uniform(15, 60))
        seed_of = int(rng.integers(2**62))
        views = [
            ticks_of(track(scenes, plans, np.random.default_rng(seed_of), settings, fps=fps, level=level,
                           sources=False, tracker=tracker if level else None), length)
            for level in (1.0, 0.0)
        ]  # fmt: skip
        targets, moving = truth([s.score for s in scenes], length)
        used = np.argwhere(views[0][1].any(axis=1))
        made += len(used)

        def by_hand(a: NDArray[Any], at: NDArray[np.intp] = used) -> NDArray[Any]:
            return a.swapaxes(1, 2)[tuple(at.T)]

        parts.append((
            by_hand(views[0][0]).astype(np.float16), by_hand(views[1][0]).astype(np.float16), by_hand(targets),
            by_hand(views[0][1]), by_hand(moving),
        ))  # fmt: skip
    return Clips(*(np.concatenate(c) for c in zip(*parts, strict=True)))


@torch.no_grad()
def retold(clips: Clips, master: Encoder) -> Clips:
    """The same clips with the score that the teacher reads from exact landmarks as their truth."""
    length = clips.seen.shape[1]
    idle = np.zeros((length, 1, len(SLOTS), SLOT_WIDTH), np.float32)
    for columns in COLUMNS.values():
        idle[..., columns.start] = 1.0
    targets, moving = np.empty_like(clips.targets), np.empty_like(clips.moving)
    times = (np.arange(length) - LAG) / TICK_HZ
    for i in range(0, len(clips), 64):
        logits, _, _ = master(torch.from_numpy(clips.exact[i : i + 64]).float())
        for k, probs in enumerate(probabilities(logits).numpy()):
            score = decode(times, np.concatenate([probs[:, None], idle], axis=1))
            made = truth([score], length)
            targets[i + k], moving[i + k] = made[0][0, :, 0], made[1][0, :, 0]
    return replace(clips, targets=targets, moving=moving)


class _BothWays(Block):
    """A block that sees t - d, t and t + d."""

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        d, length = self.dilation, h.shape[1]
        padded = F.pad(h, (0, 0, 0, 0, d, d))
        taps = to_parts(self.taps)
        u = padded[:, :length] * taps[0] + h * taps[1] + padded[:, 2 * d : 2 * d + length] * taps[2]
        change, context = self.mix(F.relu(self.norm_taps(u)))
        return F.relu(h + change), context


def teacher() -> Encoder:
    """Wider, and it looks both ways."""
    made = Encoder(WIDE)
    made.blocks = nn.ModuleList(_BothWays(WIDE, d) for d in WIDE.dilations)
    return made


class Adapter(nn.Module):
    """EgoVideo's motion adapter on tokens [N,T,6,C], causal: down, a depthwise tap of three over time beside the
    identity, up; nothing at the start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        low = width // 2
        self.down, self.point, self.up = nn.Linear(width, low), nn.Linear(low, low), nn.Linear(low, width)
        self.taps = nn.Parameter(torch.randn(3, low) * 0.3)
        self.taps_bias = nn.Parameter(torch.zeros(low))
        self.gain = nn.Parameter(torch.ones(()))
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, h: Tensor) -> Tensor:
        z = F.gelu(self.down(h))
        length = z.shape[1]
        padded = F.pad(z, (0, 0, 0, 0, 2, 0))
        y = sum(padded[:, k : k + length] * self.taps[k] for k in range(3)) + self.taps_bias
        return h + self.gain * self.up(z + self.point(y))


class Adapted(nn.Module):
    """An encoder with an adapter after every block; slow: its blocks learn from every fourth tick alone, and the dense
    path borrows their weights without changing them, so that only adapters and heads learn from it."""

    def __init__(self, config: EncoderConfig, slow: bool) -> None:
        super().__init__()
        self.encoder, self.slow = Encoder(config), slow
        self.adapters = nn.ModuleList(Adapter(config.token) for _ in config.dilations)

    def _enter(self, x: Tensor) -> Tensor:
        e = self.encoder
        return F.relu(e.enter(e.norm(x.flatten(-2)).unflatten(-1, x.shape[-2:])))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What runs on a device: the dense path with adapters."""
        h = self._enter(x)
        if self.training and self.slow:
            h = h.detach()
        context = x
        for block, adapter in zip(self.encoder.blocks, self.adapters, strict=True):
            if self.training and self.slow:
                own = {n: p.detach() for n, p in block.named_parameters()}
                h, context = functional_call(block, own, (h,))
            else:
                h, context = block(h)
            h = adapter(h)
        return self.encoder.read(h, context)

    def sparse(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The slow path [N,T/4,...]: plain blocks on every fourth tick; running norms are left to the dense path."""
        h = self._enter(x[:, ::SLOW])
        context = x
        for block in self.encoder.blocks:
            kept = {n: b.clone() for n, b in block.named_buffers()}
            h, context = functional_call(block, {**dict(block.named_parameters()), **kept}, (h,))
        return self.encoder.read(h, context)


@dataclass(frozen=True, slots=True)
class Lesson:
    """How an encoder learns. logit, feature: weights of what it copies from the teacher; 0 = nothing. sequence: its
    targets are the scores that the teacher decodes, not the true ones."""

    steps: int = 400
    batch: int = 64
    rate: float = 3e-3
    seed: int = 0
    logit: float = 0.0
    feature: float = 0.0
    sequence: bool = False


def _batch(clips: Clips, rows: NDArray[np.intp], exact: bool) -> tuple[Tensor, Batch]:
    features = torch.from_numpy((clips.exact if exact else clips.seen)[rows]).float()
    none = torch.zeros(0)
    batch = Batch(
        features, torch.from_numpy(clips.targets[rows]), torch.from_numpy(clips.present[rows]),
        torch.from_numpy(clips.moving[rows]), *[none] * 7,
    )  # fmt: skip
    return features, batch


def learn(
    model: nn.Module, clips: Clips, lesson: Lesson, *, exact: bool = False, master: Encoder | None = None,
    log: Callable[[int, float], None] | None = None,
) -> nn.Module:  # fmt: skip
    """Train an encoder on the clips, as tracked or exact, with a teacher where there is one."""
    copies = nn.Linear(SMALL.embed, WIDE.embed) if master is not None and lesson.feature else None
    params = [*model.parameters(), *(copies.parameters() if copies else ())]
    optimiser = torch.optim.AdamW(params, lr=lesson.rate, weight_decay=0.02, betas=(0.9, 0.98))
    if master is not None and lesson.sequence:
        clips = retold(clips, master)
    rng = np.random.default_rng((lesson.seed, 8))
    schedule = TrainSettings(steps=lesson.steps, rate=lesson.rate, warm=max(lesson.steps // 12, 1))
    model.train()
    for step in range(lesson.steps):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, schedule)
        rows = np.sort(rng.choice(len(clips), lesson.batch, replace=False))
        x, batch = _batch(clips, rows, exact)
        logits, moving, embedding = model(x)
        loss = total(frame_losses(logits, moving, batch)[0])
        if isinstance(model, Adapted) and model.slow:
            loss = loss + _slow_loss(model, x, batch)
        if master is not None and (lesson.logit or copies is not None):
            with torch.no_grad():
                wanted, _, shown = master(_batch(clips, rows, True)[0])
            here = batch.present[:, :-LAG]
            said, wanted = logits[:, LAG:][here], wanted[:, LAG:][here]
            if lesson.logit:
                loss = loss + lesson.logit * divergence(said, wanted)
            if copies is not None:
                error = copies(embedding[:, LAG:][here]) - shown[:, LAG:][here]
                loss = loss + lesson.feature * error.square().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimiser.step()
        if log and step % 50 == 49:
            log(step + 1, loss.item())
    return model.eval()


def _slow_loss(model: Adapted, x: Tensor, batch: Batch) -> Tensor:
    """The heads' loss on every fourth tick: what speaks at tick t of tick t - LAG is asked of the same ticks."""
    logits, moving, _ = model.sparse(x)
    wide = [a.repeat_interleave(SLOW, dim=1)[:, : x.shape[1]] for a in (logits, moving)]
    return total(frame_losses(wide[0], wide[1], batch)[0])


def divergence(said: Tensor, wanted: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the motion heads at a temperature. [K,7,S] each; 7 slots summed."""
    at = COLUMNS["motion"]
    a, b = F.log_softmax(said[..., at] / HEAT, -1), F.softmax(wanted[..., at] / HEAT, -1)
    return HEAT**2 * F.kl_div(a, b, reduction="none").sum(-1).mean() * 7


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A clip to be judged: features as tracked and exact [T,2,6,54], present [T,2], score."""

    seen: Array
    exact: Array
    present: NDArray[np.bool_]
    score: Score


@torch.no_grad()
def events_of(model: nn.Module, features: Array) -> Score:
    """The score that an encoder reads from [T,2,6,54]."""
    logits, _, _ = model(torch.from_numpy(np.ascontiguousarray(features.swapaxes(0, 1), np.float32)))
    probs = probabilities(logits).numpy().swapaxes(0, 1)
    return decode((np.arange(len(probs)) - LAG) / TICK_HZ, probs)


def judged(model: nn.Module, clips: Iterable[Judged], *, exact: bool = False) -> list[Counts]:
    """Counts of section 8's event match by clip."""
    return [match_events(c.score, events_of(model, c.exact if exact else c.seen))[1] for c in clips]


def figures(counts: Sequence[Counts], seed: int = 0) -> dict[str, Any]:
    """F1 with a 95 % bootstrap interval over clips, precision, recall."""
    rng = np.random.default_rng(seed)
    rows = np.array([(c.matched, c.reference, c.predicted) for c in counts])
    some = rows[rng.integers(len(rows), size=(1000, len(rows)))].sum(axis=1)
    low, high = np.quantile(2 * some[:, 0] / np.maximum(some[:, 1] + some[:, 2], 1), [0.025, 0.975])
    whole = sum(counts, Counts())
    return {
        "clips": len(counts), "f1": round(whole.f1, 4), "f1_95": [round(float(low), 4), round(float(high), 4)],
        "precision": round(whole.precision, 4), "recall": round(whole.recall, 4),
    }  # fmt: skip
