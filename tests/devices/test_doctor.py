"""Every finding of the doctor against a faked environment, each with the command that fixes it."""

import json
from dataclasses import replace

import numpy as np
import pytest

from devices import doctor_cli, facts
from devices.doctor import NEEDS, Finding, examine, works
from devices.facts import Facts, Port, gather, idle_share, onnx_head
from edge.bundle import Bundle
from tests.devices.verbs import figop
from tests.edge.tiny_models import onnx_add

GOOD = Facts(
    packages={"numpy": "1.26.4", "ai-edge-litert": "2.3.0", "onnxruntime": "1.31.1", "pyyaml": "6", "pyserial": "3.5"},
    onnx_error="",
    graphs={"encoder": (10, 18)},
    providers=("CPUExecutionProvider",),
    spin_share=0.02,
    cameras=(Port("/dev/video0", True),),
    ports=(Port("/dev/ttyUSB0", True),),
    rclpy_error="",
    board="Raspberry Pi 5 Model B Rev 1.0",
    memory_mb=8000.0,
    free_mb=6000.0,
    clock_governor="ondemand",
    throttled="0x0",
)


def without(*names, **more):
    return {k: v for k, v in GOOD.packages.items() if k not in names} | more


def test_a_good_environment_has_nothing_to_fix():
    findings = examine(GOOD)
    assert {f.state for f in findings} == {"ok"}
    assert {f.about for f in findings} >= {"python", "glibc", "runtime", "networks", "camera", "serial", "ros", "board"}
    assert not [f for f in findings if f.fix]
    assert works(findings)


