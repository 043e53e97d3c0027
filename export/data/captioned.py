"""Recordings with captions from outside: what the parser understands of the captions becomes their score.

    found = load_captioned("data/")          # or captions.json; videos are tracked once, into a cache folder
    for clip in found.clips:
        if clip.score is not None: ...       # clip.recording, clip.score with seconds
    print(found.summary())

Read are: JSON or JSON lines with rows of video and caption (as FingerCap-40K describes its pairs; its files are not
published, so several usual names of the two are taken), folders of recordings with captions in them or in NAME.txt
beside them, and folders of `figop annotate`. A caption of which any word is not understood gives no score: half a
score would teach that the rest did not happen.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import FigopError, ScoreError, SourceError
from edge.hands.frame import VIEWS, HandFrame
from edge.narrator import not_understood, parse, said, steps
from edge.recording import Recording
from edge.rules import RuleRecogniser
from edge.score import HANDS, FingerEvent, Score, order

#: Names under which data sets keep a clip and its caption, in the order in which they are looked for.
VIDEO_KEYS = ("video", "video_path", "recording", "file", "file_name", "path", "clip")
CAPTION_KEYS = ("caption", "captions", "text", "description", "instruction")
ROWS_KEYS = ("data", "annotations", "videos", "clips", "rows", "samples")
#: A hand that is seen in this share of the frames in which any is seen is the only one that an unnamed hand can be.
ONLY_HAND = 0.95

Track = Callable[[Path, str, bool], Recording]  #: (video, view, mirrored) -> its landmarks


@dataclass(frozen=True, slots=True)
class Told:
    """One caption: what is said, of which seconds (None = of all that is seen)."""

    text: str
    start: float | None = None
    end: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class CaptionedClip:
    """A clip with what is said of it.

    Attributes:
        recording: its landmarks. told: its captions. language: of them.
        score: all captions parsed, times in seconds of the recording; None = not understood.
        not_understood: the pieces that the parser left out.
        timed: share of events whose seconds were found in the landmarks; the others divide their caption evenly.
    """

    name: str
    recording: Recording
    told: tuple[Told, ...]
    language: str = "en"
    score: Score | None = None
    not_understood: tuple[str, ...] = ()
    timed: float = 0.0


@dataclass(frozen=True, slots=True)
class CaptionedSet:
    """All clips of a source, and what could not be used: (name, sentence)."""

    clips: tuple[CaptionedClip, ...]
    failed: tuple[tuple[str, str], ...] = ()

    @property
    def understood(self) -> tuple[CaptionedClip, ...]:
        return tuple(c for c in self.clips if c.score is not None)

    def pieces(self) -> Counter[str]:
        """What was not understood, and in how many clips."""
        return Counter(piece for clip in self.clips for piece in set(clip.not_understood))

    def summary(self, most: int = 20) -> str:
        """Counts, then the most frequent pieces that were not understood, then the clips that failed."""
        events = sum(len(c.score or ()) for c in self.understood)
        lines = [
            f"{len(self.clips)} clips with captions: {len(self.understood)} understood ({events} events), "
            f"{len(self.clips) - len(self.understood)} not; {len(self.failed)} could not be read"
        ]
        lines += [f"  not understood in {n}: {piece}" for piece, n in self.pieces().most_common(most)]
        return "\n".join(lines + [f"  {sentence}" for _, sentence in self.failed])


@dataclass(frozen=True, slots=True)
class _Row:
    """A clip before it is opened."""

    name: str
    path: Path
    told: tuple[Told, ...]
    language: str
    view: str | None = None
    mirrored: bool | None = None
    hand: str | None = None
    score: Score = ()  # as annotated: exact seconds, where the text still says the same


def load_captioned(
    where: str | Path,
    *,
    cache: str | Path | None = None,
    language: str = "en",
    hand: str | None = None,
    view: str = "facing",
    mirrored: bool = False,
    track: Track | None = None,
) -> CaptionedSet:
    """Read a captioned set: a JSON (lines) file, or a folder of recordings or annotations.

    Args:
        cache: where landmarks of videos are kept (default: `tracked` beside the file).
        language: of captions whose row does not say. hand: meant where a caption names none and both are seen.
        view, mirrored: of videos whose row does not say.
        track: makes landmarks of a video; None = figop's own tracker.

    A clip that cannot be read is listed in `failed`. Raises SourceError where nothing is found at all.
    """
    root = Path(where)
    failed: list[tuple[str, str]] = []
    rows = list(_folder(root, language, failed) if root.is_dir() else _file(root, language, failed))
    if not rows and not failed:
        raise SourceError(
            f"{root} holds no captioned clip: JSON rows of video and caption, or recordings with captions."
        )
    kept = Path(cache) if cache is not None else (root if root.is_dir() else root.parent) / "tracked"
    clips: list[CaptionedClip] = []
    for row in rows:
        try:
            recording = _recording(row, kept, view, mirrored, track or _track)
            clips.append(_clip(row, recording, hand))
        except FigopError as error:
            failed.append((row.name, str(error)))
    return CaptionedSet(tuple(clips), tuple(failed))


# -- where clips are listed ------------------------------------------------------------------------------------


def _file(path: Path, language: str, failed: list[tuple[str, str]]) -> Iterator[_Row]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read: {error}.") from error
    lines = path.suffix.lower() in (".jsonl", ".ndjson")
    rows: list[Any] = []
    for number, line in enumerate(text.splitlines() if lines else [text], 1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except ValueError as error:
            told = f"{path}, line {number}, is not JSON: {error}." if lines else f"{path} is not JSON: {error}."
            if not lines:
                raise SourceError(told) from error
            failed.append((f"line {number}", told))
    if not lines:
        data = rows[0] if rows else []
        held = (
            next((data[k] for k in ROWS_KEYS if isinstance(data.get(k), list)), None)
            if isinstance(data, dict)
            else data
        )
        if isinstance(data, dict) and held is None:  # {"clip.mp4": "caption"}
            held = [{"video": k, "caption": v} for k, v in data.items()]
        rows = held if isinstance(held, list) else []
    names: Counter[str] = Counter()
    for number, row in enumerate(rows, 1):
        try:
            made = _row(row, path.parent, language)
        except (SourceError, TypeError, ValueError) as error:
            failed.append((f"row {number}", f"{path}, row {number}: {error}"))
            continue
        names[made.name] += 1
        yield replace(made, name=f"{made.name}#{names[made.name]}") if names[made.name] > 1 else made


def _row(row: Any, folder: Path, language: str) -> _Row:
    """A row of a JSON file. Raises SourceError, TypeError or ValueError for what is no row."""
    if not isinstance(row, Mapping):
        raise SourceError("a row must be an object with a video and a caption.")
    video = next((row[k] for k in VIDEO_KEYS if isinstance(row.get(k), str) and row[k]), None)
    if video is None:
        raise SourceError(f"it names no video ({', '.join(VIDEO_KEYS)}).")
    view, hand, mirrored = row.get("view"), row.get("hand"), row.get("mirrored")
    if view not in (None, *VIEWS) or hand not in (None, *HANDS) or mirrored not in (None, True, False):
        raise SourceError(f"view is one of {', '.join(VIEWS)}, hand one of {', '.join(HANDS)}, mirrored true or false.")
    told = _told(row)
    if not told:
        raise SourceError(f"it holds no caption ({', '.join(CAPTION_KEYS)}).")
    path = folder / video
    return _Row(path.stem, path, told, str(row.get("language", language)), view, mirrored, hand)


def _told(row: Mapping[str, Any]) -> tuple[Told, ...]:
    """The captions of a row: a text, a list of texts for the same seconds is refused, or a list of timed captions."""
    if isinstance(row.get("conversations"), list):  # question and answer, as instruction-tuned models are given them
        answers = [turn.get("value", "") for turn in row["conversations"] if turn.get("from") in ("gpt", "assistant")]
        return (Told(str(answers[-1])),) if answers and answers[-1] else ()
    held = next((row[k] for k in CAPTION_KEYS if row.get(k)), None)
    start, end = row.get("start", row.get("t_start")), row.get("end", row.get("t_end"))
    span = (None if start is None else float(start), None if end is None else float(end))
    if isinstance(held, str):
        return (Told(held, *span),)
    if not isinstance(held, list):
        return ()
    if all(isinstance(one, str) for one in held):  # paraphrases of the same: the first speaks for all
        return (Told(held[0], *span),)
    return tuple(_timed(one) for one in held if str(one.get("text", one.get("caption", ""))).strip())


def _timed(row: Mapping[str, Any]) -> Told:
    start, end = row.get("t_start", row.get("start")), row.get("t_end", row.get("end"))
    text = str(row.get("text", row.get("caption", "")))
    return Told(text, None if start is None else float(start), None if end is None else float(end))


def _folder(root: Path, language: str, failed: list[tuple[str, str]]) -> Iterator[_Row]:
    """Recordings with captions: in the recording, in NAME.txt, or in NAME.json (of `figop annotate` or as a row)."""
    try:
        recordings = sorted(p for p in root.iterdir() if p.suffix.lower() == ".npz" and not p.name.startswith("."))
    except OSError as error:
        raise SourceError(f"{root} cannot be read: {error.strerror or error}.") from error
    for path in recordings:
        beside, words = path.with_suffix(".json"), path.with_suffix(".txt")
        try:
            if beside.is_file():
                data = json.loads(beside.read_text(encoding="utf-8"))
                score = order(FingerEvent.from_dict(e) for e in data.get("score", ()))
                made = _row(
                    {"video": path.name, **{k: v for k, v in data.items() if k not in VIDEO_KEYS}}, root, language
                )
                yield replace(made, score=score)
            elif words.is_file():
                yield _Row(path.stem, path, (Told(words.read_text(encoding="utf-8").strip()),), language)
            else:
                texts = Recording.load(path).captions
                if texts:
                    yield _Row(path.stem, path, tuple(Told(t) for t in texts[:1]), language)
        except (SourceError, ScoreError, OSError, TypeError, ValueError, AttributeError) as error:
            told = str(error) if isinstance(error, SourceError) and str(path) in str(error) else f"{beside}: {error}"
            failed.append((path.stem, told))


# -- landmarks -------------------------------------------------------------------------------------------------


def _recording(row: _Row, cache: Path, view: str, mirrored: bool, track: Track) -> Recording:
    if row.path.suffix.lower() == ".npz":
        return Recording.load(row.path)
    if not row.path.exists():
        raise SourceError(f"There is no file {row.path}.")
    kept = cache / f"{row.path.stem}.tracked.npz"
    wanted = (row.view or view, mirrored if row.mirrored is None else row.mirrored)
    if kept.is_file() and kept.stat().st_mtime >= row.path.stat().st_mtime:
        old = Recording.load(kept)
        if (old.view, old.mirrored) == wanted:
            return old
    recording = track(row.path, *wanted)
    recording.save(kept)  # whole or not at all: a run that is broken off tracks only what is missing
    return recording


def _track(video: Path, view: str, mirrored: bool) -> Recording:
    """Landmarks of a video by figop's own tracker."""
    from edge.hands.backends import open_tracker
    from edge.sources import open_source

    source = open_source(video)
    try:
        tracker = open_tracker("native", mirrored=mirrored)
        try:
            frames = [tracker.track(p.rgb, p.t_ns) for p in source if not isinstance(p, HandFrame)]
        finally:
            tracker.close()
    finally:
        source.close()
    return Recording.from_frames(frames, view=view, mirrored=mirrored)


