"""`figop_node`: pictures to captions in one process, for small boards. A frame is never copied between stages."""

from __future__ import annotations

from typing import Any

from std_msgs.msg import Header

from edge.pipeline import Captioner
from figop_ros.clips import ClipServer
from figop_ros.images import Rgb
from figop_ros.main import run
from figop_ros.outputs import HAND_SETTINGS, WORDING, HandOutput, Speech, apply_wording
from figop_ros.parameters import Setting, qos_settings
from figop_ros.pictures import PICTURES, TRACKER, PictureNode


class FigopOneNode(PictureNode):
    """Listens to `image` (or opens a camera); publishes all that the separate nodes publish, rules run once."""

    SETTINGS = (
        *PICTURES,
        *TRACKER,
        Setting("bundle", "figop-base", "what captions: the name of a shipped bundle, a folder, or a .figop file"),
        *WORDING,
        *HAND_SETTINGS,
        *qos_settings("units", "reliable", 10),
        *Speech.GESTURES,
        *Speech.CAPTIONS,
    )

    #: opens the pipeline; tests put another one here
    open_captioner = staticmethod(Captioner.open)

    def __init__(self, **options: Any) -> None:
        super().__init__("figop_node", **options)
        self.captioner: Captioner | None = None
        self._clips = ClipServer(self)

    def configure(self) -> None:
        super().configure()
        from edge.hands.backends import open_tracker

        p = self.p
        self.captioner = self.open_captioner(
            p["bundle"],
            view=p["camera.view"],
            mirrored=p["camera.mirrored"],
            tracker=open_tracker(p["tracker.backend"], **self.tracker_options()),
            language=p["caption.language"],
            style=p["caption.style"],
            detail=p["caption.detail"],
        )
        self.hands = HandOutput(self)
        self.speech = Speech(self, gestures=True, captions=True, units=True)

    def deactivate(self) -> None:
        super().deactivate()
        self._end_phrase()
        self.hands.end(self.header, view=self.p["camera.view"], mirrored=self.p["camera.mirrored"])

    def cleanup(self) -> None:
        super().cleanup()
        if self.captioner is not None:
            self.captioner.close()
            self.captioner = None

    def silent(self) -> None:
        if self.worker is not None:
            self.worker.call(self._end_phrase)

    jumped = silent

    def picture(self, rgb: Rgb, t_ns: int, header: Header, arrived_ns: int, decode_ms: float) -> None:
        cap = self.captioner
        assert cap is not None
        apply_wording(cap, self.p)
        events = cap.push(rgb, t_ns)
        frame = cap.last
        if events:
            self.speech.say(events, header, arrived_ns, cap)
        if frame is None or frame.t_ns != t_ns:  # dropped; the events have said why
            return
        frame.stages_ms["image"] = decode_ms
        digest = cap.tracker.appearance_digest if cap.tracker is not None and frame.appearance is not None else ""
        about: dict[str, Any] = {"view": self.p["camera.view"], "mirrored": self.p["camera.mirrored"]}
        self.hands.publish(
            frame,
            header,
            digest=digest,
            arrived_ns=arrived_ns,
            rgb=rgb,
            camera=self.intrinsics(frame.image_size),
            depth=self.depth_at(t_ns),
            **about,
        )
        self._units(header, arrived_ns)
        self.health.done((self.now_ns() - arrived_ns) * 1e-6, self.age_ms(t_ns), frame.stages_ms)

    def _units(self, header: Header, arrived_ns: int) -> None:
        assert self.captioner is not None
        about = {"view": self.p["camera.view"], "mirrored": self.p["camera.mirrored"]}
        for unit in self.captioner.units:
            self.speech.unit(unit, header.frame_id, arrived_ns, about)
        self.captioner.units = []

    def _end_phrase(self) -> None:
        if self.captioner is None:
            return
        now = self.now_ns()
        self.speech.say(self.captioner.flush(), self.header, now, self.captioner)
        self._units(self.header, now)


def main() -> int:
    """Run the node."""
    return run(FigopOneNode)


if __name__ == "__main__":
    raise SystemExit(main())
