"""A captioner that also tells what hands do with things: `edge.pipeline.Captioner` with detections beside it."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.events import Caption, Event
from edge.hands.frame import HandFrame, HandTracker
from edge.objects.clip import clip_of
from edge.objects.detections import DetectionRows, Detections, DetectionSource
from edge.objects.dynamics import Reading, read
from edge.objects.event import ObjectEvent, ObjectScore
from edge.objects.grasp import GraspTrace, shipped
from edge.objects.narrator import narrate
from edge.objects.things import Things
from edge.pipeline import Captioner

#: Seconds of the source between two readings; without a hand at a thing for `REST_S` a caption is final.
STEP_S, REST_S = 0.25, 1.0
#: Seconds by which a fact that is read again, from the frames that were kept, may lie off what was told of it.
AGAIN_S = 0.5
#: Captions are cut after this long; the frames kept before the next one, for the way of a hand that comes.
CAP_S, KEEP_S = 15.0, 1.5


def with_recorded(
    captioner: Captioner, rows: Sequence[Detections], *, view: str, mirrored: bool, digest: str = ""
) -> Any:
    """The captioner; where a recording holds detections, one around it that also tells of things.

    digest: of the network behind the recording's keyframe features.
    """
    if not rows:
        return captioner
    return ObjectCaptioner(captioner, DetectionRows(rows), view=view, mirrored=mirrored, digest=digest)


class ObjectCaptioner:
    """Finger captions of the captioner within, and captions of hands with things (`source` "objects").

    Takes frames as the captioner does; the same frames and detections give the same events however they are grouped.
    """

    def __init__(
        self,
        captioner: Captioner,
        source: DetectionSource,
        *,
        view: str = "facing",
        mirrored: bool = False,
        digest: str | None = None,
    ) -> None:
        self.inner, self.source, self.view, self.mirrored = captioner, source, view, mirrored
        tracker = captioner.tracker
        known = tracker.appearance_digest if tracker is not None else ""
        self.grasps = GraspTrace(shipped(), known if digest is None else digest)
        self.things = Things()
        narrate((), captioner.language)  # a language without words for things is refused now
        self._frames: list[HandFrame] = []
        self._read_at = -np.inf
        self._said = ""
        self._revision = self._count = 0
        self._told_until = -np.inf
        self._told: ObjectScore = ()

    @property
    def last(self) -> HandFrame | None:
        """The newest frame that was used."""
        return self.inner.last

    @property
    def tracker(self) -> HandTracker | None:
        """The captioner's own."""
        return self.inner.tracker

    def __enter__(self) -> ObjectCaptioner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the networks."""
        self.inner.close()
        close = getattr(self.source, "close", None)
        if close is not None:
            close()

    def relax(self, factor: float) -> None:
        """As `Captioner.relax`."""
        self.inner.relax(factor)

    def push(self, frame: NDArray[np.uint8] | HandFrame | Sequence[HandFrame], t_ns: int | None = None) -> list[Event]:
        """Take a frame; returns what is new. Raises SourceError as the captioner does."""
        if isinstance(frame, (list, tuple)):
            return [event for one in frame for event in self.push(one)]
        before = self.inner.last
        events = self.inner.push(frame, t_ns)
        hands = self.inner.last
        if hands is None or hands is before:
            return events
        if self._frames and not 0 < hands.t - self._frames[-1].t < REST_S:  # a hole, or a clock that was set back
            events += self._end()
            self._forget(hands.t)
        rgb = frame if isinstance(frame, np.ndarray) else None
        seen = self.source.at(hands.t_ns, rgb)
        if seen is not None:
            self.things.push(seen)
        self.grasps.push(hands)
        self._frames.append(hands)
        if hands.t - self._read_at >= STEP_S:
            self._read_at = hands.t
            events += self._advance(hands.t)
        return events

    def flush(self) -> list[Event]:
        """End the stream: the last captions."""
        return self.inner.flush() + (self._end() if self._frames else [])

    # -- captions ------------------------------------------------------------------------------------------

    def _reading(self) -> Reading:
        known = self.things.known
        times = np.array([f.t for f in self._frames])
        boxes = np.stack([t.at(times) for t in known], axis=1) if known else np.zeros((len(times), 0, 4))
        clip = clip_of(self._frames, boxes, [t.name for t in known], view=self.view, mirrored=self.mirrored)
        return read(clip, view=self.view, grasps=self.grasps)

    def _new(self, reading: Reading) -> ObjectScore:
        return tuple(
            e for e in reading.score if e.end > self._told_until and not any(_again(e, told) for told in self._told)
        )

    def _advance(self, now: float) -> list[Event]:
        reading = self._reading()
        score = self._new(reading)
        busy = reading.contact.any(axis=(1, 2))
        times = np.array([f.t for f in self._frames])
        at = float(times[np.flatnonzero(busy)[-1]]) if busy.any() else -np.inf
        if now - times[0] > CAP_S:
            events = self._tell(score, now, True) if score else []
            self._forget(now)
            return events
        if not score:
            events = (
                self._tell((), now, True) if self._said and not busy.any() else []
            )  # what was begun is not confirmed
            if not busy.any():
                self._forget(now)
            return events
        if now - max(at, max(e.end for e in score)) > REST_S:
            events = self._tell(score, now, True)
            self._forget(now)
            return events
        return self._tell(score, now, False)

    def _end(self) -> list[Event]:
        score = self._new(self._reading())
        return self._tell(score, self._frames[-1].t, True) if score or self._said else []

    def _forget(self, now: float) -> None:
        """Begin the next caption; frames just before it are kept."""
        self._frames = [f for f in self._frames if now - f.t <= KEEP_S]
        self.things.forget(now - KEEP_S)
        self.grasps.forget(now - KEEP_S)

    def _tell(self, score: ObjectScore, t: float, final: bool) -> list[Event]:
        text = narrate(score, self.inner.language) if score else ""
        if not final and text == self._said:
            return []
        event = Caption(
            f"objects-{self._count}",
            t_start=min((e.start for e in score), default=t),
            t_end=max((e.end for e in score), default=t),
            revision=self._revision,
            final=final,
            confidence=min((e.confidence for e in score), default=0.0),
            source="objects",
            text=text,
            objects=score,
        )
        self._revision, self._said = self._revision + 1, text
        if final:
            self._told_until = max(self._told_until, *(e.end for e in score)) if score else self._told_until
            self._told = score or self._told
            self._count, self._revision, self._said = self._count + 1, 0, ""
        return [event]


def _again(event: ObjectEvent, told: ObjectEvent) -> bool:
    """Whether an event is what was told already, read anew from fewer frames."""
    same = (event.hand, event.verb, event.object) == (told.hand, told.verb, told.object)
    return same and min(event.end, told.end) > max(event.start, told.start) - AGAIN_S
