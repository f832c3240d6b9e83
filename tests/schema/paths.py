"""The paths of refusals: each leads to a value of the input, or to a field that the input leaves out."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import GraphQLInputObjectType, GraphQLList, GraphQLSchema, get_nullable_type

from infra.roles import Role
from schema.engine.contracts import contract

PLACED = "placed: path alsoPlaced: furtherRefusals { placed: path }"
"""What a gateway selects of a refusal to check its paths."""


def input_type_of(role: Role, mutation: str) -> GraphQLInputObjectType:
    """Return the type of a mutation's input."""
    schema: GraphQLSchema = contract(role)._schema  # noqa: SLF001 -- Strawberry keeps the schema of graphql-core private.
    assert schema.mutation_type is not None
    kind = get_nullable_type(schema.mutation_type.fields[mutation].args["input"].type)
    assert isinstance(kind, GraphQLInputObjectType)
    return kind


def check_paths(role: Role, mutation: str, given: Mapping[str, Any], answer: dict[str, Any]) -> None:
    """Check the paths of a refusal, and take what PLACED selected out of the answer."""
    kind = input_type_of(role, mutation)
    further = answer.pop("alsoPlaced", [])
    for path in (answer.pop("placed", None), *(one["placed"] for one in further)):
        assert path is None or resolves(kind, given, path), f"{mutation}: {path} is no place in {given}"


def resolves(kind: Any, given: Any, path: Sequence[str]) -> bool:
    """Tell whether a path leads to a value, or to a field of the type that the input leaves out."""
    if not path:
        return True
    first, *rest = path
    kind = get_nullable_type(kind)
    if isinstance(kind, GraphQLList):
        found = first.isdecimal() and isinstance(given, Sequence) and int(first) < len(given)
        return found and resolves(kind.of_type, given[int(first)], rest)
    if not isinstance(kind, GraphQLInputObjectType) or first not in kind.fields or not isinstance(given, Mapping):
        return False
    return resolves(kind.fields[first].type, given[first], rest) if first in given else not rest
