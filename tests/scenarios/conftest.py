"""Groups of real processes for the scenarios, and their logs beside every failure."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.scenarios.preparing import Prepared, copy_group
from tests.scenarios.processes import RUNNING, Group


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes said when a test that ran them failed."""
    report = yield
    if report.failed:
        folder = item.path.parent
        if folder == Path(__file__).parent:
            report.sections += [(f"{name}", text) for group in RUNNING for name, text in group.logs()]
    return report


@pytest.fixture
def group(prepared: Prepared, tmp_path: Path) -> Iterator[Group]:
    """A group of its own for a test, not yet started."""
    with copy_group(prepared, tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def running_group(prepared: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """A group that runs for all tests of a file."""
    with copy_group(prepared, tmp_path_factory.mktemp("group")) as made:
        made.start()
        yield made
