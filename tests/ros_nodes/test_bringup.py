"""Launch files, parameter files, RViz configuration and packages: read without ROS, against the nodes' own words."""

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
import types
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.ros_nodes.stage import ROOT

NODES = ROOT / "ros_nodes"
BRINGUP = NODES / "figop_bringup"
LAUNCHES = sorted((BRINGUP / "launch").glob("*.launch.py"))
CONFIGS = sorted((BRINGUP / "config").glob("*.yaml"))
EXECUTABLES = re.findall(
    r'"(\w+)"', re.search(r"NODES = \((.*?)\n\)", (NODES / "figop_ros/setup.py").read_text(), re.S)[1]
)


class Made:
    """Stands for anything of launch: remembers what it was made with."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs


@pytest.fixture
def launch(monkeypatch):
    """Just enough of launch and launch_ros to run a launch file where neither is installed."""
    classes = {
        "launch": ("LaunchDescription",),
        "launch.actions": ("DeclareLaunchArgument", "EmitEvent", "RegisterEventHandler"),
        "launch.conditions": ("IfCondition",),
        "launch.event_handlers": ("OnProcessExit",),
        "launch.events": ("Shutdown",),
        "launch.substitutions": ("LaunchConfiguration", "PathJoinSubstitution"),
        "launch_ros": (),
        "launch_ros.actions": ("LifecycleNode", "Node"),
        "launch_ros.parameter_descriptions": ("ParameterValue",),
    }
    for name, kinds in classes.items():
        module = types.ModuleType(name)
        for kind in kinds:
            setattr(module, kind, type(kind, (Made,), {}))
        monkeypatch.setitem(sys.modules, name, module)

    def load(path):
        spec = importlib.util.spec_from_file_location(path.stem.replace(".", "_"), path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.generate_launch_description().args[0]

    return load


def of(entities, kind):
    return [e for e in entities if type(e).__name__ == kind]


def configurations(value):
    """Names of the LaunchConfigurations in something."""
    if type(value).__name__ == "LaunchConfiguration":
        yield value.args[0]
    elif isinstance(value, Made):
        for part in (*value.args, *value.kwargs.values()):
            yield from configurations(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from configurations(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from configurations(part)


@pytest.mark.parametrize("path", LAUNCHES, ids=lambda p: p.name)
def test_launch_files(launch, path):
    entities = launch(path)
    declared = {e.args[0] for e in of(entities, "DeclareLaunchArgument")}
    used = set(configurations(entities))
    assert used == declared, "every argument is used, and every one that is used is declared"
    nodes = of(entities, "LifecycleNode")
    assert nodes
    assert all(n.kwargs["package"] == "figop_ros" and n.kwargs["executable"] in EXECUTABLES for n in nodes)
    assert all(n.kwargs["name"] == n.kwargs["executable"] for n in nodes)
    assert all(n.kwargs["parameters"][1]["autostart"] is True for n in nodes)
    assert "x86-64" in {e.kwargs.get("default_value") for e in of(entities, "DeclareLaunchArgument")}


@pytest.mark.parametrize("path", LAUNCHES, ids=lambda p: p.name)
def test_launch_files_install_nothing(path):
    tree = ast.parse(path.read_text())
    names = {
        n.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for n in (a.name for a in node.names)
    }
    names |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert names <= {"launch", "launch_ros", "os", "pathlib"}
    assert "ExecuteProcess" not in path.read_text()


@pytest.mark.parametrize("distro", ["humble", "jazzy", "kilted"])
def test_nodes_with_pictures_get_memory_for_them(launch, monkeypatch, distro):
    """By the variable that this ROS reads; who has a profile of their own keeps it."""
    old, new = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"
    monkeypatch.setenv("ROS_DISTRO", distro)
    for name in (old, new):
        monkeypatch.delenv(name, raising=False)
    profile = {new if distro == "kilted" else old: str(BRINGUP / "config" / "fastdds.xml")}
    assert Path(*profile.values()).is_file()

    def given():
        nodes = {p.name.split(".")[0]: of(launch(p), "LifecycleNode") for p in LAUNCHES}
        return {(p, n.kwargs["name"]): env for p, made in nodes.items() for n in made
                if (env := n.kwargs.get("additional_env"))}  # fmt: skip

    with_pictures = [("camera", "figop_node"), ("image", "hand_tracker"), ("replay", "player")]
    assert given() == dict.fromkeys(with_pictures, profile)
    for name in (old, new):
        with monkeypatch.context() as own:
            own.setenv(name, "mine.xml")
            assert given() == {}


def test_everything_is_installed_and_the_profile_has_room_for_two_large_pictures(tmp_path):
    pytest.importorskip("setuptools")
    copy = shutil.copytree(BRINGUP, tmp_path / "package")
    call = [sys.executable, "setup.py", "--quiet", "install_data", "--install-dir", str(tmp_path / "to")]
    subprocess.run(call, cwd=copy, check=True, capture_output=True)
    share = tmp_path / "to" / "share" / "figop_bringup"
    for folder in ("launch", "config", "rviz"):
        assert {p.name for p in (share / folder).iterdir()} == {p.name for p in (BRINGUP / folder).glob("*.*")}, folder
    space = {"": "http://www.eprosima.com"}
    tree = ET.parse(BRINGUP / "config" / "fastdds.xml").getroot()
    assert int(tree.find(".//segment_size", space).text) >= 2 * 1920 * 1080 * 3
    made = {e.text for e in tree.findall(".//transport_descriptor/transport_id", space)}
    used = {e.text for e in tree.findall(".//userTransports/transport_id", space)}
    assert made == used


@pytest.mark.parametrize("path", LAUNCHES, ids=lambda p: p.name)
def test_topics_of_a_launch_file_meet(launch, path):
    """Where an input is remapped to NODE/OUTPUT, that node is in the same file and has that output."""
    entities = launch(path)
    names = {n.kwargs["name"] for n in of(entities, "LifecycleNode")}
    for node in of(entities, "LifecycleNode"):
        for _, target in node.kwargs.get("remappings", []):
            if isinstance(target, str) and "/" in target:
                owner, output = target.split("/", 1)
                assert owner in names
                assert f'output("{output}"' in source_of(owner), f"{owner} has no output {output}"


def source_of(node):
    folder = NODES / "figop_ros" / "figop_ros"
    return (folder / f"{node}.py").read_text() + (folder / "outputs.py").read_text()


def settings_of(executable):
    """Names of a node's parameters, and their checks, from its declarations."""
    importlib.import_module("rclpy")
    module = importlib.import_module(f"figop_ros.{executable}")
    from figop_ros.node import FigopNode
    from figop_ros.parameters import COMMON

    kind = next(
        k
        for k in vars(module).values()
        if isinstance(k, type) and issubclass(k, FigopNode) and k.__module__ == module.__name__
    )
    return {s.name: s for s in (*COMMON, *kind.SETTINGS)}


