"""Pictures between two processes: with the shipped profile they arrive; where they do not, diagnostics say why."""

import os
import subprocess
import sys
import threading
from types import SimpleNamespace

import pytest
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import Image

from figop_ros.arrivals import FEW, SILENT_S, Arrivals
from figop_ros.hand_tracker import HandTrackerNode
from figop_ros.recorder import RecorderNode
from tests.ros_nodes.stage import ROOT, wait_for
from tests.ros_nodes.test_ros_nodes import Scripted

PROFILE = ROOT / "ros_nodes" / "figop_bringup" / "config" / "fastdds.xml"
NAMES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")
#: shared memory alone, and little of it: what does not fit is lost for certain
SMALL = """<dds xmlns="http://www.eprosima.com"><profiles><transport_descriptors><transport_descriptor>
<transport_id>small</transport_id><type>SHM</type><segment_size>131072</segment_size>
</transport_descriptor></transport_descriptors><participant profile_name="small" is_default_profile="true"><rtps>
<userTransports><transport_id>small</transport_id></userTransports><useBuiltinTransports>false</useBuiltinTransports>
</rtps></participant></profiles></dds>"""

#: argv: topic, sizes of the pictures in turn, how many; a camera that begins when somebody looks
CAMERA = """
import array, sys, threading
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
topic, sizes, many = sys.argv[1], [tuple(map(int, s.split("x"))) for s in sys.argv[2].split(",")], int(sys.argv[3])
rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
node = rclpy.create_node("camera")
mouth = node.create_publisher(Image, topic, QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT))
pause = threading.Event()
while not mouth.get_subscription_count():
    pause.wait(0.05)
pause.wait(0.5)  # the other end knows us as well
for number in range(many):
    width, height = sizes[number % len(sizes)]
    picture = Image(width=width, height=height, step=3 * width, encoding="rgb8")
    picture.header.stamp.sec = number
    picture.data = array.array("B", bytes(3 * width * height))
    mouth.publish(picture)
    pause.wait(0.1)
print("done", flush=True)
sys.stdin.read()
"""
#: argv: topic; prints the stamp of every picture that is whole
EYE = """
import sys
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image
rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
node = rclpy.create_node("eye")
def see(m):
    assert len(m.data) == m.height * m.step == 921600
    print(m.header.stamp.sec, flush=True)
node.create_subscription(Image, sys.argv[1], see, QoSProfile(depth=30, reliability=ReliabilityPolicy.BEST_EFFORT))
rclpy.spin(node)
"""


@pytest.fixture
def script(stage):
    """Starts one of the scripts above as a process, with a profile for Fast DDS or none."""

    def start(text, *words, profile=None):
        given = {n: v for n, v in os.environ.items() if n not in NAMES}
        given |= dict.fromkeys(NAMES, str(profile)) if profile else {}
        made = subprocess.Popen(
            [sys.executable, "-c", text, *map(str, words)],
            env=given,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        stage.processes.append(made)
        return made

    return start


def test_pictures_arrive_in_another_process(stage, script):
    """640 x 480 in rgb8 are 921 600 bytes: without the profile most of them are lost."""
    topic, many = stage.name("image"), 30
    eye = script(EYE, topic, profile=PROFILE)
    camera = script(CAMERA, topic, "640x480", many, profile=PROFILE)
    seen = []
    threading.Thread(target=lambda: seen.extend(map(int, eye.stdout)), daemon=True).start()
    assert camera.stdout.readline() == "done\n"
    wait_for(lambda: len(seen) == many, f"{many} pictures, only {seen}", seconds=20)
    assert seen == list(range(many))


def warnings(node):
    return node.diagnose().status[0].message


def tracker(stage):
    node = stage.make(HandTrackerNode, "__node:=eyes", tf__publish=False)
    node.open_tracker = lambda name, **options: Scripted()
    stage.activate(node)
    return node


def test_lost_pictures_are_told_with_their_publisher_and_the_remedy(stage, script, tmp_path):
    """Every second picture does not fit the memory that the camera has."""
    small = tmp_path / "small.xml"
    small.write_text(SMALL)
    node = tracker(stage)
    camera = script(CAMERA, stage.name("image"), "64x48,640x480", 600, profile=small)
    wait_for(lambda: "lost between" in warnings(node), "the sentence")
    said = warnings(node)
    assert f"pictures on {stage.name('image')} were lost between /camera and {stage.namespace}/eyes" in said
    assert "start /camera with FASTDDS_DEFAULT_PROFILES_FILE (Humble, Jazzy: FASTRTPS_DEFAULT_PROFILES_FILE)" in said
    assert "figop_bringup)/config/fastdds.xml" in said
    assert node.health.counts["lost_pictures"] >= FEW
    camera.kill()
    wait_for(lambda: "lost between" not in warnings(node), "its end")


def test_a_publisher_of_which_nothing_comes(stage):
    node = tracker(stage)
    node.arrivals._clock = lambda: now
    now = 100.0
    assert "Nothing has arrived" not in warnings(node)
    mouth = stage.mouth(Image, "image", reliable=False)
    wait_for(lambda: node.get_publishers_info_by_topic(stage.name("image")))
    assert "Nothing has arrived" not in warnings(node)  # seen now, may have begun now
    now += SILENT_S + 0.5
    said = warnings(node)
    assert f"Nothing has arrived on {stage.name('image')} for 4 s, though {stage.namespace}/probe publishes" in said
    assert "either it sends nothing, or pictures that do not fit" in said
    mouth.publish(Image(width=8, height=8, encoding="rgb8", step=24, data=bytes(192)))
    wait_for(lambda: node.health.counts["frames"])
    assert "Nothing has arrived" not in warnings(node)
    now += SILENT_S - 0.5
    assert "Nothing has arrived" not in warnings(node)
    now += 1.0
    assert "Nothing has arrived" in warnings(node)


def test_the_recorder_tells_it_too(stage, tmp_path):
    pytest.importorskip("rosbags")
    node = stage.start(RecorderNode, folder=str(tmp_path), bag=True, npz=False, topics="image")
    stage.mouth(Image, "image", reliable=False)
    wait_for(lambda: node.get_publishers_info_by_topic(stage.name("image")))
    node.diagnose()
    later = node.arrivals._clock() + SILENT_S
    node.arrivals._clock = lambda: later
    assert "Nothing has arrived" in warnings(node)


class End(SimpleNamespace):
    node_namespace, node_name, topic_type = "/", "camera", "sensor_msgs/msg/Image"


@pytest.mark.parametrize(
    ("came", "lost", "told"), [(60, 2, False), (60, 6, False), (50, 10, True), (1, 59, True), (2, 2, False)]
)
def test_from_which_share_on_it_is_told(came, lost, told):
    qos = SimpleNamespace(reliability=ReliabilityPolicy.BEST_EFFORT)
    counts = SimpleNamespace(count=lambda *a: None)
    node = SimpleNamespace(
        get_publishers_info_by_topic=lambda name: [End(qos_profile=qos)],
        get_fully_qualified_name=lambda: "/me",
        health=counts,
    )
    arrivals = Arrivals(node, clock=lambda: 7.0)
    arrivals.watch("image", SimpleNamespace(topic_name="/image", qos_profile=qos), Image)
    for _ in range(came):
        arrivals.came("image")
    arrivals.lost("image", lost)
    assert bool(arrivals.sentences()) is told
    assert all(f"{lost} of {lost + came} pictures on /image" in s for s in arrivals.sentences())
