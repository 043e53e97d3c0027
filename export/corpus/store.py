"""An index of phrases: what is kept of a corpus so that a sentence finds its moments.

A folder: `index.json` (schema, digests, files), `parts/KEY.npz` (one per indexed file, written whole, so that a broken
run goes on), and what the parts make together: `spans.npy` (file, start, end), `vectors.npy` (float16, mapped from the
disk), `texts.bin` with `texts.npy` (what was said of each phrase), and `near.faiss` where there are many phrases.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import FigopError, RuntimeUnavailable, SinkError
from edge.files import write_whole

Array = NDArray[Any]

INDEX_SCHEMA = 1
#: phrases up to which every vector is compared: 20 000 of 128 numbers take about 2 ms
EXACT = 20_000
#: nearest cells that are looked into, and candidates whose exact vectors are compared afterwards
PROBES, CANDIDATES = 24, 400
SPAN = np.dtype([("file", np.int32), ("start", np.float32), ("end", np.float32)])


class IndexError_(FigopError):
    """An index is missing, damaged, or made with other weights."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The phrases of one file: vectors [N,D] float16, spans [N,2] seconds, texts [N]."""

    vectors: Array
    spans: Array
    texts: tuple[str, ...]

    def save(self, path: Path) -> None:
        """Whole or not at all."""
        packed = io.BytesIO()
        np.savez(packed, vectors=self.vectors, spans=self.spans, texts=np.array(self.texts, dtype=str))
        write_whole(path, packed.getvalue())

    @classmethod
    def load(cls, path: Path) -> Part:
        with np.load(path, allow_pickle=False) as d:
            return cls(d["vectors"], d["spans"], tuple(str(t) for t in d["texts"]))


@dataclass(frozen=True, slots=True)
class Hit:
    """A moment: file, seconds, what was said of it, how alike (-1..1)."""

    file: str
    t_start: float
    t_end: float
    text: str
    score: float

    def row(self) -> dict[str, Any]:
        """As a JSON line."""
        return {
            "file": self.file, "t_start": round(self.t_start, 3), "t_end": round(self.t_end, 3),
            "score": round(self.score, 4), "text": self.text,
        }  # fmt: skip


def faiss() -> Any:
    """The library, one thread. Raises RuntimeUnavailable."""
    try:
        import faiss as library
    except ImportError as error:
        raise RuntimeUnavailable(
            f"An index of more than {EXACT} phrases needs faiss: pip install 'figop[search]'."
        ) from error
    library.omp_set_num_threads(1)
    return library


def near_index(vectors: Array, seed: int = 0) -> Any:
    """Approximate neighbours of unit vectors [N,D]: cells around centres, eight bits a number."""
    library = faiss()
    count, width = vectors.shape
    cells = int(2 ** round(math.log2(max(math.sqrt(count), 64))))
    centres = library.IndexFlatIP(width)
    index = library.IndexIVFScalarQuantizer(
        centres, width, cells, library.ScalarQuantizer.QT_8bit, library.METRIC_INNER_PRODUCT
    )
    index.cp.seed, index.cp.niter = 1234 + seed, 8
    rng = np.random.default_rng(seed)
    sample = np.sort(rng.choice(count, min(count, 40 * cells), replace=False))
    index.train(np.asarray(vectors[sample], np.float32))
    for a in range(0, count, 1 << 16):
        index.add(np.asarray(vectors[a : a + (1 << 16)], np.float32))
    return index


