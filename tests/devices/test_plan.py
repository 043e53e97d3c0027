"""The planner: predictions are labelled, what fits is said to fit, and what is dropped first is what costs least."""

import json
from dataclasses import replace

import pytest

from devices.calibration import OWN, from_result, load
from devices.device import find
from devices.plan import BUDGET, MARGIN, Setting, alternatives, at_power, load_of, plan
from devices.schema import DeviceError
from devices.target import Request
from edge.errors import SourceError
from tests.devices.verbs import figop

CALIBRATION = load()
ASKED = Setting(30.0, 2, "full")


def test_the_calibration_that_ships_states_its_machine_and_error():
    assert CALIBRATION.device == "x86-64"
    assert CALIBRATION.command.startswith("figop bench")
    assert 0 < CALIBRATION.error <= 0.30, "the bar of the issue"
    assert {"palm full", "landmark full", "encoder", "units", "prefill", "step"} <= set(CALIBRATION.costs)


@pytest.mark.parametrize("name", ["raspberry-pi-4", "raspberry-pi-5", "jetson-orin-nano", "cortex-a53"])
def test_boards_are_predicted_and_say_so(name):
    answer = plan(find(name), CALIBRATION, ASKED)
    assert not answer.measured
    assert answer.label.startswith("predicted, not measured")
    assert f"{CALIBRATION.error:.0%}" in answer.label
    assert all(ms > 0 for ms in answer.stages_ms.values())


def test_only_the_machine_of_the_calibration_is_measured():
    answer = plan(find("x86-64"), CALIBRATION, ASKED)
    assert answer.measured
    assert answer.label == "measured on the machine of this calibration"
    assert answer.stages_ms["encoder"] == pytest.approx(CALIBRATION.measured["encoder"] * 1e3)


def test_slower_boards_are_predicted_slower():
    order = ["x86-64", "raspberry-pi-5", "raspberry-pi-4", "raspberry-pi-zero-2w"]
    frames = [plan(find(name), CALIBRATION, ASKED).asked.frame_ms for name in order]
    assert frames == sorted(frames)


def test_verdicts_follow_the_time_between_frames():
    took = dict.fromkeys(("features", "reading", "gestures", "encoder", "units", "prefill", "step"), 0.0)
    took |= {"detect full": 0.0, "landmarks full": 10.0}
    for frame_ms, verdict in ((BUDGET * 1000 / 30 / MARGIN - 0.1, "fits"), (32.0, "tight"), (34.0, "too slow")):
        took["landmarks full"] = frame_ms
        assert load_of(took, Setting(30.0, 1, "full"), 1.0).verdict == verdict


def test_two_hands_cost_two_runs_and_one_hand_pays_for_looking():
    took = dict.fromkeys(("features", "reading", "gestures", "encoder", "units", "prefill", "step"), 0.0)
    took |= {"detect full": 12.0, "landmarks full": 10.0}
    two = load_of(took, Setting(30.0, 2, "full"), 1.0)
    assert (two.frame_ms, two.state) == (20.0, "two hands tracked")
    assert two.worst_ms == 32.0
    took["landmarks full"] = 1.0
    one = load_of(took, Setting(30.0, 2, "full"), 1.0)
    assert one.state == "one hand tracked"
    assert one.frame_ms == pytest.approx(1.0 + 12.0 / (0.15 * 30))
    assert load_of(took, Setting(30.0, 1, "full"), 1.0).frame_ms == 1.0, "one hand allowed: nothing is looked for"


def test_what_is_dropped_comes_in_the_stated_order():
    took = dict.fromkeys(("landmarks full", "landmarks lite"), 1.0)
    order = alternatives(ASKED, took)
    assert order[0] == Setting(30.0, 2, "lite")
    assert order.index(Setting(15.0, 2, "lite")) < order.index(Setting(30.0, 1, "full"))
    assert order.index(Setting(15.0, 1, "lite")) < order.index(Setting(10.0, 2, "full"))
    assert ASKED not in order
    assert not [s for s in alternatives(Setting(30.0, 1, "lite"), took) if s.hands == 2 or s.networks == "full"]


def test_the_first_that_fits_is_proposed_and_nothing_where_nothing_does():
    answer = plan(find("raspberry-pi-5"), CALIBRATION, ASKED)
    assert not answer.fits
    assert answer.drop is not None
    before = answer.others[: list(answer.others).index(answer.drop)]
    assert not [o for o in before if o.verdict == "fits"]
    assert plan(find("cortex-a53"), CALIBRATION, ASKED).drop is None


def test_a_power_mode_slows_everything():
    jetson = find("jetson-orin-nano")
    slow = at_power(jetson, "7W")
    assert slow.cpu.gflops == pytest.approx(jetson.cpu.gflops * 0.8 / 1.7)
    assert slow.cpu.scalar.value < jetson.cpu.scalar.value
    assert at_power(jetson, "MAXN SUPER") is jetson
    with pytest.raises(DeviceError, match="has no power mode '9W'"):
        at_power(jetson, "9W")


def test_memory_over_the_budget_does_not_fit():
    answer = plan(find("x86-64"), replace(CALIBRATION, memory_mb=900.0), ASKED)
    assert answer.asked.verdict == "fits"
    assert not answer.fits


def test_what_the_board_refuses_is_refused_before_anything_is_planned():
    with pytest.raises(DeviceError, match="no int8 in TensorRT"):
        plan(find("jetson-nano-2019"), CALIBRATION, ASKED, Request(provider="tensorrt", precision="int8"))


def test_a_calibration_without_lite_networks_says_so():
    bare = replace(CALIBRATION, costs={k: v for k, v in CALIBRATION.costs.items() if "lite" not in k})
    with pytest.raises(DeviceError, match="holds no lite hand networks"):
        plan(find("raspberry-pi-4"), bare, Setting(30.0, 1, "lite"))


def test_files_that_are_no_calibration(tmp_path):
    bad = tmp_path / "x.json"
    with pytest.raises(SourceError, match="cannot be read"):
        load(bad)
    bad.write_text("{")
    with pytest.raises(SourceError, match="is not readable JSON"):
        load(bad)
    bad.write_text("{}")
    with pytest.raises(SourceError, match=r"is no calibration of this figop: make one with `figop bench"):
        load(bad)


def test_a_bench_without_hand_networks_is_no_calibration():
    with pytest.raises(SourceError, match="The bench has no detect"):
        from_result({"stages_ms": {}, "graphs": {}})


def test_the_verb_answers_and_ends_with_0_only_when_it_fits(capsys):
    assert figop("plan", "--device", "x86-64", "--fps", "30") == 0
    assert "It fits: 30 fps, two hands, full hand networks." in capsys.readouterr().out
    assert figop("plan", "--device", "raspberry-pi-4", "--fps", "30") == 1
    out = capsys.readouterr().out
    assert "predicted, not measured" in " ".join(out.split())
    assert "drop to" in out
    assert figop("plan", "--device", "xr2-gen2") == 1
    assert "figop's Python does not run there" in capsys.readouterr().out


def test_the_verb_as_json(capsys):
    assert figop("plan", "--device", "raspberry-pi-4", "--hands", "1", "--networks", "lite", "--json") == 1
    row = json.loads(capsys.readouterr().out)
    assert row["figures_are"].startswith("predicted")
    assert row["target"]["recipe"] == "float32"
    assert row["asked"]["setting"] == {"fps": 30.0, "hands": 1, "networks": "lite"}


def test_the_calibration_lies_in_the_package():
    assert OWN.is_file()
