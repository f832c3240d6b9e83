"""Row writes: the effect of events on the tables, merged for many events and written set-wise.

Events carry outcomes and every row has one writer, so six kinds of write are enough:

- `pending_rows`: new rows that nothing writes twice (movements, edges);
- `upsert`: a whole row, replacing one with the same key;
- `update`: some columns of an existing row;
- `pending_sums`: amounts for the one summed column of a row (stock);
- `versions`: the index of the last entry that touched a row;
- `drop`: a row is deleted (an edge that a correction retracts).

Merging keeps the last `upsert`, folds an `update` into it, and adds up the sums. One set of writes over a thousand
events equals a thousand sets over one event each.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from operator import itemgetter
from typing import Any

from sqlalchemy import BigInteger, Integer, LargeBinary, SmallInteger, Table
from sqlmodel import SQLModel

from infra.columns import stored_type
from infra.database import Session
from plants.rules.ledger.events import Entry, Event

Key = tuple[Any, ...]
Values = dict[str, Any]
Row = tuple[Any, ...]
"""A whole row; its values are in the order of the table's columns."""

ARRAY_TYPES = {
    Integer: "integer[]",
    SmallInteger: "smallint[]",
    BigInteger: "bigint[]",
    LargeBinary: "bytea[]",
}


class StockWouldBeNegative(AssertionError):
    """A movement would make stock negative: a command skipped a rule, or the tables differ from the ledger."""


