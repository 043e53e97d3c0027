"""Trains the student from nothing, on simulated clips that are made while it learns.

Seeded, and resumable to the step: the checkpoint holds weights, optimiser, torch's random state and the number of
the next batch, and batch i of a seed is always the same.
"""

from __future__ import annotations

import csv
import ctypes
import math
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from edge.errors import FigopError
from export.data.feed import Feed, FeedSettings, TrainBatch
from export.models.crew import Crew
from export.models.losses import Batch, caption_loss, frame_losses, total
from export.models.student import Student, count

CHECKPOINT = "student.pt"


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """How to train.

    Attributes:
        steps: optimiser steps; the learning rate falls to zero over them. rate: its peak. warm: steps to the peak.
        caption_from: step at which captions begin to count, fully after as many steps again.
        save_s: seconds between checkpoints. log: steps between rows of the log.
        average: share that the weights' running average keeps at a step; the average is what a checkpoint gives.
        device: "cpu" or "cuda". half: bfloat16 inside the encoder; None = where the device computes in it: twice as
            fast there, and five times slower on a processor that has to emulate it.
    """

    steps: int
    rate: float = 2e-3
    warm: int = 100
    decay: float = 0.02
    caption_from: int = 150
    save_s: float = 120.0
    log: int = 20
    seed: int = 0
    device: str = "cpu"
    half: bool | None = None
    average: float = 0.997
    threads: int = 1
    workers: int = 1


def to_torch(batch: TrainBatch, device: str) -> Batch:
    """A batch of numpy arrays as tensors."""
    tensors = [torch.from_numpy(getattr(batch, n)).to(device) for n in TrainBatch.__slots__]
    return Batch(tensors[0].float(), *tensors[1:])


