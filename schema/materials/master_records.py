"""Suppliers, customers, locations, equipment and units: types, queries and the mutations that define them."""

from enum import StrEnum
from typing import Annotated, Any, Self

import strawberry

from auth.permissions import Permission
from plants.commands.materials import definitions
from plants.rules.ledger.events import Entry
from plants.rules.values.refusals import RefusalCode as C
from plants.store.materials.definitions import (
    MasterSought,
    masters_by_key,
    masters_count,
    masters_page,
)
from plants.store.tables import MasterRecord as MasterRow
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, sure
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import argument, described, field
from schema.engine.inputs import Input, MutationInput
from schema.engine.refusals import mutation
from schema.engine.scalars import ExactDecimal, PlantCode
from schema.group.plants import Plant, owner

CODE = "Its code at the plant."
NAME = "Its name, in any language."


@strawberry.enum(description="What sort of thing a master record is.")
class MasterKind(StrEnum):
    """What sort of thing a master record is."""

    SUPPLIER = "SUPPLIER"  # who delivers
    CUSTOMER = "CUSTOMER"  # whom is shipped to
    LOCATION = "LOCATION"  # where goods lie
    EQUIPMENT = "EQUIPMENT"  # what a process runs on
    UNIT = "UNIT"  # a unit of the plant's own


@strawberry.type(description="A supplier, customer, location, piece of equipment or unit as one plant defines it.")
class MasterRecord:
    """A supplier, customer, location, piece of equipment or unit as one plant defines it."""

    kind: MasterKind = described("What sort of thing it is.")
    code: str = described(CODE)
    name: str = described(NAME)
    number: strawberry.Private[int]

    @field("The plant that defines it so.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, row: MasterRow) -> Self:
        """Return master data as the contract answers it."""
        return cls(kind=MasterKind(row.kind), code=row.code, name=row.name, number=row.plant_id)


@strawberry.input(description="Which master data is wanted; what is not given does not matter.")
class MasterFilter:
    """Which master data is wanted."""

    plant: PlantCode | None = described("Of this plant alone.", default=None)
    text: str | None = described("With a code or a name that holds this text.", default=None)


Filter = Annotated[MasterFilter | None, argument("Which are wanted; all unless given.")]


async def record_of(info: Info, kind: MasterKind, number: int, code: str | None) -> MasterRecord | None:
    """Return a supplier, customer, location or piece of equipment of a plant."""
    if code is None:
        return None
    row = await info.context.load(Permission.BATCH_READ, masters_by_key, (number, kind.value, code))
    return None if row is None else MasterRecord.of(row)


def master_filter(kind: str, filter: MasterFilter | None) -> MasterSought:
    return MasterSought(kind, *((filter.plant, filter.text) if filter is not None else ()))


def _listing(kind: MasterKind, name: str, description: str) -> Any:
    async def records(
        info: Info, filter: Filter = None, first: First = None, after: After = None
    ) -> Connection[MasterRecord]:
        return await info.context.connection(
            Permission.BATCH_READ,
            masters_page,
            masters_count,
            master_filter(kind.value, filter),
            (first, after),
            key=lambda row: (row.code, row.plant_id),
            make=MasterRecord.of,
        )

    records.__name__ = name
    return field(description)(records)


suppliers = _listing(MasterKind.SUPPLIER, "suppliers", "Suppliers, by code and plant.")


customers = _listing(MasterKind.CUSTOMER, "customers", "Customers, by code and plant.")


locations = _listing(MasterKind.LOCATION, "locations", "Locations, by code and plant.")


equipment = _listing(MasterKind.EQUIPMENT, "equipment", "Pieces of equipment, by code and plant.")


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


@strawberry.type(description="A supplier, customer, location, piece of equipment or unit was defined.")
class MasterDefined:
    """Master data was defined."""

    entry: RecordedEntry = described(ENTRY)
    record: MasterRecord = described("The record as it is defined now.")


@mutation(
    MasterDefined,
    C.AMOUNT_NOT_A_NUMBER,
    C.AMOUNT_NOT_POSITIVE,
    C.CODE_INVALID,
    C.CODE_TAKEN,
    C.UNIT_UNKNOWN,
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
    return mutation(MasterDefined, C.CODE_INVALID, description=description)(define_one)


define_supplier = _defining(MasterKind.SUPPLIER, "Define a supplier, or give one another name.")


define_customer = _defining(MasterKind.CUSTOMER, "Define a customer, or give one another name.")


define_location = _defining(MasterKind.LOCATION, "Define a location, or give one another name.")


define_equipment = _defining(MasterKind.EQUIPMENT, "Define a piece of equipment, or give one another name.")
