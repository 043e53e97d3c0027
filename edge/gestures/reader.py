"""What every finger does, read by one small network that all fingers share: nothing in it knows which finger it reads.

A finger is seen from its own knuckle, with the thumb beside it. What the network learnt of an index finger that taps
the thumb it therefore says of a ring finger too, and of a thumb that slides along any finger: combinations that nobody
performed in training are read as well as their parts. A label's vector is the sum of its attributes' vectors; these
come from a text network that stays on the training side (`export.gestures.guidance`).
"""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import BundleError
from edge.score import FINGERS, FingerEvent

Array = NDArray[np.float32]

READER_SCHEMA = 2
#: motions of fingers that the student alone reads: on the built-in set's simulated performances the reader took top-1
#: of thumb swipes and knobs from 44 to 15 %
UNHEARD = ("swipe", "rotate")
#: parts that a span's description is cut into
PARTS = 3
#: what bundles with gestures are given
READER_FILE = Path(__file__).with_name("reader.npz")
#: numbers of a part of a hand, as `edge.model_features` gives them
FEATURES = 54
#: numbers of a token: the finger itself, the thumb beside it, the other long fingers' mean, the palm
_OWN = [*range(12, 28), *range(42, 54)]
_BESIDE = [12, 13, 14, 17, 18, 19, 24, 42, 43, 44, 45, 46, 47]
_OTHERS = [12, 13, 14, 17, 18, 19, 23, 42, 43, 44, 45, 46, 47]
_PALM = [*range(30), *range(30, 41)]
TOKEN = 18 + len(_OWN) + len(_BESIDE) + len(_OTHERS) + len(_PALM)
#: what a thumb is beside: any of the long fingers
ANY = "finger"
#: a finger's motion without the finger: (motion, direction, contact)
Label = tuple[str, str, str]
NOTHING: Label = ("", "", "")
#: of a finger, of the thumb on a finger, of the hand as a grasp, of the wrist
LISTS = ("own", "touched", "grasp", "wrist")


def tokens(features: Array) -> Array:
    """Features [...,6,54] of a hand (`edge.model_features`) -> tokens [...,5,TOKEN], thumb first."""
    fingers, palm = features[..., :5, :], features[..., 5:, :]
    out = np.zeros((*features.shape[:-2], 5, TOKEN), np.float32)
    for k, at in enumerate((0, 30)):
        joints = fingers[..., at + 3 : at + 12].reshape(*fingers.shape[:-1], 3, 3) - fingers[..., None, at : at + 3]
        out[..., 9 * k : 9 * k + 9] = joints.reshape(*fingers.shape[:-1], 9)
    a = 18 + len(_OWN)
    out[..., 18:a] = fingers[..., _OWN]
    b = a + len(_BESIDE)
    out[..., 1:, a:b] = fingers[..., :1, _BESIDE]
    c = b + len(_OTHERS)
    long = fingers[..., 1:, _OTHERS]
    total = long.sum(axis=-2, keepdims=True)
    out[..., :1, b:c] = total / 4
    out[..., 1:, b:c] = (total - long) / 3
    out[..., c:] = palm[..., _PALM]
    return out


def label_of(event: FingerEvent) -> Label:
    """An event without its fingers: (motion, direction, contact)."""
    return event.motion, event.direction, ANY if event.contact in FINGERS[1:] else event.contact


