"""The causal network of a data set's head, in torch: crops of streams in, two rows of class logits a tick out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.gestures.head import HeadWeights


@dataclass(frozen=True, slots=True)
class NetSettings:
    """width: channels. taps, dilations: of the blocks; receptive field 1 + (taps - 1) * sum ticks."""

    width: int = 96
    taps: int = 3
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 24)
    dropout: float = 0.2


class Norm(nn.BatchNorm1d):
    """BatchNorm over the last axis of [..., C]."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.reshape(-1, x.shape[-1])).reshape(x.shape)

    def scale_shift(self) -> tuple[Tensor, Tensor]:
        """(scale, shift) that inference applies."""
        scale = self.weight / torch.sqrt(self.get_buffer("running_var") + self.eps)
        return scale, self.bias - self.get_buffer("running_mean") * scale


class _Block(nn.Module):
    """Taps as shifted products: several times faster on a CPU than a grouped convolution."""

    def __init__(self, s: NetSettings, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.taps = nn.Parameter(torch.randn(s.taps, s.width) * 0.5)
        self.norm_taps, self.norm_point = Norm(s.width), Norm(s.width)
        self.point = nn.Linear(s.width, s.width, bias=False)
        self.drop = s.dropout

    def forward(self, h: Tensor) -> Tensor:
        d, length, last = self.dilation, h.shape[1], len(self.taps) - 1
        padded = F.pad(h, (0, 0, last * d, 0))
        u = h * self.taps[last]
        for k in range(last):
            u = u + padded[:, k * d : k * d + length] * self.taps[k]
        change = self.norm_point(self.point(F.relu(self.norm_taps(u))))
        # whole channels, the same at every tick: single values would be filled in from their neighbours in time
        keep = F.dropout(torch.ones_like(change[:, :1]), self.drop, self.training)
        return F.relu(h + change * keep)


class Net(nn.Module):
    """forward(x [N,T,inputs]) -> logits [N,T,2,labels] (quick, late)."""

    def __init__(self, inputs: int, labels: int, settings: NetSettings | None = None) -> None:
        super().__init__()
        s = self.settings = settings or NetSettings()
        self.norm = Norm(inputs)
        self.enter = nn.Linear(inputs, s.width)
        self.blocks = nn.ModuleList(_Block(s, d) for d in s.dilations)
        self.out = nn.Linear(s.width, 2 * labels)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.enter(self.norm(x)))
        for block in self.blocks:
            h = block(h)
        h = F.dropout(h, self.settings.dropout, self.training)
        return self.out(h).unflatten(-1, (2, -1))


class Layers(Protocol):
    """What the two networks of gestures have in common: an entry behind a norm, and blocks of taps."""

    norm: Norm
    enter: nn.Linear
    blocks: nn.ModuleList


def trunk(net: Layers) -> dict[str, Any]:
    """The common layers as they run on the device, norms folded into the weights."""
    scale, shift = net.norm.scale_shift()
    arrays: dict[str, Any] = {
        "enter": (net.enter.weight * scale).T,
        "enter_bias": net.enter.bias + net.enter.weight @ shift,
    }
    rows: dict[str, list[Tensor]] = {"taps": [], "taps_bias": [], "point": [], "point_bias": []}
    for block in net.blocks:
        scale, shift = block.norm_taps.scale_shift()
        rows["taps"].append(block.taps * scale)
        rows["taps_bias"].append(shift)
        scale, shift = block.norm_point.scale_shift()
        rows["point"].append((block.point.weight * scale[:, None]).T)
        rows["point_bias"].append(shift)
    return arrays | {name: torch.stack(parts) for name, parts in rows.items()}


@torch.no_grad()
def fold(net: Net, about: dict[str, Any]) -> HeadWeights:
    """The network as `edge.gestures.head` runs it, norms folded into the weights."""
    net.eval()
    arrays = trunk(net) | {"out": net.out.weight.T, "out_bias": net.out.bias}
    plain = {name: np.ascontiguousarray(a.numpy(), np.float32) for name, a in arrays.items()}
    return HeadWeights(plain, {**about, "dilations": list(net.settings.dilations)})
