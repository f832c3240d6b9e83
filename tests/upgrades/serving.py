"""A hub over real HTTP that answers as a recorded version did: nothing that it had not, and not a word more."""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import uvicorn
from starlette.applications import Starlette

from api.http.replication import sync_routes
from sync_jobs.nodes import HubNode
from tests.patience import wait_until
from tests.upgrades.record import Message, Receive, Send
from tests.upgrades.recorded import heard

ORIGIN = re.compile(r"(?<=/logs/).*(?=/)")


@cache
def members(version: str) -> Mapping[str, Any]:
    """Return the members of every JSON answer that was recorded, by the kind of request."""
    return {_kind(one.method, one.path): json.loads(one.answer) for one in heard(version) if one.answer[:1] == b"{"}


def _kind(method: str, path: str) -> str:
    return f"{method} {ORIGIN.sub('_', path)}"


def cut_down(answer: Any, example: Any) -> Any:
    """Return of an answer only the members that the example has, at every depth but for free maps."""
    if isinstance(answer, dict) and isinstance(example, dict):
        return {name: cut_down(value, example[name]) for name, value in answer.items() if name in example}
    return answer


class Older:
    """Today's hub behind the wire of a recorded version: unknown routes do not exist, unknown members are gone."""

    def __init__(self, inner: Starlette, version: str) -> None:
        self._inner = inner
        self._members = members(version)
        self._known = {_kind(one.method, one.path) for one in heard(version)}
        self.refused: list[str] = []

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        kind = _kind(scope["method"], scope["path"])
        if kind not in self._known:
            self.refused.append(kind)
            await send({"type": "http.response.start", "status": 404, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"Not Found"})
            return
        start: Message = {}
        body = bytearray()

        async def gather(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            content = bytes(body)
            if start["status"] == 200 and kind in self._members:
                content = json.dumps(cut_down(json.loads(content), self._members[kind])).encode()
            kept = [pair for pair in start["headers"] if pair[0] != b"content-length"]
            await send({**start, "headers": [*kept, (b"content-length", str(len(content)).encode())]})
            await send({"type": "http.response.body", "body": content})

        await self._inner(scope, receive, gather)


@contextmanager
def serving(hub: HubNode, port: int, *, like: str | None = None) -> Iterator[str]:
    """Serve a hub on a port until the block ends, like a recorded version where one is named; yield its address."""
    application: Any = Starlette(routes=sync_routes(hub))
    if like is not None:
        application = Older(application, like)
    server = uvicorn.Server(
        uvicorn.Config(application, host="127.0.0.1", port=port, log_level="warning", ws="none", lifespan="off")
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started, "the hub's server has started")
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
