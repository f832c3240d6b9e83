"""The memory and processor time of an idle node."""

import time

import pytest

from tests.scenarios.processes import HUB, Group

PLANT_MEMORY_KIB_MAX = 200 * 1024
REST_SECONDS = 4


@pytest.mark.timeout(120)
def test_plant_at_rest_then_under_200_mb(group: Group) -> None:
    group.start(HUB, "SH1")
    node = group.nodes["SH1"]
    time.sleep(REST_SECONDS)
    used = node.memory_kib()
    assert used < PLANT_MEMORY_KIB_MAX, f"{used} KiB at rest"
    peak = node.memory_kib("VmHWM")
    assert peak < PLANT_MEMORY_KIB_MAX, f"{peak} KiB at most since the start"
    group.stop()
