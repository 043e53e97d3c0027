"""Landmarks -> score by joint angles and contacts, no learning: baseline, fallback and annotator.

Each hand's pose is cut into monotone runs (`edge.channels`), and the runs of a phrase are composed to
events (`edge.compose`). Causal: a frame is read once, and the reading never depends on how frames were
grouped into calls.
"""

from __future__ import annotations

import math

from edge.atoms import Atom, RuleSettings
from edge.channels import Channel, ChannelSettings
from edge.compose import compose
from edge.features import Pose, PoseReader
from edge.hands.frame import LEFT, RIGHT, Array, HandFrame
from edge.score import HANDS, FingerEvent, Score, order
from edge.sidecontact import SideContact

#: A hand unseen for this long begins anew: its next pose is not compared with its last.
FORGET_S = 0.35
#: Channel settings by quantity. `leave` is about three times the jitter of tracked landmarks (bends 3-5
#: degrees, reaches 0.03-0.05 palm lengths on rendered-and-tracked clips).
_BEND = ChannelSettings(leave=14.0, turn=14.0)
_REACH = ChannelSettings(leave=0.12, turn=0.12)
_SPREAD = ChannelSettings(leave=6.0, turn=6.0, smooth_s=0.06)
_ROLL = ChannelSettings(leave=14.0, turn=14.0, smooth_s=0.05)
_PLACE = ChannelSettings(leave=0.25, turn=0.2, base_s=0.6)
_DEPTH = ChannelSettings(leave=0.6, turn=0.5, base_s=0.6, smooth_s=0.08)
#: No hand moves faster (palm lengths a second; the fastest swipes reach 12): the tracker has taken another hand
#: for this one. Judged over a thirtieth of a second at least, so that jitter at a high rate is no leap.
LEAP_PER_S, LEAP_LEAST_S = 30.0, 1 / 30
#: A tracker that has just found a hand still moves its landmarks into place for this long.
SETTLE_S = 0.25
#: time constant over which the tracker's presence score is followed
_PRESENCE_S = 0.3


