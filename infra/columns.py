# ruff: noqa: ARG002, FBT001 -- the signatures are SQLAlchemy's.
"""Column types that give readers of a SQLModel table Python values; the database columns stay integers and texts."""

import json
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, Dialect, Integer, Text
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_encode_json: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def instant(column: str, *, optional: bool = False) -> Any:
    """Return the field of an instant; `column` names the database column, which ends in `_us`."""
    return Field(default=None if optional else ..., sa_type=InstantMicros, sa_column_kwargs={"name": column})


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
    """A JSON value, stored as text with sorted keys and no white space. None is SQL NULL, never the JSON null."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return the JSON text; raises ValueError for NaN and infinities."""
        return None if value is None else _encode_json(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Return the JSON value."""
        return None if value is None else json.loads(value)


class EnumText(TypeDecorator[StrEnum]):
    """A member of a StrEnum, stored as its value. Any other value raises ValueError, bound or read."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: type[StrEnum]) -> None:
        super().__init__()
        self.kind = kind

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Return the member's value."""
        return None if value is None else self.kind(value).value

    def process_result_value(self, value: Any, dialect: Dialect) -> StrEnum | None:
        """Return the member."""
        return None if value is None else self.kind(value)


class WordsText(TypeDecorator[tuple[str, ...]]):
    """Words without white space, stored as one text with a space between them. No words are SQL NULL."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:
        """Return the text."""
        return " ".join(value) if value else None

    def process_result_value(self, value: Any, dialect: Dialect) -> tuple[str, ...]:
        """Return the words."""
        return tuple(value.split()) if value else ()


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
