"""Fine-grained semantic guidance: attribute texts guide what is pooled of the fingers, class texts the class.

    python -m export.gestures.guidance --clips 500 -o out/gestures/gesture_guide.npz [--ablation FILE.json]

The student is frozen, and its graph gives no inner layers: the heads' rows of single slots (a finger, the grasp, the
wrist) at single ticks are the local, mid-level features, the pooled embedding the high-level one. Training is
coarse to fine: class first, the attribute losses ramp up over the first third. Frozen sentence vectors stand on the
text side (`export.gestures.text`); of them only the projected attribute vectors go to the device.
"""

from __future__ import annotations

import argparse
import json
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
from edge.files import write_whole
from edge.gestures.attributes import DIMENSIONS, VALUES, said, values_of
from edge.gestures.guide import _BOUND, Guide
from edge.narrator import label
from edge.provenance import versions
from export.gestures.segments import Segments, load
from export.gestures.text import class_text, vectors

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class GuideSettings:
    """class_text, attribute_text: which texts guide. fine: weight of the attribute losses once they have ramped up."""

    class_text: bool = True
    attribute_text: bool = True
    width: int = 64
    size: int = 48
    steps: int = 300
    batch: int = 64
    rate: float = 2e-3
    fine: float = 0.5
    temperature: float = 0.07
    seed: int = 0


class GuideNet(nn.Module):
    """Pools a segment by a query for each dimension and one for the class; projects texts beside them."""

    def __init__(self, row: int, embed: int, classes: int, s: GuideSettings) -> None:
        super().__init__()
        self.rows = nn.Linear(row, s.width, bias=False)
        self.slots = nn.Parameter(torch.zeros(7, s.width))
        self.embed = nn.Linear(embed, s.width, bias=False)
        self.queries = nn.Parameter(torch.randn(5, s.width) * 0.1)
        self.out = nn.Parameter(torch.randn(5, s.width, s.size) * s.width**-0.5)
        self.texts = nn.ModuleList(nn.Linear(384, s.size, bias=False) for _ in range(5))
        self.classes = nn.Linear(s.size, classes)

    def forward(self, rows: Tensor, embedding: Tensor, mask: Tensor) -> Tensor:
        """rows [B,T,7,R], embedding [B,T,E], mask [B,T] -> unit vectors [B,5,D]."""
        tokens = F.relu(self.rows(rows) + self.slots + self.embed(embedding).unsqueeze(2))
        weights = torch.exp((tokens @ self.queries.T).clamp(-_BOUND, _BOUND)) * mask[..., None, None]
        mean = torch.einsum("btsk,btsc->bkc", weights, tokens) / weights.sum((1, 2)).clamp(min=1e-9)[..., None]
        return F.normalize(torch.einsum("bkc,kcd->bkd", mean, self.out), dim=-1)


def _contrast(a: Tensor, b: Tensor, same: Tensor, temperature: float) -> Tensor:
    """InfoNCE both ways; equal texts of a batch are positives of one another."""
    logits = a @ b.T / temperature
    target = same / same.sum(1, keepdim=True)
    back = same.T / same.T.sum(1, keepdim=True)
    rows, columns = F.log_softmax(logits, 1), F.log_softmax(logits.T, 1)
    return -0.5 * ((target * rows).sum(1).mean() + (back * columns).sum(1).mean())


class Texts:
    """Sentence vectors of segments' events: class [N,384], and the mean of the values of each dimension [N,4,384]."""

    def __init__(self, segments: Segments) -> None:
        known = vectors()
        self.bank = {d: np.stack([known[said(d, v)] for v in VALUES[d]]) for d in DIMENSIONS}
        self.labels = sorted({label(e) for e in segments.events})
        self.label = np.array([self.labels.index(label(e)) for e in segments.events])
        rows, whole, keys = [], [], []
        for e in segments.events:
            values = values_of(e)
            rows.append([self.bank[d][[VALUES[d].index(v) for v in values[d]]].mean(0) for d in DIMENSIONS])
            keys.append([hash(values[d]) for d in DIMENSIONS])
            # a sentence of several fingers is the mean of theirs: the kept texts name one finger each
            texts = [known[t] for t in _class_texts(e) if t in known]
            whole.append(np.mean(texts, axis=0) if texts else np.mean(rows[-1], axis=0))
        self.values, self.whole = np.array(rows, np.float32), np.array(whole, np.float32)
        self.keys = np.array(keys)


