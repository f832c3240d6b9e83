"""Row writes: what an event does to the tables, merged for many events and written set-wise.

These kinds of write are enough, because every row has one writer and events carry outcomes:

- `lines`: rows that nothing writes twice (movements, edges);
- `put`: a whole row, in place of one with the same key;
- `amend`: some columns of a row that is there;
- `sums`: amounts on the one summed column of a row (stock);
- `versions`: the entry that touched a row last;
- `drop`: a row goes (an edge that a correction retracts).

Merging keeps the last `put`, folds an `amend` into it, and sums what is added: the result of one set of writes over a
thousand events equals that of a thousand sets over one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from operator import itemgetter
from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, SmallInteger, Table
from sqlmodel import SQLModel

from infra.database import Session

Key = tuple[Any, ...]
Values = dict[str, Any]
Line = tuple[Any, ...]
"""A whole row, its values in the order of the table's columns."""

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
    key_of: Callable[[Values], Key]
    line_of: Callable[[Values], Line]
    key_places: tuple[int, ...]

    @classmethod
    def of(cls, model: type[SQLModel]) -> "Shape":
        """Return the shape of a SQLModel table."""
        table: Table = model.__table__  # type: ignore[attr-defined]
        arrays = {column.name: ARRAY_TYPES.get(type(column.type), "text[]") for column in table.columns}
        names = tuple(column.name for column in table.columns)
        key = tuple(column.name for column in table.primary_key)
        return cls(table.name, key, names, arrays, _getter(key), _getter(names), tuple(map(names.index, key)))


def _getter(names: tuple[str, ...]) -> Callable[[Values], tuple[Any, ...]]:
    """Return what takes these values out of a row, always as a tuple."""
    if len(names) > 1:
        return itemgetter(*names)
    (name,) = names
    return lambda values: (values[name],)


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
        self._inserts: dict[Shape, list[Line]] = defaultdict(list)
        self._puts: dict[Shape, dict[Key, Values]] = defaultdict(dict)
        self._amends: dict[Shape, dict[Key, Values]] = defaultdict(dict)
        self._adds: dict[Shape, dict[Key, int]] = defaultdict(partial(defaultdict, int))
        self._versions: dict[Shape, dict[Key, int]] = defaultdict(dict)
        self._drops: dict[Shape, dict[Key, None]] = defaultdict(dict)

    def lines(self, shape: Shape) -> list[Line]:
        """Return the rows to insert so far, in the order of the columns; what there is most of is appended here."""
        return self._inserts[shape]

    def put(self, shape: Shape, values: Values) -> None:
        """Write a whole row, in place of one with the same key."""
        key = shape.key_of(values)
        if shape in self._amends:
            self._amends[shape].pop(key, None)
        if shape in self._drops:
            self._drops[shape].pop(key, None)
        self._puts[shape][key] = values

    def amend(self, shape: Shape, key: Key, **values: Any) -> None:
        """Change some columns of a row that is there, or is put by an earlier write of this set."""
        row = self._puts[shape].get(key)
        if row is None:
            row = self._amends[shape].setdefault(key, {})
        row.update(values)

    def sums(self, shape: Shape) -> dict[Key, int]:
        """Return what is added so far, by key, each beginning at zero; what there is most of is added to here."""
        return self._adds[shape]

    def versions(self, shape: Shape) -> dict[Key, int]:
        """Return the versions that rows have reached by being touched, by key; what there is most of is put here.

        A version is the index of an entry and only rises, so that it is folded into the rows at the end: a row keeps
        the higher one where it was put or amended with another.
        """
        return self._versions[shape]

    def drop(self, shape: Shape, key: Key) -> None:
        """Take a row away, also one that an earlier write of this set would make."""
        rows = self._inserts[shape]
        places = shape.key_places
        kept = [row for row in rows if tuple(row[place] for place in places) != key]
        if len(kept) == len(rows):
            self._puts[shape].pop(key, None)
            self._amends[shape].pop(key, None)
            self._drops[shape][key] = None
        self._inserts[shape] = kept

    def write(self, session: Session) -> None:
        """Run the writes row by row: the form for one event at a plant, and for SQLite."""
        self._fold_versions()
        for shape, lines in self._inserts.items():
            _run_each(session, _insert(shape), [dict(zip(shape.columns, line, strict=True)) for line in lines])
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
        """Run the writes set-wise on PostgreSQL: a few statements for each table, whatever the number of rows."""
        self._fold_versions()
        for shape, lines in self._inserts.items():
            if lines:
                copy_lines(session, shape, lines)
        for shape, puts in self._puts.items():
            if puts:
                _put_sets(session, shape, puts)
        for shape, amends in self._amends.items():
            _amend_sets(session, shape, amends)
        for shape, sums in self._adds.items():
            if sums:
                _add_sets(session, shape, sums)
        for shape, drops in self._drops.items():
            if drops:
                keys = [dict(zip(shape.key, key, strict=True)) for key in drops]
                sql = f"DELETE FROM {shape.name} USING {_given(shape, shape.key)} WHERE {_match(shape)}"
                session.run(sql, _arrays(shape, shape.key, keys))

    def _fold_versions(self) -> None:
        for shape, versions in self._versions.items():
            puts, amends = self._puts[shape], self._amends[shape]
            for key, version in versions.items():
                row = puts.get(key)
                if row is None:
                    row = amends.setdefault(key, {})
                if row.get("version", -1) < version:
                    row["version"] = version
            versions.clear()


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


