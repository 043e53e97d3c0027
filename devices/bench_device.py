"""`figop bench`: what this computer takes for every stage, for a start, and for an hour of captioning."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.graphs import GraphCost, cost
from devices.measure import Samples, fixed_work, interleaved, measured_energy
from devices.roofline import Fit, Roof, fit
from edge.bundle import STUDENT_GRAPHS, Bundle
from edge.demo import CLIP
from edge.errors import FigopError, RuntimeUnavailable, SourceError
from edge.hands.frame import HandFrame, hands_in
from edge.hands.networks import VARIANTS, locate_networks
from edge.native import library
from edge.pipeline import Captioner
from edge.recognisers import Recogniser
from edge.recording import Recording
from edge.runtime import Session, open_session

BLOCKS, WARM_UP = 5, 3
#: What the issue that asked for these figures wants of the host.
START_BAR_S, SHARE_BAR, RSS_BAR_MB, ERROR_BAR = 1.5, 0.03, 150.0, 0.30
#: Starts are measured so often; the figure is their median.
STARTS = 7
#: Which graph is which stage of the pipeline; the lite hand networks are measured for the model's sake alone.
STAGE_OF = {"palm full": "detect", "landmark full": "landmarks"} | {g: g for g in STUDENT_GRAPHS}
#: A caption that never comes.
_START_LIMIT_S = 60.0


@dataclass(frozen=True, slots=True)
class Material:
    """What is benchmarked: hand frames, and a picture with a hand in it where the networks are there."""

    frames: list[HandFrame]
    recording: Path
    name: str
    view: str
    mirrored: bool
    picture: NDArray[np.uint8] | None

    @property
    def fps(self) -> float:
        """Frames a second by their stamps."""
        return (len(self.frames) - 1) / max(self.frames[-1].t - self.frames[0].t, 1e-9)

    @property
    def hands(self) -> float:
        """Mean number of hands in a frame."""
        return float(np.mean([len(list(hands_in(f))) for f in self.frames]))


def gather(recording: Path | None, folder: Path) -> Material:
    """A recording to caption: the given one, else the bundled clip, tracked now. Raises FigopError.

    `folder` takes what has to be written for the processes that are started.
    """
    picture, tracked = None, []
    try:
        from edge.hands.backends import open_tracker
        from edge.sources import Picture, open_source

        tracker = open_tracker("native")
        try:
            for item in open_source(CLIP):
                if isinstance(item, Picture):
                    tracked.append(tracker.track(item.rgb, item.t_ns))
                    if picture is None and tracked[-1].present(1):
                        picture = item.rgb
                    if recording is not None and picture is not None:
                        break
        finally:
            tracker.close()
    except RuntimeUnavailable as error:
        if recording is None:
            raise SourceError(f"There is nothing to caption: {error} Or give a recording with --recording.") from error
    if recording is None:
        recording = folder / "demo.npz"
        Recording.from_frames(tracked).save(recording)
        hands, name = Recording.load(recording), "the bundled clip"
    else:
        hands, name = Recording.load(recording), recording.name
    frames = list(hands.frames())
    if len(frames) < 2:
        raise SourceError(f"{name} holds {len(frames)} frames; a benchmark needs a recording with hands in it.")
    return Material(frames, recording, name, hands.view, hands.mirrored, picture)


def graphs(bundle: Bundle) -> dict[str, bytes]:
    """Every network of the pipeline by name, LiteRT; the hand networks where they are set up."""
    found = {role: bundle.graph(role, "tflite") for role in STUDENT_GRAPHS if "tflite" in bundle.graphs.get(role, {})}
    for variant in VARIANTS:
        try:
            palm, landmark = locate_networks(variant).load()
        except RuntimeUnavailable:
            continue
        found |= {f"palm {variant}": palm, f"landmark {variant}": landmark}
    return found


def _runner(session: Session) -> Callable[[], object]:
    rng = np.random.default_rng(0)
    feeds = {s.name: rng.random(s.shape).astype(s.dtype) for s in session.inputs}
    return lambda: session.run(feeds)


def tracker_stages(picture: NDArray[np.uint8], threads: int) -> dict[str, Callable[[], object]]:
    """Detection and landmarks of one hand as the tracker runs them: network, cropping and decoding."""
    from edge.hands.landmark import LandmarkNetwork
    from edge.hands.palm import PalmDetector

    palm, landmark = locate_networks("full").load()
    detector = PalmDetector(open_session(palm, threads=threads))
    network = LandmarkNetwork(open_session(landmark, threads=threads))
    palms = detector.detect(picture)
    if not palms:
        return {}
    return {
        "detect": lambda: detector.detect(picture),
        "landmarks": lambda: network.read(picture, palms[0].roi, threshold=0.5),
    }


class ClockedRecogniser:
    """A recogniser that notes how long its reading, its score and its words took since `take`."""

    def __init__(self, inner: Recogniser) -> None:
        self.inner = inner
        self.source = inner.source
        self._spent = dict.fromkeys(("reading", "score", "words"), (0, 0))

    def take(self) -> dict[str, tuple[int, int]]:
        """(wall, processor) nanoseconds by part, and start anew."""
        spent, self._spent = self._spent, dict.fromkeys(self._spent, (0, 0))
        return spent

    def _clocked(self, part: str, work: Callable[[], Any]) -> Any:
        begun, used = time.perf_counter_ns(), time.thread_time_ns()
        done = work()
        wall, cpu = self._spent[part]
        self._spent[part] = (wall + time.perf_counter_ns() - begun, cpu + time.thread_time_ns() - used)
        return done

    @property
    def atoms(self) -> int:
        return self.inner.atoms

    def push(self, frame: HandFrame) -> Any:
        return self._clocked("reading", lambda: self.inner.push(frame))

    def moved_at(self) -> float:
        return self.inner.moved_at()

    def score(self, *, final: bool) -> Any:
        return self._clocked("score", lambda: self.inner.score(final=final))

    def words(self) -> Any:
        return self._clocked("words", self.inner.words)

    def certainty(self, confidence: float) -> float:
        return self.inner.certainty(confidence)

    def forget(self, before: float = float("inf")) -> None:
        self.inner.forget(before)

    def reset(self) -> None:
        self.inner.reset()


def caption_stages(material: Material, bundle: str) -> tuple[dict[str, Samples], list[float]]:
    """The stream after the landmarks, frame by frame.

    features: ticks and the student's features. reading: everything that reads a frame (features, encoder, rules).
    gestures: score, events and phrases. captioner: the model's own words of a phrase, where it was asked for any.
    push: all of it.
    """
    from edge.ticks import open_ticks

    names = ("features", "reading", "gestures", "captioner", "push")
    samples = {name: Samples() for name in names}
    paces = []
    with Captioner.open(bundle, view=material.view, mirrored=material.mirrored, tracker=None) as captioner:
        clocked = ClockedRecogniser(captioner.recogniser)
        captioner.recogniser = clocked
        for turn in range(BLOCKS + 1):
            captioner.flush()
            clocked.reset()
            captioner.last = None
            ticks = open_ticks(material.view, material.mirrored)
            if turn:  # the first round warms up
                paces.append(float(np.median([fixed_work() for _ in range(5)])))
                for one in samples.values():
                    one.block()
            for frame in material.frames:
                begun, used = time.perf_counter_ns(), time.thread_time_ns()
                captioner.push(frame)
                wall, cpu = time.perf_counter_ns() - begun, time.thread_time_ns() - used
                parts = clocked.take()
                if turn:
                    samples["push"].add(wall * 1e-6, cpu * 1e-6)
                    samples["reading"].add(*(1e-6 * v for v in parts["reading"]))
                    rest = [all_ - parts["reading"][i] - parts["words"][i] for i, all_ in enumerate((wall, cpu))]
                    samples["gestures"].add(*(1e-6 * v for v in rest))
                    if parts["words"][0]:
                        samples["captioner"].add(*(1e-6 * v for v in parts["words"]))
                    with samples["features"].clocked():
                        ticks.push(frame)
    return {name: one for name, one in samples.items() if any(one.wall)}, paces


def measure_roof() -> Roof:
    """The roofs of one core, measured by `devices.roof` in a process whose matrix library has one thread."""
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    words = [sys.executable, "-m", "devices.roof"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | one)
    if done.returncode:
        raise FigopError(f"The roof of this core could not be measured: {done.stderr.strip().splitlines()[-1:]}")
    row = json.loads(done.stdout)
    return Roof(row["flops"], row["cached"], row["memory"], last_level_cache())


def last_level_cache(folder: Path = Path("/sys/devices/system/cpu/cpu0/cache")) -> float:
    """Bytes of the largest cache; 1 MB where the system does not tell."""
    sizes = []
    for file in folder.glob("index*/size"):
        text = file.read_text().strip()
        sizes.append(float(text[:-1]) * {"K": 2**10, "M": 2**20}[text[-1]])
    return max(sizes, default=2.0**20)


def roof_rows(costs: Mapping[str, GraphCost], seconds: Mapping[str, float], roof: Roof, fitted: Fit) -> dict[str, Any]:
    """Each graph beside its roof: bound, share of the bound reached, what binds, and the model's error without it."""
    rows = {}
    for name, one in costs.items():
        bound, which = roof.bound(one)
        terms = fitted.machine.terms(one)
        rows[name] = {
            **one.to_dict(),
            "measured_ms": round(seconds[name] * 1e3, 5),
            "gflops": round(one.flops / seconds[name] * 1e-9, 2),
            "bound_ms": round(bound * 1e3, 5),
            "bound_by": which,
            "share_of_bound": round(bound / seconds[name], 4),
            "binds": "op overhead" if terms["op overhead"] > terms["compute"] else which,
            "left_out_error": round(fitted.left_out[name], 4),
        }
    return rows


