"""The column types that our tables are made of: plain integers, texts and bytes, the same on both databases."""

from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, SmallInteger, Text
from sqlmodel import Field


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
