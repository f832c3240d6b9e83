"""For tests of the command line: the process that forks their commands."""

from collections.abc import Iterator

import pytest

from tests.api.cli.commands import RUNNING, Commands


@pytest.fixture(scope="module")
def commands() -> Iterator[Commands]:
    """Start the process from which `batchloom` forks each command of a module's tests."""
    with Commands() as commands:
        RUNNING.append(commands)
        yield commands
        RUNNING.clear()
