"""What a robot policy gets: a fixed dictionary of features, the newest at any time, without waiting.

    client = PolicyClient(node)             # subscribes to hands, gestures, tokens, captions (relative names)
    observation = client.latest()           # never waits; every feature is there, with validity and age
    observation.features["gesture_motion"]

`FEATURES` is known before any node runs. Nothing here filters similar observations away: a policy sees every step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from figop_msgs.msg import FingerCaption, GestureEvent, MotionTokens
from figop_msgs.msg import HandFrame as HandFrameMsg
from numpy.typing import NDArray
from rclpy.qos import QoSProfile

from edge.errors import FigopError, SourceError
from edge.hands.frame import HandFrame
from edge.score import CONTACTS, FINGERS, HANDS, MOTIONS, SIDE_DIRECTIONS, SLIDE_DIRECTIONS, TURN_DIRECTIONS
from figop_ros.conversions import from_hand_frame, from_tokens
from figop_ros.tokens import COLUMNS, LAYOUTS, PARTS, STUDENT, STUDENT_PARTS, STUDENT_SIZE, finger_state

MOTION_NAMES = tuple(MOTIONS)
DIRECTION_NAMES = (*SIDE_DIRECTIONS, *TURN_DIRECTIONS, *SLIDE_DIRECTIONS)
STREAMS = ("hands", "gestures", "tokens", "captions")
#: age of what has never come, seconds: finite, so that a network can take it
NEVER_S = 1e6
#: seconds after which a stream's newest message is no longer valid. Gestures and tokens come a few times a second at
#: most; a phrase is cut after 6 s, so that a gesture without news for longer has lost its end
LIMITS_S: Mapping[str, float] = {"hands": 0.3, "gestures": 7.0, "tokens": 1.5, "captions": 10.0}


@dataclass(frozen=True, slots=True)
class Feature:
    """Shape, dtype, what it is, and the names of its last axis."""

    shape: tuple[int, ...]
    dtype: str
    text: str
    names: tuple[str, ...] = ()


_SIDES = HANDS
FEATURES: Mapping[str, Feature] = {
    "hand_seen": Feature((2,), "bool", "left, right hand in view", _SIDES),
    "finger_state": Feature(
        (2, 5, 2), "float32", "per hand and finger: bend (rad), gap to the thumb's tip (palm lengths)", ("bend", "gap")
    ),
    "wrist": Feature((2, 3), "float32", "wrists in metres in the source's frame, 0 where unknown", ("x", "y", "z")),
    "wrist_known": Feature((2,), "bool", "whether the wrist is known", _SIDES),
    "gesture_motion": Feature((2,), "int32", "active gesture's number in MOTION_NAMES, -1 = none", _SIDES),
    "gesture_direction": Feature((2,), "int32", "its number in DIRECTION_NAMES, -1 = none", _SIDES),
    "gesture_contact": Feature((2,), "int32", "its number in edge.score.CONTACTS, -1 = none", _SIDES),
    "gesture_fingers": Feature((2, 5), "float32", "1 for the fingers that it names", FINGERS),
    "gesture_confidence": Feature((2,), "float32", "0..1", _SIDES),
    "gesture_number": Feature((2,), "int64", "counts gestures: another number is another gesture, -1 = none", _SIDES),
    "gesture_withdrawn": Feature(
        (2,), "int64", "number of the last one that was announced in error, -1 = none", _SIDES
    ),
    "motion_tokens": Feature(
        (2, len(STUDENT_PARTS), STUDENT_SIZE), "float32", "the student's tokens of the newest unit; 0 where it has none"
    ),
    "motion_geometry": Feature(
        (2, len(PARTS), len(COLUMNS)), "float32", "named numbers instead, where the bundle has no student", COLUMNS
    ),
    "token_layout": Feature((), "int32", f"which of the two came: 0 = {LAYOUTS[0]}, 1 = {LAYOUTS[1]}, -1 = none"),
    "token_unit": Feature((), "int64", "number of the unit that the tokens are of, -1 = none"),
    "caption_number": Feature((), "int64", "counts phrases: number of the newest one captioned, -1 = none"),
    "caption_revision": Feature((), "int32", "its revision, -1 = none"),
    "caption_final": Feature((), "bool", "nothing about that phrase follows"),
    "caption_motions": Feature(
        (2, len(MOTION_NAMES)), "float32", "1 for the motions of each hand in its score", MOTION_NAMES
    ),
    "caption_last": Feature((2,), "int32", "the last motion of each hand in its score, -1 = none", _SIDES),
    "valid": Feature(
        (len(STREAMS),), "bool", "whether each stream's newest message is younger than its limit", STREAMS
    ),
    "age_s": Feature((len(STREAMS),), "float32", f"age of each stream's newest message, {NEVER_S:g} = never", STREAMS),
}


def empty() -> dict[str, NDArray[Any]]:
    """All features as they are before anything has come."""
    out = {name: np.zeros(f.shape, f.dtype) for name, f in FEATURES.items()}
    none = (
        "gesture_motion",
        "gesture_direction",
        "gesture_contact",
        "gesture_number",
        "caption_last",
        "gesture_withdrawn",
    )
    for name in (*none, "token_layout", "token_unit", "caption_number", "caption_revision"):
        out[name] = np.full_like(out[name], -1)
    out["age_s"][:] = NEVER_S
    return out


def lerobot_features(prefix: str = "observation.figop.") -> dict[str, dict[str, Any]]:
    """The features as LeRobot's data sets describe theirs; a scalar is a vector of one."""
    return {
        f"{prefix}{name}": {"dtype": f.dtype, "shape": f.shape or (1,), "names": list(f.names) or None}
        for name, f in FEATURES.items()
    }


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """What is known now: every key of FEATURES.

    t_ns: stamp of the newest hand frame; text: the newest caption; weights: digest of the student that made the motion
    tokens, "" where none did. A policy that was trained on tokens of other weights must not read them (PolicyClient).
    named: gesture of one's own that each hand is making now, by its name, or "".
    """

    features: Mapping[str, NDArray[Any]]
    t_ns: int = 0
    text: str = ""
    weights: str = ""
    named: tuple[str, str] = ("", "")

    def valid(self, stream: str) -> bool:
        """Whether a stream of STREAMS is fresh."""
        return bool(self.features["valid"][STREAMS.index(stream)])

    def age_s(self, stream: str) -> float:
        """Seconds since a stream's newest message."""
        return float(self.features["age_s"][STREAMS.index(stream)])

    def motion(self, hand: str) -> str:
        """The active gesture's motion of a hand, or ""."""
        number = int(self.features["gesture_motion"][HANDS.index(hand)])
        return MOTION_NAMES[number] if number >= 0 else ""

    def lerobot(self, prefix: str = "observation.figop.") -> dict[str, NDArray[Any]]:
        """The features under LeRobot's names, scalars as vectors of one."""
        return {f"{prefix}{n}": np.atleast_1d(v) for n, v in self.features.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Gesture:
    number: int
    event: Any
    confidence: float


@dataclass(slots=True, eq=False)
class _State:
    """The newest of each stream. Every field is replaced as a whole, so that a reader needs no lock."""

    arrived: dict[str, float] = field(default_factory=dict)
    behind_s: float = 0.0  # how old the newest hand frame was when it came, where its stamp is of our clock
    frame: HandFrame | None = None
    mirrored: bool = False
    gestures: tuple[Mapping[str, _Gesture], Mapping[str, _Gesture]] = ({}, {})
    withdrawn: tuple[int, int] = (-1, -1)
    named: tuple[Mapping[str, str], Mapping[str, str]] = ({}, {})
    tokens: Any = None
    caption: FingerCaption | None = None
    caption_number: int = -1


class PolicyClient:
    """Subscribes for a policy and keeps the newest of everything.

    Callbacks run in the node's executor; `latest` may be called from any thread, and never waits for anything.

    Args:
        node: whose executor spins.
        limits_s: seconds after which each stream of STREAMS is no longer valid, where they differ from LIMITS_S.
        weights: digest of the student that the policy was trained with; motion tokens of others are left out.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        node: Any,
        limits_s: Mapping[str, float] | None = None,
        weights: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits_s = {**LIMITS_S, **(limits_s or {})}
        self.weights = weights
        #: why the newest message that could not be used was left out, or ""
        self.trouble = ""
        self._node, self._clock, self._state = node, clock, _State()
        qos = QoSProfile(depth=30)
        kinds = (HandFrameMsg, GestureEvent, MotionTokens, FingerCaption)
        takes = (self.take_hands, self.take_gesture, self.take_tokens, self.take_caption)
        self._subscriptions = [
            node.create_subscription(kind, topic, self._guarded(take), qos)
            for kind, topic, take in zip(kinds, STREAMS, takes, strict=True)
        ]

    def _guarded(self, take: Callable[[Any], None]) -> Callable[[Any], None]:
        """What a message does wrong is told once and left out: the policy's executor goes on."""

        def guarded(message: Any) -> None:
            try:
                take(message)
            except Exception as error:
                known = isinstance(error, FigopError)
                said = str(error) if known else f"A {type(message).__name__} was left out: {error!r}."
                if said != self.trouble:
                    self.trouble = said
                    self._node.get_logger().warning(said)

        return guarded

    def close(self) -> None:
        """Stop listening."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    def take_hands(self, message: HandFrameMsg) -> None:
        """A hand frame."""
        if message.end_of_stream:
            self._state = _State()  # nothing of that stream holds any longer
            return
        s = self._state
        stamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        behind = self._node.get_clock().now().nanoseconds * 1e-9 - stamp
        s.behind_s = behind if 0.0 <= behind < 3600.0 else 0.0
        s.frame, s.mirrored = from_hand_frame(message), bool(message.mirrored)
        self._note("hands")

    def take_gesture(self, message: GestureEvent) -> None:
        """A gesture begins, changes or ends."""
        s, slot = self._state, HANDS.index(message.hand)
        if not message.id.startswith("gesture-"):  # one of one's own, which has a name and no motion
            named = [dict(s.named[0]), dict(s.named[1])]
            named[slot].pop(message.id, None)
            if message.type == GestureEvent.START:
                named[slot][message.id] = message.label
            s.named = (named[0], named[1])
            self._note("gestures")
            return
        active = [dict(s.gestures[0]), dict(s.gestures[1])]
        if message.type == GestureEvent.END or not message.event:
            active[slot].pop(message.id, None)
            if message.confidence == 0.0:
                left, right = s.withdrawn
                number = _number(message.id)
                s.withdrawn = (number, right) if slot == 0 else (left, number)
        else:
            active[slot][message.id] = _Gesture(_number(message.id), message.event[0], float(message.confidence))
        s.gestures = (active[0], active[1])
        self._note("gestures")

    def take_tokens(self, message: MotionTokens) -> None:
        """Motion tokens of a unit. Raises SourceError for tokens that this policy cannot read."""
        tokens = from_tokens(message)
        if self.weights and tokens.layout == STUDENT and tokens.weights != self.weights:
            raise SourceError(
                f"The motion tokens are of the weights {tokens.weights[:12]}, the policy was trained with those of "
                f"{self.weights[:12]}: run the same bundle."
            )
        self._state.tokens = tokens
        self._note("tokens")

    def take_caption(self, message: FingerCaption) -> None:
        """A caption; what hands do with things is no motion of fingers, and not among the features."""
        if message.source == "objects":
            return
        self._state.caption, self._state.caption_number = message, _number(message.id)
        self._note("captions")

    def _note(self, stream: str) -> None:
        self._state.arrived = {**self._state.arrived, stream: self._clock()}

    def latest(self) -> Observation:
        """The newest of everything. What is too old is marked not valid, and its gestures count as none."""
        s, now, out = self._state, self._clock(), empty()
        for i, stream in enumerate(STREAMS):
            if stream in s.arrived:
                age = now - s.arrived[stream] + (s.behind_s if stream == "hands" else 0.0)
                out["age_s"][i], out["valid"][i] = age, age <= self.limits_s[stream]
        # who no longer sees hands does not know of gestures either
        out["valid"][1] &= out["valid"][0]
        frame = s.frame
        if frame is not None:
            out["finger_state"][:], out["hand_seen"][:] = finger_state(frame, s.mirrored)
            out["wrist_known"][:] = np.isfinite(frame.wrist).all(axis=1) & out["hand_seen"]
            out["wrist"][:] = np.where(out["wrist_known"][:, None], frame.wrist, 0.0)
        if out["valid"][1]:
            for slot, active in enumerate(s.gestures):
                if active:
                    _put_gesture(out, slot, max(active.values(), key=lambda g: g.number))
        out["gesture_withdrawn"][:] = s.withdrawn
        if s.tokens is not None:
            out["token_layout"][...], out["token_unit"][...] = LAYOUTS.index(s.tokens.layout), s.tokens.unit
            out["motion_tokens" if s.tokens.layout == STUDENT else "motion_geometry"][:] = s.tokens.values
        if s.caption is not None:
            _put_caption(out, s.caption, s.caption_number)
        text = s.caption.text if s.caption is not None else ""
        weights = s.tokens.weights if s.tokens is not None else ""
        fresh = bool(out["valid"][1])
        left, right = (next(reversed(names.values()), "") if fresh else "" for names in map(dict, s.named))
        return Observation(out, frame.t_ns if frame is not None else 0, text, weights, (left, right))


def _number(name: str) -> int:
    """12 of "gesture-12"."""
    digits = name.rsplit("-", 1)[-1]
    return int(digits) if digits.isdigit() else 0


def _index(names: tuple[str, ...], name: str) -> int:
    return names.index(name) if name in names else -1


def _put_gesture(out: dict[str, NDArray[Any]], slot: int, gesture: _Gesture) -> None:
    event = gesture.event
    out["gesture_motion"][slot] = _index(MOTION_NAMES, event.motion)
    out["gesture_direction"][slot] = _index(DIRECTION_NAMES, event.direction)
    out["gesture_contact"][slot] = _index(CONTACTS, event.contact)
    out["gesture_fingers"][slot] = [finger in event.fingers for finger in FINGERS]
    out["gesture_confidence"][slot] = gesture.confidence
    out["gesture_number"][slot] = gesture.number


def _put_caption(out: dict[str, NDArray[Any]], caption: FingerCaption, number: int) -> None:
    out["caption_number"][...], out["caption_revision"][...] = number, caption.revision
    out["caption_final"][...] = caption.final
    for event in sorted(caption.score, key=lambda e: e.t_end):
        slot, motion = HANDS.index(event.hand), _index(MOTION_NAMES, event.motion)
        if motion >= 0:
            out["caption_motions"][slot, motion] = 1.0
            out["caption_last"][slot] = motion
