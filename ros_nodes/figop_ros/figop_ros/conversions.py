"""figop's types <-> messages. Pure: no node, no clock, no state. Both ways give back what went in."""

from __future__ import annotations

import array
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from figop_msgs.msg import Detection as DetectionMsg
from figop_msgs.msg import Detections as DetectionsMsg
from figop_msgs.msg import FigopUnit, FingerCaption, GestureEvent, HandLandmarks, StageTimes
from figop_msgs.msg import FingerEvent as FingerEventMsg
from figop_msgs.msg import HandFrame as HandFrameMsg
from figop_msgs.msg import ObjectEvent as ObjectEventMsg
from std_msgs.msg import Header

from edge.errors import SourceError
from edge.events import Caption, Event, GestureEnd, GestureStart
from edge.figop import Unit
from edge.hands.frame import VIEWS, HandFrame
from edge.objects.detections import Detections, checked
from edge.objects.event import ObjectEvent
from edge.score import FingerEvent
from figop_ros.tokens import LAYOUTS, STUDENT_SIZE, Tokens

_SECOND = 1_000_000_000
_EDGES = ("left", "top", "right", "bottom")
_NONE = np.zeros((2, 0, 0), np.float32)


def to_time(t_ns: int) -> Time:
    """Nanoseconds as a ROS time. Raises SourceError beyond the 32 bits that ROS has for seconds."""
    seconds, rest = divmod(int(t_ns), _SECOND)
    if not -(1 << 31) <= seconds < 1 << 31:
        raise SourceError(f"A ROS time holds 32 bits of seconds, found {seconds}: is the source's clock right?")
    return Time(sec=seconds, nanosec=rest)


def from_time(stamp: Time) -> int:
    """A ROS time as nanoseconds."""
    return int(stamp.sec) * _SECOND + int(stamp.nanosec)


def to_stages(stages_ms: Mapping[str, float], arrived_ns: int = 0, published_ns: int = 0) -> StageTimes:
    """Stage times; stamps of the node's clock in nanoseconds."""
    return StageTimes(
        names=list(stages_ms),
        milliseconds=array.array("f", stages_ms.values()),
        arrived=to_time(arrived_ns),
        published=to_time(published_ns),
    )


def from_stages(msg: StageTimes) -> dict[str, float]:
    """Stage times by name."""
    return dict(zip(msg.names, map(float, msg.milliseconds), strict=False))


def to_hand_frame(
    frame: HandFrame,
    *,
    frame_id: str = "",
    sequence: int = 0,
    view: str = "facing",
    mirrored: bool = False,
    appearance_digest: str = "",
    end_of_stream: bool = False,
    arrived_ns: int = 0,
    published_ns: int = 0,
) -> HandFrameMsg:
    """A HandFrame as a message."""
    msg = HandFrameMsg()
    msg.header = Header(stamp=to_time(frame.t_ns), frame_id=frame_id)
    msg.sequence = sequence
    msg.hands = [_to_landmarks(frame, slot) for slot in (0, 1)]
    msg.image_width, msg.image_height = frame.image_size
    msg.mirrored = mirrored
    msg.view = VIEWS.index(view)
    msg.appearance_digest = appearance_digest
    msg.end_of_stream = end_of_stream
    msg.stages = to_stages(frame.stages_ms, arrived_ns, published_ns)
    return msg


def _to_landmarks(frame: HandFrame, slot: int) -> HandLandmarks:
    msg = HandLandmarks(side=slot, presence=float(frame.presence[slot]), track_id=int(frame.track_id[slot]))
    msg.landmarks = np.ascontiguousarray(frame.landmarks[slot], np.float32).reshape(63)
    msg.world = np.ascontiguousarray(frame.world[slot], np.float32).reshape(63)
    msg.wrist = np.ascontiguousarray(frame.wrist[slot], np.float32)
    if frame.appearance is not None:
        msg.appearance = array.array("f", np.ascontiguousarray(frame.appearance[slot], np.float32).tobytes())
    return msg


def from_hand_frame(msg: HandFrameMsg) -> HandFrame:
    """A message as a HandFrame. Slots go by `side`, whatever order the sender has them in."""
    frame = HandFrame(
        t_ns=from_time(msg.header.stamp),
        image_size=(int(msg.image_width), int(msg.image_height)),
        stages_ms=from_stages(msg.stages),
    )
    sizes = {len(h.appearance) for h in msg.hands}
    appearance = np.zeros((2, sizes.pop()), np.float32) if len(sizes) == 1 and 0 not in sizes else None
    if sorted(h.side for h in msg.hands) != [0, 1]:
        raise SourceError(f"A HandFrame has a left (0) and a right (1) hand, found {[h.side for h in msg.hands]}.")
    for hand in msg.hands:
        slot = int(hand.side)
        frame.landmarks[slot] = np.asarray(hand.landmarks, np.float32).reshape(21, 3)
        frame.world[slot] = np.asarray(hand.world, np.float32).reshape(21, 3)
        frame.wrist[slot] = hand.wrist
        frame.presence[slot] = hand.presence
        frame.track_id[slot] = hand.track_id
        if appearance is not None:
            appearance[slot] = np.frombuffer(hand.appearance, np.float32)
    if appearance is None:
        return frame
    return HandFrame(
        **{n: getattr(frame, n) for n in HandFrame.__dataclass_fields__ if n != "appearance"}, appearance=appearance
    )


