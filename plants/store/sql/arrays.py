"""List parameters of queries: one array on PostgreSQL, one JSON text on SQLite."""

import json
from collections.abc import Iterable
from typing import Any

from infra.database import ReadSession


def as_array(session: ReadSession, values: Iterable[int | str]) -> Any:
    """Return the parameter value for a list."""
    listed = list(values)
    if session.dialect != "postgresql":
        return json.dumps(listed)
    if listed and isinstance(listed[0], int):
        # The driver would check the size of each number; an array literal takes a tenth of the time.
        return f"{{{','.join(map(str, listed))}}}"
    return listed


def in_list(session: ReadSession, column: str, name: str, kind: str = "bigint") -> str:
    """Return the condition that a column is in the list parameter `name`."""
    if session.dialect == "postgresql":
        return f"{column} = ANY(:{name}::{kind}[])"
    return f"{column} IN (SELECT value FROM json_each(:{name}))"


def in_scope(session: ReadSession, column: str) -> str:
    """Return the condition that a plant number is in the list parameter `scope`.

    On PostgreSQL `+ 0` makes it a filter on the rows found. As an index condition it would search the index once per
    plant.
    """
    return in_list(session, f"({column} + 0)" if session.dialect == "postgresql" else column, "scope", "integer")
