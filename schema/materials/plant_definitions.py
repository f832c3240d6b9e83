"""What suppliers, customers, locations and equipment share: their fields, lists and filter."""

from typing import Annotated, ClassVar, Self

import strawberry

from auth.permissions import Permission
from plants.rules.materials.definitions import MasterKind
from plants.store.materials.definitions import (
    DefinitionsFilter,
    MasterRecord,
    masters_by_key,
    masters_count,
    masters_page,
)
from schema.engine.connections import Connection
from schema.engine.context import Info
from schema.engine.fields import argument, described, field, input_type, object_type
from schema.engine.nodes import Node
from schema.engine.scalars import PlantCode
from schema.group.plants import Plant, owner

CODE = "Code at the plant."
NAME = "Name, in any language."

Page = tuple[int | None, str | None]
"""The arguments `first` and `after` of a list."""


@object_type
class PlantDefinition(Node):
    """A thing that a plant names by a code. Each kind is a type of its own."""

    kind: ClassVar[MasterKind]

    code: str = described(CODE)
    name: str = described(NAME)
    number: strawberry.Private[int]

    @field("Plant of the definition.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    @classmethod
    def of(cls, row: MasterRecord) -> Self:
        """Return the definition in a row."""
        return cls(
            id=strawberry.ID(f"{cls.kind.lower()}/{row.plant_id}/{row.code}"),
            code=row.code,
            name=row.name,
            number=row.plant_id,
        )

    @classmethod
    async def load(cls, info: Info, number: int, code: str | None) -> Self | None:
        """Return the definition of a code at a plant. Null for no code, and for one that is not defined there."""
        if code is None:
            return None
        row = await info.load(Permission.BATCH_READ, masters_by_key, (number, cls.kind.value, code))
        return None if row is None else cls.of(row)

    @classmethod
    async def page(cls, info: Info, filter: "DefinitionFilter | None", page: Page) -> Connection[Self]:
        """Return one page of the definitions of this kind, by code and plant."""
        return await info.connection(
            masters_page,
            masters_count,
            definitions_filter(cls.kind.value, filter),
            page,
            key=lambda row: (row.code, row.plant_id),
            make=cls.of,
        )

    @classmethod
    async def coded(cls, info: Info, code: str, plant_code: str | None) -> Self | None:
        """Return the definition of a code at one plant, or at the plant with the lowest number."""
        rows = await info.read(masters_page, DefinitionsFilter(cls.kind.value, plant_code, code=code), None, 1)
        return cls.of(rows[0]) if rows else None


@input_type
class DefinitionFilter:
    """Filters master data. A field that is not given does not filter."""

    plant_code: PlantCode | None = described("Plant of the definition.", default=None)
    text: str | None = described("Text in the code or the name.", default=None)


Filter = Annotated[DefinitionFilter | None, argument("Filter. Without it, all.")]
Code = Annotated[str, argument("Code at the plant.")]
AtPlant = Annotated[
    PlantCode | None, argument("Plant of the definition. Without it, the plant with the lowest number that has one.")
]


def definitions_filter(kind: str, filter: DefinitionFilter | None) -> DefinitionsFilter:
    return DefinitionsFilter(kind, *((filter.plant_code, filter.text) if filter is not None else ()))
