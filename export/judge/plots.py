"""Plain landmark plots of a recording, from which a person writes its reference score: no recogniser has a part in it.

    python -m export.judge.plots out/real/leap/grab.npz -o out/plots

writes NAME.hands-1.png, ... (contact sheets: every hand at regular times, seen from three sides) and NAME.curves-1.png,
... (bends, distances from the thumb's tip, spreads, place and facing of the palm over time, unsmoothed). What a plot
leaves out is as telling as what it shows: there is no event, no threshold and no word of figop in it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from edge import canvas
from edge.canvas import DIM, FINGER_COLOURS, GROUND, INK, PANEL, RULE, Rgb
from edge.errors import FigopError
from edge.features import square_pixels
from edge.recording import Recording
from edge.score import FINGERS, HANDS
from edge.skeleton import BONES, flexion, palm_frame, palm_length, spread, tip_distances

Array = NDArray[Any]

#: hands a second on the contact sheets, and of them on a sheet and in a row
RATE, ACROSS, DOWN = 10.0, 8, 6
#: pixels of one view of a hand, and palm lengths that it spans
CELL, SPAN = 110, 4.2
#: The sides that a hand is seen from, by what goes right and down on the picture (x right, y down, z away).
SIDES = {"front": (0, 1, 1.0), "above": (0, 2, -1.0), "palm": (1, 0, -1.0)}
#: curves: width of a picture, seconds on it, height of a panel
WIDTH, SECONDS, HEIGHT = 1500, 6.0, 190
_LEFT = 60


@dataclass(frozen=True, slots=True, eq=False)
class Hand:
    """One hand over time: t [T] seconds, joints [T,21,3] (x right, y down, z away; metres, or image widths)."""

    name: str
    t: Array
    joints: Array


def hands(recording: Recording) -> list[Hand]:
    """The hands of a recording, where they are seen: in metres where it has them, else as in the picture."""
    t = recording.t_ns * 1e-9
    out = []
    for slot, name in enumerate(HANDS):
        joints = recording.world[:, slot].astype(float)
        joints = joints + np.where(np.isfinite(recording.wrist[:, slot]), recording.wrist[:, slot], 0.0)[:, None]
        if not np.isfinite(joints).any():
            joints = square_pixels(recording.landmarks[:, slot], recording.image_size, recording.mirrored)
        joints = np.where((recording.presence[:, slot] > 0)[:, None, None], joints, np.nan)
        if np.isfinite(joints).any():
            out.append(Hand(name, t, joints.astype(float)))
    return out


def curves(hand: Hand) -> dict[str, tuple[tuple[str, ...], Array]]:
    """What is plotted: title -> (names of the lines, values [T, lines]). Angles by atan2, lengths in palm lengths."""
    joints = hand.joints
    bend = np.degrees(flexion(joints))
    summed = np.concatenate((bend[:, :1, 1:].sum(axis=2), bend[:, 1:].sum(axis=2)), axis=1)
    size = np.nanmedian(palm_length(joints))
    frame = palm_frame(joints, left=hand.name == "left")
    return {
        "summed bend, degrees (fingers: all three joints; thumb: the outer two)": (FINGERS, summed),
        "thumb tip to the other tips, palm lengths": (FINGERS[1:], tip_distances(joints) / size),
        "angle between neighbours, degrees": (
            ("thumb-index", "index-middle", "middle-ring", "ring-pinky"),
            np.degrees(spread(joints)),
        ),
        "wrist, palm lengths from where it was first": (
            ("right", "down", "away"),
            (joints[:, 0] - joints[np.isfinite(joints[:, 0, 0])][0, 0]) / size,
        ),
        "direction out of the palm": (("right", "down", "away"), frame[:, :, 2]),
        "direction of the hand (wrist to middle knuckle)": (("right", "down", "away"), frame[:, :, 0]),
    }


def sheets(every: Sequence[Hand], rate: float = RATE) -> Iterator[Rgb]:
    """Contact sheets [H,W,3]: each hand at regular times, in a row of its own, from three sides."""
    t = every[0].t
    moments = np.arange(t[0], t[-1], 1 / rate)
    for first in range(0, len(moments), ACROSS * DOWN // len(every)):
        shown = moments[first : first + ACROSS * DOWN // len(every)]
        rows = -(-len(shown) // ACROSS)
        picture = np.full((rows * len(every) * (CELL + 18), ACROSS * (len(SIDES) * 62 + 6), 3), GROUND, np.uint8)
        for k, moment in enumerate(shown):
            at = int(np.argmin(np.abs(t - moment)))
            for number, hand in enumerate(every):
                top = ((k // ACROSS) * len(every) + number) * (CELL + 18)
                left = (k % ACROSS) * (len(SIDES) * 62 + 6)
                canvas.text(picture, f"{t[at]:.2f} {hand.name}", left + 4, top + 9, 13, INK)
                _cell(picture, hand, at, left, top + 18)
        yield picture


def _cell(picture: Rgb, hand: Hand, at: int, left: int, top: int) -> None:
    joints = hand.joints[at]
    size = np.nanmedian(palm_length(hand.joints))
    if not np.isfinite(joints).all():
        return
    own = joints - joints[0]
    palm = own @ palm_frame(joints, left=hand.name == "left")
    for k, (name, (across, down, sign)) in enumerate(SIDES.items()):
        of = palm if name == "palm" else own
        points = of[:, [across, down]] * (1.0, sign) / size * (CELL / SPAN)
        middle = np.array([31.0, CELL / 2])
        if name == "palm":  # from the wrist at the bottom
            middle = np.array([31.0, CELL * 0.75])
        else:
            points = points - (points.min(axis=0) + points.max(axis=0)) / 2
        places = np.round((points + middle + (left + 62 * k, top)) * 16).astype(int)
        canvas.box(picture, left + 62 * k, top, left + 62 * k + 60, top + CELL, PANEL)
        for a, b in BONES:
            cv2.line(picture, places[a].tolist(), places[b].tolist(), FINGER_COLOURS[(b - 1) // 4], 1, cv2.LINE_AA, 4)
        for tip in range(4, 21, 4):
            cv2.circle(picture, places[tip].tolist(), 32, FINGER_COLOURS[(tip - 1) // 4], -1, cv2.LINE_AA, 4)


def pages(hand: Hand, seconds: float = SECONDS) -> Iterator[Rgb]:
    """Pictures of the curves [H,W,3], `seconds` each."""
    made = curves(hand)
    for start in np.arange(hand.t[0], hand.t[-1], seconds):
        end = min(start + seconds, max(float(hand.t[-1]), start + 1))
        picture = np.full((len(made) * HEIGHT, WIDTH, 3), GROUND, np.uint8)
        for k, (title, (names, values)) in enumerate(made.items()):
            _panel(picture[k * HEIGHT : (k + 1) * HEIGHT], f"{hand.name}: {title}", names, hand.t, values, start, end)
        yield picture


def _panel(picture: Rgb, title: str, names: Sequence[str], t: Array, values: Array, start: float, end: float) -> None:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    top, bottom = 24, HEIGHT - 20

    def x(moment: float) -> float:
        return _LEFT + (moment - start) / (end - start) * (WIDTH - _LEFT - 10)

    def y(value: Array) -> Array:
        return np.asarray(bottom - (value - low) / max(high - low, 1e-9) * (bottom - top))

    for tenth in np.arange(np.ceil(start * 10), end * 10 + 1e-6):
        whole = round(tenth) % 5 == 0
        canvas.box(picture, x(tenth / 10), top, x(tenth / 10) + 1, bottom, RULE if whole else PANEL)
        if whole:
            canvas.text(picture, f"{tenth / 10:.1f}", x(tenth / 10), HEIGHT - 9, 12, DIM, align=0.5)
    for value in np.linspace(low, high, 5):
        height = float(y(np.asarray(value)))
        canvas.box(picture, _LEFT, height, WIDTH - 10, height + 1, PANEL)
        canvas.text(picture, f"{value:.3g}", _LEFT - 6, height, 12, DIM, align=1.0)
    canvas.text(picture, title, _LEFT, 12, 14, INK)
    place = _LEFT + canvas.text_width(title, 14) + 20
    first = FINGERS.index(names[0]) if names[0] in FINGERS else 0
    for k, name in enumerate(names):
        colour = FINGER_COLOURS[first + k]
        canvas.text(picture, name, place, 12, 14, colour, bold=True)
        place += canvas.text_width(name, 14, bold=True) + 14
        inside = (t >= start - 0.1) & (t <= end + 0.1) & np.isfinite(values[:, k])
        points = np.stack([x(t[inside]), y(values[inside, k])], axis=1)
        for a, b, gap in zip(points[:-1], points[1:], np.diff(t[inside]), strict=True):
            if gap < 0.2:
                cv2.line(picture, np.round(a * 16).astype(int).tolist(), np.round(b * 16).astype(int).tolist(),
                         colour, 1, cv2.LINE_AA, 4)  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Draw plain landmark plots of recordings.")
    parser.add_argument("recordings", nargs="+", type=Path, metavar="RECORDING", help="recordings (.npz)")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/plots"), metavar="DIR")
    parser.add_argument("--rate", type=float, default=RATE, help="hands a second on contact sheets (%(default)g)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of curves on a picture (%(default)g)")
    args = parser.parse_args(argv)
    if args.rate <= 0 or args.seconds <= 0:
        parser.error("--rate and --seconds must be above 0.")
    args.output.mkdir(parents=True, exist_ok=True)
    try:
        for path in args.recordings:
            seen = hands(Recording.load(path))
            if not seen:
                parser.error(f"{path} shows no hand, so there is nothing to plot.")
            pictures = [("hands", p) for p in sheets(seen, args.rate)]
            pictures += [(f"curves-{hand.name}", p) for hand in seen for p in pages(hand, args.seconds)]
            numbers: dict[str, int] = {}
            for kind, picture in pictures:
                numbers[kind] = numbers.get(kind, 0) + 1
                target = args.output / f"{path.stem}.{kind}-{numbers[kind]}.png"
                cv2.imwrite(str(target), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
                print(target)
    except FigopError as error:
        parser.error(str(error))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
