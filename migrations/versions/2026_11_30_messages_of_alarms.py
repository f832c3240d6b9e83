"""Keep an alarm's code and data next to its text, so that it is worded in the language of its reader.

Only adds: the program before continues to work with these tables. Alarms that it raised have a text alone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alarms", sa.Column("code", sa.Text(), nullable=True))
    op.add_column("alarms", sa.Column("data", sa.Text(), nullable=True))
    op.add_column("replication", sa.Column("alarm_code", sa.Text(), nullable=True))
    op.add_column("replication", sa.Column("alarm_data", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("replication", "alarm_data")
    op.drop_column("replication", "alarm_code")
    op.drop_column("alarms", "data")
    op.drop_column("alarms", "code")
