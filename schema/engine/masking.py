"""Masks errors: callers see expected errors in their language, and only an incident id for a bug."""

import logging
import re
import traceback
from collections.abc import Iterable, Iterator
from typing import Final

from graphql import GraphQLError
from strawberry.exceptions import MissingQueryError
from strawberry.extensions import SchemaExtension
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import StreamExecutionResult

from auth.permissions import NotPermitted
from infra.ids import new_id
from infra.messages import SOURCE, find_language, message, word
from infra.store_faults import STORE_FAILURES, StoreFault, store_fault
from plants.rules.values.refusals import Refusal
from schema.engine.context import Context
from schema.engine.error_codes import INCIDENT, OPERATION_WRONG, STORE_UNAVAILABLE
from schema.engine.library_errors import explained
from schema.engine.limits import sees_schema, too_deep
from schema.engine.refusals import query_error

LOG: Final = logging.getLogger("batchloom.incidents")
MESSAGE_LENGTH_MAX: Final = 300
ERRORS_SHOWN_MAX: Final = 20
FRAMES_SHOWN: Final = 6
SUGGESTION: Final = re.compile(r"\s*Did you mean .*", re.DOTALL)

SUBSCRIPTIONS_ONLY: Final = message(
    "SUBSCRIPTIONS_ONLY",
    "Over graphql-transport-ws only subscriptions are answered, each by a `subscribe` message of its own. "
    "Send queries and mutations by POST.",
)


def presented(errors: Iterable[GraphQLError], context: Context) -> list[GraphQLError]:
    """Return errors in the form for the caller. Each bug becomes an incident with one log line."""
    shown = [_presented(error, context) for error in errors]
    return shown[:ERRORS_SHOWN_MAX]


def _presented(error: GraphQLError, context: Context) -> GraphQLError:
    cause = _cause(error)
    if isinstance(cause, NotPermitted):
        LOG.info("%s", cause.log_line())
    if isinstance(cause, Refusal):
        shown = query_error(cause, context.language)
        return GraphQLError(shown.message, error.nodes, path=error.path, extensions=shown.extensions)
    if isinstance(cause, RecursionError):
        return too_deep()
    if isinstance(cause, InvalidOperationTypeError | CannotGetOperationTypeError | MissingQueryError):
        return GraphQLError(word(SUBSCRIPTIONS_ONLY(), context.language), extensions={"code": OPERATION_WRONG.code})
    if cause is not None:
        fault = store_fault(cause)
        return _incident(error, cause, context) if fault is None else _store_failure(error, cause, fault, context)
    return _worded(error, context)


def _worded(error: GraphQLError, context: Context) -> GraphQLError:
    """Return an error in the caller's language, with its code and, where its own text is replaced, `detail`."""
    said = explained(error)
    text = error.message if sees_schema(context.actor) else SUGGESTION.sub("", error.message)
    text = text[:MESSAGE_LENGTH_MAX]
    extensions = {**said.extensions, "code": said.code}
    if said.own or find_language(context.language) != SOURCE:
        shown = word(said.notice, context.language)
        if error.message != str(said.notice):
            extensions["detail"] = text
    else:
        shown = text
    return GraphQLError(shown, error.nodes, error.source, error.positions, error.path, None, extensions)


def _cause(error: GraphQLError) -> BaseException | None:
    """Return the exception behind an error, or None for an error that GraphQL or a resolver made for the caller."""
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _incident(error: GraphQLError, cause: BaseException, context: Context) -> GraphQLError:
    incident = new_id()
    frames = traceback.extract_tb(cause.__traceback__)[-FRAMES_SHOWN:]
    where = " < ".join(f"{frame.name} {frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames))
    what = repr(cause)[:MESSAGE_LENGTH_MAX]
    LOG.error("incident %s actor=%s path=%s %s | %s", incident, context.actor.actor_id, error.path, what, where)
    text = word(INCIDENT.said(incident=incident), context.language)
    return GraphQLError(text, path=error.path, extensions={"code": INCIDENT.code, "incident": incident})


def _store_failure(error: GraphQLError, cause: BaseException, fault: StoreFault, context: Context) -> GraphQLError:
    LOG.error("the store refuses: %s actor=%s path=%s %s", fault, context.actor.actor_id, error.path, repr(cause)[:300])
    text = word(STORE_UNAVAILABLE.said(why=STORE_FAILURES[fault]()), context.language)
    return GraphQLError(text, path=error.path, extensions={"code": STORE_UNAVAILABLE.code, "fault": fault.value})


class ErrorMasking(SchemaExtension):
    """Masks the errors of subscriptions. The errors of requests are masked in the HTTP response."""

    def on_stream_result(self, result: StreamExecutionResult) -> Iterator[None]:
        """Replace the errors of one result."""
        errors = getattr(result, "errors", None)
        if errors:
            result.errors = presented(errors, self.execution_context.context)  # type: ignore[union-attr]
        yield None
