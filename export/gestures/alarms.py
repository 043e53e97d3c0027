"""False alarms: gestures that nobody makes, watched for over hours of everyday hands, and over real recordings.

    python -m export.gestures.alarms --part 0 1 2 3
    python -m export.gestures.alarms -o results/gestures_alarms.json

Everyday hands reach, grasp, carry, turn, put down, talk, fidget and rest (`export.sim.everyday`), from a seed that
neither training nor any threshold has seen, with the fitted tracker's errors. The first command reads hours (a part
each, kept; processes may share them), the second counts. Every span that is told is false.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.files import write_whole
from edge.gestures.background import Background, standing
from edge.gestures.listen import listen
from edge.gestures.match import Matcher
from edge.gestures.reader import READER_FILE, Reader
from edge.gestures.store import Gesture
from edge.gestures.watch import HandWatch, WatchSettings, acting, spans_of
from edge.recognisers import open_student
from edge.resample import TICK_HZ
from edge.score import HANDS
from export.gestures.evaluate import scores, simulated, tracked
from export.gestures.everyday_real import POTTERY_FPS, Track, leap, pottery
from export.gestures.performed import zero_shot
from export.sim.batch import Streamer
from export.sim.everyday import EverydayStreamer

Array = NDArray[Any]

#: of the hours that alarms are counted on; of those that thresholds are chosen on
SEED, CHOOSE_SEED = 20261210, 41
#: batches of eight clips of twenty seconds in a part, parts of the count (5 hours)
BATCHES, PARTS, CLIPS, SECONDS = 28, 4, 8, 20.0
#: share of performances that must be detected where alarms are compared
DETECTED = 0.85
#: no event seen: three bound it with 95 % (rule of three)
_NONE_SEEN = 3.0


def upper(count: int, hours: float) -> float:
    """95 % upper bound of a rate an hour."""
    return round((_NONE_SEEN if not count else count + 1.96 * count**0.5 + 1.92) / hours, 2)


def heard(bundle: Bundle, reader: Reader, streamer: Streamer, numbers: Sequence[int]) -> dict[str, Array]:
    """Spans of some batches: scores [N, ten], rows [N,12,7,R] and read [N,12,P] uint8, hand [N]; seconds."""
    from export.gestures.background import packed

    student = open_student(bundle, "facing", False)
    matchers = [Matcher([e.events(h) for e in zero_shot()], reader) for h in HANDS]
    out: dict[str, list[Any]] = {"scores": [], "rows": [], "read": [], "hand": []}
    ticks = 0
    for number in numbers:
        batch = streamer.batch(number)
        for k, clip in enumerate(batch.features):
            student.encoder.reset()
            said = np.stack([student.encoder.push(f).probs for f in clip])
            ticks += len(clip)
            for h in np.flatnonzero(batch.present[k].any(axis=0)):
                read, rows = reader.read(clip[:, h]), said[:, h]
                traces = matchers[h].traces(rows, read)
                for a, z in spans_of(acting(rows, read, reader.quiet()), WatchSettings()):
                    out["scores"].append(matchers[h].best(traces[a:z]).astype(np.float32))
                    out["rows"].append(packed(rows[a:z]))
                    out["read"].append(packed(read[a:z]))
                    out["hand"].append(h)
        print(f"batch {number}: {len(out['hand'])} spans", flush=True)
    return {**{n: np.array(v) for n, v in out.items()}, "seconds": np.array(ticks / TICK_HZ)}


def part(bundle: Bundle, reader: Reader, number: int, work: Path, seed: int = SEED) -> dict[str, Array]:
    """A part of the hours, read once for a student's weights."""
    path = work / f"everyday-{bundle.weights_digest[:12]}-{seed}-{number}.npz"
    if not path.exists():
        streamer = EverydayStreamer(size=CLIPS, seconds=SECONDS, seed=seed)
        made = heard(bundle, reader, streamer, range(number * BATCHES, (number + 1) * BATCHES))
        work.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **made)
    with np.load(path, allow_pickle=False) as d:
        return {n: d[n] for n in d.files}


def real(bundle: Bundle, reader: Reader, tracks: Iterable[Track], gestures: Sequence[Gesture]) -> dict[str, Any]:
    """Alarms of real recordings, as the device tells them."""
    told: Counter[str] = Counter()
    seconds = 0.0
    student = open_student(bundle, "egocentric", False)
    for track in tracks:
        recording = track.recording()
        seconds += float(recording.t_ns[-1]) * 1e-9
        heard = listen(recording.frames(), bundle, name=track.name, view="egocentric", mirrored=False, student=student)
        for h, hand in enumerate(HANDS):
            if not heard.present[:, h].any():
                continue
            watch, read = HandWatch(gestures, hand, reader=reader), reader.read(heard.features[:, h])
            spots = []
            for t, rows, row in zip(heard.t, heard.rows[:, h], read, strict=True):
                spots += watch.push(float(t), rows, None, row)
            told.update(s.label for s in [*spots, *watch.flush()] if s.final and s.confidence > 0)
    total, hours = sum(told.values()), seconds / 3600
    return {
        "minutes": round(seconds / 60, 2), "alarms": total, "per_hour": round(total / hours, 2),
        "upper_95_per_hour": upper(total, hours), "by_gesture": dict(told),
    }  # fmt: skip


