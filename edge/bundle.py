"""Bundles: one offline folder or `.figop` zip with all that captioning needs, every file with its sha256.

A bundle is read once, into memory, and only what was verified is used afterwards; the network is never
touched. What the manifest says is described in docs/bundle.md; `python -m export.build` writes bundles.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from edge.atoms import RuleSettings
from edge.bundle_files import MANIFEST, MAX_TOTAL_BYTES, open_files, safe_name
from edge.bundle_signature import SIGNATURE, Signature, required_key
from edge.errors import BundleError
from edge.score import MOTIONS

#: Manifests up to this version are read, newer ones refused. 2 = exported for a device (`built`); 1 = all others.
BUNDLE_SCHEMA = 2
DEFAULT_BUNDLE = "figop-base"
#: Who may speak: a bundle whose captions come from anything else needs a newer figop.
CAPTION_SOURCES = ("rules", "model")
#: What a bundle whose captions come from a model must hold, each for one runtime at least.
STUDENT_GRAPHS = ("encoder", "units", "prefill", "step")
#: Hand networks that a bundle may hold; one alone serves nobody.
HAND_GRAPHS = ("palm", "landmark")
#: Formats that a graph may be stored in, and the runtime of each; best first.
GRAPH_RUNTIMES = {"tflite": "litert", "onnx": "onnx"}
GRAPH_FORMATS = tuple(sorted(GRAPH_RUNTIMES))
#: Numbers that cut the stream (see `edge.figop`), in seconds and palm lengths.
PREPROCESSING = ("unit_s", "pose_threshold", "rest_s", "cap_s")

_RULES: Mapping[str, type] = {f.name: type(f.default) for f in fields(RuleSettings)}
SHIPPED = Path(__file__).resolve().parent / "bundles"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a bundle: sha256 (hex), size in bytes, SPDX licence, and where it comes from."""

    sha256: str
    bytes: int
    licence: str
    origin: str


