"""QAT, an option: fine-tune a student's encoder under fake quantisation: `python -m export.qat CHECKPOINT OUT`.

The float encoder teaches its fake-quantised twin on recordings; ranges of activations are learned with the weights.
Written are float weights (OUT/student.pt, released like any checkpoint) and the learned ranges (OUT/ranges.json, for
`quant.litert.quantise(learned=...)`): a graph full of fake-quantise operators converts nowhere.
`-o FILE` writes the gain over PTQ, measured on recordings that taught nothing.
"""

from __future__ import annotations

import argparse
import copy
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edge.files import write_whole
from edge.model_features import FeatureReader
from edge.recording import Recording
from edge.resample import Resampler
from export.models.encoder import Encoder
from export.models.student import Student
from quant.calibrate import load
from quant.compare import VERIFICATION, Material

#: Ticks of a window, windows of a step, steps and learning rate of a short run on one core. Ten times the rate lost
#: 0.8 dB on recordings that taught nothing.
WINDOW, BATCH, STEPS, RATE = 64, 8, 120, 1e-5


class FakeLinear(nn.Module):
    """A Linear with int8 weights, a scale a channel, and int8 inputs within a learned range."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.linear = linear
        self.low = nn.Parameter(torch.zeros(()))
        self.high = nn.Parameter(torch.ones(()))
        self.observing = True
        self.seen = [0.0, 0.0]

    def forward(self, x: Tensor) -> Tensor:
        if self.observing:
            self.seen = [min(self.seen[0], float(x.min())), max(self.seen[1], float(x.max()))]
            return self.linear(x)
        scale = (self.high - self.low).clamp_min(1e-6) / 255
        x = torch.minimum(torch.maximum(x, self.low), self.high)
        x = self.low + _rounded((x - self.low) / scale) * scale
        weight = self.linear.weight
        step = weight.detach().abs().amax(dim=1, keepdim=True).clamp_min(1e-9) / 127
        return nn.functional.linear(x, _rounded(weight / step) * step, self.linear.bias)

    def freeze(self) -> None:
        """Begin to quantise, with the ranges that were seen."""
        self.observing = False
        self.low.data.fill_(self.seen[0])
        self.high.data.fill_(self.seen[1])


def _rounded(x: Tensor) -> Tensor:
    """Round forwards, nothing backwards."""
    return x + (torch.round(x) - x).detach()


def faked(encoder: Encoder) -> Encoder:
    """A copy whose Linear layers are fake-quantised, still observing."""
    twin = copy.deepcopy(encoder).eval()
    for parent in list(twin.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, FakeLinear(child))
    return twin


def fakes(twin: nn.Module) -> dict[str, FakeLinear]:
    """Its fake-quantised layers by name."""
    return {name: module for name, module in twin.named_modules() if isinstance(module, FakeLinear)}


def clips(recordings: Iterable[Recording]) -> list[Tensor]:
    """Features of every hand of every recording, [T,6,width] each."""
    out = []
    for recording in recordings:
        resampler, reader = Resampler(mirrored=recording.mirrored), FeatureReader(recording.view)
        ticks = [reader.read(tick) for frame in recording.frames() for tick in resampler.push(frame)]
        if len(ticks) >= WINDOW // 2:
            both = np.stack(ticks)
            out += [torch.from_numpy(np.ascontiguousarray(both[:, hand], np.float32)) for hand in (0, 1)]
    return out


def tune(encoder: Encoder, data: Sequence[Tensor], steps: int = STEPS, seed: int = 0) -> tuple[Encoder, Encoder]:
    """(the fine-tuned twin, the twin as PTQ has it): same ranges at the start, the first one taught."""
    encoder = encoder.eval()
    twin = faked(encoder)
    with torch.no_grad():
        for clip in data:
            twin(clip[None])
    for layer in fakes(twin).values():
        layer.freeze()
    before = copy.deepcopy(twin)
    # BatchNorm keeps its statistics: they are folded away on the device
    optimiser = torch.optim.Adam(twin.parameters(), lr=RATE)
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        batch = torch.stack([window(data[rng.integers(len(data))], rng) for _ in range(BATCH)])
        with torch.no_grad():
            wanted = encoder(batch)
        loss = sum(
            ((a - b) ** 2).mean() / (b**2).mean().clamp_min(1e-6) for a, b in zip(twin(batch), wanted, strict=True)
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return twin, before


def window(clip: Tensor, rng: np.random.Generator) -> Tensor:
    """A stretch of a clip, padded at its start with its first tick."""
    if len(clip) < WINDOW:
        return torch.cat((clip[:1].expand(WINDOW - len(clip), -1, -1), clip))
    start = int(rng.integers(len(clip) - WINDOW + 1))
    return clip[start : start + WINDOW]


def decibels(encoder: Encoder, twin: Encoder, data: Sequence[Tensor]) -> dict[str, float]:
    """Signal-to-noise ratio of the twin's outputs."""
    names, sums = ("logits", "moving", "embedding"), np.zeros((3, 2))
    with torch.no_grad():
        for clip in data:
            for i, (a, b) in enumerate(zip(encoder(clip[None]), twin(clip[None]), strict=True)):
                sums[i] += float((a**2).sum()), float(((a - b) ** 2).sum())
    return {name: round(10 * float(np.log10(s / max(n, 1e-12))), 2) for name, (s, n) in zip(names, sums, strict=True)}


