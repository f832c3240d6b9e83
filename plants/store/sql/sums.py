"""Exact sums of 64-bit integers, whatever their size.

SQLite fails on a sum that exceeds 64 bits, and so does PostgreSQL when it is cast back. A sum is therefore asked for
as two: of the upper and of the lower 32 bits of each value. Division and remainder go towards zero on both databases,
so that the two parts of a negative number add up to it as well.
"""

from typing import Any, Final

from sqlalchemy import ColumnElement, func

_PART: Final = 1 << 32


def sum_parts(column: str) -> str:
    """Return the two columns of a statement that hold the sum of a column or expression: add them by `whole`."""
    # PostgreSQL divides a sum that is inside the expression without truncating, unless it is a bigint again.
    return ", ".join(f"sum(CAST(({column}) AS bigint) {operator} {_PART})" for operator in "/%")


def sum_columns(column: ColumnElement[int]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """Return `sum_parts` as columns of a statement that is built."""
    return func.sum(column // _PART), func.sum(column % _PART)


def whole(upper: Any, lower: Any) -> int:
    """Return the sum of which these are the two parts; both None, for no rows, is 0."""
    return int(upper or 0) * _PART + int(lower or 0)
