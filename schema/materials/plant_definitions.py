"""Shared parts of suppliers, customers, locations and equipment: fields, lists, filter, order and fields of a save."""

from typing import Annotated, Any, ClassVar, Self

import strawberry
from strawberry import Maybe

from auth.permissions import Permission
from plants.commands.materials.changes import MasterChange
from plants.rules.ledger.events import Subject
from plants.rules.materials.definitions import MasterKind
from plants.store.materials.definitions import (
    BY_CODE,
    DefinitionOrderField,
    DefinitionsFilter,
    MasterRecord,
    definition_key,
    masters_by_key,
    masters_count,
    masters_page,
)
from plants.store.sql.filters import CodeCriterion
from plants.store.sql.orders import Order
from schema.audit.history import history_field
from schema.engine.connections import Connection
from schema.engine.context import Info
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.filters import CodeFilter, criterion
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable
from schema.engine.orders import Ordering
from schema.engine.scalars import Code, PlantCode
from schema.group.plants import Plant, owner

CODE = "Code at the plant."
NAME = "Name, in any language."
VERSION = "Version: the index of the ledger entry that stated it. It rises with each entry."
EXPECTED_VERSION = (
    "Version that you saw. With another version, the mutation is refused. Without it, any version is accepted. "
    "Each plant has versions of its own: at the hub, give it with one plant code only."
)

Page = tuple[int | None, str | None]
"""The arguments `first` and `after` of a list."""

enum_type(DefinitionOrderField)


@object_type
class PlantDefinition(Node):
    """A thing that a plant names by a code. Each kind is a type of its own."""

    kind: ClassVar[MasterKind]

    code: Code = described(CODE)
    name: str = described(NAME)
    version: int = described(VERSION)
    number: strawberry.Private[int]

    @field("Plant of the definition.")
    async def plant(self, info: Info) -> Plant:
        return await owner(info, self.number)

    history = history_field(
        "Ledger entries that define it.", lambda one: (Subject(one.kind.lower()), (one.number, one.code))
    )

    @classmethod
    def of(cls, row: MasterRecord) -> Self:
        """Return the definition in a row."""
        return cls(
            id=node_id(cls.kind.lower(), row.plant_id, row.code),
            code=row.code,
            name=row.name,
            version=row.version,
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
    async def page(
        cls, info: Info, filter: "DefinitionFilter | None", order_by: "DefinitionOrder | None", page: Page
    ) -> Connection[Self]:
        """Return one page of the definitions of this kind."""
        filters = (filter or DefinitionFilter()).criteria(cls.kind.value, order_by)
        return await info.connection(
            masters_page, masters_count, filters, page, key=definition_key(filters.order), make=cls.of
        )

    @classmethod
    async def coded(cls, info: Info, code: str, plant_code: str | None) -> Self | None:
        """Return the definition of a code at one plant, or at the plant with the lowest number."""
        rows = await info.look_up(
            Permission.BATCH_READ, masters_page, definition_coded(cls.kind.value, code, plant_code), None, 1
        )
        return cls.of(rows[0]) if rows else None


def register_finder(kind: type[PlantDefinition]) -> None:
    """Let the definitions of a kind be fetched by their ids."""

    @findable(kind.kind.lower(), int, str)
    async def find(info: Info, parts: tuple[Any, ...]) -> PlantDefinition | None:
        return await kind.load(info, *parts)


@input_type
class DefinitionOrder(Ordering):
    """Order of master data."""

    field: DefinitionOrderField = described("Field to order by.")


@input_type
class DefinitionFilter:
    """Filters master data. A field that is not given does not filter."""

    plant_code: CodeFilter | None = described("Code of the plant of the definition.", default=None)
    code: CodeFilter | None = described("Code at the plant.", default=None)
    text: str | None = described(
        "Text that the code or the name contains. Case, width and spaces at its ends do not differ.", default=None
    )

    def criteria(self, kind: str, order_by: DefinitionOrder | None) -> DefinitionsFilter:
        """Return the criteria and the order of a list of a kind."""
        order = BY_CODE if order_by is None else Order(order_by.field, order_by.direction)
        return DefinitionsFilter(kind, criterion(self.plant_code), self.text, criterion(self.code), order=order)


OrderBy = Annotated[DefinitionOrder | None, argument("Order. Without it, by code in ascending order.")]
OfCode = Annotated[Code, argument("Code at the plant.")]
AtPlant = Annotated[
    PlantCode | None,
    argument("Code of the plant of the definition. Without it, the first plant of `plants` that has one."),
]


def definition_coded(kind: str, code: str, plant_code: str | None) -> DefinitionsFilter:
    """Return the criteria for the definition of a code, at one plant or at any."""
    plant = None if plant_code is None else CodeCriterion(plant_code)
    return DefinitionsFilter(kind, plant, code=CodeCriterion(code))


@input_type
class NamedRowInput:
    """Fields of a save that all master data have. An absent field stays as it is."""

    code: Code = described("Code at the plant. If it is new there, the definition is a new one.")
    name: Maybe[str | None] = described("Name, in any language. A new definition needs one.", default=None)
    expected_version: int | None = described(EXPECTED_VERSION, default=None)

    def named(self, kind: MasterKind) -> MasterChange:
        """Return the change of a definition that has a name alone."""
        return MasterChange(
            kind, self.code, given(self.name), cleared(name=self.name), expected_version=self.expected_version
        )


def given(value: Any) -> Any:
    """Return the value of a field of an input, None where it is absent or null."""
    return None if value is None else value.value


def cleared(**fields: Any) -> frozenset[str]:
    """Return the names of the fields that are null, which is not the same as absent."""
    return frozenset(name for name, value in fields.items() if value is not None and value.value is None)
