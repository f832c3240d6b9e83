"""The codes of errors: every error of an answer has one in `extensions.code`, or the code of a refusal."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from infra.messages import Message, message


@dataclass(frozen=True, slots=True)
class ErrorCode:
    """A declared code. `said` is its general text, and `status` the HTTP status of an answer without data."""

    said: Message
    status: HTTPStatus

    @property
    def code(self) -> str:
        """The code as `extensions.code` holds it. It is never renamed or reused."""
        return self.said.code


ERROR_CODES: Final[dict[str, ErrorCode]] = {}
"""Every declared code, by name."""


def _declare(said: Message, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> ErrorCode:
    made = ERROR_CODES[said.code] = ErrorCode(said, status)
    return made


BAD_REQUEST: Final = _declare(
    message("BAD_REQUEST", "The request is not one that this server reads. Send a JSON object with `query`.")
)
PARSE_FAILED: Final = _declare(message("GRAPHQL_PARSE_FAILED", "The document is not GraphQL. Correct its syntax."))
VALIDATION_FAILED: Final = _declare(
    message("GRAPHQL_VALIDATION_FAILED", "The document does not fit the schema. Compare it with the SDL of this node.")
)
OPERATION_WRONG: Final = _declare(
    message(
        "OPERATION_RESOLUTION_FAILURE", "It is not clear which operation to run here. Name one that is answered here."
    )
)
BAD_USER_INPUT: Final = _declare(
    message("BAD_USER_INPUT", "A value of the request is wrong. Correct it and send the request again.")
)
UNAUTHENTICATED: Final = _declare(
    message("UNAUTHENTICATED", "The access token is missing, not valid or expired. Sign in again."),
    HTTPStatus.UNAUTHORIZED,
)
INTROSPECTION_NOT_PERMITTED: Final = _declare(
    message(
        "INTROSPECTION_NOT_PERMITTED",
        "Introspection needs the permission `{permission}`, which no role of yours has. Ask an administrator, "
        "or run `batchloom sdl` to read the schema.",
    ),
    HTTPStatus.FORBIDDEN,
)
LIMIT_EXCEEDED: Final = _declare(
    message("LIMIT_EXCEEDED", "The request is above a limit. Ask for less, or wait as long as Retry-After says.")
)
CURSOR_INVALID: Final = _declare(
    message("CURSOR_INVALID", "The cursor is not one of this list. Begin again without it.")
)
START_MISSING: Final = _declare(
    message(
        "TRACE_START_MISSING",
        "The trace has no start. Give at least one name, such as a batch code, an alias or an order.",
    )
)
REPRESENTATION_WRONG: Final = _declare(
    message(
        "REPRESENTATION_WRONG", "A representation holds `__typename` and the key fields of an entity of this subgraph."
    )
)
STORE_UNAVAILABLE: Final = _declare(
    message(
        "STORE_UNAVAILABLE",
        "This node's store did not answer: {why}. Send it again with the same requestId: nothing is done twice.",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE,
)
INCIDENT: Final = _declare(
    message("INCIDENT", "An internal error occurred and was logged. Incident {incident}."),
    HTTPStatus.INTERNAL_SERVER_ERROR,
)
