"""A migration that is cut short at any statement leaves the store at the old revision or the new, and runs again."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from alembic import command
from sqlalchemy import Connection, event, inspect

from infra.database import Store
from infra.postgres import EmbeddedPostgres
from migrations import config, upgrade
from tests.databases import fresh_database
from tests.patience import patient
from tests.upgrades.recorded import VERSIONS, restore

OLDEST: Final = VERSIONS[0]
FIRST: Final = "0001"
# A process that is killed by its kernel when it is about to send the n-th statement.
KILLED: Final = """
import os, signal, sys
from sqlalchemy import event
from infra.database import Store
from migrations import upgrade
store, left = Store(sys.argv[1]), [int(sys.argv[2])]

@event.listens_for(store.engine, "before_cursor_execute")
def count(*_):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)

upgrade(store)
"""


class CutShort(Exception):
    """The statement that was not allowed to run."""


@contextmanager
def failing(store: Store, number: int) -> Iterator[list[int]]:
    """Fail the n-th statement; yields how many there were."""
    seen = [0]

    def count(*_: Any) -> None:
        seen[0] += 1
        if seen[0] == number:
            raise CutShort(number)

    event.listen(store.engine, "before_cursor_execute", count)
    try:
        yield seen
    finally:
        event.remove(store.engine, "before_cursor_execute", count)


def shape(store: Store) -> tuple[str, frozenset[str]]:
    """Return the revision and the tables of a store."""
    with store.engine.connect() as connection:
        (revision,) = _revisions(connection)
        return revision, frozenset(inspect(connection).get_table_names())


def _revisions(connection: Connection) -> list[str]:
    return [str(row[0]) for row in connection.exec_driver_sql("SELECT version_num FROM alembic_version")]


def old_store(kind: str, request: pytest.FixtureRequest, folder: Path) -> str:
    """Return the address of a store at the first revision."""
    if kind == "sqlite":
        return restore(OLDEST, "HUB", folder)
    server = request.getfixturevalue("postgres_18")
    assert isinstance(server, EmbeddedPostgres)
    url = fresh_database(server)
    with closing(Store(url)) as store:
        command.upgrade(config(store), FIRST)
    return url


both = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


@both
def test_migration_fails_at_every_statement_then_nothing_is_half_done(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    with closing(Store(old_store(kind, request, tmp_path))) as store:
        before = shape(store)
        assert before[0] == FIRST
        seen = [0]
        for number in range(1, 1000):
            try:
                with failing(store, number) as seen:
                    upgrade(store)
            except CutShort:
                assert shape(store) == before, f"statement {number}"
            else:
                break
        assert seen[0] > 4, "there was something to cut short"
        after = shape(store)
        assert after[0] > FIRST
        assert after[1] > before[1]
        upgrade(store)
        assert shape(store) == after


@both
def test_migration_killed_before_its_last_statement_then_it_runs_again(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    """By then every table is made and every row is moved, and nothing is committed."""
    for name in ("counted", "killed"):
        (tmp_path / name).mkdir()
    with closing(Store(old_store(kind, request, tmp_path / "counted"))) as store, failing(store, 0) as seen:
        upgrade(store)
    url = old_store(kind, request, tmp_path / "killed")
    with closing(Store(url)) as store:
        before = shape(store)
    done = subprocess.run([sys.executable, "-c", KILLED, url, str(seen[0])], check=False, timeout=patient(60))
    assert done.returncode == -signal.SIGKILL
    with closing(Store(url)) as store:
        assert shape(store) == before
        upgrade(store)
        assert shape(store)[0] > FIRST
