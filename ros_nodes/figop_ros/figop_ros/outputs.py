"""What nodes publish of a frame: `HandOutput` (landmarks, wrists, tf, markers, picture) and `Speech` (events)."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from figop_msgs.msg import FigopUnit, FingerCaption, GestureEvent, MotionTokens
from figop_msgs.msg import HandFrame as HandFrameMsg
from geometry_msgs.msg import PoseWithCovarianceStamped
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String
from visualization_msgs.msg import MarkerArray

from edge.errors import SourceError
from edge.events import Caption, Event, GestureStart
from edge.figop import Unit
from edge.hands.frame import HandFrame, hands_in
from edge.pipeline import Captioner
from edge.score import HANDS
from edge.skeletondraw import draw_hands
from figop_ros import compat
from figop_ros.conversions import to_caption, to_gesture, to_hand_frame, to_stages, to_time, to_tokens, to_unit
from figop_ros.geometry import Intrinsics, WristPose, wrist_pose
from figop_ros.images import from_rgb
from figop_ros.markers import hand_markers, hand_transform, pose_message
from figop_ros.node import FigopNode
from figop_ros.parameters import Setting, qos_settings
from figop_ros.tokens import TokenReader

HAND_SETTINGS = (
    Setting("wrist.publish", True, "publish the wrists' poses, found by PnP, with covariance"),
    Setting("tf.publish", True, "publish a frame per hand on /tf"),
    Setting("tf.prefix", "", "put before the names hand_left and hand_right"),
    Setting("markers.publish", True, "publish the hands as markers for RViz"),
    Setting("annotated.publish", False, "publish the picture with the hands drawn in (costs milliseconds a frame)"),
    *qos_settings("hands", "reliable", 30),
    *qos_settings("wrist", "reliable", 10),
    *qos_settings("markers", "reliable", 10),
    *qos_settings("annotated", "best_effort", 1),
)
WORDING = (
    Setting("caption.language", "en", "language of captions", live=True),
    Setting("caption.style", "descriptive", "wording of captions", choices=("descriptive", "instruction"), live=True),
    Setting("caption.detail", "normal", "how much captions say", choices=("short", "normal", "detailed"), live=True),
    Setting("caption.provisional", True, "publish provisional captions too", live=True),
)


class HandOutput:
    """Publishes hand frames and what follows from them, for a node whose settings hold HAND_SETTINGS."""

    def __init__(self, node: FigopNode) -> None:
        self._node = node
        self._sequence = 0
        p = node.p
        node.output("hands", HandFrameMsg)
        if p["wrist.publish"]:
            for side in HANDS:
                node.output(f"wrist/{side}", PoseWithCovarianceStamped, settings="wrist")
        if p["markers.publish"]:
            node.output("markers", MarkerArray)
        if p["annotated.publish"]:
            node.output("annotated", Image)
        if p["tf.publish"]:
            if compat.TFMessage is None:
                raise SourceError(
                    "tf.publish needs the package tf2_msgs, which is not installed; install it or say false."
                )
            node.output("tf", compat.TFMessage, "/tf", settings="hands")

    def publish(
        self,
        frame: HandFrame,
        header: Header,
        *,
        view: str,
        mirrored: bool,
        digest: str = "",
        arrived_ns: int = 0,
        rgb: Any = None,
        camera: Intrinsics | None = None,
        depth: Any = None,
    ) -> None:
        """One frame; the landmarks go first, then what costs time and only where somebody listens."""
        node = self._node
        node.publish(
            "hands",
            to_hand_frame(
                frame,
                frame_id=header.frame_id,
                sequence=self._sequence,
                view=view,
                mirrored=mirrored,
                appearance_digest=digest,
                arrived_ns=arrived_ns,
                published_ns=node.now_ns(),
            ),
        )
        self._sequence += 1
        p = node.p
        poses = self._poses(frame, header, mirrored, camera, depth)
        if p["tf.publish"]:
            made = [hand_transform(frame, s, header, poses.get(s), p["tf.prefix"]) for s in hands_in(frame)]
            if any(made):
                node.publish("tf", compat.TFMessage(transforms=[t for t in made if t is not None]))
        if p["markers.publish"] and node.wanted("markers"):
            wrists: dict[int, Any] = {s: frame.wrist[s].astype(float) for s in hands_in(frame)}
            wrists |= {s: pose.position for s, pose in poses.items()}
            node.publish("markers", hand_markers(frame, header, wrists))
        if p["annotated.publish"] and rgb is not None and node.wanted("annotated"):
            drawn = rgb.copy()
            draw_hands(drawn, frame, rgb.shape[1] / 640, view)
            node.publish("annotated", from_rgb(drawn, header))

    def end(self, header: Header, *, view: str, mirrored: bool) -> None:
        """Nothing follows: consumers end their phrase."""
        frame = HandFrame(t_ns=header.stamp.sec * 1_000_000_000 + header.stamp.nanosec)
        about = {"frame_id": header.frame_id, "view": view, "mirrored": mirrored}
        message = to_hand_frame(frame, sequence=self._sequence, end_of_stream=True, **about)
        self._node.publish("hands", message)
        self._sequence += 1

    def _poses(
        self, frame: HandFrame, header: Header, mirrored: bool, camera: Intrinsics | None, depth: Any
    ) -> dict[int, WristPose]:
        node, found = self._node, {}
        listened = any(node.wanted(f"wrist/{side}") for side in HANDS)
        if not (node.p["tf.publish"] or listened or (node.p["markers.publish"] and node.wanted("markers"))):
            return {}
        if 0 in frame.image_size:
            return {}
        camera = camera or Intrinsics.guess(frame.image_size)
        for slot in hands_in(frame):
            size = frame.image_size
            pose = wrist_pose(frame.landmarks[slot], frame.world[slot], slot == 0, camera, size, mirrored, depth)
            if pose is not None:
                found[slot] = pose
                node.publish(f"wrist/{HANDS[slot]}", pose_message(pose, header))
        return found


class Speech:
    """Publishes what the pipeline says, on the outputs that the node asked for."""

    GESTURES = qos_settings("gestures", "reliable", 10)
    CAPTIONS = (
        *qos_settings("captions", "reliable", 10),
        *qos_settings("tokens", "reliable", 10),
        *qos_settings("events", "reliable", 30),
    )

    def __init__(self, node: FigopNode, *, gestures: bool = False, captions: bool = False, units: bool = False) -> None:
        self._node = node
        self._units, self._lines = units, captions
        if gestures:
            node.output("gestures", GestureEvent)
        if captions:
            node.output("captions", FingerCaption)
            node.output("tokens", MotionTokens)
            node.output("events", String)
        if units:
            node.output("units", FigopUnit)

    def say(self, events: Iterable[Event], header: Header, arrived_ns: int, captioner: Captioner) -> None:
        """Events in order, each on its topic, and all of them as JSON lines on ~/events."""
        node = self._node
        for event in events:
            stages = to_stages(event.stages_ms, arrived_ns, node.now_ns())
            if isinstance(event, GestureStart):
                node.publish("gestures", to_gesture(event, header, stages))
            elif isinstance(event, Caption) and (event.final or node.p.get("caption.provisional", True)):
                wording = (captioner.language, captioner.style, captioner.detail)
                node.publish("captions", to_caption(event, header, stages, wording))
            if self._lines:
                node.publish("events", String(data=json.dumps(event.to_dict(), ensure_ascii=False)))

    def unit(self, unit: Unit, reader: TokenReader, frame_id: str, arrived_ns: int, about: Mapping[str, Any]) -> None:
        """A closed unit: its motion tokens, and the unit itself where the node publishes units."""
        node = self._node
        header = Header(stamp=to_time(unit.frames[-1].t_ns), frame_id=frame_id)
        stages = to_stages({}, arrived_ns, node.now_ns())
        if node.wanted("tokens"):
            began = time.perf_counter()
            tokens = reader.read(unit, bool(about.get("mirrored")))
            stages = to_stages({"tokens": (time.perf_counter() - began) * 1e3}, arrived_ns, node.now_ns())
            node.publish("tokens", to_tokens(tokens, header, stages))
        if self._units and node.wanted("units"):
            node.publish("units", to_unit(unit, frame_id=frame_id, stages=stages, about=about))


def apply_wording(captioner: Captioner, values: Mapping[str, Any]) -> None:
    """The wording that the parameters ask for now, from the next caption on."""
    captioner.language, captioner.style = values["caption.language"], values["caption.style"]
    captioner.detail = values["caption.detail"]
