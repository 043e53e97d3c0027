"""ROS for the tests: a domain of their own, an executor on a thread, ears that collect, waiting on conditions.

These tests need rclpy and the built messages: `make test-ros` sees to both; elsewhere they skip with a reason.
"""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NODES = ROOT / "ros_nodes" / "figop_ros"
GOLDEN = ROOT / "tests" / "golden"
sys.path.insert(0, str(NODES))

MISSING = [m for m in ("rclpy", "figop_msgs") if importlib.util.find_spec(m) is None]
#: no other process on this machine or network is to hear the tests
os.environ["ROS_DOMAIN_ID"] = str(20 + os.getpid() % 80)
os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
os.environ.setdefault("ROS_LOG_DIR", str(ROOT / "out" / "ros-log"))
#: seconds that anything may take before a test says that it never came; processes start slowly on a busy machine
DEADLINE = 90.0
_numbers = itertools.count(1)


def wait_for(condition: Callable[[], Any], what: str = "", seconds: float = DEADLINE) -> Any:
    """Look until the condition holds; fails when it never does."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while not (found := condition()):
        if time.monotonic() > end:
            pytest.fail(f"never came: {what or condition}")
        pause.wait(0.005)
    return found


class Stage:
    """One test's nodes: an executor on a thread, a namespace of its own, and everything ended in order."""

    def __init__(self) -> None:
        import rclpy
        from rclpy.executors import SingleThreadedExecutor

        self.namespace = f"/t{next(_numbers)}"
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.nodes: list[Any] = []
        self.processes: list[subprocess.Popen[str]] = []
        self.probe = rclpy.create_node("probe", namespace=self.namespace, context=self.context)
        self.executor.add_node(self.probe)
        self.thread = threading.Thread(target=self._spin, daemon=True)
        self.thread.start()

    def _spin(self) -> None:
        from rclpy.executors import ExternalShutdownException

        with contextlib.suppress(ExternalShutdownException):
            self.executor.spin()

    def make(self, kind: Any, *remaps: str, **parameters: Any) -> Any:
        """A node of this class; parameter names have __ for the dot; remaps as "from:=to".

        A silence ends no phrase unless a test asks for it: a busy machine is silent for seconds.
        """
        from rclpy.parameter import Parameter

        parameters = {"stream__timeout_s": 0.0, **parameters}
        given = [Parameter(name.replace("__", "."), value=value) for name, value in parameters.items()]
        words = [word for remap in remaps for word in ("-r", remap)]
        node = kind(
            namespace=self.namespace,
            context=self.context,
            cli_args=["--ros-args", *words] if words else None,
            parameter_overrides=given,
        )
        self.nodes.append(node)
        self.executor.add_node(node)
        return node

    def start(self, kind: Any, *remaps: str, **parameters: Any) -> Any:
        """The same, configured and active."""
        node = self.make(kind, *remaps, **parameters)
        self.activate(node)
        return node

    def activate(self, node: Any) -> None:
        node.trigger_configure()
        assert node.state == "inactive", node.health.error
        node.trigger_activate()
        assert node.state == "active", node.health.error

    def name(self, topic: str) -> str:
        return topic if topic.startswith("/") else f"{self.namespace}/{topic}"

    def ear(self, kind: Any, topic: str, depth: int = 1000, reliable: bool = True) -> list[Any]:
        """Collects what comes on a topic; returns once the publisher is there."""
        from rclpy.qos import QoSProfile, ReliabilityPolicy

        heard: list[Any] = []
        how = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        self.probe.create_subscription(kind, self.name(topic), heard.append, QoSProfile(depth=depth, reliability=how))
        wait_for(lambda: self.probe.count_publishers(self.name(topic)), f"a publisher of {topic}")
        return heard

    def mouth(self, kind: Any, topic: str, depth: int = 1000, reliable: bool = True, listeners: int = 1) -> Any:
        """A publisher that has its listeners already."""
        from rclpy.qos import QoSProfile, ReliabilityPolicy

        how = ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT
        made = self.probe.create_publisher(kind, self.name(topic), QoSProfile(depth=depth, reliability=how))
        wait_for(lambda: made.get_subscription_count() >= listeners, f"a subscriber of {topic}")
        return made

    def call(self, kind: Any, service: str, request: Any) -> Any:
        client = self.probe.create_client(kind, self.name(service))
        assert client.wait_for_service(DEADLINE)
        future = client.call_async(request)
        wait_for(future.done, f"an answer of {service}")
        return future.result()

    def process(self, module: str, *remaps: str, **parameters: Any) -> subprocess.Popen[str]:
        """A node in a process of its own, active by itself."""
        words = ["-r", f"__ns:={self.namespace}", *(w for remap in remaps for w in ("-r", remap))]
        given = {"autostart": True, "stream.timeout_s": 0.0, **{n.replace("__", "."): v for n, v in parameters.items()}}
        for name, value in given.items():
            words += ["-p", f"{name}:={str(value).lower() if isinstance(value, bool) else value}"]
        started = subprocess.Popen(
            [sys.executable, "-m", f"figop_ros.{module}", "--ros-args", *words],
            env={**os.environ, "PYTHONPATH": os.pathsep.join((str(NODES), str(ROOT)))},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.processes.append(started)
        return started

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(DEADLINE)
                except subprocess.TimeoutExpired:
                    process.kill()
        for node in self.nodes:
            if hasattr(node, "close"):
                node.close()
        self.executor.shutdown(timeout_sec=2.0)
        for node in (*self.nodes, self.probe):
            node.destroy_node()
        self.context.try_shutdown()
        self.thread.join(2.0)
