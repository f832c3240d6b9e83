"""Nodes that can be fetched by id (Relay), and their ids."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import strawberry
from graphql import GraphQLError

from plants.rules.values.refusals import Refusal, RefusalCode, within
from schema.engine.context import Info
from schema.engine.fields import argument, described, interface_type
from schema.engine.limits import EXCEEDED
from schema.engine.node_ids import read_numbers
from schema.engine.operations import query


@interface_type(name="Node")
class Node:
    """An object that can be fetched again by its id."""

    id: strawberry.ID = described("Global id, for `node`.")


Find = Callable[[Info, tuple[int, ...]], Awaitable[Any]]
FINDERS: Final[dict[str, tuple[int, Find]]] = {}
"""The finder of each kind of node, by the first part of its id, with the count of the numbers that follow."""


def read_id(kind: str, text: str) -> tuple[int, ...] | None:
    """Return the numbers in the id of a node of this kind, or None for another id."""
    known = FINDERS.get(kind)
    return None if known is None else read_numbers(kind, known[0], text)


ID_SHOWN_MAX: Final = 40
"""Characters of a wrong id that a refusal quotes."""


def named(field: str, kind: str, id: str, unknown: RefusalCode, **known: object) -> tuple[int, ...]:
    """Return the numbers in the id that a field of the input gives, for a node of this kind.

    Raises the Refusal `unknown` for any other text. Its data are the text, except for those that are `known`.
    """
    numbers = read_id(kind, id)
    if numbers is None:
        with within(field):
            raise Refusal(unknown, **{key: known.get(key, id[:ID_SHOWN_MAX]) for key in unknown.data})
    return numbers


def findable(kind: str, count: int = 1) -> Callable[[Find], Find]:
    """Register the finder of a kind of node whose ids have `count` numbers."""

    def register(find: Find) -> Find:
        FINDERS[kind] = count, find
        return find

    return register


NODES_MAX: Final = 100


@query("Returns the node with this id. Null if there is none that you may see.", permission=None)
async def node(info: Info, id: Annotated[strawberry.ID, argument("Id of a node in an earlier answer.")]) -> Node | None:
    return await _found(info, id)


@query(
    f"Returns the nodes with these ids, at most {NODES_MAX}, in their order. Null for one that you may not see.",
    permission=None,
)
async def nodes(
    info: Info, ids: Annotated[list[strawberry.ID], argument("Ids of nodes in earlier answers.")]
) -> list[Node | None]:
    if len(ids) > NODES_MAX:
        raise GraphQLError(f"`ids` holds at most {NODES_MAX} ids, not {len(ids)}.", extensions=EXCEEDED)
    info.context.spend(len(ids))
    return [await _found(info, one) for one in ids]


async def _found(info: Info, id: str) -> Node | None:
    kind = id.partition("/")[0]
    numbers = read_id(kind, id)
    if numbers is None:
        return None
    found: Node | None = await FINDERS[kind][1](info, numbers)
    return found
