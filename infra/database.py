"""Stores and their sessions. Only this module begins, commits and rolls back transactions.

A `Session` writes, a `ReadSession` reads one consistent snapshot. Both are SQLModel sessions, so cold paths use them as
SQLModel's documentation does: `session.add(row)`, `session.get(Model, key)`, `session.exec(select(Model))`.

Both also run statements on the driver's own cursor (`rows`, `run` and so on). The two hot paths, a plant's write and
the hub's apply, would spend most of their time in the layers above it (`docs/explanation/performance.md`). Such a
statement is SQL text with `:name` parameters, or a Core statement that `infra.statements` compiles once per dialect.

One transaction may mix both. A statement on the driver flushes pending rows first. It does not refresh rows that were
loaded before: call `session.refresh(row)`, or change them through `session.exec(update(Model))`.
"""

import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, cast

from sqlalchemy import URL, Connection, Executable, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import ORMExecuteState, SessionTransaction
from sqlalchemy.pool import PoolProxiedConnection
from sqlmodel import Session as SQLModelSession

from infra import statements
from infra.high_water_marks import MarkKeeper, PendingMarks
from infra.messages import message
from infra.sqlite_engine import StoreUnfit, sqlite_engine
from infra.statements import compiled_statement, join_connection
from infra.write_health import WriteHealth

PARAMETER = re.compile(r"(?<![:\w]):([a-z_][a-z0-9_]*)", re.ASCII)

Row = statements.Row
Parameters = statements.Parameters
Statement = str | Executable

STORE_ADDRESS_INVALID: Final = message(
    "STORE_ADDRESS_INVALID",
    "The store's address cannot be read. Write sqlite:////path or postgresql://user:password@host/name.",
)
STORE_FILE_NEEDED: Final = message("STORE_FILE_NEEDED", "A store needs a file. Write sqlite:////path/to/store.db.")
STORE_DIALECT_UNKNOWN: Final = message(
    "STORE_DIALECT_UNKNOWN", "{dialect} stores are not supported: use sqlite or postgresql."
)


class ReadOnlySession(TypeError):
    """A row was to be written through a read session."""


class _Cursor(Protocol):
    @property
    def rowcount(self) -> int: ...
    def fetchall(self) -> list[Row]: ...
    def fetchone(self) -> Row | None: ...


@lru_cache(maxsize=4096)
def _for_psycopg(sql: str) -> str:
    return PARAMETER.sub(r"%(\1)s", sql.replace("%", "%%"))


def driver_rows(cursor: Any, dialect: str, statement: Statement, parameters: Parameters) -> list[Row]:
    """Run a query on a driver's cursor and return all rows as tuples."""
    if isinstance(statement, str):
        sql = statement if dialect == "sqlite" else _for_psycopg(statement)
        return cast("list[Row]", cursor.execute(sql, parameters).fetchall())
    compiled = compiled_statement(statement, dialect)
    found = cast("list[Row]", cursor.execute(*compiled.bound(parameters)).fetchall())
    return list(map(compiled.values, found)) if compiled.converts else found


