"""Draws hands on a picture: a colour per finger, near bones bright and far ones faded, left hollow, right filled."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from edge import canvas
from edge.canvas import DARK, FINGER_COLOURS, INK, Rgb, mix
from edge.cv import load_cv2
from edge.hands.frame import LEFT, RIGHT, HandFrame, hands_in
from edge.skeleton import BONES, MIDDLE_MCP, WRIST

#: OpenCV draws with 4 fractional bits: joints do not jump from pixel to pixel.
_SHIFT = 4
#: Pixels per metre and places of the two wrists, as fractions, when there is no picture to draw on.
_BARE_SCALE, _BARE_PLACES = 2.1, {LEFT: (0.70, 0.78), RIGHT: (0.30, 0.78)}


def pixels(hands: HandFrame, slot: int, width: int, height: int, view: str = "facing") -> NDArray[np.float64]:
    """Joints [21,3] in pixels of a width x height picture, z in the same unit (negative = nearer)."""
    joints = np.asarray(hands.landmarks[slot], np.float64)
    if np.isfinite(joints[:, :2]).all():
        return np.nan_to_num(joints) * (width, height, width)
    # a headset knows no image: the hand as the camera would see it, side by side
    x, y = _BARE_PLACES[slot if view == "facing" else 1 - slot]
    return np.nan_to_num(np.asarray(hands.world[slot], np.float64)) * _BARE_SCALE * height + (x * width, y * height, 0)


def draw_hands(picture: Rgb, hands: HandFrame, scale: float, view: str = "facing") -> None:
    """Draw every hand of the frame into the picture; `scale` = line widths relative to a 640 pixel picture."""
    height, width = picture.shape[:2]
    for slot in hands_in(hands):
        joints = pixels(hands, slot, width, height, view)
        if np.abs(joints).max() < 20 * max(width, height):  # beyond that OpenCV's fixed point overflows
            _draw_hand(picture, joints, slot, scale)


def _draw_hand(picture: Rgb, joints: NDArray[np.float64], slot: int, scale: float) -> None:
    cv2 = load_cv2()
    size = float(np.ptp(joints[:, :2], axis=0).max())
    # small hands get thinner lines, else their fingers run into one blot
    pen = scale * float(np.clip(size / (150 * scale), 0.55, 1.15))
    depth = joints[:, 2]
    far = (depth - depth.min()) / max(float(np.ptp(depth)), 0.25 * size, 1e-6)
    points = np.round(joints[:, :2] * (1 << _SHIFT)).astype(int)

    palm = points[[0, 1, 5, 9, 13, 17]]
    shade = picture.copy()
    cv2.fillPoly(shade, [palm.astype(np.int32)], mix(INK, DARK, 0.1), cv2.LINE_AA, _SHIFT)
    low = np.maximum(palm.min(0) // 16 - 2, 0)
    high = np.maximum(palm.max(0) // 16 + 3, 0)
    where = np.s_[low[1] : high[1], low[0] : high[0]]
    picture[where] = (picture[where] * 0.84 + shade[where] * 0.16).astype(np.uint8)

    for a, b in BONES:  # a dark rim first: bright lines vanish on skin
        cv2.line(picture, points[a].tolist(), points[b].tolist(), DARK, max(2, round(4.6 * pen)), cv2.LINE_AA, _SHIFT)
    for a, b in sorted(BONES, key=lambda bone: -far[bone[1]]):
        finger = FINGER_COLOURS[(b - 1) // 4]
        colour = mix(finger, (70, 74, 84), 0.62 * float(far[b]))
        thick = max(1, round((3.0 if b % 4 != 1 else 2.0) * pen))
        cv2.line(picture, points[a].tolist(), points[b].tolist(), colour, thick, cv2.LINE_AA, _SHIFT)
    for joint in np.argsort(-far):
        finger = FINGER_COLOURS[(joint - 1) // 4] if joint else INK
        colour = mix(finger, (70, 74, 84), 0.62 * float(far[joint]))
        radius = (4.2 if joint and joint % 4 == 0 else 3.2) * pen * (1 << _SHIFT)
        at = points[joint].tolist()
        cv2.circle(picture, at, round(radius + 1.1 * pen * 16), DARK, -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(picture, at, round(radius), colour, -1, cv2.LINE_AA, _SHIFT)
        if slot == LEFT:
            cv2.circle(picture, at, round(radius * 0.5), DARK, -1, cv2.LINE_AA, _SHIFT)
    _draw_tag(picture, joints, slot, scale)


def _draw_tag(picture: Rgb, joints: NDArray[np.float64], slot: int, scale: float) -> None:
    """ "L" or "R" in a box beyond the wrist, inside the picture."""
    height, width = picture.shape[:2]
    arm = joints[WRIST, :2] - joints[MIDDLE_MCP, :2]
    arm = arm / max(float(np.hypot(*arm)), 1e-6)
    half = 9 * scale
    x, y = joints[WRIST, :2] + arm * 20 * scale
    x = float(np.clip(x, half + 2, width - half - 2))
    y = float(np.clip(y, half + 2, height - half - 2))
    word = "L" if slot == LEFT else "R"
    canvas.bar(picture, x - half, y - half, x + half, y + half, DARK, alpha=0.8, radius=4 * scale)
    if slot == LEFT:
        canvas.bar(picture, x - half, y - half, x + half, y + half, INK, radius=4 * scale, outline=1.3 * scale)
        canvas.text(picture, word, x, y, 13 * scale, INK, bold=True, align=0.5)
    else:
        canvas.bar(picture, x - half, y - half, x + half, y + half, INK, alpha=0.95, radius=4 * scale)
        canvas.text(picture, word, x, y, 13 * scale, DARK, bold=True, align=0.5)
