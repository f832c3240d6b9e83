"""A schema made of the functions that its roots list."""

from collections.abc import Sequence
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import create_type
from strawberry.types import ExecutionContext
from strawberry.types.graphql import OperationType

from schema.engine import refusals
from schema.engine.limits import Manners
from schema.engine.masking import Masks
from schema.engine.scalars import SCALARS


class Contract(strawberry.Schema):
    """A schema of ours; what goes wrong is logged where it is masked, once for each request."""

    def stream(self, *given: Any, **more: Any) -> Any:
        """Follow a subscription; queries and mutations are for HTTP, where their limits are."""
        return super().stream(*given, **{**more, "allowed_operation_types": (OperationType.SUBSCRIPTION,)})

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log nothing here."""


def build(queries: Sequence[Any], mutations: Sequence[Any], subscriptions: Sequence[Any]) -> Contract:
    """Return the schema whose roots have these fields."""
    return Contract(
        query=_root("Query", queries, "What can be asked."),
        mutation=_root("Mutation", mutations, "What can be done; each is one ledger entry or one refusal."),
        subscription=_root("Subscription", subscriptions, "What can be followed, over graphql-transport-ws."),
        types=tuple(refusals.types()),
        extensions=[Manners, Masks],
        config=StrawberryConfig(scalar_map=SCALARS),
    )


def _root(name: str, fields: Sequence[Any], description: str) -> Any:
    return create_type(name, list(fields), description=description) if fields else None
