"""The cost of what a mutation is given: each element of each list in its input, at any depth.

An element adds the weight of its list: that of @cost, or ELEMENT_WEIGHT.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

from graphql import (
    FieldNode,
    GraphQLInputObjectType,
    GraphQLObjectType,
    Undefined,
    get_named_type,
    value_from_ast_untyped,
)

from schema.engine.cost_directives import returns_list, weight_of

ELEMENT_WEIGHT: Final = 1  # of an element without @cost
COUNTED_MAX: Final = 10_000
"""Elements of one list that a cost counts. No operation accepts more."""


def given_cost(mutations: GraphQLObjectType, nodes: Iterable[FieldNode], variables: Mapping[str, Any]) -> int:
    """Return the cost of the inputs of fields of the mutation type."""
    total = 0
    for node in nodes:
        wanted = mutations.fields[node.name.value].args
        for argument in node.arguments or ():
            kind = get_named_type(wanted[argument.name.value].type)
            if isinstance(kind, GraphQLInputObjectType) and _lists(kind):
                total += _cost(kind, value_from_ast_untyped(argument.value, dict(variables)))
    return total


@lru_cache(512)
def _lists(kind: GraphQLInputObjectType) -> Mapping[str, tuple[int, GraphQLInputObjectType | None]]:
    """Return the fields of an input that are lists or lead to lists: the weight of an element, and its input type.

    No input of a mutation contains itself.
    """
    found: dict[str, tuple[int, GraphQLInputObjectType | None]] = {}
    for name, field in kind.fields.items():
        named = get_named_type(field.type)
        within = named if isinstance(named, GraphQLInputObjectType) and _lists(named) else None
        weight = weight_of(field, ELEMENT_WEIGHT) if returns_list(field.type) else 0
        if weight or within is not None:
            found[name] = weight, within
    return found


def _cost(kind: GraphQLInputObjectType, given: Any) -> int:
    """Return the cost of a value, or of each value of a list. A malformed value costs nothing: it is refused."""
    values = given[:COUNTED_MAX] if isinstance(given, list) else [given]
    return sum(_of_one(kind, one) for one in values if isinstance(one, Mapping))


def _of_one(kind: GraphQLInputObjectType, given: Mapping[str, Any]) -> int:
    total = 0
    for name, (weight, within) in _lists(kind).items():
        value = given.get(name)
        if value is None or value is Undefined:
            continue
        total += weight * (min(len(value), COUNTED_MAX) if isinstance(value, list) else 1)
        if within is not None:
            total += _cost(within, value)
    return total
