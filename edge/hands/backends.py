"""The trackers by name. Each backend is imported only when it is asked for."""

from __future__ import annotations

from typing import Any

from edge.errors import RuntimeUnavailable
from edge.hands.frame import HandTracker

TRACKERS = ("native", "native-lite", "mediapipe")


def open_tracker(name: str = "native", *, max_hands: int = 2, mirrored: bool = False, **options: Any) -> HandTracker:
    """A tracker; `options` go to its class. "native-lite" is "native" with the lite networks. Raises
    RuntimeUnavailable."""
    if name in ("native", "native-lite"):
        from edge.hands.native import NativeTracker

        if name == "native-lite":
            options["variant"] = "lite"
        return NativeTracker(max_hands, mirrored, **options)
    if name == "mediapipe":
        from edge.hands.mediapipe import MediapipeTracker

        return MediapipeTracker(max_hands, mirrored, **options)
    raise RuntimeUnavailable(f"There is no hand tracker {name!r}; choose one of {', '.join(TRACKERS)}.")
