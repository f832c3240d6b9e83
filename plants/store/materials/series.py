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


SELECT_NEXT = "SELECT name, next FROM series WHERE plant_id = :plant"
RAISE = "UPDATE series SET next = :next WHERE plant_id = :plant AND name = :name AND next < :next"
SELECT_SERIES = "SELECT next FROM series WHERE plant_id = :plant AND name = :name"


def next_in_series(session: Session, plant: int, name: str) -> int:
    """Return the next number of a series; series begin at 1."""
    row = session.row(SELECT_SERIES, {"plant": plant, "name": name})
    return 1 if row is None else int(row[0])


def next_numbers(session: Session, plant: int) -> dict[str, int]:
    """Return the next number of each series of a plant, by the name of the series."""
    return {str(name): int(following) for name, following in session.rows(SELECT_NEXT, {"plant": plant})}


def raise_series(session: Session, plant: int, name: str, following: int) -> None:
    """Raise the next number of a series; a lower one changes nothing."""
    session.run(RAISE, {"plant": plant, "name": name, "next": following})