def apply(encoder: Encoder, twin: Encoder) -> dict[str, list[float]]:
    """Put the twin's weights into a float encoder; returns the learned ranges by layer."""
    state = {name.replace(".linear.", "."): value for name, value in twin.state_dict().items()}
    own = encoder.state_dict()
    encoder.load_state_dict({name: state[name] for name in own})
    return {name: [float(layer.low.detach()), float(layer.high.detach())] for name, layer in fakes(twin).items()}


def pattern(layer: str) -> str:
    """A layer of `export.models.encoder` -> a pattern of its LiteRT name."""
    parts = layer.split(".")
    if parts[0] == "blocks":
        inner = "/".join(f"[^/;]*_{p}" for p in parts[2:])
        return rf"_FoldedBlock_{parts[1]}/{inner}"
    return r"EncoderStep/" + "/".join(f"[^/;]*_{p}" for p in parts) + r"(;|$)"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m export.qat", description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("-o", "--output", type=Path, help="figures as JSON")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    student, rest = Student.load(args.checkpoint)
    taught, judged = clips(load().recordings), clips(Material.load([VERIFICATION]).recordings)
    twin, before = tune(student.encoder, taught, args.steps)
    floats = copy.deepcopy(student.encoder).eval()
    ptq, qat = decibels(floats, before, judged), decibels(floats, twin, judged)
    ranges = apply(student.encoder, twin)
    args.out.mkdir(parents=True, exist_ok=True)
    student.save(args.out / "student.pt", **{k: v for k, v in rest.items() if k not in ("config", "weights")})
    learned = {pattern(name): value for name, value in ranges.items()}
    write_whole(args.out / "ranges.json", (json.dumps(learned, indent=1) + "\n").encode())
    gain = {name: round(qat[name] - ptq[name], 2) for name in ptq}
    about: dict[str, Any] = {
        "what": "QAT of the encoder against PTQ, int8 weights and inputs of its dense layers, simulated",
        "command": f"python -m export.qat CHECKPOINT OUT --steps {args.steps}", "steps": args.steps,
        "clips": {"taught": len(taught), "judged": len(judged)}, "ptq_db": ptq, "qat_db": qat, "gain_db": gain,
    }  # fmt: skip
    text = json.dumps(about, indent=1) + "\n"
    if args.output:
        write_whole(args.output, text.encode())
    print(text, end="")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
