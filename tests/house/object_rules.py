"""Rules of the GraphQL contract on objects in place of texts and numbers. Each yields the places that break it."""

import re
from collections.abc import Iterator
from typing import Final

from graphql import (
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLType,
    get_named_type,
    is_enum_type,
    is_leaf_type,
)

from tests.house.contract_rules import own_types

ACTOR: Final = re.compile(r"actor|person|user|[a-z]\w*By")
"""The names of fields that name an actor. `blockedBy` is a refusal."""
REFUSAL: Final = re.compile(r"refusals?|blockedBy|\w+Refusals?")
WORDS: Final = re.compile(r"[A-Z][a-z0-9]*")


def outputs(schema: GraphQLSchema) -> Iterator[tuple[str, str, GraphQLField]]:
    """Yield type, name and field of each output."""
    for one in own_types(schema):
        if isinstance(one, GraphQLObjectType | GraphQLInterfaceType):
            yield from ((one.name, name, field) for name, field in one.fields.items())


def actors_as_texts(schema: GraphQLSchema) -> Iterator[str]:
    """An actor is an object: its code alone would leave no room for a name and a kind."""
    for of, name, field in outputs(schema):
        if ACTOR.fullmatch(name) and not REFUSAL.fullmatch(name) and is_leaf_type(get_named_type(field.type)):
            yield f"{of}.{name}"


def refusals_as_texts(schema: GraphQLSchema) -> Iterator[str]:
    """A refusal is a `Refusal`, also one that a ledger kept: its message is in the caller's language."""
    for of, name, field in outputs(schema):
        kind = get_named_type(field.type)
        kinds = {kind.name, *(one.name for one in getattr(kind, "interfaces", ()))}
        if REFUSAL.fullmatch(name) and not is_enum_type(kind) and "Refusal" not in kinds:
            yield f"{of}.{name}"


def numbers_as_addresses(schema: GraphQLSchema) -> Iterator[str]:
    """A mutation names a thing by its id or its code, never by a number or an index."""
    assert schema.mutation_type is not None
    names = {name for one in own_types(schema) if isinstance(one, GraphQLObjectType) for name in nouns(one.name)}
    for mutation, field in schema.mutation_type.fields.items():
        for given, argument in field.args.items():
            for path, kind in inputs(f"{mutation}({given})", argument.type, frozenset()):
                last = re.split(r"\W+", path.rstrip(")"))[-1]
                is_address = last in names or last.endswith(("Index", "Number"))
                if is_address and get_named_type(kind).name in {"Int", "Float"}:
                    yield path


def nouns(type_name: str) -> Iterator[str]:
    """Yield the names that a field may have for a thing of a type: `ledgerEntry` and `entry` for LedgerEntry."""
    words = WORDS.findall(type_name)
    for begin in range(len(words)):
        name = "".join(words[begin:])
        yield name[0].lower() + name[1:]


def inputs(path: str, kind: GraphQLType, above: frozenset[str]) -> Iterator[tuple[str, GraphQLType]]:
    """Yield the path and the type of an input, and of all fields below it."""
    yield path, kind
    named = get_named_type(kind)
    if isinstance(named, GraphQLInputObjectType) and named.name not in above:
        for field, value in named.fields.items():
            yield from inputs(f"{path}.{field}", value.type, above | {named.name})
