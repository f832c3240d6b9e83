"""Services of a node for its resolvers, and the snapshot of the store for one request."""

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Concatenate, Final, ParamSpec, TypeVar

from anyio import to_thread

from infra.clock import Clock
from infra.database import ReadSession, Store
from infra.roles import Role
from infra.writer import Writer
from schema.engine.budgets import CostBudgets
from schema.engine.commits import CommitNotifier
from schema.engine.connections import Cursors
from schema.engine.downloads import Tickets
from schema.engine.limits import COST_PER_MINUTE
from schema.engine.turns import Turns

T = TypeVar("T")
P = ParamSpec("P")
READERS_MAX: Final = 8
"""The limit of requests that read at the same time: the size of the store's connection pool."""


@dataclass(slots=True, kw_only=True)
class NodeServices:
    """The parts of a node that resolvers use. `plant` is the number of the node, 0 at the hub."""

    role: Role
    plant: int
    store: Store
    writer: Writer
    clock: Clock
    cursors: Cursors
    tickets: Tickets
    transfer_overdue_days: int = 7
    commits: CommitNotifier = field(default_factory=CommitNotifier)
    budgets: CostBudgets = field(default_factory=lambda: CostBudgets(COST_PER_MINUTE))
    turns: Turns = field(default_factory=Turns)
    readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READERS_MAX))


class Snapshot:
    """One read transaction for all reads of a request. Reads run one at a time, each in a worker thread.

    With `kept`, the transaction stays open until `close`. A write closes it, so that later reads see the write.
    Without `kept`, each read has a transaction of its own: a WebSocket connection stays open too long for one.
    """

    def __init__(self, services: NodeServices, *, kept: bool) -> None:
        self._services = services
        self._kept = kept
        self._turn = asyncio.Lock()
        self._open: ExitStack | None = None
        self._session: ReadSession | None = None

    async def read(self, query: Callable[Concatenate[ReadSession, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a query in a worker thread."""
        async with self._turn:
            if self._session is None:
                await self._services.readers.acquire()
                self._open = ExitStack()
                self._open.callback(self._services.readers.release)
                self._session = self._open.enter_context(self._services.store.reading())
            session = self._session
            try:
                return await to_thread.run_sync(lambda: query(session, *args, **kwargs))
            finally:
                if not self._kept:
                    await self._end()

    async def close(self) -> None:
        """End the read transaction. The next read begins another."""
        async with self._turn:
            await self._end()

    async def _end(self) -> None:
        opened, self._open, self._session = self._open, None, None
        if opened is not None:
            await asyncio.shield(to_thread.run_sync(opened.close))
