"""A bundle for a device: checked, calibrated, converted, verified, and only then written, all at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from devices.device import Device, find
from devices.target import Request, Target
from edge.bundle import STUDENT_GRAPHS, Bundle, canonical
from edge.bundle_files import MANIFEST, open_files
from export.build import Part, assemble, write
from export.formats import checks
from export.formats.card import export_card
from export.formats.hands import Hands, export_hands
from export.formats.registry import ExportError, Format
from export.formats.rule import Choice, choose_recipe
from quant import onnxrt
from quant.calibrate import HOME, Calibration
from quant.calibrate import load as load_calibration
from quant.compare import VERIFICATION, GateFailed, Material, Reference, Report, compare
from quant.feeds import Feed
from quant.layers import check_rows
from quant.recipe import Recipe, Row
from quant.variants import graphs, with_graphs

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What `figop export` is asked for; None and "" = whatever the device's profile says.

    Attributes:
        with_hands: put the hand networks into the bundle too.
        calibration: folder of recordings. verification: folders of recordings that the gate reads.
        against: a reference bundle for the gate, where it is not `bundle` itself.
    """

    device: str
    output: Path
    bundle: str = "figop-base"
    recipe: str | None = None
    format: str | None = None
    runtime: str | None = None
    provider: str | None = None
    precision: str | None = None
    prefer: str | None = None
    with_hands: bool = False
    calibration: Path = HOME / "calibration"
    verification: Sequence[Path] = field(default_factory=lambda: [VERIFICATION])


@dataclass(frozen=True, slots=True)
class Built:
    """What came of an order. size: bytes of the file."""

    bundle: Bundle
    target: Target
    choice: Choice
    report: Report
    size: int
    hands: Hands | None


def build(order: Order, progress: Progress = lambda text: None) -> Built:
    """Check, calibrate, convert, verify, write. Whatever fails, the file that was there before stays as it was.

    Raises ExportError, DeviceError, RecipeError, UnfitData, GateFailed, BundleError or SinkError.
    """
    device = find(order.device)
    source = Bundle.open(order.bundle)
    choice = choose_recipe(device, order.recipe, order.prefer, precision=order.precision)
    request = Request(order.runtime, order.format, _named(choice.recipe), order.precision, order.provider)
    recipe, target, format = _capability(device, request, choice, source)
    checks.dependency(format, recipe)
    checks.environment(order.output, recipe, order.calibration, order.verification)
    check_rows(recipe, graphs(source, format.name), format.name)
    progress(f"{source.name} {source.version} for {device.name}: {format.label}, {recipe.name}, because {choice.why}")
    calibration: Calibration | None = None
    feeds: Mapping[str, Sequence[Feed]] = {}
    if recipe.needs_calibration(STUDENT_GRAPHS):
        calibration = load_calibration(order.calibration, not_in=next(iter(order.verification), None))
        progress(f"{len(calibration.recordings)} recordings calibrate ({calibration.seconds:.0f} s of hands)")
        feeds = calibration.feeds(source)
    make = partial(convert, source, format, target, feeds)
    made = {}
    for role in STUDENT_GRAPHS:
        progress(f"{role}: {recipe.scheme(role)}")
        made[role] = make(role, recipe)
    candidate = with_graphs(source, format.name, made)
    material = Material.load(order.verification)
    progress(f"verifying: {source.name} reads {len(material.recordings)} recordings")
    reference = Reference.of(source, material, format.name)

    def again(role: str, row: Row) -> bytes:
        return make(role, recipe.with_rows(row))

    report = compare(reference, candidate, format.name, recipe.gate, progress, again)
    if not report.passed:
        raise GateFailed(report)
    hands = export_hands(format.name, recipe, progress) if order.with_hands else None
    if order.with_hands and target.runtime not in ("litert", "onnx", "web"):
        raise ExportError(f"The hand networks are exported for LiteRT and ONNX Runtime, not for {target.runtime}.")
    files = package(source, device, target, format, recipe, calibration, made, report, choice, hands)
    size = sum(map(len, files.values()))
    target.check_size(size)
    write(files, order.output)
    return Built(Bundle.open(order.output), target, choice, report, size, hands)


def convert(
    source: Bundle, format: Format, target: Target, feeds: Mapping[str, Sequence[Feed]], role: str, recipe: Recipe
) -> bytes:
    """A graph of the student by the recipe, in the opset and IR that the target reads."""
    quantise = format.convert()
    if format.name == "onnx" and "tensorrt" in (target.runtime, *target.providers):
        quantise = partial(onnxrt.quantise, symmetric=True)  # its rules: see `export.formats.tensorrt`
    made = quantise(source.graph(role, format.name), role, recipe, feeds.get(role, ()))
    return made if format.opsets is None else versioned(made, format, target)


