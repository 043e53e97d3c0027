"""The native tracker: MediaPipe's two hand networks in a tracking loop of our own.

A tracked hand costs one run of the landmark network per frame. The palm network, which costs as much again, runs
only when no hand is tracked (every frame) or when another one may be found (every `search_s`).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge.errors import RuntimeUnavailable, SourceError
from edge.hands.frame import HandFrame
from edge.hands.graft import add_output
from edge.hands.identity import SideVote, assign
from edge.hands.landmark import SHARED_FEATURE, LandmarkNetwork, Reading
from edge.hands.networks import HandNetworks, HeldNetworks, locate_networks, sha256
from edge.hands.palm import PALM_JOINTS, Palm, PalmDetector
from edge.hands.position import wrist_position
from edge.hands.roi import Roi, from_landmarks, iou
from edge.runtime import open_session

#: MediaPipe's tracking confidence: the presence below which a hand is lost.
PRESENCE = 0.5
#: Two squares that overlap more are one hand (MediaPipe's association threshold).
_SAME_IOU = 0.5
#: Joints that lie this close on average, in sides of the square, are those of one hand.
_SAME_DISTANCE = 0.15
#: A hand found again this soon and this near (in sides of its old square) keeps its track id and its handedness.
_MEMORY_NS, _NEAR = 500_000_000, 0.75
#: Frames smaller than this hold no hand.
_SMALLEST = 16


@dataclass(slots=True, eq=False)
class _Track:
    id: int
    roi: Roi
    seen_ns: int
    reading: Reading
    vote: SideVote = field(default_factory=SideVote)


class NativeTracker:
    """Implements `edge.hands.frame.HandTracker`.

    Args:
        max_hands: 1 or 2.
        mirrored: the images are a selfie view; `world` and `wrist` are flipped back to the real scene.
        networks: files to use; by default the cached ones of `variant`.
        runtime, threads: see `edge.runtime.open_session`.
        variant: "full" or "lite".
        focal: focal length in pixels for `wrist`; by default the longer image side.
        search_s: with one hand tracked and two allowed, the time between two looks for the other one. At 30 fps
            0.15 looks at every fifth frame, which adds a fifth of a palm run to each frame.

    Raises:
        RuntimeUnavailable: a network or the runtime is missing, or a network is damaged or of another kind.
    """

    def __init__(
        self,
        max_hands: int = 2,
        mirrored: bool = False,
        networks: HandNetworks | HeldNetworks | None = None,
        runtime: str = "litert",
        variant: str = "full",
        *,
        threads: int = 1,
        focal: float | None = None,
        search_s: float = 0.15,
    ) -> None:
        if max_hands not in (1, 2):
            raise ValueError(f"A tracker follows 1 or 2 hands, found {max_hands}.")
        palm, landmark = (networks or locate_networks(variant)).load()
        grafted = landmark
        # a network out of a bundle, or in ONNX, carries the feature as an output, or has none
        if runtime != "onnx" and not isinstance(networks, HeldNetworks):
            try:
                grafted = add_output(landmark, SHARED_FEATURE)
            except RuntimeUnavailable:
                grafted = landmark  # another network: works, without keyframe feature
        self._palm_session = open_session(palm, runtime, threads=threads)
        self._landmark_session = open_session(grafted, runtime, threads=threads)
        self._detector = PalmDetector(self._palm_session)
        self._network = LandmarkNetwork(self._landmark_session)
        self.appearance_digest = sha256(landmark) if self._network.feature_size else ""
        self._max_hands = max_hands
        self._mirrored = mirrored
        self._focal = focal
        self._search_ns = int(search_s * 1e9)
        #: Counts over the tracker's life: palm runs, merged tracks, hands without a slot.
        self.counts = {"detect": 0, "merged": 0, "same_side": 0}
        self._next_id = 0
        self.reset()

    def reset(self) -> None:
        """Forget every hand. Track ids go on counting: an id never means two hands."""
        self._tracks: list[_Track] = []
        self._lost: list[_Track] = []
        self._searched_ns: int | None = None

    def close(self) -> None:
        """Release the networks."""
        self._palm_session.close()
        self._landmark_session.close()

    def __enter__(self) -> NativeTracker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def track(self, rgb: NDArray[np.uint8], t_ns: int, *, appearance: bool = False) -> HandFrame:
        """One frame [H,W,3] uint8 RGB; grey and RGBA frames are taken too. Raises SourceError for anything else."""
        rgb = as_rgb(rgb)
        start = time.perf_counter_ns()
        self._follow(rgb, t_ns, appearance)
        spent = time.perf_counter_ns() - start
        stages = {"landmarks": spent * 1e-6}
        if self._must_search(t_ns):
            detect_ns = self._search(rgb, t_ns, appearance)
            stages = {"detect": detect_ns * 1e-6, "landmarks": (time.perf_counter_ns() - start - detect_ns) * 1e-6}
        return self._frame(rgb, t_ns, appearance, stages)

    def _follow(self, rgb: NDArray[np.uint8], t_ns: int, feature: bool) -> None:
        """Look for every tracked hand where it was."""
        followed: list[_Track] = []
        for track in self._tracks:
            reading = self._read(rgb, track.roi, feature)
            if reading is None:
                self._lost.append(track)
                continue
            self._update(track, reading, t_ns)
            if any(_coincide(reading.landmarks, t.reading.landmarks, t.roi) for t in followed):
                self.counts["merged"] += 1
            else:
                followed.append(track)
        self._tracks = followed
        if self._lost:
            self._lost = [t for t in self._lost if 0 <= t_ns - t.seen_ns <= _MEMORY_NS]

    def _must_search(self, t_ns: int) -> bool:
        if len(self._tracks) >= self._max_hands:
            return False
        if not self._tracks or self._searched_ns is None:
            return True
        # a clock that went backwards counts as due; half a millisecond forgives rounded time stamps
        return not 0 <= t_ns - self._searched_ns < self._search_ns - 500_000

    def _search(self, rgb: NDArray[np.uint8], t_ns: int, feature: bool) -> int:
        """Look for new hands in the whole frame. Returns the nanoseconds that the palm network took."""
        start = time.perf_counter_ns()
        palms = self._detector.detect(rgb)
        spent = time.perf_counter_ns() - start
        self.counts["detect"] += 1
        self._searched_ns = t_ns
        for palm in palms[: self._max_hands + len(self._tracks)]:
            if len(self._tracks) >= self._max_hands:
                break
            self._try(palm, rgb, t_ns, feature)
        return spent

    def _try(self, palm: Palm, rgb: NDArray[np.uint8], t_ns: int, feature: bool) -> None:
        roi = palm.roi
        if any(_on_hand(palm, roi, track) for track in self._tracks):
            return
        reading = self._read(rgb, roi, feature)
        if reading is None:
            return
        if any(_coincide(reading.landmarks, t.reading.landmarks, t.roi) for t in self._tracks):
            self.counts["merged"] += 1
            return
        found = min(self._lost, key=lambda t: _gap(t.roi, roi), default=None)
        if found is not None and _gap(found.roi, roi) < _NEAR:
            self._lost.remove(found)
        else:
            found = _Track(self._next_id, roi, t_ns, reading)
            self._next_id += 1
        self._update(found, reading, t_ns)
        self._tracks.append(found)

    def look(self, rgb: NDArray[np.uint8], roi: Roi) -> Reading | None:
        """What the landmark network reads in this square of a picture, keyframe feature included; keeps nothing."""
        return self._read(rgb, roi, True)

    def _read(self, rgb: NDArray[np.uint8], roi: Roi, feature: bool) -> Reading | None:
        if not roi.inside(rgb.shape[1], rgb.shape[0]):
            return None
        return self._network.read(rgb, roi, threshold=PRESENCE, feature=feature)

    def _update(self, track: _Track, reading: Reading, t_ns: int) -> None:
        right = 1 - reading.side if self._mirrored else reading.side
        track.vote.add(right, (t_ns - track.seen_ns) * 1e-9)
        track.reading = reading
        track.roi = from_landmarks(reading.landmarks)
        track.seen_ns = t_ns

    def _frame(self, rgb: NDArray[np.uint8], t_ns: int, appearance: bool, stages: dict[str, float]) -> HandFrame:
        height, width = rgb.shape[:2]
        size = self._network.feature_size if appearance else 0
        frame = HandFrame(
            t_ns=t_ns,
            appearance=np.full((2, size), np.nan, np.float32) if size else None,
            image_size=(width, height),
            stages_ms=stages,
        )
        focal = self._focal or float(max(width, height))
        # z is relative, in units of width, as MediaPipe has it
        fraction = np.array([1 / width, 1 / height, 1 / width], np.float32)
        for track, slot in zip(self._tracks, assign([t.vote for t in self._tracks]), strict=True):
            if slot < 0:
                self.counts["same_side"] += 1
                continue
            seen = track.reading
            np.multiply(seen.landmarks, fraction, out=frame.landmarks[slot])
            frame.world[slot] = seen.world
            frame.wrist[slot] = wrist_position(seen.landmarks, seen.world, (width / 2, height / 2), focal)
            if self._mirrored:
                frame.world[slot, :, 0] *= -1
                frame.wrist[slot, 0] *= -1
            frame.presence[slot] = seen.presence
            frame.track_id[slot] = track.id
            if frame.appearance is not None and seen.feature is not None:
                frame.appearance[slot] = seen.feature
        return frame


def as_rgb(frame: NDArray[Any]) -> NDArray[np.uint8]:
    """A frame as contiguous RGB [H,W,3] uint8. Grey becomes three channels, a fourth one is dropped."""
    if frame.dtype != np.uint8 or frame.ndim not in (2, 3) or min(frame.shape[:2]) < _SMALLEST:
        raise SourceError(
            f"A frame must be uint8 of at least {_SMALLEST} x {_SMALLEST} pixels, found {frame.dtype} "
            f"{list(frame.shape)}."
        )
    channels = 1 if frame.ndim == 2 else frame.shape[2]
    if channels == 1:
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_GRAY2RGB))
    if channels not in (3, 4):
        raise SourceError(f"A frame must have 1, 3 or 4 channels, found {channels}.")
    return np.ascontiguousarray(frame[:, :, :3])


def _gap(a: Roi, b: Roi) -> float:
    """Distance of two squares' centres, in sides of the first."""
    return float(np.hypot(a.x - b.x, a.y - b.y)) / a.size


def _on_hand(palm: Palm, roi: Roi, track: _Track) -> bool:
    """Whether a palm is that of a tracked hand: the squares overlap, or the palm's points lie on its joints."""
    return iou(roi, track.roi) > _SAME_IOU or _coincide(palm.points, track.reading.landmarks[PALM_JOINTS], track.roi)


def _coincide(a: NDArray[np.float32], b: NDArray[np.float32], roi: Roi) -> bool:
    """Whether joints a and b [N, >=2] are those of one hand; `roi` is the square around b."""
    apart = np.linalg.norm(a[:, :2] - b[:, :2], axis=1).mean()
    return bool(apart < _SAME_DISTANCE * roi.size)