class Reader:
    """Weights of the network, and where what it says stands in one row of probabilities.

    Args:
        arrays, about: as `export.gestures.guidance` writes them; `about` holds the lists of labels (`LISTS`, the first
            of each is nothing), `motions` and `contacts` that have vectors, and the `dilations`.

    A row [width] holds, one after another: every finger's labels, what the thumb does on every finger, the hand as a
    grasp, the wrist.
    """

    def __init__(self, arrays: Mapping[str, Array], about: Mapping[str, Any]) -> None:
        self.arrays, self.about = dict(arrays), dict(about)
        self.labels: dict[str, list[Label]] = {n: [tuple(x) for x in about[n]] for n in LISTS}
        self.dilations = [int(d) for d in about["dilations"]]
        #: vectors of the fingers' labels [D,L], and of the thumb's on a finger
        self.own, self.touched = (self._vectors(n).T.copy() for n in LISTS[:2])
        self.first = _folded(self.arrays["enter"])
        #: ticks that one answer looks back
        self.reach = 1 + (self.arrays["taps"].shape[1] - 1) * sum(self.dilations)
        sizes = [len(self.labels[n]) * (5 if n in LISTS[:2] else 1) for n in LISTS]
        edges = np.cumsum([0, *sizes]).tolist()
        self.slices = {n: slice(a, z) for n, a, z in zip(LISTS, edges[:-1], edges[1:], strict=True)}
        self.width = edges[-1]

    def _vectors(self, name: str) -> Array:
        """Vectors of a list's labels [L,D]: each the sum of its attributes' and of what its class adds."""
        rows = self.arrays[name].copy()
        if "bank_motion" in self.arrays:
            for k, (motion, way, contact) in enumerate(self.labels[name][1:], 1):
                rows[k] += self.arrays["bank_motion"][self.about["motions"].index(f"{motion} {way}".strip())]
                rows[k] += self.arrays["bank_contact"][self.about["contacts"].index(contact or "nothing")]
        return rows

    def columns(self, event: FingerEvent) -> list[int]:
        """Where in a row an event's parts stand, each finger's; empty where nothing reads it."""
        label = label_of(event)
        if not event.fingers:
            for n in LISTS[2:]:
                if label in self.labels[n]:
                    return [self.slices[n].start + self.labels[n].index(label)]
            return []
        if label not in self.labels["own"] or event.motion in UNHEARD:
            return []
        size, out = len(self.labels["own"]), []
        for finger in event.fingers:
            out.append(size * FINGERS.index(finger) + self.labels["own"].index(label))
            if finger == FINGERS[0] and event.contact in FINGERS[1:] and label in self.labels["touched"]:
                row = FINGERS.index(event.contact) * len(self.labels["touched"])
                out.append(self.slices["touched"].start + row + self.labels["touched"].index(label))
        return out

    def quiet(self) -> list[int]:
        """Where a row says that nothing happens: every finger, the grasp, the wrist."""
        own = [len(self.labels["own"]) * f for f in range(5)]
        return [*own, self.slices["grasp"].start, self.slices["wrist"].start]

    def to_bytes(self) -> bytes:
        """As one .npz, the same bytes for the same numbers."""
        packed = io.BytesIO()
        about = json.dumps({**self.about, "schema": READER_SCHEMA}, sort_keys=True)
        arrays = {n: self.arrays[n].astype(np.float16) for n in sorted(self.arrays)}
        np.savez_compressed(packed, about=np.asarray(about), **arrays)  # type: ignore[arg-type]
        return packed.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> Reader:
        """Read and check. Raises BundleError."""
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as stored:
                about = json.loads(str(stored["about"]))
                arrays = {n: stored[n].astype(np.float32) for n in stored.files if n != "about"}
            width = arrays["enter"].shape
            known = int(about["schema"]) == READER_SCHEMA and width[0] == TOKEN
            fits = all(len(arrays[n]) == len(about[n]) for n in LISTS[:2])
            fits = fits and all(arrays[f"{n}_out"].shape == (2 * width[1], len(about[n])) for n in LISTS[2:])
            reader = cls(arrays, about)  # every label finds its attributes' vectors
            fits = fits and arrays["metric"].shape[0] == len(arrays["metric_mean"]) == PARTS * reader.width
        except Exception as error:  # a damaged archive raises anything
            raise BundleError(f"The finger reader of the bundle cannot be read: {error}.") from error
        if not known or not fits or any(not np.isfinite(a).all() for a in arrays.values()):
            raise BundleError(
                "The finger reader of the bundle is of a kind that this figop does not know: update figop."
            )
        return cls(arrays, about)

    def describe(self, rows: Array) -> Array:
        """A span's rows [T,width] as a unit vector, in which performances of one motion lie close together.

        Three parts of its time, so that what comes first and what comes last are told apart; then a learned change of
        coordinates that makes little of how persons, views and trackers differ (`export.gestures.metric`).
        """
        x = (parts_of(rows) - self.arrays["metric_mean"]) @ self.arrays["metric"]
        return np.asarray(x / max(float(np.linalg.norm(x)), 1e-6), np.float32)

    def start(self, features: Array) -> Array:
        """Features [...,6,54] -> what the first layer makes of them [...,5,W]."""
        return np.maximum(_entered(features, self.first) + self.arrays["enter_bias"], 0)

    def say(self, h: Array) -> Array:
        """The last layer [...,5,W] -> a row of probabilities [...,width]."""
        a = self.arrays
        own = _softmax((h @ a["own_say"] + a["own_say_bias"]) @ self.own)
        touched = _softmax((h @ a["touched_say"] + a["touched_say_bias"]) @ self.touched)
        pooled = np.concatenate((h.mean(axis=-2), h.max(axis=-2)), axis=-1)
        whole = [_softmax(pooled @ a[f"{n}_out"] + a[f"{n}_out_bias"]) for n in LISTS[2:]]
        flat = [x.reshape(*x.shape[:-2], -1) for x in (own, touched)]
        return np.asarray(np.concatenate((*flat, *whole), axis=-1), np.float32)

    def read(self, features: Array) -> Array:
        """A whole clip at once: one hand's features [T,6,54] -> rows [T,width], each of `LAG` ticks before."""
        a = self.arrays
        h = self.start(features)
        last = a["taps"].shape[1] - 1
        for i, d in enumerate(self.dilations):
            past = np.concatenate((np.zeros((last * d, *h.shape[1:]), np.float32), h))
            u = sum(past[k * d : k * d + len(h)] * a["taps"][i, k] for k in range(last + 1)) + a["taps_bias"][i]
            h = np.maximum(h + np.maximum(u, 0) @ a["point"][i] + a["point_bias"][i], 0)
        return self.say(h)