def rates(over: Array, hours: float, names: Sequence[str]) -> dict[str, Any]:
    """Alarms of spans [N, gestures] over their thresholds."""
    told = int(over.any(axis=1).sum())
    return {
        "alarms": told, "per_hour": round(told / hours, 2), "upper_95_per_hour": upper(told, hours),
        "by_gesture": {n: int(k) for n, k in zip(names, over.sum(axis=0), strict=True)},
    }  # fmt: skip


def count(bundle: Bundle, reader: Reader, work: Path, folder: Path | None) -> dict[str, Any]:
    """Alarms of the ten over the hours: at the thresholds of `define`, and where 85 % are detected."""
    parts = [part(bundle, reader, k, work) for k in range(PARTS)]
    hours = sum(float(p["seconds"]) for p in parts) / 3600
    heard = np.concatenate([p["scores"] for p in parts])
    ten = zero_shot()
    names = [e.name for e in ten]
    background = Background.load(bundle.weights_digest)
    least = np.array([standing(e.events, background, reader)[1] for e in ten])
    out: dict[str, Any] = {
        "hours": round(hours, 2), "spans": len(heard), "seed": SEED, "choose_seed": CHOOSE_SEED,
        "thresholds": dict(zip(names, least.round(3).tolist(), strict=True)),
        "at_thresholds": rates(heard >= least, hours, names),
    }  # fmt: skip
    sets = {"simulated": simulated(ten, bundle, reader, work)}
    if folder:
        sets["rendered"] = tracked(folder, bundle, reader)
    for name, clips in sets.items():
        own = np.array([names.index(c.name) for c in clips])
        score = scores(clips, ten, reader)[np.arange(len(own)), own]
        needed = np.array([np.quantile(score[own == k], 1 - DETECTED) for k in range(len(names))])
        each = {n: round(float((heard[:, k] >= needed[k]).sum() / hours), 2) for k, n in enumerate(names)}
        out[name] = {
            "detected_at_thresholds": round(float((score >= least[own]).mean()), 4),
            "per_hour_at_85_percent_detected": each,
            "median_per_hour_and_gesture_at_85": round(float(np.median(list(each.values()))), 2),
            "gestures_within_2_per_hour_at_85": sum(v <= 2 for v in each.values()),
            "all_ten_per_hour_at_85": round(float((heard >= needed).any(axis=1).sum() / hours), 2),
            "curve": [
                {"times_threshold": f, "per_hour": rates(heard >= least * f, hours, names)["per_hour"],
                 "detected": round(float((score >= (least * f)[own]).mean()), 4)}
                for f in (0.5, 0.7, 1.0, 1.4, 2.0)
            ],
        }  # fmt: skip
    return out


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Count false alarms on everyday hands.")
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--part", type=int, nargs="*", help="read these parts only, so that processes can share")
    parser.add_argument("--rendered", type=Path, help="folder of rendered, tracked performances, for their detection")
    parser.add_argument("--real", type=Path, help="folder of data sets, for shrec24_pottery and leap_recordings")
    parser.add_argument("--work", type=Path, default=Path("out/gestures"))
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    bundle, reader = Bundle.open(args.bundle), Reader.from_bytes(READER_FILE.read_bytes())
    if args.part:
        for number in args.part:
            part(bundle, reader, number, args.work)
        return 0
    report: dict[str, Any] = {
        "schema": 2, "command": "python -m export.gestures.alarms", "weights": bundle.weights_digest,
        **count(bundle, reader, args.work, args.rendered),
    }  # fmt: skip
    if args.real:
        background = Background.load(bundle.weights_digest)
        watched = []
        for e in zero_shot():
            typical, least = standing(e.events, background, reader)
            watched.append(Gesture(e.name, "sentence", least, e.sentence, typical))
        report["leap_recordings"] = real(bundle, reader, leap(args.real / "leap_recordings"), watched)
        report["shrec24_pottery"] = {
            **real(bundle, reader, pottery(args.real / "shrec24_pottery"), watched), "fps_taken": POTTERY_FPS,
        }  # fmt: skip
    if args.output:
        write_whole(args.output, (json.dumps(report, indent=1) + "\n").encode())
    print(json.dumps(report, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
