"""rosbag2 files through `rosbags` (pure Python): reading topics as they are, and as a figop source; writing."""

from __future__ import annotations

import importlib
import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rclpy.serialization import deserialize_message

from edge.errors import FigopError, SinkError, SourceError
from edge.hands.frame import VIEWS, HandFrame
from edge.objects.detections import Detections
from edge.sources import Picture
from figop_ros.conversions import from_detections, from_hand_frame, from_time
from figop_ros.images import decode, to_rgb

_HANDS, _IMAGES = "figop_msgs/msg/HandFrame", ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")
_THINGS = "figop_msgs/msg/Detections"


def _rosbags() -> Any:
    try:
        return importlib.import_module("rosbags.rosbag2"), importlib.import_module("rosbags.typesys")
    except ImportError as error:
        raise SourceError("Bags are read and written by the package rosbags: pip install rosbags.") from error


def is_bag(path: Path) -> bool:
    """Whether a path is a rosbag2: a folder with its metadata, or a storage file."""
    return (path.is_dir() and (path / "metadata.yaml").is_file()) or path.suffix in (".mcap", ".db3")


def message_class(name: str) -> Any:
    """The Python class of "package/msg/Name"; None where that package is not installed."""
    package, kind, message = name.split("/")
    try:
        return getattr(importlib.import_module(f"{package}.{kind}"), message, None)
    except ImportError:
        return None


class BagReader:
    """One bag. `topics` maps its topics to their types; iterating gives (topic, time in ns, message bytes)."""

    def __init__(self, path: str | Path) -> None:
        reading, _ = _rosbags()
        where = Path(path)
        where = where.parent if where.suffix in (".mcap", ".db3") else where
        try:
            self._reader = reading.Reader(where)
            self._reader.open()
        except Exception as error:  # rosbags raises its own, sqlite's, yaml's, ... for what is no bag
            raise SourceError(f"{path} is not a readable rosbag2: {' '.join(str(error).split())}.") from error
        self.path = where
        self.topics: dict[str, str] = {c.topic: c.msgtype for c in self._reader.connections}
        self.count: dict[str, int] = {c.topic: c.msgcount for c in self._reader.connections}

    def messages(self, topics: set[str]) -> Iterator[tuple[str, int, bytes]]:
        """The messages of these topics in order of their time."""
        connections = [c for c in self._reader.connections if c.topic in topics]
        try:
            for connection, t_ns, raw in self._reader.messages(connections=connections):
                yield connection.topic, int(t_ns), bytes(raw)
        except FigopError:
            raise
        except Exception as error:
            raise SourceError(f"{self.path} is damaged: {' '.join(str(error).split())}.") from error

    def close(self) -> None:
        """Close the files."""
        self._reader.close()


