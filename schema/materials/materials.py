"""Material definitions: types, queries, and the mutation that defines a material."""

from typing import Self

import strawberry

from auth.permissions import Permission
from plants.commands.materials import definitions
from plants.commands.materials.definitions import CONVERSIONS_MAX
from plants.rules.identification.refusals import CODE_INVALID
from plants.rules.values.refusals import AMOUNT_NOT_A_NUMBER, AMOUNT_NOT_POSITIVE, UNIT_UNKNOWN
from plants.store.materials.definitions import DefinitionsFilter, materials_by_key, materials_count, materials_page
from plants.store.materials.definitions import Material as MaterialRow
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import described, field, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.nodes import Node
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.engine.scalars import Rational
from schema.group.plants import Plant, owner
from schema.materials.plant_definitions import CODE, NAME, AtPlant, Code, Filter, definitions_filter
from schema.materials.units import Unit


@object_type
class UnitConversion:
    """A conversion from another unit to the material's unit."""

    unit_code: str = described("Code of the other unit.")
    factor: Rational = described("Size of the other unit in the material's unit.")
    number: strawberry.Private[int]

    @field("Other unit. Null if only this conversion says how large it is.")
    async def unit(self, info: Info) -> Unit | None:
        return await Unit.load(info, self.number, self.unit_code)


@object_type
class Material(Node):
    """A material, as defined at one plant."""

    code: str = described(CODE)
    name: str = described(NAME)
    shelf_life_days: int | None = described("Shelf life in days after production. Null if batches do not expire.")
    retest_days: int | None = described("Days after production until a retest is due. Null if none is.")
    conversions: list[UnitConversion] = described(
        f"Conversions of other units to the material's own, at most {CONVERSIONS_MAX}."
    )
    unit_code: strawberry.Private[str]
    number: strawberry.Private[int]

    @field("Plant of the definition.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @field("Unit in which its batches are counted.")
    async def unit(self, info: Info) -> Unit:
        return required(await Unit.load(info, self.number, self.unit_code))

    @classmethod
    def of(cls, row: MaterialRow) -> Self:
        factors = sorted(row.conversions.items())
        return cls(
            id=strawberry.ID(f"material/{row.plant_id}/{row.code}"),
            code=row.code,
            name=row.name,
            shelf_life_days=row.shelf_life_days,
            retest_days=row.retest_days,
            conversions=[
                UnitConversion(unit_code=unit, factor=Rational(factor), number=row.plant_id) for unit, factor in factors
            ],
            unit_code=row.unit,
            number=row.plant_id,
        )


async def material_of(info: Info, number: int, code: str) -> Material | None:
    """Return the definition of a material at a plant."""
    row = await info.load(Permission.BATCH_READ, materials_by_key, (number, code))
    return None if row is None else Material.of(row)


@query("Returns the material with this code, or null.", permission=Permission.BATCH_READ)
async def material(info: Info, code: Code, plant_code: AtPlant = None) -> Material | None:
    rows = await info.read(materials_page, DefinitionsFilter("MATERIAL", plant_code, code=code), None, 1)
    return Material.of(rows[0]) if rows else None


@query("Lists materials by code and plant.", permission=Permission.BATCH_READ)
async def materials(
    info: Info, filter: Filter = None, first: First = PAGE_DEFAULT, after: After = None
) -> Connection[Material]:
    return await info.connection(
        materials_page,
        materials_count,
        definitions_filter("MATERIAL", filter),
        (first, after),
        key=lambda row: (row.code, row.plant_id),
        make=Material.of,
    )


@input_type
class UnitConversionInput:
    """A conversion from another unit to the material's unit."""

    unit_code: str = described("Code of the other unit.")
    factor: Rational = described("Size of the other unit in the material's unit.")


@input_type
class DefineMaterialInput(MutationInput):
    """A complete material definition. It replaces an earlier one with the same code."""

    code: str = described(CODE)
    name: str = described(NAME)
    unit_code: str = described("Unit in which batches are counted: UN/ECE Rec 20, or defined at this plant.")
    shelf_life_days: int | None = described(
        "Shelf life in days after production. Null if batches do not expire.", default=None
    )
    retest_days: int | None = described("Days after production until a retest is due. Null if none is.", default=None)
    conversions: list[UnitConversionInput] = described(
        "Conversions of other units to the material's own.", default_factory=list
    )


@object_type
class MaterialDefined(Recorded):
    """A material was defined."""

    material: Material = described("Material with its current definition.")


@mutation(
    "Define a material with its unit, shelf life and unit conversions.",
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_DEFINE,
    command=definitions.define_material,
    refusals=(
        AMOUNT_NOT_A_NUMBER,
        AMOUNT_NOT_POSITIVE,
        CODE_INVALID,
        UNIT_UNKNOWN,
    ),
)
async def define_material(info: Info, input: Input[DefineMaterialInput]) -> MaterialDefined:
    factors = {line.unit_code: str(line.factor) for line in input.conversions}
    days = input.shelf_life_days, input.retest_days
    order = definitions.MaterialDefinition(input.code, input.name, input.unit_code, *days, conversions=factors)
    entry = await info.write(definitions.define_material, order, input)
    found = await material_of(info, info.services.plant, input.code)
    return MaterialDefined(entry=RecordedEntry.of(entry), material=required(found))
