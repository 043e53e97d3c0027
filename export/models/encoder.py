"""Frame encoder: part tokens -> causal dilated separable convolutions over time -> attributes of every slot.

Five finger tokens share all their weights, and only their own coordinates tell them apart: what one finger learns,
all can do, also in combinations that were never trained. A palm token has its own weights. A context vector of all
six tokens is given back to them in every block. In training whole clips run at once; on the
device `EncoderStep` runs one tick with its state in and out, BatchNorm folded away.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.model_features import PARTS, WIDTH
from edge.targets import ATTRIBUTES, SLOT_WIDTH, SLOTS


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """Sizes. `dilations`: one block each, 3 taps; receptive field = 1 + 2 * sum ticks."""

    token: int = 64
    context: int = 128
    hidden: int = 96
    embed: int = 96
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16)

    @property
    def memory(self) -> int:
        """Ticks of state."""
        return 2 * sum(self.dilations)


class _Norm(nn.BatchNorm1d):
    """BatchNorm over the last axis of [..., C]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.reshape(-1, x.shape[-1])).reshape(x.shape)

    def scale_shift(self) -> tuple[Tensor, Tensor]:
        """(scale, shift) that inference applies."""
        mean, variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        scale = self.weight / torch.sqrt(variance + self.eps)
        return scale, self.bias - mean * scale