class BagSource:
    """A topic of a bag as an `edge.sources.Source`: hand frames or images, with the stamps of their headers.

    detections: the things of the bag's topic of figop_msgs/Detections, where there is one alone.
    """

    live = False

    def __init__(self, path: str | Path, topic: str = "") -> None:
        self._bag = BagReader(path)
        known = {t: k for t, k in self._bag.topics.items() if k == _HANDS or k in _IMAGES}
        if topic and topic not in known:
            raise SourceError(f"The bag has no hand frames or images on {topic}; it has {_listed(known)}.")
        hands = [t for t, k in known.items() if k == _HANDS]
        candidates = [topic] if topic else hands or list(known)
        if len(candidates) != 1:
            raise SourceError(f"Say which topic of the bag: it has hand frames or images on {_listed(known)}.")
        self.topic = candidates[0]
        self.kind = known[self.topic]
        self.name, self.fps, self.size = self._bag.path.name, 30.0, (0, 0)
        self.count = self._bag.count[self.topic]
        self.dropped: Counter[str] = Counter()
        self.detections = self._things()
        self.view: str | None = None
        self.mirrored: bool | None = None
        if self.kind == _HANDS:
            for _, _, raw in self._bag.messages({self.topic}):
                first = deserialize_message(raw, message_class(_HANDS))
                self.view, self.mirrored = VIEWS[min(int(first.view), 1)], bool(first.mirrored)
                break

    def __iter__(self) -> Iterator[Picture | HandFrame]:
        kind = message_class(self.kind)
        for _, _, raw in self._bag.messages({self.topic}):
            message = deserialize_message(raw, kind)
            if self.kind == _HANDS:
                if not message.end_of_stream:
                    yield from_hand_frame(message)
            else:
                rgb = to_rgb(message) if self.kind == _IMAGES[0] else decode(message.data)
                yield Picture(rgb, from_time(message.header.stamp))

    def _things(self) -> tuple[Detections, ...]:
        topics = [t for t, k in self._bag.topics.items() if k == _THINGS]
        if len(topics) != 1:
            return ()
        kind = message_class(_THINGS)
        rows = [from_detections(deserialize_message(raw, kind)) for _, _, raw in self._bag.messages(set(topics))]
        return tuple(sorted(rows, key=lambda row: row.t_ns))

    def close(self) -> None:
        """Close the bag."""
        self._bag.close()


def _listed(topics: Any) -> str:
    return ", ".join(sorted(topics)) or "no topic"


class BagWriter:
    """Writes messages, as the middleware has them, into a new bag. Raises SinkError."""

    def __init__(self, path: Path, types: dict[str, str]) -> None:
        writing, typesys = _rosbags()
        self.path = path
        try:
            self._writer = writing.Writer(path, version=8)  # read by Humble and later
            self._writer.open()
            store = _typestore(typesys, set(types.values()))
            self._connections = {
                topic: self._writer.add_connection(topic, kind, typestore=store) for topic, kind in types.items()
            }
        except SourceError:
            raise
        except Exception as error:
            raise SinkError(f"The bag {path} cannot be written: {' '.join(str(error).split())}.") from error

    def write(self, topic: str, t_ns: int, raw: bytes) -> None:
        """Append one message."""
        try:
            self._writer.write(self._connections[topic], t_ns, raw)
        except Exception as error:
            raise SinkError(f"The bag {self.path} cannot be written: {' '.join(str(error).split())}.") from error

    def close(self) -> None:
        """Finish the bag: only then it has its metadata."""
        self._writer.close()


def check_types(names: Iterable[str]) -> None:
    """Whether bags of these types can be written here. Raises SourceError."""
    _typestore(_rosbags()[1], set(names))


def _typestore(typesys: Any, names: set[str]) -> Any:
    """Message definitions of these types and of all that they hold, from the installed packages."""
    distro = getattr(typesys.Stores, f"ROS2_{os.environ.get('ROS_DISTRO', '').upper()}", typesys.Stores.LATEST)
    store = typesys.get_typestore(distro)
    waiting, found = list(names), {}
    while waiting:
        name = waiting.pop()
        if name in store.fielddefs or name in found:
            continue
        package, kind, message = name.split("/")
        made = typesys.get_types_from_msg(_definition(package, kind, message), name)
        found.update(made)
        waiting += [part for part in _parts(made[name]) if part not in found]
    store.register(found)
    return store


def _definition(package: str, kind: str, message: str) -> str:
    prefixes = [*filter(None, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)), sys.prefix]
    for prefix in prefixes:  # the environment's own prefix: where wheels and `make ros` put them
        file = Path(prefix) / "share" / package / kind / f"{message}.msg"
        if file.is_file():
            return file.read_text()
    raise SourceError(f"The definition of {package}/{kind}/{message} is not installed.")


def _parts(definition: Any) -> Iterator[str]:
    """Names of the message types that a parsed definition refers to."""
    waiting = [definition]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str) and part.count("/") == 2:
            yield part
        elif isinstance(part, (list, tuple)):
            waiting += list(part)
