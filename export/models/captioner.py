"""Caption decoder: a small pre-norm transformer over unit tokens; exported as a prefill and a step graph."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F


@dataclass(frozen=True, slots=True)
class CaptionerConfig:
    """words: vocabulary with the three special tokens. length: longest caption. memory: unit tokens at most."""

    words: int
    width: int = 128
    layers: int = 3
    heads: int = 4
    inner: int = 384
    length: int = 80
    memory: int = 96


class _Attention(nn.Module):
    def __init__(self, c: CaptionerConfig) -> None:
        super().__init__()
        self.heads, self.depth = c.heads, c.width // c.heads
        self.query, self.key, self.value, self.out = (nn.Linear(c.width, c.width) for _ in range(4))

    def split(self, x: Tensor) -> Tensor:
        """[B,T,D] -> [B,H,T,D/H]."""
        return x.reshape(x.shape[0], x.shape[1], self.heads, self.depth).transpose(1, 2)

    def attend(self, x: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
        """x [B,T,D]; key, value [B,H,S,D/H]; bias [B or 1,1,T or 1,S]: 0 or -30."""
        score = torch.matmul(self.split(self.query(x)), key.transpose(-1, -2)) / math.sqrt(self.depth)
        mixed = torch.matmul(F.softmax(score + bias, dim=-1), value)
        return self.out(mixed.transpose(1, 2).reshape(x.shape))


class _Layer(nn.Module):
    def __init__(self, c: CaptionerConfig) -> None:
        super().__init__()
        self.norm_self, self.norm_cross, self.norm_inner = (nn.LayerNorm(c.width) for _ in range(3))
        self.own, self.cross = _Attention(c), _Attention(c)
        self.inner, self.outer = nn.Linear(c.width, c.inner), nn.Linear(c.inner, c.width)

    def feed(self, x: Tensor) -> Tensor:
        return x + self.outer(F.relu(self.inner(self.norm_inner(x))))


class Decoder(nn.Module):
    """forward(memory [B,M,D], mask [B,M], tokens [B,T]) -> logits [B,T,words] (teacher forcing)."""

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__()
        c = self.config = config
        self.word = nn.Embedding(c.words, c.width)
        nn.init.normal_(self.word.weight, std=0.05)
        self.place = nn.Parameter(torch.randn(c.length, c.width) * 0.02)
        self.when = nn.Parameter(torch.randn(c.memory, c.width) * 0.1)
        self.norm_memory = nn.LayerNorm(c.width)
        self.layers = nn.ModuleList(_Layer(c) for _ in range(c.layers))
        self.norm = nn.LayerNorm(c.width)
        self.bias = nn.Parameter(torch.zeros(c.words))

    def remember(self, memory: Tensor) -> Tensor:
        return self.norm_memory(memory + self.when[: memory.shape[1]])

    def forward(self, memory: Tensor, mask: Tensor, tokens: Tensor) -> Tensor:
        memory = self.remember(memory)
        hidden = (mask[:, None, None] - 1) * 30.0
        length = tokens.shape[1]
        later = torch.full((length, length), -30.0, device=tokens.device).triu(1)
        x = self.word(tokens) + self.place[:length]
        for layer in self.layers:
            own, cross = layer.own, layer.cross
            n = layer.norm_self(x)
            x = x + own.attend(n, own.split(own.key(n)), own.split(own.value(n)), later)
            n = layer.norm_cross(x)
            x = x + cross.attend(n, cross.split(cross.key(memory)), cross.split(cross.value(memory)), hidden)
            x = layer.feed(x)
        return F.linear(self.norm(x), self.word.weight, self.bias)


class Prefill(nn.Module):
    """forward(memory [1,M,D]) -> cross keys and values [1,layers,H,M,D/H] each."""

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(self, memory: Tensor) -> tuple[Tensor, Tensor]:
        memory = self.decoder.remember(memory)
        cross = [layer.cross for layer in self.decoder.layers]
        keys = torch.stack([a.split(a.key(memory)) for a in cross], dim=1)
        return keys, torch.stack([a.split(a.value(memory)) for a in cross], dim=1)


class Step(nn.Module):
    """One token. forward(token [1] int32, at [1] int32, mask [1,M], cross keys, cross values, keys, values
    [1,layers,H,length,D/H]) -> (logits [1,words], keys, values). The cache is written by a one-hot blend.
    """

    def __init__(self, decoder: Decoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self, token: Tensor, at: Tensor, mask: Tensor, cross_keys: Tensor, cross_values: Tensor, keys: Tensor,
        values: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        d = self.decoder
        length = d.config.length
        slots = torch.arange(length, dtype=torch.int32)
        here = (slots == at).to(torch.float32)  # [length]
        bias = ((slots <= at).to(torch.float32) - 1).reshape(1, 1, 1, length) * 30.0
        hidden = ((mask - 1) * 30.0).reshape(1, 1, 1, mask.shape[1])
        x = (d.word(token) + torch.matmul(here.unsqueeze(0), d.place)).unsqueeze(1)
        put = here.reshape(1, 1, length, 1)
        new_keys, new_values = [], []
        for i, layer in enumerate(d.layers):
            n = layer.norm_self(x)
            key = keys[:, i] * (1 - put) + layer.own.split(layer.own.key(n)) * put
            value = values[:, i] * (1 - put) + layer.own.split(layer.own.value(n)) * put
            new_keys.append(key)
            new_values.append(value)
            x = x + layer.own.attend(n, key, value, bias)
            n = layer.norm_cross(x)
            x = x + layer.cross.attend(n, cross_keys[:, i], cross_values[:, i], hidden)
            x = layer.feed(x)
        logits = F.linear(d.norm(x), d.word.weight, d.bias)[:, 0]
        return logits, torch.stack(new_keys, dim=1), torch.stack(new_values, dim=1)