# -- scores ----------------------------------------------------------------------------------------------------


def _clip(row: _Row, recording: Recording, hand: str | None) -> CaptionedClip:
    """Parse the captions of a clip and place their events in time."""
    if not len(recording):
        raise SourceError(f"{row.path} holds no frames.")
    meant = row.hand or only_hand(recording) or hand
    times = recording.t_ns * 1e-9
    seen = np.flatnonzero((recording.presence > 0).any(axis=1))
    whole = (float(times[seen[0]]), float(times[seen[-1]])) if len(seen) else (float(times[0]), float(times[-1]))
    unknown: list[str] = []
    parsed: list[tuple[Score, float, float]] = []
    for one in row.told:
        score = parse(one.text, row.language, strict=False, hand=meant)
        unknown += not_understood(one.text, row.language, hand=meant)
        start, end = whole[0] if one.start is None else one.start, whole[1] if one.end is None else one.end
        parsed.append((score, start, max(end, start)))
    if unknown or not any(score for score, _, _ in parsed):
        pieces = tuple(unknown) or tuple(t.text for t in row.told)
        return CaptionedClip(row.name, recording, row.told, row.language, None, pieces)
    read = row.score or by_rules(recording)
    placed: list[FingerEvent] = []
    found = 0
    for score, start, end in parsed:
        events, hits = place(score, start, end, read)
        placed += events
        found += hits
    return CaptionedClip(row.name, recording, row.told, row.language, order(placed), (), found / len(placed))


