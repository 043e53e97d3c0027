"""Units, projector and captioner trained on what a frozen encoder said, and judged phrase by phrase."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from edge.captioner import BEGIN, END, SPECIALS
from edge.errors import ScoreError
from edge.narrator import parse, text_of, vocabulary
from edge.score import FingerEvent, Score, expand
from edge.wording import WORDINGS, Wording
from export.data.windows import ids_of
from export.mechanisms.material import MOST, Encoded, Phrase, window
from export.models.student import Student, StudentConfig
from export.models.trainer import TrainSettings, rate_at
from export.models.units import UnitConfig

WORDS = (*SPECIALS, *vocabulary())
LONGEST = 64


@dataclass(frozen=True, slots=True)
class Recipe:
    """One run. Everything but what it names is the same for all.

    Attributes:
        units: fusion, length and keyframes of a unit. apart: palm lengths (mean over the joints) that open a new unit
            before its ticks are over, after M-ACM's sampling of keyframes by pose distance; 0 = regular.
        simulated: share of the phrases that come from clips without keyframes. blind: share of the others whose
            keyframes are hidden. things: share of all phrases that are of hands that take a thing or nothing.
        paths: shares of phrases that see motion tokens alone, and keyframe tokens alone.
    """

    units: UnitConfig = field(default_factory=UnitConfig)
    apart: float = 0.0
    steps: int = 600
    batch: int = 32
    rate: float = 1.5e-3
    seed: int = 0
    simulated: float = 0.5
    blind: float = 0.3
    things: float = 0.0
    paths: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What units are made of: embedding [B,U*t,2,E], logits [B,U*t,2,7,S], mask [B,U*t,2], appearance [B,U,2,(k,)D],
    has [B,U,2,(k)]."""

    embedding: Tensor
    logits: Tensor
    mask: Tensor
    appearance: Tensor
    has: Tensor


def longest_memory(c: UnitConfig, apart: float) -> int:
    """Units that a phrase can have: adaptive ones may be a third as long."""
    return math.ceil(MOST / (c.ticks / 3 if apart else c.ticks))


def student_for(r: Recipe) -> Student:
    """Freshly seeded; its encoder is not used."""
    torch.manual_seed(r.seed)
    base = StudentConfig()
    captioner = replace(base.captioner, memory=longest_memory(r.units, r.apart) * r.units.tokens)
    return Student(replace(base, units=r.units, captioner=captioner))


def bounds(clips: Encoded, clip: int, first: int, last: int, r: Recipe) -> list[tuple[int, int]]:
    """The units [first, last) of a phrase."""
    ticks = r.units.ticks
    if not r.apart:
        return [(a, min(a + ticks, last)) for a in range(first, last, ticks)]
    joints = clips.joints[clip, first:last].astype(np.float32).reshape(last - first, 2, -1, 3)
    out, start, least = [], 0, ticks // 3
    for k in range(1, last - first):
        far = np.linalg.norm(joints[k] - joints[start], axis=-1).mean(axis=-1).max()
        if k - start >= ticks or (k - start >= least and far > r.apart):
            out.append((first + start, first + k))
            start = k
    return [*out, (first + start, last)]


def gather(
    clips: Sequence[Encoded], rows: Sequence[tuple[int, int, int, int]], r: Recipe, sees: Sequence[bool]
) -> Memory:
    """(which clips, clip, first, last) of each phrase -> what its units are made of."""
    cut = [bounds(clips[s], c, a, z, r) for s, c, a, z in rows]
    units, ticks, keys = max(map(len, cut)), r.units.ticks, r.units.keys
    example = clips[0]
    shape = len(rows), units * ticks, 2
    embedding = np.zeros((*shape, example.embedding.shape[-1]), np.float32)
    logits = np.zeros((*shape, example.logits.shape[-1]), np.float32)
    mask = np.zeros(shape, np.float32)
    appearance = np.zeros((len(rows), units, 2, keys, r.units.appearance), np.float32)
    has = np.zeros(appearance.shape[:-1], np.float32)
    for b, ((s, c, _, _), spans, shown) in enumerate(zip(rows, cut, sees, strict=True)):
        own = clips[s]
        stored = own.keys[c]
        for u, (a, z) in enumerate(spans):
            here = slice(u * ticks, u * ticks + z - a)
            known = own.present[c, a:z, :, None]
            embedding[b, here] = own.embedding[c, a:z] * known
            logits[b, here] = own.logits[c, a:z] * known
            mask[b, here] = own.present[c, a:z]
            for k in range(keys if shown else 0):
                start, end = a + k * ticks / keys, min(a + (k + 1) * ticks / keys, z)
                at = np.flatnonzero((stored >= start) & (stored < end))
                if len(at):
                    seen = own.appearance[c, at[0]]
                    good = np.isfinite(seen).all(axis=-1)
                    has[b, u, :, k] = good
                    appearance[b, u, good, k] = seen[good]
    tensors = [torch.from_numpy(x) for x in (embedding, logits, mask, appearance, has)]
    if keys == 1:
        tensors[3:] = tensors[3][:, :, :, 0], tensors[4][:, :, :, 0]
    tensors[1] = tensors[1].unflatten(-1, (7, -1))
    return Memory(*tensors)


