"""The paths of refusals: each leads to a value of the input, or to a field that the input leaves out."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphql import GraphQLField, GraphQLInputObjectType, GraphQLList, GraphQLSchema, get_nullable_type

from infra.roles import Role
from schema.engine.contracts import contract

PLACED = "placed: path alsoPlaced: furtherRefusals { placed: path }"
"""What a gateway selects of a refusal to check its paths."""


def input_type_of(role: Role, mutation: str) -> GraphQLInputObjectType:
    """Return the type of a mutation's input."""
    kind = get_nullable_type(_field(role, mutation).args["input"].type)
    assert isinstance(kind, GraphQLInputObjectType)
    return kind


def _field(role: Role, mutation: str) -> GraphQLField:
    schema: GraphQLSchema = contract(role)._schema  # noqa: SLF001 -- Strawberry keeps the schema of graphql-core private.
    assert schema.mutation_type is not None
    found: GraphQLField = schema.mutation_type.fields[mutation]
    return found


def mutation_text(role: Role, mutation: str, wanted: str, given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the document of a mutation, and its variables.

    Each given value is a field of the input, unless the mutation has an argument of that name.
    """
    arguments = _field(role, mutation).args
    beside = {name: value for name, value in given.items() if name in arguments}
    variables = {"input": {name: value for name, value in given.items() if name not in arguments}, **beside}
    declared = ", ".join(f"${name}: {arguments[name].type}" for name in variables)
    passed = ", ".join(f"{name}: ${name}" for name in variables)
    refused = f"... on Refusal {{ code message {PLACED} }}"
    return f"mutation({declared}) {{ {mutation}({passed}) {{ __typename {refused} {wanted} }} }}", variables


def check_paths(role: Role, mutation: str, given: Mapping[str, Any], answer: dict[str, Any]) -> None:
    """Check the paths of a refusal, and take what PLACED selected out of the answer."""
    kind, arguments = input_type_of(role, mutation), _field(role, mutation).args
    further = answer.pop("alsoPlaced", [])
    for path in (answer.pop("placed", None), *(one["placed"] for one in further)):
        beside = path and path[0] in arguments and resolves(arguments[path[0]].type, given[path[0]], path[1:])
        assert path is None or beside or resolves(kind, given, path), f"{mutation}: {path} is no place in {given}"


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
