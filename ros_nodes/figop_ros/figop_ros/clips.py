"""The action CaptionClip: a file (recording, video, pictures, bag) -> its captions, with feedback, cancellable."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from figop_msgs.action import CaptionClip
from figop_msgs.msg import FingerCaption
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from std_msgs.msg import Header

from edge.errors import FigopError
from edge.events import Caption
from edge.objects.live import with_recorded
from edge.pipeline import Captioner
from edge.sources import Picture, open_source
from figop_ros.bags import BagSource, is_bag
from figop_ros.compat import finished
from figop_ros.conversions import to_caption, to_stages, to_time

#: seconds between two feedback messages, unless there is a caption to tell
FEEDBACK_S = 0.5


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """What to caption and how: see CaptionClip.action; wording = language, style, detail."""

    path: str
    topic: str = ""
    camera_view: str = ""
    mirrored: bool = False
    bundle: str = "figop-base"
    wording: tuple[str, str, str] = ("en", "descriptive", "normal")


@dataclass(frozen=True, slots=True)
class ClipStep:
    """frames so far; progress 0..1 or -1; captions that are new, each with the time of its frame in nanoseconds."""

    frames: int
    progress: float
    captions: tuple[tuple[int, Caption], ...]


def caption_clip(request: ClipRequest) -> Iterator[ClipStep]:
    """Caption a file frame by frame. Raises FigopError."""
    path = Path(request.path).expanduser()
    source: Any = BagSource(path, request.topic) if is_bag(path) else open_source(path)
    try:
        recorded = source.mirrored is not None
        language, style, detail = request.wording
        view = request.camera_view or source.view or "facing"
        mirrored = bool(source.mirrored) if recorded else request.mirrored
        opened = Captioner.open(
            request.bundle,
            view=view,
            mirrored=mirrored,
            tracker=None if recorded else "native",
            language=language,
            style=style,
            detail=detail,
        )
        held = getattr(source, "recording", source)  # a recording, or a bag, with detections or without
        rows, digest = getattr(held, "detections", ()), getattr(held, "appearance_digest", "")
        with with_recorded(opened, rows, view=view, mirrored=mirrored, digest=digest) as captioner:
            frames, t_ns = 0, 0
            for item in source:
                pixels = isinstance(item, Picture)
                events = captioner.push(item.rgb, item.t_ns) if pixels else captioner.push(item)
                frames, t_ns = frames + 1, item.t_ns
                done = min(1.0, frames / source.count) if source.count else -1.0
                yield ClipStep(frames, done, tuple((t_ns, e) for e in events if isinstance(e, Caption)))
            last = tuple((t_ns, e) for e in captioner.flush() if isinstance(e, Caption))
            yield ClipStep(frames, 1.0, last)
    finally:
        source.close()


class ClipServer:
    """Serves ~/caption_clip of a node, one clip at a time, on a thread of its own.

    The goal's coroutine waits for that thread, so that the executor stays free for everything else.
    """

    def __init__(self, node: Any) -> None:
        self._node = node
        self._busy = threading.Lock()
        self._server = ActionServer(
            node,
            CaptionClip,
            "~/caption_clip",
            execute_callback=self._execute,
            goal_callback=lambda goal: GoalResponse.ACCEPT,
            cancel_callback=lambda handle: CancelResponse.ACCEPT,
        )

    async def _execute(self, handle: Any) -> Any:
        result = CaptionClip.Result()
        if not self._busy.acquire(blocking=False):
            result.message = "Another clip is being captioned; send this one when it is done."
            handle.abort()
            return result
        done, endings = threading.Event(), list[str]()
        try:
            job = (handle, result, endings, done)
            threading.Thread(target=self._caption, args=job, name="clip", daemon=True).start()
            await finished(done)
        finally:
            self._busy.release()
        {"succeed": handle.succeed, "abort": handle.abort, "canceled": handle.canceled}[endings[0]]()
        return result

    def _caption(self, handle: Any, result: Any, endings: list[str], done: threading.Event) -> None:
        ending = "abort"
        try:
            ending = self._run(handle, result)
        except FigopError as error:
            result.message = str(error)
        except Exception as error:  # whatever a file can do: the goal ends, the node goes on
            result.message = f"The clip could not be captioned: {type(error).__name__}: {error}"
        endings.append(ending)
        done.set()

    def _run(self, handle: Any, result: Any) -> str:
        goal, p = handle.request, self._node.p
        wording = (p["caption.language"], p["caption.style"], p["caption.detail"])
        request = ClipRequest(goal.path, goal.topic, goal.camera_view, goal.mirrored, p["bundle"], wording)
        told, finals = time.monotonic(), []
        for step in caption_clip(request):
            fresh = [_message(t, c, wording) for t, c in step.captions if c.final or goal.provisional]
            finals += [c for c in fresh if c.final]
            result.frames = step.frames
            if handle.is_cancel_requested or not self._node.context.ok():
                result.captions, result.message = finals, f"Cancelled after {step.frames} frames."
                return "canceled"
            if fresh or step.progress >= 1.0 or time.monotonic() - told > FEEDBACK_S:
                told = time.monotonic()
                handle.publish_feedback(
                    CaptionClip.Feedback(progress=step.progress, frames=step.frames, captions=fresh)
                )
        result.success, result.captions = True, finals
        result.message = f"{len(finals)} captions in {result.frames} frames."
        return "succeed"


def _message(t_ns: int, caption: Caption, wording: tuple[str, str, str]) -> FingerCaption:
    return to_caption(caption, Header(stamp=to_time(t_ns)), to_stages(caption.stages_ms), wording)
