"""Master data in the contract: materials, suppliers, customers, locations and equipment, as plants define them."""

import json
from enum import StrEnum
from typing import Annotated, Any, Self

import strawberry

from auth.permissions import Permission
from plants.store.materials import definitions
from plants.store.materials.definitions import DefinitionsFilter
from plants.store.materials.definitions import MasterRecord as MasterRow
from plants.store.materials.definitions import Material as MaterialRow
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info
from schema.engine.fields import argument, described, field
from schema.engine.scalars import ExactDecimal, PlantCode
from schema.group.plants import Plant, owner

CODE = "Its code at the plant."
NAME = "Its name, in any language."


@strawberry.type(description="How many of a material's unit one of another unit is.")
class Conversion:
    """How many of a material's unit one of another unit is."""

    unit: str = described("The other unit.")
    factor: ExactDecimal = described('How many of the material\'s unit one of it is: a decimal or a fraction "n/d".')


@strawberry.type(description="A material as one plant defines it.")
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


async def material_of(info: Info, number: int, code: str) -> Material | None:
    """Return a plant's material definition."""
    row = await info.context.load(Permission.BATCH_READ, definitions.materials_by_key, (number, code))
    return None if row is None else Material.of(row)


async def record_of(info: Info, kind: MasterKind, number: int, code: str | None) -> MasterRecord | None:
    """Return a supplier, customer, location or piece of equipment of a plant."""
    if code is None:
        return None
    row = await info.context.load(Permission.BATCH_READ, definitions.masters_by_key, (number, kind.value, code))
    return None if row is None else MasterRecord.of(row)


def _filters(kind: str, filter: MasterFilter | None) -> DefinitionsFilter:
    return DefinitionsFilter(kind, *((filter.plant, filter.text) if filter is not None else ()))


@field("The material with this code, or null; of several plants' definitions that of the lowest number.")
async def material(
    info: Info,
    code: Annotated[str, argument("The material's code.")],
    plant: Annotated[PlantCode | None, argument("As this plant defines it.")] = None,
) -> Material | None:
    rows = await info.context.read(Permission.BATCH_READ, definitions.materials_coded, code, plant)
    return Material.of(rows[0]) if rows else None


@field("Materials, by code and plant.")
async def materials(
    info: Info, filter: Filter = None, first: First = None, after: After = None
) -> Connection[Material]:
    return await info.context.connection(
        Permission.BATCH_READ,
        definitions.materials_page,
        definitions.materials_count,
        _filters("MATERIAL", filter),
        (first, after),
        key=lambda row: (row.code, row.plant_id),
        make=Material.of,
    )


def _listing(kind: MasterKind, name: str, description: str) -> Any:
    async def records(
        info: Info, filter: Filter = None, first: First = None, after: After = None
    ) -> Connection[MasterRecord]:
        return await info.context.connection(
            Permission.BATCH_READ,
            definitions.masters_page,
            definitions.masters_count,
            _filters(kind.value, filter),
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
