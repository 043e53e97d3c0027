"""`Captioner`: push frames, get events. The one public streaming API.

    with Captioner.open("figop-base") as cap:
        for event in cap.push(rgb, t_ns):
            ...
        cap.flush()

The same frames give the same events however they are grouped into calls; nothing depends on the wall clock
except the measured `stages_ms` and `age_ms`. No frame leaves the process or is kept after its call.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.errors import SourceError
from edge.events import Caption, Dropped, Event, GestureEnd, GestureStart, HandsSeen
from edge.features import Pose
from edge.figop import CAP_S, POSE_THRESHOLD, REST_S, UNIT_S, FigopBuffer, PhraseClock, Unit
from edge.gestures.live import LiveGestures
from edge.hands.frame import VIEWS, HandFrame, HandTracker, hands_in
from edge.language.resource import load as load_language
from edge.narrator import DETAILS, STYLES, label, narrate
from edge.recognisers import Recogniser, open_recogniser
from edge.score import HANDS, FingerEvent, Score, iou

#: a hole in the time stamps longer than this ends the phrase: motion across it is not known
GAP_S = 0.5
#: so many stamps in a row before the newest, and the source's clock has been set back: start anew
RESTART_AFTER = 15
#: runs older than this that opened no phrase were too small to be spoken of
IDLE_KEEP_S = 0.6
#: a gesture whose hand has been still for this long is over, though the phrase may go on
GESTURE_REST_S = 0.3
_HANDS = (2, 21, 3)


class Captioner:
    """Captions one stream. Not thread-safe: one object, one stream, one thread.

    Args:
        recogniser: turns hand frames into a score (a model, rules, or both, behind the same methods).
        tracker: turns pixels into hand frames; None when only hand frames are pushed.
        view: "facing" or "egocentric".
        language, style, detail: how captions are worded (see `edge.narrator`).
        gestures: watches for the gestures that a bundle adds to the motions.
        weights: digest of the model that reads, "" where rules do.
        cutting: a bundle's unit_s, pose_threshold, rest_s and cap_s, where they differ from `edge.figop`'s.
        clock: seconds, for ages and stage times only.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        *,
        tracker: HandTracker | None = None,
        language: str = "en",
        style: str = "descriptive",
        detail: str = "normal",
        cutting: Mapping[str, float] | None = None,
        gestures: LiveGestures | None = None,
        weights: str = "",
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.recogniser = recogniser
        self.tracker = tracker
        self.gestures = gestures
        self.weights = weights
        self.language, self.style, self.detail = language, style, detail
        self.last: HandFrame | None = None
        self.units: list[Unit] = []
        self._clock = clock
        cut = dict(cutting or {})
        self._buffer = FigopBuffer(cut.get("unit_s", UNIT_S), cut.get("pose_threshold", POSE_THRESHOLD))
        self._phrase = PhraseClock(cut.get("rest_s", REST_S), cut.get("cap_s", CAP_S))
        self._phrases = 0
        self._gestures = 0
        self._dropped: Counter[str] = Counter()
        self._late = 0
        self._hands: dict[str, int] = {}
        self._told = ""
        self._revision = 0
        self._open: dict[str, GestureStart] = {}
        self._ended: dict[str, GestureStart] = {}
        self._runs_told = -1
        self._unit_s, self._relaxed = self._buffer.unit_s, False

    @classmethod
    def open(
        cls,
        bundle: str | Path = "figop-base",
        *,
        view: str = "facing",
        mirrored: bool = False,
        max_hands: int = 2,
        tracker: str | HandTracker | None = "native",
        language: str = "en",
        style: str = "descriptive",
        detail: str = "normal",
        appearance_digest: str = "",
    ) -> Captioner:
        """Open one local bundle, its digests verified; never the network.

        appearance_digest: of the network whose keyframe features pushed hand frames carry, where that is known (a
        tracker says its own). Features of another network than the bundle's are not shown to the captioner.

        Raises BundleError, or RuntimeUnavailable when the hand networks are not set up.
        """
        for name, value, known in (
            ("camera view", view, VIEWS),
            ("style", style, STYLES),
            ("detail", detail, DETAILS),
        ):
            if value not in known:
                raise SourceError(f"The {name} must be one of {', '.join(known)}, found {value!r}.")
        load_language(language)
        opened = Bundle.open(bundle)
        sees: HandTracker | None
        if isinstance(tracker, str):
            from edge.hands.backends import open_tracker
            from edge.hands.networks import HeldNetworks

            held = opened.hand_networks() if tracker == "native" else None
            options = {"networks": HeldNetworks(*held), "runtime": opened.runtime} if held else {}
            sees = open_tracker(tracker, max_hands=max_hands, mirrored=mirrored, **options)
        else:
            sees = tracker
        network = sees.appearance_digest if sees is not None else appearance_digest
        own = network in ("", opened.appearance_digest)
        recogniser = open_recogniser(opened, view, mirrored, appearance=own)
        return cls(
            recogniser,
            tracker=sees,
            language=language,
            style=style,
            detail=detail,
            cutting=opened.preprocessing,
            weights=opened.weights_digest,
            gestures=LiveGestures(opened, recogniser, view, mirrored) if LiveGestures.wanted(opened) else None,
        )

    def __enter__(self) -> Captioner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the networks. `flush` first to hear the last phrase."""
        if self.tracker is not None:
            self.tracker.close()

    def push(self, frame: NDArray[np.uint8] | HandFrame | Sequence[HandFrame], t_ns: int | None = None) -> list[Event]:
        """Take a frame (RGB [H,W,3] uint8 with its time stamp, a HandFrame, or several); returns what is new.

        Raises SourceError for pixels without a tracker, a time stamp or the right shape.
        """
        if isinstance(frame, HandFrame):
            if frame.world.shape != _HANDS or frame.landmarks.shape != _HANDS:
                raise SourceError(
                    f"Hand frames hold {_HANDS} joints, found {frame.world.shape}, {frame.landmarks.shape}."
                )
            return self._push(frame, self._clock())
        if isinstance(frame, (list, tuple)) and all(isinstance(one, HandFrame) for one in frame):
            return [event for one in frame for event in self.push(one)]
        arrival = self._clock()
        if not isinstance(frame, np.ndarray) or frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            found = f"{frame.shape} {frame.dtype}" if isinstance(frame, np.ndarray) else type(frame).__name__
            raise SourceError(f"A picture must be [height, width, 3] uint8 RGB, or a HandFrame; found {found}.")
        if not isinstance(t_ns, (int, np.integer)):
            raise SourceError(f"A picture needs its time stamp: t_ns, whole nanoseconds of its source; found {t_ns!r}.")
        if self.tracker is None:
            raise SourceError(
                "A picture was pushed, but this captioner has no hand tracker: open it with tracker='native'."
            )
        early = self._check_time(int(t_ns))
        if early is not None and self._late:
            return early
        key = self._buffer.keyframe_next(t_ns * 1e-9)
        hands = self.tracker.track(frame, int(t_ns), appearance=key)
        return (early or []) + self._push(hands, arrival, checked=True)

    def flush(self) -> list[Event]:
        """End the stream here: the last unit and the last phrase."""
        unit = self._buffer.flush()
        if unit is not None:
            self.units = [unit]
        events = self._end_phrase(self.last.t if self.last else 0.0, {}, self._clock()) if self._phrase.open else []
        self._buffer.reset()
        return events + (self.gestures.flush() if self.gestures else [])

    def relax(self, factor: float) -> None:
        """Make units `factor` times as long and speak between their ends no more; 1 = as usual.

        A governor asks for this under load: final captions stay as they are, provisional ones come less often.
        """
        self._buffer.unit_s, self._relaxed = self._unit_s * factor, factor > 1.0

    def _check_time(self, t_ns: int) -> list[Event] | None:
        """Events that a stamp causes by itself; None = it is in order. `_late` > 0 = do not use the frame."""
        last = self.last
        if last is None:
            return None
        if t_ns == last.t_ns:
            self._late = max(self._late, 1)
            return self._drop("time_stood_still", last.t)
        if t_ns < last.t_ns:
            self._late += 1
            if self._late < RESTART_AFTER:
                return self._drop("time_went_back", last.t)
            events = self._restart() + self._drop("clock_restarted", t_ns * 1e-9)
            self._late = 0
            return events
        self._late = 0
        if (t_ns - last.t_ns) * 1e-9 > GAP_S:
            return self._restart() + self._drop("gap", t_ns * 1e-9)
        return None

    def _restart(self) -> list[Event]:
        """What ran before a hole in time is over: say it, then begin anew."""
        events = self.flush()
        self.recogniser.reset()
        if self.gestures:
            self.gestures.reset()
        self._phrase.reset()
        if self.tracker is not None:
            self.tracker.reset()
        self.last = None
        return events

    def _drop(self, reason: str, t: float) -> list[Event]:
        """Count a dropped frame; told at the first, second, fourth, ... time, so that a fault cannot flood."""
        self._dropped[reason] += 1
        count = self._dropped[reason]
        if count & (count - 1):
            return []
        return [Dropped(f"dropped-{reason}", t, t, count, source="tracker", reason=reason, count=count)]

    def _push(self, frame: HandFrame, arrival: float, *, checked: bool = False) -> list[Event]:
        events: list[Event] = []
        if not checked:
            early = self._check_time(frame.t_ns)
            if early is not None:
                events += early
                if self._late:
                    return events
        began = self._clock()
        poses = self.recogniser.push(frame)
        told = self.gestures.push(frame) if self.gestures else []
        seen = {HANDS[slot]: int(frame.track_id[slot]) for slot in hands_in(frame)}
        for slot in hands_in(frame):
            if poses[slot] is None:
                events += self._drop("landmarks_not_finite", frame.t)
        read = self._clock()
        if seen != self._hands:
            self._hands = seen
            events.append(HandsSeen("hands", frame.t, frame.t, source="tracker", hands=seen))
        self.last = frame
        unit = self._buffer.push(frame, poses)
        self.units = [unit] if unit is not None else []
        stages = {**frame.stages_ms, "reading": (read - began) * 1e3}
        events += [replace(e, stages_ms=stages, age_ms=(self._clock() - arrival) * 1e3) for e in told]
        events += self._advance(frame, poses, unit, stages, arrival)
        return events

    def _advance(
        self,
        frame: HandFrame,
        poses: tuple[Pose | None, Pose | None],
        unit: Unit | None,
        stages: dict[str, float],
        arrival: float,
    ) -> list[Event]:
        """Phrase logic after a frame has been read."""
        state = self._phrase.push(frame.t, self.recogniser.moved_at())
        if state == "close":
            return self._end_phrase(frame.t, stages, arrival)
        if not self._phrase.open:
            self.recogniser.forget(before=frame.t - IDLE_KEEP_S)
            return []
        if unit is None and (self._relaxed or self.recogniser.atoms == self._runs_told):
            return []
        self._runs_told = self.recogniser.atoms
        return self._tell(self.recogniser.score(final=False), frame.t, False, stages, arrival)

    def _end_phrase(self, t: float, stages: dict[str, float], arrival: float) -> list[Event]:
        score = self.recogniser.score(final=True)
        events = self._tell(score, t, True, stages, arrival)
        self.recogniser.forget()
        self._phrase.reset()
        if events and isinstance(events[-1], Caption):
            self._phrases += 1
        self._told, self._revision, self._runs_told = "", 0, -1
        return events

    def _tell(self, score: Score, t: float, final: bool, stages: dict[str, float], arrival: float) -> list[Event]:
        """Gesture events and the caption of a reading of the phrase."""
        began = self._clock()
        events = self._gesture_events(score, t, final) if not (self.gestures and self.gestures.alone) else []
        text = narrate(score, style=self.style, detail=self.detail, language=self.language) if score else ""
        sure = min((e.confidence for e in score), default=0.0)
        # the model's own words are plain English; in another wording the narrator speaks for it
        plain = (self.language, self.style, self.detail) == ("en", "descriptive", "normal")
        own = self.recogniser.words() if final and text and plain else None
        if own is not None:
            text, sure = own
        sure = self.recogniser.certainty(sure) if score else sure
        # a phrase that was announced must be ended, even if its final reading is empty
        if (text and (final or text != self._told)) or (final and self._told):
            events.append(
                Caption(
                    f"phrase-{self._phrases}",
                    t_start=score[0].start if score else t,
                    t_end=max((e.end for e in score), default=t),
                    revision=self._revision,
                    final=final,
                    confidence=sure,
                    source=_source(score, self.recogniser.source),
                    text=text,
                    score=score,
                )
            )
            self._revision += 1
            self._told = text
        now = self._clock()
        stages = {**stages, "captions": (now - began) * 1e3}
        return [replace(e, stages_ms=stages, age_ms=(now - arrival) * 1e3) for e in events]

    def _gesture_events(self, score: Score, t: float, final: bool) -> list[Event]:
        """Starts (and their revisions) of the motions in a reading; their ends when they are over.

        A motion is over when its hand has rested since, or when the reading is final. A start that a later reading
        does not confirm is ended with confidence 0: it is withdrawn.
        """
        events: list[Event] = []
        before, self._open = self._open, {}
        told = dict(self._ended)
        for event in score:
            spoken = _same(event, told)
            if spoken is not None:
                del told[spoken]
                continue
            known = _same(event, before)
            if known is None:
                self._gestures += 1
                start = self._gesture(f"gesture-{self._gestures}", event, 0)
                events.append(start)
            else:
                start = before.pop(known)
                if start.event is None or label(start.event) != label(event):
                    start = self._gesture(start.id, event, start.revision + 1)
                    events.append(start)
            busy_until = max((e.end for e in score if e.hand == event.hand), default=event.end)
            if final or t - busy_until >= GESTURE_REST_S:
                events.append(_end(start, event))
                self._ended[start.id] = replace(start, event=event)
            else:
                self._open[start.id] = start
        for start in before.values():  # no longer part of the reading
            events.append(replace(_end(start, start.event), confidence=0.0))
        if final:
            self._ended = {}
        return events

    def _gesture(self, name: str, event: FingerEvent, revision: int) -> GestureStart:
        return GestureStart(
            name,
            event.start,
            event.end,
            revision,
            final=False,
            confidence=event.confidence,
            source=event.source or self.recogniser.source,
            hand=event.hand,
            label=label(event),
            event=event,
        )


def _same(event: FingerEvent, before: dict[str, GestureStart]) -> str | None:
    """The open gesture that this event is a later reading of: same hand, most overlap in time."""
    best, best_share = None, 0.2
    for name, start in before.items():
        old = start.event
        if old is None or old.hand != event.hand:
            continue
        alike = (old.motion == event.motion) + (old.fingers == event.fingers)
        share = iou(old, event) + 0.5 * alike if iou(old, event) > 0.2 else 0.0
        if share > best_share:
            best, best_share = name, share
    return best


def _source(score: Score, default: str) -> str:
    """Who speaks in a caption: the model only where it was sure of every event."""
    named = {event.source or default for event in score}
    return named.pop() if len(named) == 1 else "rules" if named else default


def _end(start: GestureStart, event: FingerEvent | None) -> GestureEnd:
    """The end of a gesture, with its final reading."""
    last = event or start.event
    return GestureEnd(
        start.id,
        last.start if last else start.t_start,
        last.end if last else start.t_end,
        start.revision + 1,
        final=True,
        confidence=last.confidence if last else 0.0,
        source=(last.source if last else "") or start.source,
        hand=start.hand,
        label=start.label,
        event=last,
    )
