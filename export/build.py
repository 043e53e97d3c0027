"""Assemble a bundle: `python -m export.build figop-base` (same inputs, same bytes).

`python -m export.build figop-student --student FOLDER` takes the files that `python -m export.models.release` wrote;
without --student it keeps the graphs that the shipped bundle holds.

Run it after the rules' settings, the vocabulary or the hand networks have changed; a test fails until then.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import edge
from edge.atoms import RuleSettings
from edge.bundle import BUNDLE_SCHEMA, Bundle, canonical, manifest_digest
from edge.bundle_files import MANIFEST
from edge.errors import FigopError, SinkError
from edge.figop import CAP_S, POSE_THRESHOLD, REST_S, UNIT_S
from edge.hands.networks import LANDMARK, PALM, WHEEL
from edge.narrator import vocabulary
from edge.score import MOTIONS

BUNDLES = Path(edge.__file__).resolve().parent / "bundles"
#: Version of figop-base: grows with what a user of the bundle could notice.
BASE_VERSION = "0.1.0"
#: Likewise of figop-student.
STUDENT_VERSION = "0.1.0"

_CARD = """\
# figop-base {version}

**Holds no learned captioner.** Captions are made by rules: joint angles and contacts of tracked hands are
read as finger events, and a grammar writes these as English sentences.

| what | how |
| --- | --- |
| hands | MediaPipe's palm and landmark networks, unaltered, obtained by `figop setup` (not in this bundle) |
| finger events | `edge.rules` with the settings in `rules.json`; no learning |
| sentences | `edge.narrator`: a closed vocabulary of {words} words, `vocabulary.json` |

## Intended use
Naming what fingers do in front of one ordinary camera, or in recorded landmarks, on the device itself.
Not for safety functions, medical judgement, or telling people apart.

## What went in
No training data: nothing here was trained. The settings of the rules were chosen on clips rendered by
figop's own simulator. No recording of a person went in.

## Limits
Fingers that the camera cannot see (behind the palm, behind an object, edge-on) are guessed by the landmark
network and then misread. Small sideways motions, motions under a tenth of a second, and hands further than
about two metres from an ordinary webcam are often missed. What the hand holds is not recognised.
"""

_STUDENT_CARD = """\
# figop-student {version}

**A preview.** A trained student reads the hands and speaks; it is better than the rules of figop-base on rendered
clips tracked from pixels, and not yet as good as it must be to replace them. docs/results.md has the figures.

| what | how |
| --- | --- |
| hands | MediaPipe's palm and landmark networks, unaltered, obtained by `figop setup` (not in this bundle) |
| finger events | a causal convolutional encoder at 30 Hz with attribute heads for every finger, `encoder.*` |
| sentences | a small captioner over FiGOP units where it is sure (`units`, `prefill`, `step`), else `edge.narrator` |
| size | {parameters} parameters; closed vocabulary of {words} words |

## Intended use
Naming what fingers do in front of one ordinary camera, or in recorded landmarks, on the device itself.
Not for safety functions, medical judgement, or telling people apart.

## What went in
Programs that figop's own simulator performed, with tracker noise measured on rendered training clips; about 1.5
core-hours in several runs from one another's weights (the last of {steps} steps, {minutes} minutes), which a clean run
of `figop train` is to replace. No recording of a person went in. A fifth of the combinations of finger, motion
and contact were never shown.

