"""Master data in the contract: materials, suppliers, customers, locations and equipment, as plants define them."""

import json
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.commands.materials import definitions
from plants.rules.values.refusals import RefusalCode as C
from plants.store.materials.definitions import Material as MaterialRow
from plants.store.materials.definitions import materials_by_key, materials_coded, materials_count, materials_page
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import argument, described, field, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.engine.scalars import ExactDecimal, PlantCode
from schema.group.plants import Plant, owner
from schema.materials.master_records import CODE, NAME, Filter, master_filter


@object_type
class Conversion:
    """How many of a material's unit one of another unit is."""

    unit: str = described("The other unit.")
    factor: ExactDecimal = described('How many of the material\'s unit one of it is: a decimal or a fraction "n/d".')


@object_type
class Material:
    """A material as one plant defines it."""

    code: str = described(CODE)
    name: str = described(NAME)
    unit: str = described("The unit that its batches are counted in.")
    shelf_life_days: int | None = described("How many days a batch keeps after its production.")
    retest_days: int | None = described("After how many days a batch is due for a test.")
    conversions: list[Conversion] = described("How other units convert to its own.")
    number: strawberry.Private[int]

    @field("The plant that defines it so.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, row: MaterialRow) -> Self:
        """Return a material as the contract answers it."""
        factors = sorted(json.loads(row.conversions).items())
        return cls(
            code=row.code,
            name=row.name,
            unit=row.unit,
            shelf_life_days=row.shelf_life_days,
            retest_days=row.retest_days,
            conversions=[Conversion(unit=unit, factor=ExactDecimal(factor)) for unit, factor in factors],
            number=row.plant_id,
        )


async def material_of(info: Info, number: int, code: str) -> Material | None:
    """Return a plant's material definition."""
    row = await info.load(Permission.BATCH_READ, materials_by_key, (number, code))
    return None if row is None else Material.of(row)


@query(
    "The material with this code, or null; of several plants' definitions that of the lowest number.",
    permission=Permission.BATCH_READ,
)
async def material(
    info: Info,
    code: Annotated[str, argument("The material's code.")],
    plant: Annotated[PlantCode | None, argument("As this plant defines it.")] = None,
) -> Material | None:
    rows = await info.read(materials_coded, code, plant)
    return Material.of(rows[0]) if rows else None


@query("Materials, by code and plant.", permission=Permission.BATCH_READ)
async def materials(
    info: Info, filter: Filter = None, first: First = None, after: After = None
) -> Connection[Material]:
    return await info.connection(
        materials_page,
        materials_count,
        master_filter("MATERIAL", filter),
        (first, after),
        key=lambda row: (row.code, row.plant_id),
        make=Material.of,
    )


@input_type
class ConversionInput:
    """How many of a material's unit one of another unit is."""

    unit: str = described("The other unit.")
    factor: ExactDecimal = described('How many of the material\'s unit one of it is: a decimal or a fraction "n/d".')


@input_type
class DefineMaterialInput(MutationInput):
    """A material definition, whole; a later one of the same code replaces it."""

    code: str = described(CODE)
    name: str = described(NAME)
    unit: str = described("The unit that its batches are counted in, UN/ECE Rec 20 or defined here.")
    shelf_life_days: int | None = described("How many days a batch keeps after its production.", default=None)
    retest_days: int | None = described("After how many days a batch is due for a test.", default=None)
    conversions: list[ConversionInput] = described("How other units convert to its own.", default_factory=list)


@object_type
class MaterialDefined:
    """A material was defined."""

    entry: RecordedEntry = described(ENTRY)
    material: Material = described("The material as it is defined now.")


@mutation(
    "Define a material: its unit, how long it keeps, and how other units convert.",
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_DEFINE,
    command=definitions.define_material,
    refusals=(
        C.AMOUNT_NOT_A_NUMBER,
        C.AMOUNT_NOT_POSITIVE,
        C.CODE_INVALID,
        C.UNIT_UNKNOWN,
    ),
)
async def define_material(info: Info, input: Input[DefineMaterialInput]) -> MaterialDefined:
    factors = {line.unit: str(line.factor) for line in input.conversions}
    days = input.shelf_life_days, input.retest_days
    order = definitions.MaterialDefinition(input.code, input.name, input.unit, *days, conversions=factors)
    entry = await info.write(definitions.define_material, order, input)
    found = await material_of(info, info.services.plant, input.code)
    return MaterialDefined(entry=RecordedEntry.of(entry), material=required(found))