@dataclass(frozen=True, slots=True, eq=False)
class TableSpec:
    """Name, key and columns of a table, in the order in which rows are written; one object per table."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    arrays: Mapping[str, str]
    key_of: Callable[[Values], Key]
    row_of: Callable[[Values], Row]
    key_places: tuple[int, ...]

    @classmethod
    def of(cls, model: type[SQLModel]) -> "TableSpec":
        """Return the specification of a SQLModel table."""
        declared: Table = model.__table__  # type: ignore[attr-defined]
        arrays = {one.name: ARRAY_TYPES.get(type(stored_type(one.type)), "text[]") for one in declared.columns}
        names = tuple(column.name for column in declared.columns)
        key = tuple(column.name for column in declared.primary_key)
        return cls(declared.name, key, names, arrays, _getter(key), _getter(names), tuple(map(names.index, key)))


def _getter(names: tuple[str, ...]) -> Callable[[Values], tuple[Any, ...]]:
    """Return a function that reads these values from a row, always as a tuple."""
    if len(names) > 1:
        return itemgetter(*names)
    (name,) = names
    return lambda values: (values[name],)


@cache
def _insert(table: TableSpec) -> str:
    places = ", ".join(f":{name}" for name in table.columns)
    return f"INSERT INTO {table.name} ({', '.join(table.columns)}) VALUES ({places})"


@cache
def _upsert(table: TableSpec) -> str:
    changes = ", ".join(f"{name} = excluded.{name}" for name in table.columns if name not in table.key)
    return f"{_insert(table)} ON CONFLICT ({', '.join(table.key)}) DO UPDATE SET {changes}"


@cache
def _update(table: TableSpec, columns: tuple[str, ...]) -> str:
    changes = ", ".join(f"{name} = :{name}" for name in columns)
    return f"UPDATE {table.name} SET {changes} WHERE {_where(table)}"


@cache
def _increment(table: TableSpec, column: str) -> str:
    return (
        f"{_insert(table)} ON CONFLICT ({', '.join(table.key)})"
        f" DO UPDATE SET {column} = {table.name}.{column} + excluded.{column}"
    )


@cache
def _decrement(table: TableSpec, column: str) -> str:
    return (
        f"UPDATE {table.name} SET {column} = {column} + :{column} WHERE {_where(table)} AND {column} + :{column} >= 0"
    )


@cache
def _drop(table: TableSpec) -> str:
    return f"DELETE FROM {table.name} WHERE {_where(table)}"


@cache
def _where(table: TableSpec) -> str:
    return " AND ".join(f"{name} = :{name}" for name in table.key)


class RowWrites:
    """The row writes of one event or of many, merged; `write` runs them in the session's transaction."""

    def __init__(self) -> None:
        self._rows: dict[TableSpec, list[Row]] = defaultdict(list)
        self._upserts: dict[TableSpec, dict[Key, Values]] = defaultdict(dict)
        self._updates: dict[TableSpec, dict[Key, Values]] = defaultdict(dict)
        self._sums: dict[TableSpec, dict[Key, int]] = defaultdict(partial(defaultdict, int))
        self._versions: dict[TableSpec, dict[Key, int]] = defaultdict(dict)
        self._drops: dict[TableSpec, dict[Key, None]] = defaultdict(dict)

    def pending_rows(self, table: TableSpec) -> list[Row]:
        """Return the rows to insert, for callers to append to; frequent rows cost no method call each."""
        return self._rows[table]

    def upsert(self, table: TableSpec, values: Values) -> None:
        """Write a whole row, replacing one with the same key."""
        key = table.key_of(values)
        if table in self._updates:
            self._updates[table].pop(key, None)
        if table in self._drops:
            self._drops[table].pop(key, None)
        self._upserts[table][key] = values

    def update(self, table: TableSpec, key: Key, **values: Any) -> None:
        """Update some columns of an existing row, or of one that this set upserts."""
        row = self._upserts[table].get(key)
        if row is None:
            row = self._updates[table].setdefault(key, {})
        row.update(values)

    def pending_sums(self, table: TableSpec) -> dict[Key, int]:
        """Return the amounts to add to the summed column, by key; they start at 0 and may be negative."""
        return self._sums[table]

    def versions(self, table: TableSpec) -> dict[Key, int]:
        """Return the versions of the touched rows, by key, for callers to set.

        A version is the index of an entry and only rises. It is folded into the rows at the end: a row that was
        upserted or updated with another version keeps the higher one.
        """
        return self._versions[table]

    def drop(self, table: TableSpec, key: Key) -> None:
        """Delete a row, also one that this set writes."""
        rows = self._rows[table]
        places = table.key_places
        kept = [row for row in rows if tuple(row[place] for place in places) != key]
        if len(kept) == len(rows):
            self._upserts[table].pop(key, None)
            self._updates[table].pop(key, None)
            self._drops[table][key] = None
        self._rows[table] = kept

    def write(self, session: Session) -> None:
        """Run the writes row by row: for one event at a plant, and for SQLite."""
        self._fold_versions()
        for table, rows in self._rows.items():
            _run_each(session, _insert(table), [dict(zip(table.columns, row, strict=True)) for row in rows])
        for table, upserts in self._upserts.items():
            _run_each(session, _upsert(table), list(upserts.values()))
        for table, updates in self._updates.items():
            for columns, changed in _by_columns(table, updates).items():
                _run_each(session, _update(table, columns), changed)
        for table, sums in self._sums.items():
            _sum_each(session, table, sums)
        for table, drops in self._drops.items():
            _run_each(session, _drop(table), [dict(zip(table.key, key, strict=True)) for key in drops])

    def write_sets(self, session: Session) -> None:
        """Run the writes set-wise on PostgreSQL: a few statements per table, for any number of rows."""
        self._fold_versions()
        for table, rows in self._rows.items():
            if rows:
                copy_rows(session, table, rows)
        for table, upserts in self._upserts.items():
            if upserts:
                _upsert_sets(session, table, upserts)
        for table, updates in self._updates.items():
            _update_sets(session, table, updates)
        for table, sums in self._sums.items():
            if sums:
                _sum_sets(session, table, sums)
        for table, drops in self._drops.items():
            if drops:
                keys = [dict(zip(table.key, key, strict=True)) for key in drops]
                sql = f"DELETE FROM {table.name} USING {_given(table, table.key)} WHERE {_match(table)}"
                session.run(sql, _arrays(table, table.key, keys))

    def _fold_versions(self) -> None:
        for table, versions in self._versions.items():
            upserts, updates = self._upserts[table], self._updates[table]
            for key, version in versions.items():
                row = upserts.get(key)
                if row is None:
                    row = updates.setdefault(key, {})
                if row.get("version", -1) < version:
                    row["version"] = version
            versions.clear()


def summed_column(table: TableSpec) -> str:
    """Return the one column of a table outside its key: `pending_sums` adds to it."""
    (column,) = (name for name in table.columns if name not in table.key)
    return column


def _run_each(session: Session, sql: str, rows: Sequence[Values]) -> int:
    if len(rows) == 1:
        return session.run(sql, rows[0])
    return session.run_many(sql, rows) if rows else 0


def _sum_each(session: Session, table: TableSpec, sums: Mapping[Key, int]) -> None:
    column = summed_column(table)
    rows = [{**dict(zip(table.key, key, strict=True)), column: amount} for key, amount in sums.items()]
    taken = [row for row in rows if row[column] < 0]
    _run_each(session, _increment(table, column), [row for row in rows if row[column] >= 0])
    if _run_each(session, _decrement(table, column), taken) != len(taken):
        message = f"{table.name}: one of {taken}"
        raise StockWouldBeNegative(message)


def copy_rows(session: Session, table: TableSpec, rows: Iterable[Row]) -> None:
    """Write new rows by binary COPY, the fastest way into a PostgreSQL table."""
    with session.driver.cursor().copy(_copy(table)) as copy:
        copy.set_types([kind.removesuffix("[]") for kind in table.arrays.values()])
        write_row = copy.write_row
        for row in rows:
            write_row(row)


