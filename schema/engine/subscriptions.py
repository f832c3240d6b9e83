"""Subscriptions in the contract: entries as they are recorded, and how replication stands."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Final

from schema.engine.context import Commits

PERIOD_SECONDS: Final = 1.0
"""How long after a commit of another process it is seen at the latest; one of this process is seen at once."""


async def looks(commits: Commits) -> AsyncGenerator[None]:
    """Yield when it is time to look: now, after each commit, and after PERIOD_SECONDS in any case.

    The wait for the next commit begins before the look, so that none falls in between.
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
