"""What differs between Humble, Jazzy and Kilted, in one place."""

from __future__ import annotations

import threading
from collections.abc import Generator
from typing import Any

try:  # Jazzy and later
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

try:  # part of every ROS installation; the wheels lack it
    from tf2_msgs.msg import TFMessage
except ImportError:
    TFMessage = None

try:  # a package of its own
    from vision_msgs.msg import Detection2DArray
except ImportError:
    Detection2DArray = None

__all__ = [
    "Detection2DArray",
    "PublisherEventCallbacks",
    "SubscriptionEventCallbacks",
    "TFMessage",
    "finished",
    "resolved",
]

#: seconds that an executor rests at each look at something that is awaited
LOOK_S = 0.003


class _Turn:
    """Awaited: the executor does what else there is, then comes back."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def finished(done: threading.Event) -> None:
    """Wait in a callback until a thread has set the event.

    An executor asks a task that awaits a future again at every turn, without a pause, and takes a core meanwhile (rclpy
    3.3 to 9.1). Here it rests at each turn, and the worker of a small board keeps its core.
    """
    while not done.wait(LOOK_S):
        await _Turn()


def resolved(endpoint: Any) -> str:
    """The full topic name of a publisher or subscription."""
    return str(endpoint.topic_name if hasattr(endpoint, "topic_name") else endpoint.topic)
