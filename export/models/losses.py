"""What the student is trained to say."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from edge.captioner import END
from edge.encoder import LAG, MOVING_LAG
from edge.targets import ATTRIBUTES
from export.models.student import Student

#: weight of each head; what something does is worth most
_WEIGHTS = {"motion": 1.0, "direction": 0.3, "contact": 0.3, "extent": 0.1, "speed": 0.1, "repeat": 0.15}
#: nothing moves most of the time: counted half, so that short events are not drowned
_NONE = 0.5


@dataclass(slots=True)
class Batch:
    """`export.data.feed.TrainBatch` as tensors."""

    features: Tensor
    targets: Tensor
    present: Tensor
    moving: Tensor
    rows: Tensor
    first: Tensor
    last: Tensor
    tokens: Tensor
    told: Tensor
    appearance: Tensor
    has: Tensor


def frame_losses(logits: Tensor, moving: Tensor, batch: Batch) -> tuple[dict[str, Tensor], dict[str, float]]:
    """Losses of the heads, and shares of right answers. logits [N,T,7,S], moving [N,T]."""
    said, truth = logits[:, LAG:], batch.targets[:, :-LAG].long()
    seen = batch.present[:, :-LAG]
    said, truth = said[seen], truth[seen]  # [K,7,S], [K,7,6]
    losses, busy = {}, truth[..., 0] > 0
    parts = dict(zip(ATTRIBUTES, said.split(tuple(ATTRIBUTES.values()), dim=-1), strict=True))
    for i, (name, part) in enumerate(parts.items()):
        if name == "motion":
            weight = torch.where(busy, 1.0, _NONE)
            losses[name] = (F.cross_entropy(part.transpose(1, 2), truth[..., i], reduction="none") * weight).mean() * 7
        else:
            rows = part[busy]
            losses[name] = F.cross_entropy(rows, truth[..., i][busy]) if len(rows) else rows.sum()
    goal = batch.moving[:, :-MOVING_LAG].float()
    here = batch.present[:, MOVING_LAG:]
    losses["moving"] = F.binary_cross_entropy_with_logits(moving[:, MOVING_LAG:][here], goal[here])
    guess = parts["motion"].argmax(-1)
    right = ((guess == truth[..., 0]) & busy).sum().item()
    f1 = 2 * right / max((guess > 0).sum().item() + busy.sum().item(), 1)
    return losses, {"frame_f1": f1}


def caption_loss(
    student: Student, embedding: Tensor, logits: Tensor, batch: Batch, *, noise: float = 0.0
) -> tuple[Tensor, float]:
    """Cross-entropy of the captions, and the share of right words."""
    ticks = student.config.units.ticks
    which = torch.nonzero(batch.told)[:, 0]
    # a multiple of four clips and of four units: few shapes, so that kernels are built once
    which = which[: max(len(which) // 4 * 4, 1)]
    length = int((batch.last - batch.first)[which].max())
    units = -(-length // (4 * ticks)) * 4
    at = batch.first[which, None] + torch.arange(units * ticks, device=which.device)  # [B, U*15]
    inside = at < batch.last[which, None]
    at = at.clamp(max=embedding.shape[1] - 1)
    rows = batch.rows[which]
    there = rows < len(embedding)
    rows = rows.clamp(max=len(embedding) - 1)
    pick = rows[:, None, :].expand(-1, at.shape[1], -1), at[..., None].expand(-1, -1, 2)
    mask = (inside[..., None] & there[:, None]).float()
    picked = logits[pick] * mask[..., None, None], embedding[pick] * mask[..., None]
    if noise:
        picked = picked[0] + noise * torch.randn_like(picked[0]), picked[1]
    seen, has = batch.appearance[which].float(), batch.has[which]
    if seen.shape[1] < units:
        seen, has = F.pad(seen, (0, 0, 0, 0, 0, units - seen.shape[1])), F.pad(has, (0, 0, 0, units - has.shape[1]))
    memory = student.memory(picked[1], picked[0], mask, seen[:, :units], has[:, :units])
    whole = mask.reshape(len(which), units, ticks, 2).amax(2)  # [B,U,2]
    known = whole.repeat_interleave(student.config.units.tokens // 2, dim=2).flatten(1)
    tokens = batch.tokens[which]
    said = student.decoder(memory, known, tokens[:, :-1])
    goal = tokens[:, 1:]
    counts = torch.cumsum(goal == END, dim=1) <= 1
    said = said.float()
    loss = F.cross_entropy(said[counts], goal[counts])
    return loss, (said.argmax(-1) == goal)[counts].float().mean().item()


def total(losses: dict[str, Tensor]) -> Tensor:
    """One number to descend."""
    out = 0.3 * losses["moving"]
    for name, weight in _WEIGHTS.items():
        out = out + weight * losses[name]
    return out
