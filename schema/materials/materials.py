"""Materials: their types and queries, and the mutation that saves one."""

from dataclasses import replace
from typing import Annotated, Self

import strawberry
from strawberry import Maybe

from auth.permissions import Permission
from plants.commands.materials import changes, definitions
from plants.commands.materials.definitions import CONVERSIONS_MAX
from plants.rules.ledger.events import Subject
from plants.rules.materials.definitions import MATERIAL
from plants.store.materials.definitions import (
    DefinitionsFilter,
    definition_key,
    materials_by_key,
    materials_count,
    materials_page,
)
from plants.store.materials.definitions import Material as MaterialRow
from schema.audit.history import history_field
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, field, input_type, object_type
from schema.engine.filters import CodeFilter, criterion
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.engine.refusals import SAVING_MATERIAL
from schema.engine.scalars import Code, Rational
from schema.group.plants import Plant, owner
from schema.materials.plant_definitions import (
    CODE,
    NAME,
    VERSION,
    AtPlant,
    DefinitionFilter,
    DefinitionOrder,
    NamedRowInput,
    OfCode,
    OrderBy,
    cleared,
    definition_coded,
    given,
)
from schema.materials.units import Unit


@object_type
class UnitConversion:
    """A conversion from another unit to the material's unit."""

    unit_code: Code = described("Code of the other unit.")
    factor: Rational = described("Size of the other unit in the material's unit, such as 25 for a bag of 25 kg.")
    number: strawberry.Private[int]

    @field("Other unit. Null if only this conversion says how large it is.")
    async def unit(self, info: Info) -> Unit | None:
        return await Unit.load(info, self.number, self.unit_code)


@object_type
class Material(Node):
    """A material, as defined at one plant."""

    code: Code = described(CODE)
    name: str = described(NAME)
    shelf_life_days: int | None = described("Shelf life in days after production. Null if batches do not expire.")
    retest_days: int | None = described("Days after production until a retest is due. Null if none is.")
    conversions: list[UnitConversion] = described(
        f"Conversions of other units to the material's own, at most {CONVERSIONS_MAX}."
    )
    version: int = described(VERSION)
    unit_code: strawberry.Private[str]
    number: strawberry.Private[int]

    @field("Plant of the definition.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @field("Unit in which its batches are counted.")
    async def unit(self, info: Info) -> Unit:
        return required(await Unit.load(info, self.number, self.unit_code))

    history = history_field("Ledger entries that define it.", lambda one: (Subject.MATERIAL, (one.number, one.code)))

    @classmethod
    def of(cls, row: MaterialRow) -> Self:
        factors = sorted(row.conversions.items())
        return cls(
            id=node_id("material", row.plant_id, row.code),
            code=row.code,
            name=row.name,
            shelf_life_days=row.shelf_life_days,
            retest_days=row.retest_days,
            conversions=[
                UnitConversion(unit_code=unit, factor=Rational(factor), number=row.plant_id) for unit, factor in factors
            ],
            version=row.version,
            unit_code=row.unit,
            number=row.plant_id,
        )


async def material_of(info: Info, number: int, code: str) -> Material | None:
    """Return the definition of a material at a plant."""
    row = await info.load(Permission.BATCH_READ, materials_by_key, (number, code))
    return None if row is None else Material.of(row)


@findable("material", int, str)
async def _find(info: Info, parts: tuple[int, str]) -> Material | None:
    return await material_of(info, *parts)


@input_type
class MaterialFilter(DefinitionFilter):
    """Filters materials. A field that is not given does not filter."""

    unit_code: CodeFilter | None = described("Code of the unit in which batches are counted.", default=None)

    def materials(self, order_by: DefinitionOrder | None) -> DefinitionsFilter:
        """Return the criteria and the order of a list of materials."""
        return replace(self.criteria(MATERIAL, order_by), unit=criterion(self.unit_code))


@query("Returns the material with this code. Null if there is none that you may see.", permission=Permission.BATCH_READ)
async def material(info: Info, code: OfCode, plant_code: AtPlant = None) -> Material | None:
    rows = await info.look_up(
        Permission.BATCH_READ, materials_page, definition_coded(MATERIAL, code, plant_code), None, 1
    )
    return Material.of(rows[0]) if rows else None


@query(
    "Lists materials. A code that several plants define is listed once for each of them.",
    permission=Permission.BATCH_READ,
)
async def materials(
    info: Info,
    filter: Annotated[MaterialFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: OrderBy = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[Material]:
    filters = (filter or MaterialFilter()).materials(order_by)
    return await info.connection(
        materials_page, materials_count, filters, (first, after), key=definition_key(filters.order), make=Material.of
    )


@input_type
class UnitConversionInput:
    """A conversion from another unit to the material's unit."""

    unit_code: Code = described("Code of the other unit.")
    factor: Rational = described("Size of the other unit in the material's unit, such as 25 for a bag of 25 kg.")


@input_type
class MaterialRowInput(NamedRowInput):
    """A material to save. An absent field stays as it is."""

    unit_code: Maybe[Code | None] = described(
        "Unit in which batches are counted: UN/ECE Rec 20, or defined at the plant. A new material needs one.",
        default=None,
    )
    shelf_life_days: Maybe[int | None] = described(
        "Shelf life in days after production. Null if batches do not expire.", default=None
    )
    retest_days: Maybe[int | None] = described(
        "Days after production until a retest is due. Null if none is.", default=None
    )
    conversions: Maybe[list[UnitConversionInput] | None] = described(
        f"Conversions of other units to the material's own, at most {CONVERSIONS_MAX}. They replace all earlier ones. "
        "A save with another unit must give or clear them.",
        default=None,
        weight=0,  # the row that has them is counted
    )

    def change(self) -> changes.MaterialChange:
        lines: list[UnitConversionInput] | None = given(self.conversions)
        return changes.MaterialChange(
            self.code,
            name=given(self.name),
            unit=given(self.unit_code),
            shelf_life_days=given(self.shelf_life_days),
            retest_days=given(self.retest_days),
            conversions=None if lines is None else tuple((one.unit_code, str(one.factor)) for one in lines),
            cleared=cleared(
                name=self.name,
                unit=self.unit_code,
                shelf_life_days=self.shelf_life_days,
                retest_days=self.retest_days,
                conversions=self.conversions,
            ),
            expected_version=self.expected_version,
        )


@input_type
class SaveMaterialInput(MutationInput, MaterialRowInput):
    """A material to save. An absent field stays as it is."""


@object_type
class MaterialSaved(Recorded):
    """A material was defined or changed."""

    material: Material = described("Material as it is now.")


@mutation(
    "Define a material, or change the fields given of one. Batches that are made from now on follow it. "
    'Example: `{ code: "RM-MILK", name: "Raw milk", unitCode: "KGM", shelfLifeDays: 3 }`.',
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_SAVE,
    command=definitions.define_material,
    order=changes.MaterialChange,
    refusals=SAVING_MATERIAL,
)
async def save_material(info: Info, input: Input[SaveMaterialInput]) -> MaterialSaved:
    entry = await info.write(definitions.define_material, input.change(), input)
    found = await material_of(info, info.services.plant, input.code)
    return MaterialSaved(entry=RecordedEntry.of(entry), material=required(found))
