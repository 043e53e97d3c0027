"""Where the hand networks come from, and where they lie.

figop runs MediaPipe's palm detection and hand landmark networks (Apache-2.0, Google) as they are. They are taken
out of the last mediapipe wheel that carries them, without installing it, checked by sha256, and cached. Only
`ensure_networks` (the verb `figop setup`) may use the network; everything else reads the cache.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.errors import RuntimeUnavailable
from edge.files import write_whole

Progress = Callable[[str], None]

WHEEL = "mediapipe==0.10.21"
WHEEL_SHA256 = "05dc4a9e593655a79558d05d6227d31018c2537a4bd3362b51e230cf22aecfe3"
#: The x86-64 wheel serves every host: the networks in it are plain data (0.10.18 for ARM has the same bytes).
_PIP = (
    "download", "--no-deps", "--only-binary=:all:", "--implementation", "cp", "--python-version", "3.11",
    "--abi", "cp311", "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux2014_x86_64",
    "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--quiet",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Network:
    """One network file: its name, its folder inside the mediapipe package, and its sha256."""

    name: str
    folder: str
    sha256: str

    @property
    def member(self) -> str:
        """Path inside the wheel."""
        return f"mediapipe/modules/{self.folder}/{self.name}"


PALM = {
    "full": Network(
        "palm_detection_full.tflite",
        "palm_detection",
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    ),
    "lite": Network(
        "palm_detection_lite.tflite",
        "palm_detection",
        "e9a4aaddf90dda56a87235303cf00e4c2d3fb28725f68fd88772997dac905c18",
    ),
}
LANDMARK = {
    "full": Network(
        "hand_landmark_full.tflite",
        "hand_landmark",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    ),
    "lite": Network(
        "hand_landmark_lite.tflite",
        "hand_landmark",
        "048edd3645c9bf7397d19a9f6e3a42957d6e414c9bea6598030a2e9b624156e6",
    ),
}
VARIANTS = tuple(PALM)


@dataclass(frozen=True, slots=True)
class HandNetworks:
    """The two network files of one tracker.

    Attributes:
        palm, landmark: the files.
        palm_sha256, landmark_sha256: what they must hash to; "" = a user's own network, not checked.
    """

    palm: Path
    landmark: Path
    palm_sha256: str = ""
    landmark_sha256: str = ""

    def load(self) -> tuple[bytes, bytes]:
        """Bytes of the palm and the landmark network. Raises RuntimeUnavailable for a missing or damaged file."""
        return _checked(self.palm, self.palm_sha256), _checked(self.landmark, self.landmark_sha256)


@dataclass(frozen=True, slots=True)
class HeldNetworks:
    """The two networks of a tracker as a verified bundle holds them."""

    palm: bytes
    landmark: bytes

    def load(self) -> tuple[bytes, bytes]:
        """Bytes of the palm and the landmark network."""
        return self.palm, self.landmark


def cache_folder() -> Path:
    """`$FIGOP_CACHE/hands`, or `figop/hands` in the platform's cache folder."""
    if own := os.environ.get("FIGOP_CACHE"):
        return Path(own).expanduser() / "hands"
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "figop" / "hands"


def locate_networks(variant: str = "full") -> HandNetworks:
    """The cached networks of a variant; never touches the network. Raises RuntimeUnavailable when absent."""
    palm, landmark = _variant(variant)
    folder = cache_folder()
    for network in (palm, landmark):
        if not (folder / network.name).is_file():
            how = "figop setup" if variant == "full" else f"figop setup --variant {variant}"
            raise RuntimeUnavailable(f"The hand network {network.name} is not in {folder}; run `{how}`.")
    return HandNetworks(folder / palm.name, folder / landmark.name, palm.sha256, landmark.sha256)


def ensure_networks(
    variants: Iterable[str] = ("full",), *, wheel: str | Path | None = None, progress: Progress = lambda text: None
) -> list[HandNetworks]:
    """Bring the networks of these variants into the cache (what `figop setup` does). Idempotent.

    Sources, in order: the cache; `wheel`, a mediapipe wheel on disk (for hosts without a network); an installed
    mediapipe package, read as plain files; pip download of the pinned wheel. Damaged cache files are replaced.

    Raises:
        RuntimeUnavailable: no source has them, or what was found has the wrong sha256.
    """
    wanted = list(variants)
    rows = [row for variant in wanted for row in _variant(variant)]
    folder = cache_folder()
    if wheel is not None and not Path(wheel).is_file():  # also when it is not needed: a typing error is told at once
        raise RuntimeUnavailable(f"There is no wheel at {wheel}.")
    missing = [row for row in rows if not _intact(folder / row.name, row.sha256)]
    if not missing:
        progress(f"hand networks are in {folder}")
    elif wheel is not None:
        _unpack(Path(wheel), missing, folder)
        progress(f"hand networks taken from {wheel}")
    else:
        missing = _copy_installed(missing, folder, progress)
        if missing:
            _download(missing, folder, progress)
    return [locate_networks(variant) for variant in wanted]


