"""Score traces with their thresholds and the events read from them, as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge import canvas
from edge.canvas import DIM, FINGER_COLOURS, GROUND, INK, PANEL, RULE, Rgb
from edge.cv import load_cv2
from edge.errors import SinkError
from edge.files import write_whole
from edge.gestures.trial import Trial

WIDTH, ROW, LEFT, RIGHT, HEAD = 1300, 58, 190, 24, 60
#: traces shown at most, those that rise highest
MOST = 14


def picture(trial: Trial) -> Rgb:
    """[H,W,3]: a row for every gesture that rose, its events as bars."""
    cv2 = load_cv2()
    rows = sorted(trial.traces, key=lambda t: -float(t.score.max()))[:MOST]
    rows.sort(key=lambda t: (t.hand, t.name))
    high = HEAD + ROW * max(len(rows), 1) + 40
    sheet: Rgb = np.full((high, WIDTH, 3), GROUND, np.uint8)
    canvas.text(sheet, Path(trial.name).name, 24, 30, 20, INK, bold=True)
    ends = [e for e in trial.events if e.type == "gesture_end" and e.confidence > 0]
    canvas.text(sheet, f"{len(ends)} gestures", WIDTH - RIGHT, 30, 15, DIM, align=1.0)
    if not rows:
        canvas.text(sheet, "No gesture's score rose.", WIDTH / 2, HEAD + 30, 16, DIM, align=0.5)
        return sheet
    start, end = min(float(t.t[0]) for t in rows), max(float(t.t[-1]) for t in rows)
    wide = (WIDTH - LEFT - RIGHT) / max(end - start, 0.1)
    colours = list(FINGER_COLOURS.values()) if isinstance(FINGER_COLOURS, dict) else list(FINGER_COLOURS)
    for i, trace in enumerate(rows):
        top = HEAD + i * ROW
        canvas.box(sheet, LEFT, top + 4, WIDTH - RIGHT, top + ROW - 4, PANEL)
        colour = colours[i % len(colours)]
        canvas.text(sheet, canvas.fit(trace.name, LEFT - 40, 15), LEFT - 12, top + 22, 15, INK, align=1.0)
        canvas.text(sheet, trace.hand, LEFT - 12, top + 40, 12, DIM, align=1.0)
        low, tall = top + ROW - 6, ROW - 14
        for e in ends:
            if e.label == trace.name and e.hand == trace.hand:
                x0, x1 = (LEFT + (x - start) * wide for x in (e.t_start, max(e.t_end, e.t_start + 0.03)))
                canvas.bar(sheet, x0, top + 5, x1, top + ROW - 5, colour, alpha=0.3)
        y = round(low - tall * trace.threshold)
        canvas.box(sheet, LEFT, y, WIDTH - RIGHT, y + 1, RULE)
        x = LEFT + (trace.t - start) * wide
        points = np.stack([x, low - tall * np.clip(trace.score, 0, 1)], axis=1)
        cv2.polylines(sheet, [points.round().astype(np.int32)], False, colour, 1, cv2.LINE_AA)
    step = 1.0 if end - start < 15 else 5.0 if end - start < 75 else 30.0
    for second in np.arange(np.ceil(start / step) * step, end, step):
        x0 = LEFT + (second - start) * wide
        canvas.text(sheet, f"{abs(second):.0f} s", x0, high - 20, 12, DIM, align=0.5)
    return sheet


def draw(trial: Trial, path: Path) -> None:
    """Write the picture. Raises SinkError."""
    cv2 = load_cv2()
    done, data = cv2.imencode(".png", picture(trial)[..., ::-1])
    try:
        if not done:
            raise OSError("the picture could not be packed")
        write_whole(path, data.tobytes())
    except OSError as error:
        raise SinkError(f"{path} could not be written: {error.strerror or error}.") from error
