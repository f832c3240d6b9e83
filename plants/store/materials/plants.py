"""Plants as their own ledgers state them, and the plants of a scope."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import SQLModel

from infra.database import ReadSession, Session
from plants.rules.values.scope import PlantScope
from plants.store.sql.columns import PLANT, PROJECTION, key, text
from plants.store.sql.filters import CodeCriterion


class Plant(SQLModel, table=True):
    """A plant as its own first entry states it."""

    __tablename__ = "plants"
    __table_args__ = PROJECTION

    plant_id: int = key(PLANT)
    code: str = text()
    name: str = text()
    time_zone: str = text()
    origin: str = text()


@dataclass(frozen=True, slots=True)
class PlantFacts:
    """The plant that a command writes for."""

    number: int
    code: str
    time_zone: str
    origin: str


@dataclass(frozen=True, slots=True)
class PlantSeen:
    """A plant in queries. Until its first entry has arrived, `name` is its code."""

    number: int
    code: str
    name: str
    time_zone: str


SELECT_PLANT = "SELECT plant_id, code, time_zone, origin FROM plants WHERE plant_id = :plant"


SELECT_KNOWN = "SELECT log_id FROM logs WHERE log_id > 0 ORDER BY log_id"


SELECT_PLANTS = (
    "SELECT l.log_id, l.origin, p.code, p.name, p.time_zone FROM logs l LEFT JOIN plants p ON p.plant_id = l.log_id"
    " WHERE l.log_id > 0 ORDER BY l.log_id"
)


def plant_facts(session: Session, plant: int) -> PlantFacts:
    """Return which plant this is; raises LookupError when its ledger was never opened here."""
    row = session.row(SELECT_PLANT, {"plant": plant})
    if row is None:
        message = f"plant {plant} was not opened in this store"
        raise LookupError(message)
    return PlantFacts(*row)


def known_plants(reads: ReadSession) -> list[int]:
    """Return the numbers of the plants that this store holds a ledger of, in order."""
    return [number for (number,) in reads.rows(SELECT_KNOWN)]


def plants_in(reads: ReadSession, scope: PlantScope) -> list[PlantSeen]:
    """Return the plants of the scope, in the order of their numbers."""
    return [
        PlantSeen(number, code or origin.split("/")[-2], name or origin.split("/")[-2], time_zone or "UTC")
        for number, origin, code, name, time_zone in reads.rows(SELECT_PLANTS)
        if number in scope
    ]


def plants_by_number(reads: ReadSession, scope: PlantScope, numbers: Sequence[int]) -> dict[int, PlantSeen]:
    """Return plants of the scope by number."""
    return {plant.number: plant for plant in plants_in(reads, scope) if plant.number in numbers}


def plants_by_code(reads: ReadSession, scope: PlantScope, codes: Sequence[str]) -> dict[str, PlantSeen]:
    """Return plants of the scope by code."""
    return {plant.code: plant for plant in plants_in(reads, scope) if plant.code in codes}


def narrowed(reads: ReadSession, scope: PlantScope, code: str | None) -> frozenset[int]:
    """Return the scope, or what of it has this code: one plant or none."""
    return scope if code is None else frozenset(one.number for one in plants_by_code(reads, scope, [code]).values())


def plants_admitted(reads: ReadSession, scope: PlantScope, code: CodeCriterion | None) -> frozenset[int]:
    """Return the plants of the scope whose codes meet the criterion."""
    return scope if code is None else frozenset(one.number for one in plants_in(reads, scope) if code.admits(one.code))
