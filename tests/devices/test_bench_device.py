"""`figop bench`: what it writes, when it refuses to overwrite, and when it reports a regression."""

import copy
import json
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from devices import bench_device, bench_device_cli
from devices.bench_compare import compare, load
from devices.bench_device import ClockedRecogniser, Material, bars, caption_stages, roof_rows
from devices.calibration import from_result
from devices.graphs import GraphCost
from devices.identify import board_model, match, this_device
from devices.measure import Ina3221, Rapl, RssWatch, Samples, energy_meters, interleaved, measured_energy
from devices.probe import endless
from devices.roofline import Fit, Machine, Roof
from edge.bundle import Bundle
from edge.errors import SourceError
from edge.recognisers import open_recogniser
from tests.devices.verbs import figop
from tests.edge.media import MADE


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path, monkeypatch):
    """Results of the checkout are none of these tests' business."""
    monkeypatch.chdir(tmp_path)


STAGE = {"p50": 1.0, "p95": 1.2, "p99": 1.5, "mean": 1.0, "cpu_p50": 1.0, "cpu_mean": 1.0, "runs": 9, "noise": 0.01}
GRAPH = GraphCost(10, 1e6, 1e5, 100, 100).to_dict()
ROOF = {"bound_ms": 0.1, "share_of_bound": 0.2, "binds": "op overhead"}
RESULT = {
    "bench": "device",
    "command": "figop bench",
    "device": "x86-64",
    "threads": 1,
    "recording": {"name": "x", "frames": 9, "fps": 30.0, "hands": 1.0},
    "host": {"cpu": "Some CPU"},
    "stages_ms": {name: {**STAGE, "pace_ms": 2.0} for name in ("detect", "landmarks", "encoder", "reading")}
    | {name: {**STAGE, "cpu_p50": 0.2, "pace_ms": 2.0} for name in ("features", "gestures")},
    "start_up": {"first_caption_s": 0.6, "first_caption_s_worst": 0.7, "first_caption_cpu_s": 0.4, "starts": 7},
    "caption_path": {"fps": 30.0, "share_of_core": 0.02, "peak_rss_mb": 72.0, "rss_samples": 100},
    "from_pixels": {"peak_rss_mb": 148.0},
    "energy": {"meter": None, "why": "none"},
    "model": {"left_out_error_by_stage": {"encoder": 0.1}},
    "graphs": {
        name: {**GRAPH, "measured_ms": 0.5, "left_out_error": 0.1, **ROOF}
        for name in ("palm full", "landmark full", "encoder")
    },
    "bars": {"a bar": True},
}


def result(**stages):
    """A result in which these stages take so many milliseconds."""
    made = copy.deepcopy(RESULT)
    for name, ms in stages.items():
        made["stages_ms"][name]["cpu_p50"] = ms
    return made


def test_a_stage_that_got_slower_is_a_regression_and_one_that_got_faster_is_none():
    changes = {c.name: c for c in compare(result(), result(encoder=1.2, detect=0.8))}
    assert changes["encoder"].regressed
    assert changes["detect"].moved
    assert not changes["detect"].regressed
    assert not changes["landmarks"].moved
    assert str(changes["encoder"]).startswith("encoder: 1 -> 1.2 (+20%")


def test_what_lies_within_the_noise_has_not_moved():
    assert not [c for c in compare(result(), result(encoder=1.04)) if c.moved]
    noisy = result()
    noisy["stages_ms"]["encoder"]["noise"] = 0.2
    assert not [c for c in compare(noisy, result(encoder=1.3)) if c.moved]


def test_a_machine_that_was_slower_at_everything_is_no_regression():
    loaded = result()
    for row in loaded["stages_ms"].values():
        row["cpu_p50"] *= 1.5
        row["pace_ms"] *= 1.5
    assert not [c for c in compare(result(), loaded) if c.moved]


def test_memory_and_start_are_compared_too():
    heavy = copy.deepcopy(RESULT)
    heavy["caption_path"]["peak_rss_mb"] = 90.0
    heavy["start_up"]["first_caption_cpu_s"] = 0.6
    worse = {c.name for c in compare(RESULT, heavy) if c.regressed}
    assert worse == {"peak memory", "start to first caption (processor)"}


