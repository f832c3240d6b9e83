"""SQLite engines: refused versions, and the settings of each connection."""

from pathlib import Path
from typing import Any, Final

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import URL, Engine, create_engine, event

from infra.messages import Failure, message

BUSY_TIMEOUT_MS = 10_000
STATEMENTS_CACHED = 1000
"""Prepared statements that a SQLite connection keeps; more than a node has.

A full cache gives each new statement the place of the newest one, which is then prepared again at each use. With the
driver's 100, migrations fill it.
"""
WAL_PAGES = 4000  # of 4 KiB: the log is copied into the database every 16 MiB, not every 4
SQLITE_FIXED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
"""SQLite releases, newest branch first, from which the WAL-reset corruption bug is fixed (sqlite.org/wal.html)."""
SQLITE_TOO_OLD: Final = message(
    "SQLITE_TOO_OLD",
    "SQLite {version} has the WAL-reset corruption bug. Install the pysqlite3 wheel named in requirements.lock, or "
    "any SQLite from 3.51.3 on.",
)
STORE_NOT_WAL: Final = message(
    "STORE_NOT_WAL", "{path}: the journal mode is {mode}, not WAL. Put the store on a local disk, not a network share."
)


class StoreUnfit(Failure):
    """The store cannot be used safely. The message says why and what to do."""


def check_sqlite_version(version: tuple[int, int, int]) -> None:
    """Raise StoreUnfit when this SQLite can corrupt a WAL database that two threads write and checkpoint."""
    newest, *older = SQLITE_FIXED
    if version >= newest or any(version[:2] == fixed[:2] and version >= fixed for fixed in older):
        return
    raise StoreUnfit(SQLITE_TOO_OLD, version=".".join(map(str, version)))


def sqlite_engine(path: Path) -> Engine:
    """Return the engine of a store's file. Raises StoreUnfit, for a file without WAL at the first connection."""
    check_sqlite_version(sqlite.sqlite_version_info)
    arguments = {"isolation_level": None, "check_same_thread": False, "cached_statements": STATEMENTS_CACHED}
    engine = create_engine(URL.create("sqlite", database=str(path)), module=sqlite, connect_args=arguments)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreUnfit(STORE_NOT_WAL, path=path, mode=mode)
        connection.execute("PRAGMA synchronous = FULL")
        # A savepoint keeps what it may have to undo in memory; on disk it would cost more than the write itself.
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # With isolation_level None the driver begins nothing by itself, so that a read is one snapshot only if we do.
        connection.exec_driver_sql("BEGIN")

    return engine