@contextmanager
def on_cores(cores: Collection[int]) -> Iterator[None]:
    """Let processes started in the body use these cores; this process comes back to its own afterwards."""
    if not cores or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def start_up(recording: Path, bundle: str, starts: int = STARTS) -> dict[str, Any]:
    """Seconds from the start of `figop replay RECORDING --json` to its first caption on the pipe."""
    rows = [_one_start(recording, bundle) for _ in range(starts)]
    wall, cpu = (sorted(r[i] for r in rows) for i in (0, 1))
    return {
        "first_caption_s": round(float(np.median(wall)), 3),
        "first_caption_s_worst": round(wall[-1], 3),
        "first_caption_cpu_s": round(float(np.median(cpu)), 3),
        "starts": starts,
    }


def _one_start(recording: Path, bundle: str) -> tuple[float, float]:
    words = [sys.executable, "-m", "edge.cli", "replay", str(recording), "--bundle", bundle, "--json"]
    begun = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        text, spent = b"", 0.0
        while b'"type": "caption"' not in text:
            ready, _, _ = select.select([child.stdout], [], [], _START_LIMIT_S)
            piece = os.read(child.stdout.fileno(), 65536) if ready else b""
            if not piece:
                child.kill()
                _, complaint = child.communicate()
                why = complaint.decode(errors="replace").strip().splitlines()[-1:] or ["it said none"]
                raise SourceError(f"figop replay gave no caption of {recording.name}: {why[0]}.")
            text += piece
        spent, cpu = time.perf_counter() - begun, _cpu_of(child.pid)
        child.send_signal(signal.SIGTERM)
        child.communicate()
    return spent, cpu


