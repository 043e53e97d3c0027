"""Every encoding, padded rows, both byte orders: the same picture comes out."""

import array

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from edge.errors import SourceError
from figop_ros.images import ENCODINGS, decode, from_rgb, to_metres, to_rgb

H, W = 6, 8
#: colours in 2 x 2 blocks, so that sub-sampled chroma loses nothing
RGB = np.repeat(np.repeat(np.random.default_rng(3).integers(0, 256, (H // 2, W // 2, 3)), 2, 0), 2, 1).astype(np.uint8)
GREY = cv2.cvtColor(RGB, cv2.COLOR_RGB2GRAY)


def image(encoding, samples, pad=0, big=False, width=W, height=H, last=True):
    """A message of samples [rows, bytes or samples]; `pad` bytes follow every row (`last`: the last one too)."""
    rows = np.ascontiguousarray(samples)
    if rows.dtype.itemsize > 1:
        rows = rows.astype(rows.dtype.newbyteorder(">" if big else "<"))
    rows = rows.reshape(len(rows), -1).view(np.uint8)
    step = rows.shape[1] + pad
    data = np.full((len(rows), step), 0xEE, np.uint8)
    data[:, : rows.shape[1]] = rows
    flat = data.reshape(-1) if last or not pad else data.reshape(-1)[:-pad]
    msg = Image(width=width, height=height, encoding=encoding, step=step, is_bigendian=int(big))
    msg.data = array.array("B", flat.tobytes())
    return msg


def yuv422(order):
    yuv = cv2.cvtColor(RGB, cv2.COLOR_RGB2YUV)
    y, u, v = yuv[..., 0], yuv[:, ::2, 1], yuv[:, ::2, 2]
    out = np.zeros((H, W * 2), np.uint8)
    places = {"uyvy": (1, 0, 2), "yuyv": (0, 1, 3)}[order]
    out[:, places[0] :: 2] = y
    out[:, places[1] :: 4], out[:, places[2] :: 4] = u, v
    return out


def bayer(pattern):
    """A flat grey picture has the same mosaic in every pattern; a red one tells them apart."""
    red = np.zeros((H, W), np.uint8)
    at = {"rggb": (0, 0), "bggr": (1, 1), "gbrg": (1, 0), "grbg": (0, 1)}[pattern]
    red[at[0] :: 2, at[1] :: 2] = 200
    return red


EXACT = {
    "rgb8": RGB,
    "bgr8": RGB[..., ::-1],
    "8UC3": RGB[..., ::-1],
    "rgba8": np.dstack([RGB, np.full((H, W), 9, np.uint8)]),
    "bgra8": np.dstack([RGB[..., ::-1], np.full((H, W), 9, np.uint8)]),
    "8UC4": np.dstack([RGB[..., ::-1], np.full((H, W), 9, np.uint8)]),
    "rgb16": RGB.astype(np.uint16) << 8 | 0x7F,
    "bgr16": RGB[..., ::-1].astype(np.uint16) << 8 | 0x7F,
    "rgba16": np.dstack([RGB, GREY]).astype(np.uint16) << 8,
    "bgra16": np.dstack([RGB[..., ::-1], GREY]).astype(np.uint16) << 8,
}
GREYS = {
    "mono8": GREY,
    "8UC1": GREY,
    "mono16": GREY.astype(np.uint16) << 8 | 0x33,
    "16UC1": GREY.astype(np.uint16) << 8,
}


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("pad", [0, 5])
@pytest.mark.parametrize("encoding", [*EXACT, *GREYS])
def test_plain_encodings(encoding, pad, big):
    wanted = RGB if encoding in EXACT else np.repeat(GREY[..., None], 3, 2)
    got = to_rgb(image(encoding, {**EXACT, **GREYS}[encoding], pad, big))
    assert got.dtype == np.uint8
    assert np.array_equal(got, wanted)


@pytest.mark.parametrize("pad", [0, 6])
@pytest.mark.parametrize(
    ("encoding", "order"),
    [
        ("yuv422", "uyvy"),
        ("UYVY", "uyvy"),
        ("uyvy", "uyvy"),
        ("yuv422_yuy2", "yuyv"),
        ("yuyv", "yuyv"),
        ("YUYV", "yuyv"),
    ],
)
def test_yuv(encoding, order, pad):
    got = to_rgb(image(encoding, yuv422(order), pad))
    assert np.abs(got.astype(int) - cv2.cvtColor(np.ascontiguousarray(yuv422(order).reshape(H, W, 2)),
        cv2.COLOR_YUV2RGB_UYVY if order == "uyvy" else cv2.COLOR_YUV2RGB_YUYV).astype(int)).max() == 0  # fmt: skip
    # chroma as the sensor saw it, luma in video range: near the picture that it was made of
    assert np.abs(got.astype(int) - RGB.astype(int)).mean() < 25


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_see_red_as_red(pattern):
    got = to_rgb(image(f"bayer_{pattern}8", bayer(pattern)))[2:-2, 2:-2].reshape(-1, 3).astype(float).mean(axis=0)
    assert got[0] > 150
    assert got[1] < 20
    assert got[2] < 20


@pytest.mark.parametrize("encoding", ["nv12", "nv21"])
def test_planar(encoding):
    grey = np.full((H * 3 // 2, W), 128, np.uint8)
    grey[:H] = 180
    got = to_rgb(image(encoding, grey))
    assert got.shape == (H, W, 3)
    assert int(np.ptp(got)) <= 2


def test_every_encoding_is_tested():
    tested = {*EXACT, *GREYS, "yuv422", "uyvy", "yuv422_yuy2", "yuyv", "nv12", "nv21"}
    assert tested | {f"bayer_{p}8" for p in ("rggb", "bggr", "gbrg", "grbg")} == set(ENCODINGS)


def test_rgb8_is_not_copied():
    message = image("rgb8", RGB)
    assert np.shares_memory(to_rgb(message), np.frombuffer(message.data, np.uint8))


def test_a_last_row_without_its_padding():
    assert np.array_equal(to_rgb(image("rgb8", RGB, pad=4, last=False)), RGB)


@pytest.mark.parametrize(
    ("message", "what"),
    [
        (image("rgb8", RGB, height=H + 1), r"8 x 7 pixels in rgb8 needs 168 bytes, has 144"),
        (image("rgb8", RGB, width=W + 1), "needs 27 bytes a row, has 24"),
        (image("rgb32f", RGB), "'rgb32f' are not read; use one of rgb8"),
        (image("yuyv", yuv422("yuyv"), width=7), "even width, found 7"),
        (Image(encoding="rgb8"), "found 0 x 0"),
    ],
)
def test_images_that_cannot_be(message, what):
    with pytest.raises(SourceError, match=what):
        to_rgb(message)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_compressed(suffix):
    smooth = np.repeat(np.linspace(20, 230, 64).astype(np.uint8)[None, :, None], 48, 0) * np.ones(3, np.uint8)
    smooth[..., 0] = 40
    data = cv2.imencode(suffix, smooth[..., ::-1])[1].tobytes()
    got = decode(array.array("B", data))
    assert np.abs(got.astype(int) - smooth.astype(int)).mean() < 6


@pytest.mark.parametrize("data", [b"", b"no picture"])
def test_compressed_garbage(data):
    with pytest.raises(SourceError, match="cannot be decoded"):
        decode(array.array("B", data))


@pytest.mark.parametrize("big", [False, True])
def test_depth(big):
    metres = np.array([[0.5, 1.25], [0.0, 4.0]], np.float32)
    millimetres = image("16UC1", (metres * 1000).astype(np.uint16), 2, big, 2, 2)
    assert np.allclose(to_metres(millimetres), metres)
    holes = np.where(metres == 0, np.nan, metres).astype(np.float32)
    assert np.allclose(to_metres(image("32FC1", holes, 4, big, 2, 2)), metres)
    with pytest.raises(SourceError, match="found 'mono8'"):
        to_metres(image("mono8", GREY))


def test_back_to_a_message():
    message = from_rgb(RGB, Header(frame_id="cam"))
    assert (message.encoding, message.step, message.header.frame_id) == ("rgb8", 3 * W, "cam")
    assert np.array_equal(to_rgb(message), RGB)
