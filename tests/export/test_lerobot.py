"""LeRobot data sets: episodes found and cut right, language columns as documented, nothing else touched."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.errors import SourceError
from export.corpus.lerobot import (
    FEATURE,
    QUESTION,
    SIDE_TABLE,
    STILL,
    Dataset,
    EpisodeSource,
    column_types,
    language_rows,
    write,
)

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
cv2 = pytest.importorskip("cv2")

FPS, CAMERA, LENGTHS = 10, "observation.images.top", (12, 8)


def video(path: Path, shades: list[int]) -> None:
    """Plain frames; the grey of each says which it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    out = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), FPS, (64, 64))
    for shade in shades:
        out.write(np.full((64, 64, 3), shade, np.uint8))
    out.release()


def frames(episode: int, offset: int) -> dict[str, Any]:
    n = LENGTHS[episode]
    return {
        "action": [[float(i), 0.5] for i in range(n)],
        "timestamp": np.arange(n, dtype=np.float32) / FPS,
        "frame_index": np.arange(n), "episode_index": np.full(n, episode), "index": np.arange(n) + offset,
        "task_index": np.zeros(n, np.int64),
    }  # fmt: skip


def info(version: str, **more: str) -> dict[str, Any]:
    return {
        "codebase_version": version, "fps": FPS, "chunks_size": 1000, "total_episodes": 2, "robot_type": "so101",
        "features": {CAMERA: {"dtype": "video", "shape": [64, 64, 3], "names": None},
                     "action": {"dtype": "float32", "shape": [2], "names": None}}, **more,
    }  # fmt: skip


@pytest.fixture
def v3(tmp_path: Path) -> Path:
    """Two episodes in one data file and one video."""
    root = tmp_path / "v3"
    (root / "meta/episodes/chunk-000").mkdir(parents=True)
    (root / "data/chunk-000").mkdir(parents=True)
    about = info(
        "v3.0", data_path="data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        video_path="videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
    )  # fmt: skip
    (root / "meta/info.json").write_text(json.dumps(about))
    both = [frames(0, 0), frames(1, LENGTHS[0])]
    table = pa.table({k: np.concatenate([np.asarray(f[k]) for f in both]).tolist() for k in both[0]})
    table = table.set_column(1, "timestamp", table["timestamp"].cast(pa.float32()))
    pq.write_table(table, root / "data/chunk-000/file-000.parquet")
    begins = (0.0, LENGTHS[0] / FPS)
    episodes = {
        "episode_index": [0, 1], "length": list(LENGTHS), "tasks": [["t"], ["t"]],
        "data/chunk_index": [0, 0], "data/file_index": [0, 0],
        f"videos/{CAMERA}/chunk_index": [0, 0], f"videos/{CAMERA}/file_index": [0, 0],
        f"videos/{CAMERA}/from_timestamp": list(begins),
        f"videos/{CAMERA}/to_timestamp": [b + n / FPS for b, n in zip(begins, LENGTHS, strict=True)],
    }  # fmt: skip
    pq.write_table(pa.table(episodes), root / "meta/episodes/chunk-000/file-000.parquet")
    video(root / f"videos/{CAMERA}/chunk-000/file-000.mp4", [10 * i for i in range(sum(LENGTHS))])
    return root


