"""Defining master data: materials, units, suppliers, customers, locations and equipment."""

from typing import Any

import strawberry

from auth.permissions import Permission
from plants.commands.materials import definitions
from plants.rules.identification.refusals import CODE_INVALID, CODE_TAKEN
from plants.rules.ledger.events import Entry
from plants.rules.values.refusals import AMOUNT_NOT_A_NUMBER, AMOUNT_NOT_POSITIVE, UNIT_UNKNOWN
from schema.engine.context import Info, sure
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import described
from schema.engine.inputs import Input, MutationInput
from schema.engine.refusals import mutation
from schema.engine.scalars import ExactDecimal
from schema.materials.materials import CODE, NAME, MasterKind, MasterRecord, Material, material_of, record_of


@strawberry.input(description="How many of a material's unit one of another unit is.")
class ConversionInput:
    """How many of a material's unit one of another unit is."""

    unit: str = described("The other unit.")
    factor: ExactDecimal = described('How many of the material\'s unit one of it is: a decimal or a fraction "n/d".')


@strawberry.input(description="A material definition, whole; a later one of the same code replaces it.")
class DefineMaterialInput(MutationInput):
    """A material definition, whole."""

    code: str = described(CODE)
    name: str = described(NAME)
    unit: str = described("The unit that its batches are counted in, UN/ECE Rec 20 or defined here.")
    shelf_life_days: int | None = described("How many days a batch keeps after its production.", default=None)
    retest_days: int | None = described("After how many days a batch is due for a test.", default=None)
    conversions: list[ConversionInput] = described("How other units convert to its own.", default_factory=list)


@strawberry.input(description="A supplier, customer, location or piece of equipment; a later one replaces the name.")
class DefineMasterInput(MutationInput):
    """A supplier, customer, location or piece of equipment."""

    code: str = described(CODE)
    name: str = described(NAME)


@strawberry.input(description="A unit by its exact size in a built-in one: a 25 kg bag is 25 of KGM.")
class DefineUnitInput(MutationInput):
    """A unit by its exact size in a built-in one."""

    code: str = described(CODE)
    name: str = described(NAME)
    of: str = described("The built-in unit it is measured in.")
    factor: ExactDecimal = described('How many of that unit one of it is: a decimal or a fraction "n/d".')


@strawberry.type(description="A material was defined.")
class MaterialDefined:
    """A material was defined."""

    entry: RecordedEntry = described(ENTRY)
    material: Material = described("The material as it is defined now.")


@strawberry.type(description="A supplier, customer, location, piece of equipment or unit was defined.")
class MasterDefined:
    """Master data was defined."""

    entry: RecordedEntry = described(ENTRY)
    record: MasterRecord = described("The record as it is defined now.")


@mutation(
    MaterialDefined,
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    CODE_INVALID,
    UNIT_UNKNOWN,
    description="Define a material: its unit, how long it keeps, and how other units convert.",
)
async def define_material(info: Info, input: Input[DefineMaterialInput]) -> Any:
    factors = {line.unit: str(line.factor) for line in input.conversions}
    days = input.shelf_life_days, input.retest_days
    order = definitions.MaterialDefinition(input.code, input.name, input.unit, *days, conversions=factors)
    entry = await info.context.write(Permission.MASTERDATA_DEFINE, definitions.define_material, order, input)
    found = await material_of(info, info.context.serving.plant, input.code)
    return MaterialDefined(entry=RecordedEntry.of(entry), material=sure(found))


@mutation(
    MasterDefined,
    AMOUNT_NOT_A_NUMBER,
    AMOUNT_NOT_POSITIVE,
    CODE_INVALID,
    CODE_TAKEN,
    UNIT_UNKNOWN,
    description="Define a unit of the plant's own.",
)
async def define_unit(info: Info, input: Input[DefineUnitInput]) -> Any:
    order = definitions.UnitDefinition(input.code, input.name, input.of, input.factor)
    entry = await info.context.write(Permission.MASTERDATA_DEFINE, definitions.define_unit, order, input)
    return await _defined(info, MasterKind.UNIT, input.code, entry)


async def _defined(info: Info, kind: MasterKind, code: str, entry: Entry) -> MasterDefined:
    record = await record_of(info, kind, info.context.serving.plant, code)
    return MasterDefined(entry=RecordedEntry.of(entry), record=sure(record))


def _defining(kind: MasterKind, description: str) -> Any:
    async def define_one(info: Info, input: Input[DefineMasterInput]) -> Any:
        order = definitions.MasterDefinition(kind.value, input.code, input.name)
        entry = await info.context.write(Permission.MASTERDATA_DEFINE, definitions.define_master, order, input)
        return await _defined(info, kind, input.code, entry)

    define_one.__name__ = f"define_{kind.value.lower()}"
    return mutation(MasterDefined, CODE_INVALID, description=description)(define_one)


define_supplier = _defining(MasterKind.SUPPLIER, "Define a supplier, or give one another name.")
define_customer = _defining(MasterKind.CUSTOMER, "Define a customer, or give one another name.")
define_location = _defining(MasterKind.LOCATION, "Define a location, or give one another name.")
define_equipment = _defining(MasterKind.EQUIPMENT, "Define a piece of equipment, or give one another name.")