class HandRules:
    """The channels of one hand, and the atoms of the running phrase."""

    def __init__(self, slot: int, settings: RuleSettings, reader: PoseReader) -> None:
        self.hand = HANDS[slot]
        self.slot = slot
        self.reader = reader
        self.settings = settings
        self.atoms: list[Atom] = []
        self._last: Pose | None = None
        #: fingers that the phrases spoken so far left on the thumb
        self.touching: set[str] = set()
        self.side = SideContact(settings)
        #: in the order in which `push` reads their values
        self.channels: dict[tuple[str, int], Channel] = {("bend", f): Channel(_BEND) for f in range(5)}
        self.channels |= {("reach", f): Channel(_REACH) for f in range(1, 5)}
        self.channels |= {("spread", f): Channel(_SPREAD) for f in range(1, 4)}
        self.channels |= {("roll", -1): Channel(_ROLL), ("x", -1): Channel(_PLACE), ("y", -1): Channel(_PLACE)}
        self.channels["z", -1] = Channel(_DEPTH)
        self.restart()

    def restart(self) -> None:
        """Forget poses (the hand was lost): what was under way is closed as it stands; atoms of the phrase stay."""
        self.flush()
        self.reader.forget(self.slot)
        self._roll = 0.0
        self._since = math.inf
        self._presence = 1.0
        self._doubt = 1.0
        self._last = None
        self.touching = set()
        for channel in self.channels.values():
            channel.reset()
        self.side.reset()

    def moved_at(self) -> float:
        """When anything that the rules could name last made way, seconds; -inf when all is still."""
        newest = self.side.moved_at
        for (kind, _), channel in self.channels.items():
            run = channel.progress()
            if run is not None and abs(run.change) >= self._moves(kind):
                newest = max(newest, channel.progressed_at)
        return newest

    def _moves(self, kind: str) -> float:
        s = self.settings
        return {
            "bend": 0.8 * s.thumb_bend_min,
            "reach": s.reach_change,
            "spread": s.spread_min,
            "roll": s.roll_min,
            "z": s.swipe_depth_min,
        }.get(kind, s.wave_min)

    def push(self, pose: Pose, presence: float = 1.0) -> None:
        """Read one pose, and how sure the tracker is of it (0..1)."""
        if self._last is not None and _broken(self._last, pose):
            self.restart()
        last = self._last
        if last is not None and last.place_from != pose.place_from:
            for kind in "xyz":  # another origin and unit: no motion
                self.channels[kind, -1].reset()
        self._weigh(pose.t, presence)
        self._last = pose
        self._since = min(self._since, pose.t)
        if pose.t - self._since < SETTLE_S:
            for channel in self.channels.values():
                channel.reset()
            return
        if last is not None:
            self._roll += _turn(last.axes, pose.axes)
        t = pose.t
        bends = tuple(pose.bend.tolist())
        reaches = _reaches(pose)
        spread = pose.spread.tolist()
        values = (*bends, *reaches, *spread[1:], self._roll, *pose.place.tolist())
        for ((kind, finger), channel), value in zip(self.channels.items(), values, strict=True):
            run = channel.push(t, value)
            if run is not None:
                self.atoms.append(Atom(kind, finger, run, bends, reaches, doubt=self._doubt))
        touch = self.side.push(pose, bends, reaches)
        if touch is not None:
            self.atoms.append(touch)

    def _weigh(self, t: float, presence: float) -> None:
        """Follow the tracker's presence score: below `doubt_from` its bends are off by 40 degrees, not 25.

        Measured on rendered clips: median bend error by presence decile 41, 37, 27, 24, 26, 27 degrees; share of
        frames with more than 45 degrees 0.42, 0.36, 0.30, 0.20, 0.03, 0.04.
        """
        s = self.settings
        dt = t - self._last.t if self._last is not None else 0.0
        self._presence += (presence - self._presence) * (dt / (dt + _PRESENCE_S) if self._last is not None else 1.0)
        self._doubt = min(1.0 + s.doubt_gain * max(0.0, s.doubt_from - self._presence), s.doubt_most)

    def remember(self, spoken: Score) -> None:
        """Keep in mind what a spoken phrase left on the thumb."""
        for event in order(spoken):
            self.touching = _after(self.touching, event)

    def flush(self) -> None:
        """Close every open run and touch."""
        if self._last is None:
            return
        bends, reaches = tuple(self._last.bend.tolist()), _reaches(self._last)
        for (kind, finger), channel in self.channels.items():
            run = channel.flush()
            if run is not None:
                self.atoms.append(Atom(kind, finger, run, bends, reaches, doubt=self._doubt))
        touch = self.side.flush(bends, reaches)
        if touch is not None:
            self.atoms.append(touch)

    def score(self, view: str, *, provisional: bool) -> Score:
        """The phrase's events so far; a provisional reading takes the open runs as they stand."""
        atoms = self.atoms
        if provisional and self._last is not None:
            bends, reaches = tuple(self._last.bend.tolist()), _reaches(self._last)
            open_runs = ((k, c.progress()) for k, c in self.channels.items())
            atoms = atoms + [
                Atom(k, f, run, bends, reaches, closed=False, doubt=self._doubt) for (k, f), run in open_runs if run
            ]
        return compose(atoms, self.hand, view, self.settings, self.touching)


def _broken(last: Pose, pose: Pose) -> bool:
    """Whether no motion leads from one pose to the next: a long gap, another source, or a leap through space."""
    if pose.t - last.t > FORGET_S or pose.read_from != last.read_from:
        return True
    if pose.place_from != last.place_from:
        return False
    (x, y, _), (a, b, _) = pose.place.tolist(), last.place.tolist()
    return bool(max(abs(x - a), abs(y - b)) > LEAP_PER_S * max(pose.t - last.t, LEAP_LEAST_S))


