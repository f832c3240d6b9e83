"""GraphQL errors with a declared code, and a message that is worded in the caller's language."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from graphql import GraphQLError

from infra.messages import Notice
from schema.engine.error_codes import ErrorCode


class WordedError(GraphQLError):
    """An error that a caller can act on. Its own text is English; `notice` words it in another language.

    The same request can be sent again after `retry_after`, where there is one.
    """

    def __init__(
        self,
        code: ErrorCode,
        notice: Notice | None = None,
        *,
        extensions: Mapping[str, Any] | None = None,
        nodes: Any = None,
        retry_after: timedelta | None = None,
    ) -> None:
        """Make an error of this code. Without a notice it has the general text of the code."""
        self.notice = code.said() if notice is None else notice
        self.retry_after = retry_after
        super().__init__(str(self.notice), nodes, extensions={"code": code.code, **(extensions or {})})


def notice_of(error: GraphQLError) -> Notice | None:
    """Return the notice of an error or of the error behind it, or None."""
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError):
        if isinstance(cause, WordedError):
            return cause.notice
        cause = cause.original_error
    return None
