"""The gestures of a bundle beside the captions of a stream: a head's, or a store's, as gesture events.

Three stages, so that a still scene costs almost nothing: is a hand there, has it moved of late, and only then which
gesture. A head that slept reads what it missed when it wakes: its answers are those of one that never slept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.encoder import FrameEncoder, Reading
from edge.events import Event, GestureEnd, GestureStart
from edge.gestures.head import Head, HeadWeights
from edge.gestures.motion import MotionReader
from edge.gestures.reader import FingerReader, Reader
from edge.gestures.spotter import Spot, SpotSettings, Spotter
from edge.gestures.store import HEAD, GestureStore, reader_of
from edge.gestures.watch import HandWatch
from edge.hands.frame import HandFrame
from edge.model_features import PERSON_AXES
from edge.resample import TICK_HZ, Resampler, Tick
from edge.score import HANDS
from edge.skeleton import MIDDLE_MCP

Array = NDArray[Any]

#: a landmark further than this (palm lengths) from where it last moved to has moved
STILL = 0.12
#: a hand that has been still for this long is at rest
AWAKE_S = 1.5


class IdleGate:
    """Whether a hand has moved of late. State: the pose and place from which it is measured."""

    def __init__(self, still: float = STILL, awake_s: float = AWAKE_S) -> None:
        self.still, self.awake_s = still, awake_s
        self.reset()

    def reset(self) -> None:
        """A new hand: it counts as moving."""
        self._anchor: Array | None = None
        self._moved = -np.inf
        self._scale = 1.0

    def push(self, t: float, joints: Array) -> bool:
        """Joints [21,3] in the scene; True while the hand is awake."""
        if self._anchor is None:
            far = True
        else:
            step = joints - self._anchor
            size = self._scale * self.still
            far = bool(np.einsum("ij,ij->i", step, step).max() > size * size)
        if far:
            self._anchor, self._moved = joints, t
            palm = joints[MIDDLE_MCP] - joints[0]
            self._scale = max(float(np.sqrt(palm @ palm)), 1e-4)
        return t - self._moved <= self.awake_s


class _HeadHand:
    """A head over one hand, with its gate."""

    def __init__(self, weights: HeadWeights, hand: int) -> None:
        about = weights.about
        self._head, self._reader, self.gate = Head(weights), MotionReader(left=hand == 0), IdleGate()
        self._lags = about["quick_lag"] / TICK_HZ, about["late_lag"] / TICK_HZ
        self.spotter = Spotter(
            weights.labels, SpotSettings(**about["spotter"]), quick_lag=self._lags[0], late_lag=self._lags[1]
        )
        reach = 1 + (weights.arrays["taps"].shape[1] - 1) * sum(int(d) for d in about["dilations"])
        #: readings not yet shown to the head: it sleeps
        self._missed: deque[tuple[Array, Array]] = deque(maxlen=reach + 16)
        self._rest = np.eye(len(weights.labels), dtype=np.float32)[0]
        self._asleep = False

    def reset(self) -> None:
        self._head.reset()
        self._reader.reset()
        self.gate.reset()
        self._missed.clear()
        self._asleep = False

    def push(self, t: float, joints: Array, place: Array) -> list[Spot]:
        """Joints [21,3] and the place of the middle knuckle, the person's directions."""
        awake = self.gate.push(t, joints + place - joints[MIDDLE_MCP])
        # a pose that is held does not move: while a gesture is open nobody sleeps
        if not awake and not self.spotter.busy:
            self._missed.append((joints, place))
            self._asleep = True
            return self.spotter.push(t, self._rest, self._rest)
        if self._asleep:
            self._asleep = False
            self._head.reset()
            self._reader.reset()
            for old in self._missed:
                self._head.push(self._reader.push(*old))
            self._missed.clear()
        quick, late = self._head.push(self._reader.push(joints, place))
        return self.spotter.push(t, quick, late)


class _ReadHand:
    """The finger reader over one hand; while the hand is at rest it sleeps."""

    def __init__(self, reader: Reader) -> None:
        self._reader = FingerReader(reader)
        self.gate = IdleGate()
        self._missed: deque[Array] = deque(maxlen=reader.reach)
        self._asleep = False

    def reset(self) -> None:
        self._reader.reset()
        self.gate.reset()
        self._missed.clear()
        self._asleep = False

    def push(self, t: float, features: Array, joints: Array | None, *, busy: bool) -> Array | None:
        """Its row of the next tick; None while it sleeps. joints [21,2..3]: in picture or scene; None = not seen."""
        if (joints is None or not self.gate.push(t, joints)) and not busy:
            self._missed.append(features)
            self._asleep = True
            return None
        if self._asleep:
            self._asleep = False
            self._reader.reset()
            for old in self._missed:
                self._reader.push(old)
            self._missed.clear()
        return self._reader.push(features)


class Tap:
    """Stands in an encoder's place and keeps what it was shown and what it said."""

    def __init__(self, encoder: FrameEncoder) -> None:
        self.encoder = encoder
        self.said: list[Reading] = []
        self.shown: list[Array] = []

    def reset(self) -> None:
        self.encoder.reset()
        self.clear()

    def clear(self) -> None:
        """Forget what was kept."""
        self.said.clear()
        self.shown.clear()

    def push(self, features: Array) -> Reading:
        reading = self.encoder.push(features)
        self.said.append(reading)
        self.shown.append(features)
        return reading


