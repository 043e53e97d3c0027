"""results/*.json -> docs/results.md: `python -m export.report`. Figures enter the documents this way only."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "results", ROOT / "docs" / "results.md"

Row = dict[str, Any]

_HEAD = """# Results

Written by `python -m export.report` from the JSON files in [results/](../results/), each of which names the command
that made it. Times are of an x86-64 build machine, never of a board; what counts is the ratio of two things measured
side by side in one run.
"""


def load(name: str, folder: Path = RESULTS) -> Row | None:
    """One result file, or None where it was not made."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


def captions(folder: Path) -> list[str]:
    """Caption quality: every source of every caption result."""
    names = [
        (f"{name}{end}", f"{label}, {who}")
        for name, label in (
            ("captions_rendered", "rendered test programs"),
            ("captions_real_hand_video", "real hand video, first reading"),
            ("captions_real_hand_video_second", "real hand video, second reading"),
        )
        for end, who in (("", "rules"), ("_student", "student"))
    ]
    out = [
        "| clips | captions from | clips (tuples) | precision | recall | F1 (95 %) | strict F1 | invented | HandJudge |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, label in names:
        result = load(name, folder)
        if result is None:
            continue
        for source, row in result["sources"].items():
            if source == "floor" and name.endswith("_student"):
                continue  # stands with the rules
            span = row["interval_95"].get("f1")
            shown = f"{row['f1']:.3f}" + (f" ({span[0]:.2f}-{span[1]:.2f})" if span else "")
            out.append(
                f"| {label} | {_SOURCES.get(source, source)} | {row['clips']} ({row['reference']}) "
                f"| {row['precision']:.3f} | {row['recall']:.3f} | {shown} | {row['f1_strict']:.3f} "
                f"| {row['hallucinated_finger_rate']:.0%} | {row['hand_judge']:.2f} |"
            )
    for name, label in names[2:]:
        checked = load(name, folder)
        for row in (checked or {}).get("per_clip", []):
            found = row.get("pixels", {}).get("check_list")
            if found:
                missed = ", ".join(found["missed"]) or "none"
                out += [
                    "",
                    f"{label.capitalize()}: **{found['right']} of {found['tasks']}** named motions right "
                    f"(missed: {missed}), {len(found['invented_in_rests'])} invented in {found['rests']} rests.",
                ]
    return out


_SOURCES = {"oracle": "true landmarks (ceiling)", "pixels": "tracked pixels", "floor": "most frequent caption (floor)"}


def trackers(folder: Path) -> list[str]:
    """The native tracker against MediaPipe, by number of hands allowed."""
    out = [
        "| hands allowed | frames | speed-up (wall) | speed-up (processor time) "
        "| median landmark distance, palm lengths | found where mediapipe finds | native p50 / p95 / p99 ms | mediapipe p50 / p95 / p99 ms |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in ("tracker_one_hand", "tracker_two_hands"):
        row = load(name, folder)
        if row is None:
            continue
        ours, theirs = (
            "/".join(f"{row[k][q]:.1f}" for q in ("p50", "p95", "p99")) for k in ("ours_ms", "reference_ms")
        )
        parity = row["parity"]
        out.append(
            f"| {row['max_hands']} | {row['frames']} | {row['speedup']:.2f} | {row['speedup_cpu']:.2f} "
            f"| {parity['distance_median']:.4f} | {parity['found_frames_share']:.1%} | {ours} | {theirs} |"
        )
    return out


def bars(folder: Path) -> list[str]:
    """Every bar that a bench states about itself."""
    out = ["| bar | holds | file |", "| --- | --- | --- |"]
    for path in sorted(folder.glob("*.json")):
        row = json.loads(path.read_text())
        for bar, holds in row.get("bars", {}).items():
            out.append(f"| {bar} | {'yes' if holds else '**no**'} | [{path.name}](../results/{path.name}) |")
    for name in ("captions_real_hand_video", "captions_real_hand_video_second"):
        for row in (load(name, folder) or {}).get("per_clip", []):
            if found := row.get("pixels", {}).get("check_list"):
                bends = [task for task in found["missed"] if "turn" not in task and task != "final fist"]
                for bar, holds in (
                    ("real video: >= 11 of all 13 motions named right", found["right"] >= 11),
                    ("real video: >= 9 of the 10 bends, fist and pinches", len(bends) <= 1),
                    ("real video: no motion invented in a rest", not found["invented_in_rests"]),
                ):
                    out.append(f"| {bar} | {'yes' if holds else '**no**'} | [{name}.json](../results/{name}.json) |")
    return out


def others(folder: Path) -> list[str]:
    """Figures that need one line each."""
    out = []
    if row := load("second_hand", folder):
        out.append(
            f"- Entering hands: {row['entries']} second hands on {row['clips']} rendered clips, "
            f"{row['missed']} never found, found after {row['found_ms_p50']} ms (p50) and {row['found_ms_p95']} ms (p95); "
            f"a hand was invented on {row['false_hand_share']:.1%} of {row['handless_frames']} handless frames."
        )
    if row := load("stages", folder):
        after = row["stages_ms"]["after_landmarks"]
        out.append(
            f"- All work after the landmarks: {row['after_landmarks_share_of_tracker']:.1%} of the tracker's "
            f"processor time (p50 {after['p50']:.2f}, p95 {after['p95']:.2f}, p99 {after['p99']:.2f} ms a frame, one core)."
        )
    if row := load("install", folder):
        out.append(
            f"- Runtime environment: {row['venv_mb']:.0f} MB on disk; `figop --help` {row['start_s']:.2f} s, "
            f"`figop demo` with all its outputs {row['demo_s']:.0f} s."
        )
    if row := load("render", folder):
        size = "x".join(str(v) for v in row["size"])
        out.append(f"- Renderer: {row['frames_per_second']:.1f} frames a second and core at {size}.")
    if row := load("simulator", folder):
        rate = row["clips_per_second"]
        out.append(
            f"- Simulator: {rate['landmarks']} clips of 5 s (30 fps, both hands) a second and core as landmarks, "
            f"{rate['with noise']} with a tracker's noise, {rate['with noise and features']} as the student's features."
        )
    return out


def page(folder: Path = RESULTS) -> str:
    """The whole page."""
    parts = [
        ("Captions by rules (figop-base) and by the student (figop-student, a preview)", captions(folder)),
        ("Hand tracker against MediaPipe, paired on one core", trackers(folder)),
        ("Other figures", others(folder)),
        ("Bars", bars(folder)),
    ]
    return _HEAD + "".join(f"\n## {title}\n\n" + "\n".join(lines) + "\n" for title, lines in parts)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write docs/results.md from results/*.json.")
    parser.parse_args()
    PAGE.write_text(page())
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
