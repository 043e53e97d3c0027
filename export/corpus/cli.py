"""`figop index PATH... -o INDEX`, `figop search SENTENCE --index INDEX`: moments of a corpus, found by a sentence."""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.bundle import Bundle
from edge.cli import INTERRUPTED, PARTLY
from edge.errors import FigopError
from edge.files import sha256_of
from edge.verbs.common import add_camera_view, add_json, shell
from export.annotate import count, find
from export.corpus.crew import Lost, Meter, here, processes
from export.corpus.store import Hit, Index, IndexError_, assemble, held
from export.corpus.towers import WEIGHTS, Towers


def add_index(subparsers: argparse._SubParsersAction[Any]) -> None:
    """The verb `index`."""
    parser = subparsers.add_parser("index", help="make a folder of videos searchable by sentences", description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="videos, recordings (.npz), or folders")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="INDEX", help="folder of the index")
    parser.add_argument("--bundle", default="figop-base", help="whose student reads the hands (default: %(default)s)")
    parser.add_argument("-r", "--recursive", action="store_true", help="folders with everything below them")
    parser.add_argument(
        "--jobs", type=count, default=1, metavar="N", help="files at a time, a process each (default 1)"
    )
    add_camera_view(parser)
    add_json(parser, "print a JSON line for each file, nothing else")
    parser.set_defaults(run=run_index)


def add_search(subparsers: argparse._SubParsersAction[Any]) -> None:
    """The verb `search`."""
    parser = subparsers.add_parser("search", help="find moments by a sentence", description=__doc__)
    parser.add_argument("sentence", help='what the fingers do, as in "the thumb slides along the index finger"')
    parser.add_argument("--index", type=Path, required=True, metavar="INDEX", help="made by figop index")
    parser.add_argument("--top", type=count, default=5, metavar="N", help="moments (default %(default)s)")
    parser.add_argument("--sheet", type=Path, metavar="FILE.png", help="a picture of the moments, a row each")
    add_json(parser, "print a JSON line for each moment, nothing else")
    parser.set_defaults(run=run_search)


@dataclass(frozen=True, slots=True)
class Indexed:
    """What came of a file: its part of the index, or why there is none."""

    path: str
    phrases: int = 0
    reason: str = ""
    kept: bool = False
    seconds: float = 0.0
    cpu_s: float = 0.0

    def row(self) -> dict[str, Any]:
        """As a JSON line."""
        outcome = "failed" if self.reason else "kept" if self.kept else "indexed"
        return {"file": self.path, "outcome": outcome, "phrases": self.phrases, "reason": self.reason}


def run_index(args: argparse.Namespace) -> int:
    """Read what is new, then put the parts together. Exit 1 when a file failed."""
    files = list(dict.fromkeys(p.resolve() for p in find(args.paths, recursive=args.recursive)))
    bundle, towers = Bundle.open(args.bundle), Towers.load()
    if bundle.weights_digest != towers.student and not (bundle.source == "model" and towers.heads_only):
        raise IndexError_(
            f"The weights of search belong to another student than {bundle.name} has; use figop-base, or train them: "
            "python -m export.corpus.fit"
        )
    work = functools.partial(_work, argparse.Namespace(**{k: v for k, v in vars(args).items() if k != "run"}))
    results = processes(work, files, min(args.jobs, len(files))) if args.jobs > 1 else here(work, files)
    meter, done = Meter(), list[Indexed]()
    try:
        for result in results:
            one = result if isinstance(result, Indexed) else _lost(result)
            done.append(one)
            meter.add(one.seconds, one.cpu_s)
            if args.json:
                print(json.dumps(one.row(), ensure_ascii=False), flush=True)
            elif not one.reason:
                kept = " (kept)" if one.kept else ""
                print(f"[{len(done)}/{len(files)}] {one.path}: {one.phrases} phrases{kept}", flush=True)
            if one.reason:
                print(f"figop: {one.reason}", file=sys.stderr, flush=True)
    except KeyboardInterrupt:
        return INTERRUPTED
    good = {d.path for d in done if not d.reason}
    named = {str(f) for f in files}
    parts = [(n, p) for n, p in held(args.out, digest(WEIGHTS)).items() if n not in named]
    parts += [(str(f), _part(args.out, f, bundle)) for f in files if str(f) in good]
    total = assemble(args.out, parts, student=bundle.weights_digest, towers=digest(WEIGHTS))
    if not args.json:
        print(f"{args.out}: {total} phrases of {len(parts)} files")
        print(f'Next: figop search "the index finger bends" --index {shell(args.out)}')
    return PARTLY if len(good) < len(files) else 0


