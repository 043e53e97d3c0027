"""Recipes: which tensors are quantised how, as data; a recipe's name says most of it aloud.

    float32 | float16 | KIND_w<bits><c or t>[_a<bits>] , each with _keep:<group>,<group> or without

KIND: dynamic (weights stored as integers, activations quantised while running), static (every operator that can be,
with ranges from calibration), mixed (static for dense layers and convolutions only), weight_only (integers on disk,
float arithmetic). c = a scale per channel, t = one per tensor. Groups are components ("encoder") or rows of
`groups.json` ("softmax"); what they name stays float32.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from edge.errors import FigopError
from edge.files import write_whole

SCHEMA = 1
HOME = Path(__file__).resolve().parent / "recipes"
#: Networks that a recipe may speak of: the student's four graphs and the two hand networks.
ROLES = ("encoder", "units", "prefill", "step", "palm", "landmark")
_NAME = re.compile(
    r"(?P<mode>float32|float16|(?P<kind>dynamic|static|weight_only|mixed)"
    r"_w(?P<bits>4|8)(?P<grain>[ct])(?:_a(?P<act>8|16))?)(?:_keep:(?P<keep>[a-z0-9_]+(?:,[a-z0-9_]+)*))?"
)


class RecipeError(FigopError):
    """A recipe cannot be read, contradicts itself, or speaks of something that a graph does not have."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """How tensors are stored and computed.

    Attributes:
        kind: "float32", "float16", "dynamic", "static", "mixed" or "weight_only".
        weight_bits, activation_bits: 0 = float. per_channel: a scale for every output channel of a weight.
    """

    kind: str
    weight_bits: int = 0
    per_channel: bool = True
    activation_bits: int = 0

    @classmethod
    def parse(cls, text: str) -> Scheme:
        """From its name, without kept groups. Raises RecipeError."""
        match = _NAME.fullmatch(text)
        if match is None or match["keep"]:
            raise RecipeError(f"There is no scheme {text!r}: schemes are float32, float16, or such as static_w8c_a8.")
        if match["kind"] is None:
            return cls(text)
        needs, has = match["kind"] in ("static", "mixed"), match["act"] is not None
        if needs != has:
            what = "says no activation bits, as in _a8" if needs else "keeps its activations float, so drop the _a"
            raise RecipeError(f"The scheme {text!r} {what}.")
        return cls(match["kind"], int(match["bits"]), match["grain"] == "c", int(match["act"] or 0))

    @property
    def needs_calibration(self) -> bool:
        """Whether ranges of activations must be known before converting."""
        return self.activation_bits > 0

    def __str__(self) -> str:
        if not self.weight_bits:
            return self.kind
        act = f"_a{self.activation_bits}" if self.activation_bits else ""
        return f"{self.kind}_w{self.weight_bits}{'c' if self.per_channel else 't'}{act}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a recipe; later lines overrule earlier ones.

    Attributes:
        graph: pattern that a network's role must match wholly.
        scheme: for the network, or, with `layer` or `op`, float32 for what they name.
        layer: pattern found in a layer's name. op: an operator's name, in the words of `groups.json`.
    """

    graph: str
    scheme: Scheme
    layer: str = ""
    op: str = ""

    def to_dict(self) -> dict[str, str]:
        """As recipes store it."""
        row = {"graph": self.graph, "scheme": str(self.scheme), "layer": self.layer, "op": self.op}
        return {key: value for key, value in row.items() if value}

    def __str__(self) -> str:
        return json.dumps(self.to_dict())


@dataclass(frozen=True, slots=True)
class Gate:
    """What a quantised bundle may lose against the float one; shares are 0..1, see `quant.compare`.

    Attributes:
        event_f1_loss: F1 of final captions lost on clips with a true score.
        caption_tokens: words equal: of what is told, in order; of both decoders over the same phrases; and step by step
            to the longest caption. The least of the three counts.
        gestures: agreement (F1) of the gestures that were told, by hand and label.
        captions: final captions with equal text, manner words included.
        output_snr_db: least signal-to-noise ratio of any output of a graph on the float graph's own inputs.
        landmark_median, landmark_p95: landmark error added by hand networks, palm lengths.
        world_median, world_p95: the same of world landmarks, whose own error is 0.27 (median on rendered clips).
    """

    event_f1_loss: float = 0.01
    caption_tokens: float = 0.97
    gestures: float = 0.95
    captions: float = 0.90
    output_snr_db: float = 10.0
    landmark_median: float = 0.015
    landmark_p95: float = 0.04
    world_median: float = 0.08
    world_p95: float = 0.15