def view_of(msg: HandFrameMsg) -> str:
    """The camera view that a HandFrame message names. Raises SourceError."""
    if msg.view >= len(VIEWS):
        raise SourceError(f"A HandFrame's view must be 0 (facing) or 1 (egocentric), found {msg.view}.")
    return VIEWS[msg.view]


def to_finger_event(event: FingerEvent) -> FingerEventMsg:
    """A FingerEvent as a message."""
    return FingerEventMsg(
        hand=event.hand,
        motion=event.motion,
        fingers=list(event.fingers),
        direction=event.direction,
        contact=event.contact,
        extent=event.extent,
        speed=event.speed,
        repeat=event.repeat,
        t_start=float(event.start),
        t_end=float(event.end),
        confidence=float(event.confidence),
    )


def from_finger_event(msg: FingerEventMsg) -> FingerEvent:
    """A message as a FingerEvent."""
    return FingerEvent(
        msg.hand,
        msg.motion,
        tuple(msg.fingers),
        msg.direction,
        msg.contact,
        msg.extent,
        msg.speed,
        int(msg.repeat),
        msg.t_start,
        msg.t_end,
        msg.confidence,
    )


def to_object_event(event: ObjectEvent) -> ObjectEventMsg:
    """An ObjectEvent as a message."""
    return ObjectEventMsg(
        hand=event.hand,
        verb=event.verb,
        object=event.object,
        grasp=event.grasp,
        direction=event.direction,
        t_start=float(event.start),
        t_end=float(event.end),
        confidence=float(event.confidence),
    )


def from_object_event(msg: ObjectEventMsg) -> ObjectEvent:
    """A message as an ObjectEvent."""
    return ObjectEvent(msg.hand, msg.verb, msg.object, msg.grasp, msg.direction, msg.t_start, msg.t_end, msg.confidence)


def to_detections(seen: Detections, frame_id: str = "") -> DetectionsMsg:
    """Detections as a message."""
    objects = [
        DetectionMsg(label=d.label, score=float(d.score), **dict(zip(_EDGES, map(float, d.box), strict=True)))
        for d in seen.objects
    ]
    return DetectionsMsg(header=Header(stamp=to_time(seen.t_ns), frame_id=frame_id), objects=objects)


def from_detections(msg: DetectionsMsg) -> Detections:
    """A message as Detections. Raises SourceError for boxes that are none."""
    rows = [(d.label, [getattr(d, n) for n in _EDGES], d.score) for d in msg.objects]
    return _checked(msg.header.stamp, rows, None)


def from_vision(msg: Any, size: tuple[int, int], names: Mapping[int, str]) -> Detections:
    """A vision_msgs/Detection2DArray as Detections: of each thing its likeliest class.

    size: the picture's width and height in pixels; names: of classes that are told by number. Raises SourceError.
    """
    rows = []
    for one in msg.detections:
        best = max((r.hypothesis for r in one.results), key=lambda h: h.score, default=None)
        label, score = (best.class_id, best.score) if best is not None else ("thing", 1.0)
        if label.isdigit():
            label = names.get(int(label), label)
        rows.append((label, _edges(one.bbox), score))
    return _checked(msg.header.stamp, rows, size)


def _edges(box: Any) -> list[float]:
    """Left, top, right, bottom of a box that may be turned about its centre, pixels."""
    x, y, turn = box.center.position.x, box.center.position.y, box.center.theta
    c, s = abs(math.cos(turn)), abs(math.sin(turn))
    wide, high = (c * box.size_x + s * box.size_y) / 2, (s * box.size_x + c * box.size_y) / 2
    return [x - wide, y - high, x + wide, y + high]


def _checked(stamp: Time, rows: Sequence[tuple[str, list[float], float]], size: Any) -> Detections:
    try:
        # float32 on the wire may lie a hair above 1
        objects = tuple(checked(label, box, min(float(score), 1.0), size) for label, box, score in rows)
    except ValueError as error:
        raise SourceError(f"Detections were left out: {error}.") from None
    return Detections(from_time(stamp), objects)