#: (what is changed, what it is about, state, text, fix)
FINDINGS = [
    ({"python": (3, 6)}, "python", "fail", r"Python 3\.6 is too old: figop needs 3\.10 to 3\.12", "conda create"),
    ({"python": (3, 13)}, "python", "fail", r"Python 3\.13 is too new", "python3.12 -m venv"),
    ({"implementation": "PyPy"}, "python", "fail", "PyPy has no wheels", "python3.11 -m venv"),
    ({"machine": "armv7l"}, "machine", "fail", r"32-bit system \(armv7l\)", "64-bit image"),
    ({"machine": "riscv64"}, "machine", "fail", "no wheels for riscv64", "aarch64 computer"),
    ({"libc": ("", "")}, "glibc", "fail", "not glibc", "python:3.11-slim"),
    ({"libc": ("glibc", "2.23")}, "glibc", "fail", r"glibc 2\.23 is older than LiteRT's wheels", "upgrade the system"),
    (
        {"libc": ("glibc", "2.27")},
        "glibc",
        "note",
        "too old for the wheels of onnxruntime; LiteRT",
        "pip install ai-edge",
    ),
    ({"libc": ("glibc", "2.31"), "machine": "aarch64"}, "glibc", "note", "wheels of tflite-runtime", "ai-edge-litert"),
    ({"packages": without("numpy")}, "numpy", "fail", "numpy is not installed", "pip install numpy"),
    ({"litert_error": "libfoo is missing"}, "runtime", "fail", "does not load: libfoo", "--force-reinstall ai-edge"),
    (
        {"litert_error": None, "tflite_error": "needs numpy 1", "packages": without(numpy="2.1.0")},
        *("runtime", "fail", r"tflite-runtime needs numpy 1, found numpy 2\.1\.0", "'numpy<2'"),
    ),
    (
        {"litert_error": None, "tflite_error": "bad wheel"},
        "runtime",
        "fail",
        "does not load: bad wheel",
        "ai-edge-litert",
    ),
    ({"litert_error": None}, "runtime", "fail", "There is no inference runtime", "pip install ai-edge-litert"),
    ({"opencv_error": "Reading pictures needs OpenCV"}, "opencv", "fail", "needs OpenCV", "opencv-python-headless"),
    (
        {"opencv_error": "Two of them; repair it: pip uninstall -y a b && pip install c"},
        *("opencv", "fail", "Two of them", "pip uninstall -y a b && pip install c"),
    ),
    ({"bundle_error": "The bundle is damaged: x"}, "bundle", "fail", "damaged", "--force-reinstall --no-deps figop"),
    ({"networks_error": "palm is not in the cache"}, "networks", "fail", "not in the cache", "figop setup"),
    ({"native": False}, "native", "note", "Python computes the same", "^figop setup"),
    ({"native": False, "compiler": ""}, "native", "note", "not built", "apt install gcc && figop setup"),
    (
        {"native": False, "environment": {"FIGOP_NATIVE": "0"}},
        *("native", "note", "FIGOP_NATIVE=0", "unset FIGOP_NATIVE"),
    ),
    ({"packages": without("pyyaml")}, "pyyaml", "warn", "cannot read profiles", "pip install pyyaml"),
    ({"onnx_error": None}, "onnx", "note", "ONNX Runtime is not installed", r"figop\[onnx\]"),
    (
        {"onnx_error": "Unsupported model IR version: 11, max supported IR version: 10", "graphs": {"a": (11, 20)}},
        *("onnx", "warn", r"of ONNX IR 11 and ONNX Runtime 1\.31\.1 reads less", "--upgrade onnxruntime"),
    ),
    (
        {"onnx_error": "no such symbol"},
        "onnx",
        "warn",
        "does not work: no such symbol",
        "--force-reinstall onnxruntime",
    ),
    (
        {"packages": without(**{"onnxruntime-gpu": "1.20.0"})},
        *("onnx", "warn", "overwrite each other's files", "pip uninstall -y onnxruntime onnxruntime-gpu"),
    ),
    (
        {"board": "NVIDIA Jetson Orin Nano Developer Kit"},
        *("providers", "note", "no GPU provider", r"pypi\.jetson-ai-lab\.io"),
    ),
    (
        {"packages": without(mediapipe="0.10.35")},
        "mediapipe",
        "warn",
        "carries no hand networks",
        r"figop\[mediapipe\]",
    ),
    ({"spin_share": 0.98}, "threads", "warn", "takes 98% of a core", "--upgrade onnxruntime"),
    (
        {"environment": {"OMP_WAIT_POLICY": "ACTIVE"}},
        "threads",
        "warn",
        "waiting threads spin",
        "unset OMP_WAIT_POLICY",
    ),
    ({"environment": {"KMP_BLOCKTIME": "200"}}, "threads", "warn", "KMP_BLOCKTIME=200", "export KMP_BLOCKTIME=0"),
    ({"cameras": ()}, "camera", "note", "There is no camera", "ls /dev/video"),
    ({"cameras": (Port("/dev/video0", False),)}, "camera", "warn", "may not use /dev/video0", "usermod -aG video"),
    ({"ports": ()}, "serial", "note", "There is no serial port", "ls /dev/ttyUSB"),
    ({"ports": (Port("/dev/ttyACM0", False),)}, "serial", "warn", "may not open /dev/ttyACM0", "usermod -aG dialout"),
    ({"packages": without("pyserial")}, "serial", "warn", "pyserial is not installed", r"figop\[serial\]"),
    ({"rclpy_error": None}, "ros", "note", "There is no ROS 2 here", r"setup\.bash"),
    (
        {"rclpy_error": None, "environment": {"ROS_DISTRO": "jazzy"}},
        *("ros", "warn", "ROS 2 jazzy is set up, and this environment cannot see", "--system-site-packages"),
    ),
    ({"rclpy_error": "librcl.so is missing"}, "ros", "warn", "does not load: librcl", r"setup\.bash"),
    (
        {"environment": {"ROS_DISTRO": "humble"}, "packages": without(numpy="2.2.0")},
        *("ros", "warn", r"humble is built for numpy 1, found numpy 2\.2\.0", "'numpy<2'"),
    ),
    ({"board": "Acme Board Rev 7"}, "board", "note", "Acme Board Rev 7 has no profile", "figop devices"),
    ({"free_mb": 90.0, "memory_mb": 416.0}, "memory", "warn", "90 of 416 MB are free", "multi-user.target"),
    ({"clock_governor": "powersave", "machine": "aarch64"}, "clock", "warn", "lowest clock", "scaling_governor"),
    ({"throttled": "0x50005"}, "power", "warn", "supply voltage is too low", "power supply"),
    ({"throttled": "0x4"}, "power", "warn", "because it is hot", "heat sink"),
]