@dataclass(frozen=True, slots=True)
class Recipe:
    """A named recipe. method: "minmax", or "percentile" (99.99 %, ONNX only)."""

    name: str
    rows: tuple[Row, ...]
    about: str = ""
    method: str = "minmax"
    gate: Gate = field(default_factory=Gate)

    @classmethod
    def parse(cls, name: str) -> Recipe:
        """What a name says. Raises RecipeError."""
        match = _NAME.fullmatch(name)
        if match is None:
            raise RecipeError(f"There is no recipe {name!r}{_near(name)}.")
        rows = [Row(".*", Scheme.parse(match["mode"]))]
        for word in (match["keep"] or "").split(","):
            if word:
                rows += _kept(word)
        return cls(name, tuple(rows))

    @classmethod
    def load(cls, name_or_path: str | Path) -> Recipe:
        """A stored recipe by name or file, or else what its name says. Raises RecipeError."""
        text = str(name_or_path)
        path = Path(text) if text.endswith(".json") else HOME / f"{file_stem(text)}.json"
        if not path.is_file():
            if text.endswith(".json"):
                raise RecipeError(f"There is no recipe at {path}.")
            return cls.parse(text)
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RecipeError(f"The recipe {path} is not readable JSON: {error}.") from error
        return cls.from_dict(data, path.name)

    @classmethod
    def from_dict(cls, data: Any, where: str = "The recipe") -> Recipe:
        """From plain types. Raises RecipeError naming what is wrong."""
        if not isinstance(data, dict) or data.get("schema") != SCHEMA:
            raise RecipeError(f"{where} is not a recipe of schema {SCHEMA}.")
        extra = set(data) - {"schema", "name", "about", "rows", "method", "gate"}
        if extra:
            raise RecipeError(f"{where} sets the unknown {sorted(extra)[0]!r}.")
        name = data.get("name")
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise RecipeError(f"{where} has the name {name!r}, which does not say what it does, as static_w8c_a8 does.")
        said = cls.parse(name)
        rows = tuple(_row(row, where) for row in data.get("rows", [])) or said.rows
        if rows[0].graph != ".*" or rows[0].scheme != said.rows[0].scheme:
            raise RecipeError(f"{where} is called {name} and begins with {rows[0]}: the name must say the first row.")
        gate = data.get("gate", {})
        known = {f: type(getattr(Gate(), f)) for f in Gate.__slots__}
        for key, value in gate.items():
            if key not in known or not isinstance(value, (int, float)):
                near = get_close_matches(key, known, 1)
                raise RecipeError(
                    f"{where}: the gate has no number {key!r}{f'; did you mean {near[0]}' if near else ''}."
                )
        if data.get("method", "minmax") not in ("minmax", "percentile"):
            raise RecipeError(f"{where}: calibration is by minmax or percentile, found {data['method']!r}.")
        return cls(name, rows, str(data.get("about", "")), data.get("method", "minmax"), replace(Gate(), **gate))

    def to_dict(self) -> dict[str, Any]:
        """As stored; `from_dict` reads it back."""
        gate = {key: getattr(self.gate, key) for key in Gate.__slots__}
        return {
            "schema": SCHEMA,
            "name": self.name,
            "about": self.about,
            "rows": [row.to_dict() for row in self.rows],
            "method": self.method,
            "gate": gate,
        }

    def save(self, path: Path) -> None:
        """Write it."""
        write_whole(path, (json.dumps(self.to_dict(), indent=1) + "\n").encode())

    def scheme(self, role: str) -> Scheme:
        """The scheme of a network as a whole."""
        return [r.scheme for r in self.rows if not (r.layer or r.op) and re.fullmatch(r.graph, role)][-1]

    def kept(self, role: str) -> tuple[Row, ...]:
        """The rows that keep parts of a network float."""
        return tuple(r for r in self.rows if (r.layer or r.op) and re.fullmatch(r.graph, role))

    def needs_calibration(self, roles: Iterable[str] = ROLES[:4]) -> bool:
        """Whether any of these networks needs ranges of activations: known before anything starts."""
        return any(self.scheme(role).needs_calibration for role in roles)

    def with_rows(self, *rows: Row) -> Recipe:
        """The same with more lines."""
        return replace(self, rows=(*self.rows, *rows))


def stored() -> list[str]:
    """Names of the recipes that come with figop."""
    return sorted(json.loads(p.read_text())["name"] for p in HOME.glob("*.json") if p.stem != "groups")


def file_stem(name: str) -> str:
    """A recipe's name as a file's: colons and commas are no letters of a file name everywhere."""
    return name.replace("_keep:", "-keep-").replace(",", "-")


def groups() -> Mapping[str, list[dict[str, str]]]:
    """Names that `_keep:` may list -> rows without a scheme."""
    data: dict[str, list[dict[str, str]]] = json.loads((HOME / "groups.json").read_text(encoding="utf-8"))
    return data


def _kept(word: str) -> list[Row]:
    float32 = Scheme("float32")
    if word in ROLES:
        return [Row(word, float32)]
    known = groups()
    if word not in known:
        near = get_close_matches(word, [*ROLES, *known], 1)
        raise RecipeError(
            f"A recipe cannot keep {word!r}{f' (did you mean {near[0]}?)' if near else ''}: "
            f"known are {', '.join([*ROLES, *known])}."
        )
    return [Row(row["graph"], float32, row.get("layer", ""), row.get("op", "")) for row in known[word]]


def _row(data: Any, where: str) -> Row:
    if not isinstance(data, dict) or not {"graph", "scheme"} <= set(data) <= {"graph", "scheme", "layer", "op"}:
        raise RecipeError(f"{where}: a row has graph, scheme, and layer or op where it is about parts; found {data!r}.")
    row = Row(
        str(data["graph"]), Scheme.parse(str(data["scheme"])), str(data.get("layer", "")), str(data.get("op", ""))
    )
    if (row.layer or row.op) and row.scheme.kind != "float32":
        raise RecipeError(f"{where}: the row {row} must keep its part float32; other schemes are for whole graphs.")
    for pattern in (row.graph, row.layer):
        try:
            re.compile(pattern)
        except re.error as error:
            raise RecipeError(f"{where}: {pattern!r} is no pattern: {error}.") from error
    if not any(re.fullmatch(row.graph, role) for role in ROLES):
        raise RecipeError(f"{where}: the row {row} is about no network; they are {', '.join(ROLES)}.")
    return row


def _near(name: str) -> str:
    near = get_close_matches(name, stored(), 1)
    return f" (did you mean {near[0]}?)" if near else ": recipes are float32, float16, or such as static_w8c_a8"
