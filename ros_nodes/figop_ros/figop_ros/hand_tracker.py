"""`hand_tracker`: pictures -> HandFrame, wrist poses, tf, markers, annotated picture."""

from __future__ import annotations

from typing import Any

from std_msgs.msg import Header

from edge.hands.backends import open_tracker
from edge.hands.frame import HandTracker
from figop_ros.images import Rgb
from figop_ros.main import run
from figop_ros.outputs import HAND_SETTINGS, HandOutput
from figop_ros.parameters import Setting
from figop_ros.pictures import PICTURES, TRACKER, PictureNode
from figop_ros.units import UnitCutter


class HandTrackerNode(PictureNode):
    """Listens to `image` (or opens a camera); publishes ~/hands and what follows from them."""

    SETTINGS = (
        *PICTURES,
        *TRACKER,
        Setting("keyframes.appearance", True, "read the keyframe feature out of the landmark network (free of charge)"),
        *HAND_SETTINGS,
    )
    #: makes the tracker; tests put another one here
    open_tracker = staticmethod(open_tracker)

    def __init__(self, **options: Any) -> None:
        super().__init__("hand_tracker", **options)
        self._tracker: HandTracker | None = None

    def configure(self) -> None:
        super().configure()
        self._tracker = self.open_tracker(self.p["tracker.backend"], **self.tracker_options())
        self._cutter = UnitCutter(self.p["camera.mirrored"])
        self.hands = HandOutput(self)

    def activate(self) -> None:
        assert self._tracker is not None
        self._tracker.reset()
        self._cutter.flush()
        super().activate()

    def deactivate(self) -> None:
        super().deactivate()
        header = Header(stamp=self.header.stamp, frame_id=self.header.frame_id)
        self.hands.end(header, view=self.p["camera.view"], mirrored=self.p["camera.mirrored"])

    def cleanup(self) -> None:
        super().cleanup()
        if self._tracker is not None:
            self._tracker.close()
            self._tracker = None

    def jumped(self) -> None:
        if self.worker is not None and self._tracker is not None:
            self.worker.call(self._tracker.reset)

    def picture(self, rgb: Rgb, t_ns: int, header: Header, arrived_ns: int, decode_ms: float) -> None:
        assert self._tracker is not None
        mirrored = self.p["camera.mirrored"]
        key = self.p["keyframes.appearance"] and self._cutter.keyframe_next(t_ns)
        frame = self._tracker.track(rgb, t_ns, appearance=key)
        self._cutter.push(frame)
        frame.stages_ms["image"] = decode_ms
        self.hands.publish(
            frame,
            header,
            view=self.p["camera.view"],
            mirrored=mirrored,
            digest=self._tracker.appearance_digest if frame.appearance is not None else "",
            arrived_ns=arrived_ns,
            rgb=rgb,
            camera=self.intrinsics(frame.image_size),
            depth=self.depth_at(t_ns),
        )
        self.health.done((self.now_ns() - arrived_ns) * 1e-6, self.age_ms(t_ns), frame.stages_ms)


def main() -> int:
    """Run the node."""
    return run(HandTrackerNode)


if __name__ == "__main__":
    raise SystemExit(main())
