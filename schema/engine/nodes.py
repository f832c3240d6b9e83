"""Nodes that can be fetched by id (Relay), and their ids."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import strawberry

from schema.engine.context import Info
from schema.engine.fields import argument, described, interface_type
from schema.engine.operations import query

NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,15})", re.ASCII)
NODE_ID_MAX: Final = 2**53


@interface_type(name="Node")
class Node:
    """An object that can be fetched again by its id."""

    id: strawberry.ID = described("Global id, for `node`.")


Find = Callable[[Info, tuple[int, ...]], Awaitable[Any]]
FINDERS: Final[dict[str, tuple[int, Find]]] = {}
"""The finder of each kind of node, by the first part of its id, with the count of the numbers that follow."""


def node_id(kind: str, *numbers: int) -> strawberry.ID:
    """Return the id of a node: its kind and its numbers."""
    return strawberry.ID("/".join((kind, *map(str, numbers))))


def read_id(kind: str, text: str) -> tuple[int, ...] | None:
    """Return the numbers in the id of a node of this kind, or None for another id."""
    begins, *numbers = text.split("/")
    known = FINDERS.get(kind)
    if begins != kind or known is None or len(numbers) != known[0]:
        return None
    if not all(NUMBER.fullmatch(number) and abs(int(number)) < NODE_ID_MAX for number in numbers):
        return None
    return tuple(int(number) for number in numbers)


def findable(kind: str, count: int = 1) -> Callable[[Find], Find]:
    """Register the finder of a kind of node whose ids have `count` numbers."""

    def register(find: Find) -> Find:
        FINDERS[kind] = count, find
        return find

    return register


@query("Returns the node with this id. Null if there is none that you may see.", permission=None)
async def node(info: Info, id: Annotated[strawberry.ID, argument("Id of a node in an earlier answer.")]) -> Node | None:
    kind = id.partition("/")[0]
    numbers = read_id(kind, id)
    if numbers is None:
        return None
    found: Node | None = await FINDERS[kind][1](info, numbers)
    return found
