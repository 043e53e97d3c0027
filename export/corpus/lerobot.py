"""LeRobot data sets (v2.1, v3): their episodes as sources, and finger captions written back as language annotations.

    python -m export.corpus.lerobot DATASET -o NOTES [--camera observation.images.top] [--jobs N]

v3: the columns `language_persistent` and `language_events` of the data files, as LeRobot defines them: a caption is a
persistent row of style `motion` from its first frame on (a hand that rests supersedes it), and a question and answer
of style `vqa` on the frame in its middle. All other columns, rows of other writers, videos and statistics stay.
v2.1 has no such columns: the same rows go to `meta/figop_language.parquet`. Every file is replaced whole.
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import FigopError, RuntimeUnavailable, SinkError, SourceError
from edge.files import write_whole
from edge.sources import Picture, VideoSource

PERSISTENT, EVENTS = "language_persistent", "language_events"
#: LeRobot's own declaration of the two columns in meta/info.json
FEATURE = {"dtype": "language", "shape": [1], "names": None}
#: which rows of a data set are figop's, so that they can be made again
LEDGER, SIDE_TABLE = "meta/figop_language.json", "meta/figop_language.parquet"
QUESTION, STILL = "What do the fingers do?", "The hands rest."
#: a video is searched from so many seconds before an episode: key frames lie apart
_SEEK_S = 3.0


@dataclass(frozen=True, slots=True)
class Episode:
    """index; length in frames; data: its Parquet file; video: the chosen camera's file, from begin to end seconds."""

    index: int
    length: int
    data: Path
    video: Path
    begin: float
    end: float


def pyarrow() -> Any:
    """pyarrow with its Parquet. Raises RuntimeUnavailable."""
    try:
        import pyarrow as pa
        import pyarrow.parquet
    except ImportError as error:
        raise RuntimeUnavailable("LeRobot data sets need pyarrow: pip install 'figop[corpus]'.") from error
    return pa


