"""Model cards of the shipped bundles: what is in them, what went in, and figures out of result files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parents[1] / "results"

_USE = """\
## Intended use
Naming what fingers do in front of one ordinary camera, or in recorded landmarks, on the device itself.
Not for safety functions, medical judgement, or telling people apart.
"""

_LIMITS = """\
## Limits
Fingers that the camera cannot see (behind the palm, behind an object, edge-on) are guessed by the landmark
network and then misread. Small sideways motions, motions under a tenth of a second, and hands further than
about two metres from an ordinary webcam are often missed. What the hand holds is not recognised.
"""

RULES_CARD = (
    """\
# figop-rules {version}

**Holds no learned captioner.** Captions are made by rules: joint angles and contacts of tracked hands are
read as finger events, and a grammar writes these as English sentences. It needs no inference runtime, and is the
baseline of figop-base, which has the same rules at its side.

| what | how |
| --- | --- |
| hands | MediaPipe's palm and landmark networks, unaltered, obtained by `figop setup` (not in this bundle) |
| finger events | `edge.rules` with the settings in `rules.json`; no learning |
| sentences | `edge.narrator`: a closed vocabulary of {words} words, `vocabulary.json` |

"""
    + _USE
    + """
## What went in
No training data: nothing here was trained. The settings of the rules were chosen on clips rendered by
figop's own simulator. No recording of a person went in.

"""
    + _LIMITS
)

BASE_CARD = (
    """\
# figop-base {version}

A trained student reads the hands and speaks, with rules at its side: what the student doubts is told only where the
rules read it too. Every event says whose it is (`source`: `model` or `rules`).

| what | how |
| --- | --- |
| hands | MediaPipe's palm and landmark networks, unaltered, obtained by `figop setup` (not in this bundle) |
| finger events | a causal convolutional encoder at 30 Hz with attribute heads for every finger, `encoder.*` |
| second opinion | `edge.rules`, `rules.json`: asked below a confidence of {sure}; speak alone {alone}; first {first} |
| sentences | a small captioner over FiGOP units where it is sure (`units`, `prefill`, `step`), else `edge.narrator` |
| size | {parameters} parameters, for LiteRT and ONNX; closed vocabulary of {words} words |

"""
    + _USE
    + """
## What went in
Finger programs that figop's own simulator performed, with a model of tracker noise, and renders of such programs as
MediaPipe's hand networks tracked them. No recording of a person went in, neither to train nor to choose a number. A
fifth of the combinations of finger, motion and contact were never shown. Trained for {steps} steps in {minutes}
minutes: `{command}`.

## Figures
{figures}

"""
    + _LIMITS
)

#: result file -> what it was measured on
_MEASURED = {
    "captions_simulated": "simulated test programs, fitted tracker noise",
    "captions_rendered": "rendered test programs, tracked from pixels",
    "captions_rendered_all": "these and renders of hands with things, tracked from pixels",
    "captions_real_hand_video": "one real video, first reading (test-only)",
    "captions_real_hand_video_second": "one real video, second reading (test-only)",
    "captions_real_leap": "real Leap Motion tracks (test-only)",
    "captions_real_streams": "real webcam streams, image landmarks alone (test-only)",
}


#: kinds of landmarks that the rules read first -> what the card says
_FIRST = {
    "joints": "where only a headset's joints are given",
    "image": "where only image landmarks are given",
}


def quoted(student: Mapping[str, Any], weights: str, folder: Path = RESULTS) -> dict[str, str]:
    """What the card of figop-base quotes of `student.json` and of the results measured with these weights."""
    training, fallback = student["training"], student["fallback"]
    trust = float(fallback["trust"])
    return {
        "parameters": f"{sum(student['parameters'].values()) / 1e6:.2f} M",
        "steps": str(training["steps"]),
        "minutes": f"{training['seconds'] / 60:.0f}",
        "command": str(training.get("command", "figop train")),
        "sure": f"{float(fallback['sure']):g}",
        "first": " and ".join(_FIRST[kind] for kind in fallback.get("rules_first", ())) or "nowhere",
        "alone": "never" if trust >= 1 else f"from {trust:g} where the student names nothing",
        "figures": figures(weights, folder),
    }


def figures(weights: str, folder: Path = RESULTS) -> str:
    """A table of caption figures; only of result files that were measured with these weights."""
    rows = []
    for name, label in _MEASURED.items():
        path = folder / f"{name}.json"
        result = json.loads(path.read_text()) if path.is_file() else {}
        if result.get("weights") != weights:
            continue
        row = result["sources"].get("pixels") or result["sources"].get("oracle")
        if row:
            rows.append(
                f"| {label} | {row['clips']} | {row['f1']:.2f} | {row['hallucinated_finger_rate']:.0%} "
                f"| {row['hand_judge']:.1f} |"
            )
    if not rows:
        return "None measured with these weights yet: `make results`, then `make bundle`."
    head = ["| set | clips | caption F1 | invented | HandJudge (0-10) |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows])
