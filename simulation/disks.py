"""Virtual disks: a node's store in memory that can be imaged, put back, swapped, and made to fail where it hurts.

The statements are those of production and run on the same SQLite. One connection serves reads and writes, so that
nothing but the world's own order decides what is seen when; what that leaves out is said in
`docs/explanation/simulation.md`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast

import pysqlite3.dbapi2 as sqlite
from sqlalchemy import create_engine, event
from sqlalchemy.pool import StaticPool

from infra.database import ReadSession, Row, Session, Statement, Store, driver_rows
from infra.write_health import WriteHealth

_TO_DISK = sqlite.Connection.commit
_UNDO = sqlite.Connection.rollback
FULL: Final = "database or disk is full"
IO: Final = "disk I/O error"


class Crash(BaseException):
    """The machine stopped here: nothing after this line runs, and nobody is told."""


class Strike(StrEnum):
    """Where a disk or machine fails."""

    CRASH_AT_STATEMENT = "F12"
    CRASH_BEFORE_DURABLE = "F14"
    CRASH_AFTER_DURABLE = "F13"
    FULL = "F19"
    IO = "F20"
    BUSY = "F24"


TEXTS: Final = {Strike.FULL: FULL, Strike.IO: IO, Strike.BUSY: "database is locked"}


@dataclass(slots=True)
class Plan:
    """What shall go wrong: at the n-th statement from now, or at the n-th time that something is to be durable."""

    strike: Strike
    countdown: int  # statements
    commits: int = 1
    at_the_end: bool = False  # whether a failing disk fails when things are to be durable, not at a statement
    struck: bool = False


class _Cursor(sqlite.Cursor):  # type: ignore[misc]
    """A cursor whose statements can fail."""

    def execute(self, *given: Any) -> Any:
        """Run a statement, unless it is the one that fails."""
        self.connection.about_to_run(given[0])
        return super().execute(*given)

    def executemany(self, *given: Any) -> Any:
        """Run a statement many times, unless it is the one that fails."""
        self.connection.about_to_run(given[0])
        return super().executemany(*given)


class _Connection(sqlite.Connection):  # type: ignore[misc]
    """A connection that can fail at a statement, or at the moment that should make things durable."""

    plan: Plan | None = None
    writing = False
    dead = False

    def cursor(self, factory: Any = None) -> Any:
        """Return a cursor; a plain one while nothing is to fail."""
        if factory is None and self.plan is not None:
            factory = _Cursor
        return super().cursor() if factory is None else super().cursor(factory)

    def about_to_run(self, sql: str) -> None:
        """Count the statement, and fail where it is its turn."""
        plan = self.plan
        if plan is None or not self.writing or plan.struck or "SAVEPOINT" in sql:
            return
        if plan.at_the_end or plan.strike in {Strike.CRASH_BEFORE_DURABLE, Strike.CRASH_AFTER_DURABLE}:
            return
        plan.countdown -= 1
        if plan.countdown > 0:
            return
        plan.struck = True
        if plan.strike is Strike.CRASH_AT_STATEMENT:
            self.dead = True
            raise Crash
        raise sqlite.OperationalError(TEXTS[plan.strike])

    def commit(self) -> None:
        """Make it durable, unless the machine stops before or after."""
        plan = self.plan
        if plan is None or plan.struck or not self.writing:
            _TO_DISK(self)
            return
        plan.commits -= 1
        if plan.commits > 0:
            _TO_DISK(self)
            return
        if plan.strike is Strike.CRASH_BEFORE_DURABLE:
            plan.struck = self.dead = True
            _UNDO(self)  # what was never durable is not to be seen from outside until the machine is on again.
            raise Crash
        if plan.at_the_end and plan.strike in TEXTS:
            plan.struck = True
            _UNDO(self)
            raise sqlite.OperationalError(TEXTS[plan.strike])
        _TO_DISK(self)
        if plan.strike is Strike.CRASH_AFTER_DURABLE:
            plan.struck = self.dead = True
            raise Crash

    def copy_from(self, image: Any) -> None:
        """Hold from now on what the image holds."""
        _UNDO(self)
        image.backup(self)


class _Glance:
    """A read session that makes SQLAlchemy's part of itself only for those who ask for it: most want plain rows."""

    dialect = "sqlite"

    def __init__(self, connection: Any, whole: Callable[[], ReadSession]) -> None:
        self._connection = connection
        self._make = whole
        self._whole: ReadSession | None = None

    def rows(self, statement: Statement, parameters: Any = {}) -> list[Row]:  # noqa: B006 -- never written to.
        """Return all rows of a query from the snapshot."""
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN")
        return driver_rows(self._connection, "sqlite", statement, parameters)

    def __getattr__(self, name: str) -> Any:
        """Return what only the whole session has."""
        if self._whole is None:
            self._whole = self._make()
        return getattr(self._whole, name)

    def end(self) -> None:
        """Give the snapshot up."""
        if self._whole is not None:
            self._whole.close()
        _UNDO(self._connection)


