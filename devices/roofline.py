"""Roof-line and operator overhead: why a graph takes as long as it does, and how long it would take elsewhere.

    seconds = overhead x nodes + matmul / rate + depthwise / rate'        (at least bytes / bandwidth)

The three numbers are fitted on graphs that were measured on one machine. How well the form holds is told by leaving
each graph out, fitting on the others, and predicting it. Another machine takes over the form: its overhead scales
with its speed in plain code, its rates with its own peak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from devices.device import Device
from devices.graphs import GraphCost
from edge.errors import SourceError

#: Share of the DRAM peak that streaming reaches where it was not measured: 5.56 of 12.8 GB/s on a Raspberry Pi 4 is
#: 0.43, and 0.6 is usual for newer memory.
STREAM_SHARE = 0.5
#: Fewer graphs leave nothing to fit on when one of them is left out.
FEWEST = 4


@dataclass(frozen=True, slots=True)
class Machine:
    """What the model knows of a machine.

    Attributes:
        overhead_s: seconds that one operator costs before it computes anything.
        matmul, depthwise: operations a second that dense and depthwise kernels reach.
        bandwidth: bytes a second from main memory, one core; inf = never binds.
        cache: bytes of weights that stay in the last-level cache between runs.
    """

    overhead_s: float
    matmul: float
    depthwise: float
    bandwidth: float = float("inf")
    cache: float = float("inf")

    def terms(self, cost: GraphCost) -> dict[str, float]:
        """Seconds by what they are spent on."""
        streamed = cost.weight_bytes if cost.weight_bytes > self.cache else 0
        return {
            "op overhead": self.overhead_s * cost.nodes,
            "compute": cost.matmul / self.matmul + cost.depthwise / self.depthwise,
            "bandwidth": streamed / self.bandwidth,
        }

    def seconds(self, cost: GraphCost) -> float:
        """Predicted seconds of one run: computing and streaming overlap, the overhead does not."""
        terms = self.terms(cost)
        return terms["op overhead"] + max(terms["compute"], terms["bandwidth"])

    def binds(self, cost: GraphCost) -> str:
        """What takes most of the time: "op overhead", "compute" or "bandwidth"."""
        terms = self.terms(cost)
        return max(terms, key=lambda name: terms[name])


@dataclass(frozen=True, slots=True)
class Roof:
    """What one core can do at best, measured: matrix products in cache, and copies in cache and memory.

    flops: operations a second. cached, memory: bytes a second. cache: bytes of the last-level cache.
    """

    flops: float
    cached: float
    memory: float
    cache: float

    def bound(self, cost: GraphCost) -> tuple[float, str]:
        """Seconds that a run cannot do without, and which roof says so: "compute" or "bandwidth"."""
        moved = cost.weight_bytes + cost.moved_bytes
        # weights stay where they were left; a working set beyond the cache comes from memory
        bandwidth = self.cached if cost.weight_bytes <= self.cache else self.memory
        compute, memory = cost.flops / self.flops, moved / bandwidth
        return (compute, "compute") if compute >= memory else (memory, "bandwidth")


@dataclass(frozen=True, slots=True)
class Fit:
    """A machine as fitted on measured graphs. left_out: relative error of each graph, predicted by the others."""

    machine: Machine
    left_out: Mapping[str, float]

    @property
    def median_error(self) -> float:
        """Median of the absolute errors."""
        return float(np.median(np.abs(list(self.left_out.values()))))

    @property
    def worst_error(self) -> float:
        """Largest of the absolute errors."""
        return float(np.max(np.abs(list(self.left_out.values()))))


def fit(costs: Mapping[str, GraphCost], seconds: Mapping[str, float]) -> Fit:
    """Fit the three numbers to measured graphs, relative errors weighed alike. Raises SourceError for too few."""
    names = [name for name in costs if name in seconds]
    if len(names) < FEWEST:
        raise SourceError(f"The model needs {FEWEST} measured graphs at least, found {len(names)}: run `figop setup`.")
    rows = np.array([[costs[n].nodes, costs[n].matmul, costs[n].depthwise] for n in names], np.float64)
    took = np.array([seconds[n] for n in names])
    left_out = {}
    for index, name in enumerate(names):
        others = np.arange(len(names)) != index
        left_out[name] = float(rows[index] @ _solve(rows[others], took[others]) / took[index] - 1)
    overhead, matmul, depthwise = _solve(rows, took)
    machine = Machine(overhead, 1 / max(matmul, 1e-18), 1 / max(depthwise, matmul, 1e-18))
    return Fit(machine, left_out)


def _solve(rows: NDArray[np.float64], took: NDArray[np.float64]) -> NDArray[np.float64]:
    """Non-negative least squares of relative errors; with three unknowns every set of them can be tried."""
    scaled = rows / took[:, None]
    size = scaled.max(axis=0)
    best, least = np.zeros(rows.shape[1]), np.inf
    usable = [c for c in range(rows.shape[1]) if size[c] > 0]
    for count in range(1, len(usable) + 1):
        for chosen in combinations(usable, count):
            some = scaled[:, chosen] / size[list(chosen)]
            answer, *_ = np.linalg.lstsq(some, np.ones(len(took)), rcond=None)
            error = float(((some @ answer - 1) ** 2).sum())
            if (answer >= 0).all() and error < least:
                best, least = np.zeros(rows.shape[1]), error
                best[list(chosen)] = answer / size[list(chosen)]
    return best


def carried(fitted: Machine, host_scalar: float, device: Device, precision: str = "float32") -> Machine:
    """The model of another board: nothing of it is measured there, so what it says is a prediction.

    Overhead scales with the speed in plain code; dense kernels reach the profile's share of the peak; depthwise ones
    are as much slower than dense ones as on the fitted machine; int8 counts where there are dot products.
    """
    int8 = precision in ("int8", "dynamic-int8") and device.cpu.dot_product != "none"
    peak = (device.cpu.gops if int8 else device.cpu.gflops) * 1e9
    matmul = device.cpu.efficiency.value * peak
    stream = device.memory.stream_gb_per_s
    gigabytes = stream.value if stream is not None else STREAM_SHARE * device.memory.gb_per_s.value
    return Machine(
        overhead_s=fitted.overhead_s * host_scalar / device.cpu.scalar.value,
        matmul=matmul,
        depthwise=matmul * fitted.depthwise / fitted.matmul,
        bandwidth=gigabytes * 1e9,
        cache=device.memory.cache_kb.value * 1024,
    )
