"""How a query is handed a list of values: as an array on PostgreSQL, as JSON on SQLite, one parameter either way."""

import json
from collections.abc import Iterable
from typing import Any

from infra.database import ReadSession


def given(session: ReadSession, values: Iterable[int | str]) -> Any:
    """Return the parameter that carries the values."""
    listed = list(values)
    if session.dialect != "postgresql":
        return json.dumps(listed)
    if listed and isinstance(listed[0], int):
        # The driver would look at every number for its size; the text of the array takes a tenth of the time.
        return f"{{{','.join(map(str, listed))}}}"
    return listed


def among(session: ReadSession, column: str, name: str, kind: str = "bigint") -> str:
    """Return the condition that a column is one of the values of parameter `name`."""
    if session.dialect == "postgresql":
        return f"{column} = ANY(:{name}::{kind}[])"
    return f"{column} IN (SELECT value FROM json_each(:{name}))"


def at_plants(session: ReadSession, column: str) -> str:
    """Return the condition that a plant number is in the scope, which is parameter `scope`.

    On PostgreSQL it is written so that it is checked on the rows found: as a search condition, it would make one
    search of the index for each plant.
    """
    return among(session, f"({column} + 0)" if session.dialect == "postgresql" else column, "scope", "integer")
