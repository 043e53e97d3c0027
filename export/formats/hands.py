"""The hand networks for a bundle: full int8 where captions bear it, else mixed, else lite, else as they are.

A network must be near the float one on rendered crops, and must not have lost more captions on development clips than
the recipe's gate allows (`export.formats.hand_captions`). What passes is measured on real pictures and video by
`quant.hands_bench`; nothing is chosen there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.errors import RuntimeUnavailable
from edge.hands.networks import LANDMARK, PALM, WHEEL, locate_networks
from edge.hands.palm import decode
from edge.runtime import open_session
from edge.runtime.session import Session
from edge.skeleton import MIDDLE_MCP, WRIST
from export.formats.hand_captions import Loss, key, measured
from quant.crops import FILES, Crops, as_input
from quant.feeds import RUNTIMES, Feed
from quant.handnets import folded, shifted
from quant.handonnx import to_onnx
from quant.recipe import Gate, Recipe
from quant.variants import FORMATS

Progress = Callable[[str], None]
ROLES = ("palm", "landmark")
#: Outputs of the landmark network by their place.
_IMAGE, _PRESENCE, _SIDE, _WORLD, _FEATURE = range(5)
#: Correlation of the shared feature, which the keyframe token is made of, below which it is another feature.
FEATURE_BAR = 0.95
#: Share of verification pictures in which the palm network must find the same hands.
PALMS_BAR = 0.95
#: Mixed recipes of the landmark network, in the order in which they are tried. World landmarks are small differences
#: of large numbers. With the last two convolutions and their mean float (3 % of the arithmetic) they move by 0.020
#: palm lengths in place of 0.054; with integer weights and float arithmetic, where neither the entry nor the 7 % of
#: the weights that are depthwise are rounded, by 0.012 (medians on the verification crops).
MIXED = (
    "static_w8c_a8_keep:landmark_heads,landmark_entry,landmark_last",
    "weight_only_w8c_keep:landmark_heads,landmark_entry,landmark_depthwise",
)


@dataclass(frozen=True, slots=True)
class Way:
    """One way to make a network: variant "full" or "lite", by a recipe; scheme: that, as manifests say it."""

    variant: str
    recipe: Recipe
    scheme: str

    @property
    def name(self) -> str:
        """For reports."""
        return f"{self.variant} {self.scheme}"

    @property
    def same(self) -> bool:
        """Whether it is the float network itself, weights in half precision apart."""
        return self.variant == "full" and self.scheme in ("float32", "float16")


@dataclass(frozen=True, slots=True, eq=False)
class Attempt:
    """A network made in one way. figures: against the float one, on verification crops."""

    role: str
    name: str
    scheme: str
    data: bytes
    origin: str
    figures: Mapping[str, float]
    passed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Hands:
    """The networks for a bundle. report: what was tried, and why each was chosen."""

    graphs: Mapping[str, bytes]
    schemes: Mapping[str, str]
    origins: Mapping[str, str]
    report: Mapping[str, Any]
    appearance_digest: str


def export_hands(
    format: str, recipe: Recipe, progress: Progress = lambda text: None, losses: Mapping[str, Loss] | None = None
) -> Hands:
    """Both networks in a format; the first way that passes wins; the float network does.

    losses: what captions lost, by `key`; by default what was measured with figop. A landmark network that is not there
        does not pass, float ones apart.
    """
    calibration, verification = Crops.load(FILES["calibration"]), Crops.load(FILES["verification"])
    losses = measured() if losses is None else losses
    won: dict[str, Attempt] = {}
    networks: dict[str, Any] = {}
    for role in ROLES:
        tried: dict[str, Any] = {}
        because: list[str] = []
        for way in ways(role, recipe):
            progress(f"{role} network: {way.name}")
            row: dict[str, Any] = tried.setdefault(way.name, {})
            try:
                if role == "landmark" and not way.same:
                    loss = losses.get(made_of(way, format, calibration))
                    row["captions"] = loss.to_dict() if loss else "not measured"
                    if doubt := _doubt(loss, recipe.gate):  # before anything is converted
                        because.append(f"{way.name} {doubt}")
                        continue
                made = attempt(role, way, format, calibration, verification, recipe.gate)
            except RuntimeUnavailable:
                if way.variant == "full":
                    raise
                because.append(f"{way.name} is not set up")  # `figop setup` fetches what figop runs: the full one
                continue
            row.update(made.figures)
            if made.passed:
                won[role] = made
                break
            because.append(f"{way.name} is too far from float on crops")
        why = f"{won[role].name} ({len(won[role].data) / 1e6:.1f} MB)"
        why += f", because {'; '.join(because)}." if because else "."
        if isinstance(found := tried[won[role].name].get("captions"), dict):
            why += f" With it captions lost {Loss(**found)}."
        networks[role] = {"chosen": won[role].name, "why": why, "tried": tried}
    return Hands(
        {role: a.data for role, a in won.items()},
        {role: a.scheme for role, a in won.items()},
        {role: a.origin for role, a in won.items()},
        {"networks": networks, "calibration_sha256": calibration.digest, "verification_sha256": verification.digest},
        hashlib.sha256(won["landmark"].data).hexdigest(),
    )


def _doubt(loss: Loss | None, gate: Gate) -> str:
    """Why captions forbid a network; "" where they do not."""
    if loss is None:
        return "was not measured by captions (`python -m quant.measure_hands`)"
    return "" if loss.holds(gate) else f"lost {loss} (gate {gate.event_f1_loss} and {gate.gestures:.0%})"


def ways(role: str, recipe: Recipe) -> list[Way]:
    """In the order in which they are tried; the last is the float network."""
    scheme = recipe.scheme(role)
    as_is = Recipe.parse("float32" if scheme.kind == "float32" else "float16")
    out: list[Way] = []
    if scheme.kind not in ("float32", "float16"):
        out.append(Way("full", recipe, str(scheme)))
        if role == "landmark":
            mixed = [replace(Recipe.parse(name), method=recipe.method, gate=recipe.gate) for name in MIXED]
            out += [Way("full", other, other.name) for other in mixed]
            out.append(Way("lite", recipe, str(scheme)))
    return [*out, Way("full", as_is, as_is.name)]


def made_of(way: Way, format: str, calibration: Crops) -> str:
    """The `key` of a landmark network. Raises RuntimeUnavailable where its float network is not set up."""
    return key(network("landmark", way.variant, format), way.variant, way.recipe, format, calibration.digest)


def attempt(role: str, way: Way, format: str, calibration: Crops, verification: Crops, gate: Gate) -> Attempt:
    """Convert one network and compare it with the full float one."""
    wanted, made = network(role, "full", "tflite"), convert(role, way, format, calibration)
    compare = compare_landmarks if role == "landmark" else compare_palms
    figures = compare(open_session(wanted), open_session(made, RUNTIMES[format]), getattr(verification, role))
    row = (PALM if role == "palm" else LANDMARK)[way.variant]
    origin = f"{WHEEL} (PyPI), {row.member}, sha256 {row.sha256[:16]}..., {way.recipe.name}"
    return Attempt(role, way.name, way.scheme, made, origin, figures, way.same or passes(role, figures, gate))


def convert(role: str, way: Way, format: str, calibration: Crops) -> bytes:
    """A network made in one way. Raises RuntimeUnavailable where its float network is not set up."""
    data, scheme = network(role, way.variant, format), way.recipe.scheme(role)
    feeds = feeds_for(role, data, format, calibration) if scheme.needs_calibration else ()
    if format == "tflite" and scheme.kind == "float16" and role == "palm":
        return original(role, way.variant)  # which has float16 weights already
    made = FORMATS[format](data, role, way.recipe, feeds)
    if role == "landmark" and scheme.weight_bits:
        wanted = open_session(network(role, "full", "tflite"))
        made = centred(wanted, made, format, calibration.landmark)
        wanted.close()
    return made


def centred(wanted: Session, made: bytes, format: str, crops: NDArray[np.uint8]) -> bytes:
    """A quantised landmark network whose landmarks are right on average.

    Rounding moves the mean of every feature a little, and world landmarks are small differences of large numbers: they
    were off by 0.40 palm lengths, always in the same direction, when image landmarks were off by 0.01. The mean error
    on calibration crops is taken from the heads' biases.
    """
    found = open_session(made, RUNTIMES[format])
    names = [wanted.outputs[i].name for i in (_IMAGE, _WORLD)]
    own = [found.outputs[i].name for i in (_IMAGE, _WORLD)]
    errors: dict[str, list[NDArray[np.float32]]] = {name: [] for name in own}
    for picture in as_input(crops):
        a, b = (s.run({s.inputs[0].name: picture}) for s in (wanted, found))
        if a[wanted.outputs[_PRESENCE].name][0, 0] >= 0.5:
            for name, other in zip(names, own, strict=True):
                errors[other].append(a[name][0] - b[other][0])
    found.close()
    return shifted(made, format, {name: np.mean(rows, axis=0) for name, rows in errors.items()})


def passes(role: str, figures: Mapping[str, float], gate: Gate) -> bool:
    """Whether a network is near enough to the float one."""
    if role == "palm":
        return figures["found_equal"] >= PALMS_BAR and figures["points_p95"] <= gate.landmark_p95
    near = figures["error_median"] <= gate.landmark_median and figures["error_p95"] <= gate.landmark_p95
    near = near and figures["world_median"] <= gate.world_median and figures["world_p95"] <= gate.world_p95
    return near and figures["presence_equal"] >= PALMS_BAR


def original(role: str, variant: str) -> bytes:
    """A network as Google made it."""
    return locate_networks(variant).load()[ROLES.index(role)]


def network(role: str, variant: str, format: str) -> bytes:
    """A network, folded; the landmark network with its shared feature as last output."""
    data = folded(original(role, variant), feature=role == "landmark")
    return to_onnx(data) if format == "onnx" else data


def feeds_for(role: str, data: bytes, format: str, crops: Crops) -> list[Feed]:
    """Calibration feeds for a network."""
    session = open_session(data, RUNTIMES[format])
    name = session.inputs[0].name
    session.close()
    return [{name: picture} for picture in as_input(getattr(crops, role))]


def compare_landmarks(wanted: Session, found: Session, crops: NDArray[np.uint8]) -> dict[str, float]:
    """Landmark error added (palm lengths), presence by the tracker's threshold, and the shared feature."""
    errors, worlds, presence, likeness = [], [], [], []
    for picture in as_input(crops):
        a, b = (list(s.run({s.inputs[0].name: picture}).values()) for s in (wanted, found))
        presence.append((a[1][0, 0] >= 0.5) == (b[1][0, 0] >= 0.5))
        if a[1][0, 0] < 0.5:
            continue
        errors.append(landmark_error(a[0].reshape(21, 3), b[0].reshape(21, 3)))
        worlds.append(world_error(a[_WORLD].reshape(21, 3), b[_WORLD].reshape(21, 3)))
        if len(b) > 4 and a[4].shape == b[4].shape:
            likeness.append(float(np.corrcoef(a[4][0], b[4][0])[0, 1]))
    median, p95 = np.percentile(errors, [50, 95]) if errors else (np.inf, np.inf)
    out = {"crops": float(len(errors)), "error_median": float(median), "error_p95": float(p95)}
    world = np.percentile(worlds, [50, 95]) if worlds else (np.inf, np.inf)
    out |= {"world_median": float(world[0]), "world_p95": float(world[1]), "presence_equal": float(np.mean(presence))}
    out |= {"feature_correlation_least": min(likeness)} if likeness else {}
    return {key: round(value, 5) for key, value in out.items()}