def _scene(tick: Tick, hand: int) -> Array | None:
    """Joints [21,2..3] where they are seen to move: in the picture, else in the scene; None where there is no hand."""
    image, world, wrist = tick.image[hand], tick.world[hand], tick.wrist[hand]
    if not tick.present[hand]:
        return None
    if np.isfinite(image[:, :2]).all():
        return np.asarray(image[:, :2])
    if np.isfinite(world).all():
        return np.asarray(world + np.nan_to_num(wrist))
    return None


class LiveGestures:
    """Gesture events of one stream. Call `push` after the recogniser has read the same frame.

    Args:
        bundle: holds a head, a store, or both. recogniser: the captioner's own, whose student the store listens to.
    """

    def __init__(self, bundle: Bundle, recogniser: Any, view: str, mirrored: bool) -> None:
        weights = HeadWeights.from_bytes(bundle.read(HEAD)) if HEAD in bundle.files else None
        store = GestureStore.of(bundle)
        self._heads = [_HeadHand(weights, h) for h in (0, 1)] if weights else []
        reader = reader_of(bundle)
        self._watches = [HandWatch(store.gestures, hand, reader=reader) for hand in HANDS] if len(store) else []
        self._readers = [_ReadHand(reader) for _ in self._watches] if reader else []
        student = getattr(recogniser, "model", recogniser)
        self._tap: Tap | None = None
        if self._watches and hasattr(student, "encoder"):
            self._tap = Tap(student.encoder)
            student.encoder = self._tap
        #: the head's labels are the only ones that the stream's gesture events carry
        self.alone = bool(weights and weights.about.get("alone"))
        self._axes = PERSON_AXES[view]
        self._resampler = Resampler(mirrored=mirrored)
        self._track = [-1, -1]
        self._t = 0.0

    @staticmethod
    def wanted(bundle: Bundle) -> bool:
        """Whether a bundle has anything to watch for."""
        return HEAD in bundle.files or "gestures.json" in bundle.files

    def reset(self) -> None:
        """A new stream."""
        self._resampler.reset()
        for head in self._heads:
            head.reset()
            head.spotter.reset()
        for watch in self._watches:
            watch.reset()
        for read in self._readers:
            read.reset()
        if self._tap is not None:
            self._tap.clear()

    def push(self, frame: HandFrame) -> list[Event]:
        """One frame; returns what is new."""
        ticks = self._resampler.push(frame)
        said: list[tuple[Array, Reading] | None] = [None] * len(ticks)
        if self._tap is not None:
            kept = list(zip(self._tap.shown, self._tap.said, strict=True))
            said = [*kept[-len(ticks) :]] if ticks else []
            self._tap.clear()
            said = [*([None] * (len(ticks) - len(said))), *said]
        events: list[Event] = []
        for tick, one in zip(ticks, said, strict=True):
            events += self._tick(tick, one)
        return events

    def _tick(self, tick: Tick, said: tuple[Array, Reading] | None) -> list[Event]:
        self._t = tick.t
        events: list[Event] = []
        for hand in (0, 1):
            seen = bool(tick.present[hand])
            joints = self._joints(tick, hand) if seen else None
            if tick.fresh[hand] or not seen:
                for one in self._heads[hand : hand + 1]:
                    events += self._told(one.spotter.flush(tick.t), hand, "head")
                    one.reset()
            if seen and joints is not None and self._heads:
                place = tick.wrist[hand] * self._axes
                place = (place if np.isfinite(place).all() else np.zeros(3, np.float32)) + joints[MIDDLE_MCP]
                events += self._told(self._heads[hand].push(tick.t, joints, place), hand, "head")
            if self._watches and said is not None:
                events += self._told(self._watched(tick, hand, joints, *said), hand, "store")
        return events

    def _watched(self, tick: Tick, hand: int, joints: Array | None, features: Array, reading: Reading) -> list[Spot]:
        watch, row = self._watches[hand], None
        if self._readers:
            if tick.fresh[hand]:
                self._readers[hand].reset()
            row = self._readers[hand].push(tick.t, features[hand], _scene(tick, hand), busy=watch.busy)
        return watch.push(tick.t, reading.probs[hand], joints, row)

    def flush(self) -> list[Event]:
        """The stream ends: what is open is decided."""
        events: list[Event] = []
        for hand, head in enumerate(self._heads):
            # the last scores speak late: rest follows, as far as anybody knows
            rest = head._rest
            for k in range(1, 31):
                events += self._told(head.spotter.push(self._t + k / TICK_HZ, rest, rest), hand, "head")
            events += self._told(head.spotter.flush(self._t + 1.0), hand, "head")
        for hand, watch in enumerate(self._watches):
            events += self._told(watch.flush(), hand, "store")
        return events

    def _joints(self, tick: Tick, hand: int) -> Array | None:
        """World joints in the person's directions; image ones where there is no world; None where neither."""
        world = tick.world[hand]
        if np.isfinite(world).all():
            return np.asarray((world - world[:1]) * self._axes, np.float32)
        image = tick.image[hand]
        if np.isfinite(image).all():
            return np.asarray((image - image[:1]) * self._axes, np.float32)
        return None

    def _told(self, spots: list[Spot], hand: int, kind: str) -> list[Event]:
        events: list[Event] = []
        for spot in spots:
            make = GestureEnd if spot.final else GestureStart
            events.append(
                make(
                    f"{kind}-{HANDS[hand]}-{spot.number}", spot.start, spot.end, spot.revision, final=spot.final,
                    confidence=spot.confidence, source="model", hand=HANDS[hand], label=spot.label,
                )
            )  # fmt: skip
        return [replace(e) for e in events]
