"""`figop plan`: does it fit this board, and what to drop if it does not. Nothing here was measured on the board."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from devices.calibration import Calibration
from devices.device import Device, Figure
from devices.roofline import carried
from devices.schema import DeviceError, nearest
from devices.target import Request, Target, choose

#: A frame may take this share of the time until the next one: the system needs the rest.
BUDGET = 0.9
#: A prediction that is off by less must not turn a yes into a no: the bar of the model's own error.
MARGIN = 1.3
#: With one hand tracked and two allowed the palm network runs this often (`edge.hands.native`, search_s).
SEARCH_S = 0.15
#: The student hears 30 ticks a second whatever the camera does.
TICK_HZ = 30.0
#: A phrase of the demo: units of half a second, words, and seconds from one to the next.
PHRASE_UNITS, PHRASE_WORDS, PHRASE_S = 4, 12, 3.0
#: Lower rates are proposed in this order; motion under 15 fps is not tested, and 10 is the last that the rules read.
RATES = (60.0, 30.0, 20.0, 15.0, 10.0)
STAGES = ("detect", "landmarks", "features", "reading", "encoder", "gestures", "units", "prefill", "step")


@dataclass(frozen=True, slots=True)
class Setting:
    """What is asked of the board: frames a second, hands allowed, "full" or "lite" hand networks."""

    fps: float
    hands: int
    networks: str

    def __str__(self) -> str:
        hands = "one hand" if self.hands == 1 else "two hands"
        return f"{self.fps:g} fps, {hands}, {self.networks} hand networks"


@dataclass(frozen=True, slots=True)
class Load:
    """What a setting costs.

    Attributes:
        frame_ms: mean of a frame while hands are tracked, in the worst state; state: which that is.
        worst_ms: of a frame that both tracks and looks for hands. find_ms: of a frame that only looks: nothing is
            captioned then, so it delays the finding of a hand and no caption.
        share: of one core, frame_ms at the frame rate.
        verdict: "fits", "tight" (within the margin of the prediction) or "too slow".
    """

    setting: Setting
    frame_ms: float
    state: str
    worst_ms: float
    find_ms: float
    share: float
    verdict: str


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer for one board.

    Attributes:
        stages_ms: of one run of each stage on the board. binds: what takes most of it.
        measured: these figures were measured on such a machine; else every one is a prediction.
        after_landmarks: share of one core that captioning costs where hands come from elsewhere.
        asked: the setting that was asked for. drop: the first other setting that fits, None where none does.
        others: every setting that was looked at.
    """

    device: str
    target: Target
    stages_ms: Mapping[str, float]
    binds: Mapping[str, str]
    measured: bool
    error: float
    worst_error: float
    after_landmarks: float
    caption_ms: float
    memory_mb: float
    memory_fits: bool
    asked: Load
    drop: Load | None
    others: Sequence[Load]

    @property
    def fits(self) -> bool:
        """Whether what was asked for fits, memory included."""
        return self.asked.verdict == "fits" and self.memory_fits

    @property
    def label(self) -> str:
        """Where the figures come from, in words."""
        if self.measured:
            return "measured on the machine of this calibration"
        return (
            f"predicted, not measured: the model misses graphs that it was not fitted on by {self.error:.0%} in the "
            f"median ({self.worst_error:.0%} at worst) on its own host, and more on another board"
        )


def at_power(device: Device, mode: str | None) -> Device:
    """The device at one of its power modes: its clock, and with it peak and plain speed. Raises DeviceError."""
    if mode is None:
        return device
    names = [p.name for p in device.power]
    if mode not in names:
        raise DeviceError(f"{device.title} has no power mode {mode!r}{nearest(mode, names or ['none'])}")
    ghz = device.power[names.index(mode)].ghz
    if ghz is None:
        return device
    slower = ghz.value / device.cpu.ghz.value
    note = f"{device.cpu.scalar.value:g} x {slower:.2f}, the clock of {mode}"
    scalar = Figure(device.cpu.scalar.value * slower, arithmetic=note)
    return replace(device, cpu=replace(device.cpu, ghz=ghz, scalar=scalar))


