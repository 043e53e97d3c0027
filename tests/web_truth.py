"""What Python says of the hands that a browser test played, and the recorded poses that it plays.

python -m tests.web_truth captions < FRAMES.json: hand frames as the page read them; prints the final captions.
python -m tests.web_truth poses FILE.npz NAME...: joints of the right hand's poses in metres by WebXR joint name.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from edge.hands.frame import HandFrame
from edge.pipeline import Captioner


def captions(frames: Sequence[dict[str, Any]]) -> list[str]:
    with Captioner.open("figop-base", view="egocentric", tracker=None) as captioner:
        events = []
        for f in frames:
            numbers = {k: np.array(f[k], np.float32) for k in ("world", "wrist", "presence")}
            frame = HandFrame(
                t_ns=int(f["tNs"]),
                landmarks=np.full((2, 21, 3), np.nan, np.float32),
                world=numbers["world"].reshape(2, 21, 3),
                wrist=numbers["wrist"].reshape(2, 3),
                presence=numbers["presence"],
                track_id=np.array(f["trackId"], np.int32),
            )
            events += captioner.push(frame)
        events += captioner.flush()
    return [e.text for e in events if e.type == "caption" and e.final and e.text]


def poses(path: str, names: Sequence[str]) -> dict[str, dict[str, list[float]]]:
    with np.load(path, allow_pickle=False) as data:
        called = {(n, h): i for i, (all_, h) in enumerate(zip(data["name"], data["handedness"], strict=True))
                  for n in str(all_).split("|")}  # fmt: skip
        joints = [str(j) for j in data["joint_names_webxr25"]]
        return {n: dict(zip(joints, data["webxr25"][called[n, "right"]].tolist(), strict=True)) for n in names}


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    print(json.dumps(captions(json.load(sys.stdin)) if what == "captions" else poses(rest[0], rest[1:])))
