"""Nodes that can be fetched by id (Relay), and their ids."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Final

import strawberry

from infra.messages import message
from plants.rules.values.refusals import Refusal, RefusalCode, within
from schema.engine.context import Info
from schema.engine.fields import argument, described, interface_type
from schema.engine.limits import IDS_MAX, exceeded
from schema.engine.node_ids import read_kind, read_parts
from schema.engine.operations import query


@interface_type(name="Node")
class Node:
    """An object that can be fetched again by its id."""

    id: strawberry.ID = described("Opaque id, unique over all kinds of things, for `node`.")


Find = Callable[[Info, tuple[Any, ...]], Awaitable[Any]]
FINDERS: Final[dict[str, tuple[Sequence[type[int | str]], Find]]] = {}
"""The finder of each kind of node, with the types of the parts of its ids."""


def read_id(kind: str, text: str) -> tuple[Any, ...] | None:
    """Return the parts of the id of a node of this kind, or None for another id."""
    known = FINDERS.get(kind)
    return None if known is None else read_parts(kind, known[0], text)


ID_SHOWN_MAX: Final = 40
"""Characters of a wrong id that a refusal quotes."""


def named(field: str, kind: str, id: str, unknown: RefusalCode, **known: object) -> tuple[Any, ...]:
    """Return the parts of the id that a field of the input gives, for a node of this kind.

    Raises the Refusal `unknown` for any other text. Its data are the text, except for those that are `known`.
    """
    numbers = read_id(kind, id)
    if numbers is None:
        with within(field):
            raise Refusal(unknown, **{key: known.get(key, id[:ID_SHOWN_MAX]) for key in unknown.data})
    return numbers


def findable(kind: str, *parts: type[int | str]) -> Callable[[Find], Find]:
    """Register the finder of a kind of node. `parts` are the types of the parts of its ids, such as `int, str`."""

    def register(find: Find) -> Find:
        FINDERS[kind] = parts, find
        return find

    return register


IDS_TOO_MANY: Final = message("IDS_TOO_MANY", "`ids` holds at most {most} ids, not {count}.")


@query("Returns the node with this id. Null if there is none that you may see.", permission=None)
async def node(info: Info, id: Annotated[strawberry.ID, argument("Id of a node in an earlier answer.")]) -> Node | None:
    return await _found(info, id)


@query(
    f"Returns the nodes with these ids, at most {IDS_MAX}, in their order. Null for one that you may not see.",
    permission=None,
)
async def nodes(
    info: Info, ids: Annotated[list[strawberry.ID], argument("Ids of nodes in earlier answers.")]
) -> list[Node | None]:
    if len(ids) > IDS_MAX:
        raise exceeded(IDS_MAX, IDS_TOO_MANY(most=IDS_MAX, count=len(ids)))
    info.context.spend(len(ids))
    return [await _found(info, one) for one in ids]


async def _found(info: Info, id: str) -> Node | None:
    kind = read_kind(id)
    parts = None if kind is None else read_id(kind, id)
    if kind is None or parts is None:
        return None
    found: Node | None = await FINDERS[kind][1](info, parts)
    return found
