"""A camera of this computer -> hands, gestures and captions, in one process.

ros2 launch figop_bringup camera.launch.py camera:=0 device:=raspberry-pi-5 rviz:=true
"""

import os
from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue

HERE = Path(__file__).resolve().parent.parent
#: Fast DDS's memory for pictures, unless the user has a profile; the first name is that of Humble and Jazzy
NAMES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
NAME = NAMES[os.environ.get("ROS_DISTRO") not in ("humble", "jazzy")]
PICTURES = {} if any(os.environ.get(n) for n in NAMES) else {NAME: str(HERE / "config" / "fastdds.xml")}


def generate_launch_description() -> LaunchDescription:
    """See the module's text."""
    config = PathJoinSubstitution([str(HERE / "config"), [LaunchConfiguration("device"), ".yaml"]])
    return LaunchDescription(
        [
            DeclareLaunchArgument("device", default_value="x86-64", description="parameter file of config/"),
            DeclareLaunchArgument("namespace", default_value="figop"),
            DeclareLaunchArgument("camera", default_value="0", description="number or device path"),
            DeclareLaunchArgument("view", default_value="facing", description="facing or egocentric"),
            DeclareLaunchArgument("mirrored", default_value="false", description="the pictures are a selfie view"),
            DeclareLaunchArgument("objects", default_value="/detections", description="topic of a detector"),
            DeclareLaunchArgument("objects_from", default_value="none", description="figop_msgs or vision_msgs"),
            DeclareLaunchArgument("detector", default_value="", description="detector of one's own (.onnx) to run"),
            DeclareLaunchArgument("rviz", default_value="false"),
            LifecycleNode(
                package="figop_ros",
                executable="figop_node",
                name="figop_node",
                namespace=LaunchConfiguration("namespace"),
                output="screen",
                additional_env=PICTURES,
                parameters=[
                    config,
                    {
                        "autostart": True,
                        "input.from": "camera",
                        "input.camera": ParameterValue(LaunchConfiguration("camera"), value_type=str),
                        "camera.view": ParameterValue(LaunchConfiguration("view"), value_type=str),
                        "camera.mirrored": ParameterValue(LaunchConfiguration("mirrored"), value_type=bool),
                        "objects.from": ParameterValue(LaunchConfiguration("objects_from"), value_type=str),
                        "objects.detector": ParameterValue(LaunchConfiguration("detector"), value_type=str),
                    },
                ],
                remappings=[("objects", LaunchConfiguration("objects"))],
            ),
            Node(
                package="rviz2",
                executable="rviz2",
                arguments=["-d", str(HERE / "rviz" / "figop.rviz")],
                condition=IfCondition(LaunchConfiguration("rviz")),
            ),
        ]
    )
