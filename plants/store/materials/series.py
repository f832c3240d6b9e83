"""Number series of a plant: the next number of each."""

from typing import Final

from infra.database import Session

SELECT_NEXT: Final = "SELECT name, next FROM series WHERE plant_id = :plant"
RAISE: Final = "UPDATE series SET next = :next WHERE plant_id = :plant AND name = :name AND next < :next"


def next_numbers(session: Session, plant: int) -> dict[str, int]:
    """Return the next number of each series of a plant, by the name of the series."""
    return {str(name): int(following) for name, following in session.rows(SELECT_NEXT, {"plant": plant})}


def raise_series(session: Session, plant: int, name: str, following: int) -> None:
    """Raise the next number of a series; a lower one changes nothing."""
    session.run(RAISE, {"plant": plant, "name": name, "next": following})
