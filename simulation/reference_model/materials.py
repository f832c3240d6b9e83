"""Master data: materials, units, suppliers, customers, locations, equipment (rule 9).

`define...` replaces the whole definition. `save...` keeps absent fields, clears fields given as null, and may name
`expectedVersion`.

Choices where domain.md is silent:
- A redefinition is a change unless `replaces` says CORRECTION. A correction needs `requestMaterialCorrection`.
- A material is in use while there is stock of it, an open run with lines of it, or a transfer from here on the road.
- Planned fields: expiryRule, dateCarryOverShare, holdCarryOverLimit and yieldLimit (in percent), retestWarns, role,
  inputsTracked, replaces.
- A unit defined again with another factor is a change: batches keep their factor. A built-in code is CODE_TAKEN.
- A conversion must name a known unit other than the material's own; two of one unit are TEXT_INVALID.
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
    "unit": "unit",
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


def read_conversions(call: Call, given: Mapping[str, Any], own: str) -> Factors:
    """Return the conversions of a material, each a unit and its size in the material's unit."""
    found = []
    for place, one in enumerate(given.get("conversions") or ()):
        path = ("conversions", str(place))
        code = unit_of(call.tables, one["unit"], *path, "unit").code
        found.append((code, read_rational(one["factor"], *path, "factor")))
    unique([own, *(code for code, _ in found)], "TEXT_INVALID", "conversions")
    return tuple(found)


def read_material(call: Call, before: Material | None, *, whole: bool) -> Material:
    """Return the material that the input defines. `whole` forgets every field that the input leaves out."""
    given = call.input
    code = read_code(given["code"], "code")
    unit = str(given["unit"]) if before is None or whole else str(given.get("unit") or before.unit)
    unit_of(call.tables, unit, "unit")
    start = Material(code, "", unit) if before is None or whole else before
    fields: dict[str, Any] = {}
    blank = Material(code, "", unit)
    for name, field in FIELDS.items():
        if name in given:
            fields[field] = getattr(blank, field) if given[name] is None else given[name]
    for name, field in SHARES.items():
        if given.get(name) is not None:
            fields[field] = Fraction(str(given[name])) / 100
    if "conversions" in given:
        fields["conversions"] = read_conversions(call, given, unit)
    found = replace(start, **{**fields, "unit": unit, "version": before.version + 1 if before is not None else 1})
    if not found.name.strip():
        raise RefusalFound("TEXT_INVALID", "name")
    for name, days in (("shelfLifeDays", found.shelf_life_days), ("retestDays", found.retest_days)):
        if days is not None and not 0 <= days <= DAYS_MAX:
            raise RefusalFound("TEXT_INVALID", name)
    return found


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


def define_material(call: Call, *, whole: bool) -> None:
    before = call.tables.materials.get(str(call.input["code"]))
    check_version(call, before.version if before is not None else None)
    material = read_material(call, before, whole=whole)
    if before is not None:
        if call.input.get("replaces") == "CORRECTION":
            raise RefusalFound("CHANGE_REQUIRED", "replaces")
        if material.unit != before.unit and is_in_use(call, material.code):
            raise RefusalFound("MATERIAL_IN_USE", "unit")
    call.tables.materials[material.code] = material


@registry.command("defineMaterial", "MaterialDefined")
def define_whole_material(call: Call) -> None:
    define_material(call, whole=True)


@registry.command("saveMaterial", "MaterialDefined", planned=True)
def save_material(call: Call) -> None:
    define_material(call, whole=False)


@registry.command("defineUnit", "UnitDefined")
@registry.command("saveUnit", "UnitDefined", planned=True)
def define_unit(call: Call) -> None:
    code = read_code(call.input["code"], "code")
    if not str(call.input["name"]).strip():
        raise RefusalFound("TEXT_INVALID", "name")
    if code in BUILT_IN:
        raise RefusalFound("CODE_TAKEN", "code")
    of = BUILT_IN.get(str(call.input["of"]))
    if of is None:
        raise RefusalFound("UNIT_UNKNOWN", "of")
    size = read_rational(call.input["factor"], "factor")
    call.tables.units[code] = Unit(code, of.kind, of.factor * size, bool(call.input.get("whole", False)))


def define_master(call: Call, kind: str) -> None:
    code = read_code(call.input["code"], "code")
    name = call.text("name", required=True)
    assert name is not None
    before = call.tables.masters.get((kind, code))
    check_version(call, before.version if before is not None else None)
    call.tables.masters[kind, code] = Master(name, before.version + 1 if before is not None else 1)


def register_masters() -> None:
    """Register the commands of the four kinds of master records, which differ in the kind alone."""
    for noun in MASTERS:

        def define(call: Call, kind: str = noun.upper()) -> None:
            define_master(call, kind)

        registry.command(f"define{noun}", f"{noun}Defined")(define)
        registry.command(f"save{noun}", f"{noun}Defined", planned=True)(define)


register_masters()


def correct_material(call: Call, material: object) -> None:
    """Replace a material and the factors of its batches. Amounts in the batches' own unit stay."""
    assert isinstance(material, Material)
    version = call.tables.materials[material.code].version + 1
    call.tables.materials[material.code] = replace(material, version=version)
    factors = current_factors(call.tables, material)
    for batch in list(call.tables.batches.values()):
        if batch.material == material.code and batch.unit == material.unit:
            call.amend(batch.id, factors=factors)
