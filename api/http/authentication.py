"""Reading HTTP requests: the user of a token, the language of the answer, and the JSON body."""

import asyncio
import json
from contextlib import aclosing
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request

from api.node.node import Node
from auth.actors import Actor, AuthFailure, NotAuthenticated
from auth.people import actor_of
from auth.tokens import AccessClaims
from infra.messages import Language, find_language, message
from schema.engine.error_codes import BAD_REQUEST, BAD_USER_INPUT
from schema.engine.errors import WordedError
from schema.engine.limits import BODY_BYTES_MAX, BODY_COMMAS_MAX, BODY_SECONDS_MAX, NO_NUL, exceeded

BEARER: Final = "bearer "
DEVICE_HEADER: Final = "batchloom-device"
TOKENS_IN_QUERY: Final = frozenset({"access_token", "accesstoken", "token", "authorization"})


BODY_CUT_OFF: Final = message("BODY_CUT_OFF", "The body was cut off.")
BODY_TOO_LARGE: Final = message("BODY_TOO_LARGE", "At most {limit} bytes.")
BODY_TOO_SLOW: Final = message("BODY_TOO_SLOW", "The body took too long.")
NOT_JSON: Final = message("NOT_JSON", "This is not JSON that can be read.")
JSON_TOO_LONG: Final = message("JSON_TOO_LONG", "This JSON has more than {most} values. Send fewer rows at once.")
NOT_JSON_TYPE: Final = message("NOT_JSON_TYPE", "Send application/json, not compressed.")


class InvalidBody(Exception):
    """A request body that is rejected, with its HTTP status."""

    def __init__(self, status: int, error: WordedError) -> None:
        super().__init__(str(error.notice))
        self.status = status
        self.error = error
        self.notice = error.notice


class InvalidJson(ValueError):
    """A text that is not JSON, or not JSON that is accepted."""

    def __init__(self, error: WordedError) -> None:
        super().__init__(str(error.notice))
        self.error = error


def language_of(headers: Headers) -> Language | None:
    """Return the supported language that Accept-Language prefers, or None when it names none.

    Weights as in RFC 9110, section 12.5.4; of equal ones the first counts.
    """
    best: Language | None = None
    most = 0
    for part in headers.get("accept-language", "")[:200].split(","):
        tag, _, quality = part.strip().partition(";")
        spoken = find_language(tag.strip())
        if spoken is not None and (rank := weight(quality)) > most:
            best, most = spoken, rank
    return best


def weight(quality: str) -> int:
    """Return the weight of an alternative, such as `q=0.8`, in thousandths, 0 for an invalid one."""
    if not quality.strip():
        return 1000
    name, _, value = quality.strip().partition("=")
    whole, _, part = value.partition(".")
    if name != "q" or whole not in {"0", "1"} or not (part + "0").isdecimal():
        return 0
    return min(1000, int(whole) * 1000 + int(part[:3].ljust(3, "0")))


def bearer(authorization: object) -> str:
    """Return the token in an Authorization value; raises NotAuthenticated when it holds none."""
    if not isinstance(authorization, str) or not authorization.lower().startswith(BEARER):
        raise NotAuthenticated(AuthFailure.MALFORMED)
    return authorization[len(BEARER) :].strip()


def authenticate(node: Node, token: str, *, device: str, language: Language | None) -> tuple[Actor, AccessClaims]:
    """Return the user of a token with the current roles; raises NotAuthenticated. Reads the store."""
    claims = node.tokens.verify(token)
    return person(node, claims, device=device, language=language), claims


def person(node: Node, claims: AccessClaims, *, device: str, language: Language | None) -> Actor:
    """Return the user of claims with the current roles; raises NotAuthenticated. Reads the store."""
    with node.store.reading() as reads:
        return actor_of(reads, claims, device=device, language=language)


async def caller(node: Node, request: Request) -> Actor:
    """Return the user who makes a request; raises NotAuthenticated."""
    token = bearer(request.headers.get("authorization"))
    device = request.headers.get(DEVICE_HEADER, "")
    language = language_of(request.headers)
    actor, _ = await run_in_threadpool(authenticate, node, token, device=device, language=language)
    return actor


def media_type(request: Request) -> str:
    """Return the media type of the body without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def json_body(request: Request, limit: int) -> Any:
    """Return the JSON that was sent; raises InvalidBody unless it is JSON, within the limits of size and time."""
    if media_type(request) != "application/json" or request.headers.get("content-encoding", "identity") != "identity":
        raise InvalidBody(415, WordedError(BAD_REQUEST, NOT_JSON_TYPE()))
    content = await _body(request, limit)
    try:
        return read_json(content)
    except InvalidJson as error:
        raise InvalidBody(400, error.error) from error


def read_json(content: str | bytes) -> Any:
    """Return the value of a JSON text; raises InvalidJson for other text, deep nesting, or text that no store can keep.

    The commas are counted first, because parsing millions of values would block the event loop.
    Stricter than the library: no NaN, no half of a surrogate pair, no U+0000.
    """
    commas = content.count(",") if isinstance(content, str) else content.count(b",")
    if commas > BODY_COMMAS_MAX:
        raise InvalidJson(exceeded(BODY_COMMAS_MAX, JSON_TOO_LONG(most=BODY_COMMAS_MAX)))
    try:
        value = json.loads(content, parse_constant=_no_constant)
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise InvalidJson(WordedError(BAD_REQUEST, NOT_JSON())) from None
    if _holds_nul(value):
        raise InvalidJson(WordedError(BAD_USER_INPUT, NO_NUL()))
    return value


async def _body(request: Request, limit: int) -> bytes:
    claimed = request.headers.get("content-length", "0")
    if not claimed.isascii() or not claimed.isdigit() or int(claimed[:18]) > limit:
        raise _too_large(limit)
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX), aclosing(request.stream()) as pieces:
            async for piece in pieces:
                content += piece
                if len(content) > limit:
                    raise _too_large(limit)
    except TimeoutError:
        raise InvalidBody(408, exceeded(BODY_SECONDS_MAX, BODY_TOO_SLOW())) from None
    except ClientDisconnect:
        raise InvalidBody(400, WordedError(BAD_REQUEST, BODY_CUT_OFF())) from None
    return bytes(content)


def _too_large(limit: int) -> InvalidBody:
    return InvalidBody(413, exceeded(BODY_BYTES_MAX, BODY_TOO_LARGE(limit=limit), most=limit))


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _holds_nul(value: Any) -> bool:
    """Tell whether a text in the JSON holds the one character that PostgreSQL keeps in no text."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if "\0" in one:
                return True
        elif isinstance(one, dict):
            waiting += (*one.keys(), *one.values())
        elif isinstance(one, list):
            waiting += one
    return False
