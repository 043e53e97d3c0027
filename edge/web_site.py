"""The web app and a bundle as one site: which files there are, under which path, and how they are kept by browsers."""

from __future__ import annotations

import gzip
import mimetypes
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from edge.bundle import HAND_GRAPHS, STUDENT_GRAPHS, Bundle
from edge.bundle_files import MANIFEST, open_files
from edge.bundle_signature import SIGNATURE
from edge.errors import BundleError, FigopError, SinkError

#: where `make web` builds the app, and where a wheel carries it
APP = Path(__file__).resolve().parent / "web" / "dist"
#: the folder of the site that holds the bundle
BUNDLE = "bundle/"
#: names below it carry a digest: their content never changes
HASHED = "assets/"
_TYPES = {".webmanifest": "application/manifest+json", ".onnx": "application/octet-stream", ".js": "text/javascript",
          ".wasm": "application/wasm", ".svg": "image/svg+xml", ".md": "text/markdown"}  # fmt: skip
#: The page needs nothing from elsewhere. WebAssembly and its worker are its own; blobs are files that are dropped.
_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self' blob: data:; worker-src 'self' blob:; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """One file of the site. zipped: the same by gzip, None where that does not pay."""

    path: str
    data: bytes
    zipped: bytes | None
    etag: str = field(init=False)

    def __post_init__(self) -> None:
        # once, not at every request: the runtime has 14 MB
        object.__setattr__(self, "etag", f'"{sha256(self.data).hexdigest()[:32]}"')

    @property
    def headers(self) -> dict[str, str]:
        """What a browser has to know of it."""
        kind = _TYPES.get(Path(self.path).suffix) or mimetypes.guess_type(self.path)[0] or "application/octet-stream"
        text = kind.startswith("text/")
        kept = "public, max-age=31536000, immutable" if self.path.startswith(HASHED) else "no-cache"
        return {
            "Content-Type": f"{kind}; charset=utf-8" if text else kind,
            "Cache-Control": kept,
            "ETag": self.etag,
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Content-Security-Policy": _POLICY,
            "Permissions-Policy": "camera=(self), xr-spatial-tracking=(self)",
        }


def site(bundle: Bundle, app: Path = APP) -> Mapping[str, Page]:
    """Every file by its path. Raises FigopError: the app is not built; BundleError: browsers cannot use the bundle."""
    if not (app / "index.html").is_file():
        raise FigopError(
            "The web app is not built: run `make web` (it needs Node.js 20 and npm), then figop web again."
        )
    pages = {}
    for file in sorted(app.rglob("*")):
        if file.is_file() and file.suffix != ".gz":
            path = file.relative_to(app).as_posix()
            beside = file.with_name(f"{file.name}.gz")
            pages[path] = Page(path, file.read_bytes(), beside.read_bytes() if beside.is_file() else None)
        elif file.suffix == ".gz" and not file.with_suffix("").exists():  # the runtimes lie there packed alone
            path, stored = file.relative_to(app).with_suffix("").as_posix(), file.read_bytes()
            pages[path] = Page(path, gzip.decompress(stored), stored)
    for name, data in bundle_files(bundle).items():
        packed = None if name.endswith(".onnx") else gzip.compress(data, mtime=0)  # weights hardly shrink
        pages[BUNDLE + name] = Page(BUNDLE + name, data, packed)
    return pages


def bundle_files(bundle: Bundle) -> dict[str, bytes]:
    """What browsers use of a bundle: its manifest, its small files, and its ONNX graphs."""
    for role in STUDENT_GRAPHS if bundle.source == "model" else ():
        if "onnx" not in bundle.graphs[role]:
            raise BundleError(
                f"The bundle {bundle.name} has no graph {role!r} for onnx, which browsers need: "
                "make one by figop export --device browser-wasm -o web.figop."
            )
    with open_files(bundle.path) as files:
        out = {MANIFEST: files.read(MANIFEST)}
        if SIGNATURE in files.names():
            out[SIGNATURE] = files.read(SIGNATURE)
    graphs = {stored["onnx"] for stored in bundle.graphs.values() if "onnx" in stored}
    others = {name for stored in bundle.graphs.values() for name in stored.values()} - graphs
    return out | {name: bundle.read(name) for name in sorted(bundle.files) if name not in others}


def sees_pictures(bundle: Bundle) -> bool:
    """Whether cameras and videos can be read in a browser: the bundle holds the hand networks for it."""
    return all("onnx" in bundle.graphs.get(role, {}) for role in HAND_GRAPHS)


def write_site(pages: Mapping[str, Page], folder: Path, *, force: bool = False) -> int:
    """Write the site for any web server; returns its bytes. Raises SinkError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        if not force or not (folder / "sw.js").is_file():
            raise SinkError(
                f"{folder} exists and is not empty: choose another folder, or --force for one that figop made."
            )
        shutil.rmtree(folder)
    try:
        for page in pages.values():
            target = folder / page.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(page.data)
            if page.zipped is not None:
                target.with_name(f"{target.name}.gz").write_bytes(page.zipped)
    except OSError as error:
        raise SinkError(f"The site could not be written to {folder}: {error.strerror or error}.") from error
    return sum(len(page.data) for page in pages.values())
