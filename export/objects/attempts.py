"""What was tried at the grasp head's bar: the token over several looks, and maps inside the landmark network.

`python -m export.objects.fit DIR --attempts` renders its own pictures (the seeds of `export.sim.held`, each looked at
three times), keeps what the network saw of them in DIR, and reads it by ridge regression: as good as the head on the
token (docs/objects.md), without a choice to make beyond the pull to zero, which the part `choose` makes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from edge.errors import SinkError
from edge.files import write_whole
from edge.hands.graft import add_output
from edge.hands.landmark import SHARED_FEATURE, LandmarkNetwork
from edge.hands.native import PRESENCE
from edge.hands.networks import locate_networks
from edge.hands.roi import from_landmarks
from edge.objects.grasp import pose_of
from edge.runtime import Session, open_session
from export.sim.anatomy import Array
from export.sim.held import LOOSE, PART, SEEDS, Shot, shoot

#: looks at a picture, each a little off as a tracker's square is
LOOKS = 3
#: pictures of each part
PICTURES = {"train": 1500, "choose": 600, "test": 1000}
#: of the full landmark network: a map in its middle [1,14,14,112], one late in it [1,7,7,192]
MAPS = ("model_1/model/add_5/add", "model_1/model/add_8/add")
#: windows of 5 x 5 places of the middle map, four each way
WINDOW, STARTS = 5, (0, 3, 6, 9)
#: pulls to zero that `choose` chooses among
PULLS = (300.0, 1000.0, 3000.0, 10000.0)
#: what is read -> the columns that it is made of
READS = {
    "token, one look": ("token_first", "pose_first"),
    "token, three looks": ("token_mean", "pose_mean"),
    "middle map, mean and most": ("middle",),
    "late map, mean and most": ("late",),
    "middle map, 4 x 4 places": ("grid",),
    "all of it": ("token_mean", "grid", "late", "middle"),
}


class Watched:
    """A session that keeps its newest outputs, for who wants others than the caller."""

    def __init__(self, session: Session) -> None:
        self._session, self.newest = session, dict[str, Array]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def invoke(self) -> dict[str, Array]:
        """As the session's."""
        self.newest = dict(self._session.invoke())
        return self.newest


class Eye:
    """The full landmark network with its maps as outputs."""

    def __init__(self) -> None:
        _, model = locate_networks("full").load()
        for tensor in (SHARED_FEATURE, *MAPS):
            model = add_output(model, tensor)
        self._session = Watched(open_session(model, "litert", threads=1))
        self._maps = [o.name for o in self._session.outputs][-len(MAPS) :]
        self._network = LandmarkNetwork(self._session)  # type: ignore[arg-type]

    def see(self, shot: Shot, number: int) -> dict[str, Array] | None:
        """The columns of `READS` of a picture; None where a look finds no hand. The maps are of the first look."""
        rng = np.random.default_rng((number, 9))
        off = LOOSE * np.linalg.norm(shot.points[9] - shot.points[0])
        tokens, poses, maps = [], [], list[Array]()
        for _ in range(LOOKS):
            before = shot.points + rng.normal(0, off, 2) + rng.normal(0, 0.5 * off, (21, 2))
            reading = self._network.read(shot.rgb, from_landmarks(before), threshold=PRESENCE, feature=True)
            if reading is None or reading.feature is None:
                return None
            maps = maps or [np.array(self._session.newest[name][0]) for name in self._maps]
            tokens.append(np.array(reading.feature, np.float16))
            poses.append(pose_of(reading.world, int(reading.side > 0.5)).astype(np.float16))
        middle, late = maps
        windows = [middle[r : r + WINDOW, c : c + WINDOW].mean(axis=(0, 1)) for r in STARTS for c in STARTS]
        return {
            "token_first": tokens[0], "token_mean": np.mean(tokens, axis=0, dtype=np.float64),
            "pose_first": poses[0], "pose_mean": np.mean(poses, axis=0, dtype=np.float64),
            "grid": np.concatenate(windows).astype(np.float16),
            **{n: np.concatenate([m.mean(axis=(0, 1)), m.max(axis=(0, 1))]).astype(np.float16)
               for n, m in (("middle", middle), ("late", late))},
        }  # fmt: skip

    def close(self) -> None:
        """Release the network."""
        self._session.close()


