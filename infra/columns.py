# ruff: noqa: ARG002, FBT001 -- the signatures are SQLAlchemy's.
"""Column types that give readers of a SQLModel table Python values; the database columns stay integers and texts.

Cold models use them: people, machines, keys, alarms, jobs, leases, replication, faults, worklists, holds, definitions.
Hot models keep the stored values. They are the entries and heads of ledgers with their staged copies, and the rows that
nearly every entry writes: batches, aliases, stock, movements, edges, process records, transfer lines and series.
Projectors write rows of both kinds as stored values, set-wise and on the driver (`docs/decisions/0003`).
"""

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, Dialect, Integer, SmallInteger, Text
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import Field

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
COMPACT: Final = (",", ":")
SPACED: Final = (", ", ": ")


def instant(column: str, *, optional: bool = False, default: Any = ...) -> Any:
    """Return the field of an instant; `column` names the database column, which ends in `_us`."""
    return Field(default=None if optional else default, sa_type=InstantMicros, sa_column_kwargs={"name": column})


def words() -> Any:
    """Return the field of words that are stored as one text."""
    return Field(default=(), sa_type=WordsText, nullable=True)


def member(kind: type[StrEnum], *, key: bool = False, optional: bool = False, growing: bool = False) -> Any:
    """Return the field of one member of a StrEnum; with `key` it is a part of the primary key.

    With `growing` a value that this program does not know is read as text: a newer program may have written it.
    """
    return Field(default=None if optional else ..., sa_type=EnumText(kind, growing=growing), primary_key=key)


def stored_type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type of the database column, without the conversion to Python values."""
    return kind.impl_instance if isinstance(kind, TypeDecorator) else kind


class InstantMicros(TypeDecorator[datetime]):
    """An aware datetime in UTC, stored as microseconds since the epoch. Binding a naive datetime raises TypeError."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Return the microseconds."""
        return None if value is None else (value - _EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Return the datetime."""
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class JsonText(TypeDecorator[Any]):
    """A JSON value, stored as text with sorted keys. None is SQL NULL, never the JSON null.

    `separators` are those between items and after a key; COMPACT is the form of ledger entries.
    """

    impl = Text
    cache_ok = True

    def __init__(self, separators: tuple[str, str] = COMPACT) -> None:
        super().__init__()
        self.separators = separators

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return the JSON text; raises ValueError for NaN and infinities."""
        if value is None:
            return None
        return json.dumps(value, sort_keys=True, separators=self.separators, ensure_ascii=False, allow_nan=False)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the JSON value."""
        return None if value is None else json.loads(value)


class EnumText(TypeDecorator[StrEnum]):
    """A member of a StrEnum, stored as its value. Any other value raises ValueError, bound or read.

    With `growing` another value is read as text.
    """

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[StrEnum], *, growing: bool = False) -> None:
        super().__init__()
        self.kind = kind
        self.growing = growing

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return the member's value."""
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the member, or the text of an unknown value of a growing set."""
        if value is None or (self.growing and value not in self.kind.__members__.values()):
            return value
        return self.kind(value)


class WordsText(TypeDecorator[tuple[str, ...]]):
    """Words without white space, stored as one text with a space between them. No words are SQL NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:
        """Return the text; raises TypeError for a text in place of the words."""
        if isinstance(value, str):
            raise TypeError(value)
        return " ".join(value) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[str, ...]:
        """Return the words."""
        return tuple(value.split()) if value else ()


class MembersText(TypeDecorator[frozenset[StrEnum]]):
    """Members of a StrEnum, stored as one sorted text with a comma between their values."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: frozenset[StrEnum] | None, dialect: Dialect) -> str | None:
        """Return the text."""
        return None if value is None else ",".join(sorted(self.kind(one).value for one in value))

    def process_result_value(self, value: Any, dialect: Dialect) -> frozenset[StrEnum]:
        """Return the members."""
        return frozenset(map(self.kind, value.split(","))) if value else frozenset()


class FlagInteger(TypeDecorator[bool]):
    """A truth value, stored as 0 or 1."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: bool | None, dialect: Dialect) -> int | None:
        """Return 0 or 1."""
        return None if value is None else int(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> bool | None:
        """Return the truth value."""
        return None if value is None else bool(value)


class FlagSmallInteger(FlagInteger):
    """A truth value, stored as 0 or 1 in 16 bits."""

    impl = SmallInteger
    cache_ok = True
