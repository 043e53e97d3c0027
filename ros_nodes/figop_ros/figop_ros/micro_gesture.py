"""`micro_gesture`: HandFrame -> GestureEvent, as soon as a finger motion begins and when it is over."""

from __future__ import annotations

from typing import Any

from std_msgs.msg import Header

from figop_ros.gestures import GESTURES, GestureServer, bundle_of
from figop_ros.main import run
from figop_ros.outputs import Speech
from figop_ros.stream import STREAM, StreamNode


class MicroGesture(StreamNode):
    """Listens to `hands`; publishes ~/gestures. Learns gestures of one's own by words and by examples."""

    SETTINGS = (*STREAM, *GESTURES, *Speech.GESTURES)

    def __init__(self, **options: Any) -> None:
        super().__init__("micro_gesture", **options)
        self._own = GestureServer(self, self.use)

    def prepare(self) -> None:
        self.bundle = self._own.bundle = bundle_of(self.p["bundle"], self.p["gestures.file"])

    def configure(self) -> None:
        super().configure()
        self.speech = Speech(self, gestures=True)

    def cleanup(self) -> None:
        self._own.bundle = None
        super().cleanup()

    def heard(self, frames: list[Any], unit: Any, header: Header, arrived_ns: int) -> None:
        super().heard(frames, unit, header, arrived_ns)
        for frame in frames:
            self._own.see(frame, *self.reading)


def main() -> int:
    """Run the node."""
    return run(MicroGesture)


if __name__ == "__main__":
    raise SystemExit(main())
