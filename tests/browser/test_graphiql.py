"""The GraphiQL page in a real browser: signing in, asking, subscribing, and keeping to our own origin."""

import asyncio
import os
import shutil
import socket
import threading
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import strawberry
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send
from strawberry.asgi import GraphQL

from tests.house.sources import ROOT
from tests.patience import wait_until

PAGE = ROOT / "api" / "static" / "graphiql"
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine"),
    pytest.mark.skipif(not (PAGE / "index.html").exists(), reason="the page is not built: make graphiql"),
]


@strawberry.type
class Batch:
    code: str


@strawberry.type
class BatchEdge:
    node: Batch


@strawberry.type
class BatchConnection:
    edges: list[BatchEdge]


@strawberry.type
class Query:
    @strawberry.field
    def batches(self, first: int) -> BatchConnection:
        codes = ["LIM-260301-0001K", "LIM-260301-0002H"][:first]
        return BatchConnection(edges=[BatchEdge(node=Batch(code=code)) for code in codes])


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def positions(self) -> AsyncGenerator[int, None]:
        for position in (41, 42):
            yield position
            await asyncio.sleep(0)


@dataclass
class Node:
    """A small server of the addresses that the page uses; it records the requests."""

    address: str
    requests: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    connection_params: list[object] = field(default_factory=list)


def application(node: Node) -> Starlette:
    class Door(GraphQL[None, None]):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "http":
                node.authorizations.append(Headers(scope=scope).get("authorization", ""))
            await super().__call__(scope, receive, send)

        async def on_ws_connect(self, context: Any) -> dict[str, object]:
            node.connection_params.append(context["connection_params"])
            return {}

    door = Door(strawberry.Schema(query=Query, subscription=Subscription))

    async def token(request: Request) -> Response:
        if await request.json() != {"person": "lin", "password": "right"}:
            return JSONResponse({"error": "denied"}, status_code=401)
        return JSONResponse({"accessToken": "a.b.c"})

    return Starlette(
        routes=[
            Route("/auth/token", token, methods=["POST"]),
            Route("/graphql", door),
            WebSocketRoute("/graphql", door),
            Mount("/graphiql", StaticFiles(directory=PAGE, html=True)),
        ]
    )


@pytest.fixture
def node() -> Iterator[Node]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        node = Node(f"http://127.0.0.1:{listener.getsockname()[1]}")
        server = uvicorn.Server(uvicorn.Config(application(node), log_level="error", ws="websockets-sansio"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        wait_until(lambda: server.started, "the server has started")
        yield node
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Chromium has no sandbox for root, which is who runs tests in a container.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, node: Node) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    complaints: list[str] = []
    page.on("request", lambda request: node.requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{node.address}/graphiql/")
    yield page
    page.close()
    assert [text for text in complaints if "401" not in text] == []


def sign_in(page: Page, password: str) -> None:
    page.get_by_label("Person").fill("lin")
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def photograph(page: Page, name: str) -> None:
    """Keep a picture for people to look at, where one is wanted."""
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_wrong_password_then_the_form_stays_and_says_so(page: Page, node: Node) -> None:
    expect(page).to_have_title("Batchloom")
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("用户名或密码不正确")
    photograph(page, "sign-in")
    assert node.authorizations == []


def test_signed_in_then_the_first_query_answers_and_all_comes_from_our_origin(page: Page, node: Node) -> None:
    with page.expect_event("worker", lambda worker: "/graphql.worker-" in worker.url):
        sign_in(page, "right")
    expect(page.locator(".graphiql-editors")).to_contain_text("FirstBatches")
    page.get_by_role("button", name="Execute query").click()
    expect(page.locator(".graphiql-response")).to_contain_text("LIM-260301-0002H")
    photograph(page, "console")
    assert set(node.authorizations) == {"Bearer a.b.c"}
    elsewhere = [url for url in node.requests if not url.startswith((node.address, "data:"))]
    assert elsewhere == []


def test_subscribed_then_the_socket_carries_the_token_and_values_arrive(page: Page, node: Node) -> None:
    sign_in(page, "right")
    expect(page.locator(".graphiql-editors")).to_contain_text("FirstBatches")
    page.locator(".graphiql-query-editor .view-lines").click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text("subscription Positions { positions }")
    # The page looks at what was typed when the typing pauses, and names the tab after it.
    expect(page.locator(".graphiql-tab")).to_contain_text("Positions")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".graphiql-response")).to_contain_text("42")
    assert node.connection_params == [{"authorization": "Bearer a.b.c"}]


def test_signed_out_then_the_form_is_back(page: Page) -> None:
    sign_in(page, "right")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()