@pytest.fixture
def v21(tmp_path: Path) -> Path:
    """An episode a file."""
    root = tmp_path / "v21"
    (root / "meta").mkdir(parents=True)
    (root / "data/chunk-000").mkdir(parents=True)
    about = info(
        "v2.1", data_path="data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        video_path="videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    )  # fmt: skip
    (root / "meta/info.json").write_text(json.dumps(about))
    rows = [{"episode_index": i, "tasks": ["t"], "length": n} for i, n in enumerate(LENGTHS)]
    (root / "meta/episodes.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    for i, n in enumerate(LENGTHS):
        made = frames(i, 0)
        pq.write_table(
            pa.table({k: np.asarray(v).tolist() for k, v in made.items()}),
            root / f"data/chunk-000/episode_{i:06d}.parquet",
        )
        video(root / f"videos/chunk-000/{CAMERA}/episode_{i:06d}.mp4", [10 * j for j in range(n)])
    return root


def captions(begin: float, end: float, text: str) -> dict[str, Any]:
    return {"t_start": begin, "t_end": end, "text": text}


def test_episodes_are_cut_to_the_frame(v3: Path, v21: Path) -> None:
    for root, first in ((v3, 10 * LENGTHS[0]), (v21, 0)):
        dataset = Dataset(root)
        episodes = dataset.episodes()
        assert [(e.index, e.length) for e in episodes] == list(enumerate(LENGTHS))
        seen = list(EpisodeSource(episodes[1], dataset.fps))
        assert [round(p.t_ns * 1e-9 * FPS) for p in seen] == list(range(LENGTHS[1]))
        assert np.allclose([p.rgb.mean() for p in seen], [first + 10 * i for i in range(LENGTHS[1])], atol=6)


def test_language_columns_are_written_beside_everything_else(v3: Path) -> None:
    path = v3 / "data/chunk-000/file-000.parquet"
    before = pq.read_table(path)
    others = {
        p: hashlib.sha256(p.read_bytes()).hexdigest() for p in v3.rglob("*")
        if p.is_file() and p not in (path, v3 / "meta/info.json")
    }  # fmt: skip
    notes = {0: [captions(0.31, 0.52, "The right index finger bends.")], 1: []}
    assert path in write(Dataset(v3), notes)
    table = pq.read_table(path)
    assert table.drop_columns(["language_persistent", "language_events"]).equals(before)
    assert [table.schema.field(n).type for n in ("language_persistent", "language_events")] == list(column_types())
    persistent, events = (table[n].to_pylist() for n in ("language_persistent", "language_events"))
    assert all(rows == persistent[0] for rows in persistent[: LENGTHS[0]]), "the same on every frame of the episode"
    assert not any(persistent[LENGTHS[0] :])
    assert [(r["style"], r["content"], r["camera"]) for r in persistent[0]] == [
        ("motion", "The right index finger bends.", None), ("motion", STILL, None),
    ]  # fmt: skip
    stamps = set(table["timestamp"].to_pylist())
    assert {r["timestamp"] for r in persistent[0]} <= stamps
    assert [i for i, rows in enumerate(events) if rows] == [4]
    assert {(r["role"], r["content"], r["camera"]) for r in events[4]} == {
        ("user", QUESTION, CAMERA), ("assistant", "The right index finger bends.", CAMERA),
    }  # fmt: skip
    features = json.loads((v3 / "meta/info.json").read_text())["features"]
    assert features["language_persistent"] == FEATURE
    assert features["action"] == info("v3.0")["features"]["action"]
    assert {p: hashlib.sha256(p.read_bytes()).hexdigest() for p in others} == others


def test_writing_again_replaces_ours_and_keeps_what_others_wrote(v3: Path) -> None:
    write(Dataset(v3), {0: [captions(0.3, 0.5, "The right index finger bends.")]})
    path = v3 / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    kinds = column_types()
    theirs = {"role": "assistant", "content": "Pick the cube.", "style": "subtask", "timestamp": 0.0, "camera": None,
              "tool_calls": None}  # fmt: skip
    rows = [[theirs, *r] if i < LENGTHS[0] else r for i, r in enumerate(table["language_persistent"].to_pylist())]
    where = table.column_names.index("language_persistent")
    pq.write_table(table.set_column(where, "language_persistent", pa.array(rows, type=kinds[0])), path)
    write(Dataset(v3), {0: [captions(0.6, 0.9, "The right hand opens.")]})
    again = pq.read_table(path)
    assert [r["content"] for r in again["language_persistent"][0].as_py()] == [
        "Pick the cube.", "The right hand opens.", STILL,
    ]  # fmt: skip
    assert sum(len(r) for r in again["language_events"].to_pylist()) == 2
    once = path.read_bytes()
    write(Dataset(v3), {0: [captions(0.6, 0.9, "The right hand opens.")]})
    assert path.read_bytes() == once, "nothing twice"


def test_older_layouts_get_a_table_beside(v21: Path) -> None:
    data = {p: p.read_bytes() for p in v21.rglob("*") if p.is_file()}
    assert write(Dataset(v21), {1: [captions(0.2, 0.4, "The left hand closes.")]}) == [v21 / SIDE_TABLE]
    rows = pq.read_table(v21 / SIDE_TABLE).to_pylist()
    assert [(r["episode_index"], r["frame_index"], r["style"], r["content"]) for r in rows] == [
        (1, 2, "motion", "The left hand closes."), (1, 3, "vqa", "The left hand closes."), (1, 3, "vqa", QUESTION),
        (1, 4, "motion", STILL),
    ]  # fmt: skip
    assert {p: p.read_bytes() for p in data} == data


def test_a_phrase_that_follows_at_once_is_not_rest() -> None:
    persistent, events = language_rows(
        [captions(0.0, 0.4, "a"), captions(0.5, 0.9, "b")], [i / FPS for i in range(6)], CAMERA
    )
    assert [(r["content"], r["timestamp"]) for r in persistent] == [("a", 0.0), (STILL, 0.4), ("b", 0.5)]
    assert sorted(events) == [2, 5]


def test_what_is_no_data_set_is_said(tmp_path: Path, v3: Path) -> None:
    with pytest.raises(SourceError, match="no LeRobot data set"):
        Dataset(tmp_path / "nothing")
    with pytest.raises(SourceError, match=r"no camera 'wrist'; it has observation\.images\.top"):
        Dataset(v3, "wrist")
    about = json.loads((v3 / "meta/info.json").read_text())
    (v3 / "meta/info.json").write_text(json.dumps(about | {"codebase_version": "v1.6"}))
    with pytest.raises(SourceError, match=r"of v1\.6; figop reads v2\.1 and v3"):
        Dataset(v3)
