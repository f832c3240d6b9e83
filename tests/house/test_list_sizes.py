"""Every list of the contract has a known size: @listSize, or it is a page of a connection that has it."""

from collections.abc import Iterator
from typing import Final

import pytest
from graphql import (
    ConstDirectiveNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    ListValueNode,
    StringValueNode,
    build_schema,
    get_named_type,
    is_list_type,
    is_non_null_type,
)

from infra.roles import Role
from tests.house.contract_rules import own_types
from tests.house.sources import ROOT

PLANTED: Final = """
directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!],
  requireOneSlicingArgument: Boolean! = true) on FIELD_DEFINITION
type Batch { code: String! aliases: [String!]! units: [String!]! @listSize(assumedSize: 20) }
type BatchConnection { edges: [BatchEdge!]! nodes: [Batch!]! }
type BatchEdge { node: Batch! }
type Query {
  sized(first: Int = 50): BatchConnection! @listSize(assumedSize: 50, slicingArguments: ["first"],
    sizedFields: ["edges", "nodes"], requireOneSlicingArgument: false)
  half(first: Int = 50): BatchConnection! @listSize(slicingArguments: ["first"], sizedFields: ["nodes"])
  unsized(first: Int = 50): BatchConnection!
  plants: [String!]
}
"""


def fields(schema: GraphQLSchema) -> Iterator[tuple[GraphQLNamedType, str, GraphQLField]]:
    for one in own_types(schema):
        if isinstance(one, GraphQLObjectType | GraphQLInterfaceType):
            yield from ((one, name, field) for name, field in one.fields.items())


def is_list(field: GraphQLField) -> bool:
    return is_list_type(field.type.of_type if is_non_null_type(field.type) else field.type)


def lists_of_connection(kind: GraphQLNamedType) -> set[str]:
    """Return the list fields of a connection; none of another type."""
    if not isinstance(kind, GraphQLObjectType) or not kind.name.endswith("Connection"):
        return set()
    return {name for name, field in kind.fields.items() if is_list(field)}


def list_size(field: GraphQLField) -> ConstDirectiveNode | None:
    directives = field.ast_node.directives if field.ast_node is not None else ()
    return next((one for one in directives or () if one.name.value == "listSize"), None)


def sized_fields(field: GraphQLField) -> set[str]:
    directive = list_size(field)
    return {
        one.value
        for argument in (directive.arguments or () if directive else ())
        if argument.name.value == "sizedFields" and isinstance(argument.value, ListValueNode)
        for one in argument.value.values
        if isinstance(one, StringValueNode)
    }


def unsized_lists(schema: GraphQLSchema) -> Iterator[str]:
    """Yield lists without a known size: plain ones, and those of connections where a field returns them."""
    for owner, name, field in fields(schema):
        wanted = lists_of_connection(get_named_type(field.type))
        is_plain = is_list(field) and not owner.name.endswith("Connection")
        if (is_plain and list_size(field) is None) or wanted != sized_fields(field):
            yield f"{owner.name}.{name}"


@pytest.mark.parametrize("role", Role)
def test_lists_of_the_contract_then_each_has_a_size(role: Role) -> None:
    schema = build_schema((ROOT / "schema" / f"{role.value}.graphql").read_text(encoding="utf-8"))
    assert list(unsized_lists(schema)) == [], "state the maximum in the description: at most 20"


def test_planted_lists_then_those_without_a_size_are_named() -> None:
    schema = build_schema(PLANTED)
    assert list(unsized_lists(schema)) == ["Batch.aliases", "Query.half", "Query.unsized", "Query.plants"]
