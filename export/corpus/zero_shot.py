"""Classes of SFINGE 3D and SHREC'21 told apart by sentences alone: `python -m export.corpus.zero_shot DATA`.

Nothing is trained on the sets. SFINGE's clips of one block were looked at when sentences were written and it was
settled what a pose is; no figure uses them. A clip in which a pose of one of the sentences is held for most of the time
is that pose (geometry), wherever the wrist goes meanwhile; every other clip is the motion whose sentence finds it best:
by the towers' cosine, by the heads' log likelihood held against the same sentence's mean on the simulator's phrases (as
sentences of gestures are, `edge.gestures.background`), and by both, in the proportion of `export.corpus.evaluate`.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.files import write_whole
from edge.gestures.listen import Heard, listen
from edge.gestures.shapes import PoseReader, Shape
from edge.hands.frame import RIGHT
from edge.model_features import PERSON_AXES
from edge.narrator import parse
from edge.score import Score
from export.corpus.evaluate import SHARE, ZERO_SHOT_BAR, likelihood, looks
from export.corpus.phrases import Phrases, load, pack, shards_of
from export.corpus.poses import pose_of
from export.corpus.steps import steps_of
from export.corpus.towers import WEIGHTS, Towers
from export.gestures.streams import SHREC, Stream, sfinge_clips, shrec21, to_recording

Array = NDArray[Any]

SENTENCES = {name: Path(__file__).with_name(f"{name}.json") for name in ("sfinge", "shrec21")}
#: a pose is held when it is likelier than not for most of a clip
HELD, MOST = 0.5, 0.5
#: SFINGE's block that was looked at when sentences were written: no figure uses it
LOOKED_AT = 0
#: simulated phrases that sentences are held against
BACKGROUND = 800


def clips_of(folder: Path) -> tuple[str, list[Stream]]:
    """Which set a folder holds, and its cut gestures. Raises SourceError."""
    if (folder / SHREC).exists():
        return "shrec21", [
            Stream(f"{s.name}-{n}", s.fps, s.joints[e.first : e.last + 1], (e,), s.group)
            for s in shrec21(folder) for n, e in enumerate(s.labels)
        ]  # fmt: skip
    return "sfinge", [s for s in sfinge_clips(folder) if s.group != LOOKED_AT]


def classes(which: str) -> dict[str, tuple[list[Shape], list[Score]]]:
    """Class -> what its sentences say: poses, and motions of the right hand. Raises ScoreError for neither."""
    out: dict[str, tuple[list[Shape], list[Score]]] = {}
    for name, sentences in json.loads(SENTENCES[which].read_text(encoding="utf-8"))["classes"].items():
        poses, motions = list[Shape](), list[Score]()
        for sentence in sentences:
            pose = pose_of(sentence)
            if pose is not None:
                poses.append(pose)
            else:
                motions.append(parse(sentence))
        out[name] = poses, motions
    return out


def held(heard: Heard, shapes: Sequence[Shape], view: str = "egocentric") -> Array:
    """Share of a clip's ticks in which each pose is likelier than not, and its mean score [poses]."""
    scores = []
    every = slice(None, None, 3)  # a tenth of a second
    for world, present in zip(heard.world[every, RIGHT], heard.present[every, RIGHT], strict=True):
        if present and np.isfinite(world).all():
            reader = PoseReader(np.asarray((world - world[0]) * PERSON_AXES[view], np.float32), left=False)
            scores.append([reader.score(s) for s in shapes])
    table = np.array(scores) if scores else np.zeros((1, len(shapes)))
    return np.where((table > HELD).mean(axis=0) >= MOST, 1 + table.mean(axis=0), table.mean(axis=0))


def evaluate(
    which: str, streams: Sequence[Stream], bundle: Bundle, towers: Towers, background: Phrases
) -> dict[str, Any]:
    """Accuracy over all clips and by class, of every way and of both together."""
    known = classes(which)
    names = list(known)
    poses = [(n, s) for n, (shapes, _) in known.items() for s in shapes]
    motions = [(n, m) for n, (_, said) in known.items() for m in said]
    truth, heard, kept = [], list[Heard](), []
    for stream in streams:
        made = to_recording(stream)
        read = listen(made.frames(), bundle, name=stream.name, view=made.view, mirrored=False)
        heard.append(read)
        kept.append(steps_of(read.rows, read.embedding, 0, len(read.rows)))
        truth.append(stream.labels[0].name)
    clips = pack([k[0] for k in kept], [k[1] for k in kept], [()] * len(kept))
    asked = [m for _, m in motions]
    queries = np.stack([towers.score(m) for m in asked])
    cosine = queries @ looks(towers, clips).T
    heads = [likelihood(p, asked, against_usual=False) for p in (clips, background)]

    ways = {"towers": cosine, "heads": heads[0] - heads[1].mean(axis=1)[:, None]}
    ways["both"] = ways["towers"] + SHARE * ways["heads"]
    pose = np.stack([held(h, [s for _, s in poses]) for h in heard])
    out: dict[str, Any] = {}
    for way, table in ways.items():
        told = [motions[k][0] for k in table.argmax(axis=0)]
        for i in np.flatnonzero(pose.max(axis=1) >= 1):
            told[i] = poses[int(pose[i].argmax())][0]
        right = np.array([a == b for a, b in zip(told, truth, strict=True)])
        out[way] = {
            "accuracy": round(float(right.mean()), 4),
            "by_class": {n: round(float(right[[t == n for t in truth]].mean()), 3) for n in names if n in truth},
            "confused": [
                [a, b, n]
                for (a, b), n in Counter(zip(truth, told, strict=True)).most_common()
                if a != b
            ][:10],
        }  # fmt: skip
    best = max(Counter(truth).values()) / len(truth)
    return {
        "clips": len(truth),
        **({"left_out_block": LOOKED_AT, "bar": ZERO_SHOT_BAR} if which == "sfinge" else {}),
        "classes": len(names),
        "commonest_class": round(best, 4),
        **out,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Tell the classes of SFINGE or SHREC'21 apart by sentences.")
    parser.add_argument("data", type=Path, help="folder of the set")
    parser.add_argument("--phrases", type=Path, default=Path("out/corpus"), help="made by export.corpus.phrases")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--towers", type=Path, default=WEIGHTS)
    parser.add_argument("-o", "--output", type=Path, help="retrieval.json, which gets the set's name")
    args = parser.parse_args(argv)
    bundle = Bundle.open(args.bundle)
    trained = load(shards_of(args.phrases, bundle.weights_digest))
    background = trained.take(range(min(BACKGROUND, len(trained))))
    which, streams = clips_of(args.data)
    found = evaluate(which, streams, bundle, Towers.load(args.towers), background)
    if args.output:
        old = json.loads(args.output.read_text()) if args.output.exists() else {}
        write_whole(args.output, (json.dumps(old | {which: found}, indent=1) + "\n").encode())
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
