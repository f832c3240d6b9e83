"""Master data: materials, units, suppliers, customers, locations, equipment (rule 9).

A version is the index of the entry that stated the definition.

Choices where domain.md is silent:
- A redefinition is a change unless `replaces` says CORRECTION. A correction needs `requestMaterialCorrection`.
- A material is in use while there is stock of it, an open run with lines of it, or a transfer from here on the road.
- Planned fields: expiryRule, dateCarryOverShare, holdCarryOverLimit and yieldLimit (in percent), retestWarns, role,
  inputsTracked, replaces; of a unit: whole.
- A unit defined again with another factor is a change: batches keep their factor. A built-in code is CODE_TAKEN.
- A conversion names a known unit other than the material's own. Two of one unit are TEXT_INVALID.
- The checks come in this order: code, version, required fields, values, use, change.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from fractions import Fraction
from typing import Any, Final

from simulation.reference_model import registry
from simulation.reference_model.amounts import BUILT_IN, current_factors, read_rational, unit_of
from simulation.reference_model.calls import Call, read_code, unique
from simulation.reference_model.rows import Factors, Master, Material, Unit
from simulation.reference_model.verdicts import RefusalFound

MASTERS: Final = ("Supplier", "Customer", "Location", "Equipment")
DAYS_MAX: Final = (date.max - date.min).days
FIELDS: Final = {
    "name": "name",
    "unitCode": "unit",
    "shelfLifeDays": "shelf_life_days",
    "retestDays": "retest_days",
    "expiryRule": "expiry_rule",
    "retestWarns": "retest_warns",
    "role": "role",
    "inputsTracked": "inputs_tracked",
}
SHARES: Final = {"dateCarryOverShare": "date_share", "holdCarryOverLimit": "hold_limit", "yieldLimit": "yield_limit"}


def check_version(call: Call, version: int | None) -> None:
    if call.input.get("expectedVersion") not in (None, version):
        raise RefusalFound("STALE_VERSION", "expectedVersion")


def check_required(call: Call, *names: str, new: bool) -> None:
    """Refuse a new definition without a required field, and any that clears one."""
    for name in names:
        given = call.input.get(name)
        if given is None and (new or name in call.input):
            raise RefusalFound("FIELD_REQUIRED", name)
        if given is not None and not str(given).strip():
            raise RefusalFound("TEXT_INVALID", name)


def read_conversions(call: Call, given: Mapping[str, Any], own: str) -> Factors:
    """Return the conversions of a material, each a unit and its size in the material's unit."""
    found = []
    for place, one in enumerate(given.get("conversions") or ()):
        path = ("conversions", str(place))
        code = unit_of(call.tables, one["unitCode"], *path, "unitCode").code
        found.append((code, read_rational(one["factor"], *path, "factor")))
    unique([own, *(code for code, _ in found)], "TEXT_INVALID", "conversions")
    return tuple(sorted(found))


def read_material(call: Call, before: Material | None) -> Material:
    """Return the material that the input defines. An absent field stays, and one given as null is cleared."""
    given = call.input
    code = read_code(given["code"], "code")
    check_required(call, "name", "unitCode", new=before is None)
    unit = str(given.get("unitCode") or getattr(before, "unit", ""))
    unit_of(call.tables, unit, "unitCode")
    blank = Material(code, "", unit)
    fields: dict[str, Any] = {}
    for name, field in FIELDS.items():
        if name in given:
            fields[field] = getattr(blank, field) if given[name] is None else given[name]
    for name, field in SHARES.items():
        if name in given:
            fields[field] = Fraction(str(given[name] or 0)) / 100
    if "conversions" in given:
        fields["conversions"] = read_conversions(call, given, unit)
    for name in ("shelfLifeDays", "retestDays"):
        if given.get(name) is not None and not 0 <= given[name] <= DAYS_MAX:
            raise RefusalFound("TEXT_INVALID", name)
    return replace(before or blank, **fields)