def _there(session: Session, table: TableSpec, keys: Sequence[Key]) -> set[Key]:
    """Return the keys that have a row."""
    names = ", ".join(f"{table.name}.{name}" for name in table.key)
    sql = f"SELECT {names} FROM {_given(table, table.key)} JOIN {table.name} ON {_match(table)}"
    return set(session.rows(sql, _key_arrays(table, keys)))


def _upsert_sets(session: Session, table: TableSpec, upserts: Mapping[Key, Values]) -> None:
    """Write whole rows; COPY of the new ones takes half the time of an INSERT with ON CONFLICT."""
    there = _there(session, table, list(upserts))
    new = [table.row_of(values) for key, values in upserts.items() if key not in there] if there else None
    rows = [table.row_of(values) for values in upserts.values()] if new is None else new
    if rows:
        copy_rows(session, table, rows)
    if there:
        changed = tuple(name for name in table.columns if name not in table.key)
        old = [values for key, values in upserts.items() if key in there]
        if changed:
            session.run(_update_given(table, changed), _arrays(table, table.columns, old))


def _sum_sets(session: Session, table: TableSpec, sums: Mapping[Key, int]) -> None:
    column = summed_column(table)
    there = _there(session, table, list(sums))
    rows = [{**dict(zip(table.key, key, strict=True)), column: amount} for key, amount in sums.items()]
    if there:
        old = [row for row in rows if table.key_of(row) in there]
        rows = [row for row in rows if table.key_of(row) not in there]
        given = _given(table, (*table.key, column))
        sql = f"UPDATE {table.name} SET {column} = {table.name}.{column} + given.{column} FROM {given}"
        session.run(f"{sql} WHERE {_match(table)}", _arrays(table, (*table.key, column), old))
    if rows:
        copy_rows(session, table, map(table.row_of, rows))


def _key_arrays(table: TableSpec, keys: Sequence[Key]) -> dict[str, Any]:
    columns = zip(*keys, strict=True)
    return {name: _array(table.arrays[name], list(values)) for name, values in zip(table.key, columns, strict=True)}


@cache
def _update_given(table: TableSpec, columns: tuple[str, ...]) -> str:
    changes = ", ".join(f"{name} = given.{name}" for name in columns)
    return f"UPDATE {table.name} SET {changes} FROM {_given(table, (*table.key, *columns))} WHERE {_match(table)}"


@cache
def _match(table: TableSpec) -> str:
    return " AND ".join(f"{table.name}.{name} = given.{name}" for name in table.key)


@cache
def _copy(table: TableSpec) -> str:
    return f"COPY {table.name} ({', '.join(table.columns)}) FROM STDIN (FORMAT BINARY)"


def _arrays(table: TableSpec, columns: Iterable[str], rows: Iterable[Values]) -> dict[str, Any]:
    rows = list(rows)
    return {name: _array(table.arrays[name], [row[name] for row in rows]) for name in columns}


def _array(kind: str, values: list[Any]) -> Any:
    """Return an array parameter as a PostgreSQL array literal: the driver would take far longer per value."""
    if kind == "bytea[]":
        return values
    if kind != "text[]":
        # repr() makes PostgreSQL reject a text among numbers.
        listed = ["NULL" if value is None else repr(value) for value in values]
    else:
        listed = ["NULL" if value is None else '"' + _escaped(value) + '"' for value in values]
    return "{" + ",".join(listed) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"') if "\\" in text or '"' in text else text


@cache
def _given(table: TableSpec, columns: tuple[str, ...]) -> str:
    arrays = ", ".join(f"(:{name})::{table.arrays[name]}" for name in columns)
    return f"unnest({arrays}) AS given({', '.join(columns)})"


def _by_columns(table: TableSpec, updates: Mapping[Key, Values]) -> dict[tuple[str, ...], list[Values]]:
    by_columns: dict[tuple[str, ...], list[Values]] = defaultdict(list)
    for key, values in updates.items():
        by_columns[tuple(values)].append({**dict(zip(table.key, key, strict=True)), **values})
    return by_columns


def _update_sets(session: Session, table: TableSpec, updates: Mapping[Key, Values]) -> None:
    for columns, rows in _by_columns(table, updates).items():
        session.run(_update_given(table, columns), _arrays(table, (*table.key, *columns), rows))


Projector = Callable[[RowWrites, int, Entry], None]
"""Adds the row writes of one entry of a ledger."""

Projectors = Mapping[Event[Any], Projector]
"""The projectors of an area: what its events do beyond the parts that they share with others."""

Parts = Sequence[tuple[str, Callable[[RowWrites, int, Entry, Any], None]]]
"""What an area does with members of an Outcome, in this order; the last argument is the member's value.

Parts of different areas write different columns, so the order of the areas does not matter.
"""


def no_rows(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Project an event that no table repeats."""
    del writes, log_id, entry