def make(folder: Path, split: str, count: int) -> None:
    """Make what is missing of the looks at `count` pictures. Raises SinkError."""
    eye: Eye | None = None
    try:
        for first in range(0, count, PART):
            last = min(first + PART, count)
            path = folder / f"looks-{split}-{first:05d}-{last:05d}.npz"
            if path.exists():
                continue
            eye = eye or Eye()
            out = io.BytesIO()
            np.savez(out, **_columns(eye, split, range(first, last)))  # type: ignore[arg-type]
            try:
                write_whole(path, out.getvalue())
            except OSError as error:
                raise SinkError(f"{path} could not be written: {error.strerror or error}.") from error
            print(f"{path.name}", flush=True)
    finally:
        if eye is not None:
            eye.close()


def _columns(eye: Eye, split: str, numbers: range) -> dict[str, Array]:
    rows = list[dict[str, Array]]()
    for number in numbers:
        shot = shoot(SEEDS[split] + number)
        seen = eye.see(shot, number)
        if seen is not None:
            rows.append(seen | {"holding": np.array(shot.holding), "near": np.array(shot.near)})
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def load(folder: Path, split: str, count: int) -> dict[str, Array]:
    """The columns of a part that `make` made."""
    parts = [
        dict(np.load(folder / f"looks-{split}-{first:05d}-{min(first + PART, count):05d}.npz"))
        for first in range(0, count, PART)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def answers(train: Array, holding: Array, others: list[Array]) -> Iterator[list[Array]]:
    """For each of `PULLS` how far above 0 a ridge regression puts each row of `others`: above = holding."""
    mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-3
    x, targets = (train - mean) / spread, np.where(holding, 1.0, -1.0)
    products = x @ x.T
    for pull in PULLS:
        weights = np.linalg.solve(products + pull * np.eye(len(x)), targets)
        yield [((other - mean) / spread @ x.T) @ weights for other in others]


def figures(folder: Path, counts: dict[str, int] | None = None) -> dict[str, Any]:
    """Makes what is missing, fits every one of `READS`: shares of right answers. Without pictures of the part `test`
    there are those on `choose` alone, which also chose the pull."""
    counts = {split: count for split, count in (counts or PICTURES).items() if count}
    for split, count in counts.items():
        make(folder, split, count)
    parts = {split: load(folder, split, count) for split, count in counts.items()}
    asked = " ".join(str(counts.get(split, 0)) for split in PICTURES)
    out: dict[str, Any] = {
        "command": f"python -m export.objects.fit DIR --attempts --pictures {asked}",
        "found": {split: len(part["holding"]) for split, part in parts.items()},
    }  # fmt: skip
    judged = [split for split in ("choose", "test") if split in parts]
    for name, columns in READS.items():
        x = {s: np.concatenate([p[c].astype(np.float64) for c in columns], axis=1) for s, p in parts.items()}
        best: dict[str, Any] = {"choose_holding": -1.0}
        said_by_pull = answers(x["train"], parts["train"]["holding"], [x[s] for s in judged])
        for pull, said in zip(PULLS, said_by_pull, strict=True):
            row: dict[str, Any] = {"inputs": x["train"].shape[1], "pull": pull}
            for split, answer in zip(judged, said, strict=True):
                right = (answer > 0) == parts[split]["holding"]
                row[f"{split}_holding"] = round(float(right.mean()), 4)
                row[f"{split}_near"] = round(float(right[parts[split]["near"]].mean()), 4)
            best = max(best, row, key=lambda r: float(r["choose_holding"]))
        out[name] = best
    return out
