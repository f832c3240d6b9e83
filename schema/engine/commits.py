"""Notification of new commits, for subscriptions."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

PERIOD_SECONDS: Final = 1.0
"""The longest delay before a subscription sees a commit of another process. Commits of this process are immediate."""


class CommitNotifier:
    """Wakes subscriptions after each commit of this process."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def notify(self) -> None:
        """Wake all waiting subscriptions. Thread-safe; returns at once when none waits."""
        loop = self._loop
        if loop is not None and self._waiting and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()

    async def next(self, seconds: float) -> None:
        """Return after the next commit, or after `seconds` without one."""
        self._loop = asyncio.get_running_loop()
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            self._waiting.discard(event)


async def polls(commits: CommitNotifier) -> AsyncGenerator[None]:
    """Yield once at the start, after each commit, and at least every PERIOD_SECONDS.

    The wait for the next commit starts before each yield, so a commit during the caller's read is not missed.
    """
    while True:
        coming = asyncio.create_task(commits.next(PERIOD_SECONDS))
        try:
            await asyncio.sleep(0)
            yield
            await coming
        finally:
            coming.cancel()
            with suppress(asyncio.CancelledError):
                await coming
