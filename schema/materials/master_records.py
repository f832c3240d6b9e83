"""Master records: suppliers, customers, locations, equipment and units."""

from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.commands.materials import definitions
from plants.rules.identification.refusals import CODE_INVALID, CODE_TAKEN
from plants.rules.ledger.events import Entry
from plants.rules.materials.definitions import MasterKind
from plants.rules.values.refusals import AMOUNT_NOT_A_NUMBER, AMOUNT_NOT_POSITIVE, UNIT_UNKNOWN
from plants.store.materials.definitions import DefinitionsFilter, masters_by_key, masters_count, masters_page
from plants.store.materials.definitions import MasterRecord as MasterRow
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.engine.scalars import PlantCode, Rational
from schema.group.plants import Plant, owner

CODE = "Code at the plant."
NAME = "Name, in any language."


enum_type(MasterKind)


@object_type
class MasterRecord:
    """A supplier, customer, location, piece of equipment or unit, as defined at one plant."""

    kind: MasterKind = described("Kind of record.")
    code: str = described(CODE)
    name: str = described(NAME)
    number: strawberry.Private[int]

    @field("Plant of the definition.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, row: MasterRow) -> Self:
        return cls(kind=MasterKind(row.kind), code=row.code, name=row.name, number=row.plant_id)


@input_type
class MasterFilter:
    """Filters master data. A field that is not given does not filter."""

    plant: PlantCode | None = described("Plant of the definition.", default=None)
    text: str | None = described("Text in the code or the name.", default=None)


Page = tuple[int | None, str | None]
Filter = Annotated[MasterFilter | None, argument("Filter. Without it, all.")]


async def record_of(info: Info, kind: MasterKind, number: int, code: str | None) -> MasterRecord | None:
    """Return a master record of a plant."""
    if code is None:
        return None
    row = await info.load(Permission.BATCH_READ, masters_by_key, (number, kind.value, code))
    return None if row is None else MasterRecord.of(row)


def master_filter(kind: str, filter: MasterFilter | None) -> DefinitionsFilter:
    return DefinitionsFilter(kind, *((filter.plant, filter.text) if filter is not None else ()))


async def _page(info: Info, kind: MasterKind, filter: MasterFilter | None, page: Page) -> Connection[MasterRecord]:
    return await info.connection(
        masters_page,
        masters_count,
        master_filter(kind.value, filter),
        page,
        key=lambda row: (row.code, row.plant_id),
        make=MasterRecord.of,
    )


@query("Lists suppliers by code and plant.", permission=Permission.BATCH_READ)
async def suppliers(
    info: Info, filter: Filter = None, first: First = PAGE_DEFAULT, after: After = None
) -> Connection[MasterRecord]:
    return await _page(info, MasterKind.SUPPLIER, filter, (first, after))


@query("Lists customers by code and plant.", permission=Permission.BATCH_READ)
async def customers(
    info: Info, filter: Filter = None, first: First = PAGE_DEFAULT, after: After = None
) -> Connection[MasterRecord]:
    return await _page(info, MasterKind.CUSTOMER, filter, (first, after))


@query("Lists locations by code and plant.", permission=Permission.BATCH_READ)
async def locations(
    info: Info, filter: Filter = None, first: First = PAGE_DEFAULT, after: After = None
) -> Connection[MasterRecord]:
    return await _page(info, MasterKind.LOCATION, filter, (first, after))


@query("Lists equipment by code and plant.", permission=Permission.BATCH_READ)
async def equipment(
    info: Info, filter: Filter = None, first: First = PAGE_DEFAULT, after: After = None
) -> Connection[MasterRecord]:
    return await _page(info, MasterKind.EQUIPMENT, filter, (first, after))


@input_type
class DefineMasterInput(MutationInput):
    """A supplier, customer, location or piece of equipment. A later definition replaces the name."""

    code: str = described(CODE)
    name: str = described(NAME)


@input_type
class DefineUnitInput(MutationInput):
    """A unit, defined as an exact multiple of a built-in unit: a 25 kg bag is 25 KGM."""

    code: str = described(CODE)
    name: str = described(NAME)
    of: str = described("Built-in unit that it is a multiple of.")
    factor: Rational = described("Size in the built-in unit.")


@object_type
class MasterDefined(Recorded):
    """A supplier, customer, location, piece of equipment or unit was defined."""

    record: MasterRecord = described("Record with its current definition.")


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
async def define_unit(info: Info, input: Input[DefineUnitInput]) -> MasterDefined:
    order = definitions.UnitDefinition(input.code, input.name, input.of, input.factor)
    entry = await info.write(definitions.define_unit, order, input)
    return await _defined(info, MasterKind.UNIT, input.code, entry)


async def _defined(info: Info, kind: MasterKind, code: str, entry: Entry) -> MasterDefined:
    record = await record_of(info, kind, info.services.plant, code)
    return MasterDefined(entry=RecordedEntry.of(entry), record=required(record))


async def _define(info: Info, kind: MasterKind, input: DefineMasterInput) -> MasterDefined:
    order = definitions.MasterDefinition(kind, input.code, input.name)
    entry = await info.write(definitions.define_master, order, input)
    return await _defined(info, kind, input.code, entry)


@mutation(
    "Define a supplier, or change its name.",
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_DEFINE,
    command=definitions.define_master,
    refusals=(CODE_INVALID,),
)
async def define_supplier(info: Info, input: Input[DefineMasterInput]) -> MasterDefined:
    return await _define(info, MasterKind.SUPPLIER, input)


@mutation(
    "Define a customer, or change its name.",
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_DEFINE,
    command=definitions.define_master,
    refusals=(CODE_INVALID,),
)
async def define_customer(info: Info, input: Input[DefineMasterInput]) -> MasterDefined:
    return await _define(info, MasterKind.CUSTOMER, input)


@mutation(
    "Define a location, or change its name.",
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_DEFINE,
    command=definitions.define_master,
    refusals=(CODE_INVALID,),
)
async def define_location(info: Info, input: Input[DefineMasterInput]) -> MasterDefined:
    return await _define(info, MasterKind.LOCATION, input)


@mutation(
    "Define a piece of equipment, or change its name.",
    roles=PLANT_ONLY,
    permission=Permission.MASTERDATA_DEFINE,
    command=definitions.define_master,
    refusals=(CODE_INVALID,),
)
async def define_equipment(info: Info, input: Input[DefineMasterInput]) -> MasterDefined:
    return await _define(info, MasterKind.EQUIPMENT, input)
