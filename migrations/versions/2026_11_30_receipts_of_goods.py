"""The supplier's lot and the purchase order of each received batch, filled from the entries that are there.

Only adds: the program before works on with these tables.
"""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

ROWS_AT_ONCE = 1_000


def upgrade() -> None:
    made = op.create_table(
        "receipts",
        sa.Column("plant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("batch_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("supplier_lot", sa.Text(), nullable=True),
        sa.Column("purchase_order", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("plant_id", "batch_id"),
        sqlite_with_rowid=False,
    )
    given = sa.text("purchase_order IS NOT NULL")
    op.create_index(
        "receipts_by_purchase_order", "receipts", ["purchase_order"], sqlite_where=given, postgresql_where=given
    )
    rows = _receipts()
    while some := list(islice(rows, ROWS_AT_ONCE)):
        op.get_bind().execute(sa.insert(made), some)


def downgrade() -> None:
    op.drop_index("receipts_by_purchase_order", "receipts")
    op.drop_table("receipts")


def _receipts() -> Iterator[dict[str, Any]]:
    """Yield the receipts of batches that the tables hold. A pruned entry has no body and no receipt."""
    bind, after = op.get_bind(), (0, -1)
    select = sa.text(
        "SELECT log_id, idx, body FROM entries WHERE type = 'BatchReceived' AND (log_id, idx) > (:log_id, :idx)"
        " ORDER BY log_id, idx LIMIT :limit"
    )
    known = sa.text("SELECT 1 FROM batches WHERE plant_id = :plant_id AND id = :batch_id")
    while found := bind.execute(select, {"log_id": after[0], "idx": after[1], "limit": ROWS_AT_ONCE}).all():
        after = found[-1][0], found[-1][1]
        for log_id, _, body in found:
            payload = json.loads(bytes(body))["payload"] if body else {}
            if payload.get("supplier_lot") is None and payload.get("order") is None:
                continue
            for batch in payload["batches"]:
                row = {"plant_id": log_id, "batch_id": batch["id"]}
                if bind.execute(known, row).first() is not None:
                    yield row | {"supplier_lot": payload.get("supplier_lot"), "purchase_order": payload.get("order")}
