"""The way of a hand to a thing and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.objects.clip import Clip, DynamicsSettings, Span
from edge.objects.signals import PALM, bridged, palm_size, smooth, speed_of

Array = NDArray[Any]


def approach(clip: Clip, span: Span, s: DynamicsSettings) -> float:
    """When the hand set out for the thing, seconds."""
    t = clip.t
    flat = smooth(t, bridged(t, clip.flat[:, span.slot], s.bridge_s), s.smooth_s)[:, PALM].mean(axis=1)
    speed = speed_of(t, flat) / palm_size(clip, span.slot)
    k = span.first
    slow = 0.0
    while k > 0 and t[span.first] - t[k - 1] <= s.reach_s and np.isfinite(speed[k - 1]):
        slow = slow + (t[k] - t[k - 1]) if speed[k - 1] < 0.35 and t[span.first] - t[k - 1] > 0.3 else 0.0
        if slow > 0.15:
            break
        k -= 1
    return float(t[k])


def turned_back(clip: Clip, span: Span, s: DynamicsSettings) -> bool:
    """Whether the hand left the way it came."""
    t = clip.t
    flat = smooth(t, clip.flat[:, span.slot], s.smooth_s)[:, 8]
    a = int(np.searchsorted(t, t[span.first] - 0.35))
    b = min(len(t) - 1, int(np.searchsorted(t, t[span.last] + 0.35)))
    came, went = flat[span.first] - flat[a], flat[b] - flat[span.last]
    if not (np.isfinite(came).all() and np.isfinite(went).all()):
        return True
    return float(came @ went) < 0
