"""Master data of a plant: what it is, its materials, units, parties and places, and its number series."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from infra.database import Session
from plants.rules.quantities import UNITS, Unit
from plants.rules.refusals import Refusal, RefusalCode

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
    "SELECT code, name, unit, shelf_life_days, retest_days FROM materials"
    " WHERE plant_id = :plant AND code = :code"
)
SELECT_CONVERSIONS = "SELECT conversions FROM materials WHERE plant_id = :plant AND code = :code"
SELECT_MASTER = "SELECT name FROM master_records WHERE plant_id = :plant AND kind = :kind AND code = :code"
SELECT_UNITS = "SELECT code, detail FROM master_records WHERE plant_id = :plant AND kind = 'UNIT'"
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
