"""What is built for a device: a request, refused in one sentence before anything is converted, or a `Target`.

`figop export --device` asks here first. Nothing of this module imports a converter.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from devices.device import PRECISIONS, RECIPE, Device, Precision, Runtime
from devices.schema import DeviceError, nearest

#: Share of a board's memory that figop may ask for: the system and the rest of the robot need theirs.
MEMORY_SHARE = 0.8


@dataclass(frozen=True, slots=True)
class Request:
    """What somebody asks for; None = whatever the device's profile says is best.

    Attributes:
        precision: "int8" is what int8 means there: activations quantised while running where the runtime's CPU can,
            else with the ranges of a calibration (which `recipe` "mixed_w8c_a8" asks for anywhere).
        ir, opset: of the ONNX graphs at hand. memory_mb: budget of the whole process.
    """

    runtime: str | None = None
    format: str | None = None
    recipe: str | None = None
    precision: str | None = None
    provider: str | None = None
    threads: int | None = None
    memory_mb: float | None = None
    ir: int | None = None
    opset: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """What to build and how to run it. max_ir, max_opset: None where the format has none."""

    device: str
    runtime: str
    format: str
    recipe: str
    precision: Precision
    providers: tuple[str, ...]
    threads: int
    memory_mb: float
    bundle_mb: float
    max_ir: int | None
    max_opset: int | None
    why: str

    def check_size(self, size: int) -> None:
        """Raise DeviceError unless a bundle of so many bytes fits the budget."""
        if size > self.bundle_mb * 2**20:
            raise DeviceError(
                f"The bundle has {size / 2**20:.1f} MB and {self.device} has a budget of {self.bundle_mb:.0f} MB: "
                "use an int8 recipe, or drop a graph."
            )


def precision_of(recipe: str) -> Precision:
    """The arithmetic that a recipe leads to. Raises DeviceError for a name that is none."""
    if not RECIPE.fullmatch(recipe):
        raise DeviceError(
            f"There is no recipe {recipe!r}: recipes are float32, float16, or such as static_w8c_a8, mixed_w8c_a8, "
            "dynamic_w8c and weight_only_w8c."
        )
    mode = recipe.split("_keep:")[0]
    if mode in ("float32", "float16"):
        return mode  # type: ignore[return-value]
    if mode.startswith("weight_only"):
        return "float32"
    if mode.startswith("dynamic"):
        return "dynamic-int8"
    return "int16" if mode.endswith("_a16") else "int8"


#: The recipe that a precision means where none is named.
_RECIPES: dict[str, str] = {
    "float32": "float32",
    "float16": "float16",
    "int8": "mixed_w8c_a8",
    "dynamic-int8": "dynamic_w8c",
    "int16": "static_w8c_a16",
}

#: Providers that compute on the CPU.
_ON_CPU = {"cpu", "xnnpack"}


def refusal(device: Device, request: Request) -> str | None:
    """Why a request cannot be met, in one sentence that says what to do; None where it can."""
    try:
        choose(device, request)
    except DeviceError as error:
        return str(error)
    return None


def choose(device: Device, request: Request | None = None) -> Target:
    """What to build for a device. Raises DeviceError with the sentence of `refusal`."""
    asked = request or Request()
    default = device.export
    recipe, precision = _recipe(device, asked)
    _refuse_by_profile(device, asked, precision)
    runtime = _runtime(device, asked)
    if asked.format is not None and asked.format not in runtime.formats:
        raise DeviceError(
            f"{runtime.name} reads {_list(runtime.formats)}, not {asked.format}: choose one of them for {device.name}."
        )
    if (asked.recipe, asked.precision) == (None, None) and precision == "dynamic-int8" not in runtime.precisions:
        # the profile's is for its own runtime; int8 with the ranges of a calibration loses a word in ten
        recipe, precision = "float16", "float16"
    fmt = asked.format or (default.format if runtime.name == default.runtime else runtime.formats[0])
    providers = _providers(device, asked, runtime)
    if precision not in runtime.precisions:
        what = "computes dynamic-range int8 wrongly" if _wrong(runtime, precision) else f"has no {precision}"
        raise DeviceError(f"{runtime.name} on {device.title} {what}: use {_list(runtime.precisions)}.")
    for name, found, ceiling in (("IR", asked.ir, runtime.max_ir), ("opset", asked.opset, runtime.max_opset)):
        if found is not None and ceiling is not None and found > ceiling:
            raise DeviceError(
                f"The graph is of ONNX {name} {found} and {runtime.name} on {device.title} reads up to {ceiling}: "
                f"export with {name} {ceiling} or less."
            )
    threads = default.threads if asked.threads is None else asked.threads
    if not 1 <= threads <= device.cpu.cores.value:
        raise DeviceError(
            f"{threads} threads were asked for and {device.title} has {device.cpu.cores.value:.0f} cores: "
            f"use 1 to {device.cpu.cores.value:.0f}, best {default.threads}."
        )
    memory = default.memory_mb.value if asked.memory_mb is None else asked.memory_mb
    if not 0 < memory <= MEMORY_SHARE * device.memory.mb.value:
        raise DeviceError(
            f"{memory:.0f} MB were asked for and {device.title} has {device.memory.mb.value:.0f} MB, of which figop "
            f"takes {MEMORY_SHARE:.0%} at most: use {MEMORY_SHARE * device.memory.mb.value:.0f} MB or less."
        )
    onnx = fmt == "onnx"
    return Target(
        device=device.name,
        runtime=runtime.name,
        format=fmt,
        recipe=recipe,
        precision=precision,
        providers=providers,
        threads=threads,
        memory_mb=memory,
        bundle_mb=default.bundle_mb.value,
        max_ir=runtime.max_ir if onnx else None,
        max_opset=runtime.max_opset if onnx else None,
        why=default.why,
    )


def _recipe(device: Device, asked: Request) -> tuple[str, Precision]:
    if asked.precision is not None and asked.precision not in PRECISIONS:
        raise DeviceError(f"There is no precision {asked.precision!r}{nearest(asked.precision, PRECISIONS)}")
    if asked.recipe is not None:
        found = precision_of(asked.recipe)
        if asked.precision not in (None, found):
            raise DeviceError(f"The recipe {asked.recipe} is {found}, and {asked.precision} was asked for: drop one.")
        return asked.recipe, found
    if asked.precision is not None:
        while_running = asked.precision == "int8" and _quantises_while_running(device, asked)
        recipe = _RECIPES["dynamic-int8" if while_running else asked.precision]
    else:
        recipe = device.export.recipes.get(asked.provider or "", device.export.recipe)
    return recipe, precision_of(recipe)


def _quantises_while_running(device: Device, asked: Request) -> bool:
    """Whether what would run the graphs is a CPU that has dynamic int8; accelerators want ranges."""
    try:
        runtime = _runtime(device, asked)
        providers = _providers(device, asked, runtime)
    except DeviceError:  # `choose` says so
        return False
    return set(providers) <= _ON_CPU and "dynamic-int8" in runtime.precisions


def _refuse_by_profile(device: Device, asked: Request, precision: str) -> None:
    """The profile's own refusals come first: they say why, and what else works."""
    wanted = {f.name: getattr(asked, f.name) for f in fields(asked)} | {"precision": precision}
    for row in device.refuses:
        if all(wanted.get(key) == value for key, value in row.when.items()):
            raise DeviceError(row.why)


