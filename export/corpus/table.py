"""All captions of an annotation folder in one file, a row each: JSON lines, or Parquet for millions.

The annotations (NAME.json) are the truth and the table is made of them, whole or not at all: a caption cannot be in it
twice, whatever was broken off and begun again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from edge.errors import RuntimeUnavailable, SinkError
from edge.files import write_whole

FORMATS = {"jsonl": "captions.jsonl", "parquet": "captions.parquet"}
#: columns of a row; `score` is JSON in both formats, so that a new attribute of events is no new schema
COLUMNS = (
    "name", "source", "sha256", "view", "bundle", "language", "reviewed", "t_start", "t_end", "text", "confidence",
    "score",
)  # fmt: skip
_ABOUT = ("source", "sha256", "view", "bundle", "language", "reviewed")


def check(format: str) -> None:
    """Raises RuntimeUnavailable where the format needs a package that is not there: before hours of work."""
    if format == "parquet":
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise RuntimeUnavailable("Parquet needs pyarrow: pip install 'figop[corpus]'.") from error


def rows(folder: Path, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The captions of finished annotations, by name and time. Raises SinkError for one that cannot be read."""
    for name in sorted(names):
        path = folder / f"{name}.json"
        if not path.exists():  # it failed, and was told of
            continue
        try:
            made = json.loads(path.read_text(encoding="utf-8"))
            about = {"name": name} | {
                k: made[k] for k in ("source", "sha256", "view", "bundle", "language", "reviewed")
            }
            told = [*made["captions"], *made.get("things", ())]
            for caption in sorted(told, key=lambda c: c["t_start"]):
                said = caption.get("objects") or [
                    e for e in made["score"] if e["start"] < caption["t_end"] and e["end"] > caption["t_start"]
                ]  # fmt: skip
                yield (
                    about
                    | {k: caption[k] for k in ("t_start", "t_end", "text", "confidence")}
                    | {"score": json.dumps(said, ensure_ascii=False)}
                )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SinkError(f"{path} is no annotation that can be read: {error!r}.") from error


def write(folder: Path, names: Sequence[str], format: str) -> Path:
    """The table of these annotations, at once. Raises SinkError, RuntimeUnavailable."""
    path = folder / FORMATS[format]
    data = _parquet(list(rows(folder, names))) if format == "parquet" else _lines(rows(folder, names))
    try:
        write_whole(path, data)
    except OSError as error:
        raise SinkError(f"The table {path} could not be written: {error.strerror or error}.") from error
    return path


def _lines(found: Iterator[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in found).encode()


def _parquet(found: list[dict[str, Any]]) -> bytes:
    check("parquet")
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"t_start": pa.float64(), "t_end": pa.float64(), "confidence": pa.float64(), "reviewed": pa.bool_()}
    schema = pa.schema([(c, kinds.get(c, pa.string())) for c in COLUMNS])
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(found, schema=schema), out, compression="zstd")
    return out.getvalue()
