"""Who turns hand frames into a score: the rules, a trained student, or both, behind one protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from edge.bundle import GRAPH_RUNTIMES, Bundle
from edge.errors import BundleError
from edge.features import Pose
from edge.hands.frame import HandFrame
from edge.score import Score

if TYPE_CHECKING:
    from edge.runtime import Session
    from edge.student import StudentRecogniser

#: Sees every session of a student, by role, as it is opened; what it returns is used in its place.
Tap = Callable[[str, "Session"], "Session"]


class Recogniser(Protocol):
    """A stream's reader of hands: state = whatever of the running phrase it needs.

    Attributes:
        source: "rules" or "model": whose its events are, where they do not say so themselves.
        atoms: changes whenever the reading of the phrase may have changed.
    """

    source: str

    @property
    def atoms(self) -> int: ...

    def push(self, frame: HandFrame) -> tuple[Pose | None, Pose | None]:
        """Read one frame; returns the poses that it held, left and right."""
        ...

    def moved_at(self) -> float:
        """When a hand last made way, seconds; -inf when all is still."""
        ...

    def score(self, *, final: bool) -> Score:
        """The running phrase so far."""
        ...

    def words(self) -> tuple[str, float] | None:
        """The phrase in the recogniser's own words, with their confidence; None where the narrator must speak."""
        ...

    def certainty(self, confidence: float) -> float:
        """Probability that a caption is right whose least sure event, or whose words, have this confidence."""
        ...

    def forget(self, before: float = ...) -> None:
        """Drop what was before this time (seconds)."""
        ...

    def reset(self) -> None:
        """A new stream."""
        ...


def open_recogniser(
    bundle: Bundle,
    view: str,
    mirrored: bool,
    runtime: str = "",
    providers: tuple[str, ...] = (),
    *,
    appearance: bool = True,
) -> Recogniser:
    """The recogniser that a bundle names; runtime and providers are the bundle's unless given.

    appearance: keyframe features of hand frames are of the network that the bundle names.
    Raises BundleError, or RuntimeUnavailable.
    """
    from edge.rules import RuleRecogniser

    rules = RuleRecogniser(bundle.rules, view, mirrored)
    if bundle.source == "rules":
        return rules
    from edge.fallback import FallbackRecogniser, FallbackSettings

    model = open_student(bundle, view, mirrored, runtime, providers=providers, appearance=appearance)
    if "fallback" not in bundle.student:
        return model
    try:
        settings = FallbackSettings.read(bundle.student["fallback"])
    except (AttributeError, TypeError, ValueError) as error:
        raise BundleError(
            f"The bundle {bundle.name} says in a way that is not known when to fall back: {error}."
        ) from error
    return FallbackRecogniser(model, rules, settings)


def open_student(
    bundle: Bundle,
    view: str,
    mirrored: bool,
    runtime: str = "",
    tap: Tap | None = None,
    providers: tuple[str, ...] = (),
    *,
    appearance: bool = True,
) -> StudentRecogniser:
    """The model of a bundle alone, without its rules; runtime and providers are the bundle's unless given.

    Raises BundleError, or RuntimeUnavailable.
    """
    from edge.captioner import TokenCaptioner
    from edge.confidence import Confidence
    from edge.decode import DecodeSettings
    from edge.encoder import FrameEncoder
    from edge.runtime import open_session
    from edge.student import StudentRecogniser
    from edge.wording import WORDINGS

    runtime = runtime or bundle.runtime
    format = {r: f for f, r in GRAPH_RUNTIMES.items()}[runtime]

    def session(role: str) -> Any:
        opened = open_session(bundle.graph(role, format), runtime, providers=providers or bundle.providers)
        return tap(role, opened) if tap else opened

    about = bundle.student
    try:
        settings = DecodeSettings(**about["decode"])
        sees, sure = bool(about["appearance"]) and appearance, float(about["sure"])
        known = Confidence.from_dict(about["confidence"]) if "confidence" in about else None
        wording = WORDINGS[about.get("decoding", "greedy")]
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"The bundle {bundle.name} describes its student in a way that is not known: {error}."
        ) from error
    graphs = session("units"), session("prefill"), session("step")
    captioner = TokenCaptioner(*graphs, bundle.vocabulary, wording)
    return StudentRecogniser(
        FrameEncoder(session("encoder")), captioner, view, settings, appearance=sees, mirrored=mirrored, sure=sure,
        confidence=known,
    )  # fmt: skip
