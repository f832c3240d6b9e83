"""Units: the built-in ones and those of plants, their queries, and the mutation that defines one."""

from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from infra.messages import Language, translate
from plants.commands.materials import definitions
from plants.rules.identification.refusals import CODE_INVALID, CODE_TAKEN
from plants.rules.materials.definitions import MasterKind
from plants.rules.values.quantities import UNITS
from plants.rules.values.refusals import AMOUNT_NOT_A_NUMBER, AMOUNT_NOT_POSITIVE, UNIT_UNKNOWN
from plants.store.materials.definitions import DefinitionsFilter
from plants.store.materials.units import (
    BUILT_IN,
    UnitRow,
    UnitsFilter,
    built_in_unit,
    units_by_key,
    units_count,
    units_page,
)
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
from schema.materials.plant_definitions import CODE, NAME, AtPlant, Code, DefinitionFilter, Filter, definitions_filter
from schema.materials.unit_names import UNIT_NAMES

BASE_UNIT = "Built-in unit that it is a multiple of."
FACTOR = "Size in the base unit."


@object_type
class Unit(Node):
    """A unit of measure: built in (UN/ECE Recommendation 20), or defined at a plant as a multiple of a built-in one."""

    code: str = described("Code: of Recommendation 20 if it is built in, otherwise the plant's own.")
    name: str = described("Name. Of a built-in unit it is in the caller's language.")
    factor: Rational = described("Size in the base unit. A base unit has 1.")
    base_code: strawberry.Private[str]
    number: strawberry.Private[int | None]

    @field("Plant of the definition. Null for a built-in unit.")
    async def plant(self, info: Info) -> Plant | None:
        return None if self.number is None else await owner(info, self.number)

    @field("Built-in unit that it is a multiple of. For KGM, LTR, MTR, MTK and C62 it is the unit itself.")
    async def base_unit(self, info: Info) -> Annotated["Unit", strawberry.lazy("schema.materials.units")]:
        return Unit.of(required(built_in_unit(self.base_code)), info.context.language)

    @classmethod
    def of(cls, row: UnitRow, language: Language) -> Self:
        """Return the unit in a row, a built-in one with its name in this language."""
        built_in = row.plant_id == BUILT_IN
        return cls(
            id=strawberry.ID(f"unit/{row.plant_id}/{row.code}"),
            code=row.code,
            name=unit_name(row.code, language) if built_in else row.name,
            factor=Rational(str(row.factor)),
            base_code=row.base,
            number=None if built_in else row.plant_id,
        )

    @classmethod
    async def load(cls, info: Info, number: int, code: str) -> Self | None:
        """Return what a code means at a plant."""
        row = await info.load(Permission.BATCH_READ, units_by_key, (number, code))
        return None if row is None else cls.of(row, info.context.language)


def unit_name(code: str, language: Language) -> str:
    """Return the name of a built-in unit."""
    return translate(UNIT_NAMES[code], language, context="unit_name")


def _filters(filter: DefinitionFilter | None, language: Language) -> UnitsFilter:
    defined = definitions_filter(MasterKind.UNIT.value, filter)
    if defined.plant is not None:
        return UnitsFilter(defined)
    text = (defined.text or "").lower()
    named = {code: f"{code}\n{unit_name(code, language)}".lower() for code in UNITS}
    return UnitsFilter(defined, tuple(code for code, words in named.items() if text in words))


@query(
    "Returns the unit with this code: built in, or defined at a plant. Null if there is none.",
    permission=Permission.BATCH_READ,
)
async def unit(info: Info, code: Code, plant_code: AtPlant = None) -> Unit | None:
    criteria = DefinitionsFilter(MasterKind.UNIT.value, plant_code, code=code)
    row = built_in_unit(code) or next(iter(await info.read(units_page, UnitsFilter(criteria), None, 1)), None)
    return None if row is None else Unit.of(row, info.context.language)


@query(
    "Lists built-in units, and units of plants, by code and plant. With `plantCode`, that plant's own alone.",
    permission=Permission.BATCH_READ,
)
async def units(
    info: Info, filter: Filter = None, first: First = PAGE_DEFAULT, after: After = None
) -> Connection[Unit]:
    language = info.context.language
    return await info.connection(
        units_page, units_count, _filters(filter, language), (first, after),
        key=lambda row: (row.code, row.plant_id), make=lambda row: Unit.of(row, language),
    )  # fmt: skip


@input_type
class DefineUnitInput(MutationInput):
    """A unit, defined as an exact multiple of a built-in unit: a 25 kg bag is 25 KGM."""

    code: str = described(CODE)
    name: str = described(NAME)
    base_unit_code: str = described(BASE_UNIT)
    factor: Rational = described(FACTOR)


@object_type
class UnitDefined(Recorded):
    """A unit was defined."""

    unit: Unit = described("Unit with its current definition.")


@mutation(
    "Define a unit of the plant.",
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_DEFINE,
    command=definitions.define_unit,
    refusals=(
        AMOUNT_NOT_A_NUMBER,
        AMOUNT_NOT_POSITIVE,
        CODE_INVALID,
        CODE_TAKEN,
        UNIT_UNKNOWN,
    ),
)
async def define_unit(info: Info, input: Input[DefineUnitInput]) -> UnitDefined:
    order = definitions.UnitDefinition(input.code, input.name, input.base_unit_code, input.factor)
    entry = await info.write(definitions.define_unit, order, input)
    found = await Unit.load(info, info.services.plant, input.code)
    return UnitDefined(entry=RecordedEntry.of(entry), unit=required(found))
