"""Measurements of hand trackers: parity and speed of two of them, and how soon a second hand is found."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.hands.frame import HandFrame, HandTracker, hands_in
from edge.recording import Recording
from edge.skeleton import MIDDLE_MCP, WRIST

#: Frames that one tracker runs before the other takes its turn on the same ones: short, so that whatever else the
#: machine does falls on both.
BLOCK = 10
#: First frames of each tracker that no figure counts.
WARM_UP = 30
#: A found hand is the true one when its landmarks lie within this many palm lengths of it on average.
SAME_HAND = 1.0


def pin(core: int | None = None) -> int | None:
    """Bind this process to one core (the last one that it may use) and OpenCV to one thread; None = not possible."""
    cv2.setNumThreads(1)
    if not hasattr(os, "sched_setaffinity"):
        return None
    chosen = max(os.sched_getaffinity(0)) if core is None else core
    try:
        os.sched_setaffinity(0, {chosen})
    except OSError as error:
        raise SourceError(f"This process cannot be bound to core {chosen}: {error.strerror}.") from error
    return chosen


def frames_of(video: Path, limit: int | None = None) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """(RGB frame, time in ns) of a video. Raises SourceError when it has none."""
    capture = cv2.VideoCapture(str(video))
    fps = capture.get(cv2.CAP_PROP_FPS) or 30.0
    count = 0
    try:
        while limit is None or count < limit:
            good, bgr = capture.read()
            if not good:
                break
            yield cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), round(count / fps * 1e9)  # type: ignore[misc]
            count += 1
    finally:
        capture.release()
    if not count:
        raise SourceError(f"No frame can be read from {video}: it is missing, or not a video.")


def hand_distance(a: HandFrame, slot_a: int, b: HandFrame, slot_b: int) -> float:
    """Mean distance of two hands' image landmarks, in palm lengths of b."""
    size = np.array(b.image_size, np.float64)
    ours, theirs = a.landmarks[slot_a, :, :2] * size, b.landmarks[slot_b, :, :2] * size
    palm = float(np.linalg.norm(theirs[MIDDLE_MCP] - theirs[WRIST]))
    return float(np.linalg.norm(ours - theirs, axis=1).mean()) / max(palm, 1e-6)


@dataclass(slots=True)
class Timing:
    """Milliseconds per frame of one tracker.

    `inner` = its own stages, without conversion to a HandFrame; `cpu` = processor time of all its threads, which
    other programs on the machine disturb least.
    """

    total: list[float] = field(default_factory=list)
    inner: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def row(self) -> dict[str, float]:
        """Percentiles and mean after the warm-up."""
        total = np.array(self.total[WARM_UP:] or self.total)
        p50, p95, p99 = np.percentile(total, [50, 95, 99])
        inner = np.array(self.inner[WARM_UP:] or self.inner)
        cpu = np.array(self.cpu[WARM_UP:] or self.cpu)
        figures = {"p50": p50, "p95": p95, "p99": p99, "mean": total.mean()}
        figures |= {"stages_mean": inner.mean(), "cpu_mean": cpu.mean()}
        return {name: round(float(value), 4) for name, value in figures.items()}


@dataclass(slots=True)
class Parity:
    """Counts of what one tracker found against another one."""

    reference_frames: int = 0
    found_frames: int = 0
    reference_hands: int = 0
    found_hands: int = 0
    extra_hands: int = 0
    same_side: int = 0
    distances: list[float] = field(default_factory=list)

    def add(self, ours: HandFrame, theirs: HandFrame) -> None:
        """One frame. Hands are paired by place, not by side."""
        mine, reference = list(hands_in(ours)), list(hands_in(theirs))
        self.reference_frames += bool(reference)
        self.found_frames += bool(reference and mine)
        self.reference_hands += len(reference)
        for slot in reference:
            near = min(mine, key=lambda m: hand_distance(ours, m, theirs, slot), default=None)
            if near is None or (apart := hand_distance(ours, near, theirs, slot)) > SAME_HAND:
                continue
            mine.remove(near)
            self.found_hands += 1
            self.same_side += near == slot
            self.distances.append(apart)
        self.extra_hands += len(mine)

    def row(self) -> dict[str, Any]:
        """Shares and distances (palm lengths)."""
        apart = np.percentile(self.distances, [50, 95]) if self.distances else (np.nan, np.nan)
        return {
            "reference_frames": self.reference_frames,
            "found_frames_share": round(self.found_frames / max(self.reference_frames, 1), 4),
            "reference_hands": self.reference_hands,
            "found_hands_share": round(self.found_hands / max(self.reference_hands, 1), 4),
            "extra_hands": self.extra_hands,
            "same_side_share": round(self.same_side / max(self.found_hands, 1), 4),
            "distance_median": round(float(apart[0]), 5),
            "distance_p95": round(float(apart[1]), 5),
        }


