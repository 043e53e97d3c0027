"""`captioner`: HandFrame or FigopUnit -> FingerCaption, MotionTokens, and every event as a JSON line."""

from __future__ import annotations

from typing import Any

from figop_msgs.msg import FigopUnit
from figop_msgs.srv import SetCaptionStyle
from rclpy.parameter import Parameter
from std_msgs.msg import Header

from edge.errors import FigopError
from edge.language.resource import load as load_language
from edge.narrator import DETAILS, STYLES
from edge.pipeline import Captioner
from figop_ros.clips import ClipServer
from figop_ros.main import run
from figop_ros.objects import OBJECTS, ObjectInput
from figop_ros.outputs import WORDING, Speech
from figop_ros.parameters import Setting, qos_settings
from figop_ros.stream import BACKLOG, STREAM, StreamNode
from figop_ros.tokens import TokenReader


class CaptionerNode(StreamNode):
    """Listens to `hands` (or, with input.from = units, to `units`: the same captions, up to a unit later)."""

    SETTINGS = (
        *STREAM,
        Setting("input.from", "hands", "what to listen to: hand frames, or whole units", choices=("hands", "units")),
        *WORDING,
        *OBJECTS,
        *qos_settings("units", "reliable", 10),
        *Speech.CAPTIONS,
    )

    def __init__(self, **options: Any) -> None:
        super().__init__("captioner", **options)
        self._style = self.create_service(SetCaptionStyle, "~/set_caption_style", self._set_style)
        self._clips = ClipServer(self)
        self._things = ObjectInput(self)

    def configure(self) -> None:
        load_language(self.p["caption.language"])
        self._things.configure()
        super().configure()
        self.speech = Speech(self, captions=True)

    def activate(self) -> None:
        self._things.activate()
        if self.p["input.from"] == "hands":
            super().activate()
            return
        self._sequence = None
        self.start_worker(self._work, BACKLOG)
        self.listen("units", FigopUnit, self._arrived)

    def _open(self, view: str, mirrored: bool) -> Captioner:
        captioner = super()._open(view, mirrored)
        self._tokens = TokenReader(captioner)
        return captioner

    def beside(self, captioner: Captioner, view: str, mirrored: bool) -> Any:
        return self._things.beside(captioner, view, mirrored, "")

    def heard(self, frames: list[Any], unit: Any, header: Header, arrived_ns: int) -> None:
        for frame in frames:
            self._things.saw(frame)
        super().heard(frames, unit, header, arrived_ns)

    def faults(self) -> list[str]:
        return self._things.faults()

    def units_closed(self, frame_id: str, arrived_ns: int) -> None:
        captioner = self.need_captioner()
        for unit in captioner.units:
            self.speech.unit(unit, self._tokens, frame_id, arrived_ns, {"mirrored": bool(self._key and self._key[1])})
        captioner.units = []

    def _set_style(self, request: Any, response: Any) -> Any:
        response.success, response.message = self._try_style(request)
        return response

    def _try_style(self, request: Any) -> tuple[bool, str]:
        wanted = {n: getattr(request, n) for n in ("language", "style", "detail") if getattr(request, n)}
        for name, known in (("style", tuple(STYLES)), ("detail", DETAILS)):
            if wanted.get(name, known[0]) not in known:
                return False, f"The {name} must be one of {', '.join(known)}, found {wanted[name]!r}."
        try:
            load_language(wanted.get("language", self.p["caption.language"]))
        except FigopError as error:
            return False, str(error)
        changes = [Parameter(f"caption.{n}", Parameter.Type.STRING, v) for n, v in wanted.items()]
        for result in self.set_parameters(changes):
            if not result.successful:
                return False, str(result.reason)
        now = ", ".join(f"{n} {self.p[f'caption.{n}']}" for n in ("language", "style", "detail"))
        return True, f"From the next caption on: {now}."


def main() -> int:
    """Run the node."""
    return run(CaptionerNode)


if __name__ == "__main__":
    raise SystemExit(main())
