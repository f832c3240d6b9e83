"""Time-outs follow the machine: they grow with its load, and still end what hangs."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.house.sources import ROOT
from tests.patience import FACTOR_MAX, Limit, factor, wait_until

CONFTEST = """
from tests import patience
def pytest_timeout_set_timer(item, settings):
    return patience.set_timer(item, settings)
"""
SLEEPING = """
import time
def test_sleeping():
    time.sleep({seconds})
"""


def run(folder: Path, *, sleeping: float, patience: str) -> subprocess.CompletedProcess[str]:
    """Run a test that sleeps and has a time-out of 0.2 seconds."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "test_sleeping.py").write_text(SLEEPING.format(seconds=sleeping))
    command = (sys.executable, "-m", "pytest", "-q", "--timeout=0.2", "--rootdir", str(folder), str(folder))
    given = {**os.environ, "TEST_PATIENCE": patience, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False)


def test_limit_then_it_grows_with_load_that_comes_and_stays_when_it_goes() -> None:
    load = [1.0]
    limit = Limit(10, ask=lambda: load[0])
    assert 9 < limit.left() <= 10
    load[0] = 3.0
    assert 29 < limit.left() <= 30
    load[0] = 1.0
    assert 29 < limit.left() <= 30
    limit.began -= 31
    assert limit.left() < 0


def test_factor_then_it_is_within_its_bounds() -> None:
    configured = float(os.environ.get("TEST_PATIENCE", "1"))
    assert configured <= factor() <= FACTOR_MAX * configured


def test_condition_that_never_comes_then_the_wait_fails_and_names_it() -> None:
    with pytest.raises(AssertionError, match="did not come about that pigs fly"):
        wait_until(lambda: None, "pigs fly", 0.05)
    assert wait_until(lambda: "at once", "it is there") == "at once"


def test_test_that_hangs_then_it_fails(tmp_path: Path) -> None:
    began = time.monotonic()
    done = run(tmp_path, sleeping=600, patience="1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Timeout" in done.stdout
    assert time.monotonic() - began < 300


def test_slower_machine_then_a_test_may_take_longer(tmp_path: Path) -> None:
    done = run(tmp_path, sleeping=1, patience="100")
    assert done.returncode == 0, done.stdout + done.stderr