@cache
def shipped() -> Reader:
    """The reader that comes with figop."""
    return Reader.from_bytes(READER_FILE.read_bytes())


class FingerReader:
    """Runs a reader over one hand, a tick at a time."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.reset()

    def reset(self) -> None:
        """Another hand, or a new stream."""
        a = self.reader.arrays
        width = a["enter"].shape[1]
        self._lines = [
            np.zeros(((a["taps"].shape[1] - 1) * d + 1, 5, width), np.float32) for d in self.reader.dilations
        ]
        self._ticks = 0

    def push(self, features: Array) -> Array:
        """A hand's features [6,54] of the next tick -> its row [width], of `LAG` ticks before."""
        a = self.reader.arrays
        h = self.reader.start(features)
        taps, last = a["taps"], a["taps"].shape[1] - 1
        for i, (d, line) in enumerate(zip(self.reader.dilations, self._lines, strict=True)):
            line[self._ticks % len(line)] = h
            u = h * taps[i, last] + a["taps_bias"][i]
            for k in range(last):
                u += line[(self._ticks - d * (last - k)) % len(line)] * taps[i, k]
            h = np.maximum(h + np.maximum(u, 0) @ a["point"][i] + a["point_bias"][i], 0)
        self._ticks += 1
        return self.reader.say(h)


def parts_of(rows: Array) -> Array:
    """What a span's rows [T,P] say in each of its parts [PARTS * P], as roots: small probabilities count too."""
    cuts = np.linspace(0, len(rows), PARTS + 1).round().astype(int)
    cuts[1:] = np.maximum(cuts[1:], cuts[:-1] + 1)
    spans = [slice(min(a, len(rows) - 1), max(z, 1)) for a, z in itertools.pairwise(cuts.tolist())]
    return np.concatenate([np.sqrt(rows[s].mean(axis=0)) for s in spans])


def _folded(enter: Array) -> Array:
    """`tokens` is linear: its numbers and the first layer as one matrix [54,4W] over the parts of a hand, for the
    finger itself, for it as one of the others, as the thumb beside another, and as the palm."""
    a, b = 18 + len(_OWN), 18 + len(_OWN) + len(_BESIDE)
    c = b + len(_OTHERS)
    out = np.zeros((4, FEATURES, enter.shape[1]), np.float32)
    for k, at in enumerate((0, 30)):
        joints = enter[9 * k : 9 * k + 9]
        out[0, at + 3 : at + 12] += joints
        out[0, at : at + 3] -= joints.reshape(3, 3, -1).sum(axis=0)
    out[0, _OWN] += enter[18:a]
    out[1, _OTHERS] += enter[b:c]
    out[2, _BESIDE] += enter[a:b]
    out[3, _PALM] += enter[c:]
    return np.ascontiguousarray(out.transpose(1, 0, 2).reshape(FEATURES, -1))


def _entered(features: Array, first: Array) -> Array:
    """`tokens(features) @ enter` [...,5,W] of a hand's features [...,6,54]."""
    width = first.shape[1] // 4
    y = features @ first
    itself, other, thumb, palm = (y[..., k * width : (k + 1) * width] for k in range(4))
    long = other[..., 1:5, :]
    total = long.sum(axis=-2)
    out = itself[..., :5, :] + palm[..., 5:, :]
    out[..., 0, :] += total / 4
    out[..., 1:, :] += (total[..., None, :] - long) / 3 + thumb[..., :1, :]
    return np.asarray(out)


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))
