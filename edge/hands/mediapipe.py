"""The `mediapipe` package as a tracker: the reference that the native one is measured against."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import RuntimeUnavailable
from edge.hands.frame import LEFT, RIGHT, HandFrame
from edge.hands.identity import SideVote, assign
from edge.hands.native import as_rgb
from edge.hands.position import wrist_position

#: A hand keeps its track while its wrist moves less than this between frames, in fractions of the image's longer side.
_NEAR = 0.15


class MediapipeTracker:
    """`mediapipe.solutions.hands` behind `edge.hands.frame.HandTracker`; gives no keyframe feature.

    Args: as for `edge.hands.native.NativeTracker`; `complexity` 1 runs the full networks, 0 the lite ones.

    Raises:
        RuntimeUnavailable: mediapipe is missing, or is a release without `solutions`.
    """

    appearance_digest = ""

    def __init__(
        self, max_hands: int = 2, mirrored: bool = False, *, complexity: int = 1, focal: float | None = None
    ) -> None:
        if max_hands not in (1, 2):
            raise ValueError(f"A tracker follows 1 or 2 hands, found {max_hands}.")
        try:
            import mediapipe

            make: Any = mediapipe.solutions.hands.Hands
        except (ImportError, AttributeError) as error:
            raise RuntimeUnavailable(
                f"The mediapipe backend needs mediapipe 0.10.21 ({error}): run `pip install 'figop[mediapipe]'`, "
                "or use the native tracker."
            ) from error
        self._make: Callable[[], Any] = lambda: make(max_num_hands=max_hands, model_complexity=complexity)
        self._hands: Any = self._make()
        self._mirrored = mirrored
        self._focal = focal
        self._next_id = 0
        self._forget()

    def _forget(self) -> None:
        self._known: list[tuple[int, SideVote, NDArray[np.float32]]] = []
        self._last_ns: int | None = None

    def reset(self) -> None:
        """Forget every hand."""
        self._hands.close()
        self._hands = self._make()
        self._forget()

    def close(self) -> None:
        """Release the graph."""
        self._hands.close()

    def track(self, rgb: NDArray[np.uint8], t_ns: int, *, appearance: bool = False) -> HandFrame:
        """One frame [H,W,3] uint8 RGB. mediapipe keeps its own clock, so any `t_ns` is fine."""
        rgb = as_rgb(rgb)
        height, width = rgb.shape[:2]
        start = time.perf_counter()
        result = self._hands.process(rgb)
        stages = {"landmarks": (time.perf_counter() - start) * 1e3}
        frame = HandFrame(t_ns=t_ns, image_size=(width, height), stages_ms=stages)
        seconds = max(0.0, (t_ns - (t_ns if self._last_ns is None else self._last_ns)) * 1e-9)
        self._last_ns = t_ns
        known: list[tuple[int, SideVote, NDArray[np.float32]]] = []
        readings = []
        for image, world, side in zip(
            result.multi_hand_landmarks or [],
            result.multi_hand_world_landmarks or [],
            result.multi_handedness or [],
            strict=True,
        ):
            points = np.array([(p.x, p.y, p.z) for p in image.landmark], np.float32)
            joints = np.array([(p.x, p.y, p.z) for p in world.landmark], np.float32)
            label = side.classification[0]
            # the network assumes a selfie image: its "Left" is a right hand in an unmirrored one
            right = label.score if (label.label == "Right") == self._mirrored else 1 - label.score
            track, vote = self._match(points, known)
            vote.add(right, seconds)
            known.append((track, vote, points))
            readings.append((points, joints - joints[0], max(label.score, 1 - label.score)))
        self._known = known
        size = np.array([width, height, width], np.float32)
        focal = self._focal or float(max(width, height))
        for (track, _, _), (points, joints, _), slot in zip(
            known, readings, assign([v for _, v, _ in known]), strict=True
        ):
            if slot not in (LEFT, RIGHT):
                continue
            frame.landmarks[slot] = points
            frame.world[slot] = joints
            frame.wrist[slot] = wrist_position(points * size, joints, (width / 2, height / 2), focal)
            if self._mirrored:
                frame.world[slot, :, 0] *= -1
                frame.wrist[slot, 0] *= -1
            frame.presence[slot] = 1.0  # the graph keeps its own presence to itself
            frame.track_id[slot] = track
        return frame

    def _match(
        self, points: NDArray[np.float32], taken: list[tuple[int, SideVote, NDArray[np.float32]]]
    ) -> tuple[int, SideVote]:
        """The track of the frame before whose wrist is nearest, or a new one."""
        ids = {track for track, _, _ in taken}
        free = [k for k in self._known if k[0] not in ids]
        best = min(free, key=lambda k: float(np.hypot(*(k[2][0, :2] - points[0, :2]))), default=None)
        if best is not None and float(np.hypot(*(best[2][0, :2] - points[0, :2]))) < _NEAR:
            return best[0], best[1]
        self._next_id += 1
        return self._next_id - 1, SideVote()
