"""A headset's joints (geometry_msgs/PoseArray, 26 poses in OpenXR's order) -> hands, gestures, captions.

ros2 launch figop_bringup headset.launch.py left:=/xr/left_hand right:=/xr/right_hand gripper:=true
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterValue

HERE = Path(__file__).resolve().parent.parent


def generate_launch_description() -> LaunchDescription:
    """See the module's text."""
    config = PathJoinSubstitution([str(HERE / "config"), [LaunchConfiguration("device"), ".yaml"]])

    def node(executable: str, remappings: list, condition: object = None, **parameters: object) -> LifecycleNode:
        return LifecycleNode(
            package="figop_ros",
            executable=executable,
            name=executable,
            namespace=LaunchConfiguration("namespace"),
            output="screen",
            parameters=[config, {"autostart": True, **parameters}],
            remappings=remappings,
            condition=condition,
        )

    hands = [("hands", "headset/hands")]
    heard = [
        *hands,
        ("gestures", "micro_gesture/gestures"),
        ("tokens", "captioner/tokens"),
        ("captions", "captioner/captions"),
    ]
    return LaunchDescription(
        [
            DeclareLaunchArgument("device", default_value="x86-64", description="parameter file of config/"),
            DeclareLaunchArgument("namespace", default_value="figop"),
            DeclareLaunchArgument("left", default_value="/xr/left_hand/joints"),
            DeclareLaunchArgument("right", default_value="/xr/right_hand/joints"),
            DeclareLaunchArgument("axes", default_value="openxr", description="openxr, optical or ros"),
            DeclareLaunchArgument("gripper", default_value="false", description="drive the simulated gripper"),
            node(
                "headset",
                [("left/joints", LaunchConfiguration("left")), ("right/joints", LaunchConfiguration("right"))],
                **{"joints.axes": ParameterValue(LaunchConfiguration("axes"), value_type=str)},
            ),
            node("micro_gesture", hands),
            node("captioner", hands),
            node("gripper", heard, condition=IfCondition(LaunchConfiguration("gripper"))),
        ]
    )
