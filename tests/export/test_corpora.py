"""`figop annotate` over whole folders: several processes, a death in mid-run, one table, each caption once."""

from __future__ import annotations

import argparse
import json
import os
import signal
from functools import partial
from pathlib import Path

import pytest

from edge.errors import SinkError
from edge.recording import Recording
from edge.score import FingerEvent
from export.annotate import _alone, add_parser, find, named, run
from export.corpus.crew import TRIES, Lost, cluster, here, processes
from export.corpus.table import rows
from export.sim.camera import Camera, film, frame_on
from export.sim.perform import perform


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree of three short recordings, and a file that is none."""
    import numpy as np

    root = tmp_path_factory.mktemp("corpus")
    for name, finger in (("a", "index"), ("deep/b", "middle"), ("deep/er/c", "ring")):
        score = (FingerEvent("right", "curl", (finger,), start=0.5, end=1.0),)
        done = perform(score, duration=1.7, fps=20, rng=np.random.default_rng(1))
        path = root / f"{name}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        film(done, frame_on(done, Camera())).save(path)
    (root / "deep" / "broken.npz").write_bytes(b"not a recording")
    return root


def annotate(*words: str | Path) -> int:
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    return int(run(parser.parse_args(["annotate", *map(str, words), "--no-overlay"])))


def test_a_tree_is_annotated_once_by_processes_and_gathered(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert annotate(folder, "-o", out, "-r", "--jobs", "2", "--table", "jsonl") == 1, "one file cannot be read"
    said = capsys.readouterr()
    assert "broken.npz is not a readable recording" in said.err
    assert "3 of 4 annotated" in said.out
    assert {p.relative_to(out).as_posix() for p in out.rglob("*.json")} == {
        "a.json", "deep/b.json", "deep/er/c.json", "_report.json",
    }  # fmt: skip
    table = [json.loads(line) for line in (out / "captions.jsonl").read_text().splitlines()]
    assert [(r["name"], "bend" in r["text"]) for r in table] == [("a", True), ("deep/b", True), ("deep/er/c", True)]
    assert all(json.loads(r["score"])[0]["motion"] == "curl" for r in table)
    report = json.loads((out / "_report.json").read_text())
    assert (report["annotated"], report["kept"], report["failed"]) == (3, 0, 1)
    assert 4.5 < report["video_s"] < 5.2
    assert report["video_hours_per_core_hour"] > 0
    before = {p: p.stat().st_mtime_ns for p in out.rglob("[a-c].json")}
    assert annotate(folder, "-o", out, "-r", "--table", "jsonl") == 1
    assert {p: p.stat().st_mtime_ns for p in before} == before, "what is finished is kept"
    again = [json.loads(line) for line in (out / "captions.jsonl").read_text().splitlines()]
    assert again == table, "nothing twice"


def test_parquet_holds_the_same_rows(folder: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "out"
    assert annotate(folder / "a.npz", "-o", out, "--table", "parquet") == 0
    assert parquet.read_table(out / "captions.parquet").to_pylist() == list(rows(out, ["a"]))


def test_folders_below_count_only_when_asked(folder: Path) -> None:
    assert [p.name for p in find([folder])] == ["a.npz"]
    found = find([folder], recursive=True)
    assert [name for name, _ in named(found, [folder])] == ["a", "deep/b", "deep/broken", "deep/er/c"]


def test_two_runs_do_not_share_a_folder(folder: Path, tmp_path: Path) -> None:
    with _alone(tmp_path), pytest.raises(SinkError, match="Another figop annotates"):
        annotate(folder / "a.npz", "-o", tmp_path)
    assert annotate(folder / "a.npz", "-o", tmp_path) == 0
    assert len(Recording.load(tmp_path / "a.npz")) > 0


def _work(where: Path, job: str) -> str:
    """Job "first death" kills its process the first time, "always" every time."""
    begun = where / f"{job}-{len(list(where.glob(f'{job}-*')))}"
    begun.touch()
    if job == "always" or (job == "once" and begun.name.endswith("-0")):
        os.kill(os.getpid(), signal.SIGKILL)
    return job


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_worker_that_dies_loses_nothing_and_does_nothing_twice(tmp_path: Path) -> None:
    jobs = ["a", "once", "b", "always", "c"]
    results = list(processes(partial(_work, tmp_path), jobs, 2))
    assert sorted(r for r in results if isinstance(r, str)) == ["a", "b", "c", "once"]
    assert [r for r in results if isinstance(r, Lost)] == [Lost("always", TRIES)]


def test_one_process_is_the_same() -> None:
    assert list(here(str.upper, ["a", "b"])) == ["A", "B"]


@pytest.mark.heavy
def test_a_cluster_of_two_nodes_survives_a_killed_worker(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real Ray: two nodes on this machine, one worker killed in mid-run; nothing lost, nothing twice."""
    monkeypatch.setenv("RAY_raylet_start_wait_time_s", "300")  # a busy machine takes its time
    ray = pytest.importorskip("ray")
    nodes = pytest.importorskip("ray.cluster_utils")
    begun, out = tmp_path / "begun", tmp_path / "out"
    begun.mkdir()
    made = nodes.Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        made.add_node(num_cpus=1)
        ray.init(address=made.address, log_to_driver=False)
        assert len([n for n in ray.nodes() if n["Alive"]]) == 2
        jobs = [*map(str, range(6)), "once", "always"]
        results = list(cluster(partial(_work, begun), jobs, "auto"))
        assert sorted(r for r in results if isinstance(r, str)) == sorted([*map(str, range(6)), "once"])
        assert [r for r in results if isinstance(r, Lost)] == [Lost("always", TRIES)]
        tries = {job: len(list(begun.glob(f"{job}-*"))) for job in jobs}
        assert tries == {**dict.fromkeys(jobs[:6], 1), "once": 2, "always": TRIES}
        assert annotate(folder, "-o", out, "-r", "--cluster", "auto", "--table", "jsonl") == 1
        table = [json.loads(line) for line in (out / "captions.jsonl").read_text().splitlines()]
        assert [r["name"] for r in table] == ["a", "deep/b", "deep/er/c"]
    finally:
        ray.shutdown()
        made.shutdown()
