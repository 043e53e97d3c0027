"""`figop_buffer`: HandFrame -> FigopUnit, a keyframe and the hand frames up to the next one."""

from __future__ import annotations

from typing import Any

from figop_msgs.msg import FigopUnit
from figop_msgs.msg import HandFrame as HandFrameMsg
from std_msgs.msg import Header

from edge.bundle import Bundle
from figop_ros.conversions import from_hand_frame, to_stages, view_of
from figop_ros.main import run
from figop_ros.node import FigopNode
from figop_ros.parameters import Setting, qos_settings
from figop_ros.stream import BACKLOG
from figop_ros.units import UnitCutter


class FigopBufferNode(FigopNode):
    """Listens to `hands`; publishes ~/units. The frames go on as the messages that they came in."""

    SETTINGS = (
        Setting("bundle", "figop-base", "whose numbers cut the stream"),
        *qos_settings("hands", "reliable", 30),
        *qos_settings("units", "reliable", 10),
    )

    def __init__(self, **options: Any) -> None:
        super().__init__("figop_buffer", **options)

    def configure(self) -> None:
        self._cutting = Bundle.open(self.p["bundle"]).preprocessing
        self._key: tuple[str, bool] | None = None
        self._cutter = UnitCutter(False, self._cutting)
        self._messages: dict[int, HandFrameMsg] = {}
        self.output("units", FigopUnit)

    def activate(self) -> None:
        self.start_worker(self._work, max(BACKLOG, self.p["qos.hands.depth"]))
        self.listen("hands", HandFrameMsg, self._arrived)

    def deactivate(self) -> None:
        self._end(Header())

    def silent(self) -> None:
        if self.worker is not None:
            self.worker.call(lambda: self._end(Header()))

    jumped = silent

    def _arrived(self, message: HandFrameMsg) -> None:
        self.health.arrived()
        if self.worker is not None:
            self.worker.put((message, self.now_ns()))

    def _work(self, job: tuple[HandFrameMsg, int]) -> None:
        message, arrived_ns = job
        if message.end_of_stream:
            self._end(message.header, end_of_stream=True)
            return
        key = (view_of(message), bool(message.mirrored))
        if key != self._key:
            self._end(message.header)
            self._key, self._cutter = key, UnitCutter(key[1], self._cutting)
        frame = from_hand_frame(message)
        self._messages[frame.t_ns] = message
        for unit in self._cutter.push(frame):
            self._tell(unit, arrived_ns)
        self.health.done((self.now_ns() - arrived_ns) * 1e-6, self.age_ms(frame.t_ns), {})

    def _end(self, header: Header, end_of_stream: bool = False) -> None:
        for unit in self._cutter.flush():
            self._tell(unit, self.now_ns())
        self._messages = {}
        if end_of_stream:
            self.publish("units", FigopUnit(header=header, end_of_stream=True))

    def _tell(self, unit: Any, arrived_ns: int) -> None:
        frames = [self._messages.pop(f.t_ns) for f in unit.frames]
        # what lies before the unit was out of order
        self._messages = {t: m for t, m in self._messages.items() if t > unit.frames[-1].t_ns}
        self.publish(
            "units",
            FigopUnit(
                header=frames[-1].header,
                index=unit.index,
                early=unit.early,
                t_start=unit.start,
                t_end=unit.end,
                frames=frames,
                stages=to_stages({}, arrived_ns, self.now_ns()),
            ),
        )


def main() -> int:
    """Run the node."""
    return run(FigopBufferNode)


if __name__ == "__main__":
    raise SystemExit(main())
