"""The GraphQL schema of each role, made of the declared operations."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

import strawberry
from graphql import (
    GraphQLArgument,
    GraphQLError,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    Undefined,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import create_type
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

from infra.roles import Role
from schema.engine import refusals
from schema.engine.context import Info
from schema.engine.cost_directives import Cost, ListSize, declare_list_sizes
from schema.engine.cost_limits import CostLimits
from schema.engine.fields import FORMS
from schema.engine.limits import DocumentLimits
from schema.engine.malformed_commands import MalformedCommands
from schema.engine.masking import ErrorMasking
from schema.engine.operations import Operation, OperationKind, operations
from schema.engine.scalars import SCALARS

ROOTS = {
    OperationKind.QUERY: "Reads. Lists are paged, and an answer holds only what you may see.",
    OperationKind.MUTATION: "Commands. Each is recorded in the ledger and returns its entry, or is refused and changes "
    "nothing. A save of many rows returns a job.",
    OperationKind.SUBSCRIPTION: "Event streams over graphql-transport-ws.",
}


class Contract(strawberry.Schema):
    """The schema of one role. Errors are logged where they are masked, once for each request."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _drop_null_defaults(self._schema)
        declare_list_sizes(self._schema)

    def stream(self, *args: Any, **kwargs: Any) -> Any:
        """Run a subscription. Queries and mutations are for HTTP, where their limits are enforced."""
        return super().stream(*args, **{**kwargs, "allowed_operation_types": (OperationType.SUBSCRIPTION,)})

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log nothing here."""


@cache
def contract(role: Role) -> Contract:
    """Return the schema of a role."""
    return build(role, list)


def build(role: Role, order: Callable[[Iterable[Operation]], list[Operation]]) -> Contract:
    """Return the schema of a role, with the fields of its root types in this order."""
    ordered = order(one for one in operations() if role in one.roles)
    roots: dict[str, Any] = {
        kind.lower(): create_type(kind, [one.field for one in ordered if one.kind is kind], description=text)
        for kind, text in ROOTS.items()
    }
    return Contract(
        **roots,
        types=(*refusals.types(), *FORMS, Cost, ListSize),
        extensions=[DocumentLimits, CostLimits, ErrorMasking, MalformedCommands],
        config=StrawberryConfig(scalar_map=SCALARS, info_class=Info),
    )


def _drop_null_defaults(made: GraphQLSchema) -> None:
    """Drop every default that is null. A resolver has None for an absent value by its own default.

    In the contract, absent and null differ: absent leaves a value as it is and null clears it.
    """
    for one in made.type_map.values():
        if isinstance(one, GraphQLInputObjectType):
            _drop(one.fields)
        elif isinstance(one, GraphQLObjectType | GraphQLInterfaceType):
            for field in one.fields.values():
                _drop(field.args)


def _drop(values: Mapping[str, GraphQLInputField] | Mapping[str, GraphQLArgument]) -> None:
    for value in values.values():
        if value.default_value is None:
            value.default_value = Undefined