def versioned(data: bytes, format: Format, target: Target) -> bytes:
    """An ONNX graph in an opset and IR that the target's runtime reads, both set explicitly."""
    import onnx

    from quant.onnxrt import clean

    model = onnx.load_from_string(data)
    low, high = format.opsets or (0, 0)
    ceiling = min(high, target.max_opset or high)
    opset = min(model.opset_import[0].version, ceiling)
    if opset < low:
        raise ExportError(f"A graph is of opset {opset}, and figop's are of {low} to {high}: release it anew.")
    return clean(model, opset, min(format.ir or 10, target.max_ir or 10))


def package(
    source: Bundle,
    device: Device,
    target: Target,
    format: Format,
    recipe: Recipe,
    calibration: Calibration | None,
    made: Mapping[str, bytes],
    report: Report,
    choice: Choice,
    hands: Hands | None,
) -> dict[str, bytes]:
    """Every file of the exported bundle, the manifest included; no time, no place of this machine in any."""
    with open_files(source.path) as held:
        manifest = json.loads(held.read(MANIFEST))
    graph_files = {name for stored in source.graphs.values() for name in stored.values()}
    parts = {
        name: Part(source.read(name), entry.licence, entry.origin)
        for name, entry in source.files.items()
        if name not in graph_files
    }
    origin = f"{source.name} {source.version}, {recipe.name}, figop export"
    stored: dict[str, dict[str, str]] = {}
    for role, data in made.items():
        stored[role] = {format.name: f"{role}.{format.name}"}
        parts[f"{role}.{format.name}"] = Part(data, "Apache-2.0", origin)
    for role, data in (hands.graphs if hands else {}).items():
        stored[role] = {format.name: f"{role}.{format.name}"}
        parts[f"{role}.{format.name}"] = Part(data, "Apache-2.0", hands.origins[role] if hands else "")
    verification = report.to_dict() | ({"hands": hands.report} if hands else {})
    schemes = {**{role: str(recipe.scheme(role)) for role in STUDENT_GRAPHS}, **(hands.schemes if hands else {})}
    about: dict[str, Any] = {
        "device": device.name,
        "runtime": target.runtime,
        "format": format.name,
        "providers": list(_providers(target)),
        "threads": target.threads,
        "recipe": recipe.name,
        "why": choice.why,
        "schemes": schemes,
        "calibration": {
            "digest": calibration.digest if calibration else "",
            "recordings": len(calibration.recordings) if calibration else 0,
        },
        "verification": "verification.json",
        "from": {"name": source.name, "version": source.version, "weights": source.weights_digest},
    }
    parts["recipe.json"] = Part(canonical(recipe.to_dict()), "Apache-2.0", "quant.recipes")
    parts["verification.json"] = Part(canonical(verification), "Apache-2.0", "figop export")
    old = source.read("MODEL_CARD.md").decode() if "MODEL_CARD.md" in source.files else ""
    sizes = {role: len(data) for role, data in {**made, **(hands.graphs if hands else {})}.items()}
    card = export_card(old, device, about, report, sizes, hands.report if hands else None)
    parts["MODEL_CARD.md"] = Part(card.encode(), "Apache-2.0", "export.formats.card")
    manifest = {k: v for k, v in manifest.items() if k not in ("files", "digest", "schema")}
    created = {"by": "figop", "command": f"figop export --device {device.name}"}
    networks = [] if hands else manifest["networks"]
    digest = hands.appearance_digest if hands else manifest["appearance_digest"]
    return assemble(
        {**manifest, "created": created, "graphs": stored, "built": about, "networks": networks,
         "appearance_digest": digest},
        parts,
    )  # fmt: skip


def _providers(target: Target) -> tuple[str, ...]:
    """Those that `edge.runtime` knows by name; a vendor's own runtime takes the graphs as they are."""
    from edge.runtime.session import PROVIDERS

    return tuple(p for p in target.providers if p in PROVIDERS) or ("cpu",)


def _named(recipe: str | None) -> str | None:
    """A recipe's name, where a file was given."""
    return Recipe.load(recipe).name if recipe else None


def _capability(device: Device, request: Request, choice: Choice, source: Bundle) -> tuple[Recipe, Target, Format]:
    from devices.target import choose

    target = choose(device, request)
    recipe = Recipe.load(choice.recipe or target.recipe)
    target, format = checks.capability(device, request, recipe, source)
    return recipe, target, format
