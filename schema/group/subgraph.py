"""The hub's schema as an Apollo Federation 2 subgraph: entities, their keys, and the SDL with federation directives."""

import re
from asyncio import gather
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import strawberry
from graphql import GraphQLError

from auth.permissions import NotPermitted, Permission
from infra.messages import message
from plants.rules.values.refusals import Refusal
from schema.engine.connections import PageInfo
from schema.engine.context import Info
from schema.engine.error_codes import REPRESENTATION_WRONG
from schema.engine.errors import WordedError
from schema.engine.fields import argument, described, object_type
from schema.engine.limits import REPRESENTATIONS_MAX, exceeded, sees_schema
from schema.engine.operations import HUB_ONLY, query
from schema.engine.quantities import Quantity
from schema.engine.scalars import Representation, read_batch_code, read_plant_code
from schema.group.plants import Plant, plant_coded
from schema.inventory.batches import Batch, batch_coded
from schema.materials.materials import Material, material_of

FEDERATION: Final = "https://specs.apollo.dev/federation/v2.5"
SHAREABLE: Final = (PageInfo, Quantity)
"""Value types without an identity. Each subgraph that has one resolves it by itself."""

REPRESENTATIONS_TOO_MANY: Final = message(
    "REPRESENTATIONS_TOO_MANY", "`representations` holds at most {most} representations, not {count}."
)


@dataclass(frozen=True, slots=True)
class Reference:
    """The key of an entity in other subgraphs, and the resolver of a key."""

    key: str
    find: Callable[[Info, Mapping[str, Any]], Awaitable[Any]]


async def _batch(info: Info, key: Mapping[str, Any]) -> Batch | None:
    return await batch_coded(info, read_batch_code(key["code"]))


async def _plant(info: Info, key: Mapping[str, Any]) -> Plant | None:
    return await plant_coded(info, read_plant_code(key["code"]))


async def _material(info: Info, key: Mapping[str, Any]) -> Material | None:
    plant = await _plant(info, key["plant"])
    return None if plant is None else await material_of(info, plant.number, str(key["code"]))


REFERENCES: Final[Mapping[type, Reference]] = {
    Batch: Reference("code", _batch),
    Material: Reference("code plant { code }", _material),
    Plant: Reference("code", _plant),
}
"""The entities of the subgraph."""

Entity = Annotated[
    Batch | Material | Plant,
    strawberry.union("_Entity", description="An entity that other subgraphs refer to by its key."),
]


@object_type(name="_Service")
class FederatedService:
    """This subgraph, for programs that compose a supergraph."""

    sdl: str = described("SDL of the subgraph with its federation directives.")


@query(
    "Returns the SDL of this subgraph. It needs the permission to read the schema.",
    permission=Permission.SCHEMA_READ,
    roles=HUB_ONLY,
    name="_service",
)
async def service(info: Info) -> FederatedService:
    if not sees_schema(info.context.actor):
        raise NotPermitted(info.context.actor, Permission.SCHEMA_READ, info.services.plant)
    return FederatedService(sdl=subgraph_sdl(info.schema))


@query(
    f"Returns the entities with these keys, at most {REPRESENTATIONS_MAX:,}, in their order. "
    "Null for one that you may not see.",
    permission=None,
    roles=HUB_ONLY,
    name="_entities",
)
async def entities(
    info: Info, representations: Annotated[list[Representation], argument("Types and keys of the entities.")]
) -> list[Entity | None]:
    if len(representations) > REPRESENTATIONS_MAX:
        wrong = REPRESENTATIONS_TOO_MANY(most=REPRESENTATIONS_MAX, count=len(representations))
        raise exceeded(REPRESENTATIONS_MAX, wrong)
    info.context.spend(len(representations))
    return list(await gather(*(_entity(info, one) for one in representations)))


async def _entity(info: Info, representation: Mapping[str, Any]) -> Any:
    """Return an entity, None if there is none, or the error of a malformed representation in its place."""
    names = {one.__name__: reference for one, reference in REFERENCES.items()}
    try:
        return await names[representation["__typename"]].find(info, representation)
    except (KeyError, TypeError, GraphQLError):
        return WordedError(REPRESENTATION_WRONG)
    except Refusal:
        return None  # A malformed code names nothing.


def subgraph_sdl(contract: Any) -> str:
    """Return the SDL of the hub's contract with its keys and shareable types declared."""
    directives = {one: f'@key(fields: "{by.key}")' for one, by in REFERENCES.items()}
    directives |= dict.fromkeys(SHAREABLE, "@shareable")
    text: str = contract.as_str()
    for one, directive in directives.items():
        text = re.sub(rf"^type {one.__name__}\b[^{{]*", rf"\g<0>{directive} ", text, count=1, flags=re.MULTILINE)
    return f'extend schema @link(url: "{FEDERATION}", import: ["@key", "@shareable"])\n\n{text}\n'
