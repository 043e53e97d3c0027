"""docs/ros.md says what the nodes declare, and names every node, topic and launch file that there is."""

import re

from figop_ros.describe import NODES, filled, parameter_tables
from figop_ros.parameters import COMMON
from tests.ros_nodes.stage import ROOT

PAGE = (ROOT / "docs" / "ros.md").read_text(encoding="utf-8")


def test_the_tables_are_the_declarations():
    assert filled(PAGE) == PAGE, "run: python -m figop_ros.describe docs/ros.md"


def test_every_parameter_is_in_the_tables():
    told = set(re.findall(r"^\| `([\w.]+)` \|", parameter_tables(), re.M))
    declared = {s.name for k in NODES.values() for s in (*COMMON, *k.SETTINGS) if not s.name.startswith("qos.")}
    assert told == declared


def test_every_setting_has_a_text_a_type_and_a_default_in_its_range():
    for kind in NODES.values():
        names = [s.name for s in (*COMMON, *kind.SETTINGS)]
        assert len(names) == len(set(names)), kind
        for s in kind.SETTINGS:
            assert s.text
            assert s.text[0] == s.text[0].lower() or s.text.split()[0].isupper()
            assert not s.choices or s.default in s.choices
            assert s.low is None or s.low <= s.default <= s.high


def test_nodes_and_launch_files_are_named():
    for name in NODES:
        assert f"| `{name}` |" in PAGE
    for path in (ROOT / "ros_nodes" / "figop_bringup" / "launch").iterdir():
        assert path.name in PAGE
