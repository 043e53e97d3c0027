"""`python -m devices.probe RECORDING`: the caption path from landmarks in a process of its own, at the real rate.

Prints one JSON object: share of a core, resident memory. It is a process of its own because a process that has
loaded anything else has been larger already, and because pacing shows what spinning threads and cold caches cost.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from devices.measure import RssWatch, peak_resident_mb, resident_mb
from edge.hands.frame import HandFrame
from edge.pipeline import Captioner
from edge.recording import Recording

#: Seconds at the beginning that no figure counts.
WARM_UP_S = 1.0


def endless(frames: list[HandFrame], fps: float) -> Iterator[HandFrame]:
    """The frames again and again at an even rate; between two rounds the hands are away for a second."""
    t_ns, step = 0, round(1e9 / fps)
    while True:
        for frame in frames:
            yield replace(frame, t_ns=t_ns)
            t_ns += step
        for _ in range(round(fps)):
            yield HandFrame(t_ns=t_ns)
            t_ns += step


def measure(recording: Path, bundle: str, seconds: float, fps: float, paced: bool = True) -> dict[str, Any]:
    """Caption for so long at the given rate; processor time is of all threads of the process."""
    hands = Recording.load(recording)
    frames = list(hands.frames())
    captions = pushed = 0
    with Captioner.open(bundle, view=hands.view, mirrored=hands.mirrored, tracker=None) as captioner:
        loaded = resident_mb()
        with RssWatch() as watch:
            begun, used, looked, at = time.perf_counter(), time.process_time(), 0.0, time.perf_counter()
            for index, frame in enumerate(endless(frames, fps)):
                if index == round(WARM_UP_S * fps):
                    begun, used, looked, pushed = time.perf_counter(), time.process_time(), watch.cpu_s, 0
                if index >= (WARM_UP_S + seconds) * fps:
                    break
                captions += sum(e.type == "caption" and e.final for e in captioner.push(frame))
                pushed += 1
                at += 1 / fps
                if paced and (ahead := at - time.perf_counter()) > 0:
                    time.sleep(ahead)
            spent, worked = time.perf_counter() - begun, time.process_time() - used - (watch.cpu_s - looked)
    return {
        "fps": fps,
        "seconds": round(spent, 3),
        "frames": pushed,
        "final_captions": captions,
        "cpu_ms_per_frame": round(worked / pushed * 1e3, 4),
        "share_of_core": round(worked / (pushed / fps), 5),
        "paced": paced,
        "loaded_mb": round(loaded, 1),
        "peak_rss_mb": round(peak_resident_mb(), 1),
        "sampled_peak_rss_mb": round(watch.peak_mb, 1),
        "rss_samples": watch.samples,
    }


def pixels(video: Path, bundle: str, frames: int) -> dict[str, Any]:
    """Peak memory of the whole chain from pictures: tracker, OpenCV, captions."""
    from itertools import islice

    from edge.sources import Picture, open_source

    with Captioner.open(bundle) as captioner:
        for item in islice(open_source(video), frames):
            if isinstance(item, Picture):
                captioner.push(item.rgb, item.t_ns)
        captioner.flush()
    return {"frames": frames, "peak_rss_mb": round(peak_resident_mb(), 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recording", type=Path)
    parser.add_argument("--bundle", default="figop-base")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--fps", type=float, default=30.0)
    parser.add_argument("--unpaced", action="store_true")
    parser.add_argument("--pixels", type=int, default=0, metavar="N", help="RECORDING is a video: caption N pictures")
    args = parser.parse_args()
    if args.pixels:
        print(json.dumps(pixels(args.recording, args.bundle, args.pixels)))
        return
    print(json.dumps(measure(args.recording, args.bundle, args.seconds, args.fps, not args.unpaced)))


if __name__ == "__main__":
    main()
