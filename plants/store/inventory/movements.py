"""Movements of goods, and the stock that they sum to."""

from sqlalchemy import Index
from sqlmodel import SQLModel

from plants.store.sql.columns import CHANGING, PLANT, PROJECTION, big, key, text, text_key


class Stock(SQLModel, table=True):
    """The amount of a batch on hand at a location of a plant: the sum of its movements."""

    __tablename__ = "stock"
    __table_args__ = CHANGING

    plant_id: int = key(PLANT)
    batch_id: int = key()
    location: str = text_key()
    quantity: int = big()  # millionths of the batch's unit


class MovementRow(SQLModel, table=True):
    """An amount of a batch taken from one place and put in another: balanced by its very form."""

    __tablename__ = "movements"
    __table_args__ = (Index("movements_by_batch", "batch_id", "plant_id", "entry_idx"), PROJECTION)

    plant_id: int = key(PLANT)
    entry_idx: int = key()
    line: int = key(PLANT)
    batch_id: int = big()
    quantity: int = big()
    taken_from: str = text()
    put_in: str = text()
    occurred_us: int = big()
