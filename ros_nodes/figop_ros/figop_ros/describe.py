"""Tables of the documents, from the declarations: `python -m figop_ros.describe docs/ros.md` writes them anew."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from figop_ros.captioner import CaptionerNode
from figop_ros.detector import DETECTOR
from figop_ros.figop_buffer import FigopBufferNode
from figop_ros.figop_node import FigopOneNode
from figop_ros.gripper import GripperNode
from figop_ros.hand_tracker import HandTrackerNode
from figop_ros.headset import HeadsetNode
from figop_ros.micro_gesture import MicroGesture
from figop_ros.node import FigopNode
from figop_ros.objects import OBJECTS
from figop_ros.outputs import HAND_SETTINGS, WORDING
from figop_ros.parameters import COMMON, Setting
from figop_ros.pictures import PICTURES, TRACKER
from figop_ros.player import PlayerNode
from figop_ros.policy import FEATURES
from figop_ros.recorder import RecorderNode
from figop_ros.serial_bridge import SerialBridge

NODES: dict[str, type[FigopNode]] = {
    "hand_tracker": HandTrackerNode,
    "figop_buffer": FigopBufferNode,
    "micro_gesture": MicroGesture,
    "captioner": CaptionerNode,
    "figop_node": FigopOneNode,
    "headset": HeadsetNode,
    "player": PlayerNode,
    "recorder": RecorderNode,
    "serial_bridge": SerialBridge,
    "gripper": GripperNode,
}
#: groups that several nodes share, told once
SHARED: dict[str, tuple[Setting, ...]] = {
    "every node": COMMON,
    "pictures": PICTURES,
    "tracker": TRACKER,
    "hands out": HAND_SETTINGS,
    "wording": WORDING,
    "things": OBJECTS,
    "detector": DETECTOR,
}


def rows(settings: Any) -> list[str]:
    """A Markdown table of settings."""
    out = ["| parameter | default | values | while it runs | what |", "| --- | --- | --- | --- | --- |"]
    for s in settings:
        default = str(s.default).lower() if isinstance(s.default, bool) else s.default
        live = "yes" if s.live else ""
        out.append(f"| `{s.name}` | {f'`{default}`' if default != '' else ''} | {s.allowed()} | {live} | {s.text} |")
    return out


def parameter_tables() -> str:
    """Every parameter of every node; shared groups once, quality of service apart."""
    out: list[str] = []
    for title, settings in SHARED.items():
        users = [n for n, k in NODES.items() if title == "every node" or set(settings) <= set(k.SETTINGS)]
        whose = "" if title == "every node" else f" ({', '.join(f'`{n}`' for n in users)})"
        out += [f"**{title}**{whose}", "", *rows(s for s in settings if not s.name.startswith("qos.")), ""]
    shared = {s for settings in SHARED.values() for s in settings}
    for name, kind in NODES.items():
        own = [s for s in kind.SETTINGS if s not in shared and not s.name.startswith("qos.")]
        if own:
            out += [f"**{name}**", "", *rows(own), ""]
    return "\n".join(out).rstrip()


def qos_table() -> str:
    """The defaults of qos.* of every node."""
    out = ["| node | qos.TOPIC | reliability | depth |", "| --- | --- | --- | --- |"]
    for name, kind in NODES.items():
        values = {s.name: s.default for s in kind.SETTINGS if s.name.startswith("qos.")}
        for topic in dict.fromkeys(n.rsplit(".", 1)[0] for n in values):
            short = topic.removeprefix("qos.")
            out.append(f"| `{name}` | `{short}` | {values[f'{topic}.reliability']} | {values[f'{topic}.depth']} |")
    return "\n".join(out)


def feature_table() -> str:
    """The policy's features."""
    out = ["| feature | shape | dtype | what |", "| --- | --- | --- | --- |"]
    for name, f in FEATURES.items():
        out.append(f"| `{name}` | {list(f.shape)} | {f.dtype} | {f.text} |")
    return "\n".join(out)


TABLES = {"parameters": parameter_tables, "qos": qos_table, "features": feature_table}


def filled(text: str) -> str:
    """A document with its tables as the code has them now: between `<!-- table: NAME -->` and `<!-- end -->`."""
    for name, make in TABLES.items():
        start, end = f"<!-- table: {name} -->\n", "<!-- end -->"
        if start in text:
            before, after = text.split(start, 1)
            text = f"{before}{start}{make()}\n{end}{after.split(end, 1)[1]}"
    return text


if __name__ == "__main__":
    page = Path(sys.argv[1])
    page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