class Dataset:
    """A LeRobot data set on the disk. Raises SourceError."""

    def __init__(self, root: Path, camera: str = "") -> None:
        self.root = root
        self.info = self._json("meta/info.json")
        try:
            self.version = tuple(int(v) for v in str(self.info["codebase_version"]).lstrip("v").split("."))
            self.fps, features = float(self.info["fps"]), self.info["features"]
            cameras = [k for k, f in features.items() if f["dtype"] == "video"]
        except (KeyError, TypeError, ValueError) as error:
            raise SourceError(
                f"{root} is no LeRobot data set that figop reads: meta/info.json lacks {error}."
            ) from error
        if self.version < (2, 0) or self.version >= (4, 0):
            found = self.info["codebase_version"]
            raise SourceError(f"{root} is a LeRobot data set of {found}; figop reads v2.1 and v3: convert it first.")
        if not cameras:
            raise SourceError(f"{root} has no camera with videos; pictures inside the data files are not read.")
        if not camera and len(cameras) > 1:
            raise SourceError(
                f"{root} has the cameras {', '.join(cameras)}; say which sees the hands: --camera {cameras[0]}"
            )
        self.camera = camera or cameras[0]
        if self.camera not in cameras:
            raise SourceError(f"{root} has no camera {camera!r}; it has {', '.join(cameras)}.")

    def _json(self, name: str) -> dict[str, Any]:
        try:
            return dict(json.loads((self.root / name).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise SourceError(f"{self.root} is no LeRobot data set: {name} cannot be read ({error}).") from error

    @property
    def has_columns(self) -> bool:
        """Whether its layout knows the language columns."""
        return self.version >= (3, 0)

    def episodes(self) -> list[Episode]:
        """All episodes, in order. Raises SourceError, RuntimeUnavailable."""
        try:
            found = self._episodes3() if self.has_columns else self._episodes2()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SourceError(f"The episodes of {self.root} cannot be read: {error!r}.") from error
        if not found:
            raise SourceError(f"{self.root} has no episodes.")
        return sorted(found, key=lambda e: e.index)

    def _episodes2(self) -> list[Episode]:
        out = []
        for line in (self.root / "meta/episodes.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            index, length = int(row["episode_index"]), int(row["length"])
            where = {"episode_index": index, "episode_chunk": index // int(self.info["chunks_size"])}
            data = self.root / str(self.info["data_path"]).format(**where)
            video = self.root / str(self.info["video_path"]).format(**where, video_key=self.camera)
            out.append(Episode(index, length, data, video, 0.0, length / self.fps))
        return out

    def _episodes3(self) -> list[Episode]:
        pa = pyarrow()
        out, key = [], f"videos/{self.camera}"
        names = ["chunk_index", "file_index", "from_timestamp", "to_timestamp"]
        columns = ["episode_index", "length", "data/chunk_index", "data/file_index", *(f"{key}/{n}" for n in names)]
        for path in sorted((self.root / "meta/episodes").glob("*/*.parquet")):
            for row in pa.parquet.read_table(path, columns=columns).to_pylist():
                chunk, number, begin, end = (row[f"{key}/{n}"] for n in names)
                data = str(self.info["data_path"]).format(
                    chunk_index=row["data/chunk_index"], file_index=row["data/file_index"]
                )
                video = str(self.info["video_path"]).format(video_key=self.camera, chunk_index=chunk, file_index=number)
                out.append(
                    Episode(
                        int(row["episode_index"]), int(row["length"]), self.root / data, self.root / video,
                        float(begin), float(end),
                    )
                )  # fmt: skip
        return out


class EpisodeSource:
    """One episode's frames of one camera, its time from 0: a `edge.sources.Source`. AV1 is read by PyAV."""

    live, gives_hands = False, False
    view: str | None = None
    mirrored: bool | None = None

    def __init__(self, episode: Episode, fps: float) -> None:
        self.name, self.fps, self.count = f"episode {episode.index}", fps, episode.length
        self.size, self.dropped = (0, 0), Counter[str]()
        self._episode = episode
        if not episode.video.exists():
            raise SourceError(f"The video of episode {episode.index} is not there: {episode.video}.")

    def __iter__(self) -> Iterator[Picture]:
        e, half = self._episode, 0.5 / self.fps
        seen = 0
        for rgb, t in _frames(e.video, max(e.begin - _SEEK_S, 0.0)):
            if t < e.begin - half:
                continue
            if t >= e.end - half or seen >= e.length:
                break
            seen += 1
            yield Picture(rgb, round((t - e.begin) * 1e9))
        if not seen:
            raise SourceError(f"{e.video} holds no frames of episode {e.index} ({e.begin:.2f} to {e.end:.2f} s).")

    def close(self) -> None:
        """The video is closed where it is read."""


def _frames(path: Path, begin: float) -> Iterator[tuple[Any, float]]:
    """RGB pictures and seconds from about `begin` on. Raises SourceError."""
    try:
        import av
    except ImportError:
        source = VideoSource(path)  # its wheel has no software decoder of AV1
        try:
            for picture in source:
                yield picture.rgb, picture.t_ns * 1e-9
        finally:
            source.close()
        return
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            if begin > 0 and stream.time_base is not None:
                container.seek(int(begin / stream.time_base), stream=stream, backward=True)
            for frame in container.decode(stream):
                if frame.time is not None:
                    yield np.ascontiguousarray(frame.to_ndarray(format="rgb24")), float(frame.time)
    except (av.FFmpegError, IndexError) as error:
        raise SourceError(f"{path} cannot be decoded: {error}.") from error


def language_rows(
    captions: Sequence[dict[str, Any]], stamps: Sequence[float], camera: str
) -> tuple[list[dict[str, Any]], dict[int, list[dict[str, Any]]]]:
    """Captions (t_start, t_end, text) of an episode whose frames have these time stamps -> persistent rows, and event
    rows by number of the frame. Every time is exactly that of a frame."""

    def frame(t: float) -> int:
        return int(np.abs(np.asarray(stamps, np.float64) - t).argmin())

    persistent, events = [], dict[int, list[dict[str, Any]]]()
    ordered = sorted(captions, key=lambda c: float(c["t_start"]))
    for i, caption in enumerate(ordered):
        begin, end = frame(float(caption["t_start"])), frame(float(caption["t_end"]))
        persistent.append(_row("motion", str(caption["text"]), timestamp=float(stamps[begin])))
        following = frame(float(ordered[i + 1]["t_start"])) if i + 1 < len(ordered) else len(stamps)
        if begin < end < following:
            persistent.append(_row("motion", STILL, timestamp=float(stamps[end])))
        asked = _row("vqa", QUESTION, camera=camera, role="user")
        told = _row("vqa", str(caption["text"]), camera=camera)
        events.setdefault((begin + end) // 2, []).extend([told, asked])
    return persistent, events


def _row(
    style: str, content: str, *, role: str = "assistant", camera: str | None = None, **more: float
) -> dict[str, Any]:
    return {"role": role, "content": content, "style": style, **more, "camera": camera, "tool_calls": None}


def column_types() -> tuple[Any, Any]:
    """Arrow types of the two columns, as LeRobot documents them (its JSON of `tool_calls` is stored as text)."""
    pa = pyarrow()

    def row(*timestamp: Any) -> Any:
        text = [pa.field(n, pa.string()) for n in ("content", "style")]
        tail = [pa.field("camera", pa.string()), pa.field("tool_calls", pa.list_(pa.string()))]
        return pa.list_(pa.struct([pa.field("role", pa.string(), nullable=False), *text, *timestamp, *tail]))

    return row(pa.field("timestamp", pa.float32(), nullable=False)), row()


def write(dataset: Dataset, notes: dict[int, list[dict[str, Any]]]) -> list[Path]:
    """Captions by episode into the data set; what figop wrote before is replaced. Returns the files written.

    Raises SinkError, SourceError.
    """
    try:
        return _write3(dataset, notes) if dataset.has_columns else _write2(dataset, notes)
    except OSError as error:
        raise SinkError(f"{dataset.root} could not be written: {error.strerror or error}.") from error


def _write3(dataset: Dataset, notes: dict[int, list[dict[str, Any]]]) -> list[Path]:
    pa = pyarrow()
    ledger_path = dataset.root / LEDGER
    before = json.loads(ledger_path.read_text(encoding="utf-8")) if ledger_path.exists() else {}
    ledger: dict[str, Any] = dict(before)
    files: dict[Path, list[int]] = {}
    for e in dataset.episodes():
        files.setdefault(e.data, []).append(e.index)
    written = []
    for path, episodes in files.items():
        table = pa.parquet.read_table(path)
        if not {"episode_index", "timestamp"} <= set(table.column_names):
            raise SourceError(f"{path} has no episode_index or no timestamp: is it a LeRobot data file?")
        numbers, stamps = table["episode_index"].to_numpy(), table["timestamp"].to_numpy()
        old = [table[c].to_pylist() if c in table.column_names else [None] * len(table) for c in (PERSISTENT, EVENTS)]
        kept, told = ([list(v or []) for v in column] for column in old)
        for index in episodes:
            if index not in notes:
                continue
            where = np.flatnonzero(numbers == index)
            ours = before.get(str(index), {"persistent": [], "events": []})
            persistent, events = language_rows(notes[index], stamps[where].tolist(), dataset.camera)
            ledger[str(index)] = {"persistent": persistent, "events": [r for rows in events.values() for r in rows]}
            others = [r for r in (kept[where[0]] if len(where) else []) if not _among(r, ours["persistent"])]
            merged = sorted([*others, *persistent], key=lambda r: (r["timestamp"], r["style"] or "", r["role"]))
            for k, i in enumerate(where.tolist()):
                kept[i] = merged
                told[i] = [r for r in told[i] if not _among(r, ours["events"])] + events.get(k, [])
        types = column_types()
        plain = table.drop_columns([c for c in (PERSISTENT, EVENTS) if c in table.column_names])
        # the features that `datasets` keeps here do not know the new columns; LeRobot takes them from info.json
        about = {k: v for k, v in (plain.schema.metadata or {}).items() if k != b"huggingface"}
        made = plain.replace_schema_metadata(about or None)
        for name, rows, kind in zip((PERSISTENT, EVENTS), (kept, told), types, strict=True):
            made = made.append_column(name, pa.array(rows, type=kind))
        out = pa.BufferOutputStream()
        pa.parquet.write_table(made, out, compression="snappy")
        write_whole(path, out.getvalue().to_pybytes())
        written.append(path)
    info = dict(dataset.info)
    info["features"] = info["features"] | {PERSISTENT: FEATURE, EVENTS: FEATURE}
    write_whole(ledger_path, (json.dumps(ledger, ensure_ascii=False) + "\n").encode())
    write_whole(dataset.root / "meta/info.json", (json.dumps(info, indent=4, ensure_ascii=False) + "\n").encode())
    return [*written, dataset.root / "meta/info.json"]


def _among(row: dict[str, Any], ours: Sequence[dict[str, Any]]) -> bool:
    """Whether a row is one of ours: float32 on the disk, so times are compared as such."""
    same = ("role", "content", "style", "camera")
    return any(
        all(row[k] == o[k] for k in same)
        and ("timestamp" not in row or np.float32(row["timestamp"]) == np.float32(o["timestamp"]))
        for o in ours
    )


def _write2(dataset: Dataset, notes: dict[int, list[dict[str, Any]]]) -> list[Path]:
    pa = pyarrow()
    path = dataset.root / SIDE_TABLE
    rows = (
        [r for r in pa.parquet.read_table(path).to_pylist() if r["episode_index"] not in notes] if path.exists() else []
    )
    for e in dataset.episodes():
        if e.index not in notes:
            continue
        stamps = pa.parquet.read_table(e.data, columns=["timestamp"])["timestamp"].to_pylist()
        persistent, events = language_rows(notes[e.index], stamps, dataset.camera)
        rows += [{"episode_index": e.index, "frame_index": int(np.abs(np.array(stamps) - r["timestamp"]).argmin()), **r}
                 for r in persistent]  # fmt: skip
        rows += [{"episode_index": e.index, "frame_index": k, "timestamp": stamps[k], **r}
                 for k, group in sorted(events.items()) for r in group]  # fmt: skip
    text = [(n, pa.string()) for n in ("role", "content", "style", "camera")]
    schema = pa.schema(
        [("episode_index", pa.int64()), ("frame_index", pa.int64()), ("timestamp", pa.float32()), *text,
         ("tool_calls", pa.list_(pa.string()))]
    )  # fmt: skip
    rows.sort(key=lambda r: (r["episode_index"], r["frame_index"], r["style"], r["role"]))
    out = pa.BufferOutputStream()
    pa.parquet.write_table(pa.Table.from_pylist(rows, schema=schema), out)
    write_whole(path, out.getvalue().to_pybytes())
    return [path]


def _annotate(options: dict[str, Any], job: tuple[Path, str, int, Path]) -> tuple[int, str]:
    """One episode, once: its annotation is a file of `NOTES`. Returns (episode, why not)."""
    from edge.events import Caption
    from edge.pipeline import Captioner
    from edge.play import play

    root, camera, index, target = job
    if target.exists():
        return index, ""
    try:
        dataset = Dataset(root, camera)
        episode = next(e for e in dataset.episodes() if e.index == index)
        said: list[Caption] = []

        class Keep:
            def write(self, rgb: Any, hands: Any, events: Any) -> None:
                said.extend(e for e in events if isinstance(e, Caption) and e.final and e.text)

            def close(self) -> None:
                """Nothing to finish."""

        with Captioner.open(**options) as captioner:
            outcome = play(EpisodeSource(episode, dataset.fps), captioner, [Keep()])
        if outcome.interrupted:
            raise KeyboardInterrupt
        if outcome.error is not None:
            raise outcome.error
        rows = [
            {"t_start": round(c.t_start, 3), "t_end": round(c.t_end, 3), "text": c.text,
             "confidence": round(c.confidence, 3), "score": [e.to_dict() for e in c.score]}
            for c in said
        ]  # fmt: skip
        data = {"episode_index": index, "camera": dataset.camera, "captions": rows}
        write_whole(target, (json.dumps(data, indent=1, ensure_ascii=False) + "\n").encode())
    except FigopError as error:
        return index, str(error)
    return index, ""


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: annotate every episode, then write the columns or the side table."""
    from edge.stdout import guarded
    from export.annotate import count
    from export.corpus.crew import Lost, here, processes

    parser = argparse.ArgumentParser(description="Write finger captions into a LeRobot data set.")
    parser.add_argument("dataset", type=Path, help="folder of the data set; its data files are replaced")
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the annotations, one per episode")
    parser.add_argument("--camera", default="", help="feature key of the camera that sees the hands")
    parser.add_argument("--camera-view", choices=("facing", "egocentric"), default="facing")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--jobs", type=count, default=1)
    args = parser.parse_args(argv)
    try:
        with guarded():
            dataset = Dataset(args.dataset, args.camera)
            jobs = [(args.dataset, dataset.camera, e.index, args.out / f"episode_{e.index:06d}.json")
                    for e in dataset.episodes()]  # fmt: skip
            work = functools.partial(_annotate, {"bundle": args.bundle, "view": args.camera_view})
            failed = 0
            for result in processes(work, jobs, args.jobs) if args.jobs > 1 else here(work, jobs):
                index, why = (result.job[2], "its process died") if isinstance(result, Lost) else result
                failed += bool(why)
                if why:
                    print(f"episode {index}: {why}", file=sys.stderr)
            notes = {j[2]: json.loads(j[3].read_text(encoding="utf-8"))["captions"] for j in jobs if j[3].exists()}
            for path in write(dataset, notes):
                print(f"wrote {path}")
            print(f"{sum(map(len, notes.values()))} captions of {len(notes)} episodes")
            return 1 if failed else 0
    except FigopError as error:
        print(f"figop: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
