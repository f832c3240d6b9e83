"""Row writes: what an event does to the tables, merged for many events and written set-wise.

Four kinds of write are enough, because every row has one writer and events carry outcomes:

- `insert`: a row that nothing writes twice (movements, edges);
- `put`: a whole row, in place of one with the same key;
- `amend`: some columns of a row that is there;
- `add`: an amount on the one summed column of a row (stock);
- `drop`: a row goes (an edge that a correction retracts).

Merging keeps the last `put`, folds an `amend` into it, and sums what is added: the result of one set of writes over a
thousand events equals that of a thousand sets over one.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, SmallInteger, Table
from sqlmodel import SQLModel

from infra.database import Session

Key = tuple[Any, ...]
Values = dict[str, Any]

ARRAY_TYPES = {
    Integer: "integer[]",
    SmallInteger: "smallint[]",
    BigInteger: "bigint[]",
    LargeBinary: "bytea[]",
}


class StockWouldBeNegative(AssertionError):
    """A movement would leave less than nothing on hand: a rule was not asked, or the tables are not the ledger's."""


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A table's name, key and columns, in the order that its rows are written in; one object for each table."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    arrays: Mapping[str, str]

    @classmethod
    def of(cls, model: type[SQLModel]) -> "Shape":
        """Return the shape of a SQLModel table."""
        table: Table = model.__table__  # type: ignore[attr-defined]
        arrays = {column.name: ARRAY_TYPES.get(type(column.type), "text[]") for column in table.columns}
        names = tuple(column.name for column in table.columns)
        return cls(table.name, tuple(column.name for column in table.primary_key), names, arrays)


@cache
def _insert(shape: Shape) -> str:
    places = ", ".join(f":{name}" for name in shape.columns)
    return f"INSERT INTO {shape.name} ({', '.join(shape.columns)}) VALUES ({places})"


@cache
def _put(shape: Shape) -> str:
    changes = ", ".join(f"{name} = excluded.{name}" for name in shape.columns if name not in shape.key)
    return f"{_insert(shape)} ON CONFLICT ({', '.join(shape.key)}) DO UPDATE SET {changes}"


@cache
def _amend(shape: Shape, columns: tuple[str, ...]) -> str:
    changes = ", ".join(f"{name} = :{name}" for name in columns)
    return f"UPDATE {shape.name} SET {changes} WHERE {_where(shape)}"


@cache
def _add(shape: Shape, column: str) -> str:
    return (
        f"{_insert(shape)} ON CONFLICT ({', '.join(shape.key)})"
        f" DO UPDATE SET {column} = {shape.name}.{column} + excluded.{column}"
    )


@cache
def _take(shape: Shape, column: str) -> str:
    return (
        f"UPDATE {shape.name} SET {column} = {column} + :{column} WHERE {_where(shape)} AND {column} + :{column} >= 0"
    )


@cache
def _drop(shape: Shape) -> str:
    return f"DELETE FROM {shape.name} WHERE {_where(shape)}"


@cache
def _where(shape: Shape) -> str:
    return " AND ".join(f"{name} = :{name}" for name in shape.key)


class RowWrites:
    """The row writes of one event or of many, merged; `write` runs them in the session's transaction."""

    def __init__(self) -> None:
        self._inserts: dict[Shape, list[Values]] = defaultdict(list)
        self._puts: dict[Shape, dict[Key, Values]] = defaultdict(dict)
        self._amends: dict[Shape, dict[Key, Values]] = defaultdict(dict)
        self._adds: dict[Shape, dict[Key, int]] = defaultdict(dict)
        self._drops: dict[Shape, dict[Key, None]] = defaultdict(dict)

    def insert(self, shape: Shape, values: Values) -> None:
        """Write a row that nothing else writes."""
        self._inserts[shape].append(values)

    def put(self, shape: Shape, values: Values) -> None:
        """Write a whole row, in place of one with the same key."""
        key = tuple(values[name] for name in shape.key)
        self._amends[shape].pop(key, None)
        self._drops[shape].pop(key, None)
        self._puts[shape][key] = values

    def amend(self, shape: Shape, key: Key, **values: Any) -> None:
        """Change some columns of a row that is there, or is put by an earlier write of this set."""
        row = self._puts[shape].get(key)
        if row is not None:
            row.update(values)
        else:
            self._amends[shape].setdefault(key, {}).update(values)

    def add(self, shape: Shape, key: Key, amount: int) -> None:
        """Add to the one summed column of a row, which begins at zero; the amount may be negative."""
        sums = self._adds[shape]
        sums[key] = sums.get(key, 0) + amount

    def drop(self, shape: Shape, key: Key) -> None:
        """Take a row away, also one that an earlier write of this set would make."""
        rows = self._inserts[shape]
        kept = [row for row in rows if tuple(row[name] for name in shape.key) != key]
        if len(kept) == len(rows):
            self._puts[shape].pop(key, None)
            self._amends[shape].pop(key, None)
            self._drops[shape][key] = None
        self._inserts[shape] = kept

    def write(self, session: Session) -> None:
        """Run the writes row by row: the form for one event at a plant, and for SQLite."""
        for shape, rows in self._inserts.items():
            _run_each(session, _insert(shape), rows)
        for shape, puts in self._puts.items():
            _run_each(session, _put(shape), list(puts.values()))
        for shape, amends in self._amends.items():
            for columns, rows in _by_columns(shape, amends).items():
                _run_each(session, _amend(shape, columns), rows)
        for shape, sums in self._adds.items():
            _add_each(session, shape, sums)
        for shape, drops in self._drops.items():
            _run_each(session, _drop(shape), [dict(zip(shape.key, key, strict=True)) for key in drops])

    def write_sets(self, session: Session) -> None:
        """Run the writes set-wise on PostgreSQL: one statement for each table and kind, whatever the number of rows."""
        for shape, rows in self._inserts.items():
            if rows:
                copy_rows(session, shape, rows)
        for shape, puts in self._puts.items():
            if puts:
                changes = ", ".join(f"{name} = excluded.{name}" for name in shape.columns if name not in shape.key)
                conflict = f" ON CONFLICT ({', '.join(shape.key)}) DO UPDATE SET {changes}"
                session.run(_from_arrays(shape) + conflict, _arrays(shape, shape.columns, puts.values()))
        for shape, amends in self._amends.items():
            _amend_sets(session, shape, amends)
        for shape, sums in self._adds.items():
            column = summed_column(shape)
            rows = [{**dict(zip(shape.key, key, strict=True)), column: amount} for key, amount in sums.items()]
            conflict = (
                f" ON CONFLICT ({', '.join(shape.key)})"
                f" DO UPDATE SET {column} = {shape.name}.{column} + excluded.{column}"
            )
            if rows:
                session.run(_from_arrays(shape) + conflict, _arrays(shape, shape.columns, rows))
        for shape, drops in self._drops.items():
            if drops:
                keys = [dict(zip(shape.key, key, strict=True)) for key in drops]
                match = " AND ".join(f"{shape.name}.{name} = given.{name}" for name in shape.key)
                sql = f"DELETE FROM {shape.name} USING {_given(shape, shape.key)} WHERE {match}"
                session.run(sql, _arrays(shape, shape.key, keys))


