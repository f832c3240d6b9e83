"""Walks a served GraphQL schema: every query, with all that it can select and every argument that names something."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from graphql import (
    GraphQLAbstractType,
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    build_client_schema,
    get_introspection_query,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_required_argument,
)

from tests.scenarios.processes import Person

LEVELS: Final = 3
PASSED_OVER: Final = frozenset({"edges", "lagSeconds"})
"""Fields that say again what `nodes` says, and what grows with the clock alone."""
PAGE: Final = 4
"""The size of pages below other fields: the cost of an operation has a limit."""
SPENT: Final = re.compile(r'"spent":\d+,"left":\d+,"resetAt":"[^"]*"')
"""The part of an answer that grows with each request: what was spent so far."""


class Pair(NamedTuple):
    """A value that names something of another plant, and one like it that names nothing."""

    theirs: Any
    nobodys: Any


@dataclass(frozen=True, slots=True)
class Question:
    """One query with one argument under test: about something of another plant, and about nothing."""

    name: str
    document: str
    theirs: dict[str, Any]
    nobodys: dict[str, Any]
    swapped: tuple[tuple[str, str], ...] = field(default=())

    def answers(self, person: Person) -> tuple[bytes, bytes]:
        """Return both answers, with the names that were asked for made alike."""
        sent = (person.post(self.document, given).content.decode() for given in (self.theirs, self.nobodys))
        first, second = (SPENT.sub("", text) for text in sent)
        for theirs, nobodys in self.swapped:
            first, second = first.replace(theirs, "?"), second.replace(nobodys, "?")
        return first.encode(), second.encode()


def served_schema(person: Person) -> GraphQLSchema:
    """Return the schema as the node describes it to somebody who may see it."""
    answer = person.ask(get_introspection_query(descriptions=False))
    return build_client_schema(answer)  # type: ignore[arg-type]


def questions(schema: GraphQLSchema, named: Mapping[str, list[Pair]]) -> Iterator[Question]:
    """Yield a question for every query and argument; `named` gives the values by the argument's type or name."""
    assert schema.query_type is not None
    for name, one in schema.query_type.fields.items():
        for selection in selections(schema, one):
            yield from _questions(name, one, selection, named)


def plain(schema: GraphQLSchema) -> Iterator[tuple[str, str]]:
    """Yield every query that can be asked without arguments, with its text."""
    assert schema.query_type is not None
    for name, one in schema.query_type.fields.items():
        if not any(is_required_argument(argument) for argument in one.args.values()):
            for selection in selections(schema, one):
                yield name, f"{{ {name} {selection} }}"


def selections(schema: GraphQLSchema, one: GraphQLField) -> list[str]:
    """Return what can be selected of a field: a text for each type that the answer may have."""
    kind = get_named_type(one.type)
    if is_abstract_type(kind):
        return [
            f"{{ __typename ... on {each.name} {_selection(schema, each, LEVELS - 1)} }}"
            for each in _types(schema, kind)
        ]
    return [_selection(schema, kind, LEVELS)]


def _types(schema: GraphQLSchema, kind: GraphQLAbstractType) -> list[GraphQLObjectType]:
    return list(schema.get_possible_types(kind))


def _selection(schema: GraphQLSchema, kind: Any, levels: int) -> str:
    if is_leaf_type(kind):
        return ""
    parts = ["__typename"]
    if is_abstract_type(kind):
        parts += [f"... on {each.name} {{ id }}" for each in _types(schema, kind) if "id" in each.fields]
        return f"{{ {' '.join(parts)} }}"
    for name, one in kind.fields.items():
        inner = get_named_type(one.type)
        needed = any(is_required_argument(argument) for argument in one.args.values())
        if name in PASSED_OVER or needed or (not is_leaf_type(inner) and levels <= 0):
            continue
        # A page is no level of its own.
        below = levels if name == "nodes" else levels - 1
        page = f"(first: {PAGE})" if "first" in one.args else ""
        parts.append(f"{name}{page} {_selection(schema, inner, below)}")
    return f"{{ {' '.join(parts)} }}"


def _questions(name: str, one: GraphQLField, selection: str, named: Mapping[str, list[Pair]]) -> Iterator[Question]:
    required = {key: arg for key, arg in one.args.items() if is_required_argument(arg)}
    for key, arg in one.args.items():
        for inner, pair in _values(key, arg, named):
            whole = {key: pair}
            for other, needed in required.items():
                if other != key:
                    whole[other] = _values(other, needed, named)[0][1]
            if key in {"change", "index"}:
                whole["plant"] = Pair("SZ2", "SZ2")
            yield _question(f"{name}({key}{inner})", name, one, selection, whole)


def _values(
    key: str, arg: GraphQLArgument | GraphQLInputField, named: Mapping[str, list[Pair]]
) -> list[tuple[str, Pair]]:
    """Return the pairs for an argument; those for an input object set one of its fields each."""
    kind = get_named_type(arg.type)
    if isinstance(kind, GraphQLInputObjectType):
        return [
            (f".{inner}{more}", Pair({inner: pair.theirs}, {inner: pair.nobodys}))
            for inner, part in kind.fields.items()
            for more, pair in _values(key if kind.name == "CodeFilter" else inner, part, named)
        ]
    pairs = named.get(kind.name) or named.get(key) or []
    if is_list_type(arg.type) or is_list_type(getattr(arg.type, "of_type", None)):
        return [("", Pair([pair.theirs], [pair.nobodys])) for pair in pairs]
    return [("", pair) for pair in pairs]


def _question(title: str, name: str, one: GraphQLField, selection: str, whole: Mapping[str, Pair]) -> Question:
    variables = ", ".join(f"${key}: {one.args[key].type}" for key in whole)
    given = ", ".join(f"{key}: ${key}" for key in whole)
    texts = [(_text(pair.theirs), _text(pair.nobodys)) for pair in whole.values()]
    swapped = tuple((theirs, nobodys) for theirs, nobodys in texts if theirs != nobodys)
    return Question(
        f"{title} {selection[:40]}",
        f"query({variables}) {{ {name}({given}) {selection} }}",
        {key: pair.theirs for key, pair in whole.items()},
        {key: pair.nobodys for key, pair in whole.items()},
        swapped,
    )


def _text(value: Any) -> str:
    """Return the name that stands in a value, as an answer would repeat it."""
    while isinstance(value, dict | list):
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    return value if isinstance(value, str) else json.dumps(value)
