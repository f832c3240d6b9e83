"""Number series of a plant: batch codes of a day, ids of batches and process records."""

from sqlmodel import SQLModel

from infra.database import Session
from plants.store.sql.columns import PLANT, PROJECTION, big, key, text_key


class Series(SQLModel, table=True):
    """The next number of a number series: batch codes of a day, ids of batches and process records."""

    __tablename__ = "series"
    __table_args__ = PROJECTION

    plant_id: int = key(PLANT)
    name: str = text_key()
    next: int = big()


SELECT_SERIES = "SELECT next FROM series WHERE plant_id = :plant AND name = :name"


def next_in_series(session: Session, plant: int, name: str) -> int:
    """Return the next number of a series; series begin at 1."""
    row = session.row(SELECT_SERIES, {"plant": plant, "name": name})
    return 1 if row is None else int(row[0])