def _runtime(device: Device, asked: Request) -> Runtime:
    names = tuple(r.name for r in device.runtimes)
    if asked.runtime is not None:
        found = device.runtime(asked.runtime)
        if found is None:
            raise DeviceError(f"{device.title} does not run {asked.runtime}: it runs {_list(names)}.")
        return found
    default = device.runtime(device.export.runtime)
    fits = [
        r
        for r in (default, *device.runtimes)
        if r is not None
        and (asked.provider is None or asked.provider in r.providers)
        and (asked.format is None or asked.format in r.formats)
    ]
    if not fits and asked.provider is not None:
        every = tuple(dict.fromkeys(p for r in device.runtimes for p in r.providers))
        if asked.provider not in every:
            raise DeviceError(f"{device.title} has no provider {asked.provider}: it has {_list(every)}.")
    if not fits:
        every = tuple(dict.fromkeys(f for r in device.runtimes for f in r.formats))
        raise DeviceError(f"No runtime of {device.title} reads {asked.format} so: formats are {_list(every)}.")
    return fits[0]


def _providers(device: Device, asked: Request, runtime: Runtime) -> tuple[str, ...]:
    if asked.provider is None:
        return device.export.providers if runtime.name == device.export.runtime else runtime.providers[:1]
    if asked.provider not in runtime.providers:
        raise DeviceError(
            f"{runtime.name} on {device.title} has no provider {asked.provider}: it has {_list(runtime.providers)}."
        )
    return (asked.provider,)


def _wrong(runtime: Runtime, precision: str) -> bool:
    # seen: 2.14 returns wrong numbers for per-channel hybrid operators, without a word
    return runtime.name == "tflite-runtime" and precision == "dynamic-int8"


def _list(words: tuple[str, ...]) -> str:
    return " or ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} or {words[-1]}"