@pytest.mark.parametrize(("changes", "about", "state", "text", "fix"), FINDINGS)
def test_finding(changes, about, state, text, fix):
    import re

    findings = examine(replace(GOOD, **changes))
    (found,) = [f for f in findings if f.about == about and f.state != "ok"]
    assert found.state == state
    assert re.search(text, found.text)
    assert re.search(fix, found.fix)
    assert works(findings) == (state != "fail")
    assert not [f for f in findings if f.about != about and f.state == "fail"], "one fault, one failure"


@pytest.mark.parametrize("need", NEEDS)
def test_what_is_needed_counts_as_the_main_job(need):
    bare = replace(GOOD, cameras=(), ports=(), rclpy_error=None, onnx_error=None)
    assert works(examine(bare))
    findings = examine(bare, [need])
    assert [f.about for f in findings if f.state == "fail"] == [need]


def test_tflite_runtime_alone_is_enough():
    findings = examine(replace(GOOD, litert_error=None, tflite_error=""))
    assert works(findings)


def test_a_broken_profile_of_somebody_else_is_told(monkeypatch, tmp_path):
    (tmp_path / "bad.yaml").write_text("schema: 1\n")
    monkeypatch.setenv("FIGOP_DEVICES", str(tmp_path))
    (found,) = [f for f in examine(GOOD) if f.about == "profile"]
    assert found.state == "warn"
    assert "bad.yaml" in found.text


def test_an_onnx_file_says_its_ir_and_opset_without_the_onnx_package():
    assert onnx_head(onnx_add()) == (10, 17)
    assert onnx_head(Bundle.open("figop-base").graph("encoder", "onnx"))[0] == 10
    assert onnx_head(b"") == (0, 0)
    assert onnx_head(b"\xff\xff\xff") == (0, 0)


def test_spinning_is_seen(monkeypatch):
    """A fake clock: processor time that runs as fast as the wall's is a spinning thread."""
    wall, used = [0.0], [0.0]
    monkeypatch.setattr(facts.time, "perf_counter", lambda: wall[0])
    monkeypatch.setattr(facts.time, "process_time", lambda: used[0])

    def sleep(seconds, spins):
        wall[0] += seconds
        used[0] += seconds * spins

    for spins in (0.02, 0.97):
        monkeypatch.setattr(facts.time, "sleep", lambda s, spins=spins: sleep(s, spins))
        assert idle_share(lambda: None) == pytest.approx(spins)


def test_facts_of_this_environment_are_gathered():
    found = gather(measure=False)
    assert found.packages["numpy"] == np.__version__
    assert found.bundle_error == ""
    assert "encoder" in found.graphs
    assert gather("no-such-bundle", measure=False).bundle_error.startswith("There is no bundle named")


def test_the_verb_ends_with_1_when_the_main_job_cannot_run(monkeypatch, capsys):
    monkeypatch.setattr(doctor_cli, "gather", lambda bundle, measure: replace(GOOD, networks_error="gone"))
    assert figop("doctor") == 1
    out = capsys.readouterr().out
    assert "FAIL networks  gone" in out
    assert "$ figop setup" in out
    assert out.splitlines()[-1] == "Captioning cannot run here. First: figop setup"
    assert figop("doctor", "--json") == 1
    row = json.loads(capsys.readouterr().out)
    assert row["works"] is False
    assert {"about": "networks", "state": "fail", "text": "gone", "fix": "figop setup"} in row["findings"]


def test_the_verb_ends_with_0_when_it_can(monkeypatch, capsys):
    monkeypatch.setattr(doctor_cli, "gather", lambda bundle, measure: replace(GOOD, cameras=()))
    assert figop("doctor") == 0
    assert "Captioning can run here. Next: figop demo" in capsys.readouterr().out
    assert figop("doctor", "--need", "camera") == 1


def test_findings_are_plain():
    assert Finding("a", "ok", "b").fix == ""
