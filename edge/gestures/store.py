"""The gestures that a bundle knows beyond the motions: by sentence, by examples, by shape. One file, `gestures.json`.

Vectors belong to one student: the store names its weights, and is refused beside others.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import SHIPPED, Bundle, canonical, manifest_digest
from edge.bundle_files import MANIFEST, open_files, zipped
from edge.bundle_signature import SIGNATURE
from edge.errors import BundleError, FigopError, SinkError
from edge.files import write_whole
from edge.gestures.reader import READER_FILE, Reader
from edge.gestures.sentence import events_of
from edge.gestures.shapes import Shape
from edge.score import Score

Array = NDArray[np.float32]

STORE, READER, HEAD = "gestures.json", "gesture_reader.npz", "gesture_head.npz"
STORE_SCHEMA = 2
#: from which on examples are described as they are now (`edge.gestures.likeness`)
_DESCRIBED = 2
KINDS = ("sentence", "examples", "shape")
BUILTIN = Path(__file__).with_name("builtin.json")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class GestureError(FigopError):
    """A gesture that cannot be added, found or removed."""


@dataclass(frozen=True, slots=True, eq=False)
class Gesture:
    """One gesture.

    Attributes:
        name: its label. kind: one of `KINDS`. threshold: score from which it is one, 0..1.
        sentence: what it says (kind "sentence"). typical: log score of other motions, which its own is held against.
        shape: the pose (kind "shape").
        examples [N,K]: unit vectors of what was shown (kind "examples").
        description: the four dimensions in words, where somebody wrote them.
    """

    name: str
    kind: str
    threshold: float
    sentence: str = ""
    typical: float = 0.0
    shape: Shape | None = None
    examples: Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    description: Mapping[str, str] = field(default_factory=dict)

    def events(self, hand: str = "right") -> Score:
        """What its sentence says."""
        return events_of(self.sentence, hand)

    def to_dict(self) -> dict[str, Any]:
        """As stored."""
        out: dict[str, Any] = {"name": self.name, "kind": self.kind, "threshold": round(self.threshold, 4)}
        if self.sentence:
            out["sentence"] = self.sentence
        if self.typical:
            out["typical"] = round(self.typical, 4)
        if self.shape is not None:
            out["shape"] = {k: getattr(self.shape, k) for k in self.shape.__slots__ if getattr(self.shape, k)}
        if len(self.examples):
            out["examples"] = np.round(self.examples.astype(float), 5).tolist()
        if self.description:
            out["description"] = dict(self.description)
        return out


@dataclass(frozen=True, slots=True, eq=False)
class GestureStore:
    """All gestures of a bundle. weights: digest of the student that its vectors belong to, "" = none of them has."""

    gestures: tuple[Gesture, ...] = ()
    weights: str = ""

    def __iter__(self) -> Any:
        return iter(self.gestures)

    def __len__(self) -> int:
        return len(self.gestures)

    @property
    def names(self) -> list[str]:
        return [g.name for g in self.gestures]

    def get(self, name: str) -> Gesture:
        """Raises GestureError."""
        for gesture in self.gestures:
            if gesture.name == name:
                return gesture
        known = ", ".join(self.names) or "none"
        raise GestureError(f"The bundle has no gesture {name!r}; it has {known}.")

    def add(self, gesture: Gesture) -> GestureStore:
        """With one more. Raises GestureError for a name that is taken or cannot be one."""
        if not _NAME.fullmatch(gesture.name):
            raise GestureError(
                "A gesture's name is lower case letters, digits and _, 40 at most and a letter first; "
                f"found {gesture.name!r}."
            )
        if gesture.name in self.names:
            raise GestureError(f"The bundle has a gesture {gesture.name!r} already: choose another name, or remove it.")
        return replace(self, gestures=(*self.gestures, gesture))

    def remove(self, name: str) -> GestureStore:
        """Without one. Raises GestureError."""
        gone = self.get(name)
        return replace(self, gestures=tuple(g for g in self.gestures if g is not gone))

    def to_bytes(self) -> bytes:
        """As stored."""
        return canonical(
            {"schema": STORE_SCHEMA, "weights": self.weights, "gestures": [g.to_dict() for g in self.gestures]}
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> GestureStore:
        """Read and check. Raises BundleError."""
        try:
            raw = json.loads(data)
            if raw["schema"] > STORE_SCHEMA:
                raise BundleError(
                    f"{STORE} is of schema {raw['schema']}, and this figop reads up to {STORE_SCHEMA}: update figop."
                )
            gestures = tuple(_gesture(row) for row in raw["gestures"])
            older = raw["schema"] < _DESCRIBED and any(g.kind == "examples" for g in gestures)
            store = cls((), "another description" if older else str(raw["weights"]))
            for gesture in gestures:
                store = store.add(gesture)
        except BundleError:
            raise
        except FigopError as error:
            raise BundleError(f"{STORE} of the bundle is refused: {error}") from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise BundleError(f"{STORE} of the bundle cannot be read: {error!r}.") from error
        return store

    @classmethod
    def of(cls, bundle: Bundle, *, strangers: bool = False) -> GestureStore:
        """A bundle's gestures. Raises BundleError where examples were read by another student or an older figop, unless
        `strangers` are taken too."""
        if STORE not in bundle.files:
            return cls((), bundle.weights_digest)
        store = cls.from_bytes(bundle.read(STORE))
        # an exported bundle says whose weights it quantised; its gate heard these gestures
        known = (bundle.weights_digest, bundle.built.get("from", {}).get("weights"))
        if store.weights in known:
            return store
        if not any(g.kind == "examples" for g in store):
            return replace(store, weights=bundle.weights_digest)
        if not strangers:
            raise BundleError(
                f"The gestures of the bundle {bundle.name} were enrolled with another student, or by an older figop: "
                "remove them (figop gesture remove NAME) and enrol them again."
            )
        return store


def _gesture(row: Mapping[str, Any]) -> Gesture:
    kind = row["kind"]
    threshold = float(row["threshold"])
    if kind not in KINDS or not 0 <= threshold <= 1:
        raise BundleError(f"{STORE} of the bundle is refused: {row.get('name')!r} has the kind {kind!r}, {threshold}.")
    examples = np.asarray(row.get("examples", np.zeros((0, 0))), np.float32)
    if kind == "examples" and (examples.ndim != 2 or not len(examples) or not np.isfinite(examples).all()):
        raise BundleError(f"{STORE} of the bundle is refused: {row['name']!r} has no examples.")
    shape = Shape.from_dict(row["shape"]) if kind == "shape" else None
    gesture = Gesture(
        str(row["name"]), kind, threshold, str(row.get("sentence", "")), float(row.get("typical", 0.0)), shape,
        examples, row.get("description", {}),
    )  # fmt: skip
    if kind == "sentence":
        gesture.events()
    return gesture


def reader_of(bundle: Bundle) -> Reader | None:
    """The bundle's finger reader; None where it has none."""
    return Reader.from_bytes(bundle.read(READER)) if READER in bundle.files else None


