"""A recording (.npz) or a rosbag2 -> gestures and captions; ends with the file.

ros2 launch figop_bringup replay.launch.py file:=session.npz
ros2 launch figop_bringup replay.launch.py file:=session.npz objects_from:=figop_msgs
ros2 launch figop_bringup replay.launch.py file:=my_bag hands:=/figop/hand_tracker/hands
"""

import os
from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, RegisterEventHandler
from launch.event_handlers import OnProcessExit
from launch.events import Shutdown
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterValue

HERE = Path(__file__).resolve().parent.parent
#: Fast DDS's memory for pictures, unless the user has a profile; the first name is that of Humble and Jazzy
NAMES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
NAME = NAMES[os.environ.get("ROS_DISTRO") not in ("humble", "jazzy")]
PICTURES = {} if any(os.environ.get(n) for n in NAMES) else {NAME: str(HERE / "config" / "fastdds.xml")}


def generate_launch_description() -> LaunchDescription:
    """See the module's text."""
    config = PathJoinSubstitution([str(HERE / "config"), [LaunchConfiguration("device"), ".yaml"]])
    place = {"package": "figop_ros", "namespace": LaunchConfiguration("namespace"), "output": "screen"}
    hands = [("hands", LaunchConfiguration("hands"))]
    player = LifecycleNode(
        executable="player",
        name="player",
        additional_env=PICTURES,
        parameters=[
            config,
            {
                "autostart": True,
                "file": ParameterValue(LaunchConfiguration("file"), value_type=str),
                "rate": ParameterValue(LaunchConfiguration("rate"), value_type=float),
                "quit_at_end": True,
                "wait.subscribers": 2,
                "wait.timeout_s": 60.0,  # a small board opens its networks meanwhile
            },
        ],
        **place,
    )
    return LaunchDescription(
        [
            DeclareLaunchArgument("device", default_value="x86-64", description="parameter file of config/"),
            DeclareLaunchArgument("namespace", default_value="figop"),
            DeclareLaunchArgument("file", description="recording (.npz) or rosbag2"),
            DeclareLaunchArgument("rate", default_value="1.0"),
            DeclareLaunchArgument(
                "hands", default_value="player/hands", description="topic of the hand frames; of a bag, its own"
            ),
            DeclareLaunchArgument(
                "objects", default_value="player/detections", description="topic of the things; of a bag, its own"
            ),
            DeclareLaunchArgument("objects_from", default_value="none", description="figop_msgs or vision_msgs"),
            LifecycleNode(
                executable="micro_gesture",
                name="micro_gesture",
                parameters=[config, {"autostart": True}],
                remappings=hands,
                **place,
            ),
            LifecycleNode(
                executable="captioner",
                name="captioner",
                parameters=[
                    config,
                    {
                        "autostart": True,
                        "objects.from": ParameterValue(LaunchConfiguration("objects_from"), value_type=str),
                    },
                ],
                remappings=[*hands, ("objects", LaunchConfiguration("objects"))],
                **place,
            ),
            player,
            RegisterEventHandler(OnProcessExit(target_action=player, on_exit=[EmitEvent(event=Shutdown())])),
        ]
    )
