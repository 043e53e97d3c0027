"""Whole recordings read at once: hand frames and detections of one stream -> contact, holding, events."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from edge.hands.frame import HandFrame
from edge.objects.clip import DynamicsSettings, clip_of
from edge.objects.detections import Detections
from edge.objects.dynamics import Reading, read
from edge.objects.grasp import GraspTrace, shipped
from edge.objects.things import Things


def read_all(
    frames: Sequence[HandFrame],
    seen: Iterable[Detections],
    *,
    view: str = "facing",
    settings: DynamicsSettings | None = None,
    digest: str = "",
) -> tuple[Reading, tuple[str, ...]]:
    """The reading, and names of the things that its arrays are about; digest: of the network behind the features."""
    if not frames:
        nothing = np.zeros((0, 2, 0), bool)
        return Reading(nothing, nothing, ()), ()
    grasps = GraspTrace(shipped(), digest)
    for frame in frames:
        grasps.push(frame)
    things = Things()
    for row in seen:
        things.push(row)
    times = np.array([f.t for f in frames])
    known = things.known
    boxes = np.stack([t.at(times) for t in known], axis=1) if known else np.zeros((len(times), 0, 4))
    clip = clip_of(frames, boxes, [t.name for t in known], view=view)
    return read(clip, view=view, settings=settings, grasps=grasps), clip.names
