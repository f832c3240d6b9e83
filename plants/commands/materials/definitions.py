"""Define master data at a plant: materials, units, suppliers, customers, locations, equipment."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from plants.commands.execution import NAME_LENGTH_MAX, PlantLedgerWriter, check_text, command
from plants.commands.materials.changes import (
    WIRE,
    Change,
    MasterChange,
    MaterialChange,
    UnitChange,
    check_changes,
    check_emptied,
    given_conversions,
    given_fields,
    kind_of,
    whole_definition,
)
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
from plants.rules.materials.refusals import CONVERSION_IMPOSSIBLE, CONVERSIONS_OUTDATED
from plants.rules.values.quantities import UNITS, exact_size
from plants.rules.values.refusals import (
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    CODE_SHOWN_MAX,
    FORM_FRACTION,
    KNOWN_BUILT_IN,
    KNOWN_UNITS,
    RULE_COUNT_MAX,
    RULE_RANGE,
    TEXT_INVALID,
    UNIT_UNKNOWN,
    Refusal,
    Refusals,
    within,
)
from plants.store.materials.definitions import CurrentDefinition, current_definition

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
def define_material(writer: PlantLedgerWriter, order: MaterialDefinition | MaterialChange) -> Entry:
    """State a material definition, whole, or change the fields given; batches made from now on follow it."""
    if isinstance(order, MaterialChange):
        return record_changed_material(writer, order)
    return record_material(writer, order)


@command("define_master")
def define_master(writer: PlantLedgerWriter, order: MasterDefinition | MasterChange) -> Entry:
    """State a supplier, customer, location or piece of equipment, whole, or change the fields given."""
    if isinstance(order, MasterChange):
        return record_changed_master(writer, order)
    return writer.record(MASTER_DEFINED[order.kind], order.code, master_content(order))


@command("define_unit")
def define_unit(writer: PlantLedgerWriter, order: UnitDefinition | UnitChange) -> Entry:
    """State a unit by its size in a built-in one, or change the fields given; a built-in unit cannot be redefined."""
    if isinstance(order, UnitChange):
        return record_changed_unit(writer, order)
    return writer.record(UNIT_DEFINED, order.code, unit_content(order))


def record_changed_material(writer: PlantLedgerWriter, change: MaterialChange, causes: Causes = ()) -> Entry:
    """Record the material that a change makes of the current definition, or a new one."""
    current = _current(writer, change)
    definition = MaterialDefinition(**whole_definition(change, current, given_conversions(change)))
    payload = material_content(definition)
    check_changes(payload, current)
    unit_changes = current is None or current.content["unit"] != definition.unit
    if current is not None and unit_changes and "conversions" not in given_fields(change):
        check_no_conversions(current, definition.unit)
    return _record_material(writer, payload, causes, checked=unit_changes or change.conversions is not None)


def record_changed_master(writer: PlantLedgerWriter, change: MasterChange, causes: Causes = ()) -> Entry:
    """Record the supplier, customer, location or piece of equipment that a change makes of the current one."""
    current = _current(writer, change)
    content = master_content(MasterDefinition(change.kind, **whole_definition(change, current)))
    check_changes(content, current)
    return writer.record(MASTER_DEFINED[change.kind], change.code, content, causes)


def record_changed_unit(writer: PlantLedgerWriter, change: UnitChange, causes: Causes = ()) -> Entry:
    """Record the unit that a change makes of the current one."""
    current = _current(writer, change)
    content = unit_content(UnitDefinition(**whole_definition(change, current)))
    check_changes(content, current)
    return writer.record(UNIT_DEFINED, change.code, content, causes)


def changed_content(change: Change) -> dict[str, Any]:
    """Return the fields that a change gives, checked as far as headquarters can, or raise Refusal.

    A plant checks the whole definition that follows: that it lacks nothing, and that it knows the unit.
    """
    given = given_fields(change)
    with Refusals() as refusals:
        with refusals.at("code"):
            master_code(change.code, kind_of(change).lower())
        for name in (one for one, value in given.items() if value is None):
            with refusals.at(WIRE[name]):
                check_emptied(change, name)
        if change.name is not None:
            with refusals.at("name"):
                check_text("name", change.name, NAME_LENGTH_MAX)
        if isinstance(change, MaterialChange):
            _check_material(refusals, change, given)
        if isinstance(change, UnitChange):
            _check_unit(refusals, change, given)
    return given


def _check_material(refusals: Refusals, change: MaterialChange, given: dict[str, Any]) -> None:
    for wire, days in (("shelfLifeDays", change.shelf_life_days), ("retestDays", change.retest_days)):
        with refusals.at(wire):
            check_days(days)
    if change.conversions is not None:
        with refusals.at():
            given |= given_conversions(change)
        with refusals.at("conversions"):
            given["conversions"] = conversion_factors(dict(change.conversions))


def _check_unit(refusals: Refusals, change: UnitChange, given: dict[str, Any]) -> None:
    with refusals.at("code"):
        check_own_unit(change.code)
    if change.of is not None:
        with refusals.at("baseUnitCode"):
            check_base_unit(change.of)
    if change.factor is not None:
        with refusals.at("factor"):
            given["factor"] = str(exact_factor(change.factor))


def _current(writer: PlantLedgerWriter, change: Change) -> CurrentDefinition | None:
    return current_definition(writer.session, writer.call.plant, kind_of(change), change.code)


def record_material(writer: PlantLedgerWriter, order: MaterialDefinition, causes: Causes = ()) -> Entry:
    """Record a material definition whose unit the plant knows; raises Refusal on what is wrong with it."""
    return _record_material(writer, material_content(order), causes, checked=True)


def _record_material(writer: PlantLedgerWriter, payload: MaterialDefined, causes: Causes, *, checked: bool) -> Entry:
    """Record a material. `checked` is False where neither unit nor conversions change: older ones may be impossible."""
    unit = payload["unit"]
    if unit not in writer.units():
        with within("unitCode"):
            raise Refusal(UNIT_UNKNOWN, unit=unit[:20], known=KNOWN_UNITS)
    if checked:
        check_possible(unit, payload["conversions"])
    return writer.record(MATERIAL_DEFINED, payload["code"], payload, causes)


def check_no_conversions(current: CurrentDefinition, unit: str) -> None:
    """Raise Refusal where a material has conversions, which would be to another unit than before."""
    if current.content["conversions"]:
        with within("conversions"):
            said = {"code": current.content["code"], "unit": current.content["unit"], "target": unit[:CODE_SHOWN_MAX]}
            raise Refusal(CONVERSIONS_OUTDATED, **said)


def check_possible(target: str, conversions: Mapping[str, str]) -> None:
    """Raise Refusal for each conversion that contradicts an exact one: of the unit itself, or of built-in units."""
    with Refusals() as refusals:
        for line, (unit, factor) in enumerate(conversions.items()):
            exact = Fraction(1) if unit == target else exact_size(unit, target)
            with refusals.at("conversions", line, "factor"):
                if exact is not None and Fraction(factor) != exact:
                    raise Refusal(CONVERSION_IMPOSSIBLE, unit=unit, target=target, factor=factor, exact=exact)


def material_content(order: MaterialDefinition) -> MaterialDefined:
    """Return the payload for a material, or raise Refusal. The plant checks that its unit is known."""
    factors: dict[str, str] = {}
    with Refusals() as refusals:
        _check_named(refusals, order.code, "material", order.name)
        for field, days in (("shelfLifeDays", order.shelf_life_days), ("retestDays", order.retest_days)):
            with refusals.at(field):
                check_days(days)
        with refusals.at("conversions"):
            factors = conversion_factors(order.conversions)
    return {
        "code": order.code,
        "name": order.name,
        "unit": order.unit,
        "shelf_life_days": order.shelf_life_days,
        "retest_days": order.retest_days,
        "conversions": factors,
    }


def check_days(days: int | None) -> None:
    """Raise Refusal for a shelf life or retest period out of range."""
    if days is not None and not 1 <= days <= DAYS_MAX:
        raise Refusal(TEXT_INVALID, field="days", rule=RULE_RANGE(least=1, most=DAYS_MAX))


def conversion_factors(conversions: Mapping[str, str]) -> dict[str, str]:
    """Return conversions with exact fractions, or raise Refusal."""
    if len(conversions) > CONVERSIONS_MAX:
        raise Refusal(TEXT_INVALID, field="conversions", rule=RULE_COUNT_MAX(limit=CONVERSIONS_MAX))
    factors = {}
    with Refusals() as refusals:
        for line, (unit, factor) in enumerate(conversions.items()):
            with refusals.at(line, "unitCode"):
                master_code(unit, "unit")
            with refusals.at(line, "factor"):
                factors[unit] = str(exact_factor(factor))
    return factors


def master_content(order: MasterDefinition) -> MasterDefined:
    """Return what the event says of a supplier, customer, location or piece of equipment, or raise Refusal."""
    with Refusals() as refusals:
        _check_named(refusals, order.code, order.kind.lower(), order.name)
    return {"code": order.code, "name": order.name}


def unit_content(order: UnitDefinition) -> UnitDefined:
    """Return what the event says of a unit, or raise Refusal."""
    factor = ""
    with Refusals() as refusals:
        _check_named(refusals, order.code, "unit", order.name)
        with refusals.at("code"):
            check_own_unit(order.code)
        with refusals.at("baseUnitCode"):
            check_base_unit(order.of)
        with refusals.at("factor"):
            factor = str(exact_factor(order.factor))
    return {"code": order.code, "name": order.name, "of": order.of, "factor": factor}


def check_own_unit(code: str) -> None:
    """Raise Refusal for the code of a built-in unit."""
    if code in UNITS:
        raise Refusal(CODE_TAKEN, code=code, thing="unit")


def check_base_unit(code: str) -> None:
    """Raise Refusal unless the code is of a built-in unit."""
    if code not in UNITS:
        raise Refusal(UNIT_UNKNOWN, unit=code[:20], known=KNOWN_BUILT_IN)


def _check_named(refusals: Refusals, code: str, thing: str, name: str) -> None:
    with refusals.at("code"):
        master_code(code, thing)
    with refusals.at("name"):
        check_text("name", name, NAME_LENGTH_MAX)


def exact_factor(text: str) -> Fraction:
    """Return a factor as an exact fraction above zero, or raise Refusal."""
    if not FACTOR_PATTERN.fullmatch(text):
        raise Refusal(AMOUNT_NOT_A_NUMBER, amount=text[:40], form=FORM_FRACTION)
    try:
        factor = Fraction(text)
    except ZeroDivisionError:
        factor = Fraction(0)
    if factor == 0:
        raise Refusal(AMOUNT_NOT_POSITIVE, amount=text)
    return factor
