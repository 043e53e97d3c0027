"""Reading the files of a bundle, a folder or a zip, without trusting them.

Nothing is ever unpacked to disk. Names must stay inside the bundle, sizes are bounded before a byte is
read, and a zip cannot yield more than its directory declares.
"""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Protocol

from edge.errors import BundleError, SinkError
from edge.files import write_whole

MANIFEST = "manifest.json"
#: a bundle is held in memory: these bounds fit a board with 512 MB and are 20 times what figop ships
MAX_FILES = 256
MAX_FILE_BYTES = 64 << 20
MAX_TOTAL_BYTES = 128 << 20
MAX_MANIFEST_BYTES = 1 << 20
#: what `zipfile` raises for archives that are cut short, altered, or use features that it does not know
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error,
    OSError, ValueError, EOFError, LookupError, OverflowError, RuntimeError,
)  # fmt: skip


class Files(Protocol):
    """Where a bundle's files are."""

    def names(self) -> list[str]:
        """Every file, sorted, as relative paths with forward slashes."""
        ...

    def read(self, name: str) -> bytes:
        """One file's bytes."""
        ...


def safe_name(name: str) -> bool:
    """Whether a name is a plain relative path that stays inside the bundle on every operating system."""
    parts = PurePosixPath(name).parts
    return (
        bool(parts)
        and name == "/".join(parts)
        and not name.startswith("/")
        and ".." not in parts
        and not any(c in name for c in '\\:*?"<>|')
        and name.isprintable()
    )


def _limit(name: str) -> int:
    return MAX_MANIFEST_BYTES if name == MANIFEST else MAX_FILE_BYTES


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        found: list[str] = []
        for folder, _, files in os.walk(self._root, onerror=self._refuse):
            found += [(Path(folder) / f).relative_to(self._root).as_posix() for f in files]
            if len(found) > MAX_FILES:
                raise BundleError(f"The bundle {self._root} has more than {MAX_FILES} files: this is not a bundle.")
        return sorted(found)

    def read(self, name: str) -> bytes:
        path = self._root / name
        try:
            with path.open("rb") as file:
                about = os.fstat(file.fileno())
                if not stat.S_ISREG(about.st_mode):
                    raise BundleError(f"The bundle {self._root} is damaged: {name} is not a plain file.")
                data = file.read(_limit(name) + 1)
        except FileNotFoundError as error:
            raise BundleError(f"The bundle {self._root} is damaged: {name} is missing.") from error
        except OSError as error:
            raise BundleError(f"{path} of the bundle cannot be read: {error.strerror or error}.") from error
        if len(data) > _limit(name):
            raise BundleError(f"The bundle {self._root} is refused: {name} is larger than {_limit(name)} bytes.")
        return data

    def _refuse(self, error: OSError) -> None:
        raise BundleError(f"The bundle {self._root} cannot be read: {error.strerror or error}.") from error


class _Zip:
    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path = path
        self._archive = archive
        self._entries: dict[str, zipfile.ZipInfo] = {}
        entries = [e for e in archive.infolist() if not e.is_dir()]
        if len(entries) > MAX_FILES:
            raise BundleError(f"The bundle {path} has more than {MAX_FILES} files: this is not a bundle.")
        for entry in entries:
            self._admit(entry)
        total = sum(e.file_size for e in entries)
        if total > MAX_TOTAL_BYTES:
            raise BundleError(f"The bundle {path} is refused: it unpacks to {total} bytes, over {MAX_TOTAL_BYTES}.")

    def _admit(self, entry: zipfile.ZipInfo) -> None:
        name = entry.filename
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if not safe_name(name):
            raise BundleError(f"The bundle {self._path} is refused: the name {name!r} leads out of the bundle.")
        if name in self._entries:
            raise BundleError(f"The bundle {self._path} is refused: {name} is in it twice.")
        if kind not in (0, stat.S_IFREG) or entry.flag_bits & 1:
            raise BundleError(f"The bundle {self._path} is refused: {name} is a link, or encrypted.")
        if entry.file_size > _limit(name):
            raise BundleError(f"The bundle {self._path} is refused: {name} unpacks to {entry.file_size} bytes.")
        self._entries[name] = entry

    def names(self) -> list[str]:
        return sorted(self._entries)

    def read(self, name: str) -> bytes:
        entry = self._entries.get(name)
        if entry is None:
            raise BundleError(f"The bundle {self._path} is damaged: {name} is missing.")
        try:
            with self._archive.open(entry) as file:
                data = file.read(entry.file_size + 1)
        except _DAMAGE as error:
            raise BundleError(f"The bundle {self._path} is damaged: {name} cannot be unpacked ({error}).") from error
        if len(data) != entry.file_size:
            raise BundleError(f"The bundle {self._path} is damaged: {name} is not as long as the archive declares.")
        return data


@contextmanager
def open_files(path: Path) -> Iterator[Files]:
    """The files of a bundle folder or `.figop` zip. Raises BundleError when it is neither."""
    if path.is_dir():
        yield _Folder(path)
        return
    if not path.exists():
        raise BundleError(f"There is no bundle at {path}.")
    try:
        archive = zipfile.ZipFile(path)
    except _DAMAGE as error:
        raise BundleError(f"{path} is not a bundle, or was cut short: {error}.") from error
    with archive:
        yield _Zip(path, archive)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """The files as a zip whose bytes depend on nothing but them: no clock, no version of zlib."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name)  # stored, dated 1980
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3
            archive.writestr(entry, data)
    return packed.getvalue()


def add_file(path: Path, name: str, data: bytes) -> None:
    """Put one more file into a bundle folder or zip, or replace it there, at once. Raises SinkError."""
    try:
        if path.is_dir():
            write_whole(path / name, data)
            return
        with open_files(path) as files:
            held = {n: files.read(n) for n in files.names()}
        write_whole(path, zipped({**held, name: data}))
    except OSError as error:
        raise SinkError(f"The bundle {path} could not be written: {error.strerror or error}.") from error
