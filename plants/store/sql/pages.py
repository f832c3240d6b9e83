"""Pages of a query: rows in the order of a unique key, after one of them, up to a limit."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, func, literal, select, tuple_

from infra.database import ReadSession

Key = tuple[Any, ...]
Statement = TypeVar("Statement", bound=Select[Any])


def page(
    statement: Statement,
    key: Sequence[Any],
    after: Key | None,
    limit: int,
    *,
    descending: bool = False,
    grouped: bool = False,
) -> Statement:
    """Return the statement for one page; with `grouped` the key is compared after the grouping."""
    if after is not None:
        here = tuple_(*key)
        there = tuple_(*(literal(value, column.type) for value, column in zip(after, key, strict=True)))
        beyond = here < there if descending else here > there
        statement = statement.having(beyond) if grouped else statement.where(beyond)
    return statement.order_by(*(column.desc() if descending else column.asc() for column in key)).limit(limit)


def count(reads: ReadSession, statement: Select[Any]) -> int:
    """Return how many rows a statement would give."""
    return int(reads.scalar(select(func.count()).select_from(statement.subquery())) or 0)
