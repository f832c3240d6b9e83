"""Serving a node until it is told to stop, and ending what was begun."""

import socket
from types import FrameType

import uvicorn

from api.app import application
from api.node import Node
from schema.limits import BODY_BYTES_MAX

GRACE_SECONDS_MAX = 10
CONCURRENT_MAX = 1_000  # requests and connections at a time; more are answered 503


class Server(uvicorn.Server):
    """A server that returns when a signal ends it, so that the node is closed in order."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; told a second time, without waiting for what is under way."""
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


def serve(node: Node, *, listener: socket.socket | None = None) -> None:
    """Serve a node until Ctrl-C or SIGTERM; requests under way are answered first. Prints nothing."""
    with listener or listen(node.settings.host, node.settings.port) as listening:
        server(node).run(sockets=[listening])
