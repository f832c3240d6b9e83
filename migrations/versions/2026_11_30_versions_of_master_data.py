"""Keep the version of master data: the index of the entry that stated it (decision 0006).

Only adds: the program before continues to work with these tables. Definitions that it
states meanwhile keep the version before.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# The newest entry about the code that the tables repeat.
MATERIALS = """
UPDATE materials SET version = coalesce((
  SELECT max(e.idx) FROM entries e JOIN logs l ON l.log_id = e.log_id
  WHERE e.log_id = materials.plant_id AND e.key = materials.code AND e.idx < l.projected
  AND e.type = 'MaterialDefined'
), 0)
"""
MASTER_RECORDS = """
UPDATE master_records SET version = coalesce((
  SELECT max(e.idx) FROM entries e JOIN logs l ON l.log_id = e.log_id
  WHERE e.log_id = master_records.plant_id AND e.key = master_records.code AND e.idx < l.projected
  AND e.type = CASE master_records.kind
    WHEN 'UNIT' THEN 'UnitDefined' WHEN 'SUPPLIER' THEN 'SupplierDefined' WHEN 'CUSTOMER' THEN 'CustomerDefined'
    WHEN 'LOCATION' THEN 'LocationDefined' ELSE 'EquipmentDefined' END
), 0)
"""


def upgrade() -> None:
    for table in ("materials", "master_records"):
        op.add_column(table, sa.Column("version", sa.BigInteger(), nullable=False, server_default="0"))
    op.execute(MATERIALS)
    op.execute(MASTER_RECORDS)


def downgrade() -> None:
    for table in ("master_records", "materials"):
        op.drop_column(table, "version")
