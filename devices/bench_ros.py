"""`figop bench ros`: what ROS adds, over DDS between processes: gestures, captions, pictures, starts.

Needs rclpy, the built messages and figop_ros: `make ros`, then the `figop` of that environment; or a robot's own ROS.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from devices.bench_stages import percentiles
from edge.errors import RuntimeUnavailable, SourceError
from edge.hands.frame import HandFrame
from edge.recording import Recording

GESTURE_P50_BAR, GESTURE_P95_BAR = 5.0, 15.0
CAPTION_P95_BAR = 60.0
IMAGE_P50_BAR = 6.0
START_BAR_S, STOP_BAR_S = 2.0, 1.0
#: frames a second of the gesture and of the caption stream
GESTURE_FPS, CAPTION_FPS, IMAGE_FPS = 60.0, 30.0, 15.0
#: first messages that no figure counts: connections, caches
WARM_UP = 30
#: seconds that a picture is waited for
ANSWER_S = 1.0
#: seconds until a process must answer
PATIENCE_S = 60.0
_NODES = Path(__file__).resolve().parents[1] / "ros_nodes" / "figop_ros"
#: Fast DDS's memory for pictures, and the names that versions of it have for the file (docs/ros.md)
_PROFILE = _NODES.parent / "figop_bringup" / "config" / "fastdds.xml"
_PROFILE_NAMES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
_PICTURE = (640, 480)
#: the nodes whose start and end are clocked, and what each must be told
NODES: dict[str, tuple[str, ...]] = {
    "hand_tracker": (),
    "headset": (),
    "figop_buffer": (),
    "micro_gesture": (),
    "captioner": (),
    "figop_node": (),
    "recorder": ("-p", "folder:={folder}"),
    "serial_bridge": ("-p", "port.device:={port}"),
    "gripper": (),
}


def add_kind(kinds: Any) -> argparse.ArgumentParser:
    """Add `figop bench ros` to the kinds of the verb `bench`."""
    parser: argparse.ArgumentParser = kinds.add_parser("ros", help="what ROS adds, between processes: delays, drops")
    parser.add_argument("--recording", type=Path, required=True, help="a recording with two hands (.npz)")
    parser.add_argument("--video", type=Path, default=None, help="a video of a hand, for the picture path")
    parser.add_argument("--seconds", type=float, default=60.0, help="of the gesture stream (default %(default)s)")
    return parser


def measure(recording: Path, video: Path | None, seconds: float) -> tuple[dict[str, Any], dict[str, bool]]:
    """Every figure and every bar. Raises RuntimeUnavailable without ROS."""
    bench = RosBench()
    try:
        two = [f for f in Recording.load(recording).frames() if f.present(0) and f.present(1)]
        if len(two) < 60:
            raise SourceError(f"{recording} shows two hands in {len(two)} frames; at least 60 are needed.")
        gestures = bench.gestures(two, seconds)
        captions = {how: bench.captions(two, min(seconds, 30.0), how) for how in ("hands", "units")}
        images = bench.images(video) if video is not None else None
        starts, stops = bench.starts(two)
    finally:
        bench.close()
    rows = {"gestures": gestures, "captions": captions, "images": images, "starts_s": starts, "stops_s": stops}
    late = gestures["ms"]
    bars = {
        f"gesture p50 <= {GESTURE_P50_BAR:g} ms": late["p50"] <= GESTURE_P50_BAR,
        f"gesture p95 <= {GESTURE_P95_BAR:g} ms": late["p95"] <= GESTURE_P95_BAR,
        f"no drop in {seconds:g} s of two hands at {GESTURE_FPS:g} fps": gestures["lost"] + gestures["dropped"] == 0,
        f"caption p95 <= {CAPTION_P95_BAR:g} ms": captions["hands"]["ms"]["p95"] <= CAPTION_P95_BAR,
        f"caption by units p95 <= {CAPTION_P95_BAR:g} ms": captions["units"]["ms"]["p95"] <= CAPTION_P95_BAR,
        f"node start <= {START_BAR_S:g} s": max(starts.values()) <= START_BAR_S,
        f"node shutdown <= {STOP_BAR_S:g} s": max(stops.values()) <= STOP_BAR_S,
    }
    if images is not None:
        bars[f"picture: ROS adds p50 <= {IMAGE_P50_BAR:g} ms"] = images["added_ms"]["p50"] <= IMAGE_P50_BAR
    return rows, bars


@contextmanager
def board(folder: Path) -> Iterator[str]:
    """A pseudo-terminal with the C end of the serial link behind it; its name."""
    from devices.bench_serial import build
    from devices.bench_serial import process as running
    from devices.link.simulate import PseudoPort

    ours, theirs, over = PseudoPort(), PseudoPort(), threading.Event()

    def carry(near: PseudoPort, far: PseudoPort) -> None:
        while not over.is_set():
            far.write(near.read(0.1))

    lanes = [threading.Thread(target=carry, args=pair) for pair in ((ours, theirs), (theirs, ours))]
    with running(str(build(folder)), theirs.name):
        for lane in lanes:
            lane.start()
        try:
            yield ours.name
        finally:
            over.set()
            for lane in lanes:
                lane.join()
    ours.close()
    theirs.close()


class RosBench:
    """This process publishes and listens; the nodes run in processes of their own, in a domain of their own."""

    def __init__(self) -> None:
        if importlib.util.find_spec("figop_ros") is None and _NODES.is_dir():
            sys.path.insert(0, str(_NODES))
        for module in ("rclpy", "figop_msgs", "figop_ros"):
            if importlib.util.find_spec(module) is None:
                raise RuntimeUnavailable(
                    f"This environment has no {module}: run `make ros`, or source a ROS workspace."
                )
        os.environ.setdefault("ROS_DOMAIN_ID", str(20 + os.getpid() % 80))
        os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        if not any(os.environ.get(name) for name in _PROFILE_NAMES) and _PROFILE.is_file():
            os.environ.update(dict.fromkeys(_PROFILE_NAMES, str(_PROFILE)))
        import rclpy

        self._rclpy: Any = rclpy
        rclpy.init()
        self._node: Any = rclpy.create_node("bench")
        self._executor: Any = importlib.import_module("rclpy.executors").SingleThreadedExecutor()
        self._executor.add_node(self._node)
        threading.Thread(target=self._executor.spin, daemon=True).start()
        self._messages: Any = importlib.import_module("figop_msgs.msg")
        self._convert: Any = importlib.import_module("figop_ros.conversions")

    def close(self) -> None:
        """End ROS here."""
        self._executor.shutdown(timeout_sec=1.0)
        self._node.destroy_node()
        self._rclpy.try_shutdown()

    # -- figures -----------------------------------------------------------------------------------------------

    def gestures(self, frames: list[HandFrame], seconds: float) -> dict[str, Any]:
        """HandFrame published -> GestureEvent received; drops and the node's share of a core."""
        with self._process("micro_gesture") as process, self._hands() as hands:
            heard = self._ear("GestureEvent", "/micro_gesture/gestures")
            used = _cpu_s(process.pid)
            sent, span = self._stream(hands, frames, GESTURE_FPS, seconds)
            share = (_cpu_s(process.pid) - used) / span
            status = self._status("micro_gesture", lambda v: int(v.get("frames", 0)) >= len(sent))
            late = _latencies(sent, heard)
        return {
            "fps": GESTURE_FPS,
            "hands": 2,
            "seconds": round(span, 1),
            "frames": len(sent),
            "events": len(late),
            "ms": percentiles(late[WARM_UP // 10 :]),
            "lost": int(status.get("lost", 0)),
            "dropped": int(status.get("dropped_late", 0)) + int(status.get("dropped_bad", 0)),
            "core_share": round(share, 4),
        }

    def captions(self, frames: list[HandFrame], seconds: float, how: str) -> dict[str, Any]:
        """Newest frame of a caption published -> FingerCaption received, by hand frames or by units."""
        names = ("captioner", "figop_buffer") if how == "units" else ("captioner",)
        with self._process(names[0], "-p", f"input.from:={how}", "-r", "units:=figop_buffer/units"):
            if how == "hands":
                with self._hands() as hands:
                    return self._caption_run(hands, frames, seconds)
            with self._process("figop_buffer"), self._hands() as hands:
                self._wait(lambda: self._node.count_subscribers("/figop_buffer/units"), "the captioner")
                return self._caption_run(hands, frames, seconds)

    def _caption_run(self, hands: Any, frames: list[HandFrame], seconds: float) -> dict[str, Any]:
        heard = self._ear("FingerCaption", "/captioner/captions")
        sent, span = self._stream(hands, frames, CAPTION_FPS, seconds)
        late = _latencies(sent, heard)
        if not late:
            raise SourceError("The captioner said nothing about this recording; take one with more motion.")
        return {"fps": CAPTION_FPS, "seconds": round(span, 1), "captions": len(late), "ms": percentiles(late)}

    def images(self, video: Path) -> dict[str, Any]:
        """640 x 480 picture published -> HandFrame received, less what the tracker itself took."""
        import cv2

        from devices.bench_hands import frames_of

        images: Any = importlib.import_module("figop_ros.images")
        header: Any = importlib.import_module("std_msgs.msg").Header
        kind: Any = importlib.import_module("sensor_msgs.msg").Image
        pictures = [cv2.resize(rgb, _PICTURE) for rgb, _ in frames_of(video, 150)]
        qos = self._qos(1, "BEST_EFFORT")
        with self._process("hand_tracker", "-p", "tracker.max_hands:=1", "-p", "tf.publish:=false"):
            heard = self._ear("HandFrame", "/hand_tracker/hands")
            mouth = self._node.create_publisher(kind, "/image", qos)
            self._wait(mouth.get_subscription_count, "the hand tracker")
            sent: dict[int, float] = {}
            pause, began = threading.Event(), time.perf_counter()
            for number, rgb in enumerate(pictures):
                t_ns = number * round(1e9 / IMAGE_FPS)
                message = images.from_rgb(rgb, header(stamp=self._convert.to_time(t_ns), frame_id="camera"))
                pause.wait(max(0.0, began + number / IMAGE_FPS - time.perf_counter()))
                before = len(heard)
                sent[t_ns] = time.perf_counter()
                mouth.publish(message)
                # one at a time: a picture that is overtaken by the next is dropped, as it should be, and tells nothing
                while len(heard) == before and time.perf_counter() - sent[t_ns] < ANSWER_S:
                    pause.wait(0.002)
            pause.wait(1.0)
            self._node.destroy_publisher(mouth)
        whole, bare = [], []
        for arrived, message in heard:
            t_ns = self._convert.from_time(message.header.stamp)
            if t_ns in sent and not message.end_of_stream:
                stages = self._convert.from_stages(message.stages)
                bare.append(stages.get("landmarks", 0.0) + stages.get("detect", 0.0))
                whole.append((arrived - sent[t_ns]) * 1e3)
        if len(whole) <= WARM_UP:
            raise SourceError(
                f"Only {len(whole)} of {len(pictures)} pictures came back as hands; docs/ros.md says how they get lost."
            )
        whole, bare = whole[WARM_UP:], bare[WARM_UP:]
        return {
            "size": list(_PICTURE),
            "fast_dds_profile": next((Path(os.environ[n]).name for n in _PROFILE_NAMES if os.environ.get(n)), None),
            "pictures": len(pictures),
            "frames": len(whole) + WARM_UP,
            "whole_ms": percentiles(whole),
            "tracker_ms": percentiles(bare),
            "added_ms": percentiles([w - b for w, b in zip(whole, bare, strict=True)]),
        }

    def starts(self, frames: list[HandFrame]) -> tuple[dict[str, float], dict[str, float]]:
        """Of every node the seconds of configure and activate together, asked by service; and those from SIGTERM to the
        end of its process, in the middle of a stream of hand frames."""
        services: Any = importlib.import_module("lifecycle_msgs.srv")
        messages: Any = importlib.import_module("lifecycle_msgs.msg")
        starts, stops = {}, {}
        with TemporaryDirectory() as folder, board(Path(folder)) as port:
            for name in NODES:
                words = [w.format(folder=folder, port=port) for w in NODES[name]]
                with self._process(name, *words, autostart=False) as process:
                    client = self._node.create_client(services.ChangeState, f"/{name}/change_state")
                    self._wait(client.service_is_ready, name)
                    began = time.perf_counter()
                    for transition in (
                        messages.Transition.TRANSITION_CONFIGURE,
                        messages.Transition.TRANSITION_ACTIVATE,
                    ):
                        request = services.ChangeState.Request(transition=messages.Transition(id=transition))
                        future = client.call_async(request)
                        self._wait(future.done, name)
                        if not future.result().success:
                            raise SourceError(f"{name} could not be started; its log says why.")
                    starts[name] = round(time.perf_counter() - began, 3)
                    self._node.destroy_client(client)
                    if name not in ("hand_tracker", "headset", "figop_node"):  # these listen to /hands
                        with self._hands() as hands:
                            self._stream(hands, frames, CAPTION_FPS, 2.0)
                    began = time.perf_counter()
                    process.terminate()
                    process.wait(PATIENCE_S)
                    stops[name] = round(time.perf_counter() - began, 3)
        return starts, stops

    # -- means -------------------------------------------------------------------------------------------------

    @contextmanager
    def _process(self, name: str, *words: str, autostart: bool = True) -> Iterator[subprocess.Popen[bytes]]:
        command = [
            sys.executable,
            "-m",
            f"figop_ros.{name}",
            "--ros-args",
            "-p",
            f"autostart:={str(autostart).lower()}",
        ]
        path = os.pathsep.join((str(_NODES), str(_NODES.parents[1]), os.environ.get("PYTHONPATH", "")))
        log = None if os.environ.get("FIGOP_BENCH_LOG") else subprocess.DEVNULL
        process = subprocess.Popen([*command, *words], env={**os.environ, "PYTHONPATH": path}, stdout=log, stderr=log)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @contextmanager
    def _hands(self) -> Iterator[Any]:
        mouth = self._node.create_publisher(self._messages.HandFrame, "/hands", self._qos(30, "RELIABLE"))
        try:
            self._wait(mouth.get_subscription_count, "a listener for /hands")
            yield mouth
        finally:
            self._node.destroy_publisher(mouth)

    def _qos(self, depth: int, reliability: str) -> Any:
        qos: Any = importlib.import_module("rclpy.qos")
        return qos.QoSProfile(depth=depth, reliability=getattr(qos.ReliabilityPolicy, reliability))

    def _ear(self, kind: str, topic: str) -> list[tuple[float, Any]]:
        """(arrival, message) of all that comes; returns once the publisher is there."""
        heard: list[tuple[float, Any]] = []
        self._node.create_subscription(
            getattr(self._messages, kind),
            topic,
            lambda m: heard.append((time.perf_counter(), m)),
            self._qos(100, "RELIABLE"),
        )
        self._wait(lambda: self._node.count_publishers(topic), topic)
        return heard

    def _stream(
        self, mouth: Any, frames: list[HandFrame], fps: float, seconds: float
    ) -> tuple[dict[int, float], float]:
        """Publish in time; stamp -> when it was handed to the middleware, and the seconds that it took."""
        sent: dict[int, float] = {}
        step, pause = round(1e9 / fps), threading.Event()
        began = time.perf_counter()
        for number, frame in zip(range(int(seconds * fps)), cycle(frames), strict=False):
            t_ns = (number + 1) * step
            message = self._convert.to_hand_frame(replace(frame, t_ns=t_ns, appearance=None), sequence=number)
            pause.wait(max(0.0, began + number / fps - time.perf_counter()))
            sent[t_ns] = time.perf_counter()
            mouth.publish(message)
        span = time.perf_counter() - began
        pause.wait(0.5)
        return sent, span

    def _status(self, name: str, enough: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """The node's newest diagnostics, once they satisfy."""
        found: dict[str, dict[str, str]] = defaultdict(dict)

        def take(message: Any) -> None:
            for status in message.status:
                found[status.name] = {v.key: v.value for v in status.values}

        kind: Any = importlib.import_module("diagnostic_msgs.msg").DiagnosticArray
        ear = self._node.create_subscription(kind, "/diagnostics", take, 10)
        end = time.monotonic() + 5.0
        pause = threading.Event()
        while not enough(found[name]) and time.monotonic() < end:
            pause.wait(0.05)
        self._node.destroy_subscription(ear)
        if not found[name]:
            raise SourceError(f"{name} publishes no diagnostics.")
        return found[name]

    def _wait(self, condition: Callable[[], Any], what: str) -> None:
        end, pause = time.monotonic() + PATIENCE_S, threading.Event()
        while not condition():
            if time.monotonic() > end:
                raise SourceError(f"Nothing came of {what} for {PATIENCE_S:.0f} s; FIGOP_BENCH_LOG=1 shows its log.")
            pause.wait(0.01)


def _latencies(sent: dict[int, float], heard: list[tuple[float, Any]]) -> list[float]:
    """Milliseconds from the publishing of the frame that a message names to its arrival."""
    out = []
    for arrived, message in heard:
        t_ns = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
        if t_ns in sent:
            out.append((arrived - sent[t_ns]) * 1e3)
    return out


def _cpu_s(pid: int) -> float:
    """Processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def niceness() -> int:
    """How this session is scheduled against others: below 0 = before them, 0 = like them."""
    try:
        group = int(Path("/proc/self/autogroup").read_text().split()[-1])
    except (OSError, ValueError, IndexError):
        group = 0
    return group or os.nice(0)


def load_average() -> float | None:
    """How busy the machine is, where it tells."""
    return round(float(np.asarray(os.getloadavg())[0]), 2) if hasattr(os, "getloadavg") else None
