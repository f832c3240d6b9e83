"""Serving a node until a signal, and finishing requests in progress."""

import socket
import threading
import time
from collections.abc import Callable
from types import FrameType

import uvicorn

from api.http.app import application
from api.node.node import Node
from schema.engine.limits import BODY_BYTES_MAX

GRACE_SECONDS_MAX = 10
START_LOOK_SECONDS = 0.05
CONCURRENT_MAX = 1_000  # requests and connections at a time; more are answered 503


class Server(uvicorn.Server):
    """A server that returns on a signal, so that the node is closed in order."""

    announce: Callable[[], object] | None = None
    """Called once the server accepts requests."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then announce it."""
        await super().startup(sockets=sockets)
        if self.started and self.announce is not None:
            self.announce()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop. A second signal stops without waiting for requests in progress."""
        _ = sig, frame
        self.force_exit = self.should_exit
        self.should_exit = True


def server(node: Node, *, jobs: bool = True) -> Server:
    """Return the server of an open node, not yet running."""
    settings = node.settings
    return Server(
        uvicorn.Config(
            application(node, jobs=jobs),
            host=settings.host,
            port=settings.port,
            access_log=False,
            limit_concurrency=CONCURRENT_MAX,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            ssl_certfile=settings.tls_certificate,
            ssl_keyfile=settings.tls_key,
            timeout_graceful_shutdown=GRACE_SECONDS_MAX,
            ws="websockets-sansio",
            ws_max_size=BODY_BYTES_MAX,
        )
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; port 0 takes a free one."""
    listener = socket.create_server((host, port), backlog=1024)
    # Else the head of an answer waits 40 ms for the acknowledgement of a packet before its body follows.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def serve(
    node: Node,
    *,
    listener: socket.socket | None = None,
    until: Callable[[], object] | None = None,
    announce: Callable[[], object] | None = None,
) -> None:
    """Serve a node until Ctrl-C or SIGTERM; requests in progress are answered first. Prints nothing.

    With `until` also until that returns, on a thread of its own. `announce` is called once requests are accepted.
    """
    running = server(node)
    running.announce = announce
    if until is not None:
        threading.Thread(target=_stop_after, args=(running, until), daemon=True).start()
    with listener or listen(node.settings.host, node.settings.port) as listening:
        running.run(sockets=[listening])


def _stop_after(running: Server, until: Callable[[], object]) -> None:
    until()
    # A server that is stopped while it starts does not run its shutdown.
    while not running.started:
        time.sleep(START_LOOK_SECONDS)
    running.should_exit = True
