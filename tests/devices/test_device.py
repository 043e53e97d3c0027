"""Profiles: all of figop's own are whole and sourced; a wrong one is refused with the place and the nearest name."""

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from devices import device as registry
from devices.device import Device, Figure, all_devices, find, load
from devices.schema import DeviceError
from edge.runtime.session import PROVIDERS, RUNTIMES
from tests.devices.verbs import figop

OWN = Path(registry.__file__).parent / "profiles"
NAMES = [
    "jetson-orin-nano",
    "jetson-agx-orin",
    "jetson-xavier-nx",
    "jetson-nano-2019",
    "raspberry-pi-5",
    "raspberry-pi-4",
    "raspberry-pi-zero-2w",
    "cortex-a53",
    "cortex-a72",
    "cortex-a76",
    "xr2-gen2",
    "coral-edge-tpu",
    "x86-64",
    "browser-wasm",
]
SAMPLE = Path(__file__).parent / "sample_boards"


@pytest.fixture(autouse=True)
def nobodys_own_profiles(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("FIGOP_DEVICES", raising=False)


def changed(tmp_path, name="my-board", **changes):
    """A Raspberry Pi 4 under another name; dotted keys change what is inside, None removes."""
    raw = yaml.safe_load((OWN / "raspberry-pi-4.yaml").read_text()) | {"name": name}
    for place, value in changes.items():
        *path, last = place.split("__")
        inside = raw
        for key in path:
            inside = inside[key]
        if value is None:
            del inside[last]
        else:
            inside[last] = value
    file = tmp_path / f"{name}.yaml"
    file.write_text(yaml.safe_dump(raw))
    return file


@pytest.mark.parametrize("name", NAMES)
def test_every_device_of_the_list_is_there_and_says_where_its_figures_come_from(name):
    device = find(name)
    assert device.name == name
    figures = dict(device.figures())
    assert {"cpu.cores", "cpu.ghz", "cpu.flop_per_cycle", "cpu.scalar", "memory.mb", "memory.gb_per_s"} <= set(figures)
    for place, figure in figures.items():
        assert len(figure.basis) > 8, place
    if device.runs_python and device.name != "coral-edge-tpu":
        assert device.export.runtime in RUNTIMES
        assert set(device.export.providers) <= set(PROVIDERS)


def test_no_other_profile_lies_there():
    assert sorted(p.stem for p in OWN.glob("*.yaml")) == sorted(NAMES)
    assert [d.name for d in all_devices()] == sorted(NAMES)


def test_peaks_are_arithmetic_on_the_profile():
    pi = find("raspberry-pi-5")
    assert pi.cpu.gflops == pytest.approx(2.4 * 16)
    assert pi.cpu.gops == pytest.approx(2.4 * 64)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"memroy": 1}, r"my-board\.yaml has the unknown key 'memroy'; did you mean 'memory'\?"),
        ({"cpu__ghzz": 1}, r"my-board\.yaml: cpu has the unknown key 'ghzz'; did you mean 'ghz'\?"),
        ({"cpu__ghz__sauce": "x"}, r"cpu: ghz has the unknown key 'sauce'; did you mean 'source'\?"),
        ({"cpu": None}, r"my-board\.yaml lacks 'cpu'"),
        ({"kind": "toaster"}, r"kind must be one of board, core, .*, found 'toaster'"),
        ({"cpu__ghz": 1.5}, r"cpu: ghz must be a mapping of names to values, found 1\.5"),
        ({"cpu__ghz__value": "fast"}, r"cpu: ghz: value must be a number, found 'fast'"),
        ({"cpu__ghz__value": True}, r"value must be a number, found True"),
        ({"cpu__ghz__value": float("nan")}, r"value must be a finite number"),
        ({"cpu__ghz__value": -1}, r"The figure -1 must be above 0"),
        ({"cpu__ghz__source": None}, r"must say its source, arithmetic or assumed: one of them"),
        ({"cpu__ghz__assumed": "a guess"}, r"must say its source, arithmetic or assumed: one of them"),
        ({"title": " "}, r"title must not be empty"),
        ({"matches": "Pi"}, r"matches must be a list, found 'Pi'"),
        ({"schema": 99}, r"is of profile schema 99, and this figop reads up to 1"),
        ({"schema": "1"}, r"is not a device profile: it has no schema number"),
        ({"path": "x"}, r"has the unknown key 'path'"),
        ({"export__recipe": "int8"}, r"export: the recipe 'int8' is no recipe name"),
        ({"export__runtime": "onxx"}, r"export: the runtime 'onxx' is not among the device's runtimes"),
        ({"export__format": "pb"}, r"export: litert has no such format or provider"),
        ({"export__threads": 5}, r"export: 5 threads on 4 cores"),
        ({"refuses": [{"when": {"colour": "red"}, "why": "x", "source": "y"}]}, r"'colour' is nothing that is asked"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_place(tmp_path, changes, sentence):
    with pytest.raises(DeviceError, match=sentence):
        load(changed(tmp_path, **changes))


def test_a_name_must_be_kebab_case(tmp_path):
    with pytest.raises(DeviceError, match="must be kebab-case such as raspberry-pi-4, found 'My_Board'"):
        load(changed(tmp_path, name="My_Board"))


def test_files_that_are_no_yaml_or_not_there(tmp_path):
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_text("just words")
    with pytest.raises(DeviceError, match="is not readable YAML"):
        load(tmp_path / "a.yaml")
    with pytest.raises(DeviceError, match="is not a device profile"):
        load(tmp_path / "b.yaml")
    with pytest.raises(DeviceError, match="cannot be read: No such file"):
        load(tmp_path / "c.yaml")


def test_unknown_names_get_the_nearest_or_the_list():
    with pytest.raises(DeviceError, match="There is no device 'raspberypi-4'; did you mean raspberry-pi-4"):
        find("raspberypi-4")
    with pytest.raises(DeviceError, match="known are browser-wasm, coral-edge-tpu"):
        find("zzz")


def test_a_dropped_in_file_is_found_and_goes_before_our_own(tmp_path, monkeypatch):
    folder = tmp_path / "config" / "figop" / "devices"
    folder.mkdir(parents=True)
    changed(folder, cpu__ghz__value=2.0)
    assert find("my-board").cpu.ghz.value == 2.0
    other = tmp_path / "other"
    other.mkdir()
    changed(other, name="raspberry-pi-4", cpu__ghz__value=2.1)
    assert find("raspberry-pi-4").cpu.ghz.value == 1.8
    monkeypatch.setenv("FIGOP_DEVICES", str(other))
    assert find("raspberry-pi-4").cpu.ghz.value == 2.1
    assert find(str(folder / "my-board.yaml")).name == "my-board"


def test_a_file_must_be_named_as_its_device(tmp_path, monkeypatch):
    changed(tmp_path).rename(tmp_path / "other-board.yaml")
    monkeypatch.setenv("FIGOP_DEVICES", str(tmp_path))
    with pytest.raises(DeviceError, match="The profile of other-board calls itself 'my-board'"):
        find("other-board")


def plugged(monkeypatch, value, name="acme-one"):
    entry = metadata.EntryPoint(name, value, registry.ENTRY_POINTS)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [entry] if group == registry.ENTRY_POINTS else [])