def summed_column(shape: Shape) -> str:
    """Return the one column of a table that is not of its key: what `add` adds to."""
    (column,) = (name for name in shape.columns if name not in shape.key)
    return column


def _run_each(session: Session, sql: str, rows: Sequence[Values]) -> int:
    if len(rows) == 1:
        return session.run(sql, rows[0])
    return session.run_many(sql, rows) if rows else 0


def _add_each(session: Session, shape: Shape, sums: Mapping[Key, int]) -> None:
    column = summed_column(shape)
    rows = [{**dict(zip(shape.key, key, strict=True)), column: amount} for key, amount in sums.items()]
    taken = [row for row in rows if row[column] < 0]
    _run_each(session, _add(shape, column), [row for row in rows if row[column] >= 0])
    if _run_each(session, _take(shape, column), taken) != len(taken):
        message = f"{shape.name}: one of {taken}"
        raise StockWouldBeNegative(message)


def copy_rows(session: Session, shape: Shape, rows: Iterable[Values]) -> None:
    """Write new rows by binary COPY, the fastest way into a PostgreSQL table."""
    value_of = itemgetter(*shape.columns)
    with session.driver.cursor().copy(_copy(shape)) as copy:
        copy.set_types([kind.removesuffix("[]") for kind in shape.arrays.values()])
        for row in rows:
            copy.write_row(value_of(row))


@cache
def _copy(shape: Shape) -> str:
    return f"COPY {shape.name} ({', '.join(shape.columns)}) FROM STDIN (FORMAT BINARY)"


def _arrays(shape: Shape, columns: Iterable[str], rows: Iterable[Values]) -> dict[str, Any]:
    rows = list(rows)
    return {name: _array(shape.arrays[name], [row[name] for row in rows]) for name in columns}


def _array(kind: str, values: list[Any]) -> Any:
    """Return an array parameter as PostgreSQL's text of it: the driver would look at each value for far longer."""
    if kind == "bytea[]":
        return values
    if kind != "text[]":
        listed = ["NULL" if value is None else repr(value) for value in values]  # text would not pass for numbers
    else:
        listed = ["NULL" if value is None else '"' + _escaped(value) + '"' for value in values]
    return "{" + ",".join(listed) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"') if "\\" in text or '"' in text else text


@cache
def _given(shape: Shape, columns: tuple[str, ...]) -> str:
    arrays = ", ".join(f"(:{name})::{shape.arrays[name]}" for name in columns)
    return f"unnest({arrays}) AS given({', '.join(columns)})"


@cache
def _from_arrays(shape: Shape) -> str:
    names = ", ".join(shape.columns)
    return f"INSERT INTO {shape.name} ({names}) SELECT {names} FROM {_given(shape, shape.columns)}"


def _by_columns(shape: Shape, amends: Mapping[Key, Values]) -> dict[tuple[str, ...], list[Values]]:
    by_columns: dict[tuple[str, ...], list[Values]] = defaultdict(list)
    for key, values in amends.items():
        by_columns[tuple(values)].append({**dict(zip(shape.key, key, strict=True)), **values})
    return by_columns


def _amend_sets(session: Session, shape: Shape, amends: Mapping[Key, Values]) -> None:
    match = " AND ".join(f"{shape.name}.{name} = given.{name}" for name in shape.key)
    for columns, rows in _by_columns(shape, amends).items():
        changes = ", ".join(f"{name} = given.{name}" for name in columns)
        given = _given(shape, (*shape.key, *columns))
        sql = f"UPDATE {shape.name} SET {changes} FROM {given} WHERE {match}"
        session.run(sql, _arrays(shape, (*shape.key, *columns), rows))
