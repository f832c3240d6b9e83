"""The n-th operation of a store fails: a statement, or the commit, before it is carried out or after."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, Self

import psycopg
import pysqlite3.dbapi2 as sqlite
from sqlalchemy import event

from infra.database import Store

MEANT: Final = "this operation was made to fail"
FAILURES: Final = {"sqlite": sqlite.OperationalError, "postgresql": psycopg.OperationalError}


@dataclass
class Faults:
    """Which operation of a store fails next, counted from when it is armed; one fails, those behind it work again."""

    store: Store
    left: int = 0
    seen: int = 0
    after_commit: bool = False
    kinds: list[str] = field(default_factory=list)

    def arm(self, number: int, *, after_commit: bool = False) -> None:
        """Have the n-th operation from now on fail; with `after_commit` a commit fails when it has been carried out."""
        self.left, self.seen, self.after_commit = number, 0, after_commit
        self.kinds.clear()

    @property
    def fired(self) -> bool:
        """Whether the operation that was to fail has been reached."""
        return 0 < self.left <= self.seen

    def pass_by(self, kind: str) -> bool:
        """Count one operation; tell whether it is the one that fails."""
        self.seen += 1
        self.kinds.append(kind)
        return self.seen == self.left

    def failure(self) -> Exception:
        """Return what the driver raises when its database gives up."""
        failure: Exception = FAILURES[self.store.dialect](MEANT)
        return failure


class _Cursor:
    """A driver's cursor that counts."""

    def __init__(self, inner: Any, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        """Pass on everything that is no operation."""
        return getattr(self._inner, name)

    def __enter__(self) -> Self:
        """Open the cursor."""
        self._inner.__enter__()
        return self

    def __exit__(self, *raised: object) -> Any:
        """Close the cursor."""
        return self._inner.__exit__(*raised)

    def execute(self, sql: str, *given: Any, **more: Any) -> Any:
        """Run one statement, unless it is the one that fails."""
        if self._faults.pass_by(sql.split(maxsplit=1)[0]):
            raise self._faults.failure()
        return self._inner.execute(sql, *given, **more)

    def executemany(self, sql: str, *given: Any, **more: Any) -> Any:
        """Run one statement for many rows, unless it is the one that fails."""
        if self._faults.pass_by(sql.split(maxsplit=1)[0]):
            raise self._faults.failure()
        return self._inner.executemany(sql, *given, **more)

    def copy(self, sql: str, *given: Any, **more: Any) -> Any:
        """Begin a COPY, unless it is the one that fails."""
        if self._faults.pass_by("COPY"):
            raise self._faults.failure()
        return self._inner.copy(sql, *given, **more)


class _Connection:
    """A driver's connection whose cursors and commits count."""

    def __init__(self, inner: Any, faults: Faults) -> None:
        self._inner = inner
        self._faults = faults

    def __getattr__(self, name: str) -> Any:
        """Pass on everything that is no operation."""
        return getattr(self._inner, name)

    def cursor(self, *given: Any, **more: Any) -> Any:
        """Return a cursor that counts."""
        return _Cursor(self._inner.cursor(*given, **more), self._faults)

    def commit(self) -> None:
        """Commit, unless that is what fails: before it is done, or when it is done and nobody hears of it."""
        fails = self._faults.pass_by("COMMIT")
        if not fails or self._faults.after_commit:
            self._inner.commit()
        if fails:
            raise self._faults.failure()


@contextmanager
def faults_of(store: Store) -> Iterator[Faults]:
    """Yield the faults of a store, none armed: of what it writes, and of what is read past its write sessions."""
    faults = Faults(store)
    inner = store._connection  # noqa: SLF001 -- the one place through which every write goes.

    @contextmanager
    def counted() -> Iterator[Any]:
        with inner() as connection:
            yield _Connection(connection, faults)

    def read(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if faults.pass_by(f"read {statement.split(maxsplit=1)[0]}"):
            raise faults.failure()

    _put_in_place(store, counted)
    event.listen(store.engine, "before_cursor_execute", read)
    try:
        yield faults
    finally:
        event.remove(store.engine, "before_cursor_execute", read)
        _put_in_place(store, inner)


def _put_in_place(store: Store, connection: Any) -> None:
    opened: dict[str, AbstractContextManager[Any]] = vars(store)
    opened["_connection"] = connection
