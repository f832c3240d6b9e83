"""Pages of a query: rows in the order of a unique key, after one of them, up to a limit."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Select, Subquery, func, literal, select, tuple_
from sqlalchemy.orm import aliased
from sqlmodel import select as select_as_model

from infra.database import ReadSession

Key = tuple[Any, ...]
Statement = TypeVar("Statement", bound=Select[Any])
Row = TypeVar("Row")
K = TypeVar("K", bound=Hashable)


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
        beyond = _beyond(key, after, descending=descending)
        statement = statement.having(beyond) if grouped else statement.where(beyond)
    return statement.order_by(*_order(key, descending=descending)).limit(limit)


def page_of_each(
    statement: Statement,
    parent: Sequence[Any],
    key: Sequence[Any],
    after: Key | None,
    limit: int,
    *,
    descending: bool = False,
) -> Statement:
    """Return the statement for one page of the rows of each parent, in the order of the key within a parent.

    The statement selects the rows of all wanted parents. `after` is a key of one parent: select its rows alone.
    """
    if after is not None:
        statement = statement.where(_beyond(key, after, descending=descending))
    place = _name_beside(statement.selected_columns.keys())
    number = func.row_number().over(partition_by=parent, order_by=_order(key, descending=descending)).label(place)
    ranked = statement.add_columns(number).subquery()
    shown = (_out_of(ranked, one["expr"]) for one in statement.column_descriptions)
    found: Any = select_as_model(*shown).where(ranked.c[place] <= limit).order_by(ranked.c[place])
    return found  # type: ignore[no-any-return]  # It selects what the statement selects.


def by_parent(rows: Iterable[Row], parent: Callable[[Row], K]) -> dict[K, list[Row]]:
    """Return rows by their parent, each parent's in their order."""
    found: dict[K, list[Row]] = {}
    for row in rows:
        found.setdefault(parent(row), []).append(row)
    return found


def count(reads: ReadSession, statement: Select[Any]) -> int:
    """Return how many rows a statement would give."""
    return int(reads.scalar(select(func.count()).select_from(statement.subquery())) or 0)


def count_of_each(reads: ReadSession, statement: Select[Any], parent: Sequence[Any]) -> dict[Any, int]:
    """Return how many rows a statement would give for each parent: by its key, a tuple if it has several columns."""
    rows = statement.with_only_columns(*parent, maintain_column_froms=True).subquery()
    counted: Any = select(*rows.c, func.count()).group_by(*rows.c)
    return {key[0] if len(key) == 1 else tuple(key): int(number) for *key, number in reads.exec(counted)}


def _beyond(key: Sequence[Any], after: Key, *, descending: bool) -> Any:
    here = tuple_(*key)
    there = tuple_(*(literal(value, column.type) for value, column in zip(after, key, strict=True)))
    return here < there if descending else here > there


def _order(key: Sequence[Any], *, descending: bool) -> list[Any]:
    return [column.desc() if descending else column.asc() for column in key]


def _out_of(ranked: Subquery, shown: Any) -> Any:
    """Return what a statement selects, a row of a table or a column, out of the subquery made of it."""
    return aliased(shown, ranked) if isinstance(shown, type) else ranked.corresponding_column(shown)


def _name_beside(taken: Iterable[str]) -> str:
    """Return a name of a column that differs from these. Stores compare names without their case."""
    names, name = {one.casefold() for one in taken}, "place"
    while name in names:
        name += "_"
    return name
