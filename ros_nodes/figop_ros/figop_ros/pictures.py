"""A node that sees pictures: an image topic (with CameraInfo and depth) or a camera of its own. Latest only."""

from __future__ import annotations

import threading
import time
from typing import Any

from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from edge.errors import FigopError, SourceError
from edge.sources import CameraSource
from figop_ros.conversions import from_time, to_time
from figop_ros.geometry import Intrinsics
from figop_ros.images import Rgb, decode, to_metres, to_rgb
from figop_ros.node import FigopNode
from figop_ros.parameters import VIEW, Setting, qos_settings

#: seconds until a camera that was lost is tried again
RETRY_S = 1.0
PICTURES = (
    Setting(
        "input.from",
        "image",
        "what to look at: the topic image, the topic image/compressed, or a camera of this computer",
        choices=("image", "compressed", "camera"),
    ),
    Setting("input.camera", "0", "number or device path of the camera, for input.from = camera"),
    Setting("input.fps", 0.0, "pictures per second to ask the camera for; 0 = its own", 0.0, 240.0),
    *VIEW,
    Setting(
        "camera.frame_id",
        "",
        "optical frame of the pictures; empty = as the images say, camera_optical_frame for a camera",
    ),
    Setting(
        "camera.focal_px", 0.0, "focal length in pixels where no CameraInfo comes; 0 = the longer side", 0.0, 20000.0
    ),
    Setting("depth.use", False, "take distances from the topic depth, which is aligned to the pictures"),
    Setting("depth.max_age_s", 0.05, "largest difference of the stamps of depth and picture", 0.0, 1.0, live=True),
    *qos_settings("image", "best_effort", 1),
    *qos_settings("camera_info", "best_effort", 1),
    *qos_settings("depth", "best_effort", 1),
)
TRACKER = (
    Setting("tracker.backend", "native", "who finds the hands", choices=("native", "mediapipe")),
    Setting("tracker.max_hands", 2, "hands to follow", 1, 2),
    Setting("tracker.variant", "full", "hand networks of the native tracker", choices=("full", "lite")),
    Setting("tracker.threads", 1, "threads of the hand networks", 1, 8),
)