def only_hand(recording: Recording) -> str | None:
    """The hand that is seen nearly always when any is, where the other hardly ever is."""
    seen = (recording.presence > 0).sum(axis=0)
    total = (recording.presence > 0).any(axis=1).sum()
    most = int(seen.argmax())
    return HANDS[most] if total and seen[1 - most] <= (1 - ONLY_HAND) * total else None


def by_rules(recording: Recording) -> Score:
    """What geometry reads in a recording: it names motions badly at times, but places them well."""
    reader = RuleRecogniser(view=recording.view, mirrored=recording.mirrored)
    for frame in recording.frames():
        reader.push(frame)
    return reader.score(final=True)


def place(score: Score, start: float, end: float, read: Sequence[FingerEvent]) -> tuple[Score, int]:
    """A parsed score (step k spans k .. k+1) in the seconds start .. end, and how many events were found in `read`.

    An event takes the seconds of the first reading of the same hand, motion and a shared finger that is not before
    the step before it; the steps that were not found divide the time between their neighbours evenly.
    """
    inside = [e for e in read if e.start < end and e.end > start]
    rows = steps(said(score))
    spans: list[tuple[float, float] | None] = []
    held: list[dict[int, tuple[float, float]]] = []
    used: set[int] = set()
    now, hits = start, 0
    for row in rows:
        own: dict[int, tuple[float, float]] = {}
        for i, event in enumerate(row):
            match = next((j for j, e in enumerate(inside) if j not in used and e.end > now and _same(e, event)), None)
            if match is not None:
                used.add(match)
                own[i] = (inside[match].start, inside[match].end)
        hits += len(own)
        span = (min(a for a, _ in own.values()), max(z for _, z in own.values())) if own else None
        now = span[0] if span else now
        spans.append(span)
        held.append(own)
    edges = _filled(spans, start, end)
    out = [
        event.moved(*own.get(i, edge))
        for row, own, edge in zip(rows, held, edges, strict=True)
        for i, event in enumerate(row)
    ]
    return order(out), hits


