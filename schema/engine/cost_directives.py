"""The directives @cost and @listSize of the GraphQL cost specification, and the list sizes of a schema.

Source: IBM, GraphQL Cost Directives, https://ibm.github.io/graphql-specs/cost-spec.html. A connection and a plain list
with `first` are sized by that argument. A list with one element for each of a required list argument is sized by the
length of that. Any other list is sized by the maximum that its description states.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    get_named_type,
    is_list_type,
    is_non_null_type,
)
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField
from strawberry.types.unset import UNSET

from schema.engine.limits import PAGE_DEFAULT

SLICING: Final = "first"
SIZED_FIELDS: Final = ("edges", "nodes")
FOR_EACH_ASSUMED: Final = 10
"""Assumed size of a list with one element for each plant, unit or other thing that is not counted in advance."""

WORDS: Final = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
MOST: Final = re.compile(rf"\b(?:at most|fewer than) ([0-9][0-9,]*|{'|'.join(WORDS)})\b", re.IGNORECASE)
FOR_EACH: Final = re.compile(r"\b(?:for|at|by|of) each\b", re.IGNORECASE)
DEFINITION: Final = "strawberry-definition"


@strawberry.schema_directive(
    locations=[
        Location.ARGUMENT_DEFINITION,
        Location.ENUM,
        Location.FIELD_DEFINITION,
        Location.INPUT_FIELD_DEFINITION,
        Location.OBJECT,
        Location.SCALAR,
    ],
    name="cost",
    description="Weight of a type or field in the cost of an operation. Without it, an object weighs 1 and a field 0. "
    "On a list of an input, it is the weight of each element. "
    "Without it, each element of a list in the input of a mutation weighs 1.",
)
class Cost:
    """Weight of a type or a field."""

    weight: str = strawberry.field(description="Weight, a decimal number.")


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    name="listSize",
    description="Size of a list in the cost of an operation.",
)
class ListSize:
    """Size of the list that a field returns, or that its sized fields return."""

    assumed_size: int | None = strawberry.field(description="Size without a slicing argument.", default=UNSET)
    slicing_arguments: list[str] | None = strawberry.field(
        description="Arguments that give the largest size.", default=UNSET
    )
    sized_fields: list[str] | None = strawberry.field(
        description="Fields of the returned object that are lists of this size. Without them, the field itself is one.",
        default=UNSET,
    )
    require_one_slicing_argument: bool = strawberry.field(
        description="True if a document must give exactly one slicing argument.", default=True
    )


def weighing(weight: int | None, size: int | None = None) -> tuple[Cost | ListSize, ...]:
    """Return the directives for a declared weight and a declared size of a list; none without them."""
    cost = () if weight is None else (Cost(weight=str(weight)),)
    return cost if size is None else (*cost, ListSize(assumed_size=size, require_one_slicing_argument=UNSET))


def output_fields(made: GraphQLSchema) -> Iterator[tuple[GraphQLNamedType, str, GraphQLField]]:
    """Yield every field of the object types and interfaces of a schema, without those of introspection."""
    for one in made.type_map.values():
        if isinstance(one, GraphQLObjectType | GraphQLInterfaceType) and not one.name.startswith("__"):
            yield from ((one, name, field) for name, field in one.fields.items())


def returns_list(kind: GraphQLInputType | GraphQLOutputType) -> bool:
    """Return True for a list type, nullable or not."""
    return is_list_type(kind.of_type if is_non_null_type(kind) else kind)


def declare_list_sizes(made: GraphQLSchema) -> None:
    """Add @listSize to the declaration of each field whose list size is known, unless the declaration has it."""
    for _, _, field in output_fields(made):
        declared, size = field.extensions.get(DEFINITION), _size_of(field)
        if size is None or not isinstance(declared, StrawberryField):
            continue
        if not any(isinstance(one, ListSize) for one in declared.directives):
            declared.directives = [*declared.directives, size]


def stated_maximum(description: str | None) -> int | None:
    """Return the largest size of a list that a description states, or None."""
    stated = MOST.search(description or "")
    if stated is not None:
        return WORDS.index(stated[1]) + 1 if stated[1] in WORDS else int(stated[1].replace(",", ""))
    return FOR_EACH_ASSUMED if FOR_EACH.search(description or "") else None


def directives_of(declared: GraphQLField | GraphQLInputField | GraphQLNamedType) -> Sequence[object]:
    """Return the directives of a declaration."""
    found: Sequence[object] = getattr(declared.extensions.get(DEFINITION), "directives", None) or ()
    return found


def weight_of(declared: GraphQLField | GraphQLInputField | GraphQLNamedType, usual: int) -> int:
    """Return the weight of a declaration with @cost, or the usual one."""
    return next((int(one.weight) for one in directives_of(declared) if isinstance(one, Cost)), usual)


def _size_of(field: GraphQLField) -> ListSize | None:
    slicing: GraphQLArgument | None = field.args.get(SLICING)
    sized = [] if returns_list(field.type) else sized_fields(get_named_type(field.type))
    if slicing is not None and (sized or returns_list(field.type)):
        default = slicing.default_value
        return ListSize(
            assumed_size=default if isinstance(default, int) else PAGE_DEFAULT,
            slicing_arguments=[SLICING],
            sized_fields=sized or UNSET,
            require_one_slicing_argument=False,
        )
    stated = stated_maximum(field.description) if returns_list(field.type) else None
    if stated is None:
        return None
    given = [name for name, one in field.args.items() if is_non_null_type(one.type) and is_list_type(one.type.of_type)]
    return ListSize(
        assumed_size=stated,
        slicing_arguments=given or UNSET,
        require_one_slicing_argument=False if given else UNSET,
    )


def sized_fields(kind: GraphQLNamedType) -> list[str]:
    """Return the fields of a connection that are lists of one page."""
    fields: dict[str, Any] = kind.fields if isinstance(kind, GraphQLObjectType) else {}
    return [name for name in SIZED_FIELDS if name in fields and returns_list(fields[name].type)]
