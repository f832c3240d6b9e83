"""The entry by which each plant stated a process record, and the requests of mirrored entries.

Both are filled from the entries that are there. Request ids are unique in the ledger that a node writes, which its head
guards. A mirror takes what another node wrote, so the index no longer refuses a second one.
The program before leaves the new table alone and the requests of new mirrored entries empty.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ROWS_AT_ONCE = 1_000
REQUEST_LENGTH_MAX = 200
GIVEN = sa.text("request IS NOT NULL")

OF_KEY = """
INSERT INTO process_statements (process_id, plant_id, entry_idx)
SELECT p.id, p.plant_id, MAX(e.idx)
FROM process_records p
JOIN entries e ON e.log_id = p.plant_id AND e.key = CAST(p.id AS TEXT) AND e.type IN
 ('ProcessOpened', 'ProductionRecorded', 'BatchShipped', 'TransferDispatched', 'TransferReceived')
GROUP BY p.id, p.plant_id
"""
# The key of these entries is the code of a batch. Their goods pass through the record.
OF_MOVEMENT = """
INSERT INTO process_statements (process_id, plant_id, entry_idx)
SELECT p.id, p.plant_id, MAX(m.entry_idx)
FROM movements m
JOIN entries e ON e.log_id = m.plant_id AND e.idx = m.entry_idx AND e.type IN ('BatchSplit', 'BatchesMerged')
JOIN process_records p ON p.plant_id = m.plant_id
 AND p.id = CASE WHEN m.put_in LIKE 'process:%' THEN CAST(SUBSTR(m.put_in, 9) AS BIGINT) END
GROUP BY p.id, p.plant_id
"""


def upgrade() -> None:
    op.create_table(
        "process_statements",
        sa.Column("process_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("plant_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_idx", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("process_id", "plant_id"),
        sqlite_with_rowid=False,
    )
    op.execute(sa.text(OF_KEY))
    op.execute(sa.text(OF_MOVEMENT))
    op.drop_index("entries_by_request", "entries")
    op.create_index("entries_by_request", "entries", ["log_id", "request"], sqlite_where=GIVEN, postgresql_where=GIVEN)
    _fill_requests()


def downgrade() -> None:
    op.drop_table("process_statements")
    op.drop_index("entries_by_request", "entries")
    # Before, mirrors had no requests. A node wrote the ledger of its own number, and a hub the directives.
    op.execute(
        sa.text(
            "UPDATE entries SET request = NULL WHERE request IS NOT NULL AND EXISTS (SELECT 1 FROM entries e"
            " WHERE e.log_id = entries.log_id AND e.request = entries.request AND e.idx < entries.idx)"
        )
    )
    op.create_index(
        "entries_by_request", "entries", ["log_id", "request"], unique=True, sqlite_where=GIVEN, postgresql_where=GIVEN
    )


def _fill_requests() -> None:
    """Fill the requests of entries that have a body and no request."""
    bind, after = op.get_bind(), (-(2**31), -1)
    select = sa.text(
        "SELECT log_id, idx, body FROM entries WHERE request IS NULL AND (log_id, idx) > (:log_id, :idx)"
        " ORDER BY log_id, idx LIMIT :limit"
    )
    update = sa.text("UPDATE entries SET request = :request WHERE log_id = :log_id AND idx = :idx")
    while found := bind.execute(select, {"log_id": after[0], "idx": after[1], "limit": ROWS_AT_ONCE}).all():
        after = found[-1][0], found[-1][1]
        rows = [
            {"log_id": log_id, "idx": idx, "request": request}
            for log_id, idx, body in found
            if (request := _request(body)) is not None
        ]
        if rows:
            bind.execute(update, rows)


def _request(body: Any) -> str | None:
    """Return the request of an entry, as the column holds it."""
    if not body or b'"request":' not in bytes(body):
        return None
    request = json.loads(bytes(body)).get("request")
    given = isinstance(request, str) and 0 < len(request) <= REQUEST_LENGTH_MAX and request.isprintable()
    return request if given else None