@pytest.mark.parametrize(
    ("key", "value", "what"),
    [("host", {"cpu": "Another CPU"}, "processors"), ("device", "pi", "devices"), ("threads", 2, "thread counts")],
)
def test_results_of_different_machines_are_not_compared(key, value, what):
    with pytest.raises(SourceError, match=f"of different {what}"):
        compare(RESULT, {**RESULT, key: value})


def test_files_that_are_no_result(tmp_path):
    file = tmp_path / "x.json"
    for text, why in ((None, "cannot be read"), ("{", "not readable JSON"), ('{"bench": "hands"}', "is not a result")):
        if text is not None:
            file.write_text(text)
        with pytest.raises(SourceError, match=why):
            load(file)


@pytest.fixture
def measured(monkeypatch):
    """`figop bench` that measures nothing and finds what it is told."""
    outside = ("bench", "command", "device", "host")
    found = {"row": copy.deepcopy({k: v for k, v in RESULT.items() if k not in outside})}
    monkeypatch.setattr(bench_device, "measure", lambda *args, **options: copy.deepcopy(found["row"]))
    monkeypatch.setattr("devices.bench_hands.pin", lambda core: 0)
    monkeypatch.setattr("devices.bench.host", lambda: {"cpu": "Some CPU"})
    return found


def test_the_result_is_written_named_and_kept_while_nothing_moves(measured, tmp_path, capsys):
    out = tmp_path / "bench" / "x86-64.json"
    words = ("bench", "--device", "x86-64", "--seconds", "3", "-o", str(out))
    assert figop(*words) == 0
    first = json.loads(out.read_text())
    assert first["command"] == "figop bench --device x86-64 --seconds 3"
    assert (first["device"], first["host"]) == ("x86-64", {"cpu": "Some CPU"})
    assert len(first["date"]) == 10
    measured["row"]["stages_ms"]["encoder"]["cpu_p50"] = 1.02
    capsys.readouterr()
    assert figop(*words) == 0
    assert "kept" in capsys.readouterr().out
    assert json.loads(out.read_text()) == first
    assert figop(*words, "--force") == 0
    assert json.loads(out.read_text()) != first
    measured["row"]["stages_ms"]["encoder"]["cpu_p50"] = 2.0
    assert figop(*words) == 0
    assert json.loads(out.read_text())["stages_ms"]["encoder"]["cpu_p50"] == 2.0


def test_compare_fails_on_a_regression_alone(measured, tmp_path, capsys):
    before = tmp_path / "before.json"
    before.write_text(json.dumps(RESULT))
    words = ("bench", "--device", "x86-64", "--compare", str(before))
    assert figop(*words) == 0
    measured["row"]["stages_ms"]["encoder"]["cpu_p50"] = 1.5
    assert figop(*words) == 1
    assert "WORSE  encoder: 1 -> 1.5" in capsys.readouterr().out
    measured["row"]["stages_ms"]["encoder"]["cpu_p50"] = 0.5
    assert figop(*words) == 0


def test_check_fails_where_a_bar_fails(measured):
    assert figop("bench", "--device", "x86-64", "--check") == 0
    measured["row"]["bars"] = {"a bar": False}
    assert figop("bench", "--device", "x86-64", "--check") == 1
    assert figop("bench", "--device", "x86-64") == 0


