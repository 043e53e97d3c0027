"""The services DefineGesture and EnrolGesture: gestures of one's own, kept in a bundle, told from the next frame on.

What cannot be done is said in the response; the node and its gestures stay as they were.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from figop_msgs.srv import DefineGesture, EnrolGesture
from rclpy.callback_groups import ReentrantCallbackGroup

from edge.bundle import SHIPPED, Bundle
from edge.errors import FigopError
from edge.gestures.define import alike, by_events, by_sentence, needs_student
from edge.gestures.enrol import LEAST, Example, enrol, example_of
from edge.gestures.listen import listen
from edge.gestures.showing import Showing
from edge.gestures.store import STORE, Gesture, GestureError, GestureStore, write
from edge.hands.frame import HandFrame
from figop_ros.compat import finished
from figop_ros.conversions import from_finger_event
from figop_ros.parameters import Setting

#: examples that a gesture may have, and the time that each is given where the caller names none
MOST, EACH_S = 20, 10.0
#: seconds between two looks at whether the node goes on
LOOK_S = 0.2

GESTURES = (
    Setting(
        "gestures.file",
        "",
        "where gestures that are defined or enrolled are kept, a .figop file that is made if need be; empty = in the "
        "bundle itself, if it is one's own",
    ),
)


def bundle_of(named: str, kept: str) -> Path:
    """The bundle to open: the file with gestures of one's own where there is one, else the one that is named.

    Raises GestureError where the file was made of another student, BundleError.
    """
    own = Path(kept).expanduser() if kept else None
    base = Bundle.open(named)
    if own is None or not own.exists():
        return base.path
    if Bundle.open(own).weights_digest != base.weights_digest:
        raise GestureError(
            f"{own} was made of another bundle than {named}: name that one, or another file for gestures.file."
        )
    return own


class GestureServer:
    """Serves ~/define_gesture and ~/enrol_gesture of a node; one enrolment at a time, on a thread of its own.

    Args:
        changed: is called with the bundle that has one gesture more; the node reads with it from then on.

    The node hands it every frame (`see`) and says with which bundle it reads (`bundle`, None = not configured).
    """

    def __init__(self, node: Any, changed: Callable[[Path], None]) -> None:
        self._node, self._changed = node, changed
        self.bundle: Path | None = None
        self._frames: queue.Queue[tuple[HandFrame, str, bool]] | None = None
        self._busy, self._writing = threading.Lock(), threading.Lock()
        # a group of their own: an answer may take a minute, and nothing else of the node is to wait for it
        group = ReentrantCallbackGroup()
        self._define = node.create_service(DefineGesture, "~/define_gesture", self._defined, callback_group=group)
        self._enrol = node.create_service(EnrolGesture, "~/enrol_gesture", self._enrolled, callback_group=group)

    def see(self, frame: HandFrame, view: str, mirrored: bool) -> None:
        """A frame of the stream; costs nothing unless somebody is shown."""
        frames = self._frames
        if frames is not None:
            frames.put((frame, view, mirrored))

    async def _defined(self, request: Any, response: Any) -> Any:
        return await self._aside(lambda: self._do_define(request), response)

    async def _enrolled(self, request: Any, response: Any) -> Any:
        if not self._busy.acquire(blocking=False):
            response.message = "Another gesture is being enrolled; send this one when it is done."
            return response
        made: list[Example] = []
        try:
            await self._aside(lambda: self._do_enrol(request, made), response)
        finally:
            self._busy.release()
        response.recorded = len(made)
        return response

    async def _aside(self, action: Callable[[], str], response: Any) -> Any:
        """Do it on a thread, so that the executor stays free; what it says or refuses is the response."""
        done = threading.Event()

        def run() -> None:
            try:
                response.success, response.message = True, action()
            except FigopError as error:
                response.success, response.message = False, str(error)
            except Exception as error:  # whatever it was: the caller hears of it, and the node goes on
                response.success = False
                response.message = f"The gesture was not added: {type(error).__name__}: {error}."
            done.set()

        threading.Thread(target=run, name="gesture", daemon=True).start()
        await finished(done)
        return response

    def _do_define(self, request: Any) -> str:
        if bool(request.text.strip()) == bool(request.events):
            raise GestureError("A gesture is defined by a text or by events: send one of the two.")
        same = ""

        def make(bundle: Bundle, store: GestureStore) -> Gesture:
            nonlocal same
            events = [from_finger_event(e) for e in request.events]
            made = (
                by_events(request.name, events, bundle) if events else by_sentence(request.name, request.text, bundle)
            )
            same = alike(made, store)
            return made

        gesture, where = self._add(make)
        also = f" It says the same as {same!r}; the better of the two will be told." if same else ""
        return f"{gesture.name} is told from now on: {gesture.sentence!r}, kept in {where}.{also}"

    def _do_enrol(self, request: Any, made: list[Example]) -> str:
        bundle, wanted = self._open(), int(request.examples)
        needs_student(bundle)
        self._may_keep(bundle)
        # a name that cannot be is refused before anybody shows anything
        GestureStore.of(bundle).add(Gesture(request.name, "examples", 0.5))
        if not LEAST <= wanted <= MOST:
            raise GestureError(
                f"A gesture needs {LEAST} to {MOST} examples, three are better than two; found {wanted}."
            )
        if not request.timeout_s >= 0:
            raise GestureError(f"timeout_s must be 0 or more seconds, found {request.timeout_s:g}.")
        self._frames = queue.Queue()
        try:
            self._show(bundle, wanted, request.timeout_s or EACH_S * wanted, made)
        finally:
            self._frames = None
        near = ""

        def make(_: Bundle, store: GestureStore) -> Gesture:
            nonlocal near
            enrolled = enrol(request.name, made, store)
            near = "".join(f" It is {how:.2f} similar to {name!r}." for name, how in enrolled.collisions.items())
            return enrolled.gesture

        _, where = self._add(make)
        return f"{request.name} is told from now on, by {len(made)} examples, kept in {where}.{near}"

    def _show(self, bundle: Bundle, wanted: int, seconds: float, made: list[Example]) -> None:
        """Take examples out of the stream until there are enough. Raises GestureError."""
        until, showing, last = time.monotonic() + seconds, Showing(), ""
        log, frames = self._node.get_logger(), self._frames
        assert frames is not None
        while len(made) < wanted:
            if self._node.state != "active":
                name, state = self._node.get_name(), self._node.state
                raise GestureError(f"{name} is {state}: activate it, then show the gesture.")
            hint = f"Example {len(made) + 1} of {wanted}: {showing.hint}"
            if hint != last:
                log.info(hint)
                last = hint
            try:
                frame, view, mirrored = frames.get(timeout=min(LOOK_S, max(0.0, until - time.monotonic())))
            except queue.Empty:
                if time.monotonic() >= until:
                    raise GestureError(
                        f"{len(made)} of {wanted} examples were seen within {seconds:g} s. {showing.hint}"
                    ) from None
                continue
            taken = showing.push(frame)
            if not taken:
                continue
            try:
                name = f"example {len(made) + 1}"
                made.append(example_of(listen(taken, bundle, name=name, view=view, mirrored=mirrored)))
            except GestureError as error:
                log.warning(str(error))

    def _open(self) -> Bundle:
        if self.bundle is None:
            raise GestureError(f"{self._node.get_name()} is not configured yet: configure it first.")
        return Bundle.open(self.bundle)

    def _may_keep(self, bundle: Bundle) -> Path | None:
        """The file that is to be written, None = the bundle itself. Raises GestureError where neither may be."""
        own = self._node.p["gestures.file"]
        if own:
            target = Path(own).expanduser()
            return target if target.resolve() != bundle.path.resolve() else None
        if bundle.path.parent == SHIPPED:
            raise GestureError(
                f"{bundle.name} came with figop and stays as it is: set the parameter gestures.file to a .figop file "
                "of your own."
            )
        return None

    def _add(self, make: Callable[[Bundle, GestureStore], Gesture]) -> tuple[Gesture, Path]:
        """Write the bundle with one gesture more and have the node read with it. Raises FigopError."""
        with self._writing:
            bundle = self._open()
            target = self._may_keep(bundle)
            store = GestureStore.of(bundle)
            gesture = make(bundle, store)
            files = {STORE: store.add(gesture).to_bytes()}
            if target is not None:
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise GestureError(f"{target.parent} cannot be made: {error.strerror or error}.") from error
            self.bundle = write(bundle, files, target)
            self._changed(self.bundle)
            return gesture, self.bundle
