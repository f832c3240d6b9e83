"""A PostgreSQL server of a benchmark run, durable and with the memory that a hub would give it."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

import psycopg
from psycopg import sql
from sqlalchemy.exc import DBAPIError

from benchmarks.programs import last_lines
from infra.postgres import Binaries, EmbeddedPostgres, PostgresUnavailable, find_binaries

SETTINGS = {"shared_buffers": "2GB", "max_wal_size": "8GB", "random_page_cost": "1.1", "checkpoint_timeout": "1h"}


@contextmanager
def server(more: Mapping[str, str] = MappingProxyType({})) -> Iterator[EmbeddedPostgres]:
    """Yield a running server of the newest version found, with further settings. It is deleted afterwards.

    A database error that leaves the block carries the server's last log lines as a note.
    """
    with tempfile.TemporaryDirectory(prefix="batchloom-bench-", dir="/var/tmp") as name:
        home = Path(name)
        home.chmod(0o711)
        running = EmbeddedPostgres(home, binaries=_newest().directory, state=home / "state")
        running.start()
        try:
            with psycopg.connect(_plain(running), autocommit=True) as connection:
                for setting, value in {**SETTINGS, **more}.items():
                    statement = sql.SQL("ALTER SYSTEM SET {} = {}")
                    connection.execute(statement.format(sql.Identifier(setting), sql.Literal(value)))
            running.stop()
            running.start()
            yield running
        except (psycopg.Error, DBAPIError) as error:
            error.add_note(f"PostgreSQL:{last_lines(home / 'postgresql.log')}")
            raise
        finally:
            # A last checkpoint on a slow disk may take longer than `stop` waits. Nothing of the cluster is kept.
            with suppress(PostgresUnavailable):
                running.stop()


def newest_postgresql() -> str:
    """Return the version of the server that the benchmarks use."""
    return ".".join(map(str, _newest().version))


def _newest() -> Binaries:
    return max(find_binaries(), key=lambda one: one.version)


def _plain(running: EmbeddedPostgres) -> str:
    return running.url("postgres").replace("postgresql+psycopg", "postgresql")