class Session(SQLModelSession):
    """A write transaction in progress. `Store.transaction` makes and ends it."""

    _transaction: SessionTransaction | None = None  # as SQLAlchemy sets it, also before `__getattr__` initialises it

    def __init__(self, driver: Any, dialect: str) -> None:
        self.dialect = dialect
        self.marks = PendingMarks()
        self._driver = driver
        self._joined: Connection | None = None
        self._cursor = driver.cursor()
        # Bound once: a command runs some thirty statements, and each layer of calls costs measurable time.
        self._execute_text: Callable[[str, Parameters], _Cursor] = (
            self._cursor.execute if dialect == "sqlite" else self._execute_in_psycopg
        )

    if not TYPE_CHECKING:  # so that mypy still finds unknown names

        def __getattr__(self, name: str) -> Any:
            """Initialise SQLModel's part at its first use, because hot paths never use it; 4 µs per transaction."""
            if "identity_map" in vars(self):
                raise AttributeError(name)
            super().__init__(expire_on_commit=False, join_transaction_mode="create_savepoint")
            return getattr(self, name)

    def _execute_in_psycopg(self, sql: str, parameters: Parameters) -> _Cursor:
        return cast("_Cursor", self._cursor.execute(_for_psycopg(sql), parameters))

    def _execute(self, statement: Statement, parameters: Parameters) -> _Cursor:
        self.flush_models()
        if isinstance(statement, str):
            return self._execute_text(statement, parameters)
        compiled = compiled_statement(statement, self.dialect)
        return cast("_Cursor", self._cursor.execute(*compiled.bound(parameters)))

    def flush_models(self) -> None:
        """Write pending rows of SQLModel's part of the session."""
        if self._transaction is not None:
            self.flush()

    @property
    def driver(self) -> Any:
        """The driver's connection, for COPY; pending rows are flushed."""
        self.flush_models()
        return self._driver

    def rows(self, statement: Statement, parameters: Parameters = {}) -> list[Row]:  # noqa: B006 -- never written to.
        """Return all rows of a query as tuples."""
        if type(statement) is str and self._transaction is None:
            return self._execute_text(statement, parameters).fetchall()
        self.flush_models()
        return driver_rows(self._cursor, self.dialect, statement, parameters)

    def binary_rows(self, sql: str, parameters: Parameters = {}) -> list[Row]:  # noqa: B006 -- never written to.
        """Return all rows as `rows` does; PostgreSQL sends long byte strings as bytes instead of hexadecimal text."""
        if self.dialect == "sqlite":
            return self.rows(sql, parameters)
        return cast("_Cursor", self.driver.cursor(binary=True).execute(_for_psycopg(sql), parameters)).fetchall()

    def row(self, statement: Statement, parameters: Parameters = {}) -> Row | None:  # noqa: B006 -- never written to.
        """Return the first row of a query, or None."""
        if type(statement) is str and self._transaction is None:
            return self._execute_text(statement, parameters).fetchone()
        self.flush_models()
        if isinstance(statement, str):
            return self._execute_text(statement, parameters).fetchone()
        compiled = compiled_statement(statement, self.dialect)
        found = cast("Row | None", self._cursor.execute(*compiled.bound(parameters)).fetchone())
        return compiled.values(found) if found is not None and compiled.converts else found

    def run(self, statement: Statement, parameters: Parameters = {}) -> int:  # noqa: B006 -- never written to.
        """Run a statement and return how many rows it changed."""
        if type(statement) is str and self._transaction is None:
            return self._execute_text(statement, parameters).rowcount
        return self._execute(statement, parameters).rowcount

    def run_many(self, statement: Statement, parameters: Sequence[Parameters]) -> int:
        """Run a statement once for each set of parameters and return how many rows were changed in all."""
        self.flush_models()
        if isinstance(statement, str):
            self._cursor.executemany(statement if self.dialect == "sqlite" else _for_psycopg(statement), parameters)
        else:
            compiled = compiled_statement(statement, self.dialect)
            self._cursor.executemany(compiled.sql, [compiled.bound(given)[1] for given in parameters])
        return int(self._cursor.rowcount)

    def get_bind(self, *_args: Any, **_named: Any) -> Connection:
        """Return the SQLAlchemy connection over this transaction's driver connection, made at the first use."""
        if self._joined is None:
            self._joined = join_connection(self._driver, self.dialect)
        return self._joined

    def commit(self) -> NoReturn:
        """Raise: `Store.transaction` commits when its block ends."""
        raise TypeError("Store.transaction commits")

    def rollback(self) -> NoReturn:
        """Raise: `Store.transaction` rolls back when its block raises; `savepoint` undoes a part."""
        raise TypeError("Store.transaction rolls back")

    def commit_transaction(self) -> None:
        """Commit; for `Store.transaction` alone."""
        if self._joined is None:
            self._driver.commit()
        else:
            super().commit()
            self._joined.commit()

    def rollback_transaction(self) -> None:
        """Close the cursor and roll back; for `Store.transaction` alone."""
        self._cursor.close()
        if self._joined is None:
            self._driver.rollback()
        else:
            self._joined.rollback()

    def close(self) -> None:
        """Close the cursor in the thread that used it.

        A cursor that is garbage collected later, for example with a traceback, resets its SQLite statement at that
        moment. The driver may have lent the same statement to another session, which then misses or repeats rows.
        """
        self._cursor.close()
        if self.in_transaction():
            super().close()
        if self._joined is not None:
            self._joined.close()
            self._joined = None

    def commit_asynchronously(self) -> None:
        """Commit without waiting for the WAL flush (synchronous_commit = off); for PostgreSQL.

        A server crash can lose the last commits. Use only for idempotent work that is re-derived.
        """
        if self.dialect == "postgresql":
            self.run("SET LOCAL synchronous_commit = off")

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undo the writes of the block when it raises; earlier writes stay."""
        marks = self.marks.copied()
        on_driver = not self.in_transaction()
        if on_driver:
            self._execute_text("SAVEPOINT one", {})
        try:
            if on_driver:
                yield
                if self.in_transaction():
                    super().commit()  # flushes, and releases the savepoint that SQLAlchemy made inside this one
            else:
                with self.begin_nested():
                    self.connection()  # SQLAlchemy sends SAVEPOINT at its first use; the driver may be used before.
                    yield
        except BaseException:
            self.marks = marks
            if on_driver:
                if self.in_transaction():
                    super().rollback()
                self._execute_text("ROLLBACK TO SAVEPOINT one", {})
                self._execute_text("RELEASE SAVEPOINT one", {})
            raise
        if on_driver:
            self._execute_text("RELEASE SAVEPOINT one", {})


class ReadSession(SQLModelSession):
    """A consistent snapshot that can only be read. Queries ask for this type, commands for `Session`."""

    @property
    def dialect(self) -> str:
        """The database's name: sqlite or postgresql."""
        return self.get_bind().dialect.name

    def rows(self, statement: Statement, parameters: Parameters = {}) -> list[Row]:  # noqa: B006 -- never written to.
        """Return all rows of a query as tuples, as `Session.rows` does, from the same snapshot."""
        driver = cast("Any", self.connection().connection.driver_connection)
        with closing(driver.cursor()) as cursor:
            return driver_rows(cursor, self.dialect, statement, parameters)

    def binary_rows(self, sql: str, parameters: Parameters = {}) -> list[Row]:  # noqa: B006 -- never written to.
        """Return all rows as `Session.binary_rows` does, from the same snapshot."""
        if self.dialect == "sqlite":
            return self.rows(sql, parameters)
        driver = cast("Any", self.connection().connection.driver_connection)
        with closing(driver.cursor(binary=True)) as cursor:
            return driver_rows(cursor, self.dialect, sql, parameters)

    def flush(self, objects: Sequence[Any] | None = None) -> None:
        """Raise ReadOnlySession where there is anything to write."""
        if self.new or self.dirty or self.deleted:
            raise ReadOnlySession(objects)


