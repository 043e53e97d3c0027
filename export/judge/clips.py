"""Clips to judge on: what to look at (a recording, a video) and its true score."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edge.errors import FigopError, ScoreError, SourceError
from edge.files import sha256_of
from edge.hands.frame import VIEWS
from edge.recording import Recording
from edge.score import FingerEvent, Score, order
from export.judge.tasks import CheckList

VIDEOS = (".mp4", ".webm", ".mkv", ".mov", ".avi", ".gif")
#: Endings of a truth that lies beside its video, in the order in which they are looked for.
TRUTHS = (".npz", ".score.json", ".json")
#: Landmarks of a video as the tracker saw them; made by `--cache`, never a truth.
TRACKED = ".tracked.npz"


class ClipError(FigopError):
    """A clip, or its true score, cannot be found or read."""


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip with its truth.

    Attributes:
        name: for tables.
        score: what truly happens.
        view, mirrored: of the video, as its truth says.
        recording: true landmarks, if any; video: pixels, if any.
        files: everything that was read, for the digest.
        check_list: motions that must be said and rests in which nothing may be, where the truth has them.
    """

    name: str
    score: Score
    view: str = "facing"
    mirrored: bool = False
    recording: Path | None = None
    video: Path | None = None
    files: tuple[Path, ...] = ()
    check_list: CheckList = field(default_factory=CheckList)


def read_score(data: Any, name: str) -> Score:
    """A score from JSON: a list of events, or an object with `events` or `score`. Raises ClipError."""
    rows = data.get("events", data.get("score")) if isinstance(data, dict) else data
    if not isinstance(rows, list):
        raise ClipError(f"{name} holds no score: a list of finger events, or an object with one under 'events'.")
    try:
        return order(FingerEvent.from_dict(row) for row in rows)
    except (ScoreError, TypeError, AttributeError) as error:
        raise ClipError(f"{name} holds a score that cannot be read: {error}") from error


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ClipError(f"{name} is not JSON: {error}.") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClipError(f"{path} cannot be read: {error}.") from error


def _from_truth(truth: Path, video: Path | None) -> Clip | None:
    """A clip from its truth, a recording with `score_json` or a score as JSON; None = that file holds no score."""
    files = (truth,) if video is None else (truth, video)
    name = (video or truth).stem
    if truth.suffix.lower() == ".json":
        data = _json(_text(truth), str(truth))
        about = data if isinstance(data, dict) else {}
        view, mirrored = about.get("view", "facing"), about.get("mirrored", False)
        if view not in VIEWS or not isinstance(mirrored, bool):
            raise ClipError(f"{truth}: view must be one of {', '.join(VIEWS)} and mirrored true or false.")
        try:
            check_list = CheckList.of(about)
        except ScoreError as error:
            raise ClipError(f"{truth}: {error}") from error
        score = read_score(data, str(truth))
        return Clip(name, score, view, mirrored, video=video, files=files, check_list=check_list)
    recording = Recording.load(truth)
    if not recording.score_json:
        return None
    seen = len(recording) > 0 and bool((recording.presence > 0).any())
    return Clip(
        name,
        read_score(_json(recording.score_json, str(truth)), str(truth)),
        recording.view,
        recording.mirrored,
        truth if seen else None,
        video,
        files,
    )


def _truth_of(video: Path) -> Path | None:
    return next((t for s in TRUTHS if (t := video.with_suffix(s)).is_file()), None)


def _video_of(truth: Path) -> Path | None:
    stem = next(truth.name[: -len(s)] for s in (*TRUTHS, truth.suffix) if truth.name.lower().endswith(s.lower()))
    return next((v for s in VIDEOS if (v := truth.with_name(stem + s)).is_file()), None)


