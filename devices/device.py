"""Device profiles: what a board can do, what it must be refused, and where each figure comes from.

A profile is a YAML file. figop's own lie in `devices/profiles`; a third party adds one by dropping a file into
`~/.config/figop/devices` (or a folder of `FIGOP_DEVICES`), by an entry point of the group `figop.devices`, or by
giving its path where a name is asked for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from devices.schema import DeviceError, read

#: Version of the profile format; newer files are refused.
SCHEMA = 1
ENTRY_POINTS = "figop.devices"
_OWN = Path(__file__).resolve().parent / "profiles"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
#: Bits of weights and activations by recipe name, as in `static_w8c_a8_keep:softmax`.
RECIPE = re.compile(r"(float32|float16|(dynamic|static|weight_only|mixed)_w(4|8)[ct](_a(8|16))?)(_keep:[a-z0-9_,]+)?")

Precision = Literal["float32", "float16", "int8", "dynamic-int8", "int16"]
PRECISIONS: tuple[Precision, ...] = ("float32", "float16", "int8", "dynamic-int8", "int16")


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and where it comes from: exactly one of `source`, `arithmetic` and `assumed` is given.

    source: who published it. arithmetic: from which figures it was computed. assumed: a guess, to be replaced by a
    measurement on the board; the text says what it rests on.
    """

    value: float
    source: str = ""
    arithmetic: str = ""
    assumed: str = ""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.source, self.arithmetic, self.assumed))) != 1:
            raise DeviceError(f"The figure {self.value:g} must say its source, arithmetic or assumed: one of them.")
        if self.value <= 0:
            raise DeviceError(f"The figure {self.value:g} must be above 0.")

    @property
    def basis(self) -> str:
        """Where it comes from, in words."""
        if self.source:
            return self.source
        return f"arithmetic: {self.arithmetic}" if self.arithmetic else f"assumed: {self.assumed}"


@dataclass(frozen=True, slots=True)
class Cpu:
    """The processor.

    Attributes:
        cores, ghz: of the cores that figop would run on.
        flop_per_cycle: single-precision operations of one core and cycle (a multiply-add counts two).
        int8_per_cycle: the same for int8.
        dot_product: int8 instructions; without any, int8 buys size and no speed.
        scalar: speed of one core in plain code such as Python's, in cores of a Raspberry Pi 5.
        efficiency: share of the peak that convolution code reaches on one core.
    """

    core: str
    cores: Figure
    ghz: Figure
    flop_per_cycle: Figure
    int8_per_cycle: Figure
    dot_product: Literal["none", "sdot", "i8mm", "vnni", "wasm-simd"]
    scalar: Figure
    efficiency: Figure

    @property
    def gflops(self) -> float:
        """Single-precision peak of one core, 10^9 operations a second (arithmetic)."""
        return self.ghz.value * self.flop_per_cycle.value

    @property
    def gops(self) -> float:
        """int8 peak of one core, 10^9 operations a second (arithmetic)."""
        return self.ghz.value * self.int8_per_cycle.value


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A GPU, NPU or TPU. `peak` by precision, 10^9 operations a second, dense."""

    name: str
    kind: Literal["gpu", "npu", "tpu"]
    provider: str
    peak: Mapping[str, Figure]
    note: str


@dataclass(frozen=True, slots=True)
class Memory:
    """mb: of the smallest model sold. gb_per_s: DRAM peak. stream_gb_per_s: measured. cache_kb: last level."""

    mb: Figure
    gb_per_s: Figure
    cache_kb: Figure
    stream_gb_per_s: Figure | None = None


@dataclass(frozen=True, slots=True)
class PowerMode:
    """One setting of the board: watts of the module, and the clock of its processor where that changes."""

    name: str
    watts: Figure
    ghz: Figure | None = None


@dataclass(frozen=True, slots=True)
class Software:
    """What the vendor's system brings. python "" = none (figop's Python does not run there)."""

    system: str
    source: str
    python: str = "none"
    glibc: str = "none"
    wheels: str = "none"
    note: str = "none"


@dataclass(frozen=True, slots=True)
class Runtime:
    """An inference runtime of the board and its ceilings. max_ir, max_opset: of ONNX graphs."""

    name: Literal["litert", "tflite-runtime", "onnx", "tensorrt", "edgetpu", "web", "qnn"]
    formats: tuple[str, ...]
    providers: tuple[str, ...]
    precisions: tuple[Precision, ...]
    source: str
    max_ir: int | None = None
    max_opset: int | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """What `figop export` builds for this board unless told otherwise.

    memory_mb: budget of the whole process. recipes: the best recipe of other providers than the default one's.
    """

    runtime: str
    format: str
    recipe: str
    threads: int
    providers: tuple[str, ...]
    memory_mb: Figure
    bundle_mb: Figure
    why: str
    recipes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that cannot be met: all keys of `when` (runtime, format, precision, provider) must agree."""

    when: Mapping[str, str]
    why: str
    source: str


