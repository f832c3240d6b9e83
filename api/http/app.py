"""A node's HTTP application: sign-in, GraphQL, replication at the hub, health checks and GraphiQL."""

import hashlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.http.authentication import DEVICE_HEADER, InvalidBody, json_body, language_of
from api.http.background_jobs import BackgroundJobs
from api.http.downloads import Downloads
from api.http.graphql import GraphQLHttp, GraphQLWebSocket
from api.http.metrics import Metrics, metrics_route
from api.http.readiness import unready
from api.http.replication import sync_routes
from api.http.routes import DOWNLOAD, GRAPHIQL, GRAPHQL, HEALTHZ, READYZ, TOKEN
from api.http.store_failures import HANDLERS
from api.http.unread_bodies import UnreadBodies
from api.node.node import Node
from auth.actors import NotAuthenticated
from auth.people import sign_in
from auth.tokens import ACCESS_TOKEN_SECONDS
from infra.messages import ELLIPSIS, SOURCE, message, word
from infra.roles import Role
from schema.engine.connections import Cursors
from schema.engine.contracts import contract
from schema.engine.downloads import DOWNLOADS_PATH, Tickets
from schema.engine.node_services import NodeServices
from sync_jobs.assembly import hub_node

SIGN_IN_INCOMPLETE: Final = message("SIGN_IN_INCOMPLETE", "Send a person and a password.")
STATIC: Final = Path(__file__).parents[1] / "static"
SIGN_IN_BYTES_MAX: Final = 4096
SEGMENT_MAX: Final = 64  # characters of a part of a path; of our routes, only tickets have longer ones
SHOWN_MAX: Final = 100  # characters of each word from a client in a log line
LOG: Final = logging.getLogger("batchloom.requests")
HEADERS: Final = {"x-content-type-options": "nosniff", "x-frame-options": "DENY", "referrer-policy": "no-referrer"}


def application(node: Node, *, jobs: bool = True) -> Starlette:
    """Return the application of an open node. With `jobs` its jobs run as long as the application."""
    services = services_of(node)
    node.when_committed(services.commits.notify)
    work = BackgroundJobs(node) if jobs else None
    metrics = Metrics(node) if work is None else Metrics(node, work, lambda: work.messages_rejected)
    routes = [*_routes(node, services, work), metrics_route(node, metrics), *_pages(node)]
    if node.settings.role is Role.HUB:
        hub = hub_node(node.settings, node.store, node.clock)
        routes += sync_routes(hub if work is None else replace(hub, arrived=work.ask))

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        with ExitStack() as running:
            if work is not None:
                await run_in_threadpool(running.enter_context, work)
            try:
                yield
            finally:
                await run_in_threadpool(running.close)

    middleware = [Middleware(RequestLog, answered=metrics.answered), Middleware(UnreadBodies)]
    return Starlette(routes=routes, lifespan=lifespan, middleware=middleware, exception_handlers=HANDLERS)


def _routes(node: Node, services: NodeServices, jobs: BackgroundJobs | None) -> list[BaseRoute]:
    async def token(request: Request) -> Response:
        return await _signed_in(node, request)

    async def healthy(_request: Request) -> Response:
        return PlainTextResponse("ok")

    async def ready(request: Request) -> Response:
        why = await run_in_threadpool(unready, node, jobs)
        if why is None:
            return JSONResponse({"ready": True})
        return JSONResponse({"ready": False, "reason": word(why, language_of(request.headers) or SOURCE)}, 503)

    schema = contract(node.settings.role)
    requests, subscriptions = GraphQLHttp(node, services, schema), GraphQLWebSocket(node, services, schema)
    return [
        TOKEN.to(token),
        GRAPHQL.to(requests.answer),
        WebSocketRoute(GRAPHQL.path, subscriptions),
        DOWNLOAD.to(Downloads(node, services.tickets).answer),
        HEALTHZ.to(healthy),
        READYZ.to(ready),
    ]


def _pages(node: Node) -> list[BaseRoute]:
    page = STATIC / "graphiql"
    if not node.settings.graphiql or not (page / "index.html").exists():
        return []
    return [Mount(GRAPHIQL.path, StaticFiles(directory=page, html=True))]


async def _signed_in(node: Node, request: Request) -> Response:
    """Exchange a password for an access token. Every failure gets the same answer."""
    spoken = language_of(request.headers) or SOURCE
    try:
        said = await json_body(request, SIGN_IN_BYTES_MAX)
    except InvalidBody as invalid:
        return JSONResponse({"message": word(invalid.notice, spoken)}, invalid.status)
    name, password = (said.get("person"), said.get("password")) if isinstance(said, dict) else (None, None)
    if not isinstance(name, str) or not isinstance(password, str):
        return JSONResponse({"message": word(SIGN_IN_INCOMPLETE(), spoken)}, 400)
    device = request.headers.get(DEVICE_HEADER, "")

    def enter() -> str:
        found = sign_in(node.store, node.writer, person_id=name, password=password, device=device, clock=node.clock)
        return node.tokens.issue(
            found.actor.actor_id, authenticated_s=found.authenticated_s, password_set_us=found.password_set_us
        )

    try:
        token = await run_in_threadpool(enter)
    except NotAuthenticated as failure:
        request.state.failure = failure.failure.value
        return JSONResponse({"message": word(failure, spoken)}, 401)
    answer = {"accessToken": token, "expiresIn": ACCESS_TOKEN_SECONDS}
    return JSONResponse(answer, headers={"Cache-Control": "no-store"})


class RequestLog:
    """Logs one line for each request, and adds the security headers to every response."""

    def __init__(self, app: ASGIApp, answered: Callable[[str, int], None]) -> None:
        self._app = app
        self._answered = answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        state = scope.setdefault("state", {})
        state["path"] = _loggable(scope["path"])
        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            self._answered(scope["path"], status)
            words = [
                scope["method"],
                state["path"],
                status,
                f"{(time.perf_counter() - began) * 1000:.1f}ms",
            ]
            words += [f"{name}={state[name]}" for name in ("actor", "operation", "failure") if state.get(name)]
            LOG.info("%s", " ".join(_shown(word) for word in words))


def _loggable(path: str) -> str:
    """Return a path without secrets. A ticket is in the path of a download, whatever the method or the answer."""
    begin, found, ticket = path.partition(DOWNLOADS_PATH + "/")
    shown = begin + DOWNLOAD.path if found and ticket else path
    return "/".join(one if len(one) <= SEGMENT_MAX else ELLIPSIS for one in shown.split("/"))


def _shown(word: object) -> str:
    """Return a word without characters that would break a log line."""
    return "".join(one if one.isprintable() else "?" for one in str(word)[:SHOWN_MAX])


def services_of(node: Node) -> NodeServices:
    """Return the parts of a node that resolvers use."""
    secret = node.keys.tokens.reveal().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    return NodeServices(
        role=node.settings.role,
        plant=node.settings.plant_number,
        store=node.store,
        writer=node.writer,
        clock=node.clock,
        transfer_overdue_days=node.settings.transfer_overdue_days,
        cursors=Cursors(hashlib.sha256(b"batchloom cursors" + secret).digest()),
        tickets=Tickets(hashlib.sha256(b"batchloom downloads" + secret).digest(), node.clock),
    )
