"""Rules of the GraphQL contract that a program can check. Each yields the places that break it."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    NullValueNode,
    get_named_type,
    is_leaf_type,
    print_ast,
)

from tests.house.sources import ROOT

Rule = Callable[[GraphQLSchema], Iterator[str]]
MARKERS: Final = ("Recorded", "Refusal")
"""The interfaces of the members of a mutation's result."""
SUBMIT: Final = "submit"
"""The mutation that runs the commands of the others. It answers a list."""


def own_types(schema: GraphQLSchema) -> Iterator[GraphQLNamedType]:
    """Yield the types of the contract, without those of introspection and of federation."""
    yield from (one for name, one in schema.type_map.items() if not name.startswith("_"))


def clashing_members(schema: GraphQLSchema) -> Iterator[str]:
    """Members of a union give one name one type, so that a document can select all of them without aliases."""
    for union in own_types(schema):
        if isinstance(union, GraphQLUnionType):
            types: dict[str, set[str]] = defaultdict(set)
            for member in union.types:
                for name, field in member.fields.items():
                    types[name].add(_shape(field))
            yield from (
                f"{union.name}.{name}: {', '.join(sorted(found))}" for name, found in types.items() if len(found) > 1
            )


def _shape(field: GraphQLField) -> str:
    """Return a field's type; of an object the lists and nulls alone, because its own fields are selected in turn."""
    text = str(field.type)
    return text if is_leaf_type(get_named_type(field.type)) else "".join(sign for sign in text if sign in "[]!") + "{}"


def null_defaults(schema: GraphQLSchema) -> Iterator[str]:
    """No input field and no argument has the default null: absent leaves a value as it is, null clears it."""
    for one in own_types(schema):
        if isinstance(one, GraphQLInputObjectType):
            yield from (f"{one.name}.{name}" for name, field in one.fields.items() if _is_null(field))
        elif isinstance(one, GraphQLObjectType | GraphQLInterfaceType):
            for name, output in one.fields.items():
                yield from (f"{one.name}.{name}({given})" for given, value in output.args.items() if _is_null(value))


def _is_null(value: GraphQLInputField | GraphQLArgument) -> bool:
    return value.ast_node is not None and isinstance(value.ast_node.default_value, NullValueNode)


def unmarked_members(schema: GraphQLSchema) -> Iterator[str]:
    """Each member of a mutation's result is `Recorded`, a `Refusal` or `Validated`: a client selects by these alone."""
    for name, _, result in results(schema):
        for member in result.types:
            if member.name != "Validated" and not {one.name for one in member.interfaces} & set(MARKERS):
                yield f"{name}: {member.name}"


def bare_names_in_refusals(schema: GraphQLSchema) -> Iterator[str]:
    """A datum of a refusal that names a thing ends in Code, Id or Index; the bare noun is the object."""
    things = {one.name[0].lower() + one.name[1:] for one in own_types(schema) if isinstance(one, GraphQLObjectType)}
    for one in own_types(schema):
        if isinstance(one, GraphQLObjectType) and "Refusal" in {each.name for each in one.interfaces}:
            for name, field in one.fields.items():
                if name in things and is_leaf_type(get_named_type(field.type)):
                    yield f"{one.name}.{name}"


def missing_validations(schema: GraphQLSchema) -> Iterator[str]:
    """Each mutation can be validated: it has `validateOnly: Boolean! = false`, and its result has `Validated`."""
    for name, field, result in results(schema):
        given = field.args.get("validateOnly")
        written = "" if given is None or given.ast_node is None else print_ast(given.ast_node)
        if not written.endswith("validateOnly: Boolean! = false"):
            yield f"{name}(validateOnly)"
        if "Validated" not in {one.name for one in result.types}:
            yield f"{name}: {result.name}"


def unplaced_refusals(schema: GraphQLSchema) -> Iterator[str]:
    """Each refusal says its place in the input and the further refusals of the request."""
    for one in own_types(schema):
        if isinstance(one, GraphQLObjectType) and "Refusal" in {each.name for each in one.interfaces}:
            for name, kind in (("path", "[String!]"), ("furtherRefusals", "[Refusal!]!")):
                if name not in one.fields or str(one.fields[name].type) != kind:
                    yield f"{one.name}.{name}"


VERBS: Final = frozenset(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs/glossary.md").read_text("utf-8"), re.MULTILINE))
"""The verbs of mutations, from the table in the glossary."""


def unlisted_verbs(schema: GraphQLSchema) -> Iterator[str]:
    """The name of a mutation begins with a verb of the glossary."""
    assert schema.mutation_type is not None
    yield from (name for name in schema.mutation_type.fields if re.split(r"(?=[A-Z])", name)[0] not in VERBS)


def results(schema: GraphQLSchema) -> Iterator[tuple[str, GraphQLField, GraphQLUnionType]]:
    """Yield the mutations that answer one command, each with the union of its results."""
    assert schema.mutation_type is not None
    for name, field in schema.mutation_type.fields.items():
        result = get_named_type(field.type)
        if name != SUBMIT:
            assert isinstance(result, GraphQLUnionType), name
            yield name, field, result
