"""Master data of a plant: what it is, its materials, units, parties and places, and its number series."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from sqlalchemy import func, or_
from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession, Session
from plants.rules.values.quantities import UNITS, Unit
from plants.rules.values.refusals import Refusal, RefusalCode
from plants.rules.values.scope import PlantScope
from plants.store.sql.pages import Key, count, page
from plants.store.tables import MasterRecord, Material

MasterKind = Literal["UNIT", "SUPPLIER", "CUSTOMER", "LOCATION", "EQUIPMENT"]


@dataclass(frozen=True, slots=True)
class PlantFacts:
    """Which plant a command writes for."""

    number: int
    code: str
    time_zone: str
    origin: str


@dataclass(frozen=True, slots=True)
class MaterialFacts:
    """A material definition as commands need it."""

    code: str
    name: str
    unit: str
    shelf_life_days: int | None
    retest_days: int | None


SELECT_PLANT = "SELECT plant_id, code, time_zone, origin FROM plants WHERE plant_id = :plant"
SELECT_MATERIAL = (
    "SELECT code, name, unit, shelf_life_days, retest_days FROM materials WHERE plant_id = :plant AND code = :code"
)
SELECT_CONVERSIONS = "SELECT conversions FROM materials WHERE plant_id = :plant AND code = :code"
SELECT_MASTER = "SELECT name FROM master_records WHERE plant_id = :plant AND kind = :kind AND code = :code"
SELECT_UNITS = "SELECT code, detail FROM master_records WHERE plant_id = :plant AND kind = 'UNIT'"
SELECT_KNOWN = "SELECT log_id FROM logs WHERE log_id > 0 ORDER BY log_id"
SELECT_PLANTS = (
    "SELECT l.log_id, l.origin, p.code, p.name, p.time_zone FROM logs l LEFT JOIN plants p ON p.plant_id = l.log_id"
    " WHERE l.log_id > 0 ORDER BY l.log_id"
)
SELECT_SERIES = "SELECT next FROM series WHERE plant_id = :plant AND name = :name"


def plant_facts(session: Session, plant: int) -> PlantFacts:
    """Return which plant this is; raises LookupError when its ledger was never opened here."""
    row = session.row(SELECT_PLANT, {"plant": plant})
    if row is None:
        message = f"plant {plant} was not opened in this store"
        raise LookupError(message)
    return PlantFacts(*row)


def material(session: Session, plant: int, code: str) -> MaterialFacts:
    """Return a plant's material definition, or raise Refusal."""
    row = session.row(SELECT_MATERIAL, {"plant": plant, "code": code})
    if row is None:
        raise Refusal(RefusalCode.NOT_DEFINED, thing="material", code=code[:40])
    return MaterialFacts(*row)


def conversions(session: Session, plant: int, code: str) -> Mapping[str, Fraction]:
    """Return how many of the material's unit one of each other unit is."""
    row = session.row(SELECT_CONVERSIONS, {"plant": plant, "code": code})
    return {} if row is None else {unit: Fraction(factor) for unit, factor in json.loads(row[0]).items()}


def check_defined(session: Session, plant: int, kind: MasterKind, code: str) -> None:
    """Raise Refusal unless the plant has a supplier, customer, location or piece of equipment of that code."""
    if session.row(SELECT_MASTER, {"plant": plant, "kind": kind, "code": code}) is None:
        raise Refusal(RefusalCode.NOT_DEFINED, thing=kind.lower(), code=code[:40])


def extra_units(session: Session, plant: int) -> Mapping[str, Unit]:
    """Return the units that a plant defined beyond the built-in ones."""
    units: dict[str, Unit] = {}
    for code, detail in session.rows(SELECT_UNITS, {"plant": plant}):
        content = json.loads(detail)
        known = UNITS[content["of"]]
        units[code] = Unit(code, known.dimension, known.factor * Fraction(content["factor"]))
    return units


def next_in_series(session: Session, plant: int, name: str) -> int:
    """Return the next number of a series; series begin at 1."""
    row = session.row(SELECT_SERIES, {"plant": plant, "name": name})
    return 1 if row is None else int(row[0])


@dataclass(frozen=True, slots=True)
class PlantSeen:
    """A plant as those who ask see it; until its first entry has come here its code stands for its name."""

    number: int
    code: str
    name: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class MasterSought:
    """Which master data is wanted: of one plant, with a code or name that holds this text; or all."""

    kind: str
    plant: str | None = None
    text: str | None = None


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
    reads: ReadSession, scope: PlantScope, sought: MasterSought, after: Key | None, limit: int
) -> Sequence[Material]:
    """Return one page of material definitions by code and plant."""
    key = col(Material.code), col(Material.plant_id)
    return reads.exec(page(_materials(reads, scope, sought), key, after, limit)).all()


def materials_count(reads: ReadSession, scope: PlantScope, sought: MasterSought) -> int:
    """Return how many material definitions there are."""
    return count(reads, _materials(reads, scope, sought))


def masters_page(
    reads: ReadSession, scope: PlantScope, sought: MasterSought, after: Key | None, limit: int
) -> Sequence[MasterRecord]:
    """Return one page of master data of a kind, by code and plant."""
    key = col(MasterRecord.code), col(MasterRecord.plant_id)
    return reads.exec(page(_masters(reads, scope, sought), key, after, limit)).all()


def masters_count(reads: ReadSession, scope: PlantScope, sought: MasterSought) -> int:
    """Return how much master data of a kind there is."""
    return count(reads, _masters(reads, scope, sought))


def _materials(reads: ReadSession, scope: PlantScope, sought: MasterSought) -> SelectOfScalar[Material]:
    found = select(Material).where(col(Material.plant_id).in_(narrowed(reads, scope, sought.plant)))
    if sought.text is not None:
        text = sought.text.lower()
        named = func.lower(Material.name).contains(text, autoescape=True)
        found = found.where(or_(func.lower(Material.code).contains(text, autoescape=True), named))
    return found


def _masters(reads: ReadSession, scope: PlantScope, sought: MasterSought) -> SelectOfScalar[MasterRecord]:
    found = select(MasterRecord).where(
        col(MasterRecord.plant_id).in_(narrowed(reads, scope, sought.plant)), MasterRecord.kind == sought.kind
    )
    if sought.text is not None:
        text = sought.text.lower()
        named = func.lower(MasterRecord.name).contains(text, autoescape=True)
        found = found.where(or_(func.lower(MasterRecord.code).contains(text, autoescape=True), named))
    return found


def materials_coded(reads: ReadSession, scope: PlantScope, code: str, plant: str | None) -> Sequence[Material]:
    """Return a material as the plants of the scope, or one of them, define it, by plant number."""
    here = col(Material.plant_id).in_(narrowed(reads, scope, plant))
    return reads.exec(select(Material).where(here, Material.code == code).order_by(col(Material.plant_id))).all()
