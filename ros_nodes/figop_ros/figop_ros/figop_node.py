"""`figop_node`: pictures to captions in one process, for small boards. A frame is never copied between stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from std_msgs.msg import Header

from edge.hands.frame import HandTracker
from edge.pipeline import Captioner
from figop_ros.clips import ClipServer
from figop_ros.detector import DETECTOR
from figop_ros.gestures import GESTURES, GestureServer, bundle_of
from figop_ros.images import Rgb
from figop_ros.main import run
from figop_ros.objects import OBJECTS, ObjectInput
from figop_ros.outputs import HAND_SETTINGS, WORDING, HandOutput, Speech, apply_wording
from figop_ros.parameters import Setting, qos_settings
from figop_ros.pictures import PICTURES, TRACKER, PictureNode
from figop_ros.tokens import TokenReader


class FigopOneNode(PictureNode):
    """Listens to `image` (or opens a camera); publishes all that the separate nodes publish, rules run once.

    With a detector of its own it looks for things too, on a thread beside.
    """

    SETTINGS = (
        *PICTURES,
        *TRACKER,
        Setting("bundle", "figop-base", "what captions: the name of a shipped bundle, a folder, or a .figop file"),
        *GESTURES,
        *WORDING,
        *OBJECTS,
        *DETECTOR,
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
        self._own = GestureServer(self, self._use)
        self._things = ObjectInput(self)
        self._next: Path | None = None

    def configure(self) -> None:
        super().configure()
        self._next = None
        self._things.configure()
        self._own.bundle = bundle_of(self.p["bundle"], self.p["gestures.file"])
        self._open(self._own.bundle, None)
        self.hands = HandOutput(self)
        self.speech = Speech(self, gestures=True, captions=True, units=True)

    def _open(self, bundle: Path, tracker: HandTracker | None) -> None:
        from edge.hands.backends import open_tracker

        p = self.p
        self.captioner = self.open_captioner(
            bundle,
            view=p["camera.view"],
            mirrored=p["camera.mirrored"],
            tracker=tracker or open_tracker(p["tracker.backend"], **self.tracker_options()),
            language=p["caption.language"],
            style=p["caption.style"],
            detail=p["caption.detail"],
        )
        self._pushed = self._things.beside(self.captioner, p["camera.view"], p["camera.mirrored"])
        self.tokens = TokenReader(self.captioner)

    def activate(self) -> None:
        self._things.activate()
        super().activate()

    def faults(self) -> list[str]:
        return self._things.faults()

    def _use(self, bundle: Path) -> None:
        """Read with this bundle from the next picture on, the tracker as it is; from any thread."""
        self._next = bundle

    def deactivate(self) -> None:
        super().deactivate()
        self._things.deactivate()
        self._end_phrase()
        self.hands.end(self.header, view=self.p["camera.view"], mirrored=self.p["camera.mirrored"])

    def cleanup(self) -> None:
        super().cleanup()
        self._things.cleanup()
        self._own.bundle = None
        if self.captioner is not None:
            self.captioner.close()
            self.captioner = None

    def silent(self) -> None:
        if self.worker is not None:
            self.worker.call(self._end_phrase)

    jumped = silent

    def picture(self, rgb: Rgb, t_ns: int, header: Header, arrived_ns: int, decode_ms: float) -> None:
        assert self.captioner is not None
        if self._next is not None:
            self._end_phrase()
            self._open(self._next, self.captioner.tracker)
            self._next = None
        cap = self.captioner
        apply_wording(cap, self.p)
        self._things.look(rgb, header)
        events = self._pushed.push(rgb, t_ns)
        frame = cap.last
        if events:
            self.speech.say(events, header, arrived_ns, cap)
        if frame is None or frame.t_ns != t_ns:  # dropped; the events have said why
            return
        self._things.saw(frame)
        self._own.see(frame, self.p["camera.view"], self.p["camera.mirrored"])
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
            self.speech.unit(unit, self.tokens, header.frame_id, arrived_ns, about)
        self.captioner.units = []

    def _end_phrase(self) -> None:
        if self.captioner is None:
            return
        now = self.now_ns()
        self.speech.say(self._pushed.flush(), self.header, now, self.captioner)
        self._units(self.header, now)


def main() -> int:
    """Run the node."""
    return run(FigopOneNode)


if __name__ == "__main__":
    raise SystemExit(main())