def stage_ms(device: Device, calibration: Calibration, target: Target) -> tuple[dict[str, float], dict[str, str]]:
    """Milliseconds of one run of every stage on a device, and what binds its network; per hand where there are hands.

    Hand networks stay float32, as they are obtained; the captioning graphs follow the target's recipe.
    """
    measured = device.name == calibration.device
    slower = calibration.scalar / device.cpu.scalar.value
    dense = carried(calibration.machine, calibration.scalar, device)
    own = carried(calibration.machine, calibration.scalar, device, target.precision)
    took, binds = {}, {}

    def network(name: str, stage: str) -> None:
        cost = calibration.costs[name]
        machine = calibration.machine if measured else dense if " " in name else own
        took[stage] = (calibration.measured[name] if measured else machine.seconds(cost)) * 1e3
        binds[stage] = machine.binds(cost)

    for variant in ("full", "lite"):
        for stage, graph in (("detect", "palm"), ("landmarks", "landmark")):
            name = f"{graph} {variant}"
            if name in calibration.costs:
                network(name, f"{stage} {variant}")
                took[f"{stage} {variant}"] += calibration.python_ms[stage] * (1.0 if measured else slower)
    for name in ("encoder", "units", "prefill", "step"):
        network(name, name)
    for stage in ("features", "reading", "gestures"):
        took[stage] = calibration.python_ms[stage] * (1.0 if measured else slower)
        binds[stage] = "Python"
    return took, binds


def load_of(took: Mapping[str, float], setting: Setting, hands_heard: float) -> Load:
    """What a setting costs a frame. Python that reads hands is taken as measured for `hands_heard` hands a frame."""
    detect, landmarks = (took[f"{stage} {setting.networks}"] for stage in ("detect", "landmarks"))
    after = after_landmarks_ms(took, setting.fps, setting.hands, hands_heard)
    idle = after_landmarks_ms(took, setting.fps, 0, hands_heard)
    looks = min(1.0, 1.0 / (SEARCH_S * setting.fps))
    states = {"one hand tracked": landmarks + after_landmarks_ms(took, setting.fps, 1, hands_heard)}
    if setting.hands == 2:
        states["one hand tracked"] += looks * detect
        states["two hands tracked"] = 2 * landmarks + after
    state = max(states, key=lambda name: states[name])
    frame, interval = states[state], 1e3 / setting.fps
    verdict = "fits" if frame * MARGIN <= BUDGET * interval else "tight" if frame <= interval else "too slow"
    worst = landmarks * setting.hands + detect + after
    return Load(setting, frame, state, worst, detect + idle, frame * setting.fps * 1e-3, verdict)


def after_landmarks_ms(took: Mapping[str, float], fps: float, hands: int, hands_heard: float) -> float:
    """Milliseconds of captioning for each frame, captions spread over the frames of their phrases."""
    python = (took["features"] + took["reading"]) * max(hands, 0.25) / max(hands_heard, 1.0)
    return python + took["gestures"] + took["encoder"] * TICK_HZ / fps + caption_ms(took) / (PHRASE_S * fps)


def caption_ms(took: Mapping[str, float]) -> float:
    """Milliseconds of the captioner at the end of a phrase."""
    return PHRASE_UNITS * took["units"] + took["prefill"] + (PHRASE_WORDS + 1) * took["step"]


def plan(
    device: Device,
    calibration: Calibration,
    setting: Setting,
    request: Request | None = None,
    mode: str | None = None,
) -> Plan:
    """The answer for a board and a setting. Raises DeviceError for what the board must be refused."""
    target = choose(device, request)
    took, binds = stage_ms(at_power(device, mode), calibration, target)
    measured = device.name == calibration.device
    missing = f"landmarks {setting.networks}"
    if missing not in took:
        raise DeviceError(
            f"The calibration holds no {setting.networks} hand networks: run `figop setup` and bench again."
        )
    heard = calibration.hands
    asked = load_of(took, setting, heard)
    others = [load_of(took, other, heard) for other in alternatives(setting, took)]
    drop = None if asked.verdict == "fits" else next((o for o in others if o.verdict == "fits"), None)
    return Plan(
        device=device.name,
        target=target,
        stages_ms=took,
        binds=binds,
        measured=measured,
        error=calibration.error,
        worst_error=calibration.worst,
        after_landmarks=after_landmarks_ms(took, setting.fps, setting.hands, heard) * setting.fps * 1e-3,
        caption_ms=caption_ms(took),
        memory_mb=calibration.memory_mb,
        memory_fits=calibration.memory_mb <= target.memory_mb,
        asked=asked,
        drop=drop,
        others=others,
    )


def alternatives(setting: Setting, took: Mapping[str, float]) -> list[Setting]:
    """What can be dropped, least loss first: lighter networks, frame rate down to 15, one hand, then 10 fps."""
    lite = [n for n in ("full", "lite") if f"landmarks {n}" in took and (n == "lite" or n == setting.networks)]
    rates = [setting.fps, *(r for r in RATES if r < setting.fps)]
    found = [
        Setting(fps, hands, networks)
        for slow in (False, True)
        for hands in range(setting.hands, 0, -1)
        for fps in rates
        if (fps < 15.0) == slow or (fps == setting.fps and not slow)
        for networks in lite
    ]
    return [s for s in dict.fromkeys(found) if s != setting]