class PartLinear(nn.Module):
    """Linear on tokens [..., 6, C]: one set of weights for the five fingers, one for the palm."""

    def __init__(self, width: int, out: int, bias: bool = True) -> None:
        super().__init__()
        self.finger = nn.Linear(width, out, bias=bias)
        self.palm = nn.Linear(width, out, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((self.finger(x[..., :5, :]), self.palm(x[..., 5:, :])), dim=-2)


def to_parts(x: Tensor) -> Tensor:
    """What fingers and the palm have [..., 2, C] -> every part's [..., 6, C]: the five fingers have the same."""
    return torch.cat((x[..., :1, :].expand(*x.shape[:-2], 5, x.shape[-1]), x[..., 1:, :]), dim=-2)


class Block(nn.Module):
    """Depthwise taps over time, pointwise and context mixing, residual."""

    def __init__(self, c: EncoderConfig, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.taps = nn.Parameter(torch.randn(3, 2, c.token) * 0.5)  # of fingers, of the palm
        self.norm_taps = _Norm(c.token)
        self.point = PartLinear(c.token, c.token, bias=False)
        self.gather = nn.Linear(PARTS * c.token, c.context, bias=False)
        self.norm_context = _Norm(c.context)
        self.spread = nn.Linear(c.context, 2 * c.token, bias=False)  # to fingers, to the palm
        self.norm = _Norm(c.token)

    def mix(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """u [..., 6, C] -> (change of the tokens, context)."""
        context = F.relu(self.norm_context(self.gather(u.flatten(-2))))
        return self.norm(self.point(u) + to_parts(self.spread(context).unflatten(-1, (2, -1)))), context

    def forward(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """h [N,T,6,C], causal: tick t sees t, t - d, t - 2d."""
        d, length = self.dilation, h.shape[1]
        padded = F.pad(h, (0, 0, 0, 0, 2 * d, 0))
        taps = to_parts(self.taps)
        u = padded[:, :length] * taps[0] + padded[:, d : d + length] * taps[1] + h * taps[2]
        change, context = self.mix(F.relu(self.norm_taps(u)))
        return F.relu(h + change), context


class Encoder(nn.Module):
    """Clips of one hand each -> logits.

    forward(x [N,T,6,30]) -> (logits [N,T,7,slot width], moving [N,T], embedding [N,T,embed]). The logits of tick t
    speak of tick t - LAG (`edge.encoder`); `moving` speaks of tick t.
    """

    def __init__(self, config: EncoderConfig | None = None) -> None:
        super().__init__()
        c = self.config = config or EncoderConfig()
        self.norm = _Norm(PARTS * WIDTH)
        self.enter = PartLinear(WIDTH, c.token)
        self.blocks = nn.ModuleList(Block(c, d) for d in c.dilations)
        self.hidden = PartLinear(c.token, c.hidden)
        self.hidden_context = nn.Linear(c.context, c.hidden, bias=False)
        self.finger = nn.Linear(c.hidden, SLOT_WIDTH)
        self.hand = nn.Linear(c.hidden, SLOT_WIDTH * (len(SLOTS) - 5))
        self.moves = nn.Linear(c.hidden, 1)
        self.embed = nn.Linear(PARTS * c.token, c.embed)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        h = F.relu(self.enter(self.norm(x.flatten(-2)).unflatten(-1, (PARTS, WIDTH))))
        context = x
        for block in self.blocks:
            h, context = block(h)
        return self.read(h, context)

    def read(self, h: Tensor, context: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens [...,6,C] and context -> logits, moving, embedding."""
        wide = F.relu(self.hidden(h) + self.hidden_context(context).unsqueeze(-2))
        fingers, palm = self.finger(wide[..., :5, :]), self.hand(wide[..., 5, :])
        logits = torch.cat((fingers, palm.unflatten(-1, (len(SLOTS) - 5, SLOT_WIDTH))), dim=-2)
        return logits, self.moves(wide[..., 5, :])[..., 0], F.relu(self.embed(h.flatten(-2)))


class _FoldedBlock(nn.Module):
    """A block for inference: its three norms folded into their neighbours."""

    def __init__(self, block: Block, c: EncoderConfig) -> None:
        super().__init__()
        self.dilation = block.dilation
        self.point = PartLinear(c.token, c.token, bias=False)
        self.gather, self.spread = nn.Linear(PARTS * c.token, c.context), nn.Linear(c.context, 2 * c.token)
        scale, shift = block.norm_taps.scale_shift()
        self.taps = nn.Parameter(to_parts(block.taps * scale).contiguous())
        self.taps_bias = nn.Parameter(shift.clone())
        scale, shift = block.norm_context.scale_shift()
        self.gather.weight.copy_(block.gather.weight * scale[:, None])
        self.gather.bias.copy_(shift)
        scale, shift = block.norm.scale_shift()
        self.point.finger.weight.copy_(block.point.finger.weight * scale[:, None])
        self.point.palm.weight.copy_(block.point.palm.weight * scale[:, None])
        self.spread.weight.copy_(block.spread.weight * scale.repeat(2)[:, None])
        self.spread.bias.copy_(shift.repeat(2))

    def forward(self, old: Tensor, middle: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens [2,6,C] of 2d and d ticks ago, and now -> tokens, context."""
        u = F.relu(old * self.taps[0] + middle * self.taps[1] + h * self.taps[2] + self.taps_bias)
        context = F.relu(self.gather(u.flatten(-2)))
        return F.relu(h + self.point(u) + to_parts(self.spread(context).reshape(2, 2, -1))), context


class EncoderStep(nn.Module):
    """One tick of both hands, for export; every BatchNorm is folded away.

    forward(x [2,6,30], state [2,memory,6*C]) -> (probabilities [2,7,slot width], moving [2,1], embedding [2,embed],
    state). State starts at zero; it is every block's delay line, oldest first, block after block.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = copy.deepcopy(encoder).eval()
        with torch.no_grad():
            enter = self.encoder.enter
            scale, shift = (v.view(PARTS, WIDTH) for v in self.encoder.norm.scale_shift())
            weight = torch.stack([enter.finger.weight] * 5 + [enter.palm.weight])  # [6, C, 30]
            bias = torch.stack([enter.finger.bias] * 5 + [enter.palm.bias])
            # the norm differs by part, so the weights do
            self.enter = nn.Parameter((weight * scale[:, None]).transpose(1, 2).contiguous())  # [6, 30, C]
            self.enter_bias = nn.Parameter(bias + torch.einsum("pcf,pf->pc", weight, shift))
            folded = [_FoldedBlock(b, encoder.config) for b in self.encoder.blocks if isinstance(b, Block)]
        self.blocks = nn.ModuleList(folded)
        self.dilations = encoder.config.dilations
        self.token = encoder.config.token

    def forward(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        h = F.relu(torch.matmul(x.transpose(0, 1), self.enter).transpose(0, 1) + self.enter_bias)
        context, start, lines = h, 0, []
        for block, d in zip(self.blocks, self.dilations, strict=True):
            line = state[:, start : start + 2 * d]
            start += 2 * d
            old, middle = (line[:, i].reshape(2, PARTS, self.token) for i in (0, d))
            lines += [line[:, 1:], h.reshape(2, 1, PARTS * self.token)]
            h, context = block(old, middle, h)
        logits, moving, embedding = self.encoder.read(h, context)
        return probabilities(logits), torch.sigmoid(moving).unsqueeze(-1), embedding, torch.cat(lines, dim=1)


def probabilities(logits: Tensor) -> Tensor:
    """Softmax within every attribute of [..., slot width]."""
    return torch.cat([F.softmax(part, dim=-1) for part in torch.split(logits, list(ATTRIBUTES.values()), -1)], dim=-1)
