"""The GraphQL schema of each role, made of the declared operations."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import create_type
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

from infra.roles import Role
from schema.engine import refusals
from schema.engine.context import Info
from schema.engine.limits import DocumentLimits
from schema.engine.masking import ErrorMasking
from schema.engine.operations import Operation, OperationKind, operations
from schema.engine.scalars import SCALARS

ROOTS = {
    OperationKind.QUERY: "Queries.",
    OperationKind.MUTATION: "Commands. Each writes one ledger entry or returns one refusal.",
    OperationKind.SUBSCRIPTION: "Event streams over graphql-transport-ws.",
}


class Contract(strawberry.Schema):
    """The schema of one role. Errors are logged where they are masked, once for each request."""

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
        types=tuple(refusals.types()),
        extensions=[DocumentLimits, ErrorMasking],
        config=StrawberryConfig(scalar_map=SCALARS, info_class=Info),
    )
