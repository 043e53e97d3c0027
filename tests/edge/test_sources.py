"""Sources: true times, RGB whatever the pixels were, counted losses, one sentence for what cannot be read."""

import os

import cv2
import numpy as np
import pytest

from edge import container, cv, sources
from edge.errors import RuntimeUnavailable, SourceError
from edge.hands.frame import HandFrame
from edge.recording import Recording
from edge.sources import CameraSource, FolderSource, Picture, SourceEnded, as_rgb, open_source
from tests.edge.media import CODES, GIF, FakeCapture, cut, write_video


@pytest.mark.parametrize("suffix", CODES)
def test_videos_give_rgb_at_their_own_times(tmp_path, suffix):
    source = open_source(write_video(tmp_path / f"a{suffix}"))
    items = list(source)
    assert [round(i.t_ns * 1e-9, 2) for i in items] == [round(i / 20, 2) for i in range(12)]
    assert (source.fps, source.size, source.live) == (20.0, (96, 64), False)
    left, right = items[5].rgb[:, :40].mean((0, 1)), items[5].rgb[:, 56:].mean((0, 1))
    assert left[0] > 150 > left[2]
    assert right[2] > 150 > right[0]


def test_variable_frame_rate_keeps_presentation_times(tmp_path):
    path = tmp_path / "a.gif"
    path.write_bytes(GIF)
    items = list(open_source(path))
    assert [round(i.t_ns * 1e-9, 2) for i in items] == [0.0, 0.1, 0.4]
    assert [int(i.rgb.mean((0, 1)).argmax()) for i in items] == [0, 1, 2]


def test_a_container_is_known_by_its_content_not_its_name(tmp_path):
    path = write_video(tmp_path / "a.mp4").rename(tmp_path / "no_suffix")
    assert len(list(open_source(path))) == 12


def test_rotation_in_the_metadata_is_applied(tmp_path):
    path = write_video(tmp_path / "a.mp4")
    data = path.read_bytes()
    upright = b"".join(v.to_bytes(4, "big") for v in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
    turned = b"".join(v.to_bytes(4, "big") for v in (0, 0x10000, 0, 0xFFFF0000, 0, 0, 64 << 16, 0, 0x40000000))
    at = data.index(upright, data.index(b"tkhd"))
    path.write_bytes(data[:at] + turned + data[at + len(turned) :])
    source = open_source(path)
    first = next(iter(source)).rgb
    assert first.shape == (96, 64, 3)
    assert source.size == (64, 96)
    assert first[:40].mean((0, 1))[0] > 150, "the left half of the picture is now its top"


def test_videos_without_time_stamps_fall_back_to_their_rate(tmp_path, monkeypatch):
    source = open_source(write_video(tmp_path / "a.avi"))
    source._capture = _WithoutTimes(source._capture)
    assert [round(i.t_ns * 1e-9, 2) for i in source] == [round(i / 20, 2) for i in range(12)]


class _WithoutTimes:
    def __init__(self, capture):
        self._capture = capture

    def __getattr__(self, name):
        return getattr(self._capture, name)

    def get(self, prop):
        return 0.0 if prop == cv2.CAP_PROP_POS_MSEC else self._capture.get(prop)


@pytest.mark.parametrize("suffix", [".avi", ".webm"])
def test_a_truncated_video_gives_what_it_has_and_says_so(tmp_path, suffix):
    source, read = open_source(cut(write_video(tmp_path / f"a{suffix}", frames=40), 0.6)), []
    with pytest.raises(SourceEnded, match="truncated: the first") as caught:
        read.extend(source)
    assert 5 < len(read) < 40
    assert caught.value.reason == "truncated"


def test_a_truncated_mp4_without_index_is_one_sentence(tmp_path):
    with pytest.raises(SourceError, match="cut short before its index"):
        open_source(cut(write_video(tmp_path / "a.mp4"), 0.6))


@pytest.mark.parametrize("suffix", [*CODES, ".gif"])
def test_whole_containers_are_not_called_cut_and_cut_ones_are(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    if suffix == ".gif":
        path.write_bytes(GIF)
    else:
        write_video(path)
    assert not container.cut_short(path)
    assert container.cut_short(cut(path, 0.7))


def test_folders_are_read_in_natural_order_at_their_rate(tmp_path):
    for name, value in (("f10.png", 30), ("f2.png", 20), ("f1.jpg", 10)):
        cv2.imwrite(str(tmp_path / name), np.full((48, 64, 3), value, np.uint8))
    (tmp_path / "notes.txt").write_text("not a picture")
    items = list(open_source(tmp_path, fps=10))
    assert [round(float(i.rgb.mean())) for i in items] == [10, 20, 30]
    assert [i.t_ns for i in items] == [0, 100_000_000, 200_000_000]


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.full((47, 65), 90, np.uint8), (90, 90, 90)),
        (np.full((47, 65), 90 << 8, np.uint16), (90, 90, 90)),
        (np.full((47, 65, 3), (10 << 8, 20 << 8, 30 << 8), np.uint16), (30, 20, 10)),
        (np.full((47, 65, 4), (10, 20, 30, 128), np.uint8), (30, 20, 10)),
    ],
    ids=["grey", "grey16", "colour16", "alpha"],
)
def test_pictures_of_every_depth_and_odd_size_become_rgb(tmp_path, pixels, expected):
    cv2.imwrite(str(tmp_path / "0.png"), pixels)
    (item,) = FolderSource(tmp_path)
    assert (item.rgb.shape, item.rgb.dtype, item.rgb.flags.c_contiguous) == ((47, 65, 3), np.uint8, True)
    np.testing.assert_allclose(item.rgb.mean((0, 1)), expected, atol=1)


