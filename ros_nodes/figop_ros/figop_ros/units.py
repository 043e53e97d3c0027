"""Cuts a stream of hand frames into FiGOP units outside of the pipeline, by the same buffer and the same rules."""

from __future__ import annotations

from collections.abc import Mapping

from edge.features import PoseReader
from edge.figop import POSE_THRESHOLD, UNIT_S, FigopBuffer, Unit
from edge.hands.frame import HandFrame
from edge.pipeline import GAP_S, RESTART_AFTER


class UnitCutter:
    """`push` returns the units that a frame closes. Frames out of order are left out, as in the pipeline.

    A unit is given out with its last frame, not with the keyframe of the next one: when the next frame, coming as soon
    as this one came after the last, would be a keyframe. Whoever listens hears a frame's time earlier.
    """

    def __init__(self, mirrored: bool = False, cutting: Mapping[str, float] | None = None) -> None:
        cut = dict(cutting or {})
        self._buffer = FigopBuffer(cut.get("unit_s", UNIT_S), cut.get("pose_threshold", POSE_THRESHOLD))
        self._mirrored = mirrored
        self._restart()

    def _restart(self) -> None:
        self._reader = PoseReader(self._mirrored)
        self._last_ns: int | None = None
        self._late = 0

    def keyframe_next(self, t_ns: int) -> bool:
        """Whether a frame at this time will open a unit."""
        return self._buffer.keyframe_next(t_ns * 1e-9)

    def push(self, frame: HandFrame) -> list[Unit]:
        """Add one frame; the units that it closes (after a hole in time the one before it)."""
        closed: list[Unit] = []
        step_ns = 0
        if self._last_ns is not None:
            if frame.t_ns <= self._last_ns:
                self._late += 1
                if self._late < RESTART_AFTER:
                    return closed
                closed += self.flush()
            elif (frame.t_ns - self._last_ns) * 1e-9 > GAP_S:
                closed += self.flush()
            else:
                step_ns = frame.t_ns - self._last_ns
        self._late, self._last_ns = 0, frame.t_ns
        unit = self._buffer.push(frame, self._reader.read(frame))
        if unit is None and step_ns and self._buffer.keyframe_next((frame.t_ns + step_ns) * 1e-9):
            unit = self._buffer.flush()
        return closed + ([unit] if unit is not None else [])

    def flush(self) -> list[Unit]:
        """The stream ends here."""
        unit = self._buffer.flush()
        self._buffer.reset()
        self._restart()
        return [unit] if unit is not None else []
