"""Says why the ROS tests are not here, where they are not."""

import pytest

from tests.ros_nodes.stage import MISSING


def test_ros_is_installed() -> None:
    if MISSING:
        pytest.skip(f"no {' and no '.join(MISSING)} in this environment: `make test-ros` makes one")
