"""Parameters as data: declared with range and description, checked by sentence, tabulated in docs/ros.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Union

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.parameter import Parameter

from edge.errors import SourceError

Value = Union[bool, int, float, str]  # noqa: UP007


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter.

    Attributes:
        name: in dotted groups.
        default: its type is the parameter's type.
        text: what it is, one line.
        low, high: range of a number, both ends allowed.
        choices: the words that a text may be.
        live: may be set while the node runs; the others only while it is unconfigured.
    """

    name: str
    default: Value
    text: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    live: bool = False

    def descriptor(self) -> ParameterDescriptor:
        """As ROS tools show it."""
        out = ParameterDescriptor(description=self.text)
        constraints = [f"one of {', '.join(self.choices)}"] if self.choices else []
        if not self.live:
            constraints.append("settable while the node is unconfigured")
        out.additional_constraints = "; ".join(constraints)
        if self.low is not None and self.high is not None:
            if isinstance(self.default, float):
                out.floating_point_range = [FloatingPointRange(from_value=float(self.low), to_value=float(self.high))]
            else:
                out.integer_range = [IntegerRange(from_value=int(self.low), to_value=int(self.high), step=1)]
        return out

    def allowed(self) -> str:
        """The range, for the table in the documents."""
        if self.choices:
            return ", ".join(f"`{c}`" for c in self.choices)
        if self.low is not None:
            return f"{self.low:g} to {self.high:g}"
        return {bool: "true, false", str: "text"}.get(type(self.default), "")


RELIABILITIES = ("reliable", "best_effort")


def qos_settings(topic: str, reliability: str, depth: int) -> tuple[Setting, ...]:
    """The parameters of one topic's quality of service."""
    return (
        Setting(f"qos.{topic}.reliability", reliability, f"delivery of {topic}", choices=RELIABILITIES),
        Setting(f"qos.{topic}.depth", depth, f"messages of {topic} that wait at most", 1, 1000),
    )


VIEW = (
    Setting(
        "camera.view",
        "facing",
        "the camera looks at the person (facing) or from the person's head (egocentric)",
        choices=("facing", "egocentric"),
    ),
    Setting("camera.mirrored", False, "the pictures are a selfie view: left and right are swapped in them"),
)
COMMON = (
    Setting("autostart", False, "configure and activate at start; else a lifecycle manager does"),
    Setting("diagnostics.period_s", 1.0, "seconds between two messages on /diagnostics", 0.1, 60.0),
    Setting(
        "stream.timeout_s",
        2.0,
        "silence of the input after which it counts as stalled, and the running phrase is ended; 0 = never",
        0.0,
        60.0,
        live=True,
    ),
)


class Settings(Mapping[str, Any]):
    """A node's parameters: declares them, checks every change, and holds the current values."""

    def __init__(self, node: Any, settings: Iterable[Setting], may_change: Callable[[], bool]) -> None:
        self._settings = {s.name: s for s in settings}
        self._may_change = may_change
        self._values: dict[str, Any] = {}
        node.add_on_set_parameters_callback(self._on_set)
        for s in self._settings.values():
            try:
                node.declare_parameter(s.name, s.default, s.descriptor())
            except (InvalidParameterValueException, InvalidParameterTypeException) as error:
                given = getattr(node, "_parameter_overrides", {}).get(s.name)
                found = f", found {given.value!r}" if given is not None else f": {error}"
                kind = type(s.default).__name__
                raise SourceError(f"The parameter {s.name} must be {s.allowed() or kind} ({kind}){found}.") from error
            self._values[s.name] = node.get_parameter(s.name).value
        for name in sorted(set(getattr(node, "_parameter_overrides", {})) - set(self._settings) - {"use_sim_time"}):
            near = get_close_matches(name, self._settings, 1)
            if not name.startswith("qos_overrides."):
                node.get_logger().warning(
                    f"There is no parameter {name}" + (f"; did you mean {near[0]}?" if near else "; it does nothing.")
                )

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Any:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def _on_set(self, parameters: Sequence[Parameter]) -> SetParametersResult:
        for p in parameters:
            reason = self._refusal(p)
            if reason:
                return SetParametersResult(successful=False, reason=reason)
        self._values.update({p.name: p.value for p in parameters if p.name in self._settings})
        return SetParametersResult(successful=True)

    def _refusal(self, parameter: Parameter) -> str:
        setting = self._settings.get(parameter.name)
        if setting is None:
            return ""
        if setting.choices and parameter.value not in setting.choices:
            return f"{setting.name} must be one of {', '.join(setting.choices)}, found {parameter.value!r}."
        if parameter.name in self._values and not setting.live and not self._may_change():
            return f"{setting.name} can be set while the node is unconfigured: clean it up first."
        return ""
