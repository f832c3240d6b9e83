"""Units: the built-in ones and those of plants, their queries, and the mutation that defines one."""

from typing import Annotated, Self

import strawberry
from strawberry import Maybe

from auth.permissions import Permission
from infra.messages import Language
from plants.commands.materials import changes, definitions
from plants.rules.ledger.events import Subject
from plants.rules.materials.definitions import MasterKind
from plants.rules.values.quantities import UNITS
from plants.rules.values.search_forms import search_form
from plants.store.materials.units import (
    BUILT_IN,
    UnitRow,
    UnitsFilter,
    built_in_unit,
    unit_key,
    units_by_key,
    units_count,
    units_page,
)
from schema.audit.history import history_field
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, field, input_type, object_type
from schema.engine.filters import criterion
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.engine.refusals import SAVING_UNIT
from schema.engine.scalars import Code, Rational
from schema.engine.unit_names import unit_name
from schema.group.plants import Plant, owner
from schema.materials.plant_definitions import (
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

BASE_UNIT = "Built-in unit that it is a multiple of."
FACTOR = "Size in the base unit."


@object_type
class Unit(Node):
    """A unit of measure: built in (UN/ECE Recommendation 20), or defined at a plant as a multiple of a built-in one."""

    code: Code = described("Code: of Recommendation 20 if it is built in, otherwise the plant's own.")
    name: str = described("Name. Of a built-in unit it is in the caller's language.")
    factor: Rational = described("Size in the base unit. A base unit has 1.")
    version: int | None = described(f"{VERSION} Null for a built-in unit.")
    base_code: strawberry.Private[str]
    number: strawberry.Private[int | None]

    @field("Plant of the definition. Null for a built-in unit.")
    async def plant(self, info: Info) -> Plant | None:
        return None if self.number is None else await owner(info, self.number)

    @field("Built-in unit that it is a multiple of. For KGM, LTR, MTR, MTK and C62 it is the unit itself.")
    async def base_unit(self, info: Info) -> Annotated["Unit", strawberry.lazy("schema.materials.units")]:
        return Unit.of(required(built_in_unit(self.base_code)), info.context.language)

    history = history_field(
        "Ledger entries that define it. A built-in unit has none.",
        lambda one: (Subject.UNIT, (one.number or BUILT_IN, one.code)),
    )

    @classmethod
    def of(cls, row: UnitRow, language: Language) -> Self:
        """Return the unit in a row, a built-in one with its name in this language."""
        built_in = row.plant_id == BUILT_IN
        return cls(
            id=node_id("unit", row.plant_id, row.code),
            code=row.code,
            name=required(unit_name(row.code, language)) if built_in else row.name,
            factor=Rational(str(row.factor)),
            version=row.version,
            base_code=row.base,
            number=None if built_in else row.plant_id,
        )

    @classmethod
    async def load(cls, info: Info, number: int, code: str) -> Self | None:
        """Return what a code means at a plant."""
        row = await info.load(Permission.BATCH_READ, units_by_key, (number, code))
        return None if row is None else cls.of(row, info.context.language)


@findable("unit", int, str)
async def _find(info: Info, parts: tuple[int, str]) -> Unit | None:
    found = await Unit.load(info, *parts)
    return None if found is None or found.id != node_id("unit", *parts) else found


@input_type
class UnitFilter(DefinitionFilter):
    """Filters units. A field that is not given does not filter. Built-in units are of no plant."""

    def units(self, order_by: DefinitionOrder | None, language: Language) -> UnitsFilter:
        """Return the criteria and the order, with the built-in units that meet them, named in this language."""
        defined = self.criteria(MasterKind.UNIT.value, order_by)
        if self.plant_code is not None:
            return UnitsFilter(defined)
        text, code = search_form(self.text or ""), criterion(self.code)
        named = {one: required(unit_name(one, language)) for one in UNITS if code is None or code.admits(one)}
        shown = {one: name for one, name in named.items() if text in one.lower() or text in search_form(name)}
        return UnitsFilter(defined, shown)


@query(
    "Returns the unit with this code: built in, or defined at a plant. Null if there is none.",
    permission=Permission.BATCH_READ,
)
async def unit(info: Info, code: OfCode, plant_code: AtPlant = None) -> Unit | None:
    filters = UnitsFilter(definition_coded(MasterKind.UNIT.value, code, plant_code))
    row = built_in_unit(code) or next(
        iter(await info.look_up(Permission.BATCH_READ, units_page, filters, None, 1)), None
    )
    return None if row is None else Unit.of(row, info.context.language)


@query(
    "Lists built-in units, and units of plants.",
    permission=Permission.BATCH_READ,
)
async def units(
    info: Info,
    filter: Annotated[UnitFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: OrderBy = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[Unit]:
    language = info.context.language
    filters = (filter or UnitFilter()).units(order_by, language)
    return await info.connection(
        units_page, units_count, filters, (first, after),
        key=unit_key(filters.defined.order), make=lambda row: Unit.of(row, language),
    )  # fmt: skip


@input_type
class UnitRowInput(NamedRowInput):
    """A unit of the plant to save. An absent field stays as it is."""

    base_unit_code: Maybe[Code | None] = described(f"{BASE_UNIT} A new unit needs one.", default=None)
    factor: Maybe[Rational | None] = described(f"{FACTOR} A new unit needs one.", default=None)

    def change(self) -> changes.UnitChange:
        return changes.UnitChange(
            self.code,
            given(self.name),
            given(self.base_unit_code),
            given(self.factor),
            cleared(name=self.name, of=self.base_unit_code, factor=self.factor),
            self.expected_version,
        )


@input_type
class SaveUnitInput(MutationInput, UnitRowInput):
    """A unit of the plant to save. An absent field stays as it is."""


@object_type
class UnitSaved(Recorded):
    """A unit was defined or changed."""

    unit: Unit = described("Unit as it is now.")


@mutation(
    "Define a unit of the plant, or change the fields given of one. "
    'Example of a 25 kg bag: `{ code: "BAG25", name: "Bag", baseUnitCode: "KGM", factor: "25" }`.',
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_SAVE,
    command=definitions.define_unit,
    order=changes.UnitChange,
    refusals=SAVING_UNIT,
)
async def save_unit(info: Info, input: Input[SaveUnitInput]) -> UnitSaved:
    entry = await info.write(definitions.define_unit, input.change(), input)
    found = await Unit.load(info, info.services.plant, input.code)
    return UnitSaved(entry=RecordedEntry.of(entry), unit=required(found))