def flat(tree, before=""):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{key}.")
        else:
            yield before + key, value


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.name)
def test_parameter_files_hold_what_nodes_declare(path):
    yaml = pytest.importorskip("yaml")
    pytest.importorskip("rclpy", reason="needs ROS: make test-ros")
    tree = yaml.safe_load(path.read_text())
    assert tree
    for where, body in tree.items():
        known = settings_of(where.removeprefix("/**/"))
        for name, value in flat(body["ros__parameters"]):
            setting = known[name]
            assert type(value) is type(setting.default), f"{path.name}: {name} must be {type(setting.default).__name__}"
            assert not setting.choices or value in setting.choices
            assert setting.low is None or setting.low <= value <= setting.high


def test_launch_parameters_are_declared(launch):
    pytest.importorskip("rclpy", reason="needs ROS: make test-ros")
    for path in LAUNCHES:
        for node in of(launch(path), "LifecycleNode"):
            known = settings_of(node.kwargs["executable"]).keys() | {"use_sim_time"}
            assert set(node.kwargs["parameters"][1]) <= known, path.name


def test_rviz_shows_topics_that_exist():
    yaml = pytest.importorskip("yaml")
    tree = yaml.safe_load((BRINGUP / "rviz" / "figop.rviz").read_text())
    manager = tree["Visualization Manager"]
    topics = {d["Topic"]["Value"] for d in manager["Displays"] if "Topic" in d}
    assert topics == {"/figop/figop_node/markers", "/figop/figop_node/annotated"}
    for topic in topics:
        assert f'output("{topic.rsplit("/", 1)[1]}"' in source_of("figop_node")
    assert manager["Global Options"]["Fixed Frame"] == "camera_optical_frame"


@pytest.mark.parametrize("package", ["figop_msgs", "figop_ros", "figop_bringup"])
def test_packages_are_whole(package):
    folder = NODES / package
    tree = ET.parse(folder / "package.xml").getroot()
    assert tree.findtext("name") == package
    kind = tree.findtext("export/build_type")
    assert kind == ("ament_cmake" if package == "figop_msgs" else "ament_python")
    if kind == "ament_python":
        assert (folder / "resource" / package).is_file()
        assert f'name="{package}"' in (folder / "setup.py").read_text()
        assert tree.findtext("version") in (folder / "setup.py").read_text()
        assert f"script_dir=$base/lib/{package}" in (folder / "setup.cfg").read_text()


def test_every_message_is_in_the_build():
    listed = set(
        re.findall(r"^\s+((?:msg|srv|action)/\w+\.\w+)", (NODES / "figop_msgs/CMakeLists.txt").read_text(), re.M)
    )
    found = {
        str(p.relative_to(NODES / "figop_msgs"))
        for d in ("msg", "srv", "action")
        for p in (NODES / "figop_msgs" / d).iterdir()
    }
    assert listed == found


def test_figop_ros_names_every_ros_package_that_it_imports():
    tree = ET.parse(NODES / "figop_ros" / "package.xml").getroot()
    listed = {e.text for e in tree.findall("exec_depend")}
    imported = set()
    for path in (NODES / "figop_ros" / "figop_ros").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                imported.add((node.module or "").split(".")[0])
            elif isinstance(node, ast.Import):
                imported |= {a.name.split(".")[0] for a in node.names}
    standard = set(sys.stdlib_module_names) | {"edge", "devices", "figop_ros", "numpy", "cv2", "rosbags"}
    assert imported - standard <= listed
    assert not imported & {"cv_bridge", "tf2_ros", "torch", "scipy", "export"}


def test_every_executable_is_a_module_with_main():
    for name in EXECUTABLES:
        assert "def main() -> int:" in Path(NODES / "figop_ros" / "figop_ros" / f"{name}.py").read_text()
