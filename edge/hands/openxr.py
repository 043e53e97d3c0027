"""Joints of headsets and engines -> hand frames: orders, axes and units, and the mistakes that are made with them.

A wrong order makes nonsense, a wrong unit no hand at all, and left for right is dangerous, so each is looked for in
the joints themselves: bone lengths tell order and unit, and the sides that a thumb and the bent fingers lie on tell a
left hand from a right one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import SourceError
from edge.hands.frame import Array, HandFrame
from edge.score import HANDS
from edge.skeleton import BONES, OPENXR_TO_21, WEBXR_TO_21, chirality, palm_frame, palm_length

_ALL_21 = np.arange(21)
#: the 26 of Unity's XR Hands have the wrist before the palm
_UNITY_TO_21 = np.where(OPENXR_TO_21 == 1, 0, OPENXR_TO_21)
#: Orders by name: how many joints, and which of them are the 21 landmarks.
ORDERS: dict[str, tuple[int, NDArray[Any]]] = {
    "openxr26": (26, OPENXR_TO_21),
    "webxr25": (25, WEBXR_TO_21),
    "unity26": (26, _UNITY_TO_21),
    "mediapipe21": (21, _ALL_21),
}
#: What our axes (x right, y down, z away) are made of in a source's: rows of a matrix.
AXES: dict[str, list[list[float]]] = {
    "openxr": [[1, 0, 0], [0, -1, 0], [0, 0, -1]],  # x right, y up, z towards the viewer; WebXR's too
    "optical": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],  # x right, y down, z forward
    "ros": [[0, -1, 0], [0, 0, -1], [1, 0, 0]],  # x forward, y left, z up
    "unity": [[1, 0, 0], [0, -1, 0], [0, 0, 1]],  # left-handed: x right, y up, z forward
    "unreal": [[0, 1, 0], [0, 0, -1], [1, 0, 0]],  # left-handed: x forward, y right, z up
}
#: metres of a unit
UNITS: dict[str, float] = {"m": 1.0, "cm": 0.01, "mm": 0.001}
#: wrist to middle knuckle of anyone's hand, metres (a child's 0.04; the longest adult's 0.13, with room for error)
PALM_M = (0.03, 0.16)
#: The 20 bones in palm lengths, thumb to little finger, base to tip: mean of the 110 Quest poses of
#: `webxr_static_poses`, rounded.
PROPORTIONS = np.array([
    [0.51, 0.34, 0.35, 0.26], [1.03, 0.40, 0.25, 0.23], [1.00, 0.44, 0.29, 0.26], [0.95, 0.40, 0.28, 0.25],
    [0.90, 0.32, 0.21, 0.23],
]).ravel()  # fmt: skip
#: Another order counts as the true one when it fits better by this much (mean |log(bone / PROPORTIONS)|). On the Quest
#: poses a right order has at most 0.02 and the mildest wrong one (fingers reversed) at least 0.15; on 40 bodies of the
#: simulator the right one has at most 0.09 and is better than every wrong one by 0.11 and more.
BETTER = 0.05
#: and no order fits at all from here on: half as long again, or two thirds as long, on average
NO_HAND = 0.5
#: frames of a hand after which its order, unit and side are judged: a fifth of a second on a headset
JUDGED = 15
#: The thumb's base lies at least 0.095 palm lengths on the palm's side in all 110 Quest poses; less says nothing.
CLEAR = 0.05


class JointsError(SourceError):
    """Joints that cannot be what they are said to be. `reason`: "order", "units" or "side"."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Layout:
    """How a source gives its joints. Raises SourceError for names that are not known.

    Attributes: order, axes, units: keys of `ORDERS`, `AXES`, `UNITS`.
    """

    order: str = "openxr26"
    axes: str = "openxr"
    units: str = "m"

    def __post_init__(self) -> None:
        for what, name, known in (
            ("order of joints", self.order, ORDERS),
            ("axes", self.axes, AXES),
            ("unit", self.units, UNITS),
        ):
            if name not in known:
                raise SourceError(f"The {what} must be one of {', '.join(known)}, found {name!r}.")

    @property
    def count(self) -> int:
        """Joints of a hand."""
        return ORDERS[self.order][0]

    def landmarks(self, joints: Any) -> Array:
        """Joints [..., count, 3] -> the 21 landmarks [..., 21, 3], metres, our axes. Raises SourceError."""
        given = np.asarray(joints, np.float64)
        if given.shape[-2:] != (self.count, 3):
            raise SourceError(f"A hand in the order {self.order} has {self.count} x 3 numbers, found {given.shape}.")
        chosen = given[..., ORDERS[self.order][1], :] * UNITS[self.units]
        return np.asarray(chosen @ np.array(AXES[self.axes], np.float64).T, np.float32)


def misfit(landmarks: Array) -> Array:
    """How unlike a hand's the bone lengths of [..., 21, 3] are [...]: mean |log ratio|, 0 = a Quest user's hand."""
    bones = np.stack([np.linalg.norm(landmarks[..., c, :] - landmarks[..., p, :], axis=-1) for p, c in BONES], axis=-1)
    size = np.maximum(palm_length(landmarks), 1e-9)[..., None]
    return np.asarray(np.abs(np.log(np.clip(bones / size, 1e-3, 1e3) / PROPORTIONS)).mean(axis=-1))


