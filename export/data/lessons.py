"""Captioned clips from outside as clips to train on: `figop train --data`.

What is told of a recording is cut at rests into pieces as long as the student's training clips; each becomes a
recording with its score, in a folder that `export.data.tracked.table` reads.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edge.errors import SinkError, SourceError
from edge.recording import Recording
from edge.score import Score, order
from export.data.captioned import CaptionedClip, CaptionedSet
from export.data.pairs import score_of
from export.data.windows import phrases
from export.sim.split import split_of_score

#: seconds of stillness kept before the first and after the last event of a piece, where the recording has them
BEFORE, AFTER = 0.5, 0.7


@dataclass(frozen=True, slots=True)
class Lessons:
    """What training gets of a captioned set.

    Attributes:
        folder: of NNNN.npz. pieces: how many. events: in them.
        too_long: phrases longer than a training clip.
        known: pieces whose score is one of the benchmark's test side (`export.sim.split`).
    """

    folder: Path
    pieces: int
    events: int
    too_long: int
    known: int

    def summary(self) -> str:
        """One line."""
        out = f"{self.pieces} pieces with {self.events} events to train on"
        if self.too_long:
            out += f"; {self.too_long} phrases are longer than a training clip"
        if self.known:
            out += f"; {self.known} of them tell what test programs do: figures on those are no longer of unseen scores"
        return out


def lessons(found: CaptionedSet, home: Path, seconds: float) -> Lessons:
    """Cut the clips that were understood and write them into a folder under `home`, named by what is in it.

    Raises SourceError where nothing is left to train on, SinkError where the folder cannot be written.
    """
    made: list[Recording] = []
    too_long = 0
    for clip in found.understood:
        for piece in pieces(clip.score or (), seconds):
            if not piece:
                too_long += 1
            elif (one := cut(clip, piece)) is not None:
                made.append(one)
    if not made:
        raise SourceError(f"Nothing to train on was found: {found.summary()}")
    folder = home / f"data-{_digest(made)[:12]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for i, one in enumerate(made):
            if not (path := folder / f"{i:04d}.npz").exists():
                one.save(path)
    except OSError as error:
        raise SinkError(f"{folder} cannot be used for clips: {error.strerror or error}.") from error
    scores = [score_of(one) for one in made]
    known = sum(split_of_score(score) == "test" for score in scores)
    return Lessons(folder, len(made), sum(map(len, scores)), too_long, known)


def pieces(score: Score, seconds: float) -> Iterator[Score]:
    """Phrases that fit together into `seconds`, rests around them included; an empty piece for each that never fits."""
    most = seconds - BEFORE - AFTER
    piece: Score = ()
    for phrase in phrases([e for e in score if e.motion != "rest"]):
        end = max(e.end for e in phrase)
        if end - phrase[0].start > most:
            yield ()
            continue
        if piece and end - piece[0].start > most:
            yield piece
            piece = ()
        piece = order([*piece, *phrase])
    if piece:
        yield piece


def cut(clip: CaptionedClip, piece: Score) -> Recording | None:
    """The seconds of a piece as a recording from 0 with that score; None where no frame is there."""
    others = [e for e in clip.score or () if e not in piece]
    start, end = piece[0].start, max(e.end for e in piece)
    first = max([start - BEFORE, *(e.end for e in others if e.end <= start)])
    last = min([end + AFTER, *(e.start for e in others if e.start >= end)])
    frames = [f for f in clip.recording.frames() if first <= f.t <= last]
    if len(frames) < 2:  # a student's tick lies between two frames
        return None
    begin = frames[0].t_ns
    score = [e.moved(max(e.start - begin * 1e-9, 0.0), e.end - begin * 1e-9) for e in piece]
    return Recording.from_frames(
        [replace(f, t_ns=f.t_ns - begin, stages_ms={}) for f in frames],
        view=clip.recording.view, mirrored=clip.recording.mirrored,
        appearance_digest=clip.recording.appearance_digest, score_json=json.dumps([e.to_dict() for e in score]),
    )  # fmt: skip


def _digest(made: list[Recording]) -> str:
    out = hashlib.sha256()
    for one in made:
        out.update(one.score_json.encode() + one.landmarks.tobytes() + one.world.tobytes())
    return out.hexdigest()