def keep_memory() -> None:
    """Tell glibc to keep freed memory: else every step maps and faults its hundreds of megabytes anew."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):
            libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
            libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD


def halves(s: TrainSettings) -> bool:
    """Whether to compute in bfloat16."""
    if s.half is not None:
        return s.half
    if s.device == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, bool)()) for name in probes)


def rate_at(step: int, s: TrainSettings) -> float:
    """Learning rate: linear up, cosine down."""
    if step < s.warm:
        return s.rate * (step + 1) / s.warm
    return s.rate * 0.5 * (1 + math.cos(math.pi * (step - s.warm) / max(s.steps - s.warm, 1)))


def losses_of(student: Student, batch: Batch, s: TrainSettings, step: int) -> tuple[Tensor, dict[str, float]]:
    """The loss of one batch and what the log says of it."""
    with torch.autocast(s.device, torch.bfloat16, enabled=halves(s)):
        logits, moving, embedding = student.encoder(batch.features)
    logits, moving, embedding = logits.float(), moving.float(), embedding.float()
    losses, said = frame_losses(logits, moving, batch)
    loss = total(losses)
    said |= {name: value.item() for name, value in losses.items()}
    share = min(max((step - s.caption_from) / max(s.caption_from, 1), 0.0), 1.0)
    if share > 0 and bool(batch.told.any()):
        with torch.autocast(s.device, torch.bfloat16, enabled=halves(s)):
            caption, said["words"] = caption_loss(student, embedding, logits, batch)
        said["caption"] = caption.item()
        loss = loss + share * caption
    return loss, said


class Log:
    """CSV of the curves; drawn as a picture whenever a checkpoint is saved."""

    COLUMNS = (
        "step", "seconds", "rate", "loss", "frame_f1", "motion", "contact", "direction", "repeat", "moving", "caption",
        "words",
    )  # fmt: skip

    def __init__(self, folder: Path, step: int) -> None:
        self.path, self.picture = folder / "log.csv", folder / "curves.png"
        self.rows: list[dict[str, float]] = []
        if step and self.path.exists():
            with self.path.open(newline="") as file:
                self.rows = [{k: float(v or "nan") for k, v in row.items()} for row in csv.DictReader(file)]
            self.rows = [row for row in self.rows if row["step"] <= step]
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.COLUMNS)
            writer.writeheader()
            writer.writerows(self.rows)

    def add(self, row: dict[str, float]) -> None:
        row = {name: round(row[name], 5) for name in self.COLUMNS if name in row}
        self.rows.append(row)
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.COLUMNS).writerow(row)

    def draw(self) -> None:
        """Curves as a picture: one panel a column."""
        import cv2

        names = ("loss", "frame_f1", "motion", "contact", "moving", "caption", "words", "rate")
        wide, high = 360, 220
        sheet = np.full((2 * high, 4 * wide, 3), 255, np.uint8)
        steps = np.array([row["step"] for row in self.rows])
        for i, name in enumerate(names):
            values = np.array([row.get(name, np.nan) for row in self.rows])
            panel = sheet[i // 4 * high : (i // 4 + 1) * high, i % 4 * wide : (i % 4 + 1) * wide]
            _curve(panel, name, steps, values)
        cv2.imwrite(str(self.picture), sheet)


def _curve(panel: NDArray[np.uint8], name: str, steps: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    import cv2

    high, wide = panel.shape[:2]
    known = np.isfinite(values)
    cv2.rectangle(panel, (44, 26), (wide - 10, high - 24), (200, 200, 200), 1)
    last = f"{values[known][-1]:.3g}" if known.any() else "-"
    cv2.putText(panel, f"{name}  {last}", (46, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 40, 40), 1, cv2.LINE_AA)
    if known.sum() < 2:
        return
    x, y = steps[known], values[known]
    low, top = float(min(y.min(), 0.0)), float(np.quantile(y, 0.99)) or 1.0
    px = 44 + (wide - 54) * (x - x[0]) / max(x[-1] - x[0], 1)
    py = high - 24 - (high - 50) * np.clip((y - low) / max(top - low, 1e-9), 0, 1)
    points = np.stack([px, py], axis=1).round().astype(np.int32)
    cv2.polylines(panel, [points], False, (180, 90, 20), 1, cv2.LINE_AA)
    for text, at in ((f"{top:.2g}", 34), (f"{low:.2g}", high - 24)):
        cv2.putText(panel, text, (2, at), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (90, 90, 90), 1, cv2.LINE_AA)
    cv2.putText(panel, f"{int(x[-1])}", (wide - 50, high - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (90, 90, 90), 1)


class Average:
    """Running average of a student's weights: smoother than the last step's, at no cost on the device."""

    def __init__(self, student: Student, keep: float, begun: dict[str, Tensor] | None = None) -> None:
        self.keep = keep
        own = student.state_dict()
        self.state = {n: (begun or own)[n].detach().to(t.device, copy=True) for n, t in own.items()}

    @torch.no_grad()
    def follow(self, student: Student, step: int) -> None:
        """Take in the weights after a step; young averages forget faster."""
        keep = min(self.keep, (1 + step) / (10 + step))
        for name, new in student.state_dict().items():
            old = self.state[name]
            if old.dtype.is_floating_point:
                old.lerp_(new, 1 - keep)
            else:
                old.copy_(new)


class _Stop:
    """Notes that the user wants training to end; the step under way is finished and saved. Main thread only."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._ask)

    def _ask(self, number: int, frame: object) -> None:
        self.asked = True

    def close(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def train(
    settings: TrainSettings, feed_settings: FeedSettings, folder: Path, *, start_from: Path | None = None
) -> tuple[Path, int]:
    """Train, or go on where `folder` stopped; returns the checkpoint and its step.

    Ctrl-C or SIGTERM ends it after the step under way, with a checkpoint. Several processes (`export.models.crew`)
    train one student: batch i of process r is number i * processes + r.

    start_from: weights to begin with (the schedule starts anew).
    """
    keep_memory()
    crew = Crew.open(settings.device)
    device = str(crew.device or settings.device)
    torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CHECKPOINT
    student, step, before = Student(), 0, 0.0
    saved, sees = None, bool(feed_settings.tracked)  # who began with keyframe features goes on reading them
    if path.exists():
        student, saved = Student.load(path, raw=True)
        if "optimiser" not in saved:
            raise FigopError(
                f"{path} has weights alone, without the state of a training to go on with: "
                f"begin with it, `figop train --from {path} --out ANOTHER_FOLDER`."
            )
        step, before, sees = int(saved["step"]), float(saved["seconds"]), sees or bool(saved.get("appearance"))
    elif start_from is not None:
        student, began_with = Student.load(start_from)
        sees = sees or bool(began_with.get("appearance"))
    student.to(device).train()
    decays = [p for p in student.parameters() if p.ndim > 1]
    others = [p for p in student.parameters() if p.ndim <= 1]
    optimiser = torch.optim.AdamW(
        [{"params": decays, "weight_decay": settings.decay}, {"params": others, "weight_decay": 0.0}],
        lr=settings.rate, betas=(0.9, 0.98),
    )  # fmt: skip
    if saved is not None:
        optimiser.load_state_dict(saved["optimiser"])
        torch.set_rng_state(saved["rng"])
    average = Average(student, settings.average, saved["weights"] if saved else None)
    began = last_save = time.perf_counter()
    log = Log(folder, step) if crew.rank == 0 else None

    def save() -> None:
        # every process's norms saw other batches
        crew.mean([b for b in student.buffers() if b.dtype.is_floating_point])
        if log is None:
            return
        seconds = before + time.perf_counter() - began
        student.save(
            path, weights=average.state, raw=student.state_dict(), step=step, seconds=seconds, steps=settings.steps,
            optimiser=optimiser.state_dict(), rng=torch.get_rng_state(), appearance=sees,
        )  # fmt: skip
        log.draw()

    stop = _Stop()
    feed = Feed(feed_settings, start=step * crew.world + crew.rank, workers=settings.workers, every=crew.world)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, disable=log is None) as bar:
            task = bar.add_task(f"{count(student) / 1e6:.2f} M parameters", total=settings.steps, completed=step)
            for raw in feed:
                if step >= settings.steps or crew.any(stop.asked):
                    break
                for group in optimiser.param_groups:
                    group["lr"] = rate_at(step, settings)
                loss, said = losses_of(student, to_torch(raw, device), settings, step)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                crew.gradients(student)
                torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
                optimiser.step()
                step += 1
                average.follow(student, step)
                if log is not None and (step % settings.log == 0 or step == settings.steps):
                    seconds = before + time.perf_counter() - began
                    row = {"step": step, "seconds": seconds, "rate": rate_at(step, settings), "loss": loss.item()}
                    log.add({**row, **said})
                    words = f"{said.get('words', 0):.2f}"
                    bar.update(task, description=f"loss {loss.item():.2f} frames {said['frame_f1']:.2f} words {words}")
                bar.update(task, completed=step)
                if crew.any(time.perf_counter() - last_save > settings.save_s):
                    save()
                    last_save = time.perf_counter()
        save()
    finally:
        feed.close()
        stop.close()
    crew.close()
    return path, step
