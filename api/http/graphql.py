"""GraphQL over HTTP POST, and subscriptions over WebSocket."""

import asyncio
import json
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final, cast

from graphql import GraphQLError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.exceptions import ConnectionRejectionError, MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import BaseGraphQLTransportWSHandler
from strawberry.types.graphql import OperationType
from strawberry.types.unset import UNSET, UnsetType

from api.http.authentication import (
    TOKENS_IN_QUERY,
    InvalidBody,
    authenticate,
    bearer,
    caller,
    json_body,
    language_of,
    person,
    read_json,
)
from api.http.graphql_answers import Answers
from api.node.node import Node
from auth.actors import NotAuthenticated, system_actor
from auth.tokens import AccessClaims
from infra.messages import Language, message, word
from schema.engine import limits
from schema.engine.context import Context
from schema.engine.contracts import Contract
from schema.engine.error_codes import BAD_REQUEST, OPERATION_WRONG, UNAUTHENTICATED
from schema.engine.errors import WordedError
from schema.engine.masking import presented
from schema.engine.node_services import NodeServices

OPERATIONS: Final = (OperationType.QUERY, OperationType.MUTATION)
NO_SUCH_OPERATION: Final = message("NO_SUCH_OPERATION", "The document has no such operation.")
ONE_OPERATION: Final = message("ONE_OPERATION", "Send one operation, as a JSON object.")
QUERY_WRONG: Final = message("QUERY_WRONG", "`query` is the text of the operation.")
SUBSCRIBE_ELSEWHERE: Final = message("SUBSCRIBE_ELSEWHERE", "Subscriptions are followed over graphql-transport-ws.")
VARIABLES_WRONG: Final = message("VARIABLES_WRONG", "`operationName` is a text and `variables` an object.")

TOKEN_IN_QUERY: Final = message("TOKEN_IN_QUERY", "A token belongs in the Authorization header.")
CONNECTIONS_TOO_MANY: Final = message(
    "CONNECTIONS_TOO_MANY", "You have {most} connections. Close one, or wait until one has ended."
)
SUBSCRIPTIONS_TOO_MANY: Final = message(
    "SUBSCRIPTIONS_TOO_MANY", "This connection has {most} subscriptions. Complete one, or open another connection."
)

NOBODY: Final = system_actor("nobody")
CHECK_SECONDS: Final = 1.0
CHECKS_PER_STORE_READ: Final = 5  # checks at the clock for each look at the person's roles
UNAUTHORIZED, TOO_MANY = 4401, 4429


class GraphQLHttp:
    """Answers POST /graphql. It authenticates the caller before it reads the body, and limits the body.

    Strawberry's own HTTP view reads the body first and accepts more forms of a request.
    """

    def __init__(self, node: Node, services: NodeServices, contract: Contract) -> None:
        self._node = node
        self._services = services
        self._contract = contract

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        if request.method != "POST":
            return self._page(request)
        answers = Answers(request.headers)
        if TOKENS_IN_QUERY & {name.lower() for name in request.query_params}:
            return answers.error(WordedError(BAD_REQUEST, TOKEN_IN_QUERY()))
        try:
            actor = await caller(self._node, request)
        except NotAuthenticated as failure:
            request.state.failure = failure.failure.value
            answer = answers.error(WordedError(UNAUTHENTICATED))
            answer.headers.update({"WWW-Authenticate": "Bearer", "Connection": "close"})
            return answer
        request.state.actor = actor.actor_id
        answers.language = actor.language
        context = Context(self._services, actor, language=actor.language)
        try:
            return await self._answer(request, context, answers)
        except InvalidBody as invalid:
            answer = answers.error(invalid.error, invalid.status)
            # The rest of the body may be endless.
            answer.headers["Connection"] = "close"
            return answer
        except WordedError as refused:
            return answers.error(refused)
        finally:
            await context.close()

    async def _answer(self, request: Request, context: Context, answers: "Answers") -> Response:
        said = await json_body(request, limits.BODY_BYTES_MAX)
        if not isinstance(said, dict):
            raise WordedError(BAD_REQUEST, ONE_OPERATION())
        query, name, variables = said.get("query"), said.get("operationName"), said.get("variables")
        if not isinstance(query, str) or not query.strip():
            raise WordedError(BAD_REQUEST, QUERY_WRONG())
        if not isinstance(name, str | None) or not isinstance(variables, dict | None):
            raise WordedError(BAD_REQUEST, VARIABLES_WRONG())
        request.state.operation = name
        try:
            async with self._services.turns.turn(context.actor.actor_id):
                result = await self._contract.execute(
                    query, variables, context, None, name, allowed_operation_types=OPERATIONS
                )
        except (CannotGetOperationTypeError, MissingQueryError):
            raise WordedError(OPERATION_WRONG, NO_SUCH_OPERATION()) from None
        except InvalidOperationTypeError:
            raise WordedError(OPERATION_WRONG, SUBSCRIBE_ELSEWHERE()) from None
        return answers.result(result, context)

    def _page(self, request: Request) -> Response:
        if (
            request.method == "GET"
            and self._node.settings.graphiql
            and "text/html" in request.headers.get("accept", "")
        ):
            return RedirectResponse("/graphiql/", 307)
        return Response(status_code=405, headers={"Allow": "POST"})


class Connection(Context):
    """The context of one WebSocket connection. Its reads keep no snapshot, and it ends when its token expires."""

    claims: AccessClaims | None = None
    asked_language: Language | None = None


class TooManyConnections(Exception):
    """A user has CONNECTIONS_PER_PERSON_MAX connections already."""


