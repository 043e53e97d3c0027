"""Train the two towers by symmetric contrast of motions and texts: `python -m export.corpus.fit -o out/corpus`.

First motions against what is said of them, read as scores; phrases of a batch that mean the same are positives of one
another. Then, with `--words`, the sentence
vectors of several narrations of each phrase, in random styles and words, against the finished scores. A broken-off run
goes on at its last checkpoint, to the same weights.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from edge.bundle import Bundle
from edge.narrator import STYLES, narrate, said
from export.corpus.minilm import folder
from export.corpus.phrases import Phrases, load, meaning, shards_of
from export.corpus.towers import EVENT_WIDTH, Towers, event_rows, places
from export.gestures.text import encode

Array = NDArray[Any]
_PLACES = 6


@dataclass(frozen=True, slots=True)
class FitSettings:
    """without: what the motion tower is not shown."""

    hand: int = 64
    width: int = 112
    out: int = 128
    queries: int = 4
    steps: int = 600
    batch: int = 128
    rate: float = 3e-3
    temperature: float = 0.06
    without: str = ""
    seed: int = 0


class _Mix(nn.Module):
    """Three steps side by side -> a change of the middle one."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.wide, self.back = nn.Linear(3 * width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        wide = torch.cat([F.pad(x, (0, 0, 1, 0))[:, :-1], x, F.pad(x, (0, 0, 0, 1))[:, 1:]], -1)
        return x + self.back(F.relu(self.wide(wide)))


class MotionTower(nn.Module):
    """Steps [B,S,2,D] with places [B,S,6] and mask [B,S] -> unit vectors."""

    def __init__(self, row: int, embed: int, s: FitSettings) -> None:
        super().__init__()
        self.register_buffer("scale", torch.ones(embed))
        self.hand = nn.Linear(row + embed, s.hand)
        self.both = nn.Linear(2 * s.hand + _PLACES, s.width)
        self.first, self.second = _Mix(s.width), _Mix(s.width)
        self.queries = nn.Parameter(torch.randn(s.queries, s.width) * 0.1)
        self.out = nn.Linear(s.queries * s.width, s.out)

    def forward(self, x: Tensor, place: Tensor, mask: Tensor) -> Tensor:
        h = F.relu(self.hand(x)).flatten(-2)
        h = F.relu(self.both(torch.cat([h, place], -1))) * mask[..., None]
        for mix in (self.first, self.second):
            h = mix(h) * mask[..., None]  # what is beyond the phrase stays nothing, as on the device
        weights = (h @ self.queries.T).masked_fill(mask[..., None] == 0, -1e9).softmax(1)
        pooled = torch.einsum("bsq,bsc->bqc", weights, h)
        return F.normalize(self.out(pooled.flatten(1)), dim=-1)


class ScoreTower(nn.Module):
    """Events [B,E,A] with mask [B,E] -> unit vectors."""

    def __init__(self, s: FitSettings) -> None:
        super().__init__()
        self.enter = nn.Linear(EVENT_WIDTH, s.width)
        self.first, self.second = nn.Linear(2 * s.width, s.width), nn.Linear(2 * s.width, s.width)
        self.out = nn.Linear(2 * s.width, s.out)

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        m = mask[..., None]
        x = F.relu(self.enter(rows)) * m
        count = m.sum(1, keepdim=True).clamp(min=1)
        for layer in (self.first, self.second):
            mean = (x.sum(1, keepdim=True) / count).expand_as(x)
            x = (x + F.relu(layer(torch.cat([x, mean], -1)))) * m
        top = x.masked_fill(m == 0, -1e9).amax(1)
        return F.normalize(self.out(torch.cat([x.sum(1) / count[:, 0], top], -1)), dim=-1)


class WordTower(nn.Module):
    """Sentence vectors [B,384] -> unit vectors."""

    def __init__(self, s: FitSettings) -> None:
        super().__init__()
        self.enter, self.out = nn.Linear(384, 2 * s.width), nn.Linear(2 * s.width, s.out)

    def forward(self, x: Tensor) -> Tensor:
        return F.normalize(self.out(F.relu(self.enter(x))), dim=-1)


