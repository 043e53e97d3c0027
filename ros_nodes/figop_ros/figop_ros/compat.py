"""What differs between Humble, Jazzy and Kilted, in one place."""

from __future__ import annotations

from typing import Any

try:  # Jazzy and later
    from rclpy.event_handler import PublisherEventCallbacks, SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import PublisherEventCallbacks, SubscriptionEventCallbacks

try:  # part of every ROS installation; the wheels lack it
    from tf2_msgs.msg import TFMessage
except ImportError:
    TFMessage = None

__all__ = ["PublisherEventCallbacks", "SubscriptionEventCallbacks", "TFMessage", "resolved"]


def resolved(endpoint: Any) -> str:
    """The full topic name of a publisher or subscription."""
    return str(endpoint.topic_name if hasattr(endpoint, "topic_name") else endpoint.topic)