def memory_of(student: Student, m: Memory) -> tuple[Tensor, Tensor]:
    """Tokens [B,U*tokens,width], and which are known."""
    c = student.config.units
    tokens = student.memory(m.embedding, m.logits, m.mask, m.appearance, m.has)
    whole = m.mask.unflatten(1, (-1, c.ticks)).amax(2)  # [B,U,2]
    return tokens, whole.repeat_interleave(c.tokens // 2, dim=2).flatten(1)


def path_masks(c: UnitConfig, units: int) -> tuple[Tensor, Tensor]:
    """Of a phrase's memory tokens: which are keyframes', which motion's, 0 or 1 each."""
    each = torch.zeros(c.tokens // 2)
    each[: c.key_tokens] = 1
    key = each.repeat(2 * units)
    return key, 1 - key


def _batches(clips: Sequence[Encoded], r: Recipe) -> Iterator[tuple[Memory, Tensor]]:
    """Training phrases: clips[0] tracked, clips[1] simulated, clips[2] with things, where the recipe asks for them."""
    rng = np.random.default_rng((r.seed, 5))
    while True:
        rows: list[tuple[int, int, int, int]] = []
        sees: list[bool] = []
        texts: list[list[int]] = []
        while len(rows) < r.batch:
            s = 2 if r.things and rng.random() < r.things else int(rng.random() < r.simulated)
            c = int(rng.integers(len(clips[s])))
            w = window(clips[s], c, rng)
            ids = ids_of(w.text) if w else []
            if w is None or len(ids) > LONGEST:
                continue
            rows.append((s, c, w.first, w.last))
            sees.append(s != 1 and rng.random() >= r.blind)
            texts.append(ids)
        tokens = np.full((r.batch, max(map(len, texts)) + 1), END)
        for i, ids in enumerate(texts):
            tokens[i, : len(ids)] = ids
        yield gather(clips, rows, r, sees), torch.from_numpy(tokens)


@torch.no_grad()
def taught(student: Student, begin: Student, r: Recipe) -> None:
    """Give a new captioner what all of them can share: the decoder, what becomes of pooled ticks, and the kinds and
    places of tokens, those of the nearest time where units differ. What keyframes say, and how they meet the motion, is
    new in each."""
    c, known = r.units, begin.config.units
    decoder = begin.decoder.state_dict()
    place = decoder.pop("when").view(-1, 2, known.tokens // 2, known.width)
    student.decoder.load_state_dict(decoder, strict=False)
    student.units.motion.load_state_dict(begin.units.motion.state_dict())
    kinds = [0] * c.keys + [known.keys + j * known.motion // c.motion for j in range(c.motion)]
    student.units.kind.copy_(begin.units.kind[:, kinds])
    tokens = kinds[c.keys :] if c.fusion == "motion" else kinds[: c.keys] if c.fusion == "key" else kinds
    units = longest_memory(c, r.apart)
    at = [min(u * c.ticks // known.ticks, len(place) - 1) for u in range(units)]
    student.decoder.when.copy_(place[at][:, :, tokens].flatten(0, 2))


def train(
    clips: Sequence[Encoded], r: Recipe, *, begin: Student | None = None,
    ready: Callable[[Student], object] | None = None,
    log: Callable[[int, float], None] | None = None,
) -> Student:  # fmt: skip
    """A captioner of this recipe. begin: whose words and motion tokens it begins with (`taught`); ready: what else is
    done with it before it learns."""
    student = student_for(r)
    if begin is not None:
        taught(student, begin, r)
    if ready is not None:
        ready(student)
    parts = [*student.units.parameters(), *student.decoder.parameters()]
    optimiser = torch.optim.AdamW(parts, lr=r.rate, weight_decay=0.02, betas=(0.9, 0.98))
    rng = np.random.default_rng((r.seed, 6))
    schedule = TrainSettings(steps=r.steps, rate=r.rate, warm=max(r.steps // 12, 1))
    for step, (m, tokens) in zip(range(r.steps), _batches(clips, r), strict=False):
        for group in optimiser.param_groups:
            group["lr"] = rate_at(step, schedule)
        memory, known = memory_of(student, m)
        if any(r.paths):
            known = known * dropped(r, len(known), known.shape[1] // r.units.tokens, rng)
        said, goal = student.decoder(memory, known, tokens[:, :-1]), tokens[:, 1:]
        counts = torch.cumsum(goal == END, dim=1) <= 1
        loss = F.cross_entropy(said[counts], goal[counts])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(parts, 1.0)
        optimiser.step()
        if log and step % 50 == 49:
            log(step + 1, loss.item())
    return student.eval()


def dropped(r: Recipe, batch: int, units: int, rng: np.random.Generator) -> Tensor:
    """Path dropout [B, tokens]: some phrases keep motion tokens alone, some keyframe tokens alone."""
    key, motion = path_masks(r.units, units)
    keep = torch.ones(batch, len(key))
    for b, u in enumerate(rng.random(batch)):
        if u < r.paths[0]:
            keep[b] = motion
        elif u < sum(r.paths):
            keep[b] = key
    return keep


@torch.no_grad()
def tell(
    student: Student, memory: Tensor, masks: Sequence[Tensor], wording: Wording
) -> tuple[list[str], NDArray[np.float64]]:
    """Captions of a batch, and the mean log-probability of their words under the first conditional.

    masks: one a conditional [B,M]; all conditionals are one batched step.
    """
    many, batch = len(masks), len(memory)
    d = student.decoder
    wide = memory.repeat(many, 1, 1)
    hidden = (torch.cat(list(masks))[:, None, None] - 1) * 30.0
    remembered = d.remember(wide)
    cross = [(la.cross.split(la.cross.key(remembered)), la.cross.split(la.cross.value(remembered))) for la in d.layers]
    own: list[tuple[Tensor, Tensor] | None] = [None] * len(d.layers)
    word = torch.full((batch,), BEGIN)
    ids, done, total, count = [], torch.zeros(batch, dtype=torch.bool), torch.zeros(batch), torch.zeros(batch)
    for at in range(LONGEST):
        x = (d.word(word.repeat(many)) + d.place[at]).unsqueeze(1)
        for i, layer in enumerate(d.layers):
            n = layer.norm_self(x)
            key, value = layer.own.split(layer.own.key(n)), layer.own.split(layer.own.value(n))
            before = own[i]
            if before is not None:
                key, value = torch.cat((before[0], key), 2), torch.cat((before[1], value), 2)
            own[i] = key, value
            x = x + layer.own.attend(n, key, value, torch.zeros(1))
            n = layer.norm_cross(x)
            x = layer.feed(x + layer.cross.attend(n, *cross[i], hidden))
        logits = F.linear(d.norm(x), d.word.weight, d.bias)[:, 0].unflatten(0, (many, batch))
        logits[..., BEGIN] = -30.0
        said = F.log_softmax(logits, -1)
        word = torch.from_numpy(wording.choose(said.numpy()).argmax(axis=-1))
        total, count = total + said[0].gather(1, word[:, None])[:, 0] * ~done, count + ~done.bool()
        done = done | (word == END)
        ids.append(torch.where(done, END, word))
        if bool(done.all()):
            break
    rows = torch.stack(ids, 1).tolist()
    texts = [text_of([WORDS[i] for i in row if i > BEGIN]) for row in rows]
    return texts, (total / count).double().numpy()


@dataclass(frozen=True, slots=True)
class Told:
    """A phrase and what was said of it."""

    phrase: Phrase
    text: str
    logprob: float


def speak(
    student: Student, clips: Encoded, asked: Sequence[Phrase], r: Recipe, wording: Wording = WORDINGS["greedy"], *,
    sees: bool = True, batch: int = 64,
) -> list[Told]:  # fmt: skip
    """Tell all phrases."""
    out: list[Told] = []
    for i in range(0, len(asked), batch):
        some = asked[i : i + batch]
        m = gather([clips], [(0, p.clip, p.first, p.last) for p in some], r, [sees] * len(some))
        with torch.no_grad():
            memory, known = memory_of(student, m)
        key, motion = path_masks(r.units, known.shape[1] // r.units.tokens)
        masks = [known * {"key": key, "motion": motion}.get(v, torch.ones(1)) for v in wording.views]
        texts, sure = tell(student, memory, masks, wording)
        out += [Told(p, t, float(s)) for p, t, s in zip(some, texts, sure, strict=True)]
    return out


Tuple = tuple[str, str, str]


def tuples(score: Score) -> Counter[Tuple]:
    """(hand, finger, motion) of a score."""
    return Counter((e.hand, part, e.motion) for part, e in expand(score))


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """By phrase [N]: tuples in the reference, said, matched; of events whose finger was hidden: asked and matched;
    of matched tuples: those whose contact is right."""

    asked: NDArray[np.int64]
    said: NDArray[np.int64]
    matched: NDArray[np.int64]
    hidden: NDArray[np.int64]
    hidden_matched: NDArray[np.int64]
    contact: NDArray[np.int64]

    def f1(self, rows: NDArray[np.intp] | slice = slice(None)) -> float:
        return float(2 * self.matched[rows].sum() / max(self.asked[rows].sum() + self.said[rows].sum(), 1))

    def figures(self) -> dict[str, float | int]:
        """Rounded."""
        said = max(int(self.said.sum()), 1)
        row: dict[str, float | int] = {
            "phrases": len(self.asked),
            "f1": round(self.f1(), 4),
            "precision": round(self.matched.sum() / said, 4),
            "recall": round(self.matched.sum() / max(self.asked.sum(), 1), 4),
            "hallucinated": round(1 - self.matched.sum() / said, 4),
            "contact_right": round(self.contact.sum() / max(self.matched.sum(), 1), 4),
        }
        if self.hidden.sum():
            row |= {
                "hidden": int(self.hidden.sum()),
                "hidden_recall": round(self.hidden_matched.sum() / self.hidden.sum(), 4),
            }
        return row


def understood(text: str) -> Score:
    """The score that a text tells; nothing where it is no sentence of figop's."""
    try:
        return parse(text) if text else ()
    except ScoreError:
        return ()


def tally(lines: Sequence[Told]) -> Tally:
    """Counts by phrase; times play no part, for the phrase's are given."""
    rows = []
    for line in lines:
        truth, said = tuples(line.phrase.score), tuples(understood(line.text))
        both = truth & said
        hidden: Counter[Tuple] = Counter()
        for e in line.phrase.score:
            for finger in e.fingers:
                if (e.hand, finger, e.start) in line.phrase.hidden:
                    hidden[e.hand, finger, e.motion] += 1
        contacts = [Counter(_contact(p, e) for p, e in expand(s)) for s in (line.phrase.score, understood(line.text))]
        rows.append((
            truth.total(), said.total(), both.total(), hidden.total(), (hidden & said).total(),
            min((contacts[0] & contacts[1]).total(), both.total()),
        ))  # fmt: skip
    return Tally(*(np.array(c) for c in zip(*rows, strict=True)))


def _contact(part: str, e: FingerEvent) -> tuple[str, str, str, str]:
    return e.hand, part, e.motion, e.contact


def gain(a: Tally, b: Tally, rounds: int = 1000, seed: int = 0) -> tuple[float, float, float]:
    """F1 of `a` minus that of `b` on the same phrases, and its 95 % interval (paired bootstrap over phrases)."""
    rng = np.random.default_rng(seed)
    n = len(a.asked)
    found = [a.f1(rows) - b.f1(rows) for rows in rng.integers(n, size=(rounds, n))]
    low, high = np.quantile(found, [0.025, 0.975])
    return round(a.f1() - b.f1(), 4), round(float(low), 4), round(float(high), 4)
