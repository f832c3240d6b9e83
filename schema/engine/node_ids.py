"""Ids of nodes: the kind of the node and its numbers. Clients treat them as opaque."""

import re
from typing import Final

import strawberry

NUMBER: Final = re.compile(r"-?(0|[1-9]\d{0,15})", re.ASCII)
NODE_ID_MAX: Final = 2**53


def node_id(kind: str, *numbers: int | str) -> strawberry.ID:
    """Return the id of a node."""
    return strawberry.ID("/".join((kind, *map(str, numbers))))


def read_numbers(kind: str, count: int, text: str) -> tuple[int, ...] | None:
    """Return the numbers in the id of a node of this kind with `count` numbers, or None for another text."""
    begins, *numbers = text.split("/")
    if begins != kind or len(numbers) != count:
        return None
    if not all(NUMBER.fullmatch(number) and abs(int(number)) < NODE_ID_MAX for number in numbers):
        return None
    return tuple(int(number) for number in numbers)
