"""The rest of a request's body is read after an early answer, so that the client gets the answer.

A connection that is closed with unread data is reset, and a reset discards an answer that is on its way (RFC 9112,
section 9.6).
"""

import asyncio
from contextlib import suppress
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

UNREAD_SECONDS_MAX: Final = 10
UNREAD_BYTES_MAX: Final = 64 * 1024 * 1024


class UnreadBodies:
    """Sends an answer at once, and completes it at the end of the body.

    It does not wait for longer than UNREAD_SECONDS_MAX, or for more than UNREAD_BYTES_MAX.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        names = {name for name, _ in scope["headers"]} if scope["type"] == "http" else set()
        if not names & {b"content-length", b"transfer-encoding"}:
            await self._app(scope, receive, send)
            return
        ended = False

        async def received() -> Message:
            nonlocal ended
            message = await receive()
            ended = not message.get("more_body", False)
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False) and not ended:
                await send({**message, "more_body": True})
                await _discard(received)
                message = {"type": "http.response.body"}
            await send(message)

        await self._app(scope, received, sent)


async def _discard(receive: Receive) -> None:
    left = UNREAD_BYTES_MAX
    with suppress(TimeoutError):
        async with asyncio.timeout(UNREAD_SECONDS_MAX):
            while left > 0:
                message = await receive()
                if not message.get("more_body", False):
                    return
                left -= len(message["body"])