class ExpiringConnection(BaseGraphQLTransportWSHandler[Context, None]):
    """A connection that is closed when its token expires, or its user may no longer sign in."""

    _watch: asyncio.Task[None] | None = None

    async def handle_connection_init(self, message: Any) -> None:
        """Authenticate the user, and check from then on that they may stay."""
        try:
            await super().handle_connection_init(message)
        except TooManyConnections as many:
            await self.websocket.close(TOO_MANY, str(many))
        if self.connection_acknowledged and self._watch is None:
            self._watch = asyncio.create_task(self._close_on_expiry())

    async def handle_message(self, message: Any) -> None:
        """Handle a message of the protocol. Any other message ends the connection."""
        if _is_message(message):
            await super().handle_message(message)
        else:
            await self.handle_invalid_message("Not a message of graphql-transport-ws")

    async def handle_subscribe(self, message: Any) -> None:
        """Begin a subscription. One above the limit gets an error."""
        if self.connection_acknowledged and len(self.operations) >= limits.SUBSCRIPTIONS_PER_CONNECTION_MAX:
            most = limits.SUBSCRIPTIONS_PER_CONNECTION_MAX
            refused = limits.exceeded(most, SUBSCRIPTIONS_TOO_MANY(most=most))
            payload = [error.formatted for error in presented([refused], self.context)]
            answer: Any = {"type": "error", "payload": payload}
            await self.send_message(answer | {"id": message["id"]})
        else:
            await super().handle_subscribe(message)

    async def shutdown(self) -> None:
        """Stop checking, and end operations in progress."""
        if self._watch is not None:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        cast("GraphQLWebSocket", self.view).forget(cast("Connection", self.context))
        await super().shutdown()

    @staticmethod
    def _get_pre_execution_close_reason(error: GraphQLError) -> None:
        """Return None: a refused subscription gets an error message, and the connection stays."""

    async def _close_on_expiry(self) -> None:
        view, connection = cast("GraphQLWebSocket", self.view), cast("Connection", self.context)
        checks = 0
        while await view.may_stay(connection, again=checks % CHECKS_PER_STORE_READ == 0):
            await asyncio.sleep(CHECK_SECONDS)
            checks += 1
        await self.websocket.close(UNAUTHORIZED, "Unauthorized")


def _is_message(message: Any) -> bool:
    """Return whether the fields of a message have the types of the protocol."""
    if not isinstance(message, dict) or not isinstance(message.get("id", ""), str):
        return False
    if message.get("type") != "subscribe":
        return isinstance(message.get("type"), str)
    said = message.get("payload")
    return (
        isinstance(said, dict)
        and isinstance(said.get("query"), str)
        and isinstance(said.get("variables"), dict | None)
        and isinstance(said.get("operationName"), str | None)
    )


class GraphQLWebSocket(GraphQL[Context, None]):
    """Answers WebSocket connections to /graphql that speak graphql-transport-ws."""

    graphql_transport_ws_handler_class = ExpiringConnection

    def __init__(self, node: Node, services: NodeServices, contract: Contract) -> None:
        super().__init__(
            contract,
            graphql_ide=None,
            subscription_protocols=(GRAPHQL_TRANSPORT_WS_PROTOCOL,),
            connection_init_wait_timeout=timedelta(seconds=limits.CONNECTION_INIT_SECONDS_MAX),
        )
        self._node = node
        self._services = services
        self._connected: Counter[str] = Counter()

    def decode_json(self, data: str | bytes) -> object:
        """Return the value of a JSON text."""
        try:
            return read_json(data)
        except ValueError as error:
            raise json.JSONDecodeError(str(error), "", 0) from error

    async def get_context(self, request: Request | WebSocket, response: Response | WebSocket) -> Context:
        """Return the context of a connection, which has no user yet."""
        _ = response
        connection = Connection(self._services, NOBODY, language="en", kept=False)
        connection.asked_language = language_of(request.headers)
        return connection

    async def on_ws_connect(self, context: Context) -> UnsetType | dict[str, object] | None:
        """Authenticate the token in `connection_init`: {"authorization": "Bearer …"}."""
        connection = cast("Connection", context)
        said = connection.connection_params or {}
        given = said.get("authorization", said.get("Authorization"))
        device = str(said.get("device", ""))
        language = connection.asked_language
        try:
            actor, claims = await run_in_threadpool(
                authenticate, self._node, bearer(given), device=device, language=language
            )
        except NotAuthenticated as failure:
            raise ConnectionRejectionError from failure
        if self._connected[actor.actor_id] >= limits.CONNECTIONS_PER_PERSON_MAX:
            many = CONNECTIONS_TOO_MANY(most=limits.CONNECTIONS_PER_PERSON_MAX)
            raise TooManyConnections(word(many, actor.language))
        self._connected[actor.actor_id] += 1
        connection.actor, connection.claims, connection.language = actor, claims, actor.language
        return cast("UnsetType", UNSET)

    def forget(self, connection: Connection) -> None:
        """Remove a connection from the count of its user."""
        if connection.claims is not None:
            self._connected[connection.claims.subject] -= 1
            self._connected += Counter()
            connection.claims = None

    async def may_stay(self, connection: Connection, *, again: bool) -> bool:
        """Return whether a connection may stay. With `again` the user's roles are read again."""
        claims = connection.claims
        if claims is None or claims.expires_s <= self._node.clock.now().timestamp():
            return False
        if again:
            device, language = connection.actor.device, connection.asked_language
            try:
                connection.actor = await run_in_threadpool(person, self._node, claims, device=device, language=language)
            except NotAuthenticated:
                return False
        return True
