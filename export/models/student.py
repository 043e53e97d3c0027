"""The student: encoder, units with projector, captioner, and what is said of them to the device."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edge.captioner import SPECIALS
from edge.narrator import vocabulary
from edge.targets import SLOT_WIDTH, SLOTS
from export.models.captioner import CaptionerConfig, Decoder
from export.models.encoder import Encoder, EncoderConfig, probabilities
from export.models.units import UnitConfig, Units

#: units that a phrase can have (6 s)
UNITS = 12


@dataclass(frozen=True, slots=True)
class StudentConfig:
    """All sizes of a student."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    units: UnitConfig = field(default_factory=UnitConfig)
    captioner: CaptionerConfig = field(default_factory=lambda: CaptionerConfig(len(SPECIALS) + len(vocabulary())))

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> StudentConfig:
        encoder = {**data["encoder"], "dilations": tuple(data["encoder"]["dilations"])}
        return cls(EncoderConfig(**encoder), UnitConfig(**data["units"]), CaptionerConfig(**data["captioner"]))


class Student(nn.Module):
    """Encoder, units and decoder under one set of weights."""

    def __init__(self, config: StudentConfig | None = None) -> None:
        super().__init__()
        self.config = config or StudentConfig()
        self.encoder = Encoder(self.config.encoder)
        self.units = Units(self.config.encoder.embed, self.config.units)
        self.decoder = Decoder(self.config.captioner)

    def memory(self, embedding: Tensor, logits: Tensor, mask: Tensor, appearance: Tensor, has: Tensor) -> Tensor:
        """embedding [B,U*15,2,E], logits [B,U*15,2,7,S], mask [B,U*15,2], appearance [B,U,2,A], has [B,U,2]
        -> memory [B, U*8, width]."""
        c = self.config.units
        batch, units = embedding.shape[0], embedding.shape[1] // c.ticks

        def by_unit(x: Tensor) -> Tensor:
            """[B, U*15, 2, W] -> [B*U, 2, 15, W]."""
            return x.reshape(batch * units, c.ticks, 2, -1).transpose(1, 2)

        probs = probabilities(logits).flatten(-2)
        assert probs.shape[-1] == len(SLOTS) * SLOT_WIDTH
        tokens = self.units(
            by_unit(embedding), by_unit(probs), by_unit(mask.unsqueeze(-1))[..., 0],
            appearance.flatten(0, 1), has.flatten(0, 1),
        )  # fmt: skip
        return tokens.reshape(batch, units * c.tokens, c.width)

    def save(self, path: Path, **extra: Any) -> None:
        """Weights, sizes and whatever else a checkpoint holds."""
        state = {"config": self.config.to_dict(), "weights": self.state_dict()} | extra
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path, *, raw: bool = False) -> tuple[Student, dict[str, Any]]:
        """A checkpoint's student, and the rest of it. raw: the last step's weights, where their average is kept too."""
        data = torch.load(path, map_location="cpu", weights_only=True)
        student = cls(StudentConfig.from_dict(data["config"]))
        student.load_state_dict(data["raw" if raw and "raw" in data else "weights"])
        return student, data


def count(module: nn.Module) -> int:
    """Trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