def test_the_sample_plug_in_package_adds_its_board(monkeypatch):
    monkeypatch.syspath_prepend(str(SAMPLE))
    plugged(monkeypatch, "acme_boards:acme_one")
    device = find("acme-one")
    assert (device.family, device.cpu.core) == ("acme", "Cortex-A55")
    assert "acme-one" in {d.name for d in all_devices()}


def test_a_plug_in_that_fails_is_named(monkeypatch):
    plugged(monkeypatch, "no_such_module:x")
    with pytest.raises(DeviceError, match="The device acme-one comes from no_such_module:x, which fails"):
        find("acme-one")


def test_the_sample_package_is_found_by_its_entry_point_once_installed(tmp_path):
    """Installed as pip would: its metadata beside it on the path, no monkeypatching."""
    site = tmp_path / "site"
    about = site / "acme_boards-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "acme_boards").symlink_to(SAMPLE / "acme_boards", target_is_directory=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-boards\nVersion: 1.0\n")
    toml = (SAMPLE / "pyproject.toml").read_text()
    rows = re.search(r'entry-points."figop.devices"\]\n((?:.+\n)+)', toml)[1]
    (about / "entry_points.txt").write_text("[figop.devices]\n" + rows.replace('"', ""))
    code = "import sys; sys.path.insert(0, sys.argv[1]); from devices.device import find; print(find('acme-one').title)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(site)], capture_output=True, text=True, check=False, cwd=OWN.parents[1]
    )
    assert done.stdout == "Acme One\n", done.stderr


def test_devices_verb_lists_compares_and_prints_sources(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert figop("devices") == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in NAMES)
    assert figop("devices", "raspberry-pi-4", "raspberry-pi-5") == 0
    compared = capsys.readouterr().out
    assert "BCM2711" in compared
    assert "BCM2712" in compared
    assert figop("devices", "raspberry-pi-4", "--sources") == 0
    assert "memory.stream_gb_per_s" in (out := capsys.readouterr().out)
    assert "STREAM" in out


def test_devices_verb_as_json(capsys):
    assert figop("devices", "jetson-nano-2019", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["devices"]
    assert row["cpu"]["ghz"]["value"] == 1.43
    assert row["path"] == "jetson-nano-2019.yaml"


def test_devices_verb_refuses_an_unknown_board(capsys):
    assert figop("devices", "jetson-nano") == 2
    assert "did you mean jetson-nano-2019?" in capsys.readouterr().err


def test_figures_say_their_basis_in_words():
    assert Figure(1.0, arithmetic="2 / 2").basis == "arithmetic: 2 / 2"
    assert Figure(1.0, assumed="a guess").basis == "assumed: a guess"


def test_a_device_is_frozen():
    device = find("raspberry-pi-4")
    with pytest.raises(AttributeError):
        device.name = "x"
    assert isinstance(device, Device)