def side(landmarks: Array) -> Array:
    """How clearly [..., 21, 3] are a right (+) or a left (-) hand [...]: where the base of its thumb and its bent
    fingers lie, in palm lengths; 0 = cannot be said."""
    out_of_palm = palm_frame(landmarks)[..., :, 2]
    thumb = np.sum((landmarks[..., 1, :] - landmarks[..., 0, :]) * out_of_palm, axis=-1)
    thumb = thumb / np.maximum(palm_length(landmarks), 1e-9)
    both = 2 * thumb + chirality(landmarks)  # the thumb's base is the steadier of the two
    return np.asarray(np.where(np.abs(both) >= CLEAR, both, 0.0))


def _wrong_orders(order: str) -> dict[str, NDArray[Any]]:
    """What joints in an order may be instead: a description, and which of them are the 21 landmarks."""
    count, hand = ORDERS[order]
    found = {f"the order {name}": picks for name, (n, picks) in ORDERS.items() if n == count and name != order}
    fingers = hand[1:].reshape(5, 4)
    found["fingers from the little finger to the thumb"] = np.concatenate((hand[:1], fingers[::-1].ravel()))
    found["fingers from the tip to the base"] = np.concatenate((hand[:1], fingers[:, ::-1].ravel()))
    if count == 26:
        found["the order webxr25 with the palm at the end"] = WEBXR_TO_21
    if count == 25:
        found["the order openxr26 without its last joint"] = np.minimum(OPENXR_TO_21, 24)
        found["the order webxr25 with the wrist at the end"] = np.where(hand == 0, 24, hand - 1)
    if count == 21:
        found["the wrist at the end"] = np.where(hand == 0, 20, hand - 1)
    return found


class JointsReader:
    """Joints of both hands, instant by instant -> HandFrames; tracks are numbered, mistakes are found.

    Args:
        layout: how the joints are given.
        check: look for mistakes; False for hands that are not shaped as people's are.
    """

    def __init__(self, layout: Layout | None = None, *, check: bool = True) -> None:
        self.layout, self.check = layout or Layout(), check
        self._tracks, self._next = [-1, -1], 0
        self._seen: list[list[tuple[float, float, float]]] = [[], []]
        self._mistake: JointsError | None = None

    def read(self, t_ns: int, hands: Sequence[Any], confidence: Sequence[float] = (1.0, 1.0)) -> HandFrame:
        """One instant: joints [count,3] of the left and the right hand, None where it is not seen.

        A hand with a joint that is not finite, or with all joints in one place, is not seen either.
        Raises SourceError for another number of joints, JointsError for joints that cannot be what is said of them:
        from then on at every frame, for nothing that they say can be trusted.
        """
        if self._mistake is not None:
            raise self._mistake
        frame = HandFrame(t_ns=t_ns)
        for slot, joints in enumerate(hands):
            marks = None if joints is None else self.layout.landmarks(joints)
            if marks is None or not np.isfinite(marks).all() or palm_length(marks) < 1e-6:
                self._tracks[slot] = -1
                continue
            if self._tracks[slot] < 0:
                self._tracks[slot], self._next = self._next, self._next + 1
            self._judge(slot, marks, joints)
            frame.world[slot], frame.wrist[slot] = marks - marks[0], marks[0]
            frame.presence[slot], frame.track_id[slot] = np.clip(confidence[slot], 0.0, 1.0), self._tracks[slot]
        return frame

    def _judge(self, slot: int, marks: Array, joints: Any) -> None:
        """Raises JointsError when the first `JUDGED` frames of a hand, taken together, contradict what is said."""
        seen = self._seen[slot]
        if not self.check or len(seen) >= JUDGED:
            return
        seen.append((float(palm_length(marks)), float(misfit(marks)), float(side(marks))))
        if len(seen) == JUDGED:
            length, odd, which = np.median([s[0] for s in seen]), np.median([s[1] for s in seen]), [s[2] for s in seen]
            try:
                self._say(slot, float(length), float(odd), float(np.sign(which).sum()), joints)
            except JointsError as mistake:
                self._mistake = mistake
                raise

    def _say(self, slot: int, length: float, odd: float, votes: float, joints: Any) -> None:
        self._check_order(slot, odd, joints)
        if not PALM_M[0] <= length <= PALM_M[1]:
            raise JointsError(self._about_units(slot, length), "units")
        said = 1 if slot else -1
        if votes * said <= -JUDGED * 2 / 3:
            raise JointsError(
                f"The hand that is called {HANDS[slot]} is a {HANDS[1 - slot]} one by its shape: exchange left and "
                f"right, or, if the joints come from an engine with left-handed axes, name them (axes unity or "
                f"unreal; found {self.layout.axes}).",
                "side",
            )

    def _check_order(self, slot: int, odd: float, joints: Any) -> None:
        given = np.asarray(joints, np.float64)
        fits = {name: float(misfit(given[picks])) for name, picks in _wrong_orders(self.layout.order).items()}
        best = min(fits, key=lambda name: fits[name])
        found = fits[best] + BETTER < odd
        if found or odd > NO_HAND:
            hint = f"they look like {best}" if found and fits[best] < NO_HAND else "no order that is known fits them"
            raise JointsError(
                f"The joints of the {HANDS[slot]} hand are not in the order {self.layout.order}, by the lengths of "
                f"its bones; {hint}.",
                "order",
            )

    def _about_units(self, slot: int, length: float) -> str:
        metres = length / UNITS[self.layout.units]
        fits = [name for name, factor in UNITS.items() if PALM_M[0] <= metres * factor <= PALM_M[1]]
        hint = f"the unit is probably {fits[0]}" if fits else "give metres"
        return (
            f"The {HANDS[slot]} hand measures {length:.3g} m from wrist to middle knuckle, a person's 0.05 to 0.13: "
            f"the joints were read in the unit {self.layout.units}; {hint}."
        )
