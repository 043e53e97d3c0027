"""Bundles for the browser tests as figop export makes them, but unverified (that takes minutes, and has its own tests).

hands: the float student with float hand networks. int8: the student by the default int8 recipe.
"""

import hashlib
import json
import sys
from pathlib import Path

from devices.device import find
from devices.target import Request
from edge.bundle import STUDENT_GRAPHS, Bundle
from edge.bundle_files import zipped
from export.build import Part, assemble
from export.formats.bundle import convert
from export.formats.checks import capability
from export.formats.hands import ROLES, network
from quant.recipe import Recipe


def main(kind: str, path: Path) -> None:
    source = Bundle.open("figop-base")
    manifest = json.loads((source.path / "manifest.json").read_text())
    about = {k: v for k, v in manifest.items() if k not in ("files", "digest", "schema")}
    made = {role: source.graph(role, "onnx") for role in STUDENT_GRAPHS}
    hands: dict[str, bytes] = {}
    if kind == "hands":
        hands = {role: network(role, "full", "onnx") for role in ROLES}
        about |= {"networks": [], "appearance_digest": hashlib.sha256(hands["landmark"]).hexdigest()}
    else:
        recipe = Recipe.load("dynamic_w8c")
        target, format = capability(find("browser-wasm"), Request(None, None, recipe.name, None, None), recipe, source)
        made = {role: convert(source, format, target, {}, role, recipe) for role in made}
    parts = {
        name: Part(source.read(name), entry.licence, entry.origin)
        for name, entry in source.files.items()
        if not name.endswith((".onnx", ".tflite"))
    }
    origins = dict.fromkeys(made, "figop-base") | dict.fromkeys(hands, "MediaPipe, folded")
    parts |= {f"{role}.onnx": Part(data, "Apache-2.0", origins[role]) for role, data in (made | hands).items()}
    graphs = {role: {"onnx": f"{role}.onnx"} for role in made | hands}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zipped(assemble({**about, "graphs": graphs}, parts)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
