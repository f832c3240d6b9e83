"""Indexes for the lists in the order of time.

Only adds: the program before works on with these tables.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INDEXES = (
    ("batches_by_production", "batches", ["produced_us", "id"]),
    ("process_records_by_opening", "process_records", ["opened_us", "id", "plant_id"]),
    ("change_requests_by_request", "change_requests", ["requested_us", "plant_id", "change_id"]),
)
DIRECTIVES = "entries_by_direction"


def upgrade() -> None:
    for name, table, columns in INDEXES:
        op.create_index(name, table, columns)
    directives = sa.text("log_id < 0")
    columns = ["occurred_us", "log_id", "idx"]
    op.create_index(DIRECTIVES, "entries", columns, sqlite_where=directives, postgresql_where=directives)


def downgrade() -> None:
    op.drop_index(DIRECTIVES, "entries")
    for name, table, _ in INDEXES:
        op.drop_index(name, table)