def _cpu_of(pid: int) -> float:
    """Processor seconds of a process so far; nan where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def probe(what: Path, *words: str) -> dict[str, Any]:
    """`devices.probe` in a process of its own: share of a core and memory. Raises FigopError."""
    command = [sys.executable, "-m", "devices.probe", str(what), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FigopError(f"The caption path could not be measured: {done.stderr.strip().splitlines()[-1:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(
    bundle: str,
    recording: Path | None,
    *,
    seconds: float = 20.0,
    fps: float = 30.0,
    threads: int = 1,
    cores: Collection[int] = (),
) -> dict[str, Any]:
    """Everything that `figop bench` measures, as one result. Raises FigopError.

    `cores` are given to the processes that it starts, as a user's process would have them; () = this one's own.
    """
    opened = Bundle.open(bundle)
    with tempfile.TemporaryDirectory() as scratch:
        material = gather(recording, Path(scratch))
        networks = graphs(opened)
        sessions = {name: open_session(data, threads=threads) for name, data in networks.items()}
        timed, paces = interleaved(
            {name: _runner(s) for name, s in sessions.items()}, blocks=BLOCKS, seconds=seconds, warm_up=WARM_UP
        )
        stages: dict[str, dict[str, Any]] = {}
        tracked = tracker_stages(material.picture, threads) if material.picture is not None else {}
        if tracked:
            rows, own = interleaved(tracked, blocks=BLOCKS, seconds=seconds / 3, warm_up=WARM_UP)
            stages |= {name: one.row(own) | {"pace_ms": float(np.median(own))} for name, one in rows.items()}
        rows, own = caption_stages(material, bundle)
        stages |= {name: one.row(own) | {"pace_ms": float(np.median(own))} for name, one in rows.items()}
        graph_rows = {name: one.row(paces) | {"pace_ms": float(np.median(paces))} for name, one in timed.items()}
        for name, row in graph_rows.items():
            if name in STUDENT_GRAPHS:
                stages[name] = row
        result: dict[str, Any] = {
            "bundle": {"name": opened.name, "weights": opened.weights_digest},
            "recording": {
                "name": material.name,
                "frames": len(material.frames),
                "fps": round(material.fps, 2),
                "hands": round(material.hands, 2),
            },
            "runtime": "litert",
            "features": "numpy" if library() is None else "C99",
            "threads": threads,
            "spinning": False,
            "warm_up": WARM_UP,
            "blocks": BLOCKS,
            "stages_ms": stages,
        }
        if len(networks) >= 4:
            costs = {name: cost(data) for name, data in networks.items()}
            took = {name: row["cpu_p50"] * 1e-3 for name, row in graph_rows.items()}
            fitted, roof = fit(costs, took), measure_roof()
            result["graphs"] = roof_rows(costs, took, roof, fitted)
            result["roof"] = {
                "gflops": round(roof.flops * 1e-9, 1),
                "cached_gb_per_s": round(roof.cached * 1e-9, 1),
                "memory_gb_per_s": round(roof.memory * 1e-9, 1),
                "cache_mb": round(roof.cache / 2**20, 1),
            }
            result["model"] = {
                "overhead_us_per_op": round(fitted.machine.overhead_s * 1e6, 4),
                "dense_gflops": round(fitted.machine.matmul * 1e-9, 2),
                "depthwise_gflops": round(fitted.machine.depthwise * 1e-9, 2),
                "left_out_error_median": round(fitted.median_error, 4),
                "left_out_error_worst": round(fitted.worst_error, 4),
                "left_out_error_by_stage": {
                    stage: round(abs(fitted.left_out[name]), 4)
                    for name, stage in STAGE_OF.items()
                    if name in fitted.left_out
                },
            }
        with on_cores(cores):
            result["start_up"] = start_up(material.recording, bundle)
        rate = ("--seconds", "10", "--fps", str(fps))
        with on_cores(cores):
            result["caption_path"] = probe(material.recording, "--bundle", bundle, *rate)
            if tracked:
                result["from_pixels"] = probe(CLIP, "--bundle", bundle, "--pixels", "60")

        def caption_all() -> int:
            with Captioner.open(bundle, view=material.view, mirrored=material.mirrored, tracker=None) as captioner:
                for frame in material.frames:
                    captioner.push(frame)
                captioner.flush()
            return len(material.frames)

        result["energy"] = measured_energy(caption_all)
    result["bars"] = bars(result)
    return result


def bars(result: Mapping[str, Any]) -> dict[str, bool]:
    """What the host must reach."""
    found = {
        f"process start to first caption <= {START_BAR_S} s": result["start_up"]["first_caption_s"] <= START_BAR_S,
        f"after the landmarks <= {SHARE_BAR:.0%} of a core at {result['caption_path']['fps']:.0f} fps": (
            result["caption_path"]["share_of_core"] <= SHARE_BAR
        ),
        f"peak memory from landmarks <= {RSS_BAR_MB:.0f} MB": result["caption_path"]["peak_rss_mb"] <= RSS_BAR_MB,
    }
    if model := result.get("model"):
        worst = float(np.median(list(model["left_out_error_by_stage"].values())))
        found[f"prediction, each graph left out: median error <= {ERROR_BAR:.0%}"] = worst <= ERROR_BAR
    return found
