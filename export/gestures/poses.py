"""The built-in poses on real, labelled still hands, told live as on a device.

    python -m export.gestures.poses ../shared/data -o results/gestures_poses.json

Every still is shown for a second, then the hand goes away. Three sets, for testing only: a webcam's image landmarks of
one person, image landmarks of signs (both without depth), and joints that a headset recorded. Stills of signs that no
built-in pose is must tell nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge.bundle import Bundle
from edge.cli import main as figop
from edge.errors import FigopError, SourceError
from edge.events import GestureEnd
from edge.files import write_whole
from edge.gestures.store import builtin
from edge.hands.frame import LEFT, RIGHT, HandFrame
from edge.pipeline import Captioner
from edge.provenance import versions
from export.judge.reliability import wilson

Array = NDArray[Any]

#: seconds that a still is shown, seconds between two, frames a second
SHOWN_S, AWAY_S, FPS = 1.0, 0.5, 30
#: stills of a label that are asked of the large set
EACH = 50
#: the label of a set -> the built-in poses that it is; () = none, and nothing may be told
_FIVE = ("count_five", "stop")
_TWO = ("count_two", "victory")
WEBCAM: Mapping[str, tuple[str, ...]] = {
    "one": ("count_one",), "two": _TWO, "three": ("count_three",), "four": ("count_four",), "five": _FIVE,
    "like": ("thumbs_up",), "dislike": ("thumbs_down",), "ok": ("ok",), "fist": (), "gun": (),
}  # fmt: skip
#: in the order of the set's numbers
SIGNS: Mapping[str, tuple[str, ...]] = {"Open": _FIVE, "Close": (), "Pointer": ("count_one",), "OK": ("ok",)}
#: joints in the wrist's frame say nothing of where a thumb or a palm points: those poses are left out
HEADSET: Mapping[str, tuple[str, ...]] = {
    "asl 1|point": ("count_one",), "asl z|point": ("count_one",), "asl 2|peace": _TWO, "asl v|peace": _TWO,
    "asl v": _TWO, "asl 4": ("count_four",), "asl 5": _FIVE, "asl 6": ("count_three",), "asl w": ("count_three",),
    "asl f": ("ok",), "asl 9": ("ok",), "asl s|fist": (), "grab": (), "devil|bull": (), "asl y": (), "asl i": (),
    "bird|middle finger": (),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """One hand that does not move. points [21,3]: world metres, or image fractions with depth 0."""

    label: str
    wanted: tuple[str, ...]
    slot: int
    points: Array
    world: bool


def webcam(folder: Path) -> Iterator[Still]:
    """`webcam_static_poses`."""
    with np.load(folder / "static.npz", allow_pickle=False) as d:
        for xy, label in zip(d["xy"], d["label"].tolist(), strict=True):
            # right hands, the picture a mirror's: thumbs of open palms lie to the right of the little finger
            yield Still(label, WEBCAM[label], RIGHT, _flat(xy), world=False)


def signs(folder: Path) -> Iterator[Still]:
    """`kinivi_static_keypoints`, `EACH` of every label, evenly taken."""
    with np.load(folder / "keypoint.npz", allow_pickle=False) as d:
        labels = d["label"]
        for number, (label, wanted) in enumerate(SIGNS.items()):
            mine = np.flatnonzero(labels == number)
            for i in mine[np.linspace(0, len(mine) - 1, EACH).round().astype(int)]:
                xy = d["xy"][i]
                side = np.cross(xy[5] - xy[0], xy[17] - xy[0])  # the palm is shown: the thumb's side tells the hand
                yield Still(label, wanted, RIGHT if side > 0 else LEFT, _flat(0.5 + 0.2 * xy), world=False)


def headset(folder: Path) -> Iterator[Still]:
    """`webxr_static_poses`, those whose name says a pose, held up with the palm to the camera."""
    # the wrist's right, out of the back of the hand, towards the arm -> the camera's right, down, away
    turned = np.array([[-1.0, 0, 0], [0, 0, 1.0], [0, 1.0, 0]])
    with np.load(folder / "handyjs_poses.npz", allow_pickle=False) as d:
        for joints, name, hand in zip(d["mp21"], d["name"].tolist(), d["handedness"].tolist(), strict=True):
            label = next((n for n in HEADSET if name == n or name.startswith(f"{n}|")), None)
            if label is not None:
                slot = LEFT if hand == "left" else RIGHT
                yield Still(label, HEADSET[label], slot, (joints - joints[0]) @ turned.T, world=True)


SETS = {
    "webcam": ("webcam_static_poses", webcam), "signs": ("kinivi_static_keypoints", signs),
    "headset": ("webxr_static_poses", headset),
}  # fmt: skip


def _flat(xy: Array) -> Array:
    return np.concatenate((xy, np.zeros((21, 1))), axis=1)


def shown(still: Still, begin_ns: int) -> Iterator[HandFrame]:
    """Its frames, and those in which it is gone again."""
    step = round(1e9 / FPS)
    for k in range(round((SHOWN_S + AWAY_S) * FPS)):
        frame = HandFrame(t_ns=begin_ns + k * step, image_size=(640, 640))
        if k < SHOWN_S * FPS:
            (frame.world if still.world else frame.landmarks)[still.slot] = still.points
            frame.presence[still.slot], frame.track_id[still.slot] = 1.0, begin_ns // step
        yield frame


def told(stills: Sequence[Still], bundle: Path) -> list[set[str]]:
    """Poses that the built-in set tells of each still; a hand that comes and goes may move beside."""
    out: list[set[str]] = []
    poses = {row["name"] for row in builtin() if "shape" in row}
    step = round((SHOWN_S + AWAY_S) * 1e9)
    with Captioner.open(bundle, tracker=None) as captioner:
        for k, still in enumerate(stills):
            said = [e for frame in shown(still, (k + 1) * step) for e in captioner.push(frame)]
            out.append({e.label for e in said if isinstance(e, GestureEnd)} & poses)
    return out


def figures(stills: Sequence[Still], said: Sequence[set[str]]) -> dict[str, Any]:
    """Shares with Wilson intervals; by label what was told."""
    poses = [(s, t) for s, t in zip(stills, said, strict=True) if s.wanted]
    others = [(s, t) for s, t in zip(stills, said, strict=True) if not s.wanted]
    right = sum(bool(t & set(s.wanted)) for s, t in poses)
    wrong = sum(bool(t - set(s.wanted)) for s, t in poses)
    invented = sum(bool(t) for _, t in others)
    rows = {}
    for label in sorted({s.label for s in stills}):
        mine = [(s, t) for s, t in zip(stills, said, strict=True) if s.label == label]
        heard: dict[str, int] = {}
        for _, t in mine:
            for name in t or {"nothing"}:
                heard[name] = heard.get(name, 0) + 1
        rows[label] = {"stills": len(mine), "wanted": list(mine[0][0].wanted), "told": dict(sorted(heard.items()))}
    return {
        "poses": len(poses), "right": _share(right, len(poses)), "also_wrong": _share(wrong, len(poses)),
        "others": len(others), "invented": _share(invented, len(others)), "by_label": rows,
    }  # fmt: skip


def _share(count: int, of: int) -> dict[str, Any]:
    low, high = wilson(count, of)
    return {"share": round(count / max(of, 1), 4), "interval_95": [round(low, 3), round(high, 3)]}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(description="Judge the built-in poses on real still hands.")
    parser.add_argument("data", type=Path, help="folder with the three sets")
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args(argv)
    report: dict[str, Any] = {
        "schema": 1, "command": "python -m export.gestures.poses ../shared/data", "versions": versions(("numpy",)),
        "weights": Bundle.open("figop-base").weights_digest,
    }  # fmt: skip
    try:
        with tempfile.TemporaryDirectory() as folder:
            own = Path(folder) / "poses.figop"
            if figop(["gesture", "define", "--builtin", "--json", "-o", str(own)]):
                return 1
            for name, (where, load) in SETS.items():
                if not (args.data / where).is_dir():
                    raise SourceError(f"{args.data} has no folder {where}: name the folder that holds all three sets.")
                stills = list(load(args.data / where))
                report[name] = figures(stills, told(stills, own))
                print(name, {k: v for k, v in report[name].items() if k != "by_label"}, flush=True)
    except FigopError as error:
        print(error)
        return 1
    if args.output:
        write_whole(args.output, (json.dumps(report, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
