"""Column types and options that the tables are made of, the same on SQLite and PostgreSQL.

A table of the projection holds what the ledgers say. Each of its rows belongs to the plant whose ledger stated it
(`plant_id`), so a row has one writer. The ledgers of different plants can be applied in any order.

These tables have no foreign keys: they can be rebuilt from the ledgers, and each key would slow the hub down
(`docs/explanation/performance.md`).
"""

from typing import Any

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, SmallInteger, Text, literal
from sqlalchemy import text as sql_text
from sqlmodel import Field

from infra.roles import Keeping, table_options
from plants.rules.identification.codes import NODE_NUMBER_BITS


def key(kind: type[Any] = BigInteger) -> Any:
    """Return a column of the primary key; its value is ours to give, never the database's."""
    return Field(sa_type=kind, primary_key=True, sa_column_kwargs={"autoincrement": False})


def text_key() -> Any:
    """Return a text column of the primary key."""
    return Field(sa_type=Text, primary_key=True)


def octets_key() -> Any:
    """Return a bytes column of the primary key."""
    return Field(sa_type=LargeBinary, primary_key=True)


def big(default: Any = ...) -> Any:
    """Return a 64-bit integer column: ids, millionths of a unit, microseconds since the epoch."""
    return Field(default=default, sa_type=BigInteger)


def small(default: Any = ...) -> Any:
    """Return a 16-bit integer column."""
    return Field(default=default, sa_type=SmallInteger)


def text(default: Any = ...) -> Any:
    """Return a text column."""
    return Field(default=default, sa_type=Text)


def octets(default: Any = ...) -> Any:
    """Return a bytes column."""
    return Field(default=default, sa_type=LargeBinary)


PLANT = Integer
"""The type of a plant number."""


def plant_of_number(number: Any) -> Any:
    """Return the plant in a number that a plant gave a batch or a process record: `plant_of` in SQL."""
    # PostgreSQL shifts a bigint by an integer alone.
    return number.op(">>")(literal(NODE_NUMBER_BITS, Integer()))


PROJECTION = table_options(Keeping.PROJECTION)
"""The options of a table that is rebuilt from the ledgers."""

# Free space in each page lets PostgreSQL update a row without touching the indexes (heap-only tuples).
CHANGING = PROJECTION | {"postgresql_with": {"fillfactor": 85}}


def partial_index(name: str, column: str) -> Index:
    """Return an index of the rows that have a value in the column, for a column that most rows leave empty."""
    given = sql_text(f"{column} IS NOT NULL")
    return Index(name, column, sqlite_where=given, postgresql_where=given)
