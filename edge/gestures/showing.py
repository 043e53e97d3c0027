"""Cuts a live stream into examples of a gesture: rest, perform, rest, perform, ..."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.gestures.live import IdleGate
from edge.hands.frame import HandFrame, hands_in

#: a hand that has not moved for so long rests: what comes next is an example, what was before is over
REST_S = 0.5
#: frames kept from before a motion was noticed, and of rest after it, seconds
BEFORE_S = 0.4
#: longer motion is no gesture
LONGEST_S = 4.0

Array = NDArray[Any]


class Showing:
    """`push` a frame; the frames of an example once it is over. State: how the hands were when they last moved.

    Attributes: hint: what whoever shows should do next, one sentence.
    """

    def __init__(self) -> None:
        self._gates = [[IdleGate(awake_s=REST_S) for _ in "ab"] for _ in (0, 1)]
        self._track = [-1, -1]
        self._before: deque[HandFrame] = deque()
        self._taken: list[HandFrame] = []
        self._rested = False
        self.hint = "Hold the hand still, then perform the gesture."

    def push(self, frame: HandFrame) -> list[HandFrame]:
        """The frames of an example that ended with this frame, else nothing."""
        seen = tuple(hands_in(frame))
        awake, new = False, not seen
        for slot in seen:
            if frame.track_id[slot] != self._track[slot]:
                for gate in self._gates[slot]:
                    gate.reset()
                new = True
            self._track[slot] = int(frame.track_id[slot])
            for gate, joints in zip(self._gates[slot], _views(frame, slot), strict=False):
                awake |= gate.push(frame.t, joints)
        for slot in {0, 1} - set(seen):
            self._track[slot] = -1
        if new:  # a hand that comes or goes is no gesture
            self._taken.clear()
            self._rested = False
        self._before.append(frame)
        while self._before[0].t < frame.t - REST_S - BEFORE_S:
            self._before.popleft()
        if not awake:
            done, self._taken, self._rested = self._taken, [], bool(seen)
            return done
        if self._taken:
            self._taken.append(frame)
            if frame.t - self._taken[0].t > LONGEST_S + REST_S + BEFORE_S:
                self._taken, self._rested = [], False
                self.hint = f"That was longer than {LONGEST_S:g} s: hold the hand still, then perform the gesture."
        elif self._rested:
            self._taken = [f for f in self._before if f.t >= frame.t - BEFORE_S]
        return []


def _views(frame: HandFrame, slot: int) -> list[Array]:
    """What moves when a hand does, joints [21,3] each: its shape, and where it is.

    Where it is comes from the picture, in the hand's own measure, for a camera's distances tremble; without one from
    the wrist.
    """
    world, wrist = frame.world[slot], frame.wrist[slot]
    size = np.array(frame.image_size if 0 not in frame.image_size else (1, 1))
    flat = (frame.landmarks[slot, :, :2] - 0.5) * size
    shaped, pictured = bool(np.isfinite(world).all()), bool(np.isfinite(flat).all())
    if not shaped:
        return [np.column_stack([flat, np.zeros(21)])] if pictured else []
    if pictured:
        spread = float(np.linalg.norm(flat - flat[0]))
        scale = float(np.linalg.norm(world[:, :2] - world[0, :2])) / max(spread, 1e-6)
        return [world, world + np.append(flat[0] * scale, 0.0)]
    return [world, world + wrist] if np.isfinite(wrist).all() else [world]
