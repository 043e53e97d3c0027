"""Fixtures of the ROS tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ros_nodes.stage import MISSING, Stage

#: what needs ROS is not even imported without it; test_without_ros.py says so
collect_ignore_glob = ["test_ros_*.py"] if MISSING else []


@pytest.fixture
def stage() -> Iterator[Stage]:
    """One test's nodes."""
    made = Stage()
    yield made
    made.close()