def test_without_an_output_nothing_is_written_unless_the_file_is_there(measured, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert figop("bench", "--device", "x86-64") == 0
    assert not list(tmp_path.iterdir())


def test_vs_needs_a_video_and_reuses_the_paired_bench(measured, tmp_path, monkeypatch, capsys):
    assert figop("bench", "--device", "x86-64", "--vs", "mediapipe") == 2
    assert "--vs needs a video" in capsys.readouterr().err
    monkeypatch.setattr(bench_device_cli, "versus", lambda name, video: {"reference": name, "speedup": 1.2})
    assert figop("bench", "--device", "x86-64", "--vs", "mediapipe", "--video", "clip.mp4", "--json") == 0
    row = json.loads(capsys.readouterr().out)
    assert row["versus"] == {"reference": "mediapipe", "speedup": 1.2}
    assert row["command"] == "figop bench --device x86-64 --vs mediapipe --video clip.mp4"


def test_calibrate_writes_what_the_planner_reads(measured, tmp_path):
    out = tmp_path / "calibration.json"
    measured["row"]["model"] |= {
        "overhead_us_per_op": 0.4, "dense_gflops": 200.0, "depthwise_gflops": 50.0, "left_out_error_median": 0.1,
        "left_out_error_worst": 0.3,
    }  # fmt: skip
    assert figop("bench", "--device", "x86-64", "--calibrate", str(out)) == 0
    row = json.loads(out.read_text())
    assert row["python_ms"]["detect"] == pytest.approx(0.5), "the stage less its network"
    assert row["python_ms"]["reading"] == pytest.approx(1.0 - 0.2 - 0.5)
    given = {k: row[k] for k in ("command", "device", "host")}
    assert row == from_result(measured["row"] | given)


def test_an_unknown_device_is_refused_before_anything_is_measured(capsys):
    assert figop("bench", "--device", "raspbery-pi-4") == 2
    assert "did you mean raspberry-pi-4" in capsys.readouterr().err


def test_bars_are_those_of_the_host():
    good = bars(RESULT)
    assert all(good.values())
    assert len(good) == 4
    slow = copy.deepcopy(RESULT)
    slow["start_up"]["first_caption_s"] = 1.6
    slow["caption_path"] |= {"share_of_core": 0.04, "peak_rss_mb": 151.0}
    slow["model"]["left_out_error_by_stage"] = {"a": 0.2, "b": 0.4, "c": 0.5}
    assert not any(bars(slow).values())


def test_roof_rows_say_what_binds():
    costs = {"small": GraphCost(300, 1e5, 0, 1000, 1000), "large": GraphCost(10, 1e9, 0, 1000, 1000)}
    fitted = Fit(Machine(4e-7, 2e11, 5e10), {"small": 0.1, "large": -0.2})
    rows = roof_rows(costs, {"small": 2e-4, "large": 1e-2}, Roof(2.5e11, 2e11, 3e10, 3e7), fitted)
    assert rows["small"]["binds"] == "op overhead"
    assert rows["large"]["binds"] == "compute"
    assert rows["large"]["share_of_bound"] == pytest.approx(0.4)
    assert rows["large"]["left_out_error"] == -0.2


def test_samples_give_percentiles_and_noise_against_the_fixed_work():
    samples = Samples()
    for slow in (1.0, 2.0):
        samples.block()
        for ms in (1.0, 1.0, 1.0):
            samples.add(ms * slow, ms * slow)
    assert samples.row()["noise"] == pytest.approx(0.3333, abs=1e-3)
    assert samples.row([1.0, 2.0])["noise"] == 0, "the whole machine was slower, not the stage"
    assert samples.row()["p50"] == 1.5
    assert samples.row()["runs"] == 6


def test_stages_take_turns_and_warm_up():
    calls = Counter()
    order = []

    def work(name):
        calls[name] += 1
        order.append(name)

    rows, paces = interleaved(
        {"a": lambda: work("a"), "b": lambda: work("b")}, blocks=3, seconds=0.0, warm_up=2, fewest=4
    )
    assert calls == {"a": 18, "b": 18}
    assert "".join(order) == ("a" * 6 + "b" * 6) * 3
    assert sum(len(b) for b in rows["a"].wall) == 12
    assert len(paces) == 3


def test_the_caption_path_is_measured_part_by_part(tmp_path):
    MADE.save(tmp_path / "hands.npz")
    material = Material(list(MADE.frames()), tmp_path / "hands.npz", "made", "facing", False, None)
    rows, paces = caption_stages(material, "figop-rules")
    assert {"features", "reading", "gestures", "push"} <= set(rows)
    assert sum(len(b) for b in rows["push"].wall) == bench_device.BLOCKS * len(material.frames)
    assert len(paces) == bench_device.BLOCKS
    for part in ("reading", "gestures"):
        assert np.sum(rows[part].wall) <= np.sum(rows["push"].wall)
    assert material.hands == pytest.approx(1.0, abs=0.5)


def test_a_clocked_recogniser_answers_as_the_one_inside():
    inside, plain = (open_recogniser(Bundle.open("figop-rules"), "facing", False) for _ in range(2))
    clocked = ClockedRecogniser(inside)
    for frame in MADE.frames():
        clocked.push(frame)
        plain.push(frame)
    assert clocked.score(final=True) == plain.score(final=True)
    assert (clocked.atoms, clocked.moved_at(), clocked.words()) == (plain.atoms, plain.moved_at(), plain.words())
    spent = clocked.take()
    assert spent["reading"][0] > 0
    assert clocked.take()["reading"] == (0, 0)


def test_the_probe_measures_a_process_of_its_own(tmp_path):
    MADE.save(tmp_path / "hands.npz")
    words = [
        "-m",
        "devices.probe",
        str(tmp_path / "hands.npz"),
        "--bundle",
        "figop-rules",
        "--seconds",
        "1",
        "--unpaced",
    ]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    row = json.loads(done.stdout)
    assert row["frames"] == 30
    assert row["peak_rss_mb"] >= row["loaded_mb"] > 10
    assert row["rss_samples"] >= 1
    assert row["share_of_core"] == pytest.approx(row["cpu_ms_per_frame"] * 30 / 1000, rel=0.01)


def test_the_stream_of_the_probe_has_an_even_rate_and_rests():
    frames = list(MADE.frames())[:5]
    some = [frame for frame, _ in zip(endless(frames, 30.0), range(45), strict=False)]
    assert set(np.diff([f.t_ns for f in some])) == {round(1e9 / 30)}
    assert not some[10].present(1)
    assert some[35].t_ns == 35 * round(1e9 / 30)


def test_resident_memory_is_looked_at():
    with RssWatch(0.001) as watch:
        block = np.ones(30_000_000, np.uint8)
    assert watch.samples >= 1
    assert watch.peak_mb > 20
    assert block.any()


def test_rapl_counts_joules_over_its_wrap_around(tmp_path):
    folder = tmp_path / "class" / "powercap" / "intel-rapl:0"
    folder.mkdir(parents=True)
    for name, text in (("name", "package-0"), ("max_energy_range_uj", "10000000"), ("energy_uj", "9000000")):
        (folder / name).write_text(text + "\n")
    (meter,) = energy_meters(tmp_path)
    assert isinstance(meter, Rapl)
    (folder / "energy_uj").write_text("1000000")
    assert meter.joules() == pytest.approx(2.0)

    def work():
        (folder / "energy_uj").write_text("4000000")
        return 10

    row = measured_energy(work, [meter])
    assert row["joules"] == {"RAPL package-0": 3.0}
    assert row["mj_per_frame"] == {"RAPL package-0": 300.0}


def test_a_jetsons_meter_integrates_watts(tmp_path):
    folder = tmp_path / "hwmon0"
    folder.mkdir()
    for name, text in (("in1_label", "VDD_IN"), ("in1_input", "5000"), ("curr1_input", "1000")):
        (folder / name).write_text(text)
    now = [0.0]
    meter = Ina3221(folder, lambda: now[0])
    now[0] = 2.0
    assert meter.joules() == pytest.approx(10.0)
    assert meter.name == "INA3221 VDD_IN"


def test_without_a_meter_the_result_says_why(tmp_path):
    assert energy_meters(tmp_path) == []
    assert measured_energy(lambda: 1, [])["meter"] is None


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Raspberry Pi 4 Model B Rev 1.4", "raspberry-pi-4"),
        ("Raspberry Pi Compute Module 4 Rev 1.0", "raspberry-pi-4"),
        ("Raspberry Pi Zero 2 W Rev 1.0", "raspberry-pi-zero-2w"),
        ("NVIDIA Jetson Orin Nano Developer Kit", "jetson-orin-nano"),
        ("NVIDIA Jetson Nano Developer Kit", "jetson-nano-2019"),
        ("NVIDIA Jetson AGX Orin Developer Kit", "jetson-agx-orin"),
    ],
)
def test_boards_are_known_by_their_own_name(model, name):
    assert this_device(model, "aarch64") == name


def test_computers_without_a_profile_go_by_their_architecture(tmp_path):
    assert this_device("", "x86_64") == "x86-64"
    assert this_device("Acme", "riscv64") == "riscv64"
    assert match("nothing of ours") is None
    assert board_model(tmp_path / "none") == ""
    (tmp_path / "model").write_bytes(b"Raspberry Pi 5\0")
    assert board_model(tmp_path / "model") == "Raspberry Pi 5"