class Image:
    """A disk's content at one moment: a backup, a template."""

    def __init__(self, source: Any) -> None:
        self.content = sqlite.connect(":memory:", isolation_level=None)
        source.backup(self.content)

    def close(self) -> None:
        """Give the memory back."""
        self.content.close()


class Disk(Store):
    """A store on a virtual disk. After a crash it answers nothing until the node is opened again."""

    def __init__(self) -> None:
        connection = sqlite.connect(":memory:", factory=_Connection, isolation_level=None, check_same_thread=False)
        self.dialect = "sqlite"
        self.connection: Any = connection
        self.engine = create_engine("sqlite://", module=sqlite, creator=lambda: connection, poolclass=StaticPool)
        self._snapshots = self.engine.execution_options()
        self.keeper = None
        self.write_health = WriteHealth()
        self.busy = 0
        self.writes = 0

        @event.listens_for(self.engine, "begin")
        def begin(one: Any) -> None:
            if not connection.in_transaction:
                one.exec_driver_sql("BEGIN")

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Yield a write session, as the production store does."""
        self._check_running()
        self.busy += 1
        self.connection.writing = True
        try:
            with super().transaction() as session:
                yield session
            self.writes += 1
        finally:
            self.busy -= 1
            self.connection.writing = False

    @contextmanager
    def reading(self) -> Iterator[ReadSession]:
        """Yield a session that sees one snapshot."""
        self._check_running()
        self.busy += 1
        glance = _Glance(self.connection, lambda: ReadSession(self._snapshots, autoflush=False))
        try:
            yield cast("ReadSession", glance)
        finally:
            glance.end()
            self.busy -= 1

    @contextmanager
    def _connection(self) -> Iterator[Any]:
        yield self.connection

    def _check_running(self) -> None:
        if self.connection.dead:
            raise Crash

    def arm(self, plan: Plan | None) -> None:
        """Let something fail from now on, or nothing any more."""
        self.connection.plan = plan

    def start(self) -> None:
        """Come up again after a crash, with what was durable."""
        _UNDO(self.connection)
        self.connection.dead, self.connection.plan = False, None
        self.busy = 0

    def stop(self) -> None:
        """Lose power."""
        self.connection.dead = True

    def image(self) -> Image:
        """Return a copy of what is durable; nothing may be under way on the disk."""
        assert not self.busy
        # What was under way when the power went is not durable, and the copy would wait for its end for ever.
        _UNDO(self.connection)
        return Image(self.connection)

    def put_back(self, image: Image) -> None:
        """Hold from now on what a copy holds."""
        self.connection.copy_from(image.content)
        self.writes += 1

    def peek(self, sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """Return rows as an observer outside the system sees them: no fault strikes him, and nothing waits for him."""
        return list(sqlite.Connection.execute(self.connection, sql, parameters).fetchall())