def _lost(lost: Lost[Path]) -> Indexed:
    return Indexed(str(lost.job), reason=f"{lost.job}: the process that read it died {lost.tries} times.")


#: the towers' is asked for with every file
digest = functools.lru_cache(maxsize=4)(sha256_of)


def _part(out: Path, file: Path, bundle: Bundle) -> Path:
    """Where a file's part is kept: named by its content, the weights, and its path."""
    key = hashlib.sha256("\n".join([str(file), digest(file), bundle.weights_digest, digest(WEIGHTS)]).encode())
    return out / "parts" / f"{key.hexdigest()[:24]}.npz"


def _work(args: argparse.Namespace, file: Path) -> Indexed:
    from export.corpus.read import read
    from export.corpus.store import Part

    cpu = time.process_time()
    try:
        bundle = Bundle.open(args.bundle)
        path = _part(args.out, file, bundle)
        if path.exists():
            return Indexed(str(file), len(Part.load(path).spans), kept=True)
        part, seconds = read(
            file, bundle, Towers.load(), view=args.camera_view, mirrored=args.mirrored, max_hands=args.max_hands
        )
        part.save(path)
    except FigopError as error:
        return Indexed(str(file), reason=str(error))
    except OSError as error:
        return Indexed(str(file), reason=f"{file} cannot be indexed: {error.strerror or error}.")
    return Indexed(str(file), len(part.spans), seconds=seconds, cpu_s=time.process_time() - cpu)


def run_search(args: argparse.Namespace) -> int:
    """Ask, answer, draw. Exit 1 when the index holds nothing."""
    from export.corpus.query import Asker

    index, towers = Index(args.index), Towers.load()
    if index.towers != digest(WEIGHTS):
        raise IndexError_(f"The index {args.index} was made with other weights of search; make it anew: figop index")
    asked = Asker(towers).ask(args.sentence)
    hits = answer(index, asked.vectors, args.top)
    if args.sheet:
        from export.corpus import sheet

        sheet.write(args.sheet, sheet.sheet(args.sentence, hits))
    for hit in hits:
        if args.json:
            print(json.dumps(hit.row(), ensure_ascii=False))
        else:
            print(f"{hit.score:.2f}  {hit.file}  {hit.t_start:.2f}-{hit.t_end:.2f} s  {hit.text}")
    if not args.json:
        if asked.how == "words":
            print("(the sentence is outside the narrator's grammar; found by a text network)", file=sys.stderr)
        if args.sheet:
            print(f"wrote {args.sheet}")
        if hits:
            print(f"Next: figop caption {shell(hits[0].file)}" if not args.sheet else f"Next: look at {args.sheet}")
        else:
            print("The index holds no phrases.")
    return 0 if hits else PARTLY


def answer(index: Index, vectors: np.ndarray[Any, Any], top: int) -> list[Hit]:
    """The best moments for any of several vectors (one for each hand, where the sentence leaves it open)."""
    found: dict[tuple[str, float], Hit] = {}
    for vector in vectors:
        for hit in index.search(vector, top) if len(index) else []:
            key = (hit.file, hit.t_start)
            if key not in found or found[key].score < hit.score:
                found[key] = hit
    return sorted(found.values(), key=lambda h: -h.score)[:top]
