"""An image topic -> hands, units, gestures, captions; a process for each node.

ros2 launch figop_bringup image.launch.py image:=/camera/image_raw camera_info:=/camera/camera_info
"""

import os
from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
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
    common = {"autostart": True, "use_sim_time": ParameterValue(LaunchConfiguration("use_sim_time"), value_type=bool)}

    def node(executable: str, remappings: list, **parameters: object) -> LifecycleNode:
        return LifecycleNode(
            package="figop_ros",
            executable=executable,
            name=executable,
            namespace=LaunchConfiguration("namespace"),
            output="screen",
            additional_env=PICTURES if executable == "hand_tracker" else {},
            parameters=[config, {**common, **parameters}],
            remappings=remappings,
        )

    hands = [("hands", "hand_tracker/hands")]
    return LaunchDescription(
        [
            DeclareLaunchArgument("device", default_value="x86-64", description="parameter file of config/"),
            DeclareLaunchArgument("namespace", default_value="figop"),
            DeclareLaunchArgument("image", default_value="/camera/image_raw"),
            DeclareLaunchArgument("camera_info", default_value="/camera/camera_info"),
            DeclareLaunchArgument("depth", default_value="/camera/aligned_depth_to_color/image_raw"),
            DeclareLaunchArgument("use_depth", default_value="false"),
            DeclareLaunchArgument("input", default_value="image", description="image or compressed"),
            DeclareLaunchArgument("view", default_value="facing", description="facing or egocentric"),
            DeclareLaunchArgument("mirrored", default_value="false", description="the pictures are a selfie view"),
            DeclareLaunchArgument("objects", default_value="/detections", description="topic of a detector"),
            DeclareLaunchArgument("objects_from", default_value="none", description="figop_msgs or vision_msgs"),
            DeclareLaunchArgument("use_sim_time", default_value="false"),
            node(
                "hand_tracker",
                [
                    ("image", LaunchConfiguration("image")),
                    ("image/compressed", [LaunchConfiguration("image"), "/compressed"]),
                    ("camera_info", LaunchConfiguration("camera_info")),
                    ("depth", LaunchConfiguration("depth")),
                ],
                **{
                    "input.from": ParameterValue(LaunchConfiguration("input"), value_type=str),
                    "camera.view": ParameterValue(LaunchConfiguration("view"), value_type=str),
                    "camera.mirrored": ParameterValue(LaunchConfiguration("mirrored"), value_type=bool),
                    "depth.use": ParameterValue(LaunchConfiguration("use_depth"), value_type=bool),
                },
            ),
            node("figop_buffer", hands),
            node("micro_gesture", hands),
            node(
                "captioner",
                [*hands, ("units", "figop_buffer/units"), ("objects", LaunchConfiguration("objects"))],
                **{"objects.from": ParameterValue(LaunchConfiguration("objects_from"), value_type=str)},
            ),
        ]
    )