def compare(video: Path, ours: HandTracker, theirs: HandTracker | None, limit: int | None = None) -> dict[str, Any]:
    """Run both trackers on the same frames, block by block in alternating order; figures of both.

    Before each timed call the frame is copied into one buffer, as a camera driver or decoder does: without it the
    frames of a long video come from main memory, which no live frame does.
    """
    timings, parity = (Timing(), Timing()), Parity()
    block: list[tuple[NDArray[np.uint8], int]] = []
    turns = count = 0

    def flush() -> None:
        nonlocal turns
        trackers = [t for t in (ours, theirs) if t is not None]
        results: list[list[HandFrame]] = [[] for _ in trackers]
        order = range(len(trackers))
        for which in order if turns % 2 else reversed(order):
            results[which] = _timed(trackers[which], block, timings[which])
        if theirs is not None:
            for mine, reference in zip(*results, strict=True):
                parity.add(mine, reference)
        turns += 1
        block.clear()

    for item in frames_of(video, limit):
        block.append(item)
        count += 1
        if len(block) == BLOCK:
            flush()
    if block:
        flush()
    row: dict[str, Any] = {"frames": count, "ours_ms": timings[0].row()}
    if theirs is not None:
        row["reference_ms"] = reference = timings[1].row()
        row["speedup"] = round(reference["mean"] / row["ours_ms"]["mean"], 4)
        row["speedup_p50"] = round(reference["p50"] / row["ours_ms"]["p50"], 4)
        row["speedup_cpu"] = round(reference["cpu_mean"] / row["ours_ms"]["cpu_mean"], 4)
        # harsher: what the reference spends before its result is even readable, against all of ours
        row["speedup_against_graph_alone"] = round(reference["stages_mean"] / row["ours_ms"]["mean"], 4)
        row["parity"] = parity.row()
    return row


def _timed(tracker: HandTracker, block: Sequence[tuple[NDArray[np.uint8], int]], timing: Timing) -> list[HandFrame]:
    frames = []
    buffer = np.empty_like(block[0][0])
    for rgb, t_ns in block:
        np.copyto(buffer, rgb)
        start, used = time.perf_counter(), time.process_time()
        frame = tracker.track(buffer, t_ns)
        timing.cpu.append((time.process_time() - used) * 1e3)
        timing.total.append((time.perf_counter() - start) * 1e3)
        timing.inner.append(sum(frame.stages_ms.values()))
        frames.append(frame)
    return frames


@dataclass(slots=True)
class Entries:
    """How a tracker did against the truth of rendered clips.

    latencies: seconds from a second hand's true entry to its being found; inf = it left before.
    """

    latencies: list[float] = field(default_factory=list)
    handless_frames: int = 0
    false_frames: int = 0
    frames: int = 0
    extra_hands: int = 0

    def row(self) -> dict[str, Any]:
        """Milliseconds (None where a share of hands that large was never found) and shares."""
        late = np.sort(np.array(self.latencies))
        # percentiles by rank: interpolation with inf would give NaN
        p50, p95 = (late[max(0, int(np.ceil(q * len(late))) - 1)] if len(late) else np.nan for q in (0.5, 0.95))
        return {
            "entries": len(late),
            "missed": int(np.isinf(late).sum()),
            "found_ms_p50": round(float(p50) * 1e3, 1) if np.isfinite(p50) else None,
            "found_ms_p95": round(float(p95) * 1e3, 1) if np.isfinite(p95) else None,
            "frames": self.frames,
            "handless_frames": self.handless_frames,
            "false_hand_share": round(self.false_frames / self.handless_frames, 4) if self.handless_frames else None,
            "extra_hands": self.extra_hands,
        }


def watch_entries(video: Path, truth: Recording, tracker: HandTracker, into: Entries) -> None:
    """Track one clip and add what was found late, or wrongly, to `into`. Times are the recording's."""
    tracker.reset()
    true_frames = list(truth.frames())
    waiting: dict[int, int] = {}
    before: set[int] = set()
    for index, (rgb, _) in enumerate(frames_of(video, len(true_frames))):
        true = true_frames[index]
        there = set(hands_in(true))
        found = tracker.track(rgb, true.t_ns)
        left = [slot for slot in waiting if slot not in there]
        into.latencies += [np.inf for slot in left if waiting.pop(slot) is not None]
        if before and len(there) == 2:
            waiting |= dict.fromkeys(there - before, true.t_ns)
        matched = {slot: _matching(found, true, slot) for slot in there}
        for slot in [s for s in waiting if matched[s]]:
            into.latencies.append((true.t_ns - waiting.pop(slot)) * 1e-9)
        hands = len(list(hands_in(found)))
        into.frames += 1
        empty = not (true.presence > 0).any()  # a hand that is half in the picture is neither there nor absent
        into.handless_frames += empty
        into.false_frames += bool(empty and hands)
        into.extra_hands += max(0, hands - len(there))
        before = there
    into.latencies += [np.inf] * len(waiting)


def _matching(found: HandFrame, true: HandFrame, slot: int) -> bool:
    """Whether a hand was found where the true one is; by side alone where the truth has no image landmarks."""
    if not np.isfinite(true.landmarks[slot, :, :2]).all():
        return found.present(slot)
    return any(hand_distance(found, s, true, slot) <= SAME_HAND for s in hands_in(found))
