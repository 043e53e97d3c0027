"""Run the captioner over clips and judge what it said; floor beside it, intervals by bootstrap over clips."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.events import Caption, Event
from edge.hands.frame import HandFrame, HandTracker
from edge.narrator import narrate
from edge.recording import Recording
from edge.score import FingerEvent, Score, order
from edge.sources import Picture, open_source
from export.judge.clips import TRACKED, Clip, ClipError, read_score
from export.judge.delays import phrases
from export.judge.judge import Judgement, Line, judge
from export.judge.match import ATTRIBUTES, Counts

#: Where captions come from: true landmarks, tracked pixels, the most frequent caption, a file of events.
#: What a source may lack -> the field of its hand frames.
WITHOUT = {"world": "world", "image": "landmarks", "wrist": "wrist", "appearance": "appearance"}
SOURCES = {"oracle": "landmarks", "pixels": "pixels", "floor": "floor", "given": "given"}
BOOTSTRAPS = 1000


class Speaker(Protocol):
    """What is needed of `edge.pipeline.Captioner`."""

    last: HandFrame | None
    tracker: HandTracker | None

    def push(self, frame: Any, t_ns: int | None = None) -> list[Event]: ...

    def flush(self) -> list[Event]: ...


OpenSpeaker = Callable[..., AbstractContextManager[Speaker]]  #: as `Captioner.open`


@dataclass(frozen=True, slots=True)
class Heard:
    """The final captions of one run: lines for the judge, their timed scores, and the hand frames that were seen."""

    lines: tuple[Line, ...]
    timed: Score
    frames: tuple[HandFrame, ...] = ()

    @classmethod
    def of(cls, events: Iterable[tuple[Event, float]], frames: Iterable[HandFrame] = ()) -> Heard:
        """From events with the time at which each was told, NaN with the end of the stream."""
        captions = [(e, told) for e, told in events if isinstance(e, Caption) and e.final]
        timed = order(event for caption, _ in captions for event in caption.score)
        return cls(tuple(Line.of(c, told) for c, told in captions if c.text), timed, tuple(frames))


@dataclass(frozen=True, slots=True)
class Job:
    """One clip with everything that a worker needs; `open_speaker` must be importable to run in several processes.

    without: what the hand frames are to lack (see `lacking`), as those of simpler sources do.
    """

    clip: Clip
    sources: tuple[str, ...]
    bundle: str
    open_speaker: OpenSpeaker
    cache: Path | None = None
    wording: Mapping[str, str] = field(default_factory=dict)  # language, style, detail where they are not the usual
    without: tuple[str, ...] = ()
    tracker: str = "native"

    @property
    def language(self) -> str:
        return self.wording.get("language", "en")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a clip: judgements and texts per source. cached = its landmarks were not tracked anew.

    checks: per source, what came of the clip's check list, if it has one.
    """

    clip: Clip
    judgements: dict[str, Judgement]
    texts: dict[str, tuple[Line, ...]]
    cached: bool = False
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def listen(speaker: Speaker, items: Iterable[HandFrame | Picture]) -> Heard:
    """Push everything, flush, and keep the final captions and the hand frames."""
    events: list[tuple[Event, float]] = []
    frames: list[HandFrame] = []
    for item in items:
        new = speaker.push(item) if isinstance(item, HandFrame) else speaker.push(item.rgb, item.t_ns)
        events += [(event, item.t_ns * 1e-9) for event in new]
        newest = speaker.last
        if newest is not None and not (frames and frames[-1] is newest):
            frames.append(newest)
    events += [(event, math.nan) for event in speaker.flush()]
    return Heard.of(events, frames)


def lacking(frames: Iterable[HandFrame], without: Sequence[str]) -> Iterator[HandFrame]:
    """Hand frames without some of `WITHOUT`: landmarks become unknown, keyframe features are not there."""
    for frame in frames:
        gone: dict[str, Any] = {}
        for name in without:
            field_name = WITHOUT[name]
            old = getattr(frame, field_name)
            gone[field_name] = None if name == "appearance" else np.full_like(old, np.nan)
        yield replace(frame, **gone)


def _tracked(job: Job) -> Path | None:
    """The cached landmarks of a clip, where they are newer than its video."""
    if job.cache is None or job.clip.video is None:
        return None
    path = _cache(job, job.clip.video)
    if path.is_file() and path.stat().st_mtime >= job.clip.video.stat().st_mtime:
        return path
    return None


def run(job: Job) -> Result:
    """Caption one clip from each of its sources and judge it."""
    clip = job.clip
    heard: dict[str, Heard] = {}
    cached = _tracked(job)
    for source in job.sources:
        if source == "oracle" and clip.recording is not None:
            with job.open_speaker(
                job.bundle, view=clip.view, mirrored=clip.mirrored, tracker=None, **job.wording
            ) as speaker:
                heard[source] = listen(speaker, lacking(Recording.load(clip.recording).frames(), job.without))
        elif source == "pixels" and cached is not None:
            with job.open_speaker(
                job.bundle, view=clip.view, mirrored=clip.mirrored, tracker=None, **job.wording
            ) as speaker:
                heard[source] = listen(speaker, lacking(Recording.load(cached).frames(), job.without))
        elif source == "pixels" and clip.video is not None:
            if job.without:
                raise ClipError(
                    f"{clip.name}: only tracked landmarks can be shown without {', '.join(job.without)}: "
                    "caption the clips once with --cache DIR, then again with it and --without."
                )
            heard[source] = _from_pixels(job, clip.video)
    return Result(
        clip,
        {s: judge(clip.score, h.lines, timed=h.timed, language=job.language) for s, h in heard.items()},
        {s: h.lines for s, h in heard.items()},
        cached is not None and "pixels" in heard,
        {s: clip.check_list.check(h.timed) for s, h in heard.items()} if clip.check_list else {},
    )


