"""`micro_gesture`: HandFrame -> GestureEvent, as soon as a finger motion begins and when it is over."""

from __future__ import annotations

from typing import Any

from figop_msgs.srv import DefineGesture, EnrolGesture

from figop_ros.main import run
from figop_ros.outputs import Speech
from figop_ros.stream import STREAM, StreamNode

NO_STORE = (
    "This figop keeps no gestures of one's own: the bundle {bundle} names finger motions (pinch, tap, swipe, ...) as "
    "they are and has no gesture store; nothing was {done}."
)


class MicroGesture(StreamNode):
    """Listens to `hands`; publishes ~/gestures. The services answer that the bundle has no gesture store."""

    SETTINGS = (*STREAM, *Speech.GESTURES)

    def __init__(self, **options: Any) -> None:
        super().__init__("micro_gesture", **options)
        self._define = self.create_service(DefineGesture, "~/define_gesture", self._defined)
        self._enrol = self.create_service(EnrolGesture, "~/enrol_gesture", self._enrolled)

    def configure(self) -> None:
        super().configure()
        self.speech = Speech(self, gestures=True)

    def _defined(self, request: Any, response: Any) -> Any:
        response.success, response.message = False, NO_STORE.format(bundle=self.p["bundle"], done="defined")
        return response

    def _enrolled(self, request: Any, response: Any) -> Any:
        response.success, response.message = False, NO_STORE.format(bundle=self.p["bundle"], done="learned")
        return response


def main() -> int:
    """Run the node."""
    return run(MicroGesture)


if __name__ == "__main__":
    raise SystemExit(main())