@event.listens_for(ReadSession, "do_orm_execute")
def refuse_writes(state: ORMExecuteState) -> None:
    """Raise ReadOnlySession for an insert, update or delete."""
    if state.is_insert or state.is_update or state.is_delete:
        raise ReadOnlySession(state.statement)


class Store:
    """A node's database: a SQLite file in WAL mode with full synchronisation, or PostgreSQL by URL."""

    def __init__(self, url: str | URL) -> None:
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            # Not `from`: the library's text repeats the address, which may hold a password.
            raise StoreUnfit(STORE_ADDRESS_INVALID) from None
        self.dialect = parsed.get_backend_name()
        if self.dialect == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise StoreUnfit(STORE_FILE_NEEDED)
            self.engine = sqlite_engine(Path(parsed.database))
        elif self.dialect == "postgresql":
            self.engine = create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True, pool_size=8)
        else:
            raise StoreUnfit(STORE_DIALECT_UNKNOWN, dialect=self.dialect)
        self.keeper: MarkKeeper | None = None
        self.write_health = WriteHealth()
        self._at_hand: deque[PoolProxiedConnection] = deque()
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._snapshots = self.engine.execution_options(**(snapshot if self.dialect == "postgresql" else {}))

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Yield a write session; commit when the block ends, roll everything back when it raises.

        With a keeper, numbers drawn are reserved outside the store first.
        """
        with self.write_health, self._connection() as connection, closing(Session(connection, self.dialect)) as session:
            if self.dialect == "sqlite":
                session.run("BEGIN IMMEDIATE")
            try:
                yield session
                session.flush_models()
                if self.keeper is not None:
                    self.keeper.before_commit(session.marks)
            except BaseException:
                session.rollback_transaction()
                raise
            session.commit_transaction()
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