def _from_pixels(job: Job, video: Path) -> Heard:
    clip = job.clip
    source = open_source(video)
    try:
        with job.open_speaker(
            job.bundle, view=clip.view, mirrored=clip.mirrored, tracker=job.tracker, **job.wording
        ) as speaker:
            heard = listen(speaker, source)
            appearance = speaker.tracker.appearance_digest if speaker.tracker else ""
    finally:
        source.close()
    if job.cache is not None:
        recording = Recording.from_frames(
            heard.frames, mirrored=clip.mirrored, view=clip.view, appearance_digest=appearance
        )
        recording.save(_cache(job, video))
    return heard


def _cache(job: Job, video: Path) -> Path:
    """Where landmarks of a video are kept: every tracker's have a name of their own."""
    other = "" if job.tracker == "native" else f".{job.tracker}"
    return (job.cache or Path()) / f"{video.stem}{other}{TRACKED}"


# -- floor and ready-made captions -----------------------------------------------------------------------------


def floor_caption(clips: Sequence[Clip], language: str = "en") -> str:
    """The most frequent event of all the clips, as a caption; "" where there is none."""
    counts: Counter[FingerEvent] = Counter()
    for clip in clips:
        for e in clip.score:
            if e.motion != "rest":
                counts[FingerEvent(e.hand, e.motion, e.fingers, e.direction, e.contact)] += 1
    # by count, then by what it says: the same floor whatever the order of the clips
    most = min(counts, key=lambda e: (-counts[e], str(e))) if counts else None
    return narrate((most,), language=language) if most else ""


def floor(clips: Sequence[Clip], language: str = "en") -> list[Judgement]:
    """That caption, spoken for every true phrase: a floor that is told when something happens."""
    text = floor_caption(clips, language)
    return [judge(c.score, [Line(text, *p) for p in phrases(c.score)], language=language) for c in clips]


def given(path: Path) -> Heard:
    """The final captions of an events file (JSON lines). Raises ClipError naming the line that is wrong."""
    lines: list[Line] = []
    timed: list[FingerEvent] = []
    try:
        rows = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ClipError(f"The events {path} cannot be read: {error}.") from error
    for number, row in enumerate(rows, 1):
        if not row.strip():
            continue
        try:
            event = json.loads(row)
            if event.get("type") == "caption" and event.get("final", True) and event["text"]:
                lines.append(Line(str(event["text"]), float(event["t_start"]), float(event["t_end"])))
                timed += read_score(event.get("score", []), f"{path}, line {number},")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ClipError(f"{path}, line {number}, is not an event of figop: {error!r}.") from error
    return Heard(tuple(lines), order(timed))


# -- figures ---------------------------------------------------------------------------------------------------


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "precision": _round(counts.precision),
        "recall": _round(counts.recall),
        "f1": _round(counts.f1),
        "matched": counts.matched,
        "reference": counts.reference,
        "said": counts.predicted,
    }


def summary(judgements: Sequence[Judgement]) -> dict[str, Any]:
    """All figures of one source: tuples summed over clips, HandJudge averaged over clips, 95 % intervals."""
    total = sum(judgements, Judgement())
    return {
        "clips": len(judgements),
        "captions": total.captions,
        "garbled_captions": total.garbled,
        **_counts(total.counts),
        "f1_strict": _round(total.f1_strict),
        "hallucinated_finger_rate": _round(total.hallucination),
        "order_agreement": _round(total.order_agreement),
        "completeness": _round(total.completeness),
        "hand_judge": round(total.mean_hand_judge, 3),
        "final_caption_delay": total.delays.row(),
        "interval_95": intervals(judgements),
        "alone": {name: _counts(counts) for name, counts in total.alone.items()},
        "attributes": {name: _round(total.counts.accuracy(name)) for name in ATTRIBUTES},
        "attributes_judged": {name: total.counts.attributes.get(name, (0, 0))[1] for name in ATTRIBUTES},
        "events": _counts(total.events) | {"attributes": {n: _round(total.events.accuracy(n)) for n in ATTRIBUTES}}
        if total.events
        else None,
        "motions": {name: _counts(total.motions[name]) for name in sorted(total.motions)},
    }


def intervals(judgements: Sequence[Judgement], *, seed: int = 0) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals of the headline figures, clips drawn with replacement."""
    n = len(judgements)
    if n < 2:
        return {}
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n, np.full(n, 1.0 / n), size=BOOTSTRAPS).astype(float)

    def sums(values: Iterable[float]) -> NDArray[np.float64]:
        return np.asarray(draws @ np.array(list(values), float))

    matched = sums(j.counts.matched for j in judgements)
    strict = sums(j.strict for j in judgements)
    said = sums(j.counts.predicted for j in judgements)
    total = said + sums(j.counts.reference for j in judgements)
    score = sums(j.mean_hand_judge for j in judgements) / n
    figures = {
        "f1": np.where(total > 0, 2 * matched / np.maximum(total, 1), 1.0),
        "f1_strict": np.where(total > 0, 2 * strict / np.maximum(total, 1), 1.0),
        "hallucinated_finger_rate": np.where(said > 0, 1 - matched / np.maximum(said, 1), 0.0),
        "hand_judge": score,
    }
    return {
        name: (round(float(np.percentile(v, 2.5)), 4), round(float(np.percentile(v, 97.5)), 4))
        for name, v in figures.items()
    }
