"""How well sentences find phrases: `python -m export.corpus.evaluate out/corpus -o results/retrieval.json`.

Held-out phrases are asked for by their narrations (random styles and wordings), which go the way of `figop search`:
parser, score, text tower. What counts as right has the same meaning: hands, motions, fingers, directions, contacts and
repetitions in the same order. nDCG grades by the share of attributes that two phrases have in common.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.files import write_whole
from edge.gestures.match import event_score
from edge.narrator import STYLES, narrate, parse, said
from edge.provenance import versions
from edge.score import HANDS, FingerEvent, Score, expand
from edge.targets import CONTACT_NAMES, DIRECTION_NAMES, MOTION_NAMES, slots_of
from export.corpus.phrases import Phrases, load, meaning, shards_of, unseen
from export.corpus.query import Asker
from export.corpus.towers import WEIGHTS, Towers

Array = NDArray[Any]

COUNT, SEED = 1000, 5
#: bars of the issue
R1_BAR, MAP_BAR, ZERO_SHOT_BAR = 0.45, 0.60, 0.60
CHOICES = 5
#: how much the heads' log likelihood counts beside the towers' cosine
SHARE = 0.1


def narrated(scores: Sequence[Score], seed: int = SEED) -> list[str]:
    """A narration of each, in a random style, four in five of them paraphrased."""
    rng = np.random.default_rng(seed)
    return [
        narrate(s, style=list(STYLES)[int(rng.random() < 0.4)], rng=rng if rng.random() < 0.8 else None)
        for s in scores
    ]  # fmt: skip


def _bag(score: Score) -> Counter[Any]:
    """Attributes of a score, finger by finger."""
    return Counter((e.hand, part, e.motion, e.direction, e.contact) for part, e in expand(score))


def relevance(a: Sequence[Score], b: Sequence[Score]) -> Array:
    """Shared attributes over all, [A,B] 0..1; order and manner left out."""
    bags_a, bags_b = [_bag(said(s)) for s in a], [_bag(said(s)) for s in b]
    names = {k: i for i, k in enumerate({k for bag in (*bags_a, *bags_b) for k in bag})}

    def table(bags: Sequence[Counter[Any]]) -> Array:
        out = np.zeros((len(bags), len(names)), np.float32)
        for i, bag in enumerate(bags):
            for k, n in bag.items():
                out[i, names[k]] = n
        return out

    x, y = table(bags_a), table(bags_b)
    both = np.stack([np.minimum(row, y).sum(axis=1) for row in x])
    return np.asarray(both / np.maximum(x.sum(axis=1)[:, None] + y.sum(axis=1)[None] - both, 1))


def ranked(scores: Array, same: Array, graded: Array) -> dict[str, float]:
    """Figures of a score matrix [queries,phrases]; same [.,.] bool, graded [.,.] 0..1; query i belongs to phrase i."""
    order = np.argsort(-scores, axis=1, kind="stable")
    hits = np.take_along_axis(same, order, axis=1)
    first = hits.argmax(axis=1)
    place = np.arange(1, hits.shape[1] + 1)
    precision = np.cumsum(hits, axis=1) / place
    average = (precision * hits).sum(axis=1) / np.maximum(hits.sum(axis=1), 1)
    gains = np.take_along_axis(graded, order, axis=1) / np.log2(place + 1)
    # as in EPIC-KITCHENS multi-instance retrieval: the cut is the number of phrases that have anything in common
    cut = np.maximum((graded > 0).sum(axis=1), 1)[:, None] >= place
    ideal = -np.sort(-graded, axis=1) / np.log2(place + 1)
    ndcg = (gains * cut).sum(axis=1) / np.maximum((ideal * cut).sum(axis=1), 1e-9)
    own = (order == np.arange(len(order))[:, None]).argmax(axis=1)
    return {
        "r1": round(float((first == 0).mean()), 4), "r5": round(float((first < 5).mean()), 4),
        "r10": round(float((first < 10).mean()), 4), "median_rank": float(np.median(first) + 1),
        "map": round(float(average.mean()), 4), "ndcg": round(float(ndcg.mean()), 4),
        "r1_this_very_phrase": round(float((own == 0).mean()), 4),
    }  # fmt: skip


def multiple_choice(scores: Array, same: Array, graded: Array, *, hard: bool, seed: int = SEED) -> float:
    """Share of queries whose own phrase beats four others: any of another meaning, or (`hard`) the most alike."""
    rng = np.random.default_rng(seed)
    right = []
    for i in range(len(scores)):
        others = np.flatnonzero(~same[i])
        if hard:
            others = others[np.argsort(-graded[i, others] - 1e-6 * rng.random(len(others)))][: CHOICES - 1]
        else:
            others = rng.choice(others, CHOICES - 1, replace=False)
        right.append(scores[i, i] > scores[i, others].max())
    return round(float(np.mean(right)), 4)


def bag_of_attributes(phrases: Phrases, asked: Sequence[Score]) -> Array:
    """The baseline [queries,phrases]: the heads' attributes, at their highest over the phrase, against those asked for.

    No order, no learning; rare attributes weigh more (inverse document frequency over the phrases).
    """
    sizes = (len(MOTION_NAMES), len(DIRECTION_NAMES), len(CONTACT_NAMES))
    width = sum(sizes)
    rows = np.maximum.reduceat(phrases.rows[..., :width], phrases.offsets[:-1], axis=0).astype(np.float32)
    starts = (0, sizes[0], sizes[0] + sizes[1])
    rows[..., list(starts)] = 0  # "none" is no attribute
    wanted = np.zeros((len(asked), *rows.shape[1:]), np.float32)
    for i, score in enumerate(asked):
        for e in score:
            for slot in slots_of(e) if e.motion != "rest" else ():
                hand = HANDS.index(e.hand)
                wanted[i, hand, slot, MOTION_NAMES.index(e.motion)] = 1
                if e.direction:
                    wanted[i, hand, slot, starts[1] + DIRECTION_NAMES.index(e.direction)] = 1
                if e.contact:
                    wanted[i, hand, slot, starts[2] + CONTACT_NAMES.index(e.contact)] = 1
    x, y = rows.reshape(len(rows), -1), wanted.reshape(len(asked), -1)
    idf = np.log((len(x) + 1) / (x.sum(axis=0) + 1))
    x, y = x * idf, y * idf
    norm = [np.maximum(np.linalg.norm(a, axis=1, keepdims=True), 1e-6) for a in (x, y)]
    return np.asarray((y / norm[1]) @ (x / norm[0]).T)


def likelihood(phrases: Phrases, asked: Sequence[Score], *, against_usual: bool = True) -> Array:
    """Mean log probability of what is asked for by the heads [queries,phrases]; order counts.

    against_usual: each event against its mean over these phrases, so that what heads say seldom can be found too.
    """
    steps = phrases.rows.astype(np.float32)
    begins = phrases.offsets[:-1]
    of = np.repeat(np.arange(len(phrases)), np.diff(phrases.offsets))
    known: dict[FingerEvent, tuple[Array, Array]] = {}

    def best(event: FingerEvent) -> tuple[Array, Array]:
        if event not in known:
            trace = event_score(event, steps[:, HANDS.index(event.hand)])
            top = np.maximum.reduceat(trace, begins)
            at = np.zeros(len(begins))
            where = np.flatnonzero(trace == top[of])
            at[of[where][::-1]] = where[::-1]
            known[event] = np.log(top + 1e-3), at
        return known[event]

    out = np.zeros((len(asked), len(phrases)), np.float32)
    for i, score in enumerate(asked):
        parts = [
            (e.start, *best(replace(e, start=0.0, end=0.0, extent="full", speed="normal")))
            for e in score if e.motion != "rest"
        ]  # fmt: skip
        total = np.mean([p - p.mean() * against_usual for _, p, _ in parts], axis=0)
        wrong = [b < a for s, _, a in parts for t, _, b in parts if t > s]
        out[i] = total - (np.mean(wrong, axis=0) if wrong else 0.0)
    return out


def looks(towers: Towers, phrases: Phrases, *, shuffled: bool = False) -> Array:
    """Vectors of phrases; shuffled: their steps in random order."""
    rng = np.random.default_rng(SEED)
    out = []
    for i in range(len(phrases)):
        rows, embedding = phrases.of(i)
        order = rng.permutation(len(rows)) if shuffled else np.arange(len(rows))
        out.append(towers.motion(rows[order], embedding[order]))
    return np.stack(out)


def judge(scores: Array, same: Array, graded: Array) -> dict[str, Any]:
    """All figures of one way to search."""
    return ranked(scores, same, graded) | {
        "choice_of_5": multiple_choice(scores, same, graded, hard=False),
        "choice_of_5_alike": multiple_choice(scores, same, graded, hard=True),
    }


def interval(scores: Array, same: Array, draws: int = 1000) -> tuple[float, float]:
    """R@1 over resampled queries, 95 %."""
    order = scores.argmax(axis=1)
    right = same[np.arange(len(order)), order]
    rng = np.random.default_rng(SEED)
    means = [right[rng.integers(len(right), size=len(right))].mean() for _ in range(draws)]
    return round(float(np.percentile(means, 2.5)), 4), round(float(np.percentile(means, 97.5)), 4)


def matrices(phrases: Phrases) -> tuple[Array, Array]:
    """same [N,N] and graded [N,N]."""
    keys: dict[Any, int] = {}
    number = np.array([keys.setdefault(meaning(s), len(keys)) for s in phrases.scores])
    return number[:, None] == number[None], relevance(phrases.scores, phrases.scores)


def evaluate(phrases: Phrases, towers: Towers, *, words: bool) -> dict[str, Any]:
    """Every way to search, on the same phrases and texts; `figop_search` is the entrance of that verb."""
    texts = narrated(phrases.scores)
    asked = [parse(t) for t in texts]
    same, graded = matrices(phrases)
    vectors = looks(towers, phrases)
    clock = time.process_time()
    queries = np.stack([towers.score(a) for a in asked])
    cosine = queries @ vectors.T
    heads = likelihood(phrases, asked)
    out = {
        "towers": judge(cosine, same, graded) | {"r1_interval_95": interval(cosine, same)},
        "bag_of_attributes": judge(bag_of_attributes(phrases, asked), same, graded),
        "heads_likelihood": judge(heads, same, graded),
        "towers_steps_shuffled": judge(queries @ looks(towers, phrases, shuffled=True).T, same, graded),
        "chance": judge(np.random.default_rng(SEED).random(cosine.shape), same, graded),
        "query_ms": round(1e3 * (time.process_time() - clock) / len(asked), 3),
    }
    asker = Asker(towers)
    entered = [asker.ask(t) for t in texts]
    found = np.stack([(a.vectors @ vectors.T).max(axis=0) for a in entered])
    out["figop_search"] = judge(found, same, graded) | {
        "r1_interval_95": interval(found, same), "by_words": sum(a.how == "words" for a in entered),
    }  # fmt: skip
    out["towers+likelihood"] = judge(cosine + SHARE * heads, same, graded) | {"share": SHARE}
    if words:
        from export.corpus.minilm import MiniLM

        sentence = np.stack([towers.words(v) for v in MiniLM()(texts)])
        out["sentence_vectors"] = judge(sentence @ vectors.T, same, graded)
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Judge search on held-out simulated phrases.")
    parser.add_argument("folder", type=Path, help="made by export.corpus.phrases")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--towers", type=Path, default=WEIGHTS)
    parser.add_argument("--beside", type=Path, help="other towers, told as an ablation: made with --without embedding")
    parser.add_argument("--without-words", action="store_true", help="leave the text network's sentence vectors out")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    bundle = Bundle.open(args.bundle)
    trained, held = (load(shards_of(args.folder, bundle.weights_digest, side)) for side in ("train", "test"))
    test = unseen(held, trained, COUNT)
    meanings = Counter(meaning(s) for s in test.scores)
    report = {
        "schema": 1, "command": "python -m export.corpus.evaluate", "versions": versions(("numpy",)),
        "weights": bundle.weights_digest, "phrases": len(test), "meanings": len(meanings),
        "commonest_meaning": meanings.most_common(1)[0][1], "training_phrases": len(trained),
        "events": round(float(np.mean([len(s) for s in test.scores])), 2),
        "bars": {"r1": R1_BAR, "map": MAP_BAR, "zero_shot": ZERO_SHOT_BAR},
        **evaluate(test, Towers.load(args.towers), words=not args.without_words),
    }  # fmt: skip
    if args.beside:
        beside, texts = Towers.load(args.beside), narrated(test.scores)
        scores = np.stack([beside.score(parse(t)) for t in texts]) @ looks(beside, test).T
        name = "towers_without_embedding" if beside.heads_only else "towers_with_embedding"
        report[name] = judge(scores, *matrices(test))
    if args.output:
        old = json.loads(args.output.read_text()) if args.output.exists() else {}
        write_whole(args.output, (json.dumps(old | report, indent=1) + "\n").encode())
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
