"""Master data of a plant: the plant itself, its materials, units, parties and places, and its number series."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.columns import JsonText
from infra.database import ReadSession, Session
from plants.rules.materials.definitions import MasterKind
from plants.rules.materials.refusals import not_defined
from plants.rules.values.quantities import UNITS, Unit
from plants.rules.values.scope import PlantScope
from plants.store.materials.plants import narrowed
from plants.store.sql.columns import PLANT, PROJECTION, big, key, text, text_key
from plants.store.sql.pages import Key, count, page


class Material(SQLModel, table=True):
    """A material definition as one plant uses it."""

    __tablename__ = "materials"
    __table_args__ = PROJECTION

    plant_id: int = key(PLANT)
    code: str = text_key()
    name: str = text()
    unit: str = text()
    shelf_life_days: int | None = big(None)
    retest_days: int | None = big(None)
    conversions: dict[str, str] = Field(sa_type=JsonText)  # unit -> exact fraction of the material's unit


class MasterRecord(SQLModel, table=True):
    """A supplier, customer, location, piece of equipment or extra unit, by its kind and code."""

    __tablename__ = "master_records"
    __table_args__ = PROJECTION

    plant_id: int = key(PLANT)
    kind: MasterKind = text_key()
    code: str = text_key()
    name: str = text()
    detail: dict[str, Any] = Field(sa_type=JsonText)  # for a unit, {"of": code, "factor": fraction}


@dataclass(frozen=True, slots=True)
class MaterialFacts:
    """A material definition as commands need it."""

    code: str
    name: str
    unit: str
    shelf_life_days: int | None
    retest_days: int | None


SELECT_MATERIAL = (
    "SELECT code, name, unit, shelf_life_days, retest_days FROM materials WHERE plant_id = :plant AND code = :code"
)
SELECT_CONVERSIONS = "SELECT conversions FROM materials WHERE plant_id = :plant AND code = :code"
SELECT_MASTER = "SELECT name FROM master_records WHERE plant_id = :plant AND kind = :kind AND code = :code"
SELECT_UNITS = "SELECT code, detail FROM master_records WHERE plant_id = :plant AND kind = 'UNIT'"


def material(session: Session, plant: int, code: str) -> MaterialFacts:
    """Return a plant's material definition, or raise Refusal."""
    row = session.row(SELECT_MATERIAL, {"plant": plant, "code": code})
    if row is None:
        raise not_defined("material", code)
    return MaterialFacts(*row)


def conversions(session: Session, plant: int, code: str) -> Mapping[str, Fraction]:
    """Return how many of the material's unit one of each other unit is."""
    row = session.row(SELECT_CONVERSIONS, {"plant": plant, "code": code})
    return {} if row is None else {unit: Fraction(factor) for unit, factor in json.loads(row[0]).items()}


def check_defined(session: Session, plant: int, kind: MasterKind, code: str) -> None:
    """Raise Refusal unless the plant has a supplier, customer, location or piece of equipment of that code."""
    if session.row(SELECT_MASTER, {"plant": plant, "kind": kind, "code": code}) is None:
        raise not_defined(kind.lower(), code)


def extra_units(session: Session, plant: int) -> Mapping[str, Unit]:
    """Return the units that a plant defined beyond the built-in ones."""
    units: dict[str, Unit] = {}
    for code, detail in session.rows(SELECT_UNITS, {"plant": plant}):
        content = json.loads(detail)
        known = UNITS[content["of"]]
        units[code] = Unit(code, known.dimension, known.factor * Fraction(content["factor"]))
    return units


@dataclass(frozen=True, slots=True)
class DefinitionsFilter:
    """Criteria for master data: a kind, a plant, a text that the code or name contains, and a code."""

    kind: str
    plant: str | None = None
    text: str | None = None
    code: str | None = None


def materials_by_key(
    reads: ReadSession, scope: PlantScope, keys: Sequence[tuple[int, str]]
) -> dict[tuple[int, str], Material]:
    """Return material definitions by plant number and code."""
    wanted = col(Material.plant_id).in_(scope), col(Material.code).in_({code for _, code in keys})
    return {(one.plant_id, one.code): one for one in reads.exec(select(Material).where(*wanted))}


def masters_by_key(
    reads: ReadSession, scope: PlantScope, keys: Sequence[tuple[int, str, str]]
) -> dict[tuple[int, str, str], MasterRecord]:
    """Return suppliers, customers, locations and equipment by plant number, kind and code."""
    wanted = col(MasterRecord.plant_id).in_(scope), col(MasterRecord.code).in_({code for _, _, code in keys})
    return {(one.plant_id, one.kind, one.code): one for one in reads.exec(select(MasterRecord).where(*wanted))}


def materials_page(
    reads: ReadSession, scope: PlantScope, filters: DefinitionsFilter, after: Key | None, limit: int
) -> Sequence[Material]:
    """Return one page of material definitions by code and plant."""
    key = col(Material.code), col(Material.plant_id)
    return reads.exec(page(_materials(reads, scope, filters), key, after, limit)).all()


def materials_count(reads: ReadSession, scope: PlantScope, filters: DefinitionsFilter) -> int:
    """Return how many material definitions there are."""
    return count(reads, _materials(reads, scope, filters))


def masters_page(
    reads: ReadSession, scope: PlantScope, filters: DefinitionsFilter, after: Key | None, limit: int
) -> Sequence[MasterRecord]:
    """Return one page of master data of a kind, by code and plant."""
    key = col(MasterRecord.code), col(MasterRecord.plant_id)
    return reads.exec(page(_masters(reads, scope, filters), key, after, limit)).all()


def masters_count(reads: ReadSession, scope: PlantScope, filters: DefinitionsFilter) -> int:
    """Return how much master data of a kind there is."""
    return count(reads, _masters(reads, scope, filters))


def _materials(reads: ReadSession, scope: PlantScope, filters: DefinitionsFilter) -> SelectOfScalar[Material]:
    return select(Material).where(*_criteria(Material, reads, scope, filters))


def _masters(reads: ReadSession, scope: PlantScope, filters: DefinitionsFilter) -> SelectOfScalar[MasterRecord]:
    return select(MasterRecord).where(
        MasterRecord.kind == filters.kind, *_criteria(MasterRecord, reads, scope, filters)
    )


def _criteria(
    table: type[Material | MasterRecord], reads: ReadSession, scope: PlantScope, filters: DefinitionsFilter
) -> list[ColumnElement[bool]]:
    criteria: list[ColumnElement[bool]] = [col(table.plant_id).in_(narrowed(reads, scope, filters.plant))]
    if filters.code is not None:
        criteria.append(col(table.code) == filters.code)
    if filters.text is not None:
        text = filters.text.lower()
        columns = col(table.code), col(table.name)
        criteria.append(or_(*(func.lower(one).contains(text, autoescape=True) for one in columns)))
    return criteria