def copy_lines(session: Session, shape: Shape, lines: Iterable[Line]) -> None:
    """Write new rows by binary COPY, the fastest way into a PostgreSQL table."""
    with session.driver.cursor().copy(_copy(shape)) as copy:
        copy.set_types([kind.removesuffix("[]") for kind in shape.arrays.values()])
        write_row = copy.write_row
        for line in lines:
            write_row(line)


def _there(session: Session, shape: Shape, keys: Sequence[Key]) -> set[Key]:
    """Return which of the keys have a row."""
    names = ", ".join(f"{shape.name}.{name}" for name in shape.key)
    sql = f"SELECT {names} FROM {_given(shape, shape.key)} JOIN {shape.name} ON {_match(shape)}"
    return set(session.rows(sql, _key_arrays(shape, keys)))


def _put_sets(session: Session, shape: Shape, puts: Mapping[Key, Values]) -> None:
    """Write whole rows: new ones by COPY, which costs PostgreSQL half of an insert that looks for a conflict."""
    there = _there(session, shape, list(puts))
    new = [shape.line_of(values) for key, values in puts.items() if key not in there] if there else None
    lines = [shape.line_of(values) for values in puts.values()] if new is None else new
    if lines:
        copy_lines(session, shape, lines)
    if there:
        changed = tuple(name for name in shape.columns if name not in shape.key)
        rows = [values for key, values in puts.items() if key in there]
        if changed:
            session.run(_update(shape, changed), _arrays(shape, shape.columns, rows))


def _add_sets(session: Session, shape: Shape, sums: Mapping[Key, int]) -> None:
    column = summed_column(shape)
    there = _there(session, shape, list(sums))
    rows = [{**dict(zip(shape.key, key, strict=True)), column: amount} for key, amount in sums.items()]
    if there:
        old = [row for row in rows if shape.key_of(row) in there]
        rows = [row for row in rows if shape.key_of(row) not in there]
        given = _given(shape, (*shape.key, column))
        sql = f"UPDATE {shape.name} SET {column} = {shape.name}.{column} + given.{column} FROM {given}"
        session.run(f"{sql} WHERE {_match(shape)}", _arrays(shape, (*shape.key, column), old))
    if rows:
        copy_lines(session, shape, map(shape.line_of, rows))


def _key_arrays(shape: Shape, keys: Sequence[Key]) -> dict[str, Any]:
    columns = zip(*keys, strict=True)
    return {name: _array(shape.arrays[name], list(values)) for name, values in zip(shape.key, columns, strict=True)}


@cache
def _update(shape: Shape, columns: tuple[str, ...]) -> str:
    changes = ", ".join(f"{name} = given.{name}" for name in columns)
    return f"UPDATE {shape.name} SET {changes} FROM {_given(shape, (*shape.key, *columns))} WHERE {_match(shape)}"


@cache
def _match(shape: Shape) -> str:
    return " AND ".join(f"{shape.name}.{name} = given.{name}" for name in shape.key)


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


def _by_columns(shape: Shape, amends: Mapping[Key, Values]) -> dict[tuple[str, ...], list[Values]]:
    by_columns: dict[tuple[str, ...], list[Values]] = defaultdict(list)
    for key, values in amends.items():
        by_columns[tuple(values)].append({**dict(zip(shape.key, key, strict=True)), **values})
    return by_columns


def _amend_sets(session: Session, shape: Shape, amends: Mapping[Key, Values]) -> None:
    for columns, rows in _by_columns(shape, amends).items():
        session.run(_update(shape, columns), _arrays(shape, (*shape.key, *columns), rows))