def _class_texts(event: Any) -> list[str]:
    from dataclasses import replace

    out = []
    for finger in event.fingers or ("",):
        one = replace(event, fingers=(finger,) if finger else ())
        try:
            out.append(class_text(one))
        except Exception:  # spreading has no sentence of one finger
            continue
    return out


def train_guide(segments: Segments, texts: Texts, s: GuideSettings, chosen: Array) -> GuideNet:
    """Train on the segments `chosen`."""
    torch.manual_seed(s.seed)
    rng = np.random.default_rng(s.seed)
    net = GuideNet(segments.rows.shape[-1], segments.embedding.shape[-1], len(texts.labels), s)
    optimiser = torch.optim.AdamW(net.parameters(), lr=s.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, s.rate, s.steps, pct_start=0.1)
    for step in range(s.steps):
        pick = rng.choice(chosen, s.batch)
        rows, embedding, mask = tensors(segments, pick)
        looks = net(rows, embedding, mask)
        loss = F.cross_entropy(net.classes(looks[:, 4]), torch.from_numpy(texts.label[pick]))
        if s.class_text:
            words = F.normalize(net.texts[4](torch.from_numpy(texts.whole[pick])), dim=-1)
            same = torch.from_numpy(texts.label[pick][:, None] == texts.label[pick][None]).float()
            loss = loss + _contrast(looks[:, 4], words, same, s.temperature)
        if s.attribute_text:
            share = s.fine * min(1.0, 3 * step / s.steps)
            for k in range(len(DIMENSIONS)):
                words = F.normalize(net.texts[k](torch.from_numpy(texts.values[pick, k])), dim=-1)
                same = torch.from_numpy(texts.keys[pick, k][:, None] == texts.keys[pick, k][None]).float()
                loss = loss + share * _contrast(looks[:, k], words, same, s.temperature)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        schedule.step()
    return net.eval()


