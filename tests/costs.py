"""Cost of the tests by directory.

`pytest -p tests.costs --junitxml=FILE ...` records the processor time of each test and of the processes it starts.
`python -m tests.costs FILE...` prints a table of those files in Markdown.
"""

import sys
from collections import defaultdict
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

import pytest

from benchmarks.processor_time import processor_seconds

PROPERTY: Final = "processor_seconds"
NAMED: Final = 5  # costliest tests of each directory
BEGAN: Final = pytest.StashKey[float]()


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds that a test took, by the clock and of the processor; cases of one function are one test."""

    directory: str
    test: str
    wall: float
    processor: float
    cases: int = 1

    def __add__(self, other: "Cost") -> "Cost":
        wall, processor = self.wall + other.wall, self.processor + other.processor
        return Cost(self.directory, self.test, wall, processor, self.cases + other.cases)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Read the processor's clock before the fixtures of a test."""
    item.stash[BEGAN] = processor_seconds()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record the processor time in the report of the last phase, from which junitxml reads it."""
    if call.when == "teardown":
        item.user_properties.append((PROPERTY, f"{processor_seconds() - item.stash[BEGAN]:.3f}"))
    return (yield)


def read(path: Path) -> Iterator[Cost]:
    """Yield the cost of each case in a JUnit file that this plugin has completed."""
    for case in ET.parse(path).iter("testcase"):  # noqa: S314 -- pytest wrote it here.
        (recorded,) = (one.get("value", "") for one in case.iter("property") if one.get("name") == PROPERTY)
        module, name = case.get("classname", "").split("."), case.get("name", "").split("[")[0]
        directory = "/".join(module[:-1][:2])
        yield Cost(directory, f"{module[-1]}::{name}", float(case.get("time", "0")), float(recorded))


def table(costs: Iterable[Cost]) -> list[str]:
    """Return the lines of a table: a row for each directory and for each of its costliest tests."""
    tests: dict[tuple[str, str], Cost] = {}
    for cost in costs:
        key = cost.directory, cost.test
        tests[key] = tests[key] + cost if key in tests else cost
    directories: dict[str, list[Cost]] = defaultdict(list)
    for cost in tests.values():
        directories[cost.directory].append(cost)
    lines = ["| directory, its costliest tests | cases | seconds | processor seconds |", "| --- | ---: | ---: | ---: |"]
    for directory, found in sorted(directories.items(), key=lambda one: -sum(cost.processor for cost in one[1])):
        lines.append(_row(f"**{directory}**", found))
        lines += [_row(f"`{cost.test}`", [cost]) for cost in sorted(found, key=lambda one: -one.processor)[:NAMED]]
    return [*lines, _row("**all**", list(tests.values()))]


def _row(name: str, found: list[Cost]) -> str:
    cases, wall = sum(cost.cases for cost in found), sum(cost.wall for cost in found)
    return f"| {name} | {cases} | {wall:.1f} | {sum(cost.processor for cost in found):.1f} |"


if __name__ == "__main__":
    sys.stdout.write("\n".join(table(cost for path in sys.argv[1:] for cost in read(Path(path)))) + "\n")