@dataclass(frozen=True, slots=True)
class Network:
    """A hand network that the bundle needs but does not hold: `figop setup` obtains it."""

    name: str
    sha256: str
    licence: str
    origin: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A verified bundle.

    Attributes:
        name, version: of the bundle, not of figop.
        path: the folder or zip it was read from.
        schema: of its manifest.
        source: who speaks first, one of `CAPTION_SOURCES`; a model may have the rules at its side (`speakers`).
        language: of the captions, BCP 47.
        rules: settings of the rules, all of them known.
        labels: motions in the order of their class numbers.
        vocabulary: every word that a caption may contain.
        preprocessing: the numbers of `PREPROCESSING`.
        graphs: model graphs, role -> format -> file; empty while captions come from rules.
        student: how the model reads and speaks (sizes, decoding); empty while captions come from rules.
        networks: hand networks that must be set up.
        appearance_digest: sha256 of the landmark network that keyframe tokens belong to, or "".
        built: what `figop export` did (device, recipe, calibration, verification); empty for other bundles.
        signature: who signed it, None = nobody.
        files: every file but the manifest and the signature.
    """

    name: str
    version: str
    path: Path
    schema: int
    source: str
    language: str
    rules: RuleSettings
    labels: tuple[str, ...]
    vocabulary: tuple[str, ...]
    preprocessing: Mapping[str, float]
    graphs: Mapping[str, Mapping[str, str]]
    student: Mapping[str, Any]
    networks: tuple[Network, ...]
    appearance_digest: str
    built: Mapping[str, Any]
    signature: Signature | None
    files: Mapping[str, FileEntry]
    created: Mapping[str, str] = field(repr=False)
    _contents: Mapping[str, bytes] = field(repr=False, compare=False)

    @classmethod
    def open(cls, name_or_path: str | Path = DEFAULT_BUNDLE, *, signed_by: bytes | None = None) -> Bundle:
        """Read and verify a bundle: a shipped name, a folder, or a `.figop` file. Raises BundleError.

        signed_by: an Ed25519 public key; a bundle that it did not sign is refused. Without it, the key file that
        FIGOP_REQUIRE_SIGNATURE names is asked for of every bundle but those that came with figop.
        """
        path = _find(name_or_path)
        key = signed_by or (None if path.parent == SHIPPED else required_key())
        with open_files(path) as files:
            raw = files.read(MANIFEST)
            manifest = _manifest(raw, path / MANIFEST)
            entries = _entries(manifest, path)
            found = set(files.names()) - {MANIFEST}
            signature = Signature.read(files.read(SIGNATURE), path) if SIGNATURE in found else None
            if key is not None:
                if signature is None:
                    raise BundleError(f"The bundle {path} is not signed, and a signature is required.")
                signature.check(raw, key, path)
            found -= {SIGNATURE}
            for name in sorted(set(entries) - found):
                raise BundleError(f"The bundle {path} is damaged: {name} is missing.")
            for name in sorted(found - set(entries)):
                raise BundleError(f"The bundle {path} is refused: {name} is not in its manifest; remove it.")
            contents = {name: _verified(files.read(name), name, entry, path) for name, entry in entries.items()}
        return _build(manifest, entries, contents, path, signature)

    def read(self, name: str) -> bytes:
        """The verified bytes of one file."""
        if name not in self._contents:
            raise BundleError(f"The bundle {self.name} has no file {name!r}{_nearest(name, self._contents)}.")
        return self._contents[name]

    def graph(self, role: str, format: str) -> bytes:
        """The model graph of a role ("encoder", ...) for a runtime's format."""
        stored = self.graphs.get(role, {})
        if format not in stored:
            raise BundleError(
                f"The bundle {self.name} has no graph {role!r} for {format}; it has "
                f"{', '.join(f'{r} ({f})' for r in self.graphs for f in self.graphs[r]) or 'no graphs'}."
            )
        return self.read(stored[format])

    @property
    def runtime(self) -> str:
        """The runtime that its graphs are for: the first of which it has all."""
        roles = [role for role in self.graphs if role in STUDENT_GRAPHS]
        return next((r for f, r in GRAPH_RUNTIMES.items() if all(f in self.graphs[role] for role in roles)), "litert")

    @property
    def providers(self) -> tuple[str, ...]:
        """Execution providers that it was built for, best first."""
        return tuple(self.built.get("providers", ("cpu",)))

    def hand_networks(self) -> tuple[bytes, bytes] | None:
        """The palm and landmark networks that it holds for its runtime; None where `figop setup` has to."""
        if not all(role in self.graphs for role in HAND_GRAPHS):
            return None
        format = {r: f for f, r in GRAPH_RUNTIMES.items()}[self.runtime]
        return self.graph("palm", format), self.graph("landmark", format)

    @property
    def speakers(self) -> str:
        """Who speaks, in words."""
        both = self.source == "model" and "fallback" in self.student
        return "model, with the rules at its side" if both else self.source

    @property
    def weights_digest(self) -> str:
        """sha256 over the graphs and the description of the student: which model figures are of; "" without one."""
        names = {name for stored in self.graphs.values() for name in stored.values()}
        return weights_digest({name: self.files[name].sha256 for name in names}, self.student) if names else ""

    def check(self) -> list[str]:
        """Read the bundle again from disk and say what holds, a sentence each. Raises BundleError."""
        again = Bundle.open(self.path)
        if again != self:
            raise BundleError(f"The bundle {self.path} has changed since it was opened.")
        size = sum(e.bytes for e in self.files.values())
        return [
            f"{len(self.files)} files, {size} bytes: every digest holds.",
            f"Schema {self.schema} is one that this figop reads (up to {BUNDLE_SCHEMA}).",
            f"All {len(fields(self.rules))} rule settings are known; captions come from {self.speakers}.",
            f"All {len(self.labels)} labels are motions; the vocabulary has {len(self.vocabulary)} words.",
            f"Every file and network states its licence and origin ({len(self.networks)} hand networks).",
            *([f"It was built for {self.built['device']} by the recipe {self.built['recipe']}."] if self.built else []),
            f"It is signed by {self.signature.key}; `--require-signature KEY` checks it."
            if self.signature
            else "It is not signed.",
        ]

    def inspect(self) -> dict[str, Any]:
        """What is in it, as plain types."""
        return {
            "name": self.name,
            "version": self.version,
            "path": str(self.path),
            "schema": self.schema,
            "created": dict(self.created),
            "captions": {
                "source": self.source,
                "speakers": self.speakers,
                "language": self.language,
                "words": len(self.vocabulary),
            },
            "labels": list(self.labels),
            "rules": {f.name: getattr(self.rules, f.name) for f in fields(self.rules)},
            "preprocessing": dict(self.preprocessing),
            "graphs": {role: dict(stored) for role, stored in self.graphs.items()},
            "networks": [_plain(n) for n in self.networks],
            "appearance_digest": self.appearance_digest,
            "built": dict(self.built),
            "signed_by": self.signature.key if self.signature else "",
            "files": {name: _plain(entry) for name, entry in self.files.items()},
        }