def landmark_error(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    """Mean distance in the picture, palm lengths of the first."""
    palm = float(np.linalg.norm(wanted[MIDDLE_MCP, :2] - wanted[WRIST, :2]))
    return float(np.linalg.norm(wanted[:, :2] - found[:, :2], axis=1).mean()) / max(palm, 1e-6)


def world_error(wanted: NDArray[Any], found: NDArray[Any]) -> float:
    """Mean distance of the world landmarks from each other, wrist on wrist, palm lengths of the first."""
    a, b = wanted - wanted[WRIST], found - found[WRIST]
    return float(np.linalg.norm(a - b, axis=1).mean()) / max(float(np.linalg.norm(a[MIDDLE_MCP])), 1e-6)


def compare_palms(wanted: Session, found: Session, crops: NDArray[np.uint8]) -> dict[str, float]:
    """Hands found by both, and how far their points are apart, palm lengths."""
    same, apart = [], []
    for picture in as_input(crops):
        a, b = (_palms(s, picture) for s in (wanted, found))
        same.append(len(a) == len(b))
        for one in a:
            near = min((float(np.linalg.norm(one.points - o.points, axis=1).mean()) for o in b), default=np.inf)
            palm = float(np.linalg.norm(one.points[2] - one.points[0]))
            apart.append(near / max(palm, 1e-6))
    median, p95 = np.percentile(apart, [50, 95]) if apart else (np.inf, np.inf)
    out = {"pictures": float(len(same)), "found_equal": float(np.mean(same)), "points_median": float(median)}
    return {key: round(min(value, 1e3), 5) for key, value in (out | {"points_p95": float(p95)}).items()}


def _palms(session: Session, picture: NDArray[np.float32]) -> Sequence[Any]:
    out = session.run({session.inputs[0].name: picture})
    by_width = {value.shape[-1]: value for value in out.values()}
    return decode(by_width[18][0], by_width[1][0, :, 0], float(picture.shape[1]), 0.0, 0.0)
