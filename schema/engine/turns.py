"""Turns of users: one user's operations cannot take all of a process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from infra.messages import message
from schema.engine.errors import WordedError
from schema.engine.limits import (
    OPERATION_WAIT_SECONDS_MAX,
    OPERATIONS_PER_PERSON_MAX,
    OPERATIONS_WAITING_MAX,
    Limit,
    exceeded,
)

TOO_MANY_AT_ONCE: Final = message(
    "TOO_MANY_AT_ONCE",
    "{most} operations of yours are running, and others wait. Send this one again when they are answered.",
)
RETRY_AFTER: Final = timedelta(seconds=5)


@dataclass(slots=True)
class _Queue:
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(OPERATIONS_PER_PERSON_MAX))
    waiting: int = 0
    entered: int = 0


class Turns:
    """Runs OPERATIONS_PER_PERSON_MAX operations of each user at the same time. Further ones wait in order.

    Each process counts for itself. An operation that finds OPERATIONS_WAITING_MAX others, or has waited for `seconds`,
    raises WordedError.
    """

    def __init__(self, seconds: float = OPERATION_WAIT_SECONDS_MAX) -> None:
        self._seconds = seconds
        self._queues: dict[str, _Queue] = {}

    @asynccontextmanager
    async def turn(self, actor: str) -> AsyncIterator[None]:
        """Hold a place of the user for the length of the block."""
        queue = self._queues.setdefault(actor, _Queue())
        if queue.waiting >= OPERATIONS_WAITING_MAX:
            raise _refused(OPERATIONS_WAITING_MAX)
        queue.entered += 1
        try:
            await self._wait(queue)
            try:
                yield
            finally:
                queue.places.release()
        finally:
            queue.entered -= 1
            if not queue.entered:
                del self._queues[actor]

    async def _wait(self, queue: _Queue) -> None:
        queue.waiting += 1
        try:
            async with asyncio.timeout(self._seconds):
                await queue.places.acquire()
        except TimeoutError:
            raise _refused(OPERATION_WAIT_SECONDS_MAX) from None
        finally:
            queue.waiting -= 1


def _refused(limit: Limit) -> WordedError:
    return exceeded(limit, TOO_MANY_AT_ONCE(most=OPERATIONS_PER_PERSON_MAX), retry_after=RETRY_AFTER)
