"""Limits the cost of each operation and of each actor in a minute, and answers `extensions.cost`."""

from collections.abc import Iterator
from typing import Any, Final

from graphql import GraphQLError
from strawberry.extensions import SchemaExtension
from strawberry.types.execution import StreamExecutionResult

from infra.messages import message
from plants.rules.values.instants import format_instant, readable_instant
from schema.engine.budgets import Balance
from schema.engine.costs import DearestList, dearest_list, kept_cost, operation_cost
from schema.engine.errors import WordedError
from schema.engine.limits import COST_MAX, COST_PER_MINUTE, exceeded, kept_document

COST_TOO_HIGH: Final = message(
    "COST_TOO_HIGH",
    "The operation can cost {cost}; {most} is the limit. The dearest list is `{path}` with {size} elements. "
    "Ask for smaller pages, or for fewer lists inside lists.",
)
BUDGET_SPENT: Final = message(
    "BUDGET_SPENT", "The operation can cost {cost}; you have {left} of {most} left until {at}. Send it again then."
)


class CostLimits(SchemaExtension):
    """Refuses an operation above its limit or above the rest of the actor's budget, before it is executed.

    A subscription counts once, when it begins.
    """

    requested: int = 0

    def on_validate(self) -> Iterator[None]:
        """Compute the cost of a valid document, check it and count it. It follows `DocumentLimits`."""
        running = self.execution_context
        if not running.pre_execution_errors:
            assert running.graphql_document is not None
            kept = kept_document(running.query)
            asked = running._provided_operation_name, running.variables or {}  # noqa: SLF001
            schema = running.schema._schema  # noqa: SLF001
            self.requested = (
                operation_cost(schema, running.graphql_document, *asked)
                if kept is None
                else kept_cost(schema, kept, *asked)
            )
            refusal = self._refusal()
            running.pre_execution_errors = [] if refusal is None else [refusal]
        yield

    def on_execute(self) -> Iterator[None]:
        """Give the cost back if the variables are wrong, so that nothing was executed."""
        yield
        self._refund(self.execution_context.result)

    def on_stream_result(self, result: StreamExecutionResult) -> Iterator[None]:
        """Give each event of a subscription the rows of one answer."""
        self._refund(result)
        yield
        self.execution_context.context.begin_answer()

    def get_results(self) -> dict[str, Any]:
        """Return `extensions.cost`: the cost of this operation, and the budget of its actor."""
        balance = self._balance()
        cost = {
            "requested": self.requested,
            "spent": balance.spent,
            "left": balance.left,
            "resetAt": format_instant(balance.reset_at),
        }
        return {"cost": cost}

    def _refund(self, result: object) -> None:
        errors: list[GraphQLError] = getattr(result, "errors", None) or []
        if errors and getattr(result, "data", None) is None and not any(error.path for error in errors):
            context = self.execution_context.context
            context.services.budgets.refund(context.actor.actor_id, self.requested, context.services.clock.now())
            self.requested = 0

    def _balance(self) -> Balance:
        context = self.execution_context.context
        balance: Balance = context.services.budgets.balance(context.actor.actor_id, context.services.clock.now())
        return balance

    def _dearest(self) -> DearestList:
        running = self.execution_context
        assert running.graphql_document is not None
        asked = running._provided_operation_name, running.variables or {}  # noqa: SLF001
        return dearest_list(running.schema._schema, running.graphql_document, *asked)  # noqa: SLF001

    def _refusal(self) -> WordedError | None:
        context, cost = self.execution_context.context, self.requested
        if cost > COST_MAX:
            dearest = self._dearest()
            said = COST_TOO_HIGH(cost=cost, most=COST_MAX, path=dearest.path, size=dearest.size)
            place = {"path": dearest.path, "size": dearest.size}
            return exceeded(COST_MAX, said, extensions={"cost": cost, "dearestList": place})
        budgets = context.services.budgets
        if budgets.spend(context.actor.actor_id, cost, context.services.clock.now()):
            return None
        balance = self._balance()
        at = balance.reset_at
        said = BUDGET_SPENT(cost=cost, left=balance.left, most=budgets.per_minute, at=readable_instant(at))
        return exceeded(
            COST_PER_MINUTE,
            said,
            most=budgets.per_minute,
            extensions={"cost": cost, "left": balance.left, "resetAt": format_instant(at)},
            retry_after=at - context.services.clock.now(),
        )
