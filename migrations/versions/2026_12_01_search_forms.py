"""Search forms of names in columns of their own: names that people take for the same have one form (decision 0027).

Adds columns and fills them, and replaces the indexes by which names were found. The program before works on with
these tables. Rows that it writes meanwhile get their forms by a rebuild.
"""

import unicodedata
from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

ROWS_AT_ONCE = 1_000
REQUIRED = (
    ("aliases", "value", ("plant_id", "scheme", "issuer", "value", "batch_id")),
    ("materials", "name", ("plant_id", "code")),
    ("master_records", "name", ("plant_id", "kind", "code")),
)
OPTIONAL = (
    ("receipts", "supplier_lot", ("plant_id", "batch_id")),
    ("receipts", "purchase_order", ("plant_id", "batch_id")),
    ("process_records", "job_order", ("id", "plant_id")),
)
CASE_SENSITIVE = {"EPC_CLASS", "EPC", "LOT_NUMBER", "HANDLING_UNIT"}
"""The schemes of aliases whose values are their own forms."""


def upgrade() -> None:
    for table, name, key in REQUIRED:
        op.add_column(table, sa.Column(f"{name}_search", sa.Text(), nullable=False, server_default=""))
        _fill(table, name, key)
    for table, name, key in OPTIONAL:
        op.add_column(table, sa.Column(f"{name}_search", sa.Text(), nullable=True))
        _fill(table, name, key)
    op.drop_index("aliases_by_value", "aliases")
    op.create_index("aliases_by_value_search", "aliases", ["value_search"])
    op.drop_index("receipts_by_purchase_order", "receipts")
    op.drop_index("process_records_by_job_order", "process_records")
    for table, name, _ in OPTIONAL:
        _index_given(table, f"{name}_search")


def downgrade() -> None:
    for table, name, _ in OPTIONAL:
        op.drop_index(f"{table}_by_{name}_search", table)
    _index_given("process_records", "job_order")
    _index_given("receipts", "purchase_order")
    op.drop_index("aliases_by_value_search", "aliases")
    op.create_index("aliases_by_value", "aliases", ["value"])
    for table, name, _ in (*OPTIONAL, *REQUIRED):
        op.drop_column(table, f"{name}_search")


def _index_given(table: str, column: str) -> None:
    given = sa.text(f"{column} IS NOT NULL")
    op.create_index(f"{table}_by_{column}", table, [column], sqlite_where=given, postgresql_where=given)


def _fill(table: str, name: str, key: Sequence[str]) -> None:
    """Write the search form of a column into its second column, some rows at a time."""
    bind, keys = op.get_bind(), ", ".join(key)
    places = ", ".join(f":{one}" for one in key)
    first = f"SELECT {keys}, {name} FROM {table} WHERE {name} IS NOT NULL"  # noqa: S608 - the names are above
    order = f"ORDER BY {keys} LIMIT {ROWS_AT_ONCE}"
    same = " AND ".join(f"{one} = :{one}" for one in key)
    update = sa.text(f"UPDATE {table} SET {name}_search = :form WHERE {same}")  # noqa: S608 - the names are above
    rows = bind.execute(sa.text(f"{first} {order}")).all()
    while rows:
        found = [dict(zip(key, row, strict=False)) | {"form": _form(row[-1], row)} for row in rows]
        bind.execute(update, found)
        after = {one: found[-1][one] for one in key}
        rows = bind.execute(sa.text(f"{first} AND ({keys}) > ({places}) {order}"), after).all()


def _form(value: str, row: Sequence[object]) -> str:
    if not CASE_SENSITIVE.isdisjoint(row[1:2]):
        return value
    folded = unicodedata.normalize("NFD", value).casefold()
    folded = unicodedata.normalize("NFKD", folded).casefold()
    return unicodedata.normalize("NFKC", folded).strip()