@dataclass(frozen=True, slots=True)
class Device:
    """One board, processor, headset or browser.

    Attributes:
        matches: pieces of the board's own name in its device tree, by which `figop doctor` knows it.
        refuses: what it must be refused, in words that say what to do instead.
        path: the file it was read from.
    """

    schema: int
    name: str
    title: str
    kind: Literal["board", "core", "headset", "accelerator", "host", "browser"]
    family: str
    arch: Literal["aarch64", "x86_64", "wasm32", "any"]
    chip: str
    cpu: Cpu
    memory: Memory
    software: Software
    runtimes: tuple[Runtime, ...]
    export: Export
    accelerators: tuple[Accelerator, ...] = ()
    power: tuple[PowerMode, ...] = ()
    refuses: tuple[Refusal, ...] = ()
    matches: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    path: Path = field(default=Path(), compare=False)

    @property
    def runs_python(self) -> bool:
        """Whether figop's own runtime runs there, or its graphs alone."""
        return self.software.python != "none"

    def runtime(self, name: str) -> Runtime | None:
        """A runtime of the board by name."""
        return next((r for r in self.runtimes if r.name == name), None)

    def figures(self) -> Iterator[tuple[str, Figure]]:
        """Every figure with its place in the profile, such as "cpu.ghz"."""
        yield from _figures("", self)


def load(path: Path) -> Device:
    """Read one profile. Raises DeviceError with the file, the place and what to do."""
    try:
        import yaml
    except ImportError as error:
        raise DeviceError("Device profiles need PyYAML: run `pip install pyyaml`.") from error
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DeviceError(f"The profile {path} cannot be read: {error.strerror or error}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise DeviceError(f"The profile {path} is not readable YAML: {reason}.") from error
    if not isinstance(raw, dict) or type(raw.get("schema")) is not int:
        raise DeviceError(f"{path} is not a device profile: it has no schema number.")
    if not 1 <= raw["schema"] <= SCHEMA:
        raise DeviceError(f"{path} is of profile schema {raw['schema']}, and this figop reads up to {SCHEMA}.")
    if "path" in raw:
        raise DeviceError(f"{path.name} has the unknown key 'path'.")
    device = read(Device, {**raw}, path.name)
    _check(device, path)
    object.__setattr__(device, "path", path)
    return device


def known() -> dict[str, Path | metadata.EntryPoint]:
    """Names of all devices and where their profiles are; a user's own file goes before figop's of that name."""
    found: dict[str, Path | metadata.EntryPoint] = {p.stem: p for p in sorted(_OWN.glob("*.yaml"))}
    for entry in metadata.entry_points(group=ENTRY_POINTS):
        found[entry.name] = entry
    for folder in folders():
        found |= {p.stem: p for p in sorted(folder.glob("*.yaml"))}
    return found


def folders() -> list[Path]:
    """Where a user's own profiles lie; the last one wins."""
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "figop" / "devices"
    extra = [Path(p).expanduser() for p in os.environ.get("FIGOP_DEVICES", "").split(os.pathsep) if p]
    return [base, *extra]


def find(name: str) -> Device:
    """A device by name, or by the path of its profile. Raises DeviceError."""
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        return load(Path(name).expanduser())
    names = known()
    if name not in names:
        asked = name.lower().replace("_", "-")
        near = [n for n in names if n.startswith(asked)] or get_close_matches(asked, names, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(names))}."
        raise DeviceError(f"There is no device {name!r}; {hint}")
    return _resolve(name, names[name])


def all_devices() -> list[Device]:
    """Every device that can be read, by name; a broken plug-in of somebody else raises as `find` does."""
    return [_resolve(name, where) for name, where in sorted(known().items())]


def _resolve(name: str, where: Path | metadata.EntryPoint) -> Device:
    """Entry points name a path, a function that gives one, or a function that gives a Device."""
    if isinstance(where, Path):
        device = load(where)
    else:
        try:
            given: Any = where.load()
            given = given() if callable(given) else given
        except Exception as error:  # a plug-in of somebody else: whatever it raises is its message
            raise DeviceError(f"The device {name} comes from {where.value}, which fails: {error}.") from error
        device = given if isinstance(given, Device) else load(Path(str(given)))
    if device.name != name:
        raise DeviceError(f"The profile of {name} calls itself {device.name!r}: the two names must agree.")
    return device


def _check(device: Device, path: Path) -> None:
    """What types alone cannot say. Raises DeviceError."""

    def wrong(what: str) -> DeviceError:
        return DeviceError(f"{path.name}: {what}")

    if not _NAME.fullmatch(device.name):
        raise wrong(f"the name must be kebab-case such as raspberry-pi-4, found {device.name!r}.")
    for recipe in (device.export.recipe, *device.export.recipes.values()):
        if not RECIPE.fullmatch(recipe):
            raise wrong(f"export: the recipe {recipe!r} is no recipe name such as static_w8c_a8.")
    chosen = device.runtime(device.export.runtime)
    if chosen is None:
        raise wrong(f"export: the runtime {device.export.runtime!r} is not among the device's runtimes.")
    if device.export.format not in chosen.formats or not set(device.export.providers) <= set(chosen.providers):
        raise wrong(f"export: {chosen.name} has no such format or provider.")
    if not 1 <= device.export.threads <= device.cpu.cores.value:
        raise wrong(f"export: {device.export.threads} threads on {device.cpu.cores.value:.0f} cores.")
    for refusal in device.refuses:
        if bad := set(refusal.when) - {"runtime", "format", "precision", "provider"}:
            raise wrong(f"refuses: {sorted(bad)[0]!r} is nothing that is asked for.")


def _figures(place: str, value: Any) -> Iterator[tuple[str, Figure]]:
    if isinstance(value, Figure):
        yield place, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _figures(f"{place}.{key}", inner)
    elif isinstance(value, tuple):
        for index, inner in enumerate(value):
            yield from _figures(f"{place}.{getattr(inner, 'name', index)}", inner)
    elif is_dataclass(value):
        for f in fields(value):
            yield from _figures(f"{place}.{f.name}".lstrip("."), getattr(value, f.name))
