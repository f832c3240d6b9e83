"""GraphQL errors with a message that is worded in the caller's language."""

from collections.abc import Mapping
from typing import Any

from graphql import GraphQLError

from infra.messages import Notice


class WordedError(GraphQLError):
    """An error that a caller can act on. Its own text is English; `notice` words it in another language."""

    def __init__(self, notice: Notice, *, extensions: Mapping[str, Any] | None = None, nodes: Any = None) -> None:
        super().__init__(str(notice), nodes, extensions=dict(extensions) if extensions is not None else None)
        self.notice = notice


def notice_of(error: GraphQLError) -> Notice | None:
    """Return the notice of an error or of the error behind it, or None."""
    cause: BaseException | None = error
    while isinstance(cause, GraphQLError):
        if isinstance(cause, WordedError):
            return cause.notice
        cause = cause.original_error
    return None
