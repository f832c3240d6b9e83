"""Compiles SQLAlchemy Core statements once per dialect, for execution on the driver's own cursor.

A statement that runs often is declared once, at module level, with `bindparam("name")` for what varies. A statement
that is built inside a function is compiled at each call.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, cast

import psycopg
import pysqlite3.dbapi2 as sqlite
from sqlalchemy import Engine, Executable
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Connection, Dialect, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql.base import ReadOnlyColumnCollection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine
from sqlalchemy.util import LRUCache

Row = tuple[Any, ...]
Parameters = Mapping[str, Any]
Convert = Callable[[Any], Any]

DIALECTS: Final[dict[str, Dialect]] = {
    "sqlite": SQLiteDialect_pysqlite(dbapi=sqlite, paramstyle="named"),
    "postgresql": PGDialect_psycopg(dbapi=psycopg),  # type: ignore[no-untyped-call]
}
URLS: Final = {"sqlite": make_url("sqlite://"), "postgresql": make_url("postgresql+psycopg://")}
COMPILED_MAX: Final = 1024  # statements, over both dialects

_ORM_CACHES: Final = {name: LRUCache[Any, Any](COMPILED_MAX) for name in DIALECTS}


class CompiledStatement:
    """The SQL of one Core statement in one dialect, with the conversions of its column types."""

    __slots__ = ("_bind", "_compiled", "_is_plain", "_literals", "_read", "converts", "sql")

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        compiled = cast("SQLCompiler", cast("Any", statement).compile(dialect=dialect))
        self.sql = str(compiled)
        self._compiled = compiled if compiled.post_compile_params else None
        names = compiled.bind_names
        self._literals = {name: bind.value for bind, name in names.items() if not bind.required}
        converters = {name: bind_converter(bind.type, dialect) for bind, name in names.items()}
        self._bind = {name: convert for name, convert in converters.items() if convert is not None}
        columns: ReadOnlyColumnCollection[Any, Any] | tuple[()] = getattr(statement, "exported_columns", ())
        self._read = [result_converter(column.type, dialect) for column in columns]
        self._is_plain = self._compiled is None and not self._literals and not self._bind
        self.converts = any(self._read)
        """True where a result column needs a conversion."""

    def bound(self, parameters: Parameters) -> tuple[str, Parameters]:
        """Return the SQL and the driver's parameters; an `IN` list is expanded to its number of values."""
        if self._is_plain:
            return self.sql, parameters
        if self._compiled is not None:
            state = self._compiled.construct_expanded_state(parameters)
            converters: dict[str, Convert] = {**self._bind, **state.processors}
            return state.statement, _converted(dict(state.parameters), converters)
        return self.sql, _converted({**self._literals, **parameters}, self._bind)

    def values(self, row: Row) -> Row:
        """Return a row of the driver with the result conversions of the column types applied."""
        pairs = zip(self._read, row, strict=True)
        return tuple(value if convert is None else convert(value) for convert, value in pairs)


@lru_cache(maxsize=COMPILED_MAX)
def compiled_statement(statement: Executable, dialect: str) -> CompiledStatement:
    """Return the compiled form of a statement object; a later call with the same object returns the same form."""
    return CompiledStatement(statement, DIALECTS[dialect])


def bind_converter(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """Return the conversion from a Python value to the driver's value, or None."""
    return kind.dialect_impl(dialect).bind_processor(dialect)


def result_converter(kind: TypeEngine[Any], dialect: Dialect) -> Convert | None:
    """Return the conversion from the driver's value to a Python value, or None."""
    return kind.dialect_impl(dialect).result_processor(dialect, None)


class _LentConnection:
    """A driver's connection that SQLAlchemy uses and cannot close, not even after a KeyboardInterrupt."""

    def __init__(self, driver: Any) -> None:
        self._driver = driver

    def __getattr__(self, name: str) -> Any:
        return getattr(self._driver, name)

    def close(self) -> None:
        """Leave the connection open."""


def join_connection(driver: Any, dialect: str) -> Connection:
    """Return a SQLAlchemy connection over a driver's connection that is in a transaction already.

    Its `commit` and `rollback` end the driver's transaction. Its `close` leaves the driver's connection open.
    """
    lent = cast("DBAPIConnection", _LentConnection(driver))
    pool = StaticPool(lambda: lent, reset_on_return=None, dialect=DIALECTS[dialect])
    cache = {"compiled_cache": _ORM_CACHES[dialect]}
    connection = Engine(pool, DIALECTS[dialect], URLS[dialect], execution_options=cache).connect()
    connection.begin()
    return connection


def _converted(values: dict[str, Any], converters: Mapping[str, Convert]) -> dict[str, Any]:
    for name, convert in converters.items():
        if name in values:
            values[name] = convert(values[name])
    return values
