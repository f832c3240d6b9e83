"""The contract's text: committed as it is generated, described throughout, and complete for each role."""

import ast
import re
from collections.abc import Iterator

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLScalarType,
    GraphQLSchema,
    build_schema,
)

from api.reference import PAGES
from infra.roles import Role
from schema.engine.operations import OperationKind, operations
from schema.engine.sdl import sdl
from tests.house.sources import ROOT, dotted, sources

BUILT_IN = {"Boolean", "Float", "ID", "Int", "String"}
WORDS_MIN = 3  # of the description of an enum value
WORDS_EMPTY = {"a", "an", "are", "has", "is", "it", "the", "this", "was"}
PLANTED_VALUES = """
type Query { state: State }
enum State {
  NOTHING_SAID
  "Released goods."
  TOO_SHORT
  "It is the in transit."
  IN_TRANSIT
  "May be used."
  RELEASED
}
"""


def committed(role: Role) -> str:
    return (ROOT / "schema" / f"{role.value}.graphql").read_text(encoding="utf-8")


def named_types(schema: GraphQLSchema) -> Iterator[GraphQLNamedType]:
    for name, one in schema.type_map.items():
        if not name.startswith("__") and name not in BUILT_IN:
            yield one


def undescribed(schema: GraphQLSchema) -> Iterator[str]:
    for one in named_types(schema):
        if not one.description:
            yield one.name
        if isinstance(one, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for field_name, field in one.fields.items():
                if not field.description:
                    yield f"{one.name}.{field_name}"
                for argument_name, argument in getattr(field, "args", {}).items():
                    if not argument.description:
                        yield f"{one.name}.{field_name}({argument_name})"


def values_undescribed(schema: GraphQLSchema) -> Iterator[str]:
    """Yield the enum values without a description of at least three words that says more than the value's name."""
    for one in named_types(schema):
        if isinstance(one, GraphQLEnumType):
            for name, value in one.values.items():
                words = re.findall(r"\w+", (value.description or "").lower())
                if len(words) < WORDS_MIN or not {*words} - {*name.lower().split("_"), *WORDS_EMPTY}:
                    yield f"{one.name}.{name}"


@pytest.mark.parametrize("role", Role)
def test_text_committed_then_it_is_the_one_generated(role: Role) -> None:
    assert committed(role) == sdl(role), f"run `make sdl`: schema/{role.value}.graphql is not up to date"


@pytest.mark.parametrize("role", Role)
def test_text_committed_then_another_program_can_read_it(role: Role) -> None:
    assert build_schema(committed(role)).query_type is not None


@pytest.mark.parametrize("role", Role)
def test_types_fields_and_arguments_then_each_is_described_in_a_sentence(role: Role) -> None:
    schema = build_schema(committed(role))

    assert list(undescribed(schema)) == []
    texts = [one.description or "" for one in named_types(schema)]
    assert [text for text in texts if not text.endswith((".", "”"))] == []


@pytest.mark.parametrize("role", Role)
def test_enum_values_then_each_is_described_by_more_than_its_name(role: Role) -> None:
    assert list(values_undescribed(build_schema(committed(role)))) == []


def test_planted_enum_values_then_the_undescribed_ones_are_found() -> None:
    schema = build_schema(PLANTED_VALUES)
    assert list(values_undescribed(schema)) == ["State.NOTHING_SAID", "State.TOO_SHORT", "State.IN_TRANSIT"]


@pytest.mark.parametrize("role", Role)
def test_open_sets_then_they_are_scalars_and_their_page_is_there(role: Role) -> None:
    types = build_schema(committed(role)).type_map
    for name in ("AlarmKind", "EventType", "RefusalCode"):
        scalar = types[name]
        assert isinstance(scalar, GraphQLScalarType), name
        (page,) = re.findall(r"docs/reference/(\w+\.md)", scalar.description or "")
        assert page in PAGES


@pytest.mark.parametrize("role", Role)
def test_mutations_then_each_takes_one_input_with_a_request_id_and_answers_with_refusals(role: Role) -> None:
    schema = build_schema(committed(role))
    mutations = schema.mutation_type
    assert mutations is not None

    for name, field in mutations.fields.items():
        if name == "submit":
            assert {given: str(one.type) for given, one in field.args.items()} == {"commands": "[CommandInput!]!"}
            continue
        given = field.args["input"]
        assert str(given.type).endswith("Input!"), name
        kind = schema.type_map[str(given.type).rstrip("!")]
        assert isinstance(kind, GraphQLInputObjectType)
        assert str(kind.fields["requestId"].type) == "UUID!", name
        assert str(field.type) == f"{name[0].upper()}{name[1:]}Result!"


def test_fields_of_both_roles_then_they_are_the_same_fields() -> None:
    plant, hub = (build_schema(committed(role)) for role in (Role.PLANT, Role.HUB))
    for name in {one.name for one in named_types(plant)} & {one.name for one in named_types(hub)}:
        mine, theirs = plant.type_map[name], hub.type_map[name]
        if isinstance(mine, GraphQLObjectType) and isinstance(theirs, GraphQLObjectType):
            roots = {"Query", "Mutation", "Subscription"}
            assert name in roots or list(mine.fields) == list(theirs.fields)
        if isinstance(mine, GraphQLEnumType) and isinstance(theirs, GraphQLEnumType):
            assert list(mine.values) == list(theirs.values)


@pytest.mark.parametrize("role", Role)
def test_roots_then_each_has_the_operations_declared_for_the_role(role: Role) -> None:
    types = build_schema(committed(role)).type_map

    for kind in OperationKind:
        root = types[kind.value]
        assert isinstance(root, GraphQLObjectType)
        assert set(root.fields) == {one.name for one in operations() if one.kind is kind and role in one.roles}


def test_operations_then_each_exists_in_a_role() -> None:
    assert [one.name for one in operations() if not one.roles] == []


def test_queries_of_a_plant_then_the_hub_answers_them_too() -> None:
    plant_only = frozenset({Role.PLANT})
    assert [
        one.name for one in operations() if one.kind is not OperationKind.MUTATION and one.roles == plant_only
    ] == []


def test_graphql_types_then_their_docstring_is_their_description() -> None:
    own = {"strawberry.type", "strawberry.input", "strawberry.interface"}
    direct = [
        f"{source.name}: {node.name}"
        for source in sources("schema")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ClassDef)
        for decorator in node.decorator_list
        if ast.unparse(decorator).partition("(")[0] in own
    ]

    assert direct == [], "use object_type, input_type or interface_type of schema/engine/fields.py"


def test_enums_then_their_values_are_described_by_their_members() -> None:
    direct = [
        source.name
        for source in sources("schema")
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Attribute) and dotted(node) == "strawberry.enum"
    ]

    assert direct == ["schema/engine/fields.py"], "use enum_type of schema/engine/fields.py"
