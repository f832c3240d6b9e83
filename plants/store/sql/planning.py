"""Conditions that steer the planner of SQLite, which keeps no statistics here."""

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class tested_row_by_row(FunctionElement[Any]):  # noqa: N801 - it reads like the functions of SQL
    """A column whose conditions SQLite tests on each row, so that it walks the index of the order instead.

    SQLite takes a condition on an indexed column to admit ten rows, and sorts what it finds. A scope of plants admits
    most rows. PostgreSQL decides by its statistics.
    """

    inherit_cache = True
    name = "tested_row_by_row"


@compiles(tested_row_by_row)
def _plain(element: tested_row_by_row, compiler: SQLCompiler, **options: Any) -> str:
    return str(compiler.process(element.clauses, **options))


@compiles(tested_row_by_row, "sqlite")
def _without_index(element: tested_row_by_row, compiler: SQLCompiler, **options: Any) -> str:
    return f"+{compiler.process(element.clauses, **options)}"


def indexed_unless(column: Any, *, ordered: bool) -> Any:
    """Return the column for conditions: SQLite tests them row by row if the order has an index of its own."""
    return tested_row_by_row(column) if ordered else column