def test_unreadable_pictures_are_counted_and_keep_their_time(tmp_path):
    for name in ("0.png", "2.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((48, 64, 3), np.uint8))
    (tmp_path / "1.png").write_bytes(b"no picture")
    source = FolderSource(tmp_path, fps=10)
    assert [i.t_ns for i in source] == [0, 200_000_000]
    assert source.dropped == {"unreadable": 1}


@pytest.mark.parametrize(
    ("frame", "value"),
    [
        (np.ones((40, 40, 1), bool), 255),
        (np.full((40, 40), 0.5, np.float32), 128),
        (np.full((40, 40, 3), np.nan), 0),
        (np.full((40, 40, 3), 7.0), 255),
    ],
    ids=["bool", "float", "nan", "over"],
)
def test_as_rgb_scales_what_is_not_bytes(frame, value):
    out = as_rgb(frame)
    assert (out.shape, out.dtype) == ((40, 40, 3), np.uint8)
    assert (out == value).all()


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((40, 40, 2), np.uint8),
        np.zeros(40, np.uint8),
        np.zeros((40, 40), np.int32),
        np.zeros((31, 99), np.uint8),
    ],
    ids=["two channels", "a line", "32 bits", "tiny"],
)
def test_as_rgb_refuses_the_rest_in_one_sentence(frame):
    with pytest.raises(SourceError, match=r"figop|at least 32"):
        as_rgb(frame)


def test_a_camera_that_is_unplugged_hands_on_what_it_took():
    capture, taken = FakeCapture(5), []
    source = CameraSource("0", capture=capture, clock=iter(range(0, 10**12, 10**7)).__next__)
    with pytest.raises(SourceEnded, match="unplugged") as caught:
        taken.extend(source)
    assert caught.value.reason == "camera_lost"
    assert len(taken) >= 1
    assert len(taken) + source.dropped["late"] == 5, "each frame is handed on or counted"
    assert [i.t_ns for i in taken] == sorted({i.t_ns for i in taken})
    assert capture.released


