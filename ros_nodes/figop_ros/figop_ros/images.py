"""`sensor_msgs/Image` and `CompressedImage` -> RGB and back, by numpy and OpenCV alone (no cv_bridge)."""

from __future__ import annotations

import array
import sys
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image

from edge.errors import SourceError

Rgb = NDArray[np.uint8]

#: encoding -> (bytes of a sample, samples of a pixel, OpenCV code to RGB, or None)
_PLAIN: dict[str, tuple[int, int, int | None]] = {
    "rgb8": (1, 3, None),
    "8UC3": (1, 3, cv2.COLOR_BGR2RGB),  # OpenCV's habit
    "bgr8": (1, 3, cv2.COLOR_BGR2RGB),
    "rgba8": (1, 4, cv2.COLOR_RGBA2RGB),
    "bgra8": (1, 4, cv2.COLOR_BGRA2RGB),
    "8UC4": (1, 4, cv2.COLOR_BGRA2RGB),
    "mono8": (1, 1, cv2.COLOR_GRAY2RGB),
    "8UC1": (1, 1, cv2.COLOR_GRAY2RGB),
    "rgb16": (2, 3, None),
    "bgr16": (2, 3, cv2.COLOR_BGR2RGB),
    "rgba16": (2, 4, cv2.COLOR_RGBA2RGB),
    "bgra16": (2, 4, cv2.COLOR_BGRA2RGB),
    "mono16": (2, 1, cv2.COLOR_GRAY2RGB),
    "16UC1": (2, 1, cv2.COLOR_GRAY2RGB),
    # UYVY and YUYV under their old and new names
    "yuv422": (1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "uyvy": (1, 2, cv2.COLOR_YUV2RGB_UYVY),
    "yuv422_yuy2": (1, 2, cv2.COLOR_YUV2RGB_YUYV),
    "yuyv": (1, 2, cv2.COLOR_YUV2RGB_YUYV),
    # ROS names the first row's pattern, OpenCV the second row's
    "bayer_rggb8": (1, 1, cv2.COLOR_BayerBG2RGB),
    "bayer_bggr8": (1, 1, cv2.COLOR_BayerRG2RGB),
    "bayer_gbrg8": (1, 1, cv2.COLOR_BayerGR2RGB),
    "bayer_grbg8": (1, 1, cv2.COLOR_BayerGB2RGB),
}
#: planar 4:2:0, whose rows are 1.5 times the height
_PLANAR = {"nv12": cv2.COLOR_YUV2RGB_NV12, "nv21": cv2.COLOR_YUV2RGB_NV21}
ENCODINGS = (*_PLAIN, *_PLANAR)
_DEPTH = {"16UC1": (np.uint16, 1e-3), "mono16": (np.uint16, 1e-3), "32FC1": (np.float32, 1.0)}


def _rows(msg: Image, width_bytes: int, height: int) -> NDArray[np.uint8]:
    """The pixels' bytes [height, width_bytes] without what pads the rows. Raises SourceError."""
    data = np.frombuffer(msg.data, np.uint8)
    step = int(msg.step) or width_bytes
    if step < width_bytes:
        raise SourceError(
            f"An image of {msg.width} pixels in {msg.encoding} needs {width_bytes} bytes a row, has {step}."
        )
    if len(data) < step * (height - 1) + width_bytes:
        size = f"{msg.width} x {msg.height}"
        raise SourceError(f"An image of {size} pixels in {msg.encoding} needs {step * height} bytes, has {len(data)}.")
    if len(data) < step * height:  # the last row is not padded
        data = np.concatenate([data, np.zeros(step * height - len(data), np.uint8)])
    return data[: step * height].reshape(height, step)[:, :width_bytes]


def _native(rows: NDArray[np.uint8], kind: type, big: bool) -> NDArray[Any]:
    """Samples of more than a byte in this machine's order."""
    found: NDArray[Any] = np.ascontiguousarray(rows).view(np.dtype(kind).newbyteorder(">" if big else "<"))
    return found.astype(kind, copy=False)


def to_rgb(msg: Image) -> Rgb:
    """An image as [H,W,3] uint8 RGB; without a copy where it is one already. Raises SourceError."""
    width, height = int(msg.width), int(msg.height)
    if width < 1 or height < 1:
        raise SourceError(f"An image must have pixels, found {width} x {height}.")
    encoding = {"UYVY": "uyvy", "YUYV": "yuyv", "yuv422_yuyv": "yuyv", "yuv422_uyvy": "uyvy"}.get(
        msg.encoding, msg.encoding
    )
    if encoding in _PLANAR:
        rows = np.ascontiguousarray(_rows(msg, width, height * 3 // 2))
        return np.asarray(cv2.cvtColor(rows, _PLANAR[encoding]), np.uint8)
    if encoding not in _PLAIN:
        raise SourceError(f"Images in {msg.encoding!r} are not read; use one of {', '.join(ENCODINGS)}.")
    size, samples, code = _PLAIN[encoding]
    if samples == 2 and width % 2:
        raise SourceError(f"Images in {msg.encoding} have an even width, found {width}.")
    rows = _rows(msg, width * samples * size, height)
    pixels: NDArray[Any]
    pixels = (_native(rows, np.uint16, bool(msg.is_bigendian)) >> 8).astype(np.uint8) if size == 2 else rows
    pixels = (
        pixels.reshape(height, width, samples)
        if pixels.flags.c_contiguous
        else np.ascontiguousarray(pixels).reshape(height, width, samples)
    )
    if code is None:
        return pixels[:, :, :3]
    return np.asarray(cv2.cvtColor(pixels[:, :, 0] if samples == 1 else pixels, code), np.uint8)


def decode(data: Any) -> Rgb:
    """The bytes of a compressed image (JPEG, PNG, WebP) as RGB. Raises SourceError."""
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if len(data) else None
    if found is None:
        raise SourceError("A compressed image cannot be decoded: it is damaged, or neither JPEG, PNG nor WebP.")
    return np.asarray(cv2.cvtColor(found, cv2.COLOR_BGR2RGB), np.uint8)


def to_metres(msg: Image) -> NDArray[np.float32]:
    """A depth image (16UC1 in millimetres or 32FC1 in metres) as metres [H,W]; 0 = unknown. Raises SourceError."""
    if msg.encoding not in _DEPTH:
        raise SourceError(f"Depth images are 16UC1 or 32FC1, found {msg.encoding!r}.")
    kind, unit = _DEPTH[msg.encoding]
    rows = _rows(msg, int(msg.width) * np.dtype(kind).itemsize, int(msg.height))
    metres = _native(rows, kind, bool(msg.is_bigendian)).reshape(int(msg.height), int(msg.width)).astype(np.float32)
    return np.nan_to_num(metres * np.float32(unit), nan=0.0, posinf=0.0, neginf=0.0)


def from_rgb(rgb: Rgb, header: Any) -> Image:
    """RGB [H,W,3] as an rgb8 message."""
    height, width = rgb.shape[:2]
    msg = Image(header=header, height=height, width=width, encoding="rgb8", step=3 * width)
    msg.is_bigendian = int(sys.byteorder == "big")
    # an array is taken as it is; bytes would be checked one by one
    msg.data = array.array("B", np.ascontiguousarray(rgb).tobytes())
    return msg