## Limits
Fingers that the camera cannot see are guessed by the landmark network and then misread. Objects are not recognised.
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One file to go into a bundle."""

    data: bytes
    licence: str
    origin: str


def base(_: Path | None = None) -> dict[str, bytes]:
    """Every file of figop-base, the manifest included."""
    words = vocabulary()
    card = Part(_CARD.format(version=BASE_VERSION, words=len(words)).encode(), "Apache-2.0", "export.build")
    return assemble(_about("figop-base", BASE_VERSION, "rules"), {**_common(words), "MODEL_CARD.md": card})


def student(folder: Path | None = None) -> dict[str, bytes]:
    """Every file of figop-student: the released graphs in `folder`, or those of the shipped bundle.

    Raises SinkError when there are none.
    """
    source = folder or BUNDLES / "figop-student"
    files = sorted(p for p in source.glob("*") if p.suffix in (".tflite", ".onnx") or p.name == "student.json")
    if not any(p.name == "student.json" for p in files):
        raise SinkError(
            f"{source} holds no released student: run `python -m export.models.release CHECKPOINT {source}`."
        )
    about_student = json.loads((source / "student.json").read_text())
    parts = {p.name: Part(p.read_bytes(), "Apache-2.0", "figop train, simulator only") for p in files}
    graphs: dict[str, dict[str, str]] = {}
    for path in files:
        if path.suffix != ".json":
            graphs.setdefault(path.stem, {})[path.suffix[1:]] = path.name
    words = vocabulary()
    card = _STUDENT_CARD.format(version=STUDENT_VERSION, words=len(words), **_figures(about_student))
    parts |= _common(words) | {"MODEL_CARD.md": Part(card.encode(), "Apache-2.0", "export.build")}
    about = _about("figop-student", STUDENT_VERSION, "model", student="student.json")
    return assemble({**about, "graphs": graphs}, parts)


def _figures(about: Mapping[str, Any]) -> dict[str, str]:
    """What the model card quotes of `student.json`."""
    training = about["training"]
    return {
        "parameters": f"{sum(about['parameters'].values()) / 1e6:.2f} M",
        "steps": str(training["steps"]),
        "minutes": f"{training['seconds'] / 60:.0f}",
    }


def _common(words: Sequence[str]) -> dict[str, Part]:
    """The files that every bundle holds."""
    return {
        "rules.json": Part(canonical(asdict(RuleSettings())), "Apache-2.0", "edge.atoms.RuleSettings"),
        "labels.json": Part(canonical([m for m in MOTIONS if m != "rest"]), "Apache-2.0", "edge.score.MOTIONS"),
        "vocabulary.json": Part(canonical(sorted(words)), "Apache-2.0", "edge.narrator"),
    }


def _about(name: str, version: str, source: str, **more: str) -> dict[str, Any]:
    """A manifest without its files."""
    return {
        "name": name,
        "version": version,
        "created": {"by": "figop", "command": f"python -m export.build {name}"},
        "captions": {
            "source": source,
            "language": "en",
            "rules": "rules.json",
            "labels": "labels.json",
            "vocabulary": "vocabulary.json",
            **more,
        },
        "preprocessing": {
            "unit_s": UNIT_S,
            "pose_threshold": POSE_THRESHOLD,
            "rest_s": REST_S,
            "cap_s": CAP_S,
        },
        "graphs": {},
        "networks": [
            {"name": n.name, "sha256": n.sha256, "licence": "Apache-2.0", "origin": f"{WHEEL} (PyPI), {n.member}"}
            for n in (PALM["full"], LANDMARK["full"])
        ],
        "appearance_digest": LANDMARK["full"].sha256,
    }


#: What can be built.
RECIPES: Mapping[str, Callable[[Path | None], dict[str, bytes]]] = {"figop-base": base, "figop-student": student}


def assemble(about: Mapping[str, Any], parts: Mapping[str, Part]) -> dict[str, bytes]:
    """The files of a bundle and the manifest that states their digests."""
    files = {
        name: {
            "sha256": hashlib.sha256(part.data).hexdigest(),
            "bytes": len(part.data),
            "licence": part.licence,
            "origin": part.origin,
        }
        for name, part in parts.items()
    }
    manifest: dict[str, Any] = {**about, "schema": BUNDLE_SCHEMA, "files": files}
    manifest["digest"] = manifest_digest(manifest)
    return {MANIFEST: canonical(manifest), **{name: part.data for name, part in sorted(parts.items())}}


def write(files: Mapping[str, bytes], target: Path) -> None:
    """Write a `.figop` zip or a folder, by target's name; the old one is replaced whole or not at all."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".figop":
            _write_zip(files, target)
        else:
            _write_folder(files, target)
    except OSError as error:
        raise SinkError(f"The bundle {target} could not be written: {error.strerror or error}.") from error


def _write_zip(files: Mapping[str, bytes], target: Path) -> None:
    part = target.with_name(f"{target.name}.part")
    try:
        with zipfile.ZipFile(part, "w") as archive:
            for name, data in sorted(files.items()):
                # stored and dated 1980: the bytes depend on no clock and on no version of zlib
                entry = zipfile.ZipInfo(name)
                entry.external_attr = 0o100644 << 16
                entry.create_system = 3
                archive.writestr(entry, data)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _write_folder(files: Mapping[str, bytes], target: Path) -> None:
    if target.exists() and not (target / MANIFEST).is_file() and (not target.is_dir() or any(target.iterdir())):
        raise SinkError(f"{target} is not a bundle and will not be overwritten; name another folder.")
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}-") as work:
        new = Path(work) / "new"
        for name, data in files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_bytes(data)
        if target.exists():
            os.replace(target, Path(work) / "old")
        try:
            os.replace(new, target)
        except OSError:
            if (Path(work) / "old").exists():
                os.replace(Path(work) / "old", target)
            raise


def stale(files: Mapping[str, bytes], target: Path) -> list[str]:
    """Names of the files in which a bundle folder differs from what would be built."""
    found = {p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file()}
    return sorted(name for name in {*files, *found} if files.get(name) != found.get(name))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: build, or with --check only compare."""
    parser = argparse.ArgumentParser(prog="python -m export.build", description=__doc__)
    parser.add_argument("name", choices=sorted(RECIPES))
    parser.add_argument("-o", "--output", type=Path, help="folder or .figop file (default: the shipped bundle)")
    parser.add_argument("--student", type=Path, metavar="FOLDER", help="released graphs (figop-student only)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the bundle is out of date")
    args = parser.parse_args(argv)
    target: Path = args.output or BUNDLES / args.name
    try:
        files = RECIPES[args.name](args.student)
        if args.check:
            differing = stale(files, target)
            print(f"{target}: {'out of date in ' + ', '.join(differing) if differing else 'up to date'}")
            return int(bool(differing))
        write(files, target)
        bundle = Bundle.open(target)
    except FigopError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{bundle.name} {bundle.version}: {target} ({sum(map(len, files.values()))} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
