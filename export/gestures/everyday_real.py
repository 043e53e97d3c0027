"""Real hands that make none of the ten gestures, as recordings: a potter's markers, and Leap Motion tracks.

Markers hold no whole hand: what is missing lies on the lines between what is there (knuckles between inner and outer
one, outer joints half way to the tip). Used for counting false alarms, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.recording import Recording
from edge.score import HANDS
from export.data.real import leap_tracks

Array = NDArray[Any]

#: frames a second that the potter's data are taken to have; its source states none
POTTERY_FPS = 30.0
#: Leap tracks that hold what one of the ten looks like
NOT_FREE = ("HandSplay",)
#: frames of a recording
LONGEST = 1800


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """t [T] seconds; joints [T,2,21,3] metres, x right, y down, z away from the person; NaN where no hand is."""

    name: str
    t: Array
    joints: Array

    def recording(self) -> Recording:
        """As figop reads it: world and metric wrist, no image."""
        seen = np.isfinite(self.joints).all(axis=(2, 3))
        wrist = self.joints[:, :, 0]
        return Recording(
            t_ns=np.round((self.t - self.t[0]) * 1e9).astype(np.int64),
            landmarks=np.full((len(self.t), 2, 21, 3), np.nan, np.float32),
            world=(self.joints - wrist[:, :, None]).astype(np.float32), wrist=wrist.astype(np.float32),
            presence=seen.astype(np.float32), track_id=np.where(seen, 0, -1).astype(np.int32), view="egocentric",
        )  # fmt: skip


def leap(folder: Path) -> Iterator[Track]:
    """The tracks of `leap_recordings` that show none of the ten; `folder` is that set's."""
    for track in leap_tracks(folder.parent):
        if not any(n in track.file for n in NOT_FREE):
            joints = np.full((len(track.t), 2, 21, 3), np.nan)
            joints[:, HANDS.index(track.hand)] = track.joints
            yield Track(track.file, track.t, joints)


def pottery(folder: Path) -> Iterator[Track]:
    """`shrec24_pottery`, a sequence at a time, in stretches of a minute."""
    with np.load(folder / "pottery.npz", allow_pickle=False) as d:
        markers = d["markers_01mm"].astype(float) * 1e-4
        names = [str(n) for n in d["marker_names"]]
        for i, source in enumerate(d["source_file"]):
            for a in range(int(d["offsets"][i]), int(d["offsets"][i + 1]), LONGEST):
                part = markers[a : min(a + LONGEST, int(d["offsets"][i + 1]))]
                if len(part) > POTTERY_FPS:
                    hands = [_hand({n[1:]: part[:, names.index(n)] for n in names if n[0] == side}) for side in "LR"]
                    yield Track(str(source), np.arange(len(part)) / POTTERY_FPS, np.stack(hands, axis=1))


def _hand(m: dict[str, Array]) -> Array:
    """Markers of one hand -> joints [T,21,3]. Vicon's z points up; the potter looks along its y."""
    wrist = (m["IWR"] + m["OWR"]) / 2
    knuckles = {"IDX": m["IHAND"], "MID": m["MID0"], "RNG": (m["MID0"] + m["OHAND"]) / 2, "PNK": m["OHAND"]}
    out = [wrist, wrist + (m["THM3"] - wrist) * 0.4, m["THM3"], (m["THM3"] + m["THM6"]) / 2, m["THM6"]]
    for finger, knuckle in knuckles.items():
        tip = m[f"{finger}6"]
        middle = m[f"{finger}3"] if f"{finger}3" in m else (knuckle + tip) / 2
        out += [knuckle, middle, (middle + tip) / 2, tip]
    joints = np.stack(out, axis=1)
    return np.stack((joints[..., 0], -joints[..., 2], joints[..., 1]), axis=-1)