def shipped() -> list[str]:
    """Names of the bundles that came with figop."""
    return sorted(p.parent.name for p in SHIPPED.glob(f"*/{MANIFEST}"))


def canonical(value: Any) -> bytes:
    """JSON as bundles store it: sorted, indented, no NaN, one way to write it."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def manifest_digest(manifest: Mapping[str, Any]) -> str:
    """sha256 of a manifest without its own `digest`."""
    return hashlib.sha256(canonical({k: v for k, v in manifest.items() if k != "digest"})).hexdigest()


#: of the fallback: what the digest of the weights leaves out
_ASIDE = ("temperature", "rules_first")


def weights_digest(graphs: Mapping[str, str], student: Mapping[str, Any]) -> str:
    """sha256 over graphs (file -> sha256) and what describes them, but for how they were trained, for the
    temperature (how sure a caption calls itself) and for which sources the rules read first: nothing of what the
    student reads depends on these."""
    said = {key: value for key, value in student.items() if key != "training"}
    if "fallback" in said:
        said["fallback"] = {key: value for key, value in said["fallback"].items() if key not in _ASIDE}
    return hashlib.sha256(canonical([dict(graphs), said])).hexdigest()


def _find(name_or_path: str | Path) -> Path:
    text = str(name_or_path)
    if isinstance(name_or_path, str) and text in shipped():
        return SHIPPED / text
    path = Path(name_or_path).expanduser()
    if path.exists():
        return path
    if isinstance(name_or_path, Path) or "/" in text or "\\" in text or text.endswith(".figop"):
        raise BundleError(f"There is no bundle at {path}.")
    known = shipped()
    raise BundleError(
        f"There is no bundle named {text!r}{_nearest(text, known)}; "
        f"known are {', '.join(known) or 'none'}, or give the path of a folder or .figop file."
    )


def _manifest(data: bytes, where: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where} is not readable JSON: {error}.") from error
    if not isinstance(manifest, dict) or type(manifest.get("schema")) is not int:
        raise BundleError(f"{where} is not a bundle manifest: it has no schema number.")
    schema = manifest["schema"]
    if not 1 <= schema <= BUNDLE_SCHEMA:
        raise BundleError(
            f"{where} is of bundle schema {schema}, and this figop reads schemas 1 to {BUNDLE_SCHEMA}: update figop."
        )
    if manifest.get("digest") != manifest_digest(manifest) or data != canonical(manifest):
        raise BundleError(f"{where} does not have the digest that it states: it was edited or damaged.")
    return manifest


def _entries(manifest: Mapping[str, Any], path: Path) -> dict[str, FileEntry]:
    entries = {name: _row(FileEntry, row, name, path) for name, row in _part(manifest, "files", dict, path).items()}
    for name in entries:
        if not safe_name(name) or name in (MANIFEST, SIGNATURE):
            raise BundleError(f"The bundle {path} is refused: its manifest lists {name!r}, which leads out of it.")
        if name.endswith((".engine", ".plan", ".trt")):
            raise BundleError(f"The bundle {path} is refused: {name} is an engine, and these are built on the device.")
    total = sum(e.bytes for e in entries.values())
    if total > MAX_TOTAL_BYTES:
        raise BundleError(f"The bundle {path} is refused: it holds {total} bytes, over {MAX_TOTAL_BYTES}.")
    return entries


def _verified(data: bytes, name: str, entry: FileEntry, path: Path) -> bytes:
    if len(data) != entry.bytes:
        raise BundleError(f"The bundle {path} is damaged: {name} has {len(data)} bytes instead of {entry.bytes}.")
    if hashlib.sha256(data).hexdigest() != entry.sha256:
        raise BundleError(f"The bundle {path} is damaged: {name} does not have the sha256 that its manifest states.")
    return data


def _build(
    manifest: dict[str, Any],
    files: dict[str, FileEntry],
    contents: dict[str, bytes],
    path: Path,
    signature: Signature | None,
) -> Bundle:
    captions = _part(manifest, "captions", dict, path)
    source = _part(captions, "source", str, path)
    if source not in CAPTION_SOURCES:
        raise BundleError(
            f"The bundle {path} takes its captions from {source!r}, and this figop knows "
            f"{', '.join(CAPTION_SOURCES)}: update figop."
        )
    stored: dict[str, Any] = {}
    for role in ("rules", "labels", "vocabulary", *(("student",) if source == "model" else ())):
        name = _part(captions, role, str, path)
        if name not in contents:
            raise BundleError(f"The bundle {path} is refused: its manifest names {name} for the {role}, not in it.")
        try:
            stored[role] = json.loads(contents[name])
        except (ValueError, RecursionError) as error:
            raise BundleError(f"{name} of the bundle {path} is not readable JSON: {error}.") from error
    graphs = _part(manifest, "graphs", dict, path)
    for role in graphs:
        for format, name in _part(graphs, role, dict, path).items():
            if format not in GRAPH_FORMATS or name not in contents:
                raise BundleError(f"The bundle {path} is refused: its graph {role} names {name!r} ({format}).")
    lacking = [role for role in STUDENT_GRAPHS if not graphs.get(role)] if source == "model" else []
    student = stored.get("student", {})
    if lacking or not isinstance(student, dict):
        what = f"the graph {lacking[0]}" if lacking else "a description of its student"
        raise BundleError(f"The bundle {path} is refused: its captions come from a model, but it lacks {what}.")
    if 0 < sum(role in graphs for role in HAND_GRAPHS) < len(HAND_GRAPHS):
        raise BundleError(f"The bundle {path} is refused: it holds one hand network, and tracking needs both.")
    built = _part(manifest, "built", dict, path) if "built" in manifest else {}
    for key in ("device", "runtime", "recipe", "calibration", "verification", "schemes", "from") if built else ():
        if key not in built:
            raise BundleError(f"The bundle {path} is refused: its manifest does not say by which {key} it was built.")
    return Bundle(
        name=_part(manifest, "name", str, path),
        version=_part(manifest, "version", str, path),
        path=path,
        schema=manifest["schema"],
        source=source,
        language=_part(captions, "language", str, path),
        rules=RuleSettings(**_numbers(stored["rules"], _RULES, captions["rules"], path)),
        labels=_words(stored["labels"], "labels", path, known=tuple(MOTIONS)),
        vocabulary=_words(stored["vocabulary"], "vocabulary", path),
        preprocessing=_numbers(
            _part(manifest, "preprocessing", dict, path), dict.fromkeys(PREPROCESSING, float), "preprocessing", path
        ),
        graphs=graphs,
        student=student,
        networks=tuple(_row(Network, r, "networks", path) for r in _part(manifest, "networks", list, path)),
        appearance_digest=_part(manifest, "appearance_digest", str, path),
        built=built,
        signature=signature,
        files=files,
        created=_part(manifest, "created", dict, path),
        _contents=contents,
    )


def _part(of: Mapping[str, Any], key: str, kind: type, path: Path) -> Any:
    value = of.get(key)
    if type(value) is not kind:
        raise BundleError(f"The bundle {path} is refused: {key!r} in its manifest is not a {kind.__name__}.")
    return value


def _row(kind: type[Any], row: Any, where: str, path: Path) -> Any:
    wanted = {f.name: {"str": str, "int": int}[str(f.type)] for f in fields(kind)}
    if not isinstance(row, dict) or set(row) != set(wanted) or any(type(row[k]) is not t for k, t in wanted.items()):
        raise BundleError(
            f"The bundle {path} is refused: the manifest's row of {where} must have exactly {', '.join(wanted)}."
        )
    if not all(row.values()):
        raise BundleError(f"The bundle {path} is refused: the manifest's row of {where} leaves something empty.")
    return kind(**row)


def _numbers(values: Any, known: Mapping[str, type], where: str, path: Path) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise BundleError(f"The bundle {path} is refused: {where} must map names to numbers.")
    for key, value in values.items():
        if key not in known:
            raise BundleError(f"The bundle {path} is refused: {where} sets the unknown {key!r}{_nearest(key, known)}.")
        if type(value) not in (int, known[key]) or not math.isfinite(value):
            wanted = "a whole number" if known[key] is int else "a finite number"
            raise BundleError(f"The bundle {path} is refused: {where} sets {key} to {value!r}, not {wanted}.")
    return values


def _words(values: Any, where: str, path: Path, known: tuple[str, ...] = ()) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(v, str) and v for v in values):
        raise BundleError(f"The bundle {path} is refused: its {where} must be a list of words.")
    for word in values if known else ():
        if word not in known:
            raise BundleError(f"The bundle {path} is refused: its {where} hold {word!r}{_nearest(word, known)}.")
    if len(set(values)) != len(values):
        raise BundleError(f"The bundle {path} is refused: its {where} name a word twice.")
    return tuple(values)


def _nearest(word: str, known: Any) -> str:
    match = get_close_matches(word, list(known), 1, 0.4)
    return f" (did you mean {match[0]}?)" if match else ""


def _plain(row: Any) -> dict[str, Any]:
    return {f.name: getattr(row, f.name) for f in fields(row)}
