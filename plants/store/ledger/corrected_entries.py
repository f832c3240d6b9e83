"""Corrected entries, each with the entry that reverses it."""

from typing import Any

from sqlalchemy import ColumnElement, exists
from sqlmodel import SQLModel, col

from plants.store.sql.columns import PLANT, PROJECTION, big, key, text


class CorrectionRow(SQLModel, table=True):
    """An entry that was wrong, and the one that says so."""

    __tablename__ = "corrections"
    __table_args__ = PROJECTION

    plant_id: int = key(PLANT)
    entry_idx: int = key()
    corrected_by: int = big()
    wrong: str = text()
    reason: str = text()


def corrected(plant: Any, index: Any) -> ColumnElement[bool]:
    """Return the condition that the entry at a plant and an index, both columns of a statement, was corrected."""
    row = CorrectionRow
    return exists().where(col(row.plant_id) == plant, col(row.entry_idx) == index)
