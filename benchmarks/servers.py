"""A PostgreSQL server of our own for a benchmark run, durable and with the memory that a hub would give it."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import psycopg
from psycopg import sql

from infra.postgres import EmbeddedPostgres, find_binaries

SETTINGS = {"shared_buffers": "2GB", "max_wal_size": "8GB", "random_page_cost": "1.1", "checkpoint_timeout": "1h"}


@contextmanager
def server(
    major: int | None = None, more: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[EmbeddedPostgres, str]]:
    """Yield a running server, of the newest version found unless given, and its version; it is deleted afterwards.

    `more` are further settings of PostgreSQL.
    """
    found = [one for one in find_binaries() if major is None or one.version[0] == major]
    binaries = max(found, key=lambda one: one.version)
    with tempfile.TemporaryDirectory(prefix="batchloom-bench-", dir="/var/tmp") as name:
        home = Path(name)
        home.chmod(0o711)
        with EmbeddedPostgres(home, binaries=binaries.directory, state=home / "state") as running:
            with psycopg.connect(_plain(running), autocommit=True) as connection:
                for setting, value in {**SETTINGS, **more}.items():
                    statement = sql.SQL("ALTER SYSTEM SET {} = {}")
                    connection.execute(statement.format(sql.Identifier(setting), sql.Literal(value)))
            running.stop()
            running.start()
            yield running, "PostgreSQL " + ".".join(map(str, binaries.version))


def _plain(running: EmbeddedPostgres) -> str:
    return running.url("postgres").replace("postgresql+psycopg", "postgresql")