def _variant(variant: str) -> tuple[Network, Network]:
    if variant not in PALM:
        raise RuntimeUnavailable(f"The hand networks come as {' or '.join(VARIANTS)}, found {variant!r}.")
    return PALM[variant], LANDMARK[variant]


def sha256(data: bytes) -> str:
    """Hexadecimal digest."""
    return hashlib.sha256(data).hexdigest()


def _intact(path: Path, digest: str) -> bool:
    try:
        return sha256(path.read_bytes()) == digest
    except OSError:
        return False


def _checked(path: Path, digest: str) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = error.strerror or str(error)
        raise RuntimeUnavailable(f"The hand network {path} cannot be read ({reason}); run `figop setup`.") from error
    if digest and (found := sha256(data)) != digest:
        raise RuntimeUnavailable(
            f"The hand network {path} is damaged: its sha256 is {found[:12]}..., not {digest[:12]}...; "
            "run `figop setup`."
        )
    return data


def _store(data: bytes, row: Network, folder: Path) -> None:
    """Into the cache under its name: checked, and either whole or not there."""
    if (found := sha256(data)) != row.sha256:
        raise RuntimeUnavailable(f"{row.name} has the sha256 {found[:12]}..., expected {row.sha256[:12]}....")
    try:
        write_whole(folder / row.name, data)
    except OSError as error:
        reason = error.strerror or str(error)
        raise RuntimeUnavailable(
            f"The cache {folder} cannot be written ({reason}): set FIGOP_CACHE to a folder that can."
        ) from error


def _copy_installed(rows: list[Network], folder: Path, progress: Progress) -> list[Network]:
    """Copy what an installed mediapipe carries; the rows that are still missing."""
    spec = importlib.util.find_spec("mediapipe")  # finds the folder, imports nothing
    if spec is None or not spec.submodule_search_locations:
        return rows
    root = Path(next(iter(spec.submodule_search_locations))).parent
    found = [row for row in rows if _intact(root / row.member, row.sha256)]
    for row in found:
        _store((root / row.member).read_bytes(), row, folder)
        progress(f"{row.name} taken from the installed mediapipe")
    return [row for row in rows if row not in found]


def _download(rows: list[Network], folder: Path, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix="figop-") as scratch:
        progress(f"fetching {WHEEL} with pip (36 MB, once; only its hand networks are kept)")
        command = [sys.executable, "-m", "pip", *_PIP, "--dest", scratch, WHEEL]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            raise RuntimeUnavailable(f"pip could not be started: {error.strerror or error}.") from error
        wheels = sorted(Path(scratch).glob("*.whl"))
        if done.returncode or not wheels:
            lines = [line for line in done.stderr.strip().splitlines() if line] or ["pip said nothing"]
            raise RuntimeUnavailable(
                f"pip could not fetch {WHEEL} ({lines[-1].removeprefix('ERROR: ')}): connect this machine, or download "
                "the wheel elsewhere and run `figop setup --wheel FILE`."
            )
        _unpack(wheels[0], rows, folder)
        progress(f"hand networks unpacked into {folder}")


def _unpack(wheel: Path, rows: list[Network], folder: Path) -> None:
    try:
        found = sha256(wheel.read_bytes())
        if found != WHEEL_SHA256:
            raise RuntimeUnavailable(
                f"{wheel.name} is not the pinned wheel {WHEEL}: its sha256 is {found[:12]}..., "
                f"not {WHEEL_SHA256[:12]}...."
            )
        with zipfile.ZipFile(wheel) as archive:
            for row in rows:
                _store(archive.read(row.member), row, folder)
    except OSError as error:
        raise RuntimeUnavailable(f"The wheel {wheel} cannot be read: {error.strerror or error}.") from error
    except (zipfile.BadZipFile, KeyError) as error:
        raise RuntimeUnavailable(f"The wheel {wheel} does not hold the hand networks: {error}.") from error
