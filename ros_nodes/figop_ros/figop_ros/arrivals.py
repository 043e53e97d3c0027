"""Whether the pictures that somebody publishes reach this node; where they do not, a sentence that says what to do.

Pictures do not fit the shared memory that Fast DDS has by default, and then most or all get lost between two processes.
The middleware counts what it lost, except where nothing at all arrives.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rclpy.qos import ReliabilityPolicy
from rclpy.utilities import get_rmw_implementation_identifier
from sensor_msgs.msg import CompressedImage, Image

from figop_ros.compat import resolved

#: messages that may be larger than what the middleware carries by default
LARGE = (Image, CompressedImage)
#: seconds that a publisher may be silent before it is told; cameras take a second to start
SILENT_S = 3.0
#: what was lost is counted over so many seconds, and told from so many pictures and this share on
WINDOW_S, FEW, SHARE = 5.0, 3, 0.1
_FILE = "$(ros2 pkg prefix --share figop_bringup)/config/fastdds.xml"
_FASTDDS = (
    "pictures that do not fit its publisher's shared memory get lost; start {who} with FASTDDS_DEFAULT_PROFILES_FILE "
    f"(Humble, Jazzy: FASTRTPS_DEFAULT_PROFILES_FILE) set to {_FILE}"
)
_OTHER = (
    "large messages get lost in small buffers; raise net.core.rmem_max and the receive buffer of {rmw} on both ends"
)


@dataclass(slots=True)
class _Topic:
    """One subscription: when pictures came or were lost, when the last one came, since when somebody publishes."""

    endpoint: Any
    kind: str
    events: deque[tuple[float, bool, int]] = field(default_factory=deque)  # time, whether it came, how many
    last: float = float("-inf")
    since: float | None = None


class Arrivals:
    """Told of every picture that comes and of how many the middleware lost; looks for publishers when it is asked."""

    def __init__(self, node: Any, clock: Callable[[], float] = time.monotonic) -> None:
        self._node, self._clock = node, clock
        self._topics: dict[str, _Topic] = {}

    def watch(self, key: str, endpoint: Any, kind: Any) -> None:
        """A subscription was made; what is no picture is not watched."""
        if kind in LARGE:
            self._topics[key] = _Topic(endpoint, f"{kind.__module__.split('.')[0]}/msg/{kind.__name__}")

    def forget(self, key: str) -> None:
        """The subscription is gone."""
        self._topics.pop(key, None)

    def came(self, key: str) -> None:
        """A message was received."""
        topic = self._topics.get(key)
        if topic is not None:
            topic.last = self._clock()
            self._note(topic, True, 1)

    def lost(self, key: str, many: int) -> None:
        """The middleware tells that messages were lost on the way."""
        topic = self._topics.get(key)
        if topic is not None and many > 0:
            self._node.health.count("lost_pictures", many)
            self._note(topic, False, many)

    def _note(self, topic: _Topic, came: bool, many: int) -> None:
        now = self._clock()
        topic.events.append((now, came, many))
        while topic.events and now - topic.events[0][0] > WINDOW_S:
            topic.events.popleft()

    def sentences(self) -> list[str]:
        """One sentence for every topic whose pictures do not arrive now."""
        return [s for topic in list(self._topics.values()) if (s := self._sentence(topic))]

    def _sentence(self, topic: _Topic) -> str:
        now, name = self._clock(), resolved(topic.endpoint)
        who, me = self._publishers(name, topic), self._node.get_fully_qualified_name()
        if not who:
            topic.since = None
            return ""
        topic.since = now if topic.since is None else topic.since
        quiet = now - max(topic.since, topic.last)
        if quiet >= SILENT_S:
            return (
                f"Nothing has arrived on {name} for {quiet:.0f} s, though {who} publishes there: "
                f"either it sends nothing, or {_remedy(who)}."
            )
        recent = [e for e in list(topic.events) if now - e[0] <= WINDOW_S]
        lost, came = (sum(many for _, arrived, many in recent if arrived is wanted) for wanted in (False, True))
        if lost < FEW or lost < SHARE * (lost + came):
            return ""
        return f"{lost} of {lost + came} pictures on {name} were lost between {who} and {me}: {_remedy(who)}."

    def _publishers(self, name: str, topic: _Topic) -> str:
        """Those whose pictures should arrive, named; ends whose type or reliability does not fit are told elsewhere."""
        wants = topic.endpoint.qos_profile.reliability
        names = {
            f"{end.node_namespace.rstrip('/')}/{end.node_name}"
            for end in self._node.get_publishers_info_by_topic(name)
            if end.topic_type == topic.kind
            and not (
                wants == ReliabilityPolicy.RELIABLE and end.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
            )
        }
        return ", ".join(sorted(names))


def _remedy(who: str) -> str:
    rmw = get_rmw_implementation_identifier()
    return _FASTDDS.format(who=who) if "fastrtps" in rmw else _OTHER.format(rmw=rmw)