def to_gesture(event: GestureStart, header: Header, stages: StageTimes) -> GestureEvent:
    """GestureStart or GestureEnd as a message."""
    return GestureEvent(
        header=header,
        type=GestureEvent.END if isinstance(event, GestureEnd) else GestureEvent.START,
        hand=event.hand,
        label=event.label,
        event=[to_finger_event(event.event)] if event.event else [],
        stages=stages,
        **_common(event),
    )


def from_gesture(msg: GestureEvent) -> GestureStart:
    """A message as GestureStart or GestureEnd."""
    kind = GestureEnd if msg.type == GestureEvent.END else GestureStart
    event = from_finger_event(msg.event[0]) if msg.event else None
    return kind(**_uncommon(msg), hand=msg.hand, label=msg.label, event=event)


def to_caption(
    event: Caption,
    header: Header,
    stages: StageTimes,
    wording: tuple[str, str, str] = ("en", "descriptive", "normal"),
) -> FingerCaption:
    """A Caption as a message; wording = language, style, detail."""
    language, style, detail = wording
    return FingerCaption(
        header=header,
        text=event.text,
        score=[to_finger_event(e) for e in event.score],
        objects=[to_object_event(e) for e in event.objects],
        language=language,
        style=style,
        detail=detail,
        stages=stages,
        **_common(event),
    )


def from_caption(msg: FingerCaption) -> Caption:
    """A message as a Caption."""
    return Caption(
        **_uncommon(msg),
        text=msg.text,
        score=tuple(from_finger_event(e) for e in msg.score),
        objects=tuple(from_object_event(e) for e in msg.objects),
    )


def _common(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "revision": event.revision,
        "final": event.final,
        "t_start": float(event.t_start),
        "t_end": float(event.t_end),
        "confidence": float(event.confidence),
        "source": event.source,
        "age_ms": float(event.age_ms),
    }


def _uncommon(msg: Any) -> dict[str, Any]:
    names = ("id", "revision", "final", "t_start", "t_end", "confidence", "source", "age_ms")
    return {n: getattr(msg, n) for n in names} | {"stages_ms": from_stages(msg.stages)}


def to_unit(
    unit: Unit,
    *,
    frame_id: str = "",
    stages: StageTimes | None = None,
    about: Mapping[str, Any] | None = None,
    sequences: Sequence[int] = (),
) -> FigopUnit:
    """A unit as a message; `about` = view, mirrored, appearance_digest of its frames, sequences = their numbers."""
    numbers = sequences or [0] * len(unit.frames)
    return FigopUnit(
        header=Header(stamp=to_time(unit.frames[-1].t_ns), frame_id=frame_id),
        index=unit.index,
        early=unit.early,
        t_start=unit.start,
        t_end=unit.end,
        frames=[
            to_hand_frame(f, frame_id=frame_id, sequence=n, **(about or {}))
            for f, n in zip(unit.frames, numbers, strict=True)
        ],
        stages=stages or StageTimes(),
    )


def from_unit(msg: FigopUnit) -> Unit:
    """A message as a unit."""
    frames = tuple(from_hand_frame(f) for f in msg.frames)
    return Unit(int(msg.index), frames, bool(msg.early), msg.t_start, msg.t_end)


def to_tokens(tokens: Tokens, header: Header, stages: StageTimes) -> Any:
    """Motion tokens as a message."""
    from figop_msgs.msg import MotionTokens

    return MotionTokens(
        header=header,
        layout=tokens.layout,
        weights=tokens.weights,
        unit=tokens.unit,
        t_start=tokens.start,
        t_end=tokens.end,
        parts=list(tokens.parts),
        columns=list(tokens.columns),
        size=tokens.values.shape[2],
        valid=[bool(v) for v in tokens.valid],
        tokens=array.array("f", np.ascontiguousarray(tokens.values, np.float32).tobytes()),
        stages=stages,
    )


def from_tokens(msg: Any) -> Tokens:
    """A message as motion tokens. Raises SourceError for another layout, or numbers that do not fill it."""
    if msg.layout not in LAYOUTS:
        raise SourceError(
            f"Motion tokens are of the layout {msg.layout!r}; this figop reads {' and '.join(map(repr, LAYOUTS))}."
        )
    empty = Tokens(int(msg.unit), msg.t_start, msg.t_end, np.array(msg.valid, np.bool_), _NONE, msg.layout, msg.weights)
    size = len(empty.columns) or STUDENT_SIZE
    if (msg.size, len(msg.tokens)) != (size, 2 * len(empty.parts) * size):
        raise SourceError(
            f"Motion tokens of the layout {msg.layout} are 2 x {len(empty.parts)} x {size} numbers, found "
            f"{len(msg.tokens)}, {msg.size} each."
        )
    return replace(empty, values=np.asarray(msg.tokens, np.float32).reshape(2, len(empty.parts), size))
