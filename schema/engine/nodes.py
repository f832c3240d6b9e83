"""Things that can be asked for again by id (Relay), and the ids that name them."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import strawberry

from schema.engine.context import Info
from schema.engine.fields import argument, described, field

NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,15})", re.ASCII)
NODE_ID_MAX: Final = 2**53


@strawberry.interface(name="Node", description="Something that can be asked for again by its id.")
class Node:
    """Something that can be asked for again by its id."""

    id: strawberry.ID = described("The id by which `node` finds it again.")


Find = Callable[[Info, tuple[int, ...]], Awaitable[Any]]
FINDERS: Final[dict[str, tuple[int, Find]]] = {}
"""How each kind of node is found, by the first word of its id and how many numbers follow it."""


def node_id(kind: str, *numbers: int) -> strawberry.ID:
    """Return the id of a node: its kind and its numbers."""
    return strawberry.ID("/".join((kind, *map(str, numbers))))


def read_id(kind: str, text: str) -> tuple[int, ...] | None:
    """Return the numbers in the id of a node of this kind, or None when it is not one."""
    begins, *numbers = text.split("/")
    known = FINDERS.get(kind)
    if begins != kind or known is None or len(numbers) != known[0]:
        return None
    if not all(NUMBER.fullmatch(number) and abs(int(number)) < NODE_ID_MAX for number in numbers):
        return None
    return tuple(int(number) for number in numbers)


def findable(kind: str, count: int = 1) -> Callable[[Find], Find]:
    """Register how nodes of a kind are found; their ids have so many numbers."""

    def register(find: Find) -> Find:
        FINDERS[kind] = count, find
        return find

    return register


@field("Whatever this id names, or null when there is nothing of the kind that you may see.")
async def node(
    info: Info, id: Annotated[strawberry.ID, argument("The id of something that was answered before.")]
) -> Node | None:
    kind = id.partition("/")[0]
    numbers = read_id(kind, id)
    if numbers is None:
        return None
    found: Node | None = await FINDERS[kind][1](info, numbers)
    return found
