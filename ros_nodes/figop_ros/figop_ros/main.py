"""Runs nodes in this process until SIGINT or SIGTERM, and ends them in order: within a second, last words said."""

from __future__ import annotations

import signal
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from edge.errors import FigopError
from figop_ros.node import FigopNode


def run(make: Callable[[], Any], args: Sequence[str] | None = None) -> int:
    """Make the node, spin it on a thread of its own, and wait for a signal. Returns the exit code.

    The signal handlers are ours: rclpy's own would take the context away before the nodes have said their last words.
    """
    rclpy.init(args=list(args) if args is not None else None, signal_handler_options=SignalHandlerOptions.NO)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        node = make()
    except FigopError as error:
        print(f"figop: {error}", file=sys.stderr)
        rclpy.try_shutdown()
        return 2
    if hasattr(node, "quit"):
        node.quit = stop.set
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    faults: list[BaseException] = []
    thread = threading.Thread(target=_spin, args=(executor, stop, faults), name="executor", daemon=True)
    if isinstance(node, FigopNode) and node.p["autostart"]:
        # a failure is told, and the node waits for another try
        node.trigger_configure()
        if node.state == "inactive":
            node.trigger_activate()
    thread.start()
    try:
        while not stop.wait(3600.0):
            pass
    finally:
        executor.shutdown(timeout_sec=0.2)
        if isinstance(node, FigopNode) or hasattr(node, "close"):
            node.close()
        node.destroy_node()
        rclpy.try_shutdown()
        thread.join(0.2)
    return 1 if faults else 0


def _spin(executor: SingleThreadedExecutor, stop: threading.Event, faults: list[BaseException]) -> None:
    try:
        executor.spin()
    except (ExternalShutdownException, KeyboardInterrupt):
        pass
    except Exception as error:
        if not stop.is_set():  # at the end a slow machine finds nodes destroyed that it was about to look at
            faults.append(error)
            traceback.print_exc()
    finally:
        stop.set()