class Net(nn.Module):
    """All three."""

    def __init__(self, row: int, embed: int, s: FitSettings) -> None:
        super().__init__()
        self.motion, self.score, self.words = MotionTower(row, embed, s), ScoreTower(s), WordTower(s)


def contrast(a: Tensor, b: Tensor, same: Tensor, temperature: float) -> Tensor:
    """Symmetric InfoNCE; `same` [B,B] marks positives, shared out evenly."""
    logits = a @ b.T / temperature
    target = same / same.sum(1, keepdim=True)
    return -0.5 * ((target * logits.log_softmax(1)).sum(1).mean() + (target * logits.T.log_softmax(1)).sum(1).mean())


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """rows [N,E,A], mask [N,E]: what is said; keys [N]: equal where the meaning is."""

    rows: Array
    mask: Array
    keys: Array


def texts_of(phrases: Phrases) -> Texts:
    """What is said of the phrases."""
    rows, mask = (np.stack(a) for a in zip(*(event_rows(said(s)) for s in phrases.scores), strict=True))
    known: dict[Any, int] = {}
    keys = np.array([known.setdefault(meaning(s), len(known)) for s in phrases.scores])
    return Texts(rows, mask, keys)


def tensors(phrases: Phrases, picked: Sequence[int] | Array, without: str = "") -> tuple[Tensor, Tensor, Tensor]:
    """Padded steps, places and mask of some phrases."""
    parts = [phrases.of(int(i)) for i in picked]
    length = max(len(r) for r, _ in parts)
    row, embed = int(np.prod(phrases.rows.shape[2:])), phrases.embedding.shape[-1]
    x = np.zeros((len(parts), length, 2, row + embed), np.float32)
    place, mask = np.zeros((len(parts), length, _PLACES), np.float32), np.zeros((len(parts), length), np.float32)
    for b, (rows, embedding) in enumerate(parts):
        n = len(rows)
        if without != "heads":
            x[b, :n, :, :row] = rows.reshape(n, 2, -1)
        if without != "embedding":
            x[b, :n, :, row:] = embedding
        place[b, :n], mask[b, :n] = places(n), 1
    return torch.from_numpy(x), torch.from_numpy(place), torch.from_numpy(mask)


def train(phrases: Phrases, texts: Texts, s: FitSettings, keep: Path | None = None, log: bool = True) -> Net:
    """Train from nothing, or from the checkpoint in `keep`."""
    torch.manual_seed(s.seed)
    row, embed = int(np.prod(phrases.rows.shape[2:])), phrases.embedding.shape[-1]
    net = Net(row, embed, s)
    net.motion.scale.copy_(torch.from_numpy(1 / (phrases.embedding[:20000].astype(np.float32).std((0, 1)) + 0.05)))
    optimiser = torch.optim.AdamW(net.parameters(), lr=s.rate, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, s.rate, s.steps, pct_start=0.1)
    begin, spent = 0, 0.0
    if keep is not None and keep.exists():
        saved = torch.load(keep, weights_only=True)
        net.load_state_dict(saved["net"])
        optimiser.load_state_dict(saved["optimiser"])
        schedule.load_state_dict(saved["schedule"])
        begin, spent = int(saved["step"]), float(saved["seconds"])
    clock = time.process_time()
    for step in range(begin, s.steps):
        rng = np.random.default_rng((s.seed, step))
        picked = rng.choice(len(phrases), s.batch, replace=False)
        x, place, mask = tensors(phrases, picked, s.without)
        x[..., row:] *= net.motion.scale
        same = torch.from_numpy(texts.keys[picked][:, None] == texts.keys[picked][None]).float()
        looks = net.motion(x, place, mask)
        told = net.score(torch.from_numpy(texts.rows[picked]), torch.from_numpy(texts.mask[picked]))
        loss = contrast(looks, told, same, s.temperature)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
        if log and (step % 25 == 0 or step + 1 == s.steps):
            used = spent + time.process_time() - clock
            print(json.dumps({"step": step, "loss": round(loss.item(), 4), "cpu_s": round(used, 1)}), flush=True)
        if keep is not None and (step % 25 == 24 or step + 1 == s.steps):
            part = keep.with_suffix(".part")
            used = spent + time.process_time() - clock
            torch.save({"net": net.state_dict(), "optimiser": optimiser.state_dict(),
                        "schedule": schedule.state_dict(), "step": step + 1, "seconds": used}, part)  # fmt: skip
            part.replace(keep)
    return net.eval()