class PictureNode(FigopNode):
    """Subclasses override `picture`, which runs on the worker (or the camera's thread), never in a callback."""

    def configure(self) -> None:
        self.camera: Intrinsics | None = None
        self._depth: tuple[int, Any] | None = None
        self._source: CameraSource | None = None
        self._camera_thread: threading.Thread | None = None
        self._ended = threading.Event()
        self.header = Header()
        if self.p["input.from"] == "camera":
            self._source = self._open_camera()

    def activate(self) -> None:
        kind = self.p["input.from"]
        if kind == "camera":
            self._ended.clear()
            self._camera_thread = threading.Thread(target=self._watch_camera, name="camera", daemon=True)
            self._camera_thread.start()
            return
        self.start_worker(self._work, 1)
        if kind == "image":
            self.listen("image", Image, self._arrived)
        else:
            self.listen("image", CompressedImage, self._arrived, "image/compressed")
        self.listen("camera_info", CameraInfo, self._calibrated)
        if self.p["depth.use"]:
            self.listen("depth", Image, self._deep)

    def deactivate(self) -> None:
        self._ended.set()
        if self._source is not None:
            self._source.close()
        if self._camera_thread is not None:
            self._camera_thread.join(0.5)
            self._camera_thread = None
        self._source = None

    def cleanup(self) -> None:
        source = getattr(self, "_source", None)
        if source is not None:
            source.close()
            self._source = None

    def picture(self, rgb: Rgb, t_ns: int, header: Header, arrived_ns: int, decode_ms: float) -> None:
        """One picture of the stream."""
        raise NotImplementedError

    def tracker_options(self) -> dict[str, Any]:
        """The tracker that the parameters ask for, as options of `open_tracker`."""
        p = self.p
        options: dict[str, Any] = {"max_hands": p["tracker.max_hands"], "mirrored": p["camera.mirrored"]}
        if p["tracker.backend"] == "native":
            options |= {"variant": p["tracker.variant"], "threads": p["tracker.threads"]}
            options["focal"] = p["camera.focal_px"] or None
        return options

    def intrinsics(self, size: tuple[int, int]) -> Intrinsics | None:
        """The camera as CameraInfo has it, for pictures of its size; else by camera.focal_px."""
        if self.camera is not None:
            if self.camera.size in ((0, 0), size):
                return self.camera
            width, height = self.camera.size
            self.trouble(f"The CameraInfo is for {width} x {height} pixels, the images have {size[0]} x {size[1]}.")
        focal = self.p["camera.focal_px"]
        return Intrinsics.guess(size, focal) if focal else None

    def depth_at(self, t_ns: int) -> Any:
        """The depth picture that belongs to a picture of this time, or None."""
        newest = self._depth
        if newest is None or abs(newest[0] - t_ns) > self.p["depth.max_age_s"] * 1e9:
            return None
        return to_metres(newest[1])

    # -- topics ------------------------------------------------------------------------------------------------

    def _arrived(self, message: Any) -> None:
        self.health.arrived()
        if self.worker is not None:
            self.worker.put((message, self.now_ns()))

    def _calibrated(self, info: CameraInfo) -> None:
        try:
            self.camera = Intrinsics.from_info(info)
        except SourceError as error:
            self.trouble(str(error))

    def _deep(self, message: Image) -> None:
        self._depth = (from_time(message.header.stamp), message)

    def _work(self, job: tuple[Any, int]) -> None:
        message, arrived_ns = job
        began = time.perf_counter()
        rgb = to_rgb(message) if isinstance(message, Image) else decode(message.data)
        spent = (time.perf_counter() - began) * 1e3
        frame_id = self.p["camera.frame_id"] or message.header.frame_id
        self._see(rgb, Header(stamp=message.header.stamp, frame_id=frame_id), arrived_ns, spent)

    def _see(self, rgb: Rgb, header: Header, arrived_ns: int, decode_ms: float) -> None:
        self.header = header
        self.picture(rgb, from_time(header.stamp), header, arrived_ns, decode_ms)

    # -- camera ------------------------------------------------------------------------------------------------

    def _open_camera(self) -> CameraSource:
        return CameraSource(self.p["input.camera"], fps=self.p["input.fps"] or None)

    def _watch_camera(self) -> None:
        """Until deactivated: the camera's pictures; one that is lost is tried again."""
        while not self._ended.is_set():
            try:
                if self._source is None:
                    self._source = self._open_camera()
                self._read_camera(self._source)
            except FigopError as error:
                if not self._ended.is_set():
                    self.trouble(f"{error} It is tried again every {RETRY_S:.0f} s.")
            except Exception as error:  # the thread must live on
                self.failed(error)
            self._source = None
            self._ended.wait(RETRY_S)

    def _read_camera(self, source: CameraSource) -> None:
        # one offset for the whole stream: the device's own stamps are steadier than any clock read here
        offset = self.now_ns() - time.monotonic_ns()
        frame_id = self.p["camera.frame_id"] or "camera_optical_frame"
        late = 0
        for item in source:
            if self._ended.is_set():
                return
            self.health.arrived()
            now = self.now_ns()
            t_ns = now if self.p_sim_time() else item.t_ns + offset
            self.health.count("dropped_late", source.dropped["late"] - late)
            late = source.dropped["late"]
            try:
                self._see(item.rgb, Header(stamp=to_time(t_ns), frame_id=frame_id), now, 0.0)
            except FigopError as error:
                self.failed(error)

    def p_sim_time(self) -> bool:
        """Whether the node's clock is simulated: then a camera's own stamps are of another clock."""
        return bool(self.get_parameter("use_sim_time").value)
