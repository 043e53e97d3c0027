"""The lifecycle node that every figop node is: parameters, QoS, worker, diagnostics, failures told in one sentence."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable, Iterable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from edge.errors import FigopError
from figop_ros.arrivals import Arrivals
from figop_ros.compat import resolved
from figop_ros.health import Health
from figop_ros.parameters import COMMON, Setting, Settings
from figop_ros.qos import QosWatch, profile
from figop_ros.worker import Worker

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
#: a stamp further away than this from the node's clock is of another clock (a recording that counts from 0)
FOREIGN_CLOCK_S = 3600.0
#: a fault of one message is told for so long
TROUBLE_S = 5.0


class FigopNode(LifecycleNode):
    """Subclasses override what stands under the first heading.

    What these raise makes the transition fail, never the process: the node stays in the state it was in, logs one
    sentence, and shows it on /diagnostics. Publishers are made in `configure` (`output`), subscriptions in `activate`
    (`listen`); both disappear by themselves.
    """

    SETTINGS: tuple[Setting, ...] = ()
    #: seconds that the worker has to finish what waits, when the node is deactivated
    STOP_S = 0.8

    def __init__(self, name: str, settings: Iterable[Setting] = (), **options: Any) -> None:
        super().__init__(name, **options)
        self.state = "unconfigured"
        self.health = Health()
        self.arrivals = Arrivals(self)
        self.watch = QosWatch(self, self.arrivals.lost)
        self.worker: Worker[Any] | None = None
        self._outputs: dict[str, Any] = {}
        self._inputs: dict[str, Any] = {}
        self._trouble = (0.0, "")
        self._told_silence = 0  # inputs there were when it was told last
        self._wall = Clock(clock_type=ClockType.STEADY_TIME)  # diagnostics go on when simulated time stands still
        self.p = Settings(self, (*COMMON, *self.SETTINGS, *settings), lambda: self.state == "unconfigured")
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._timer = self.create_timer(self.p["diagnostics.period_s"], self._tick, clock=self._wall)
        self._jump = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=False),
            post_callback=lambda jump: self.jumped(),
        )

    # -- what subclasses override ------------------------------------------------------------------------------

    def configure(self) -> None:
        """Open everything that can fail; make the outputs."""

    def activate(self) -> None:
        """Begin to listen."""

    def deactivate(self) -> None:
        """Say what is left to say. Inputs are gone already, and the worker has finished."""

    def cleanup(self) -> None:
        """Release what `configure` opened; also after a failed one."""

    def finish(self) -> None:
        """The worker's last job before `deactivate`, on its thread."""

    def silent(self) -> None:
        """No input for stream.timeout_s; once per silence, on the executor's thread."""

    def faults(self) -> list[str]:
        """What is wrong for as long as it is, a sentence each; shown on /diagnostics as warnings."""
        return []

    def steady(self) -> bool:
        """Whether the input comes all the time, so that its silence means something."""
        return True

    def jumped(self) -> None:
        """Simulated time has gone back (a bag started anew); on the executor's thread."""

    # -- for subclasses ----------------------------------------------------------------------------------------

    def output(self, key: str, kind: Any, topic: str | None = None, settings: str | None = None) -> Any:
        """Make the publisher of `key` (on ~/key unless told), with the QoS of qos.KEY (or of `settings`)."""
        named = settings or key
        made = self.create_lifecycle_publisher(
            kind, topic or f"~/{key}", profile(self.p, named), event_callbacks=self.watch.publisher_events(key)
        )
        self._outputs[key] = made
        self.watch.watch(key, made, named, True)
        return made

    def listen(
        self,
        key: str,
        kind: Any,
        callback: Callable[[Any], None],
        topic: str | None = None,
        settings: str | None = None,
    ) -> Any:
        """Subscribe to `key` (relative name, unless `topic` is told) with the QoS of qos.KEY (or of `settings`)."""
        named = settings or key
        events = self.watch.subscription_events(key)

        def came(message: Any) -> None:
            self.arrivals.came(key)
            callback(message)

        made = self.create_subscription(kind, topic or key, came, profile(self.p, named), event_callbacks=events)
        self._inputs[key] = made
        self.watch.watch(key, made, named, False)
        self.arrivals.watch(key, made, kind)
        return made

    def publish(self, key: str, message: Any) -> None:
        """Publish on an output; nothing when the node is not active or ROS is shutting down."""
        out = self._outputs.get(key)
        if out is not None and self.context.ok():
            out.publish(message)
            self.health.said(key)

    def wanted(self, key: str) -> bool:
        """Whether anybody listens to this output."""
        out = self._outputs.get(key)
        return out is not None and bool(out.get_subscription_count())

    def start_worker(self, handle: Callable[[Any], Any], depth: int) -> None:
        """The thread on which everything slow is done."""
        self.worker = Worker(handle, depth, f"{self.get_name()}-worker", self.failed)

    def now_ns(self) -> int:
        """The node's clock (simulated with use_sim_time)."""
        return int(self.get_clock().now().nanoseconds)

    def age_ms(self, stamp_ns: int) -> float | None:
        """Age of a stamp on the node's clock; None when it is plainly of another clock."""
        age = (self.now_ns() - stamp_ns) * 1e-6
        return age if abs(age) < FOREIGN_CLOCK_S * 1e3 else None

    def failed(self, error: BaseException) -> None:
        """One message could not be used: told, counted, and the node goes on."""
        known = isinstance(error, FigopError)
        sentence = str(error) if known else f"A message was not used: {type(error).__name__}: {error}"
        if not known:
            self.get_logger().debug("".join(traceback.format_exception(error)))
        self.health.count("dropped_bad")
        self.trouble(sentence)

    def trouble(self, sentence: str) -> None:
        """Something is wrong for the moment: a log line every few seconds at most, and a warning on /diagnostics."""
        old_since, old = self._trouble
        now = time.monotonic()
        if sentence != old or now - old_since > TROUBLE_S:
            self._trouble = (now, sentence)
            self.get_logger().warning(sentence)

    # -- transitions -------------------------------------------------------------------------------------------

    def on_configure(self, state: Any) -> TransitionCallbackReturn:
        self.health.reset()
        self.health.error, self._told_silence = "", 0
        self._restart_timer()
        if not self._attempt("configured", self.configure):
            self._release()
            return FAILURE
        self.state = "inactive"
        return super().on_configure(state)

    def on_activate(self, state: Any) -> TransitionCallbackReturn:
        result = super().on_activate(state)
        self.health.error = ""
        if result != SUCCESS or not self._attempt("activated", self.activate):
            self._stop()
            super().on_deactivate(state)
            return FAILURE
        self.state = "active"
        return SUCCESS

    def on_deactivate(self, state: Any) -> TransitionCallbackReturn:
        self._stop()
        self._attempt("deactivated", self.deactivate)
        self.state = "inactive"
        return super().on_deactivate(state)

    def on_cleanup(self, state: Any) -> TransitionCallbackReturn:
        self._release()
        self.health.error = ""
        self.state = "unconfigured"
        return SUCCESS

    def on_shutdown(self, state: Any) -> TransitionCallbackReturn:
        if self.state == "active":
            self.on_deactivate(state)
        self._release()
        self.state = "finalized"
        return SUCCESS

    def on_error(self, state: Any) -> TransitionCallbackReturn:
        self._stop()
        self._release()
        self.state = "unconfigured"
        return SUCCESS

    def close(self) -> None:
        """End in order: the last words are said, files are whole. For the end of the process."""
        with contextlib.suppress(Exception):  # a transition that another one forestalled
            if self.state == "active":
                self.trigger_deactivate()
            if self.state == "inactive":
                self.trigger_cleanup()

    def _attempt(self, what: str, action: Callable[[], None]) -> bool:
        try:
            action()
        except FigopError as error:
            self.health.error = str(error)
        except Exception as error:
            self.health.error = f"{self.get_name()} could not be {what}: {type(error).__name__}: {error}"
            self.get_logger().error(traceback.format_exc())
        else:
            return True
        self.get_logger().error(self.health.error)
        return False

    def _stop(self) -> None:
        for key, subscription in self._inputs.items():
            self.watch.forget(key)
            self.arrivals.forget(key)
            self.destroy_subscription(subscription)
        self._inputs = {}
        if self.worker is not None:
            self.worker.call(self.finish)
            if not self.worker.stop(self.STOP_S):
                self.get_logger().warning("The worker did not end in time; what it was doing is lost.")
            self.health.count("dropped_late", self.worker.dropped)
            self.worker = None

    def _release(self) -> None:
        self._attempt("released", self.cleanup)
        for key, publisher in self._outputs.items():
            self.watch.forget(key)
            self.destroy_lifecycle_publisher(publisher)
        self._outputs = {}

    # -- diagnostics -------------------------------------------------------------------------------------------

    def _restart_timer(self) -> None:
        self.destroy_timer(self._timer)
        self._timer = self.create_timer(self.p["diagnostics.period_s"], self._tick, clock=self._wall)

    def _tick(self) -> None:
        timeout = self._timeout()
        if self.state == "active" and timeout:
            frames = self.health.counts["frames"]
            if frames > self._told_silence and self.health.silent_s() > timeout:
                self._told_silence = frames
                self.silent()
        self._diagnostics.publish(self.diagnose())

    def diagnose(self) -> DiagnosticArray:
        """The node's health as it is published."""
        since, sentence = self._trouble
        sentences = self.watch.sentences() + self.arrivals.sentences() + self.faults()
        if sentence and time.monotonic() - since < TROUBLE_S:
            sentences.append(sentence)
        dropped = self.health.counts["dropped_late"] + (self.worker.dropped if self.worker is not None else 0)
        status = self.health.status(
            self.get_fully_qualified_name().lstrip("/"), self.state, dropped, sentences, self._timeout()
        )
        out = DiagnosticArray(status=[status])
        out.header.stamp = self.get_clock().now().to_msg()
        return out

    def _timeout(self) -> float:
        return float(self.p["stream.timeout_s"]) if self.steady() else 0.0

    def topic_of(self, key: str) -> str:
        """The full name of an output or input topic."""
        return resolved(self._outputs.get(key) or self._inputs[key])


def alive(node: FigopNode) -> bool:
    """Whether ROS still runs for this node."""
    return bool(node.context.ok() and rclpy.ok(context=node.context))