def is_in_use(call: Call, material: str) -> bool:
    """Return whether a material has stock here, is in an open run, or is on the road from here."""
    tables = call.tables
    ours = {batch.id for batch in tables.batches.values() if batch.material == material}
    stocked = any(row.amount and batch in ours for (batch, _), row in tables.stock.items())
    running = {run.id for run in tables.runs.values() if run.closed_at is None and not run.void}
    fed = any(edge.run in running and edge.batch in ours and edge.retracted is None for edge in tables.edges.values())
    sent = any(line.batch.id in ours and is_on_road(call, transfer.id, line.batch.id, line.amount)
               for transfer in tables.transfers.values() for line in transfer.lines)  # fmt: skip
    return stocked or fed or sent


def is_on_road(call: Call, transfer: str, batch: str, amount: int) -> bool:
    received = call.tables.received.get((transfer, batch))
    return received is None or received.amount < amount


@registry.command("saveMaterial", "MaterialDefined")
def save_material(call: Call) -> None:
    before = call.tables.materials.get(str(call.input["code"]))
    check_version(call, before.version if before is not None else None)
    material = read_material(call, before)
    if before is not None:
        if call.input.get("replaces") == "CORRECTION":
            raise RefusalFound("CHANGE_REQUIRED", "replaces")
        if material.unit != before.unit and call.settings.units_kept_in_use and is_in_use(call, material.code):
            raise RefusalFound("MATERIAL_IN_USE", "unitCode")
        if material == before:
            raise RefusalFound("NOTHING_CHANGES")
    call.tables.materials[material.code] = replace(material, version=call.index)


@registry.command("saveUnit", "UnitDefined")
def save_unit(call: Call) -> None:
    given = call.input
    code = read_code(given["code"], "code")
    if code in BUILT_IN:
        raise RefusalFound("CODE_TAKEN", "code")
    before = call.tables.units.get(code)
    check_version(call, before.version if before is not None else None)
    check_required(call, "name", "baseUnitCode", "factor", new=before is None)
    base = BUILT_IN.get(str(given.get("baseUnitCode") or getattr(before, "base", "")))
    if base is None:
        raise RefusalFound("UNIT_UNKNOWN", "baseUnitCode")
    size = before.size if before is not None else Fraction(1)
    if given.get("factor") is not None:
        size = read_rational(given["factor"], "factor")
    whole = bool(given.get("whole", getattr(before, "whole", False)))
    name = str(given.get("name") or getattr(before, "name", "")).strip()
    version = before.version if before is not None else None
    unit = Unit(code, base.kind, base.factor * size, whole, name, base.code, size, version)
    if unit == before:
        raise RefusalFound("NOTHING_CHANGES")
    call.tables.units[code] = replace(unit, version=call.index)


def save_master(call: Call, kind: str) -> None:
    code = read_code(call.input["code"], "code")
    before = call.tables.masters.get((kind, code))
    check_version(call, before.version if before is not None else None)
    check_required(call, "name", new=before is None)
    name = call.text("name")
    if before is not None and name in (None, before.name):
        raise RefusalFound("NOTHING_CHANGES")
    assert name is not None
    call.tables.masters[kind, code] = Master(name, call.index)


def register_masters() -> None:
    """Register the commands of the four kinds of master records, which differ in the kind alone."""
    for noun in MASTERS:

        def save(call: Call, kind: str = noun.upper()) -> None:
            save_master(call, kind)

        registry.command(f"save{noun}", f"{noun}Defined")(save)


register_masters()


def correct_material(call: Call, material: object) -> None:
    """Replace a material and the factors of its batches. Amounts in the batches' own unit stay."""
    assert isinstance(material, Material)
    call.tables.materials[material.code] = replace(material, version=call.index)
    factors = current_factors(call.tables, material)
    for batch in list(call.tables.batches.values()):
        if batch.material == material.code and batch.unit == material.unit:
            call.amend(batch.id, factors=factors)
