"""The trackers by name. Each backend is imported only when it is asked for."""

from __future__ import annotations

from typing import Any

from edge.errors import RuntimeUnavailable
from edge.hands.frame import HandTracker

TRACKERS = ("native", "mediapipe")


def open_tracker(name: str = "native", *, max_hands: int = 2, mirrored: bool = False, **options: Any) -> HandTracker:
    """A tracker: "native" or "mediapipe"; `options` go to its class. Raises RuntimeUnavailable."""
    if name == "native":
        from edge.hands.native import NativeTracker

        return NativeTracker(max_hands, mirrored, **options)
    if name == "mediapipe":
        from edge.hands.mediapipe import MediapipeTracker

        return MediapipeTracker(max_hands, mirrored, **options)
    raise RuntimeUnavailable(f"There is no hand tracker {name!r}; choose one of {', '.join(TRACKERS)}.")
