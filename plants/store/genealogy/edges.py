"""Edges of the genealogy, as the plants state them."""

from sqlalchemy import Index
from sqlmodel import SQLModel

from plants.store.sql.columns import PLANT, PROJECTION, big, key, text
from plants.store.sql.rows import TableSpec


class Edge(SQLModel, table=True):
    """One edge of the genealogy: a batch into a process record, or out of it, with its own quantity and time."""

    __tablename__ = "edges"
    __table_args__ = (
        # Both directions of a walk are answered from an index alone.
        Index("edges_forward", "source_id", "target_id", "use", "plant_id"),
        Index("edges_backward", "target_id", "source_id", "use", "plant_id"),
        PROJECTION,
    )

    plant_id: int = key(PLANT)
    entry_idx: int = key()
    line: int = key(PLANT)
    source_id: int = big()
    target_id: int = big()
    quantity: int = big()
    unit: str = text()
    use: str = text()
    occurred_us: int = big()


EDGES = TableSpec.of(Edge)
