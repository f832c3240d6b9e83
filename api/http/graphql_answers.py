"""Answers to GraphQL requests: status, media type and errors (GraphQL over HTTP)."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any, Final, Protocol

from graphql import GraphQLError
from starlette.datastructures import Headers
from starlette.responses import Response

from api.http.authentication import language_of, weight
from infra.messages import SOURCE, Language, word
from schema.engine.context import Context
from schema.engine.error_codes import ERROR_CODES
from schema.engine.errors import WordedError
from schema.engine.masking import presented

JSON: Final = "application/json"
GRAPHQL_RESPONSE: Final = "application/graphql-response+json"
TYPES_READ_MAX: Final = 500  # characters of an Accept header


class Executed(Protocol):
    """The result of an operation."""

    data: Any
    errors: list[GraphQLError] | None
    extensions: dict[str, Any] | None


class Answers:
    """Makes the answers to one request, in the media type that its Accept header prefers."""

    def __init__(self, headers: Headers) -> None:
        self._media_type = media_type_of(headers)
        self.language: Language = language_of(headers) or SOURCE

    def result(self, result: Executed, context: Context) -> Response:
        """Return the answer of an operation that was executed or refused."""
        answer: dict[str, Any] = {}
        shown = presented(result.errors or (), context)
        if shown:
            answer["errors"] = [error.formatted for error in shown]
        # An error that belongs to no field is one of the request: nothing was done (GraphQL over HTTP, section 6.4).
        refused = result.data is None and not any(error.path for error in shown)
        if not refused:
            answer["data"] = result.data
        if result.extensions:
            answer["extensions"] = result.extensions
        return self._json(answer, *_status(result.errors or (), shown) if refused else (HTTPStatus.OK, {}))

    def error(self, error: WordedError, status: int | None = None) -> Response:
        """Return the answer to a request that is no operation, with the status of its code unless another is given."""
        shown = GraphQLError(word(error.notice, self.language), extensions=error.extensions)
        usual, headers = _status([error], [shown])
        return self._json({"errors": [shown.formatted]}, status or usual, headers)

    def _json(self, content: object, status: int, headers: Mapping[str, str]) -> Response:
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return Response(body, status, {"Cache-Control": "no-store", **headers}, f"{self._media_type}; charset=utf-8")


def _status(errors: Sequence[GraphQLError], shown: Sequence[GraphQLError]) -> tuple[int, Mapping[str, str]]:
    """Return the status of a refused request, and how long to wait. Several statuses make 400."""
    waits = [one.retry_after for one in errors if isinstance(one, WordedError) and one.retry_after is not None]
    if waits:
        return HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": str(ceil(max(waits).total_seconds()))}
    codes = (str((one.extensions or {}).get("code")) for one in shown)
    statuses = {ERROR_CODES[code].status if code in ERROR_CODES else HTTPStatus.BAD_REQUEST for code in codes}
    return statuses.pop() if len(statuses) == 1 else HTTPStatus.BAD_REQUEST, {}


def media_type_of(headers: Headers) -> str:
    """Return the media type of GraphQL that Accept prefers. Of equal ones it is GRAPHQL_RESPONSE; without any, JSON."""
    weights = dict.fromkeys((JSON, GRAPHQL_RESPONSE), 0)
    for part in headers.get("accept", "")[:TYPES_READ_MAX].split(","):
        name, _, parameters = part.strip().lower().partition(";")
        if name.strip() in weights:
            weights[name.strip()] = weight(next((one for one in parameters.split(";") if one.strip()[:2] == "q="), ""))
    return GRAPHQL_RESPONSE if weights[GRAPHQL_RESPONSE] >= max(1, weights[JSON]) else JSON
