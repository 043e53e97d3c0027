"""Assemble a bundle: `python -m export.build figop-base` or `figop-rules` (same inputs, same bytes).

`python -m export.build figop-base --student FOLDER` takes the files that `python -m export.models.release` wrote;
without --student it keeps the graphs that the shipped bundle holds.

Run it after the rules' settings, the vocabulary, the hand networks or the figures of the model card have changed; a
test fails until then.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import edge
from edge.atoms import RuleSettings
from edge.bundle import Bundle, canonical, manifest_digest, weights_digest
from edge.bundle_files import MANIFEST, zipped
from edge.errors import FigopError, SinkError
from edge.fallback import FallbackSettings
from edge.figop import CAP_S, POSE_THRESHOLD, REST_S, UNIT_S
from edge.files import write_whole
from edge.hands.networks import LANDMARK, PALM, WHEEL
from edge.narrator import vocabulary
from edge.score import MOTIONS
from export.card import BASE_CARD, RULES_CARD, quoted

BUNDLES = Path(edge.__file__).resolve().parent / "bundles"
#: Version of figop-base: grows with what a user of the bundle could notice.
BASE_VERSION = "0.2.0"
#: Likewise of figop-rules.
RULES_VERSION = "0.1.0"


@dataclass(frozen=True, slots=True)
class Part:
    """One file to go into a bundle."""

    data: bytes
    licence: str
    origin: str


def rules(_: Path | None = None) -> dict[str, bytes]:
    """Every file of figop-rules, the manifest included."""
    words = vocabulary()
    card = Part(RULES_CARD.format(version=RULES_VERSION, words=len(words)).encode(), "Apache-2.0", "export.card")
    return assemble(_about("figop-rules", RULES_VERSION, "rules"), {**_common(words), "MODEL_CARD.md": card})


def base(folder: Path | None = None) -> dict[str, bytes]:
    """Every file of figop-base: the released graphs in `folder`, or those of the shipped bundle, and the rules.

    Raises SinkError when there are none.
    """
    source = folder or BUNDLES / "figop-base"
    about_student = described(source)
    graphs: dict[str, dict[str, str]] = {}
    parts: dict[str, Part] = {}
    for path in sorted(p for p in source.glob("*") if p.suffix in (".tflite", ".onnx")):
        parts[path.name] = Part(path.read_bytes(), "Apache-2.0", "figop train, simulator only")
        graphs.setdefault(path.stem, {})[path.suffix[1:]] = path.name
    about_student.setdefault("fallback", asdict(FallbackSettings()))
    parts["student.json"] = Part(canonical(about_student), "Apache-2.0", "figop train, export.fallback")
    words = vocabulary()
    digest = weights_digest({name: hashlib.sha256(parts[name].data).hexdigest() for row in graphs.values()
                             for name in row.values()}, about_student)  # fmt: skip
    card = BASE_CARD.format(version=BASE_VERSION, words=len(words), **quoted(about_student, digest))
    parts |= _common(words) | {"MODEL_CARD.md": Part(card.encode(), "Apache-2.0", "export.card")}
    about = _about("figop-base", BASE_VERSION, "model", student="student.json")
    return assemble({**about, "graphs": graphs}, parts)


def described(folder: Path) -> dict[str, Any]:
    """The `student.json` of a folder of released graphs. Raises SinkError where there is none."""
    path = folder / "student.json"
    if not path.is_file():
        raise SinkError(
            f"{folder} holds no released student: run `python -m export.models.release CHECKPOINT {folder}`."
        )
    about = json.loads(path.read_text())
    if not isinstance(about, dict):
        raise SinkError(f"{path} does not describe a student: it holds no JSON object.")
    return about


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
RECIPES: Mapping[str, Callable[[Path | None], dict[str, bytes]]] = {"figop-base": base, "figop-rules": rules}


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
    # the lowest schema that says all of it: an older figop reads what it can
    manifest: dict[str, Any] = {**about, "schema": 2 if "built" in about else 1, "files": files}
    manifest["digest"] = manifest_digest(manifest)
    return {MANIFEST: canonical(manifest), **{name: part.data for name, part in sorted(parts.items())}}


def write(files: Mapping[str, bytes], target: Path) -> None:
    """Write a `.figop` zip or a folder, by target's name; the old one is replaced whole or not at all."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix == ".figop":
            write_whole(target, zipped(files))
        else:
            _write_folder(files, target)
    except OSError as error:
        raise SinkError(f"The bundle {target} could not be written: {error.strerror or error}.") from error


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
    parser.add_argument("--student", type=Path, metavar="FOLDER", help="released graphs (figop-base only)")
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