def _after(touching: set[str], event: FingerEvent) -> set[str]:
    """Which fingers are on the thumb after an event."""
    if event.motion == "pinch":
        return touching | set(event.fingers)
    if event.motion in ("release", "extend", "tap", "flick"):
        return touching - set(event.fingers)
    return set() if event.motion in ("open", "grab", "point") else touching


def _reaches(pose: Pose) -> tuple[float, ...]:
    """Thumb-to-fingertip distances: the mean of 3D and image distance where both exist.

    A monocular tracker's depth is its weakest axis: fingertips that touch may be 0.3 palm lengths apart in
    its z, but never in the image.
    """
    reach = pose.reach.tolist()
    image = pose.reach_image.tolist()
    return tuple(r if i != i else 0.5 * (r + min(r, i)) for r, i in zip(reach, image, strict=True))


def _turn(before: Array, now: Array) -> float:
    """Rotation about the forearm's axis (wrist -> middle knuckle) between two palm frames, degrees; + = cw.

    + is the right-handed sense about that axis in camera axes (x right, y down, z away), which the person
    sees as clockwise when looking along the forearm.
    """
    (x, d, _), (y, e, _), (z, f, _) = now.tolist()
    (_, a, _), (_, b, _), (_, c, _) = before.tolist()
    along = a * x + b * y + c * z
    a, b, c = a - along * x, b - along * y, c - along * z
    sine = x * (b * f - c * e) + y * (c * d - a * f) + z * (a * e - b * d)
    return math.degrees(math.atan2(sine, a * d + b * e + c * f))


class RuleRecogniser:
    """Both hands' rules over a stream. State: channels and the running phrase's atoms.

    `push(frame)` -> poses; `moved_at()` -> when anything last moved; `score(final)` -> the phrase so far;
    `forget(before)` -> drop what was spoken.
    """

    source = "rules"

    def __init__(self, settings: RuleSettings | None = None, view: str = "facing", mirrored: bool = False) -> None:
        self.settings = settings or RuleSettings()
        self.view = view
        self.mirrored = mirrored
        self.reset()

    def reset(self) -> None:
        """A new stream."""
        self._reader = PoseReader(self.mirrored)
        self._hands = tuple(HandRules(slot, self.settings, self._reader) for slot in (LEFT, RIGHT))
        self._tracks = [-1, -1]

    def push(self, frame: HandFrame) -> tuple[Pose | None, Pose | None]:
        """Read one frame; returns the poses that it held."""
        for slot, track in enumerate(frame.track_id.tolist()):
            if track != self._tracks[slot] and frame.present(slot):
                self._hands[slot].restart()
                self._tracks[slot] = track
        poses = self._reader.read(frame)
        for slot, pose in enumerate(poses):
            if pose is not None:
                self._hands[slot].push(pose, frame.presence.item(slot))
        return poses

    def moved_at(self) -> float:
        """When a hand last made way, seconds; -inf when both are still."""
        return max(rules.moved_at() for rules in self._hands)

    def score(self, *, final: bool) -> Score:
        """Events of the running phrase, both hands, in order of time."""
        events: list[FingerEvent] = []
        for rules in self._hands:
            if final:
                rules.flush()
            own = rules.score(self.view, provisional=not final)
            if final:
                rules.remember(own)
            events += own
        return order(events)

    def certainty(self, confidence: float) -> float:
        """Rules know no better."""
        return confidence

    def words(self) -> tuple[str, float] | None:
        """The rules have no words of their own."""
        return None

    @property
    def atoms(self) -> int:
        """How many runs the phrase holds: when it has not changed, neither has the score's closed part."""
        return sum(len(rules.atoms) for rules in self._hands)

    def forget(self, before: float = math.inf) -> None:
        """Drop the runs that ended before this time (seconds): they were spoken, or too small to be."""
        for rules in self._hands:
            rules.atoms = [a for a in rules.atoms if a.run.end >= before]
