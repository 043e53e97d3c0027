"""Quality of service per topic by parameter; mismatches are found and told by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy

from figop_ros.compat import PublisherEventCallbacks, SubscriptionEventCallbacks, resolved

_RELIABILITY = {"reliable": ReliabilityPolicy.RELIABLE, "best_effort": ReliabilityPolicy.BEST_EFFORT}


def profile(values: Mapping[str, Any], topic: str) -> QoSProfile:
    """The profile that the parameters qos.TOPIC.* ask for."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=int(values[f"qos.{topic}.depth"]),
        reliability=_RELIABILITY[values[f"qos.{topic}.reliability"]],
    )


class QosWatch:
    """Registers for incompatible-QoS events, and says which two ends do not meet and which parameter to change."""

    def __init__(self, node: Any, lost: Callable[[str, int], None] = lambda key, many: None) -> None:
        """`lost` is told the key of a subscription and how many messages the middleware lost on their way to it."""
        self._node, self._lost = node, lost
        self._ends: dict[str, tuple[Any, str, bool]] = {}
        self._flagged: set[str] = set()

    def publisher_events(self, key: str) -> Any:
        """Callbacks for the publisher of this key."""
        return PublisherEventCallbacks(incompatible_qos=lambda info: self._flagged.add(key))

    def subscription_events(self, key: str) -> Any:
        """Callbacks for the subscription of this key."""
        return SubscriptionEventCallbacks(
            incompatible_qos=lambda info: self._flagged.add(key),
            message_lost=lambda info: self._lost(key, int(info.total_count_change)),
        )

    def watch(self, key: str, endpoint: Any, settings: str, publishes: bool) -> None:
        """Remember the endpoint that the events are about; its parameters are qos.SETTINGS.*"""
        self._ends[key] = (endpoint, settings, publishes)

    def forget(self, key: str) -> None:
        """The endpoint is gone."""
        self._ends.pop(key, None)
        self._flagged.discard(key)

    def sentences(self) -> list[str]:
        """One sentence for every pair of ends that do not meet now."""
        out = []
        for key in sorted(self._flagged & set(self._ends)):
            found = self._mismatches(*self._ends[key])
            if not found:
                self._flagged.discard(key)
            out += found
        return out

    def _mismatches(self, endpoint: Any, settings: str, publishes: bool) -> list[str]:
        name = resolved(endpoint)
        me = self._node.get_fully_qualified_name()
        ours = endpoint.qos_profile.reliability
        look = self._node.get_subscriptions_info_by_topic if publishes else self._node.get_publishers_info_by_topic
        out = []
        for end in look(name):
            theirs = end.qos_profile.reliability
            offered, wanted = (ours, theirs) if publishes else (theirs, ours)
            if offered != ReliabilityPolicy.BEST_EFFORT or wanted != ReliabilityPolicy.RELIABLE:
                continue
            other = f"{end.node_namespace.rstrip('/')}/{end.node_name}"
            giver, taker = (me, other) if publishes else (other, me)
            remedy = f"qos.{settings}.reliability of {me} to {'reliable' if publishes else 'best_effort'}"
            out.append(
                f"Nothing arrives on {name}: {giver} publishes best_effort, {taker} asks for reliable; set {remedy}."
            )
        return out
