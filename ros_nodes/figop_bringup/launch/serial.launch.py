"""Gestures, captions and hands in view -> a microcontroller on a serial port, beside any of the other launch files.

ros2 launch figop_bringup serial.launch.py port:=/dev/ttyUSB0
ros2 launch figop_bringup serial.launch.py port:=/dev/ttyACM0 gestures:=figop_node/gestures hands:=figop_node/hands
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterValue

HERE = Path(__file__).resolve().parent.parent


def generate_launch_description() -> LaunchDescription:
    """See the module's text."""
    config = PathJoinSubstitution([str(HERE / "config"), [LaunchConfiguration("device"), ".yaml"]])
    topics = ("gestures", "captions", "hands")
    return LaunchDescription(
        [
            DeclareLaunchArgument("device", default_value="x86-64", description="parameter file of config/"),
            DeclareLaunchArgument("namespace", default_value="figop"),
            DeclareLaunchArgument("port", description="serial port, such as /dev/ttyUSB0"),
            DeclareLaunchArgument("baud", default_value="115200"),
            DeclareLaunchArgument("gestures", default_value="micro_gesture/gestures"),
            DeclareLaunchArgument("captions", default_value="captioner/captions"),
            DeclareLaunchArgument("hands", default_value="hand_tracker/hands"),
            LifecycleNode(
                package="figop_ros",
                executable="serial_bridge",
                name="serial_bridge",
                namespace=LaunchConfiguration("namespace"),
                output="screen",
                parameters=[
                    config,
                    {
                        "autostart": True,
                        "port.device": ParameterValue(LaunchConfiguration("port"), value_type=str),
                        "port.baud": ParameterValue(LaunchConfiguration("baud"), value_type=int),
                    },
                ],
                remappings=[(topic, LaunchConfiguration(topic)) for topic in topics],
            ),
        ]
    )