class Index:
    """An opened index. `weights`: of the student and the towers that made it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            about = json.loads((folder / "index.json").read_text(encoding="utf-8"))
            if int(about["schema"]) > INDEX_SCHEMA:
                raise IndexError_(f"{folder} is an index that this figop does not know: update figop.")
            self.files: list[str] = list(about["files"])
            self.student, self.towers = str(about["student"]), str(about["towers"])
            self.spans = np.load(folder / "spans.npy", mmap_mode="r", allow_pickle=False)
            self.vectors = np.load(folder / "vectors.npy", mmap_mode="r", allow_pickle=False)
            self._ends = np.load(folder / "texts.npy", mmap_mode="r", allow_pickle=False)
            if not len(self.spans) == len(self.vectors) == len(self._ends) == int(about["phrases"]):
                raise ValueError("its files do not belong together")
        except FileNotFoundError as error:
            raise IndexError_(f"{folder} is no index of figop; make one: figop index VIDEOS -o {folder}") from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise IndexError_(f"The index {folder} is damaged: {error}; make it anew with figop index.") from error
        self._texts = (folder / "texts.bin").open("rb")
        self._near: Any = None
        self._exact: Array | None = None
        if (folder / "near.faiss").exists():
            self._near = faiss().read_index(str(folder / "near.faiss"))
            self._near.nprobe = PROBES
        else:
            self._exact = self.vectors.astype(np.float32)

    def __len__(self) -> int:
        return len(self.spans)

    def close(self) -> None:
        """Release the files."""
        self._texts.close()

    def text(self, i: int) -> str:
        """What was said of phrase i."""
        begin = int(self._ends[i - 1]) if i else 0
        self._texts.seek(begin)
        return self._texts.read(int(self._ends[i]) - begin).decode()

    def search(self, query: Array, top: int) -> list[Hit]:
        """The phrases nearest to a unit vector [D], best first."""
        query = np.asarray(query, np.float32)
        if self._exact is not None:
            picked, scores = np.arange(len(self)), self._exact @ query
        else:
            picked = self._near.search(query[None], max(CANDIDATES, top))[1][0]
            picked = picked[picked >= 0]
            scores = self.vectors[picked].astype(np.float32) @ query
        out = []
        for k in np.argsort(-scores, kind="stable")[:top]:
            i = int(picked[k])
            file, start, end = self.spans[i].tolist()
            out.append(Hit(self.files[file], start, end, self.text(i), float(scores[k])))
        return out


def held(folder: Path, towers: str) -> dict[str, Path]:
    """File -> part of what an index holds already, where it is of these weights; nothing where there is none."""
    try:
        about = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        parts = {str(n): folder / "parts" / str(p) for n, p in about["parts"].items()}
    except (OSError, ValueError, KeyError, AttributeError):
        return {}
    return {n: p for n, p in parts.items() if p.exists()} if about.get("towers") == towers else {}


def assemble(folder: Path, files: Sequence[tuple[str, Path]], *, student: str, towers: str) -> int:
    """Make the index of finished parts, (file, part) in order; `index.json` comes last. Returns the phrases.

    Raises SinkError.
    """
    parts = [(name, Part.load(path)) for name, path in files]
    kept = [(name, p) for name, p in parts if len(p.vectors)]
    total = sum(len(p.vectors) for _, p in kept)
    spans, texts = np.zeros(total, SPAN), [t.encode() for _, p in kept for t in p.texts]
    vectors = np.concatenate([p.vectors for _, p in kept]) if kept else np.zeros((0, 1), np.float16)
    at = 0
    for number, (_, p) in enumerate(kept):
        rows = slice(at, at + len(p.vectors))
        spans["file"][rows], spans["start"][rows], spans["end"][rows] = number, p.spans[:, 0], p.spans[:, 1]
        at = rows.stop
    try:
        (folder / "index.json").unlink(missing_ok=True)  # what is half replaced is no index
        near = folder / "near.faiss"
        near.unlink(missing_ok=True)
        for name, array in (
            ("spans", spans), ("vectors", vectors.astype(np.float16)),
            ("texts", np.cumsum([len(t) for t in texts], dtype=np.int64)),
        ):  # fmt: skip
            packed = io.BytesIO()
            np.save(packed, array)
            write_whole(folder / f"{name}.npy", packed.getvalue())
        write_whole(folder / "texts.bin", b"".join(texts))
        if total > EXACT:
            library = faiss()
            write_whole(near, library.serialize_index(near_index(vectors)).tobytes())
        about = {
            "schema": INDEX_SCHEMA, "phrases": total, "student": student, "towers": towers,
            "files": [name for name, _ in kept], "parts": {name: path.name for name, path in files},
        }  # fmt: skip
        write_whole(folder / "index.json", (json.dumps(about, indent=1, ensure_ascii=False) + "\n").encode())
    except OSError as error:
        raise SinkError(f"The index {folder} could not be written: {error.strerror or error}.") from error
    return total