def _same(a: FingerEvent, b: FingerEvent) -> bool:
    return (a.hand, a.motion) == (b.hand, b.motion) and bool(set(a.parts()) & set(b.parts()))


def _filled(spans: Sequence[tuple[float, float] | None], start: float, end: float) -> list[tuple[float, float]]:
    """Every step with seconds: unknown ones share the room up to the next known one."""
    out: list[tuple[float, float]] = []
    k = 0
    while k < len(spans):
        known = spans[k]
        if known is not None:
            out.append(known)
            k += 1
            continue
        last = next((j for j in range(k, len(spans)) if spans[j] is not None), len(spans))
        following = spans[last] if last < len(spans) else None
        a = max(start, out[-1][1]) if out else start
        z = max(a, following[0] if following is not None else end)
        width = (z - a) / (last - k)
        out += [(a + i * width, a + (i + 1) * width) for i in range(last - k)]
        k = last
    return out


def main(argv: Sequence[str] | None = None) -> int:
    """Count what a captioned set gives: `python -m export.data.captioned DATA`."""
    parser = argparse.ArgumentParser(description="Read a captioned set and tell what the parser understands of it.")
    parser.add_argument("data", type=Path, help="JSON or JSON lines of video and caption, or a folder of recordings")
    parser.add_argument("--language", default="en")
    parser.add_argument("--hand", choices=HANDS, help="meant where a caption names none")
    parser.add_argument("--camera-view", choices=VIEWS, default="facing")
    parser.add_argument("--mirrored", action="store_true")
    parser.add_argument("--cache", type=Path, help="folder of tracked landmarks")
    args = parser.parse_args(argv)
    try:
        found = load_captioned(
            args.data,
            cache=args.cache,
            language=args.language,
            hand=args.hand,
            view=args.camera_view,
            mirrored=args.mirrored,
        )
    except FigopError as error:
        print(error)
        return 2
    print(found.summary())
    return 0 if found.understood else 1


if __name__ == "__main__":
    raise SystemExit(main())
