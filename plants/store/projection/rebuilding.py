"""The projection's tables as a whole: emptied and made again from the ledgers, and compared by digest."""

from hashlib import sha256
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, Text, select, type_coerce
from sqlmodel import SQLModel

from infra.columns import stored_type
from infra.database import Session, Store
from infra.roles import Keeping
from plants.rules.ledger.events import canonical
from plants.store.ledger.entries import entries_between
from plants.store.projection.applying import project
from plants.store.replication.parked_entries import skipped_between
from plants.store.replication.projection_faults import parked_between
from plants.store.sql.rows import RowWrites

ROWS_AT_ONCE = 5_000  # that are read for a digest

SELECT_LOGS = "SELECT log_id, projected FROM logs ORDER BY log_id"


def projection_tables() -> list[Table]:
    """Return the tables that are made from the ledgers alone, by name."""
    kept = {name: table.info.get("keeping") for name, table in SQLModel.metadata.tables.items()}
    return [SQLModel.metadata.tables[name] for name in sorted(kept) if kept[name] is Keeping.PROJECTION]


def lock_ledgers(session: Session) -> list[tuple[int, int]]:
    """Keep everybody else from appending until the transaction ends; return each ledger and how far it was applied."""
    if session.dialect == "postgresql":
        # Writers wait here before they choose rows; reading stays possible. Commands and the job that applies entries
        # lock `logs` before any other of these tables, so there is no deadlock.
        names = ", ".join(["logs", *(table.name for table in projection_tables())])
        session.run(f"LOCK TABLE {names} IN EXCLUSIVE MODE")
    return [(log_id, projected) for log_id, projected in session.rows(SELECT_LOGS)]


def empty_tables(session: Session) -> None:
    """Take every row out of the projection's tables."""
    for table in projection_tables():
        # Not TRUNCATE: on PostgreSQL that would empty the tables under readers of older snapshots too.
        session.run(f"DELETE FROM {table.name}")


def apply_again(session: Session, log_id: int, low: int, high: int) -> int:
    """Apply the entries at positions low to high - 1 but for what is parked or skipped; return how many that were.

    Of a mirrored ledger of directives only decisions make rows.
    """
    parked = parked_between(session, log_id, low, high)
    # The hub's own ledger, which says what is skipped, was applied before: its number comes before those of plants.
    parked |= skipped_between(session, log_id, low, high)
    writes, count = RowWrites(), 0
    for entry in entries_between(session, log_id, low, high):
        if entry.index not in parked:
            project(writes, log_id, entry)
            count += 1
    if session.dialect == "postgresql":
        writes.write_sets(session)
    else:
        writes.write(session)
    return count


def table_digests(store: Store, *, plant: int | None = None) -> dict[str, str]:
    """Return the SHA-256, in hexadecimal, over the rows of each table of the projection, as one snapshot has them.

    Rows are canonical JSON lists, one to a line, in the byte order of their primary keys: equal tables give equal
    digests on SQLite and PostgreSQL, and with `plant` (only the rows of that plant) at the plant and at the hub.
    """
    digests = {}
    with store.reading() as reads:
        for table in projection_tables():
            order = [
                column.collate("C") if store.dialect == "postgresql" and isinstance(column.type, Text) else column
                for column in map(_stored, table.primary_key)
            ]
            query = select(*map(_stored, table.columns)).order_by(*order)
            if plant is not None:
                # Where a table has rows of both, what the hub's directives say of the plant is not the plant's own.
                stated_by = table.c.log_id if "log_id" in table.c else table.c.plant_id
                query = query.where(stated_by == plant)
            digest = sha256()
            with reads.connection().execute(query, execution_options={"yield_per": ROWS_AT_ONCE}) as rows:
                for row in rows:
                    digest.update(canonical(list(row)) + b"\n")
            digests[table.name] = digest.hexdigest()
    return digests


def _stored(column: Column[Any]) -> ColumnElement[Any]:
    return type_coerce(column, stored_type(column.type))
