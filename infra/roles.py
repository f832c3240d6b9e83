"""The roles of a node, and the options that each table declares."""

from enum import StrEnum
from typing import Any


class Role(StrEnum):
    """The role of a node, chosen once at start-up."""

    PLANT = "plant"
    HUB = "hub"


class Keeping(StrEnum):
    """The origin of a table's rows, which decides how `batchloom rebuild` treats it."""

    LEDGER = "ledger"  # entries and heads: never dropped
    PROJECTION = "projection"  # derived from the ledger alone: dropped and rebuilt
    LOCAL = "local"  # belongs to this node and is never replicated: people, keys, receipts, leases


BOTH_ROLES = frozenset(Role)


def table_options(keeping: Keeping, roles: frozenset[Role] = BOTH_ROLES) -> dict[str, Any]:
    """Return the `__table_args__` that declare a table's keeping and the roles in which it exists.

    SQLite stores the rows in primary key order (WITHOUT ROWID), which saves one B-tree write per row.
    """
    return {"info": {"keeping": keeping, "roles": roles}, "sqlite_with_rowid": False}
