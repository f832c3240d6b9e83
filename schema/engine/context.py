"""What a request is answered with: who asks, one snapshot to read from, the writer, and loaders that ask once."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import strawberry
from anyio import to_thread
from graphql import GraphQLError
from strawberry.dataloader import DataLoader

from auth.actors import Actor
from auth.permissions import Permission, require
from auth.scope import plants_for
from infra.clock import Clock
from infra.database import ReadSession, Store
from infra.messages import Language
from infra.roles import Role
from infra.writer import Writer
from plants.commands.directives.directives import GroupCommand
from plants.commands.execution import Call, Command
from plants.rules.identification.codes import HUB
from plants.rules.ledger.events import Entry
from plants.rules.values.scope import PlantScope
from plants.store.materials.plants import known_plants
from plants.store.replication.status import PlantReplication, replication_status
from schema.engine.connections import Connection, Cursors, Key, Listing
from schema.engine.limits import EXCEEDED, ROWS_MAX

READERS_MAX: Final = 8
"""Requests that read at the same time: as many as the store keeps connections for."""

T = TypeVar("T")
Made = TypeVar("Made")
P = ParamSpec("P")
Order = TypeVar("Order")


class Commits:
    """Wakes whoever waits for something new in the store; a commit of another process is seen after the period."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Event] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def tell(self) -> None:
        """Wake the waiting; may be called on any thread, and when nobody waits costs nothing."""
        loop = self._loop
        if loop is not None and self._waiting and not loop.is_closed():
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        for event in self._waiting:
            event.set()

    async def next(self, seconds: float) -> None:
        """Return after the next commit, or after so many seconds."""
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


@dataclass(slots=True, kw_only=True)
class Serving:
    """The parts of a node that answers are made with; `plant` is its own number, 0 at the hub."""

    role: Role
    plant: int
    store: Store
    writer: Writer
    clock: Clock
    cursors: Cursors
    transfer_overdue_days: int = 7
    commits: Commits = field(default_factory=Commits)
    readers: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(READERS_MAX))


class Snapshot:
    """Reads of one request, one after the other, each in a worker thread, all from the same state of the store.

    Kept until `close`, which a write also calls so that what it did is seen. A connection that stays open keeps no
    snapshot: each read has its own.
    """

    def __init__(self, serving: Serving, *, kept: bool) -> None:
        self._serving = serving
        self._kept = kept
        self._turn = asyncio.Lock()
        self._open: ExitStack | None = None
        self._session: ReadSession | None = None

    async def read(self, query: Callable[Concatenate[ReadSession, P], T], *args: P.args, **given: P.kwargs) -> T:
        """Run a query in a worker thread."""
        async with self._turn:
            if self._session is None:
                await self._serving.readers.acquire()
                self._open = ExitStack()
                self._open.callback(self._serving.readers.release)
                self._session = self._open.enter_context(self._serving.store.reading())
            session = self._session
            try:
                return await to_thread.run_sync(lambda: query(session, *args, **given))
            finally:
                if not self._kept:
                    await self._end()

    async def close(self) -> None:
        """Let the snapshot go; the next read begins another."""
        async with self._turn:
            await self._end()

    async def _end(self) -> None:
        opened, self._open, self._session = self._open, None, None
        if opened is not None:
            await asyncio.shield(to_thread.run_sync(opened.close))


