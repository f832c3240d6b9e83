"""Master data of a plant: the plant itself, its materials, units, parties and places, and its number series."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, TypeVar

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import Field, SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.columns import JsonText
from infra.database import ReadSession, Session
from plants.rules.materials.definitions import MATERIAL, MasterKind
from plants.rules.materials.refusals import not_defined
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.quantities import UNITS, Unit
from plants.rules.values.scope import PlantScope
from plants.rules.values.search_forms import search_form
from plants.store.materials.plants import plants_admitted
from plants.store.sql.columns import PLANT, PROJECTION, big, key, text, text_key
from plants.store.sql.filters import CodeCriterion, filtered
from plants.store.sql.orders import Order
from plants.store.sql.pages import Key, count, page

Row = TypeVar("Row", bound="Material | MasterRecord")


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
    version: int = big(0)  # index of the entry that stated it
    name_search: str = text("")  # `search_form` of the name


class MasterRecord(SQLModel, table=True):
    """A supplier, customer, location, piece of equipment or extra unit, by its kind and code."""

    __tablename__ = "master_records"
    __table_args__ = PROJECTION

    plant_id: int = key(PLANT)
    kind: MasterKind = text_key()
    code: str = text_key()
    name: str = text()
    detail: dict[str, Any] = Field(sa_type=JsonText)  # for a unit, {"of": code, "factor": fraction}
    version: int = big(0)  # as of a material
    name_search: str = text("")


@dataclass(frozen=True, slots=True)
class MaterialFacts:
    """A material definition as commands need it."""

    code: str
    name: str
    unit: str
    shelf_life_days: int | None
    retest_days: int | None


@dataclass(frozen=True, slots=True)
class CurrentDefinition:
    """A definition as its entry states it, and the index of that entry."""

    content: Mapping[str, Any]
    version: int


SELECT_MATERIAL = (
    "SELECT code, name, unit, shelf_life_days, retest_days FROM materials WHERE plant_id = :plant AND code = :code"
)
SELECT_CONVERSIONS = "SELECT conversions FROM materials WHERE plant_id = :plant AND code = :code"
SELECT_MASTER = "SELECT name FROM master_records WHERE plant_id = :plant AND kind = :kind AND code = :code"
SELECT_WHOLE_MATERIAL = (
    "SELECT name, unit, shelf_life_days, retest_days, conversions, version"
    " FROM materials WHERE plant_id = :plant AND code = :code"
)
SELECT_WHOLE_MASTER = (
    "SELECT name, detail, version FROM master_records WHERE plant_id = :plant AND kind = :kind AND code = :code"
)
SELECT_UNITS = "SELECT code, detail FROM master_records WHERE plant_id = :plant AND kind = 'UNIT'"


def material(session: Session, plant: int, code: str) -> MaterialFacts:
    """Return a plant's material definition, or raise Refusal."""
    row = session.row(SELECT_MATERIAL, {"plant": plant, "code": code})
    if row is None:
        raise not_defined("material", code)
    return MaterialFacts(*row)


def current_definition(session: Session, plant: int, kind: str, code: str) -> CurrentDefinition | None:
    """Return what a plant's ledger states of a code of this kind, if anything."""
    if kind == MATERIAL:
        row = session.row(SELECT_WHOLE_MATERIAL, {"plant": plant, "code": code})
        if row is None:
            return None
        name, unit, shelf_life, retest, factors, version = row
        days = {"shelf_life_days": shelf_life, "retest_days": retest}
        content = {"code": code, "name": name, "unit": unit, **days, "conversions": json.loads(factors)}
        return CurrentDefinition(content, version)
    row = session.row(SELECT_WHOLE_MASTER, {"plant": plant, "kind": kind, "code": code})
    return None if row is None else CurrentDefinition({"code": code, "name": row[0], **json.loads(row[1])}, row[2])


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


class DefinitionOrderField(DescribedEnum):
    """Field to order master data by."""

    CODE = "CODE", "The code at the plant."
    NAME = "NAME", "The name. Upper and lower case are the same. Of equal names, by code."


BY_CODE: Final = Order(DefinitionOrderField.CODE)


@dataclass(frozen=True, slots=True)
class DefinitionsFilter:
    """Criteria for definitions of a kind, and their order. A field that is None does not filter.

    The search form of `text` is in that of the code or the name. `unit` is the unit of a material.
    """

    kind: str
    plant: CodeCriterion | None = None
    text: str | None = None
    code: CodeCriterion | None = None
    unit: CodeCriterion | None = None
    order: Order[DefinitionOrderField] = BY_CODE


def definition_key(order: Order[DefinitionOrderField]) -> Callable[[Material | MasterRecord], Key]:
    """Return the function that returns the key of a definition in this order."""
    if order.field is DefinitionOrderField.NAME:
        return lambda row: (row.name_search, row.code, row.plant_id)
    return lambda row: (row.code, row.plant_id)


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
    """Return one page of material definitions."""
    return reads.exec(_page(Material, _materials(reads, scope, filters), filters, after, limit)).all()


def materials_count(reads: ReadSession, scope: PlantScope, filters: DefinitionsFilter) -> int:
    """Return how many material definitions there are."""
    return count(reads, _materials(reads, scope, filters))


def masters_page(
    reads: ReadSession, scope: PlantScope, filters: DefinitionsFilter, after: Key | None, limit: int
) -> Sequence[MasterRecord]:
    """Return one page of master data of a kind."""
    return reads.exec(_page(MasterRecord, _masters(reads, scope, filters), filters, after, limit)).all()


def masters_count(reads: ReadSession, scope: PlantScope, filters: DefinitionsFilter) -> int:
    """Return how much master data of a kind there is."""
    return count(reads, _masters(reads, scope, filters))


def _materials(reads: ReadSession, scope: PlantScope, filters: DefinitionsFilter) -> SelectOfScalar[Material]:
    found = select(Material).where(*_criteria(Material, reads, scope, filters))
    return filtered(found, {Material.code: filters.code, Material.unit: filters.unit})


def _masters(reads: ReadSession, scope: PlantScope, filters: DefinitionsFilter) -> SelectOfScalar[MasterRecord]:
    criteria = _criteria(MasterRecord, reads, scope, filters)
    found = select(MasterRecord).where(MasterRecord.kind == filters.kind, *criteria)
    return filtered(found, {MasterRecord.code: filters.code})


def _criteria(
    table: type[Material | MasterRecord], reads: ReadSession, scope: PlantScope, filters: DefinitionsFilter
) -> list[ColumnElement[bool]]:
    criteria: list[ColumnElement[bool]] = [col(table.plant_id).in_(plants_admitted(reads, scope, filters.plant))]
    if filters.text is not None:
        # A code is ASCII, which every database folds alike.
        columns = func.lower(col(table.code)), col(table.name_search)
        criteria.append(or_(*(one.contains(search_form(filters.text), autoescape=True) for one in columns)))
    return criteria


def _page(
    table: type[Material | MasterRecord],
    found: SelectOfScalar[Row],
    filters: DefinitionsFilter,
    after: Key | None,
    limit: int,
) -> SelectOfScalar[Row]:
    names = (table.name_search, table.code) if filters.order.field is DefinitionOrderField.NAME else (table.code,)
    key = (*map(col, names), col(table.plant_id))
    return page(found, key, after, limit, descending=filters.order.descending)