def _one(path: Path, truth: Path | None) -> Clip:
    if not path.exists():
        raise ClipError(f"There is no file {path}.")
    is_video = path.suffix.lower() in VIDEOS
    if not is_video and path.suffix.lower() not in (".npz", ".json"):
        raise ClipError(f"{path} is neither a recording (.npz), a score (.json) nor a video ({', '.join(VIDEOS)}).")
    held = truth or (_truth_of(path) if is_video else path)
    if held is None:
        raise ClipError(f"{path} has no truth: put its score beside it as {path.stem}.npz or {path.stem}.json.")
    clip = _from_truth(held, path if is_video else _video_of(path))
    if clip is None:
        raise ClipError(f"{held} holds landmarks but no true score (score_json), so nothing can be judged on it.")
    return _seen_by(clip, path) if truth and path.suffix.lower() == ".npz" else clip


def _seen_by(clip: Clip, path: Path) -> Clip:
    """A clip whose truth lies apart, with the recording that shows it."""
    recording = Recording.load(path)
    return replace(
        clip, name=path.stem, view=recording.view, mirrored=recording.mirrored, recording=path,
        files=tuple(dict.fromkeys((*clip.files, path))),
    )  # fmt: skip


def _apart(named: Sequence[Path], truths: Path) -> list[Clip]:
    """Clips whose truths lie in a folder of their own, by stem; every truth there needs its clip."""
    shown = [f for p in named for f in (sorted(p.iterdir()) if p.is_dir() else [p])]
    shown = [f for f in shown if f.suffix.lower() in (*VIDEOS, ".npz") and not f.name.endswith(TRACKED)]
    by_stem = {f.stem: f for f in shown}
    wanted = sorted(truths.glob("*.json"))
    missing = [t.stem for t in wanted if t.stem not in by_stem]
    if missing or not wanted:
        what = (
            f"the truth {missing[0]}.json, but no such recording or video was named" if missing else "no truth (.json)"
        )
        raise ClipError(f"{truths} holds {what}.")
    return [_one(by_stem[t.stem], t) for t in wanted]


def _folder(folder: Path) -> list[Clip]:
    found: list[Clip] = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in VIDEOS:
            truth = _truth_of(path)
            clip = _from_truth(truth, path) if truth else None
            if clip is None:
                raise ClipError(f"{path} has no truth: put its score beside it as {path.stem}.npz or {path.stem}.json.")
            found.append(clip)
        elif path.suffix.lower() == ".npz" and not path.name.endswith(TRACKED) and _video_of(path) is None:
            try:
                clip = _from_truth(path, None)
            except SourceError:  # other arrays live in folders too
                clip = None
            if clip is not None:
                found.append(clip)
    return found


def find_clips(paths: Iterable[Path], *, truth: Path | None = None, limit: int | None = None) -> list[Clip]:
    """Clips from recordings, videos (truth of the same stem beside them) and folders of both.

    Args:
        truth: the true score of the one clip that is named, or a folder of true scores, NAME.json for every clip.
        limit: so many clips at most.

    Raises ClipError where there is no clip, or a clip has no truth; SourceError where a recording is damaged.
    """
    named: Sequence[Path] = list(paths)
    if truth is not None and truth.is_dir():
        return _apart(named, truth)[:limit]
    if truth is not None and (len(named) != 1 or named[0].is_dir()):
        raise ClipError(f"--truth is the score of one clip, but {len(named)} paths or a folder were given.")
    found: list[Clip] = []
    for path in named:
        found += _folder(path) if path.is_dir() else [_one(path, truth)]
    if not found:
        where = ", ".join(str(p) for p in named)
        raise ClipError(
            f"There is no clip with a true score in {where}: a .npz with score_json, or a video beside one."
        )
    return found if limit is None else found[:limit]


def digest(clips: Iterable[Clip]) -> str:
    """sha256 over names and contents of every file of the clips, in order of name."""
    total = hashlib.sha256()
    for path in sorted({f for clip in clips for f in clip.files}, key=lambda p: (p.name, str(p))):
        total.update(f"{path.name} {sha256_of(path)}\n".encode())
    return total.hexdigest()
