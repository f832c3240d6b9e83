"""The GraphQL of the documents is valid by the committed contract of the hub or of a plant."""

import re
from pathlib import Path

import pytest
from graphql import GraphQLSchema, build_schema, parse, validate

from infra.catalogue import ROOT
from infra.roles import Role
from schema.engine.sdl import committed_file

BLOCK = re.compile(r"^```graphql\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    (str(path.relative_to(ROOT)), text)
    for path in sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
    for text in BLOCK.findall(path.read_text(encoding="utf-8"))
]


@pytest.fixture(scope="module")
def schemas() -> list[GraphQLSchema]:
    return [build_schema(committed_file(role).read_text(encoding="utf-8")) for role in Role]


def errors(text: str, schemas: list[GraphQLSchema]) -> list[list[str]]:
    return [[one.message for one in validate(schema, parse(text))] for schema in schemas]


def test_documents_then_there_are_examples() -> None:
    assert Path("docs/tutorial/first-trace.md").as_posix() in {name for name, _ in EXAMPLES}


@pytest.mark.parametrize("name, text", EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_example_then_a_node_answers_it(name: str, text: str, schemas: list[GraphQLSchema]) -> None:
    assert [] in errors(text, schemas), name


def test_field_without_its_selection_then_it_is_found(schemas: list[GraphQLSchema]) -> None:
    assert [] not in errors("{ stock(first: 10) { nodes { location } } }", schemas)
