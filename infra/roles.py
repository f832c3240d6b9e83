"""The roles that a node can have, and what each table says of itself."""

from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """What a node is: chosen once at start-up."""

    PLANT = "plant"
    HUB = "hub"


class Keeping(StrEnum):
    """How a table comes by its rows, which decides what `batchloom rebuild` does with it."""

    LEDGER = "ledger"  # the entries themselves and their heads: never dropped
    PROJECTION = "projection"  # made from the ledger alone: dropped and made again
    LOCAL = "local"  # of this node alone, never replicated: people, keys, receipts, leases


BOTH_ROLES = frozenset(Role)


def table_options(keeping: Keeping, roles: frozenset[Role] = BOTH_ROLES) -> dict[str, Any]:
    """Return the `__table_args__` that declare how a table is kept and in which roles it exists.

    SQLite stores the rows in primary key order (WITHOUT ROWID): one B-tree fewer to write for each row.
    """
    return {"info": {"keeping": keeping, "roles": roles}, "sqlite_with_rowid": False}
