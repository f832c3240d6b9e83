"""Stores, and the sessions that read and write them: the one place that begins and commits transactions.

Reads are made through a `ReadSession` (SQLModel, one consistent snapshot). Writes are made through a `Session`, which
runs SQL on the driver's own connection: the two hot paths (a plant's write, the hub's apply) would spend most of their
time in the layers above it (`docs/explanation/performance.md`).
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, cast

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import PoolProxiedConnection
from sqlmodel import Session as SQLModelSession

from infra.marks import Keeper, Raised

BUSY_TIMEOUT_MS = 10_000
WAL_PAGES = 4000  # of 4 KiB: the log is copied into the database every 16 MiB, not every 4
SQLITE_FIXED = ((3, 51, 3), (3, 50, 7), (3, 44, 6))
"""SQLite releases, newest branch first, from which the WAL-reset corruption bug is fixed (sqlite.org/wal.html)."""

PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)", re.ASCII)

Row = tuple[Any, ...]
Parameters = Mapping[str, Any]


class StoreUnfit(Exception):
    """The store cannot be used safely; the message says why and what to do."""


class _Cursor(Protocol):
    @property
    def rowcount(self) -> int: ...
    def fetchall(self) -> list[Row]: ...
    def fetchone(self) -> Row | None: ...


@lru_cache(maxsize=4096)
def _for_psycopg(sql: str) -> str:
    return PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))


class Session:
    """A write transaction in progress. SQL is written once, with `:name` parameters, for both databases."""

    def __init__(self, driver: Any, dialect: str) -> None:
        self.driver = driver
        self.dialect = dialect
        self.marks = Raised()
        self._cursor = driver.cursor()
        # Bound once: a command runs some thirty statements, and each layer of calls around them shows.
        self._execute: Callable[[str, Parameters], _Cursor] = (
            self._cursor.execute if dialect == "sqlite" else self._execute_in_psycopg
        )

    def _execute_in_psycopg(self, sql: str, parameters: Parameters) -> _Cursor:
        return cast("_Cursor", self._cursor.execute(_for_psycopg(sql), parameters))

    def rows(self, sql: str, parameters: Parameters = {}) -> list[Row]:  # noqa: B006 -- never written to.
        """Return all rows of a query, as tuples."""
        return self._execute(sql, parameters).fetchall()

    def octets(self, sql: str, parameters: Parameters = {}) -> list[Row]:  # noqa: B006 -- never written to.
        """Return all rows as `rows` does; for long bytes, which PostgreSQL then sends as they are, not as hex."""
        if self.dialect == "sqlite":
            return self.rows(sql, parameters)
        return cast("_Cursor", self.driver.cursor(binary=True).execute(_for_psycopg(sql), parameters)).fetchall()

    def row(self, sql: str, parameters: Parameters = {}) -> Row | None:  # noqa: B006 -- never written to.
        """Return the first row of a query, or None."""
        return self._execute(sql, parameters).fetchone()

    def run(self, sql: str, parameters: Parameters = {}) -> int:  # noqa: B006 -- never written to.
        """Run a statement and return how many rows it touched."""
        return self._execute(sql, parameters).rowcount

    def run_many(self, sql: str, parameters: Sequence[Parameters]) -> int:
        """Run a statement once for each set of parameters and return how many rows were touched in all."""
        self._cursor.executemany(sql if self.dialect == "sqlite" else _for_psycopg(sql), parameters)
        return int(self._cursor.rowcount)

    def close(self) -> None:
        """Give up the cursor, in the thread that used it.

        One that is let go later, with the traceback of a refusal say, resets its statement wherever that is then; and
        the driver may have given the same statement to another session, whose rows would come twice or not at all.
        """
        self._cursor.close()

    def need_not_last(self) -> None:
        """Let PostgreSQL commit this transaction before it is on disk, in order with the others as ever.

        A crash of its server may then undo the last moments: only for work that is found undone, and done again.
        """
        if self.dialect == "postgresql":
            self.run("SET LOCAL synchronous_commit = off")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo what the block wrote when it raises, and leave what came before it in place."""
        self.run("SAVEPOINT one")
        marks = self.marks.copied()
        try:
            yield
        except BaseException:
            self.marks = marks
            self.run("ROLLBACK TO SAVEPOINT one")
            self.run("RELEASE SAVEPOINT one")
            raise
        self.run("RELEASE SAVEPOINT one")


