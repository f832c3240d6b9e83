"""Saves of many rows: numbers of all outcomes, validations, addressed plants, and rows that repeat a code.

Only adds: the program before continues to work with these tables.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("rejected", "not_run"):
        op.add_column("saves", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("saves", sa.Column("validates", sa.SmallInteger(), nullable=False, server_default="0"))
    op.add_column("saves", sa.Column("addressed", sa.Text(), nullable=True))
    op.add_column("save_rows", sa.Column("repeats", sa.BigInteger(), nullable=True))
    op.add_column("save_rows", sa.Column("directives", sa.Text(), nullable=True))


def downgrade() -> None:
    for name in ("directives", "repeats"):
        op.drop_column("save_rows", name)
    for name in ("addressed", "validates", "not_run", "rejected"):
        op.drop_column("saves", name)
