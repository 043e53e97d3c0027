"""results/*.json -> docs/results.md: `python -m export.report`. Figures enter the documents this way only."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from export.fallback import INVENTED as INVENTED_BAR
from export.formats.hand_captions import measured
from export.judge import page as judged
from export.judge.delays import DELAY_BAR_S
from export.mechanisms.page import lines

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "results", ROOT / "docs" / "results.md"

Row = dict[str, Any]

#: caption F1 that figop-base must reach
SIMULATED_BAR, RENDERED_BAR, REAL_BAR = 0.80, 0.70, 0.75

_HEAD = """# Results

Written by `python -m export.report` from the JSON files in [results/](../results/), each of which names the command
that made it. Times are of an x86-64 build machine, never of a board; what counts is the ratio of two things measured
side by side in one run.
"""


def load(name: str, folder: Path = RESULTS) -> Row | None:
    """One result file, or None where it was not made."""
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.is_file() else None


#: result file -> what was captioned; with "_rules" at its end: by figop-rules
_CAPTIONED = {
    "captions_simulated": "simulated test programs, as the fitted tracker sees them",
    "captions_simulated_exact": "simulated test programs, exact landmarks",
    "captions_rendered": "rendered test programs",
    "captions_rendered_all": "rendered test programs and hands with things",
    "captions_rendered_lite": "rendered test programs, lite hand networks (`--tracker native-lite`)",
    "captions_rendered_without_image": "rendered test programs without image landmarks",
    "captions_rendered_without_world": "rendered test programs without world landmarks and wrist",
    "captions_rendered_without_appearance": "rendered test programs without keyframe features",
    "captions_history_before": "labelled fingertips (thumb_index_history), as shipped",
    "captions_history": "the same, fine-tuned on 200 others (`figop train --data`)",
    "captions_real_hand_video": "real hand video, first reading",
    "captions_real_hand_video_lite": "real hand video, first reading, lite hand networks",
    "captions_real_hand_video_second": "real hand video, second reading",
    "captions_real_leap": "real Leap Motion tracks, first reading",
    "captions_real_leap_second": "real Leap Motion tracks, second reading",
    "captions_real_streams": "real webcam streams, first reading",
    "captions_real_streams_second": "real webcam streams, second reading",
}


def captions(folder: Path) -> list[str]:
    """Caption quality: every source of every caption result."""
    names = [
        (f"{name}{end}", f"{label}, {who}")
        for name, label in _CAPTIONED.items()
        for end, who in (("", "figop-base"), ("_rules", "figop-rules"))
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
            if source == "floor" and not name.endswith("_rules"):
                continue  # stands with the rules
            span = row["interval_95"].get("f1")
            shown = f"{row['f1']:.3f}" + (f" ({span[0]:.2f}-{span[1]:.2f})" if span else "")
            out.append(
                f"| {label} | {_shown(name, source)} | {row['clips']} ({row['reference']}) "
                f"| {row['precision']:.3f} | {row['recall']:.3f} | {shown} | {row['f1_strict']:.3f} "
                f"| {row['hallucinated_finger_rate']:.0%} | {row['hand_judge']:.2f} |"
            )
    for name, label in names:
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
    rivals = judged.rivals({label: load(name, folder) for name, label in _CAPTIONED.items()})
    out += ["", *rivals] if rivals else []
    for name, label in _CAPTIONED.items():
        if agree := (load(name, folder) or {}).get("readers_agree"):
            if name.endswith("_second"):
                continue  # stands with the first
            what = label.partition(",")[0].removeprefix("real ")
            out += ["", f"Two readings of the {agree['clips']} {what} agree with F1 {agree['f1']:.3f}."]
    return out


def _shown(name: str, source: str) -> str:
    """Where captions came from, in words; simulated and real landmarks are recordings of what their label says."""
    plain = any(word in name for word in ("simulated", "real_leap", "real_streams", "history"))
    return "landmarks" if source == "oracle" and plain else _SOURCES.get(source, source)


_SOURCES = {"oracle": "true landmarks (ceiling)", "pixels": "tracked pixels", "floor": "most frequent caption (floor)"}


def delays(folder: Path) -> list[str]:
    """How late final captions come, and how often phrases are cut apart."""
    out = [
        "| clips | captions from | captions | after the motion: p50 / p90 / p95 ms | told while moving | phrases | cut apart |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, label in _CAPTIONED.items():
        for end, who in (("", "figop-base"), ("_rules", "figop-rules")):
            for source, row in (load(f"{name}{end}", folder) or {"sources": {}})["sources"].items():
                late = row.get("final_caption_delay", {})
                if late.get("captions"):
                    shown = " / ".join(f"{1e3 * late[q]:.0f}" for q in ("p50_s", "p90_s", "p95_s"))
                    out.append(
                        f"| {label}, {who} | {_shown(name, source)} | {late['captions']} | {shown} "
                        f"| {late['while_moving']} | {late['phrases']} | {late['cut_apart']} |"
                    )
    return out


def student(folder: Path) -> list[str]:
    """What the student costs, and what the second opinion of the rules is worth."""
    out = []
    if row := load("student_cost", folder):
        out += [
            f"{row['parameters'] / 1e6:.2f} M weights. Everything after the landmarks (student, rules, phrases), one core,",
            f"and a caption of exactly {row['caption_words']} words (units, prefill, {row['caption_words']} steps):",
            "",
            "| runtime | a frame: processor time p50 / p95 / p99 ms | by the clock | a caption: processor time p50 / p95 / p99 ms | by the clock |",
            "| --- | --- | --- | --- | --- |",
        ]
        for runtime, label in (("litert", "LiteRT"), ("onnx", "ONNX Runtime")):
            cells = [
                " / ".join(f"{row[runtime][f'{of}_{clock}'][q]:.2f}" for q in ("p50", "p95", "p99"))
                for of in ("frame", "caption")
                for clock in ("cpu_ms", "ms")
            ]
            out.append(f"| {label} | {' | '.join(cells)} |")
    if row := load("fallback", folder):
        chosen = row["chosen"]
        out += [
            "",
            f"Chosen on {row['clips']} rendered development clips ({row['phrases']} phrases): the rules are asked below a "
            f"confidence of {chosen['sure']:g}, and speak alone "
            + ("never." if chosen["trust"] >= 1 else f"from {chosen['trust']:g} where the student names nothing."),
            "",
            "| development clips | precision | recall | F1 | strict F1 | invented | HandJudge |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        for name, label in (("model_alone", "model alone"), ("rules_alone", "rules alone"), ("chosen", "both")):
            one = row[name]
            out.append(
                f"| {label} | {one['precision']:.3f} | {one['recall']:.3f} | {one['f1']:.3f} | {one['f1_strict']:.3f} "
                f"| {one['hallucinated_finger_rate']:.0%} | {one['hand_judge']:.2f} |"
            )
    return out


def spread(folder: Path) -> list[str]:
    """What another seed of training would have given."""
    return judged.seeds(load("seeds", folder))


def trackers(folder: Path) -> list[str]:
    """The native tracker against MediaPipe, by number of hands allowed."""
    out = [
        "| tracker | hands allowed | frames | speed-up (wall) | speed-up (processor time) "
        "| landmark distance, palm lengths: median, p95 | found where mediapipe finds | ours p50 / p95 / p99 ms | mediapipe p50 / p95 / p99 ms |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in ("tracker_one_hand", "tracker_two_hands", "tracker_lite"):
        row = load(name, folder)
        if row is None:
            continue
        ours, theirs = (
            "/".join(f"{row[k][q]:.1f}" for q in ("p50", "p95", "p99")) for k in ("ours_ms", "reference_ms")
        )
        parity = row["parity"]
        out.append(
            f"| {row.get('tracker', 'native')} | {row['max_hands']} | {row['frames']} | {row['speedup']:.2f} | {row['speedup_cpu']:.2f} "
            f"| {parity['distance_median']:.4f}, {parity['distance_p95']:.3f} | {parity['found_frames_share']:.1%} | {ours} | {theirs} |"
        )
    return out


def bars(folder: Path) -> list[str]:
    """Every bar that a bench states about itself."""
    out = ["| bar | holds | file |", "| --- | --- | --- |"]
    for path in [*sorted(folder.glob("*.json")), *sorted(folder.glob("bench/*.json"))]:
        row, name = json.loads(path.read_text()), path.relative_to(folder).as_posix()
        for bar, holds in row.get("bars", {}).items():
            out.append(f"| {bar} | {'yes' if holds else '**no**'} | [{name}](../results/{name}) |")
    for name, bar, holds in [*_caption_bars(folder), *_video_bars(folder)]:
        out.append(f"| {bar} | {'yes' if holds else '**no**'} | [{name}.json](../results/{name}.json) |")
    return out


def _caption_bars(folder: Path) -> Iterator[tuple[str, str, bool]]:
    """(result file, bar, whether it holds) of figop-base on the test programs."""
    if simulated := load("captions_simulated", folder):
        row = simulated["sources"].get("oracle") or simulated["sources"]["given"]
        yield (
            "captions_simulated",
            f"simulated test programs: caption F1 >= {SIMULATED_BAR}",
            row["f1"] >= SIMULATED_BAR,
        )
    yield from judged.bars(load("captions_simulated", folder), load("captions_rendered_all", folder))
    for name in ("captions_real_leap", "captions_real_streams"):
        if real := load(name, folder):
            f1, rules = real["sources"]["oracle"]["f1"], load(f"{name}_rules", folder)
            label = _CAPTIONED[name].partition(",")[0]
            yield name, f"{label}: caption F1 >= {REAL_BAR:.2f}", f1 >= REAL_BAR
            if rules:
                yield name, f"{label}: caption F1 above the rules", f1 > rules["sources"]["oracle"]["f1"]
    row = (load("captions_rendered", folder) or {"sources": {}})["sources"].get("pixels")
    if row is None:
        return
    rules = (load("captions_rendered_rules", folder) or {"sources": {}})["sources"].get("pixels", {"f1": 1.0})
    late = row.get("final_caption_delay", {}).get("p95_s", math.inf)
    for bar, holds in (
        (f"caption F1 >= {RENDERED_BAR:.2f}", row["f1"] >= RENDERED_BAR),
        ("caption F1 above the rules", row["f1"] > rules["f1"]),
        (f"hallucinated-finger rate <= {INVENTED_BAR:.0%}", row["hallucinated_finger_rate"] <= INVENTED_BAR),
        (f"end of motion to final caption <= {1e3 * DELAY_BAR_S:.0f} ms (p95)", late <= DELAY_BAR_S),
    ):
        yield "captions_rendered", f"rendered test programs from pixels: {bar}", holds


def _video_bars(folder: Path) -> Iterator[tuple[str, str, bool]]:
    """Likewise on the real video; the rules keep the bars that they were given before there was a student."""
    for name in ("captions_real_hand_video", "captions_real_hand_video_second"):
        for end, tasks, slack in (("", 12, 0), ("_rules", 11, 1)):
            for row in (load(name + end, folder) or {}).get("per_clip", []):
                if found := row.get("pixels", {}).get("check_list"):
                    bends = [task for task in found["missed"] if "turn" not in task and task != "final fist"]
                    who = "rules" if end else "figop-base"
                    yield name + end, f"real video, {who}: >= {tasks} of all 13 motions", found["right"] >= tasks
                    yield (
                        name + end,
                        f"real video, {who}: >= {10 - slack} of the 10 bends, fist and pinches",
                        len(bends) <= slack,
                    )
                    yield name + end, f"real video, {who}: no motion invented in a rest", not found["invented_in_rests"]


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
    if row := load("serial", folder):
        clean, noisy = row["clean"]["latency_ms"], row["noisy"]
        out.append(
            f"- Serial link at {row['clean']['baud']} baud, Python to the C library over a simulated cable: a gesture event "
            f"takes {clean['p50']} ms (p50), {clean['p95']} ms (p95), {clean['p99']} ms (p99). With 1 % of all bytes corrupted "
            f"for {noisy['seconds'] / 60:g} minutes, {noisy['delivered_once']} of {noisy['submitted']} events arrived once, "
            f"in order and as sent, {noisy['failed']} were reported failed, the slowest took {noisy['latency_ms']['max']} ms "
            f"(processes at {row['command'].split()[-1]} priority, load {row['load_average']} on {row['cores']} cores)."
        )
    if row := load("ros", folder):
        gestures, pictures = row["gestures"]["ms"], row["images"]
        busy = f"load {row['load_average_at_start']:g}"
        ahead = f"{busy}, scheduled before others by nice {row['nice']}" if row.get("nice", 0) < 0 else busy
        out.append(
            f"- ROS 2 between processes ({ahead}): a gesture event {gestures['p50']:.1f} ms (p50), {gestures['p95']:.1f} ms "
            f"(p95), {gestures['p99']:.1f} ms (p99) after its hand frame was published; {pictures['frames']} of "
            f"{pictures['pictures']} pictures of 640 x 480 came back as hands, ROS added {pictures['added_ms']['p50']:.1f} ms "
            f"(p50), {pictures['added_ms']['p95']:.1f} ms (p95) to the tracker's {pictures['tracker_ms']['p50']:.1f} ms."
        )
    if row := load("bench/x86-64", folder):
        start, path = row["start_up"], row["caption_path"]
        out.append(
            f"- The build machine (load {row['conditions']['load_1_min']:g} meanwhile): process start to first caption "
            f"{start['first_caption_s']:.2f} s ({start['first_caption_cpu_s']:.2f} s of a processor); captioning landmarks of "
            f"{row['recording']['hands']:g} hands at {path['fps']:g} fps takes {path['share_of_core']:.1%} of a core and "
            f"{path['peak_rss_mb']:.0f} MB; predicted times of graphs left out err by {row['model']['left_out_error_median']:.0%} "
            "in the median. Predictions for boards: `figop plan`."
        )
        if other := row.get("versus"):
            out.append(
                f"- The tracker beside {other['reference']} in the same run ({other['frames']} frames, {other['max_hands']} "
                f"hand): {other['speedup_cpu']:.2f}x by processor time, {other['speedup']:.2f}x by the clock; landmarks "
                f"{other['parity']['distance_median']:.4f} palm lengths apart in the median."
            )
    if row := load("int8", folder):
        for format, label in (("tflite", "LiteRT"), ("onnx", "ONNX Runtime")):
            golden = row["quality"][format]["golden"]["figures"]
            times, f1 = row["cpu_ms"][format], (row["rendered_and_tracked"] or {}).get(format)
            lost = f", event F1 lost on {f1['clips']} rendered clips {f1['lost']:+.3f}" if f1 else ""
            out.append(
                f"- int8 on {label} (`{row['recipe']}`): {golden['caption_tokens_equal']:.1%} of caption words equal on "
                f"the golden set{lost}; graphs {row['bytes_of_graphs'][format] / 1e6:.2f} MB; against float, processor "
                f"time, encoder {times['encoder']['int8_speedup']:.2f}x, longest caption "
                f"{times['caption of the longest length']['int8_speedup']:.2f}x."
            )
            if static := row["quality"][format].get("golden, static int8"):
                out.append(
                    f"- The same with calibrated ranges (`mixed_w8c_a8`), {label}: "
                    f"{static['figures']['caption_tokens_equal']:.1%} of caption words equal, encoder "
                    f"{times['encoder']['static_int8_speedup']:.2f}x; refused by the gate."
                )
    if row := load("int8_hands", folder):
        for format, label in (("tflite", "LiteRT"), ("onnx", "ONNX Runtime")):
            net = row["networks"][format]
            added = "; ".join(
                f"{name} {e['error_median']:.2%} median, {e['error_p95']:.2%} p95"
                + (f", world {e['world_median']:.1%} median" if "world_median" in e else "")
                for name, e in net["added"].items()
            )
            out.append(
                f"- Landmark network for {label} ({net['chosen']['landmark']}): {net['cpu_ms']['speedup']:.2f}x of float, "
                f"{net['bytes']['landmark'] / 1e6:.1f} MB, error added in palm lengths: {added}."
            )
        if tracker := row.get("tracker"):
            out.append(
                f"- Whole tracker with the int8 landmark network against MediaPipe, one hand: {tracker['speedup_cpu']:.2f}x "
                f"in processor time ({tracker['speedup']:.2f}x wall) at a median distance of "
                f"{tracker['parity']['distance_median']:.4f} palm lengths."
            )
    for loss in measured().values():
        low, high = loss.interval
        out.append(
            f"- {loss.name} as landmark network ({loss.format}), by which `figop export` chooses: caption F1 "
            f"{loss.f1:.3f} against {loss.float_f1:.3f} on {loss.views} views of development clips (lost {loss.lost:+.3f}, "
            f"95 % {low:+.3f} to {high:+.3f}); {loss.agreement:.1%} of what is told agrees with float "
            "([captions.json](../quant/data/hands/captions.json))."
        )
    if row := load("int8_captions", folder):
        low, high = row["lost_interval_95"]
        out.append(
            f"- From pixels with the int8 bundle's own hand networks: caption F1 {row['f1']['int8']:.3f} against "
            f"{row['f1']['float']:.3f} in float on {row['clips']} rendered clips (lost {row['lost']:+.3f}, 95 % {low:+.3f} to "
            f"{high:+.3f}); its keyframe tokens add {row['keyframe_tokens_gain']:+.3f}."
        )
    if row := load("export", folder):
        took = row["exports"]["with hands"]
        out.append(
            f"- Export of all graphs with hand networks and verification: {took['cpu_seconds']:.0f} s of processor time; "
            f"int8 bundle {row['exports']['without hands']['bytes'] / 1e6:.2f} MB without hand networks, "
            f"{took['bytes'] / 1e6:.2f} MB with."
        )
    if row := load("export_arm64", folder):
        memory = ", ".join(f"{mb} MB on {who}" for who, mb in row["peak_memory_mb"].items())
        most = max(b["tensor_difference"] for b in row["bundles"].values())
        same = all(b["events_equal"] for b in row["bundles"].values())
        out.append(
            f"- Emulated ARM ({row['core']}), float and int8 on both runtimes: events {'equal' if same else '**differ**'}, "
            f"tensors within {most:.1g}; peak memory {memory}."
        )
    if row := load("int8_qat", folder):
        gain = ", ".join(f"{name} {db:+.1f} dB" for name, db in row["gain_db"].items())
        out.append(f"- QAT of the encoder ({row['steps']} steps) against PTQ, simulated: {gain}.")
    if row := load("tracker_noise", folder):
        auc = row["auc"]
        out.append(
            f"- Modelled tracker against the real one on {row['clips']} rendered clips that it was not fitted on: median "
            f"world error {row['modelled']['world'][1]:.2f} and {row['tracked']['world'][1]:.2f} palm lengths, image "
            f"{row['modelled']['image'][1]:.3f} and {row['tracked']['image'][1]:.3f}; a classifier of what the student sees "
            f"tells them apart with an AUC of {auc['after']:.2f} (hand-set noise {auc['before']:.2f}, tracked against "
            f"tracked {auc['tracked_against_tracked']:.2f}). [Joint by joint](images/tracker_noise.png)."
        )
    if row := load("reliability", folder):
        error, risk = row["calibration_error"], row["risk_at_coverage"]
        out.append(
            f"- Confidence of {row['judged']} held-out captions: calibration error {error['as_it_is']:.3f} (with one more "
            f"temperature, {row['temperature']}, {error['with_temperature']:.3f}); {1 - row['right']:.1%} are wrong, of the "
            f"surest 60 % {risk['0.6']:.1%}. [Reliability](images/reliability.png)."
        )
    if row := load("render", folder):
        size = "x".join(str(v) for v in row["size"])
        out.append(f"- Renderer: {row['frames_per_second']:.1f} frames a second and core at {size}.")
    if row := load("training", folder):
        made, learned = (row[f"clips_{k}_a_second"] for k in ("made", "learned"))
        out.append(
            f"- Training: clips of 5 s made a second by {_counted(made, 'worker')}; learned a second by "
            f"{_counted(learned, 'process')}, each process with a worker of its own ({row['host']['cpu']}, two cores: one "
            "process and its worker fill them)."
        )
    if row := load("simulator", folder):
        rate = row["clips_per_second"]
        out.append(
            f"- Simulator: {rate['landmarks']} clips of 5 s (30 fps, both hands) a second and core as landmarks, "
            f"{rate['with noise']} with a tracker's noise, {rate['with noise and features']} as the student's features."
        )
    return out


def _counted(rates: Row, what: str) -> str:
    """Rates by how many there are, as words."""
    many = {"worker": "workers", "process": "processes"}[what]
    return ", ".join(f"{n} {what if n == '1' else many} {rate:g}" for n, rate in rates.items())


#: ways to search in results/retrieval.json, as they are called on the page
_SEARCHED = {
    "towers": "towers (as shipped)",
    "figop_search": "sentences through `figop search`",
    "towers_without_embedding": "towers without the embedding",
    "towers_steps_shuffled": "towers, steps of the phrase shuffled",
    "heads_likelihood": "likelihood of the heads alone",
    "towers+likelihood": "towers and likelihood",
    "sentence_vectors": "sentence vectors of the text network (the second entrance)",
    "bag_of_attributes": "bag of attributes (baseline)",
    "chance": "chance",
}


def mechanisms(folder: Path) -> list[str]:
    """What each of the papers' mechanisms is worth here."""
    row = load("mechanisms", folder)
    return lines(row) if row else []