def narrations(phrases: Phrases, seed: int, kinds: int) -> list[str]:
    """`kinds` wordings of each phrase, one after another: random styles, four in five paraphrased."""
    rng = np.random.default_rng((seed, 77))
    styles = list(STYLES)
    return [
        narrate(score, style=styles[int(rng.random() < 0.4)], rng=rng if rng.random() < 0.8 else None)
        for score in phrases.scores for _ in range(kinds)
    ]  # fmt: skip


def train_words(net: Net, texts: Texts, vectors: Array, s: FitSettings, steps: int = 800) -> None:
    """The second entrance: sentence vectors [N*K,384] against the finished scores of their phrases."""
    torch.manual_seed(s.seed)
    optimiser = torch.optim.AdamW(net.words.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps, pct_start=0.1)
    with torch.no_grad():
        wanted = net.score(torch.from_numpy(texts.rows), torch.from_numpy(texts.mask))
    kinds = len(vectors) // len(wanted)
    for step in range(steps):
        picked = np.random.default_rng((s.seed, step, 2)).choice(len(vectors), min(256, len(vectors)), replace=False)
        of = picked // kinds
        same = torch.from_numpy(texts.keys[of][:, None] == texts.keys[of][None]).float()
        worded = net.words(torch.from_numpy(vectors[picked]))
        loss = contrast(worded, wanted[of], same, s.temperature)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    print(json.dumps({"words": steps, "loss": round(loss.item(), 4)}), flush=True)


def to_towers(net: Net, student: str, without: str = "") -> Towers:
    """The weights for `export.corpus.towers`; what the motion tower was not shown counts nothing in them."""
    arrays = {n: a.detach().numpy().copy() for n, a in net.state_dict().items()}
    row = arrays["motion.hand.weight"].shape[1] - len(arrays["motion.scale"])
    if without:
        arrays["motion.hand.weight"][:, slice(row) if without == "heads" else slice(row, None)] = 0
    return Towers(arrays, student)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train the towers of search.")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--steps", type=int, default=FitSettings().steps)
    parser.add_argument("--without", choices=("heads", "embedding"), default="", help="ablation")
    parser.add_argument(
        "--words", type=int, default=0, metavar="N", help="narrations of each phrase for the second entrance"
    )
    parser.add_argument("--limit", type=int, help="narrate so many phrases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, default=Path("out/corpus"), help="folder with the phrases")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    bundle = Bundle.open(args.bundle)
    phrases = load(shards_of(args.output, bundle.weights_digest))
    settings = FitSettings(steps=args.steps, without=args.without, seed=args.seed)
    name = f"towers-{args.without or 'all'}-{args.seed}"
    net = train(phrases, texts_of(phrases), settings, args.output / f"{name}.pt")
    if args.words:
        told = phrases.take(range(min(args.limit or len(phrases), len(phrases))))
        sentences = narrations(told, args.seed, args.words)
        by_length = np.argsort([len(t) for t in sentences])  # alike lengths are padded little
        vectors = np.empty((len(sentences), 384), np.float32)
        vectors[by_length] = encode([sentences[i] for i in by_length], folder())
        train_words(net, texts_of(told), vectors, settings)
    to_towers(net, bundle.weights_digest, args.without).save(args.output / f"{name}.npz")
    about = asdict(settings) | {"phrases": len(phrases), "weights": bundle.weights_digest, "words": args.words}
    (args.output / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n")
    print(f"{args.output / name}.npz: {len(phrases)} phrases")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
