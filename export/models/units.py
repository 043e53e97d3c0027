"""FiGOP units: the ticks between two keyframes become motion tokens, and the keyframe token is projected by them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from edge.targets import SLOT_WIDTH, SLOTS

#: How keyframe and motion meet: the motion-aware projector (gate and FiLM), side by side, or one of them alone.
FUSIONS = ("projector", "concat", "motion", "key")


@dataclass(frozen=True, slots=True)
class UnitConfig:
    """ticks: of a unit (0.5 s). motion: motion tokens of a hand's unit. appearance: width of the keyframe feature.
    fusion: one of `FUSIONS`. keys: keyframes of a unit; the runtime of a device reads one, more are for studies."""

    ticks: int = 15
    motion: int = 3
    appearance: int = 1152
    key: int = 32
    width: int = 128
    fusion: str = "projector"
    keys: int = 1

    @property
    def key_tokens(self) -> int:
        """Of one hand's unit."""
        return 0 if self.fusion == "motion" else self.keys

    @property
    def tokens(self) -> int:
        """Memory tokens of one unit, both hands: the keyframes', then the motion's."""
        return 2 * (self.key_tokens + (0 if self.fusion == "key" else self.motion))


class Units(nn.Module):
    """forward(embedding [B,2,15,E], probs [B,2,15,7*slot width], mask [B,2,15], appearance [B,2,1152],
    has_appearance [B,2]) -> tokens [B, 2*(motion+1), width]; with several keyframes a unit (and so [B,2,keys,1152],
    [B,2,keys]) or another fusion as many as `UnitConfig.tokens`.

    Learned queries pool the unit's ticks (softmax over time); the keyframe token (appearance where there is one, a
    learned absent token where not, and the pose at the keyframe) passes a gate and FiLM that the motion drives, both
    zero at the start.
    """

    def __init__(self, embed: int, config: UnitConfig | None = None) -> None:
        super().__init__()
        c = self.config = config or UnitConfig()
        wide = embed + len(SLOTS) * SLOT_WIDTH
        self.query = nn.Linear(wide, c.motion)
        centre = (torch.arange(c.motion) + 0.5) * c.ticks / c.motion
        near = -(((torch.arange(c.ticks)[:, None] + 0.5 - centre) / (c.ticks / c.motion)) ** 2) * 4
        self.when = nn.Parameter(near)  # [ticks, motion]: each query starts on its own third
        self.motion = nn.Linear(wide, c.width)
        self.see = nn.Sequential(nn.Linear(c.appearance, c.key), nn.ReLU(), nn.Linear(c.key, c.width))
        self.absent = nn.Parameter(torch.zeros(c.width))
        self.pose = nn.Linear(wide, c.width)
        self.film = nn.Sequential(nn.Linear(2 * c.width, c.width), nn.ReLU(), nn.Linear(c.width, 2 * c.width))
        nn.init.zeros_(self.film[2].weight)
        nn.init.zeros_(self.film[2].bias)
        self.kind = nn.Parameter(torch.randn(2, c.motion + c.keys, c.width) * 0.1)

    def forward(self, embedding: Tensor, probs: Tensor, mask: Tensor, appearance: Tensor, has: Tensor) -> Tensor:
        c = self.config
        x = torch.cat((embedding, probs), dim=-1)
        if c.fusion == "key":
            return self._shaped(self._sees(appearance, has))
        score = self.query(x) + self.when + (mask.unsqueeze(-1) - 1) * 30.0
        pooled = torch.matmul(F.softmax(score, dim=-2).transpose(-1, -2), x)  # [B,2,motion,wide]
        motion = F.relu(self.motion(pooled))
        if c.fusion == "motion":
            return self._shaped(motion)
        if c.keys > 1:
            key = self._sees(appearance, has) + self.pose(x[..., :: c.ticks // c.keys, :][..., : c.keys, :])
            mean = motion.mean(dim=-2, keepdim=True).expand_as(key)
        else:
            has = has.unsqueeze(-1)
            key = self.see(appearance) * has + self.absent * (1 - has) + self.pose(x[..., 0, :])
            mean = motion.mean(dim=-2)
        if c.fusion == "projector":
            gate, shift = self.film(torch.cat((key, mean), dim=-1)).split(c.width, dim=-1)
            key = key * (1 + torch.tanh(gate)) + shift
        return self._shaped(torch.cat((key if c.keys > 1 else key.unsqueeze(-2), motion), dim=-2))

    def _sees(self, appearance: Tensor, has: Tensor) -> Tensor:
        """What the keyframes show [B,2,keys,width]."""
        if self.config.keys == 1:
            appearance, has = appearance.unsqueeze(-2), has.unsqueeze(-1)
        has = has.unsqueeze(-1)
        return self.see(appearance) * has + self.absent * (1 - has)

    def _shaped(self, tokens: Tensor) -> Tensor:
        c = self.config
        kind = {"motion": self.kind[:, c.keys :], "key": self.kind[:, : c.keys]}.get(c.fusion, self.kind)
        return (tokens + kind).reshape(tokens.shape[0], c.tokens, c.width)
