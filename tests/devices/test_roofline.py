"""The cost model: what it counts, that it finds numbers it was given, and what it says of another board."""

from dataclasses import replace

import numpy as np
import pytest

from devices.bench_device import last_level_cache
from devices.device import Figure, find
from devices.graphs import GraphCost, cost
from devices.roof import dense_layer
from devices.roofline import Fit, Machine, Roof, carried, fit
from edge.bundle import Bundle
from edge.errors import BundleError, SourceError
from tests.edge.tiny_models import litert_add, litert_dense

TRUE = Machine(overhead_s=4e-7, matmul=2e11, depthwise=5e10)


def some_graphs(count=8, seed=1):
    rng = np.random.default_rng(seed)
    return {
        f"graph {i}": GraphCost(
            nodes=int(rng.integers(20, 300)),
            matmul=float(10 ** rng.uniform(6, 8.7)),
            depthwise=float(10 ** rng.uniform(5, 8)) if i % 2 else 0.0,
            weight_bytes=1000,
            moved_bytes=1000,
        )
        for i in range(count)
    }


def test_a_dense_layer_is_counted():
    one = cost(dense_layer(64))
    assert (one.nodes, one.matmul, one.depthwise) == (1, 2 * 64**3, 0)
    assert one.weight_bytes == 4 * 64 * 64
    assert one.moved_bytes == 2 * one.weight_bytes
    assert one.flops == one.matmul


def test_int8_weights_are_a_quarter_and_elementwise_work_is_no_flop():
    assert cost(litert_dense(np.int8)).weight_bytes * 4 == cost(litert_dense(np.float32)).weight_bytes
    both = cost(litert_add())
    assert (both.nodes, both.flops) == (2, 0)


def test_the_students_encoder_is_counted_as_it_is():
    one = cost(Bundle.open("figop-base").graph("encoder", "tflite"))
    assert 100 < one.nodes < 250
    assert 1e6 < one.matmul < 1e7
    assert 1e6 < one.weight_bytes < 3e6


def test_only_tflite_can_be_counted():
    with pytest.raises(BundleError, match=r"Only \.tflite graphs can be counted"):
        cost(b"ONNX, or anything")


def test_the_fit_finds_the_machine_that_made_the_times():
    graphs = some_graphs()
    found = fit(graphs, {name: TRUE.seconds(one) for name, one in graphs.items()})
    assert found.machine.overhead_s == pytest.approx(TRUE.overhead_s, rel=1e-6)
    assert found.machine.matmul == pytest.approx(TRUE.matmul, rel=1e-6)
    assert found.machine.depthwise == pytest.approx(TRUE.depthwise, rel=1e-6)
    assert found.median_error < 1e-6


def test_a_graph_that_is_unlike_the_others_shows_when_it_is_left_out():
    graphs = some_graphs()
    times = {name: TRUE.seconds(one) for name, one in graphs.items()}
    times["graph 0"] *= 2
    found = fit(graphs, times)
    assert found.left_out["graph 0"] == pytest.approx(-0.5, abs=1e-6)
    assert found.worst_error > 0.49


def test_rates_are_never_negative():
    graphs = some_graphs(5, seed=3)
    times = {name: 1e-3 / (1 + one.nodes) for name, one in graphs.items()}
    machine = fit(graphs, times).machine
    assert machine.overhead_s >= 0
    assert machine.matmul > 0
    assert machine.depthwise > 0


def test_too_few_graphs_are_refused():
    with pytest.raises(SourceError, match="needs 4 measured graphs at least, found 3"):
        fit(some_graphs(3), {f"graph {i}": 1.0 for i in range(3)})


def test_what_binds():
    small, large = GraphCost(200, 1e5, 0, 1000, 1000), GraphCost(10, 1e9, 0, 1000, 1000)
    streams = GraphCost(10, 1e6, 0, 50_000_000, 1000)
    machine = replace(TRUE, bandwidth=1e9, cache=1e6)
    assert [machine.binds(g) for g in (small, large, streams)] == ["op overhead", "compute", "bandwidth"]
    assert machine.seconds(streams) == pytest.approx(0.05, rel=0.01), "streaming hides computing"
    assert TRUE.seconds(streams) < 1e-3, "weights that stay in the cache are not streamed"


def test_the_roof_is_the_larger_of_both():
    roof = Roof(flops=1e11, cached=1e11, memory=1e10, cache=1e6)
    assert roof.bound(GraphCost(1, 1e9, 0, 1000, 1000)) == (pytest.approx(0.01), "compute")
    seconds, which = roof.bound(GraphCost(1, 1e6, 0, 2_000_000, 0))
    assert (seconds, which) == (pytest.approx(2e-4), "bandwidth")


def test_another_board_scales_overhead_by_plain_speed_and_rates_by_its_peak():
    pi = find("raspberry-pi-4")
    there = carried(TRUE, 4.0, pi)
    assert there.overhead_s == pytest.approx(TRUE.overhead_s * 4.0 / pi.cpu.scalar.value)
    assert there.matmul == pytest.approx(pi.cpu.efficiency.value * pi.cpu.gflops * 1e9)
    assert there.matmul / there.depthwise == pytest.approx(TRUE.matmul / TRUE.depthwise)
    assert there.bandwidth == pytest.approx(5.56e9)


def test_int8_counts_only_where_there_are_dot_products():
    with_sdot, without = find("raspberry-pi-5"), find("raspberry-pi-4")
    assert carried(TRUE, 4.0, with_sdot, "int8").matmul == pytest.approx(4 * carried(TRUE, 4.0, with_sdot).matmul)
    assert carried(TRUE, 4.0, without, "int8").matmul == carried(TRUE, 4.0, without).matmul


def test_published_figures_of_a_phone_are_met():
    """XNNPACK's README: MobileNet v1 and v2 take 86 and 53 ms on one core of a Pixel 2 (A73, 2.35 GHz).

    v1: 1.10 GFLOP dense, 0.035 depthwise; v2: 0.56 and 0.042. Nothing was fitted on these two but the efficiency.
    """
    a72 = find("cortex-a72")
    ghz = Figure(2.35, source="Pixel 2")
    scalar = Figure(a72.cpu.scalar.value * 2.35 / a72.cpu.ghz.value, arithmetic="by clock")
    phone = replace(a72, cpu=replace(a72.cpu, ghz=ghz, scalar=scalar))
    machine = carried(TRUE, 4.3, phone)
    for graph, published in (
        (GraphCost(30, 1.10e9, 0.035e9, 0, 0), 0.086),
        (GraphCost(65, 0.56e9, 0.042e9, 0, 0), 0.053),
    ):
        assert machine.seconds(graph) == pytest.approx(published, rel=0.3)


def test_errors_are_absolute_in_the_median():
    assert Fit(TRUE, {"a": -0.3, "b": 0.1, "c": 0.2}).median_error == pytest.approx(0.2)


def test_the_largest_cache_counts(tmp_path):
    for index, size in enumerate(("32K", "1024K", "8M")):
        (tmp_path / f"index{index}").mkdir()
        (tmp_path / f"index{index}" / "size").write_text(size + "\n")
    assert last_level_cache(tmp_path) == 8 * 2**20
    assert last_level_cache(tmp_path / "nowhere") == 2**20