def tensors(segments: Segments, pick: Array) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, embedding and mask of some segments."""
    mask = (np.arange(segments.rows.shape[1])[None] < segments.ticks[pick][:, None]).astype(np.float32)
    rows, embedding = segments.rows[pick].astype(np.float32), segments.embedding[pick].astype(np.float32)
    return torch.from_numpy(rows), torch.from_numpy(embedding), torch.from_numpy(mask)


@torch.no_grad()
def to_guide(net: GuideNet, texts: Texts, student: str) -> Guide:
    """The vectors and weights that go to the device."""
    arrays = {
        "rows": net.rows.weight.T, "slots": net.slots, "embed": net.embed.weight.T, "queries": net.queries,
        "out": net.out,
    }  # fmt: skip
    for k, d in enumerate(DIMENSIONS):
        arrays[f"bank_{d}"] = F.normalize(net.texts[k](torch.from_numpy(texts.bank[d].astype(np.float32))), dim=-1)
    return Guide({n: a.detach().numpy().astype(np.float32) for n, a in arrays.items()}, student)


@torch.no_grad()
def figures(net: GuideNet, segments: Segments, texts: Texts, held: Array, s: GuideSettings) -> dict[str, float]:
    """On segments that were not trained on: class accuracy, and retrieval of the class by texts."""
    looks = net(*tensors(segments, held))
    truth = torch.from_numpy(texts.label[held])
    out = {"class_accuracy": float((net.classes(looks[:, 4]).argmax(1) == truth).float().mean())}
    first = np.array([int(np.flatnonzero(texts.label == k)[0]) for k in range(len(texts.labels))])
    if s.class_text:
        words = F.normalize(net.texts[4](torch.from_numpy(texts.whole[first])), dim=-1)
        out["class_text_accuracy"] = float(((looks[:, 4] @ words.T).argmax(1) == truth).float().mean())
    if s.attribute_text:
        score: Any = 0
        for k in range(len(DIMENSIONS)):
            words = F.normalize(net.texts[k](torch.from_numpy(texts.values[first, k])), dim=-1)
            score = score + looks[:, k] @ words.T
        out["attribute_text_accuracy"] = float((score.argmax(1) == truth).float().mean())
    # three examples of each class, the nearest of them: what enrolment would make of it
    rng = np.random.default_rng(0)
    flat = F.normalize(looks.flatten(1), dim=-1)
    shown: list[int] = []
    asked: list[int] = []
    for k in range(len(texts.labels)):
        mine = rng.permutation(np.flatnonzero(texts.label[held] == k)).tolist()
        if len(mine) >= 4:
            shown, asked = shown + mine[:3], asked + mine[3:]
    if asked:
        near = (flat[asked] @ flat[shown].T).argmax(1)
        out["three_examples"] = float((truth[torch.tensor(shown)][near] == truth[torch.tensor(asked)]).float().mean())
        out["three_examples_classes"] = len(shown) / 3
    return {k: round(v, 4) for k, v in out.items()}


def halves(segments: Segments, share: float = 0.2) -> tuple[Array, Array]:
    """Training and held-out segments: the last ones are of other clips."""
    cut = round(len(segments) * (1 - share))
    return np.arange(cut), np.arange(cut, len(segments))


#: the ablation's rows
ABLATION = {
    "labels only": (False, False), "+ class text": (True, False), "+ attribute text": (False, True),
    "both": (True, True),
}  # fmt: skip


def ablation(segments: Segments, steps: int, seeds: Sequence[int]) -> dict[str, Any]:
    """Mean and spread over seeds of every row's figures."""
    texts, (train, held) = Texts(segments), halves(segments)
    out: dict[str, Any] = {}
    for name, (whole, parts) in ABLATION.items():
        rows = []
        for seed in seeds:
            s = GuideSettings(class_text=whole, attribute_text=parts, steps=steps, seed=seed)
            rows.append(figures(train_guide(segments, texts, s, train), segments, texts, held, s))
            print(name, seed, rows[-1], flush=True)
        out[name] = {
            k: {
                "mean": round(float(np.mean([r[k] for r in rows])), 4),
                "spread": round(float(np.std([r[k] for r in rows])), 4),
            }
            for k in rows[0]
        }
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Train the vectors that sentences are composed of.")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--clips", type=int, default=500)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--work", type=Path, default=Path("out/gestures"), help="where segments are kept")
    parser.add_argument("-o", "--output", type=Path, help="gesture_guide.npz to write")
    parser.add_argument("--ablation", type=Path, metavar="FILE.json")
    args = parser.parse_args(argv)
    torch.set_num_threads(1)
    bundle = Bundle.open(args.bundle)
    segments = load(bundle, args.work, args.clips)
    texts, (train, held) = Texts(segments), halves(segments)
    if args.output:
        s = GuideSettings(steps=args.steps)
        net = train_guide(segments, texts, s, train)
        write_whole(args.output, to_guide(net, texts, bundle.weights_digest).to_bytes())
        print(args.output, figures(net, segments, texts, held, s))
    if args.ablation:
        about = {
            "schema": 1, "command": "python -m export.gestures.guidance --ablation", "weights": bundle.weights_digest,
            "versions": versions(("numpy", "torch")), "segments": len(segments), "classes": len(texts.labels),
            "settings": asdict(GuideSettings(steps=args.steps)), "seeds": args.seeds,
            "rows": ablation(segments, args.steps, args.seeds),
        }  # fmt: skip
        write_whole(args.ablation, (json.dumps(about, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
