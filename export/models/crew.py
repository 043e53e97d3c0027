"""Several processes that train one student, each on its own batches; through `accelerate`, where there are several.

`torchrun --standalone --nproc-per-node 2 $(which figop) train ...` starts two, on processors or, with `--device cuda`,
on a graphics processor each (`accelerate launch` does the latter too). Gradients are averaged over the processes before
every step, so a step of n processes is a step on n batches.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edge.errors import RuntimeUnavailable


@dataclass(frozen=True, slots=True)
class Crew:
    """rank of this process among `world`. accelerator: None where it works alone."""

    rank: int = 0
    world: int = 1
    accelerator: Any = None

    @classmethod
    def open(cls, device: str) -> Crew:
        """The processes that this one was launched with. Raises RuntimeUnavailable without accelerate."""
        if int(os.environ.get("WORLD_SIZE", "1")) < 2:
            return cls()
        try:
            from accelerate import Accelerator
        except ImportError as error:
            raise RuntimeUnavailable(
                "Several processes were launched, and training together needs accelerate: pip install 'figop[train]'."
            ) from error
        made = Accelerator(cpu=device == "cpu")
        return cls(made.process_index, made.num_processes, made)

    @property
    def device(self) -> torch.device | None:
        """This process's own; None where it works alone."""
        return self.accelerator.device if self.accelerator else None

    def gradients(self, model: nn.Module) -> None:
        """Average the gradients of a model; one that had nothing to say here counts as zero."""
        if self.world == 1:
            return
        for p in model.parameters():
            if p.grad is None:
                p.grad = torch.zeros_like(p)
        self.mean(p.grad for p in model.parameters() if p.grad is not None)

    def mean(self, tensors: Iterable[Tensor]) -> None:
        """Average each tensor over the processes, in place. All processes must call it with the same shapes."""
        if self.world == 1:
            return
        own = list(tensors)
        flat = torch.cat([t.detach().float().reshape(-1) for t in own])
        shared = self.accelerator.reduce(flat, reduction="mean")
        at = 0
        for t in own:
            t.copy_(shared[at : at + t.numel()].view_as(t).to(t.dtype))
            at += t.numel()

    def any(self, flag: bool) -> bool:
        """Whether one of the processes says so."""
        if self.world == 1:
            return flag
        said = torch.tensor(float(flag), device=self.device)
        return bool(self.accelerator.reduce(said, reduction="sum") > 0)

    def close(self) -> None:
        """Wait for the others."""
        if self.world > 1:
            self.accelerator.wait_for_everyone()
            self.accelerator.end_training()
