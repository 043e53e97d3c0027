from setuptools import setup

NODES = (
    *("hand_tracker", "figop_buffer", "micro_gesture", "captioner", "figop_node"),
    *("headset", "player", "recorder", "serial_bridge", "gripper"),
)

setup(
    name="figop_ros",
    version="0.1.0",
    packages=["figop_ros"],
    data_files=[
        ("share/ament_index/resource_index/packages", ["resource/figop_ros"]),
        ("share/figop_ros", ["package.xml"]),
    ],
    zip_safe=True,
    description="figop as ROS 2 lifecycle nodes",
    license="Apache-2.0",
    entry_points={"console_scripts": [f"{node} = figop_ros.{node}:main" for node in NODES]},
)
