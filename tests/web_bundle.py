"""A bundle with float hand networks for the browser tests: as figop export --with-hands makes it, but unverified.

Verification takes minutes and is the export's own matter; the graphs are the same.
"""

import hashlib
import json
import sys
from pathlib import Path

from edge.bundle import Bundle
from edge.bundle_files import zipped
from export.build import Part, assemble
from export.formats.hands import ROLES, network


def main(path: Path) -> None:
    source = Bundle.open("figop-base")
    manifest = json.loads((source.path / "manifest.json").read_text())
    about = {k: v for k, v in manifest.items() if k not in ("files", "digest", "schema")}
    keep = {stored["onnx"] for stored in source.graphs.values()}
    graphs = {role: {"onnx": stored["onnx"]} for role, stored in source.graphs.items()}
    parts = {
        name: Part(source.read(name), entry.licence, entry.origin)
        for name, entry in source.files.items()
        if name in keep or not name.endswith((".onnx", ".tflite"))
    }
    for role in ROLES:
        graphs[role] = {"onnx": f"{role}.onnx"}
        parts[f"{role}.onnx"] = Part(network(role, "full", "onnx"), "Apache-2.0", "MediaPipe, folded")
    about["appearance_digest"] = hashlib.sha256(parts["landmark.onnx"].data).hexdigest()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(zipped(assemble({**about, "graphs": graphs, "networks": []}, parts)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
