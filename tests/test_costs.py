"""The table of costs: recorded by the plugin in a run of its own, and added up by directory."""

import subprocess
import sys
from pathlib import Path

from tests.costs import Cost, read, table
from tests.house.sources import ROOT

WORKS = """
import subprocess, sys, time
def test_works():
    subprocess.run([sys.executable, "-c", "import time\\nwhile time.process_time() < 0.4: pass"], check=True)
def test_waits():
    time.sleep(0.4)
"""


def test_recorded_then_work_of_a_child_counts_and_waiting_does_not(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "one"
    folder.mkdir(parents=True)
    (folder / "test_two.py").write_text(WORKS)
    command = (sys.executable, "-m", "pytest", "-q", "-p", "tests.costs", "--rootdir", tmp_path, folder)
    given = {"PYTHONPATH": str(ROOT)}
    subprocess.run([*command, f"--junitxml={tmp_path / 'made.xml'}"], cwd=tmp_path, env=given, check=True)

    works, waits = read(tmp_path / "made.xml")

    assert (works.directory, works.test) == ("tests/one", "test_two::test_works")
    assert works.processor >= 0.3
    assert waits.wall >= 0.4
    assert waits.processor < 0.25


def test_table_then_the_costliest_come_first_and_cases_are_added_up() -> None:
    costs = [Cost("tests/a", f"test_x::test_{n}", 1.0, float(n)) for n in range(7)]
    costs += [Cost("tests/b", "test_y::test_y", 2.0, 30.0)] * 2

    head, _, *rows = table(costs)

    assert head.count("|") == 5
    assert rows[:3] == [
        "| **tests/b** | 2 | 4.0 | 60.0 |",
        "| `test_y::test_y` | 2 | 4.0 | 60.0 |",
        "| **tests/a** | 7 | 7.0 | 21.0 |",
    ]
    assert [row.split()[1] for row in rows[3:-1]] == [f"`test_x::test_{n}`" for n in (6, 5, 4, 3, 2)]
    assert rows[-1] == "| **all** | 9 | 11.0 | 81.0 |"
