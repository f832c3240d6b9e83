"""Define master data at a plant: materials, units, suppliers, customers, locations, equipment."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from plants.commands.execution import NAME_LENGTH_MAX, PlantLedgerWriter, check_text, command
from plants.rules.identification.codes import master_code
from plants.rules.identification.refusals import CODE_TAKEN
from plants.rules.ledger.events import Cause, Entry
from plants.rules.ledger.request_forms import stable_name
from plants.rules.materials.definitions import MasterKind
from plants.rules.materials.events import (
    MASTER_DEFINED,
    MATERIAL_DEFINED,
    UNIT_DEFINED,
    MasterDefined,
    MaterialDefined,
    UnitDefined,
)
from plants.rules.values.quantities import UNITS
from plants.rules.values.refusals import (
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    FORM_FRACTION,
    KNOWN_BUILT_IN,
    KNOWN_UNITS,
    RULE_COUNT_MAX,
    RULE_RANGE,
    TEXT_INVALID,
    UNIT_UNKNOWN,
    Refusal,
)

DAYS_MAX = 36_500  # of a shelf life: a hundred years
CONVERSIONS_MAX = 20  # units that one material can be converted from
# Fraction itself would read "1e999999999" too, and take its time about it.
FACTOR_PATTERN = re.compile(r"\d{1,18}(\.\d{1,18}|/\d{1,18})?", re.ASCII)
Causes = Sequence[tuple[Cause, str]]


@stable_name("MaterialDefinition")
@dataclass(frozen=True, slots=True)
class MaterialDefinition:
    """A material: its unit, how long it keeps, and how other units convert to its own ("1 BX = 12.5 KGM")."""

    code: str
    name: str
    unit: str
    shelf_life_days: int | None = None
    retest_days: int | None = None
    conversions: Mapping[str, str] = field(default_factory=dict)


@stable_name("MasterDefinition")
@dataclass(frozen=True, slots=True)
class MasterDefinition:
    """A supplier, customer, location or piece of equipment."""

    kind: MasterKind
    code: str
    name: str


@stable_name("UnitDefinition")
@dataclass(frozen=True, slots=True)
class UnitDefinition:
    """A unit of our own, by its exact size in a built-in one: a 25 kg bag is {of: KGM, factor: "25"}."""

    code: str
    name: str
    of: str
    factor: str


@command("define_material")
def define_material(writer: PlantLedgerWriter, order: MaterialDefinition) -> Entry:
    """State a material definition, whole; batches made from now on follow it."""
    return record_material(writer, order)


@command("define_master")
def define_master(writer: PlantLedgerWriter, order: MasterDefinition) -> Entry:
    """State a supplier, customer, location or piece of equipment; a later statement replaces the name."""
    return writer.record(MASTER_DEFINED[order.kind], order.code, master_content(order))


@command("define_unit")
def define_unit(writer: PlantLedgerWriter, order: UnitDefinition) -> Entry:
    """State a unit by its size in a built-in one; a built-in unit cannot be redefined."""
    return writer.record(UNIT_DEFINED, order.code, unit_content(order))


def record_material(writer: PlantLedgerWriter, order: MaterialDefinition, causes: Causes = ()) -> Entry:
    """Record a material definition whose unit the plant knows; raises Refusal on what is wrong with it."""
    payload = material_content(order)
    if order.unit not in writer.units():
        raise Refusal(UNIT_UNKNOWN, unit=order.unit[:20], known=KNOWN_UNITS)
    return writer.record(MATERIAL_DEFINED, order.code, payload, causes)


def material_content(order: MaterialDefinition) -> MaterialDefined:
    """Return the payload for a material, or raise Refusal. The plant checks that its unit is known."""
    master_code(order.code, "material")
    check_text("name", order.name, NAME_LENGTH_MAX)
    for days in (order.shelf_life_days, order.retest_days):
        if days is not None and not 1 <= days <= DAYS_MAX:
            raise Refusal(TEXT_INVALID, field="days", rule=RULE_RANGE(least=1, most=DAYS_MAX))
    if len(order.conversions) > CONVERSIONS_MAX:
        raise Refusal(TEXT_INVALID, field="conversions", rule=RULE_COUNT_MAX(limit=CONVERSIONS_MAX))
    return {
        "code": order.code,
        "name": order.name,
        "unit": order.unit,
        "shelf_life_days": order.shelf_life_days,
        "retest_days": order.retest_days,
        "conversions": {master_code(unit, "unit"): str(_factor(factor)) for unit, factor in order.conversions.items()},
    }


def master_content(order: MasterDefinition) -> MasterDefined:
    """Return what the event says of a supplier, customer, location or piece of equipment, or raise Refusal."""
    master_code(order.code, order.kind.lower())
    check_text("name", order.name, NAME_LENGTH_MAX)
    return {"code": order.code, "name": order.name}


def unit_content(order: UnitDefinition) -> UnitDefined:
    """Return what the event says of a unit, or raise Refusal."""
    master_code(order.code, "unit")
    check_text("name", order.name, NAME_LENGTH_MAX)
    if order.code in UNITS:
        raise Refusal(CODE_TAKEN, code=order.code, thing="unit")
    if order.of not in UNITS:
        raise Refusal(UNIT_UNKNOWN, unit=order.of[:20], known=KNOWN_BUILT_IN)
    return {"code": order.code, "name": order.name, "of": order.of, "factor": str(_factor(order.factor))}


def _factor(text: str) -> Fraction:
    if not FACTOR_PATTERN.fullmatch(text):
        raise Refusal(AMOUNT_NOT_A_NUMBER, amount=text[:40], form=FORM_FRACTION)
    try:
        factor = Fraction(text)
    except ZeroDivisionError:
        factor = Fraction(0)
    if factor == 0:
        raise Refusal(AMOUNT_NOT_POSITIVE, amount=text)
    return factor