def test_a_camera_without_pictures_is_one_sentence():
    with pytest.raises(SourceError, match="gives no picture"):
        list(CameraSource("0", capture=FakeCapture(0)))


def test_a_closed_camera_ends_without_error():
    source = CameraSource("0", capture=FakeCapture(10**9))
    for _ in source:
        source.close()
    source._reader.join(10)
    assert not source._reader.is_alive()


@pytest.mark.parametrize(("where", "words"), [("rtsp://x", "number or a device path"), ("97", "cannot be opened")])
def test_cameras_that_cannot_be_opened(where, words):
    with pytest.raises(SourceError, match=words):
        CameraSource(where)


def test_a_recording_brings_its_own_view(tmp_path):
    frames = [HandFrame(t_ns=i * 40_000_000) for i in range(4)]
    Recording.from_frames(frames, view="egocentric", mirrored=True).save(tmp_path / "a.npz")
    source = open_source(tmp_path / "a.npz")
    assert (source.view, source.mirrored, source.fps, source.count) == ("egocentric", True, 25.0, 4)
    assert [i.t_ns for i in source] == [f.t_ns for f in frames]


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("no.mp4", None, "There is no file"),
        ("text.mp4", b"this is a text " * 40, "is not a video"),
        ("empty.mp4", b"", "the file is empty"),
        ("one.png", b"x", "a single picture"),
        ("half.npz", b"PK\x03\x04", "not a readable recording"),
        ("head.webm", b"\x1a\x45\xdf\xa3", "cannot be decoded|cut short"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(tmp_path, name, data, words):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(SourceError, match=words) as caught:
        list(open_source(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_an_empty_folder_and_an_empty_recording_say_so(tmp_path):
    with pytest.raises(SourceError, match="holds no pictures"):
        open_source(tmp_path)
    Recording.from_frames([]).save(tmp_path / "a.npz")
    with pytest.raises(SourceError, match="holds no frames"):
        list(open_source(tmp_path / "a.npz"))


def test_two_opencvs_of_different_versions_are_refused_with_the_repair():
    same = {"opencv-python-headless": "4.11.0.86", "opencv-contrib-python": "4.11.0.86"}
    cv.check_distributions(same)
    with pytest.raises(RuntimeUnavailable, match="pip uninstall -y opencv-python-headless opencv-contrib-python &&"):
        cv.check_distributions({**same, "opencv-contrib-python": "4.8.0.74"})


def test_an_opencv_with_missing_files_is_refused(monkeypatch):
    monkeypatch.delattr(cv2, "VideoWriter")
    with pytest.raises(RuntimeUnavailable, match=r"lacks cv2\.VideoWriter"):
        cv.load_cv2()


def test_picture_times_are_whole_nanoseconds(tmp_path):
    item = next(iter(open_source(write_video(tmp_path / "a.webm", fps=29.97))))
    assert isinstance(item, Picture)
    assert isinstance(item.t_ns, int)
    assert sources.DEFAULT_FPS == 30.0


@pytest.mark.skipif(os.name == "nt", reason="links and pipes are POSIX")
def test_folders_links_to_nothing_and_pipes_among_the_pictures_are_counted(tmp_path):
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((48, 64, 3), np.uint8))
    (tmp_path / "1.png").mkdir()
    (tmp_path / "2.png").symlink_to(tmp_path / "gone.png")
    os.mkfifo(tmp_path / "3.png")
    source = FolderSource(tmp_path, fps=10)
    assert [i.t_ns for i in source] == [0]
    assert source.dropped == {"unreadable": 3}


def test_a_gif_cut_off_behind_a_semicolon_is_called_cut(tmp_path):
    path = tmp_path / "a.gif"
    end = GIF.rindex(b"\x21\xf9")  # the last frame's own block
    path.write_bytes(GIF[:end] + b"\x3b" + GIF[end : end + 30])
    assert container.cut_short(path)
    path.write_bytes(GIF + bytes(9))
    assert not container.cut_short(path), "padded"
