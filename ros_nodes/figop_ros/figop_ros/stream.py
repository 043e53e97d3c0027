"""A node that hears hand frames (or whole units) and runs figop's pipeline on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from figop_msgs.msg import FigopUnit
from figop_msgs.msg import HandFrame as HandFrameMsg
from std_msgs.msg import Header

from edge.errors import SourceError
from edge.pipeline import Captioner
from figop_ros.conversions import from_hand_frame, from_time, from_unit, view_of
from figop_ros.node import FigopNode
from figop_ros.outputs import Speech, apply_wording
from figop_ros.parameters import Setting, qos_settings

#: Frames that may wait for the pipeline, at least: a second at 60 fps; as many as qos.hands.depth where that is more.
BACKLOG = 60

STREAM = (
    Setting("bundle", "figop-base", "what captions: the name of a shipped bundle, a folder, or a .figop file"),
    Setting(
        "camera.view",
        "auto",
        "facing or egocentric; auto = as the hand frames say",
        choices=("auto", "facing", "egocentric"),
    ),
    *qos_settings("hands", "reliable", 30),
)


class StreamNode(FigopNode):
    """Subclasses make `self.speech` in `configure` (after super), and may override `heard`."""

    SETTINGS = STREAM
    speech: Speech
    captioner: Captioner | None = None

    def configure(self) -> None:
        self._key: tuple[str, bool] | None = None
        self._sequence: int | None = None
        self._header = Header()
        self.bundle: str | Path = self.p["bundle"]
        self._next: Path | None = None
        self.prepare()
        self._take("facing", False)

    def prepare(self) -> None:
        """Before the bundle is opened: another one may be put in its place."""

    def use(self, bundle: Path) -> None:
        """Read with this bundle from the next frame on; from any thread."""
        self._next = bundle

    def activate(self) -> None:
        self._sequence = None
        self.start_worker(self._work, max(BACKLOG, self.p["qos.hands.depth"]))
        self.listen("hands", HandFrameMsg, self._arrived)

    def deactivate(self) -> None:
        self.end_phrase()

    def cleanup(self) -> None:
        if self.captioner is not None:
            self.captioner.close()
            self.captioner = None

    def silent(self) -> None:
        if self.worker is not None:
            self.worker.call(self.end_phrase)

    def jumped(self) -> None:
        if self.worker is not None:
            self.worker.call(self._renew)

    def _take(self, view: str, mirrored: bool) -> None:
        opened = self._open(view, mirrored)
        self.captioner, self._pushed = opened, self.beside(opened, view, mirrored)

    def beside(self, captioner: Captioner, view: str, mirrored: bool) -> Any:
        """What frames are pushed into: the captioner, or what holds it."""
        return captioner

    def _open(self, view: str, mirrored: bool) -> Captioner:
        p = self.p
        words = {n: p[f"caption.{n}"] for n in ("language", "style", "detail") if f"caption.{n}" in p}
        if not words:  # nobody reads the text: without the model's own words an event comes 10 ms sooner
            words = {"detail": "short"}
        return Captioner.open(self.bundle, view=view, mirrored=mirrored, tracker=None, **words)

    def _arrived(self, message: Any) -> None:
        self.health.arrived()
        worker = self.worker
        if worker is not None:
            worker.put((message, self.now_ns()))

    def _work(self, job: tuple[Any, int]) -> None:
        message, arrived_ns = job
        if self._next is not None:
            self.bundle, self._next = self._next, None
            self._renew()
        frames = message.frames if isinstance(message, FigopUnit) else [message]
        for one in frames:
            self._count_lost(one)
            if not one.end_of_stream:
                self.adapt(one)
        self._header = message.header
        if isinstance(message, FigopUnit):
            self.heard([from_hand_frame(f) for f in frames], from_unit(message), message.header, arrived_ns)
        elif not message.end_of_stream:
            self.heard([from_hand_frame(message)], None, message.header, arrived_ns)
        now = self.now_ns()
        self.health.done((now - arrived_ns) * 1e-6, self.age_ms(from_time(message.header.stamp)), {})
        if message.end_of_stream:
            self.end_phrase()
            self.restarted()

    def heard(self, frames: list[Any], unit: Any, header: Header, arrived_ns: int) -> None:
        """Hand frames in order of time, and the unit that they came as, if they did."""
        assert self.captioner is not None
        for frame in frames:
            events = self._pushed.push(frame)
            if events:
                self.speech.say(events, header, arrived_ns, self.captioner)
            self.units_closed(header.frame_id, arrived_ns)

    def units_closed(self, frame_id: str, arrived_ns: int) -> None:
        """The pipeline may have closed a unit."""

    def end_phrase(self) -> None:
        """Nothing follows for now: say the running phrase."""
        if self.captioner is None:
            return
        now = self.now_ns()
        self.speech.say(self._pushed.flush(), self._header, now, self.captioner)
        self.units_closed(self._header.frame_id, now)

    def restarted(self) -> None:
        """A stream has ended; another one may begin at any time stamp."""
        self._sequence = None
        self._renew()

    def _renew(self) -> None:
        self.end_phrase()
        self._take(*self.reading)

    def adapt(self, message: HandFrameMsg) -> None:
        """Read the frames as their sender says that they are to be read; another way is another stream."""
        view = self.p["camera.view"]
        key = (view_of(message) if view == "auto" else view, bool(message.mirrored))
        if key != self._key:
            first, self._key = self._key is None, key
            if not first or key != ("facing", False):
                self._renew()
        if "caption.style" in self.p and self.captioner is not None:
            apply_wording(self.captioner, self.p)

    def _count_lost(self, message: HandFrameMsg) -> None:
        number = int(message.sequence)
        if self._sequence is not None and number > self._sequence + 1:
            self.health.count("lost", number - self._sequence - 1)
        self._sequence = number

    @property
    def reading(self) -> tuple[str, bool]:
        """How frames are read: camera view, mirrored."""
        return self._key or ("facing", False)

    def need_captioner(self) -> Captioner:
        """The open captioner. Raises SourceError when the node is not configured."""
        if self.captioner is None:
            raise SourceError(f"{self.get_name()} is not configured.")
        return self.captioner