def builtin() -> list[dict[str, Any]]:
    """The built-in set's rows, rest among them."""
    rows: list[dict[str, Any]] = json.loads(BUILTIN.read_text(encoding="utf-8"))["gestures"]
    return rows


def write(bundle: Bundle, files: Mapping[str, bytes], output: Path | None = None) -> Path:
    """A bundle with other gesture files, in place or as another folder or `.figop`; returns where it is.

    Raises GestureError for a bundle that came with figop and no output, SinkError where nothing can be written: the
    bundle is untouched then. A signature does not hold any more and is left out.
    """
    target = output or bundle.path
    if output is None and bundle.path.parent == SHIPPED:
        raise GestureError(
            f"{bundle.name} came with figop and stays as it is: name a bundle to write with -o FILE.figop."
        )
    if output is not None and output.exists() and output.resolve() != bundle.path.resolve():
        raise GestureError(f"{output} is there already and is not overwritten: name another file.")
    with open_files(bundle.path) as held:
        manifest: dict[str, Any] = json.loads(held.read(MANIFEST))
        contents = {n: held.read(n) for n in held.names() if n not in (MANIFEST, SIGNATURE)}
    if STORE in files and READER not in contents:
        # gestures are read with the finger reader that they were defined with
        files = {**files, READER: READER_FILE.read_bytes()}
    for name, data in files.items():
        contents[name] = data
        manifest["files"][name] = {
            "sha256": hashlib.sha256(data).hexdigest(),
            "bytes": len(data),
            "licence": "Apache-2.0",
            "origin": "figop gesture",
        }
    manifest["digest"] = manifest_digest(manifest)
    contents[MANIFEST] = canonical(manifest)
    try:
        if target.suffix == ".figop":
            write_whole(target, zipped(contents))
        else:
            for name, data in sorted(contents.items(), key=lambda item: item[0] == MANIFEST):
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                write_whole(target / name, data)
            (target / SIGNATURE).unlink(missing_ok=True)
    except OSError as error:
        raise SinkError(f"The bundle {target} could not be written: {error.strerror or error}.") from error
    return target