class ReadSession(SQLModelSession):
    """A consistent snapshot that can only be read. Queries ask for this type, commands for `Session`."""

    @property
    def dialect(self) -> str:
        """Which database it is: sqlite or postgresql."""
        return self.get_bind().dialect.name

    def rows(self, sql: str, parameters: Parameters = {}) -> list[Row]:  # noqa: B006 -- never written to.
        """Return all rows of a query written as for `Session`, as tuples, from the same snapshot."""
        driver = self.connection().connection.driver_connection
        with closing(Session(driver, self.dialect)) as session:
            return session.rows(sql, parameters)


class Store:
    """A node's database: a SQLite file in WAL mode with full synchronisation, or PostgreSQL by URL."""

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            # Not `from`: the library's text repeats the address, which may hold a password.
            raise StoreUnfit(
                "The store's address cannot be read. Write sqlite:////path or postgresql://user:password@host/name. /"
                " 数据库地址无法识别。"
            ) from None
        self.dialect = parsed.get_backend_name()
        if self.dialect == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                message = "A store needs a file: sqlite:////path/to/store.db"
                raise StoreUnfit(message)
            self.engine = _sqlite_engine(Path(parsed.database))
        elif self.dialect == "postgresql":
            self.engine = create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=8)
        else:
            message = f"{self.dialect} stores are not supported: use sqlite or postgresql."
            raise StoreUnfit(message)
        self.keeper: Keeper | None = None
        self._at_hand: deque[PoolProxiedConnection] = deque()
        self._snapshots = self.engine.execution_options(
            **({"isolation_level": "REPEATABLE READ"} if self.dialect == "postgresql" else {})
        )

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Yield a write session; commit when the block ends, roll everything back when it raises.

        With a keeper, numbers drawn are reserved outside the store first.
        """
        with self._connection() as connection, closing(Session(connection, self.dialect)) as session:
            if self.dialect == "sqlite":
                session.run("BEGIN IMMEDIATE")
            try:
                yield session
                if self.keeper is not None:
                    self.keeper.before_commit(session.marks)
            except BaseException:
                session.close()
                connection.rollback()
                raise
            connection.commit()
        if self.keeper is not None:
            self.keeper.committed(session.marks)

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        """Yield a driver's connection for writing; on SQLite one is kept at hand, past the pool."""
        try:
            pooled = self._at_hand.popleft()
        except IndexError:
            pooled = self.engine.raw_connection()
        try:
            yield pooled.driver_connection
        except BaseException:
            pooled.close()
            raise
        if self.dialect == "sqlite" and not self._at_hand:
            self._at_hand.append(pooled)
        else:
            pooled.close()

    @contextmanager
    def reading(self) -> Iterator[ReadSession]:
        """Yield a session that sees one snapshot of the store."""
        with ReadSession(self._snapshots, autoflush=False) as session:
            yield session

    def close(self) -> None:
        """Give back every connection, and have the keeper write down how far the store is."""
        if self.keeper is not None:
            self.keeper.close()
        while self._at_hand:
            self._at_hand.popleft().close()
        self.engine.dispose()


def check_sqlite_version(version: tuple[int, int, int]) -> None:
    """Raise StoreUnfit when this SQLite can corrupt a WAL database that two threads write and checkpoint."""
    newest, *older = SQLITE_FIXED
    if version >= newest or any(version[:2] == fixed[:2] and version >= fixed for fixed in older):
        return
    message = (
        f"SQLite {'.'.join(map(str, version))} has the WAL-reset corruption bug. "
        "Install the pysqlite3 wheel named in requirements.lock, or any SQLite from 3.51.3 on. / "
        "此版本 SQLite 存在 WAL 重置损坏缺陷，请安装 requirements.lock 中的 pysqlite3。"
    )
    raise StoreUnfit(message)


def _sqlite_engine(path: Path) -> Engine:
    check_sqlite_version(sqlite.sqlite_version_info)
    engine = create_engine(
        f"sqlite:///{path}", module=sqlite, connect_args={"isolation_level": None, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            message = f"{path}: journal mode is {mode}, not WAL. Put the store on a local disk, not a network share."
            raise StoreUnfit(message)
        connection.execute("PRAGMA synchronous = FULL")
        # A savepoint keeps what it may have to undo in memory; on disk it would cost more than the write itself.
        connection.execute("PRAGMA temp_store = MEMORY")
        connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        # With isolation_level None the driver begins nothing by itself, so that a read is one snapshot only if we do.
        connection.exec_driver_sql("BEGIN")

    return engine
