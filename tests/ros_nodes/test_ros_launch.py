"""What the launch files name, started: by launch where it is installed, else as the processes that they describe.

`launch` has no wheel. The stand-ins remember what the files make; here that is resolved as launch would and run.
"""

import os
import subprocess
import sys
from itertools import chain

import pytest
from figop_msgs.msg import FingerCaption, GestureEvent, HandFrame, LinkState
from geometry_msgs.msg import PoseArray
from sensor_msgs.msg import Image, JointState

from devices.bench_serial import build, process
from tests.devices.link.cable import Cable
from tests.ros_nodes.stage import GOLDEN, NODES, ROOT, wait_for
from tests.ros_nodes.test_bringup import BRINGUP, Made, launch, of  # noqa: F401  launch is a fixture


def resolved(value, given):
    """What launch makes of a value: text."""
    match type(value).__name__:
        case "LaunchConfiguration":
            return str(given[value.args[0]])
        case "ParameterValue":
            return resolved(value.args[0], given)
        case "PathJoinSubstitution":
            return "/".join(resolved(part, given) for part in value.args[0])
        case "list":
            return "".join(resolved(part, given) for part in value)
        case "bool":
            return str(value).lower()
    return str(value)


def started(stage, entities, **given):
    """Every node of a launch description as a process, with its parameter file, parameters and remappings."""
    given = {e.args[0]: e.kwargs.get("default_value") for e in of(entities, "DeclareLaunchArgument")} | given
    given["namespace"] = stage.namespace
    missing = [name for name, value in given.items() if value is None]
    assert not missing, f"this launch file needs {missing}"
    for node in of(entities, "LifecycleNode"):
        about = node.kwargs
        condition = about.get("condition")
        if condition is not None and resolved(condition.args[0], given) != "true":
            continue
        config, parameters = about["parameters"]
        words = ["-r", f"__ns:={resolved(about['namespace'], given)}", "-r", f"__node:={about['name']}"]
        words += ["--params-file", resolved(config, given)]
        for name, value in parameters.items():
            kind = value.kwargs["value_type"] if isinstance(value, Made) else type(value)
            text = resolved(value, given)
            words += ["-p", f"{name}:='{text}'" if kind is str else f"{name}:={text}"]
        words += chain.from_iterable(("-r", f"{a}:={resolved(b, given)}") for a, b in about.get("remappings") or [])
        stage.processes.append(
            subprocess.Popen(
                [sys.executable, "-m", f"figop_ros.{about['executable']}", "--ros-args", *words],
                env={
                    **os.environ,
                    "PYTHONPATH": os.pathsep.join((str(NODES), str(ROOT))),
                    **about.get("additional_env", {}),
                },
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )


def ended(stage):
    """End all processes; what they said."""
    for one in stage.processes:
        one.terminate()
    return [one.communicate(timeout=60)[0] for one in stage.processes]


def test_replay(stage, launch):  # noqa: F811
    entities = launch(BRINGUP / "launch" / "replay.launch.py")
    started(stage, entities, file=GOLDEN / "right_facing.npz", rate=1.0)
    gestures = stage.ear(GestureEvent, "micro_gesture/gestures")
    captions = stage.ear(FingerCaption, "captioner/captions")
    wait_for(lambda: gestures and captions, seconds=120)
    player = stage.processes[-1]
    assert player.wait(60) == 0  # quit_at_end, for which launch shuts the others down
    said = "".join(ended(stage))
    assert "There is no parameter" not in said
    assert "Traceback" not in said


def test_image_topic(stage, launch):  # noqa: F811
    entities = launch(BRINGUP / "launch" / "image.launch.py")
    started(stage, entities, image=stage.name("cam"), camera_info=stage.name("info"), device="jetson-orin-nano")
    for topic, nodes in (("cam", 1), ("hand_tracker/hands", 3)):
        wait_for(lambda topic=topic, n=nodes: stage.probe.count_subscribers(stage.name(topic)) == n, topic, seconds=120)
    hands = stage.ear(HandFrame, "hand_tracker/hands")
    picture = Image(width=64, height=48, encoding="rgb8", step=192, data=bytes(64 * 48 * 3))
    picture.header.frame_id = "cam"
    mouth = stage.mouth(Image, "cam", reliable=False)

    def seen():
        mouth.publish(picture)
        return hands

    assert wait_for(seen, seconds=60)[0].header.frame_id == "cam"
    assert "There is no parameter" not in "".join(ended(stage))


def test_headset_and_gripper(stage, launch):  # noqa: F811
    entities = launch(BRINGUP / "launch" / "headset.launch.py")
    started(stage, entities, left=stage.name("xr/left"), right=stage.name("xr/right"), gripper="true")
    assert len(stage.processes) == 4
    stage.mouth(PoseArray, "xr/left", reliable=False)
    wait_for(lambda: stage.probe.count_subscribers(stage.name("headset/hands")) == 3, "listeners", seconds=120)
    joints = stage.ear(JointState, "gripper/joint_states")
    wait_for(lambda: joints, seconds=60)
    assert "There is no parameter" not in "".join(ended(stage))


def test_serial(stage, launch, tmp_path):  # noqa: F811
    cable = Cable(tmp_path)
    try:
        with process(str(build(tmp_path)), cable.board_port):
            started(stage, launch(BRINGUP / "launch" / "serial.launch.py"), port=cable.link_path)
            states = stage.ear(LinkState, "serial_bridge/link_state")
            wait_for(lambda: any(s.connected for s in states), seconds=60)
            assert "There is no parameter" not in "".join(ended(stage))
    finally:
        cable.close()


def test_by_launch_itself(stage):
    """Where launch is installed (any ROS from apt), it starts the replay and ends with the file."""
    service = pytest.importorskip("launch", reason="launch has no wheel; it comes with ROS from apt").LaunchService()
    from launch import LaunchDescription
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    source = PythonLaunchDescriptionSource(str(BRINGUP / "launch" / "replay.launch.py"))
    given = {"file": str(GOLDEN / "right_facing.npz"), "rate": "4.0", "namespace": stage.namespace}
    service.include_launch_description(
        LaunchDescription([IncludeLaunchDescription(source, launch_arguments=given.items())])
    )
    captions = []
    stage.probe.create_subscription(FingerCaption, stage.name("captioner/captions"), captions.append, 100)
    assert service.run() == 0
    assert any(c.final for c in captions)