def objects(folder: Path) -> list[str]:
    """Hands with things: contact, holding, what is told."""
    row = load("objects", folder)
    if row is None:
        return []
    out = [
        "| landmarks | boxes | clips | contact F1 | holding F1 | facts told | invented |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for part, seen in (("rendered", "tracker, on renders"), ("fitted", "fitted tracker, on programs")):
        for key, landmarks, boxes in (
            ("", seen, "a detector's"),
            ("true_boxes", seen, "true"),
            ("exact_landmarks", f"exact ({part})", "a detector's"),
            ("exact_landmarks_true_boxes", f"exact ({part})", "true"),
        ):
            r = row[part][key] if key else row[part]
            out.append(
                f"| {landmarks} | {boxes} | {r['clips']} | {r['contact_f1']:.3f} | {r['held_f1']:.3f} "
                f"| {r['facts_recall']:.1%} | {r['facts_invented']:.1%} |"
            )
    return out


def search(folder: Path) -> list[str]:
    """Retrieval, zero-shot classes, speed against size, throughput of annotating."""
    out: list[str] = []
    if row := load("retrieval", folder):
        out += [
            f"{row['phrases']} held-out simulated phrases, {row['meanings']} meanings, none of which was trained:", "",
            "| by | R@1 | R@10 | mAP | nDCG | one of 5 | one of 5 alike |", "| --- | --- | --- | --- | --- | --- | --- |",
        ]  # fmt: skip
        for name, label in _SEARCHED.items():
            if r := row.get(name):
                cells = (r[k] for k in ("r1", "r10", "map", "ndcg", "choice_of_5", "choice_of_5_alike"))
                out.append(f"| {label} | " + " | ".join(f"{v:.3f}" for v in cells) + " |")
        out.append("")
        for name, label in (("sfinge", "SFINGE 3D"), ("shrec21", "SHREC'21")):
            if not (found := row.get(name)):
                continue
            ways = ", ".join(f"{name} {found[name]['accuracy']:.1%}" for name in ("both", "towers", "heads"))
            out.append(
                f"- {label} by class sentences, {found['clips']} clips of {found['classes']} classes: {ways} "
                f"(commonest class {found['commonest_class']:.1%})."
            )
    if row := load("search_speed", folder):
        for r in row["sizes"]:
            out.append(
                f"- Search among {r['phrases']} phrases, one core: p50 {r['p50_ms']:.1f}, p95 {r['p95_ms']:.1f} ms; recall at 10 "
                f"{r['recall_at_10']:.3f}; {r['disk_mb']:.0f} MB on the disk, {r['resident_mb']:.0f} MB in memory."
            )
    if row := load("corpora", folder):
        for what in ("videos, figop-rules", "recordings, figop-rules", "recordings, figop-base"):
            for r in row.get(what, []):
                out.append(
                    f"- Annotating {what}, {r['jobs']} at a time: {r['video_hours_per_core_hour']:.2f} hours of video a core "
                    f"hour, {r['video_hours_per_hour']:.2f} an hour of the clock (load of the machine {row['load'][0]})."
                )
    return out or ["Not measured."]


def browser(folder: Path) -> list[str]:
    """The web app in Chromium."""
    row = load("web", folder)
    if not row:
        return ["Not measured."]
    loads, frame, told, bar = row["cold_load_s"], row["frame_ms"], row["decode_ms"], row["bars"]
    return [
        f"Load of the machine meanwhile {row['load']['before']} to {row['load']['after']} on {row['cores']} cores: times "
        "are fair only where it is near 0.", "",
        "| what | figure | bar |", "| --- | --- | --- |",
        f"| cold load to ready, median of {len(loads['loads'])} | {loads['median']} s | <= {bar['cold_load_s']} s |",
        f"| sent for the first load | {row['transfer_mb']} MB | <= {bar['transfer_mb']} MB |",
        f"| the app's own code, gzip | {row['app_code_gzip_kb']} KB | <= {bar['app_code_gzip_kb']} KB |",
        f"| a frame after its landmarks, p50 of {frame['runs']} (p95 {frame['p95']}, p99 {frame['p99']} ms) | {frame['p50']} ms | <= {bar['frame_ms_p50']} ms |",
        *([] if "camera" not in row else [
            f"| a picture of a live camera, p50 (p95 {row['camera']['picture_ms']['p95']} ms; "
            f"{row['camera']['pictures_per_s']} a second, {row['camera']['captions']} captions in "
            f"{row['camera']['seconds']} s) | {row['camera']['picture_ms']['p50']} ms | |"]),
        f"| decoding a caption, p95 of {told['runs']} (p50 {told['p50']}, p99 {told['p99']} ms) | {told['p95']} ms | <= {bar['decode_ms_p95']} ms |",
    ]  # fmt: skip


def served(folder: Path) -> list[str]:
    """Events of `figop serve` on their way to other programs."""
    row = load("serve", folder)
    if not row:
        return ["Not measured."]
    out = ["| listeners | way | arrived | p50 | p95 | p99 |", "| --- | --- | --- | --- | --- | --- |"]
    for name, ways in row.items():
        if name.startswith("listeners_"):
            for way, r in ways.items():
                times = " | ".join(f"{r[p]} ms" for p in ("p50_ms", "p95_ms", "p99_ms"))
                out.append(f"| {name[10:]} | {way.replace('_', ' ')} | {r['arrived']} of {r['of']} | {times} |")
    about = (
        f"Events of {row['bytes']} bytes on average, one every {row['every_ms']:.0f} ms, each way in turn; load of the "
    )
    return [about + f"machine {row['load_average_at_start']}. `{row['command']}`", "", *out]


def gestures(folder: Path) -> list[str]:
    """Micro-gestures: spotting on data sets, sentences, examples, false alarms, cost."""
    out = []
    if row := load("spotting_shrec21", folder):
        out.append(
            f"- SHREC'21, causal, grouped {row['folds']}-fold: detection rate {row['detection_rate']}, false positives "
            f"{row['false_positive_rate']}, Jaccard {row['jaccard']}, announced after {row['delay_ms_median']} ms (median)."
        )
    if row := load("spotting_sfinge", folder):
        out.append(f"- SFINGE 3D, 13 classes by block: {row['dictionary']['accuracy']:.1%}.")
    if row := load("gestures_zero_shot", folder):
        for name, what in (
            ("rendered", "Ten gestures unseen in training, rendered and tracked"),
            ("simulated", "The same as simulated landmarks with the fitted tracker's errors"),
            ("builtin", "Built-in set, moved gestures, as simulated landmarks"),
        ):
            said, shown = row[name]["by_sentence"], row[name]["by_examples"]
            best = said["calibrated"]
            out.append(
                f"- {what} ({best['clips']} clips, weights {row['weights'][:8]}): by sentence {best['top1']:.1%} "
                f"(+-{best['half_width_95']:.1%}; student alone {said['student']['top1']:.1%}), told live "
                f"{best['told_right']:.1%} right and {best['told_wrong']:.1%} wrong; three examples {shown['accuracy']:.1%}."
            )
    if row := load("gestures_poses", folder):
        for name, what in (
            ("headset", "a headset's joints"),
            ("webcam", "a webcam's image landmarks without depth, one person"),
            ("signs", "image landmarks of signs without depth"),
        ):
            one = row[name]
            low, high = one["right"]["interval_95"]
            out.append(
                f"- Built-in poses on real stills, {what}: {one['right']['share']:.1%} of {one['poses']} ({low:.0%}-{high:.0%}); "
                f"told of {one['invented']['share']:.0%} of {one['others']} stills that are none."
            )
    if row := load("gestures_alarms", folder):
        at = row["at_thresholds"]
        out.append(
            f"- False alarms of the ten on {row['hours']} hours of simulated everyday hands (weights {row['weights'][:8]}): "
            f"{at['per_hour']} an hour (at most {at['upper_95_per_hour']}) where {row['simulated']['detected_at_thresholds']:.1%} "
            f"of simulated performances are detected; within 2 an hour each at 85 %: "
            f"{row['simulated']['gestures_within_2_per_hour_at_85']} of 10."
        )
        for name, what in (("leap_recordings", "Leap Motion tracks without gestures"), ("shrec24_pottery", "a potter")):
            if real := row.get(name):
                out.append(
                    f"- False alarms, {what}: {real['alarms']} in {real['minutes']} minutes "
                    f"(at most {real['upper_95_per_hour']} an hour)."
                )
    if row := load("gestures_cost", folder):
        out.append(
            f"- Spotter with {row['gestures']} gestures, processor time a tick: {row['moving_ms']:.2f} ms while the hand moves, "
            f"{row['still_ms']:.3f} ms while it rests (load {row['load']}; the student took {row['student_ms']:.2f} ms)."
        )
    return out


def page(folder: Path = RESULTS) -> str:
    """The whole page."""
    parts = [
        ("Captions by figop-base (student, with rules at its side) and figop-rules (rules alone)", captions(folder)),
        ("From the end of a motion to its final caption, in the source's time", delays(folder)),
        ("The student", student(folder)),
        ("The student over seeds", spread(folder)),
        ("The papers' mechanisms", mechanisms(folder)),
        ("Hand tracker against MediaPipe, paired on one core", trackers(folder)),
        ("Hands and things", objects(folder)),
        ("Search and corpora", search(folder)),
        ("In the browser", browser(folder)),
        ("Events to other programs (figop serve)", served(folder)),
        ("Micro-gestures", gestures(folder)),
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