class Context:
    """One request, or one WebSocket connection: everything that a resolver may use."""

    def __init__(self, serving: Serving, actor: Actor, *, language: Language, kept: bool = True) -> None:
        self.serving = serving
        self.actor = actor
        self.language = language
        self.connection_params: Mapping[str, Any] | None = None
        self._snapshot = Snapshot(serving, kept=kept)
        self._loaders: dict[Any, DataLoader[Any, Any]] = {}
        self._rows_left = ROWS_MAX

    async def scope(self, permission: Permission) -> PlantScope:
        """Return the plants known to this node at which the actor has the permission, the hub (0) among them."""
        known = await self._snapshot.read(known_plants)
        return plants_for(self.actor, permission, {HUB, *known})

    async def read(
        self,
        permission: Permission,
        query: Callable[Concatenate[ReadSession, PlantScope, P], T],
        *args: P.args,
        **given: P.kwargs,
    ) -> T:
        """Run a query over the plants at which the actor has the permission."""
        actor = self.actor

        def scoped(reads: ReadSession, /, *args: P.args, **given: P.kwargs) -> T:
            return query(reads, plants_for(actor, permission, {HUB, *known_plants(reads)}), *args, **given)

        return await self._snapshot.read(scoped, *args, **given)

    async def ask(self, query: Callable[[ReadSession], T]) -> T:
        """Run a query that tells nothing of any plant's goods, such as which plants there are."""
        return await self._snapshot.read(query)

    def require(self, permission: Permission, plant: int) -> None:
        """Raise NotPermitted unless the actor has the permission at the plant."""
        require(self.actor, permission, plant)

    async def load(
        self,
        permission: Permission,
        query: Callable[[ReadSession, PlantScope, Sequence[Any]], Mapping[Any, T]],
        key: Any,
    ) -> T | None:
        """Return what a query that takes many keys finds under this one; keys wanted together are asked together."""
        loader = self._loaders.get((permission, query))
        if loader is None:

            async def together(keys: list[Any]) -> list[T | None]:
                found = await self.read(permission, query, list(dict.fromkeys(keys)))
                return [found.get(one) for one in keys]

            loader = self._loaders[permission, query] = DataLoader(together, cache=False)
        found: T | None = await loader.load(key)
        return found

    async def connection(
        self,
        permission: Permission,
        find: Callable[[ReadSession, PlantScope, Any, Key | None, int], Sequence[T]],
        count: Callable[[ReadSession, PlantScope, Any], int],
        sought: Any,
        page: tuple[int | None, str | None],
        *,
        key: Callable[[T], Key],
        make: Callable[[T], Made],
    ) -> Connection[Made]:
        """Return a page, given as `first` and `after`, of what one query finds and another counts."""
        listing = Listing(find.__name__, self.serving.cursors, (sought,))
        wanted = listing.page(*page)
        rows = await self.read(permission, find, sought, wanted.after, wanted.limit)
        self.spend(len(rows))
        return listing.connection(wanted, rows, key, make, lambda: self.read(permission, count, sought))

    def spend(self, rows: int) -> None:
        """Count rows of an answer; raises GraphQLError when one request asks for more than ROWS_MAX."""
        self._rows_left -= rows
        if self._rows_left < 0:
            text = f"The answer has more than {ROWS_MAX} rows. Ask for smaller pages."
            raise GraphQLError(text, extensions=EXCEEDED)

    async def write(
        self, permission: Permission, command: Command[Order], order: Order, said: Any, *, plant: int | None = None
    ) -> Entry:
        """Run a command on the writer, at this node's own plant unless told; `said` is the mutation's input.

        Returns once the entry is durable. Raises Refusal, NotPermitted among them.
        """
        serving, actor = self.serving, self.actor
        number = serving.plant if plant is None else plant
        require(actor, permission, number)
        occurred_at: datetime | None = getattr(said, "occurred_at", None)
        reason: str | None = getattr(said, "reason", None)
        author = actor.author

        def work(session: Any) -> Entry:
            call = Call(number, serving.clock.now(), occurred_at, str(said.request_id), reason)
            return command(session, order, actor=author, call=call)

        # Shielded: a caller who goes away must not cancel what the writer may have begun.
        entry = await asyncio.shield(asyncio.wrap_future(serving.writer.submit(work)))
        await self._snapshot.close()
        return entry

    async def direct(
        self, permission: Permission, command: GroupCommand[Order], order: Order, said: Any
    ) -> list[Entry]:
        """Run a command of headquarters on the hub's writer; returns an entry for each plant that it addresses.

        Only a role in the group carries the permission here. Raises Refusal, NotPermitted among them.
        """
        serving, author = self.serving, self.actor.author
        require(self.actor, permission, HUB)

        def work(session: Any) -> list[Entry]:
            call = Call(HUB, serving.clock.now(), said.occurred_at, str(said.request_id), said.reason)
            return command(session, order, actor=author, call=call)

        entries = await asyncio.shield(asyncio.wrap_future(serving.writer.submit(work)))
        await self._snapshot.close()
        return entries

    def replication(self, reads: ReadSession, scope: PlantScope, numbers: Sequence[int]) -> dict[int, PlantReplication]:
        """Return how plants of the scope stand, by number: a query for `load`."""
        standing = replication_status(reads, scope, now=self.serving.clock.now())
        return {one.plant_id: one for one in standing if one.plant_id in numbers}

    async def close(self) -> None:
        """Let go of what the request held."""
        await self._snapshot.close()


Info = strawberry.Info[Context, None]


def sure(found: T | None) -> T:
    """Return what must be there because it was just written, or because a row refers to it."""
    assert found is not None
    return found
