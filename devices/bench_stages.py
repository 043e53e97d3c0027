"""Where a frame's time goes: every stage of the caption path on real frames, one core."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.bench_hands import WARM_UP, frames_of
from edge.events import Caption
from edge.hands.frame import HandFrame, HandTracker
from edge.pipeline import Captioner

#: What follows the landmarks may cost this share of the tracker's time.
SHARE_BAR = 0.10
#: frames decoded at a time: 160 MB at 1280 x 720
BLOCK = 60


def percentiles(milliseconds: list[float]) -> dict[str, float]:
    """p50, p95, p99 and mean of a list."""
    values = np.array(milliseconds)
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return {k: round(float(v), 4) for k, v in (("p50", p50), ("p95", p95), ("p99", p99), ("mean", values.mean()))}


class ClockedTracker:
    """A tracker that notes how long each call took: wall and its thread's processor milliseconds."""

    def __init__(self, inner: HandTracker) -> None:
        self.inner = inner
        self.appearance_digest = inner.appearance_digest
        self.wall = self.cpu = 0.0

    def track(self, rgb: NDArray[np.uint8], t_ns: int, *, appearance: bool = False) -> HandFrame:
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        frame = self.inner.track(rgb, t_ns, appearance=appearance)
        self.wall, self.cpu = (time.perf_counter_ns() - wall) * 1e-6, (time.thread_time_ns() - cpu) * 1e-6
        return frame

    def reset(self) -> None:
        self.inner.reset()

    def close(self) -> None:
        self.inner.close()


def decoded_ahead(video: Path, limit: int | None) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """The frames of a video, decoded in blocks, so that the decoder's threads are idle while a block is used."""
    frames = frames_of(video, limit)
    while block := list(islice(frames, BLOCK)):
        yield from block


def measure(video: Path, captioner: Captioner, tracker: ClockedTracker, limit: int | None = None) -> dict[str, Any]:
    """Push a video frame by frame; milliseconds by stage, and what everything after the landmarks costs.

    "after_landmarks" = `push` less `track`: features, units, rules, phrases, captions. The share is of processor
    time, which other programs on the machine disturb least. Frames are decoded ahead, outside the timed part.
    """
    stages: dict[str, list[float]] = defaultdict(list)
    ages: list[float] = []
    cpu: list[tuple[float, float]] = []
    pushed = 0
    for rgb, t_ns in decoded_ahead(video, limit):
        start, start_cpu = time.perf_counter_ns(), time.thread_time_ns()
        events = captioner.push(rgb, t_ns)
        whole, whole_cpu = (time.perf_counter_ns() - start) * 1e-6, (time.thread_time_ns() - start_cpu) * 1e-6
        pushed += 1
        if pushed <= WARM_UP or captioner.last is None:
            continue
        for name, spent in captioner.last.stages_ms.items():
            stages[name].append(spent)
        stages["tracker"].append(tracker.wall)
        stages["after_landmarks"].append(whole - tracker.wall)
        stages["push"].append(whole)
        cpu.append((tracker.cpu, whole_cpu - tracker.cpu))
        ages += [e.age_ms for e in events if isinstance(e, Caption) and e.final]
    captioner.flush()
    in_tracker, after = np.sum(cpu, axis=0) if cpu else (1.0, 0.0)
    return {
        "frames": pushed,
        "warm_up": min(WARM_UP, pushed),
        "threads": 1,
        "stages_ms": {name: percentiles(values) for name, values in stages.items() if values},
        "after_landmarks_share_of_tracker": round(float(after / max(in_tracker, 1e-9)), 4),
        "final_caption_age_ms": percentiles(ages) if ages else {},
    }
