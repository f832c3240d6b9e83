"""The context of a request and the `info` that resolvers get: reads, loaders and writes under declared permissions."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from auth.actors import Actor
from auth.permissions import NotPermitted, Permission, require
from auth.scope import plants_for
from infra.database import ReadSession, Session
from infra.messages import Language
from plants.commands.directives.directives import GroupCommand
from plants.commands.execution import Command, CommandContext
from plants.rules.identification.codes import HUB
from plants.rules.ledger.events import Entry
from plants.rules.values.actors import Author
from plants.rules.values.scope import PlantScope
from plants.store.materials.plants import known_plants
from plants.store.replication.status import PlantReplication, replication_status
from schema.engine.access import Access, AnyCommand, declared_access
from schema.engine.connections import Connection, Key, Listing, portions
from schema.engine.inputs import MutationInput, RequestInput
from schema.engine.limits import ANSWER_TOO_LONG, ROWS_MAX, exceeded
from schema.engine.malformed_commands import Aside
from schema.engine.node_services import NodeServices, Snapshot
from schema.engine.scalars import EventType
from schema.engine.validations import Validated, ValidationEnded

T = TypeVar("T")
Node = TypeVar("Node")
P = ParamSpec("P")
Order = TypeVar("Order")
K = TypeVar("K", bound=Hashable)
Children = Callable[..., Mapping[K, Sequence[T]]]
"""A store function that returns one page of the rows of each parent."""


class Context:
    """One request, or one WebSocket connection."""

    def __init__(self, services: NodeServices, actor: Actor, *, language: Language, kept: bool = True) -> None:
        self.services = services
        self.actor = actor
        self.language = language
        self.connection_params: Mapping[str, Any] | None = None
        self.snapshot = Snapshot(services, kept=kept)
        self.loaders: dict[Any, DataLoader[Any, Any]] = {}
        self.aside: Aside = {}
        self._rows_left: int = ROWS_MAX

    def spend(self, rows: int) -> None:
        """Count rows of the answer; raises GraphQLError above ROWS_MAX for one request."""
        self.afford(rows)
        self._rows_left -= rows

    def afford(self, rows: int) -> None:
        """Raise GraphQLError for more rows than the request has left. It does not count them."""
        if rows > self._rows_left:
            raise exceeded(ROWS_MAX, ANSWER_TOO_LONG(most=ROWS_MAX))

    def begin_answer(self) -> None:
        """Reset the count of rows for the next answer: a connection gives many."""
        self._rows_left = ROWS_MAX

    async def close(self) -> None:
        """End the read transaction of the request."""
        await self.snapshot.close()


class Info(strawberry.Info[Context, None]):
    """The `info` of a resolver. It reads and writes only under what its field declares."""

    validating: bool = False
    """True while a mutation is only validated: its command is rolled back."""

    @property
    def access(self) -> Access:
        """The declared access of the field."""
        return declared_access(self._field.metadata)

    @property
    def services(self) -> NodeServices:
        """The services of this node."""
        return self.context.services

    async def read(
        self, query: Callable[Concatenate[ReadSession, PlantScope, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a query over the plants at which the caller has the field's one permission. Raises as `read_under`."""
        return await self.read_under(self.access.only, query, *args, **kwargs)

    async def read_under(
        self,
        permission: Permission,
        query: Callable[Concatenate[ReadSession, PlantScope, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a query under one of several declared permissions.

        Raises NotPermitted where the caller has the permission at no plant: an empty answer would say that there is
        nothing.
        """
        actor = self.context.actor

        def permitted(reads: ReadSession, scope: PlantScope, /, *args: P.args, **kwargs: P.kwargs) -> T:
            if not scope:
                raise NotPermitted(actor, permission, HUB)
            return query(reads, scope, *args, **kwargs)

        return await self.look_up(permission, permitted, *args, **kwargs)

    async def look_up(
        self,
        permission: Permission,
        query: Callable[Concatenate[ReadSession, PlantScope, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a query for one thing. Without the permission its scope is empty, so that it finds nothing."""
        self.access.check_read(permission)
        actor = self.context.actor

        def scoped(reads: ReadSession, /, *args: P.args, **kwargs: P.kwargs) -> T:
            return query(reads, plants_for(actor, permission, {HUB, *known_plants(reads)}), *args, **kwargs)

        return await self.context.snapshot.read(scoped, *args, **kwargs)

    async def load(
        self,
        permission: Permission,
        query: Callable[[ReadSession, PlantScope, Sequence[Any]], Mapping[Any, T]],
        key: Any,
    ) -> T | None:
        """Return the value that a query for many keys finds for this key. Keys wanted together share one query."""
        self.access.check_read(permission)

        async def read(keys: Sequence[Any]) -> Mapping[Any, T]:
            return await self.look_up(permission, query, keys)

        return await self._load_together((permission, query), read, key)

    async def _load_together(
        self, name: Hashable, read: Callable[[Sequence[Any]], Awaitable[Mapping[Any, T]]], key: Any
    ) -> T | None:
        """Return the value that `read` finds for this key. Keys wanted together under one name share one call."""
        loader = self.context.loaders.get(name)
        if loader is None:

            async def together(keys: list[Any]) -> list[T | None]:
                found = await read(list(dict.fromkeys(keys)))
                return [found.get(one) for one in keys]

            loader = self.context.loaders[name] = DataLoader(together, cache=False)
        found: T | None = await loader.load(key)
        return found

    @property
    def coordinate(self) -> str:
        """The place of the field in the SDL, such as `Query.batches`."""
        return f"{self._raw_info.parent_type.name}.{self.field_name}"

    async def connection(
        self,
        find: Callable[[ReadSession, PlantScope, Any, Key | None, int], Sequence[T]],
        count: Callable[[ReadSession, PlantScope, Any], int | None],
        filters: Any,
        page: tuple[int | None, str | None],
        *,
        key: Callable[[T], Key],
        make: Callable[[T], Node],
    ) -> Connection[Node]:
        """Return one page, given as `first` and `after`, of the rows that `find` returns and `count` counts."""
        listing = Listing(self.coordinate, self.services.cursors, (filters,))
        wanted = listing.page(*page)
        rows = await self.read(find, filters, wanted.after, wanted.limit)
        self.context.spend(len(rows))
        return listing.connection(wanted, rows, key, make, lambda: self.read(count, filters))

    async def children(
        self,
        permission: Permission,
        find: Children[K, T],
        count: Callable[..., Mapping[K, int]],
        parent: K,
        page: tuple[int | None, str | None],
        *,
        key: Callable[[T], Key],
        make: Callable[[T], Node],
        filters: Any = None,
        order: Any = None,
    ) -> Connection[Node]:
        """Return one page, given as `first` and `after`, of the rows of a parent: a connection below a list.

        `find(reads, scope, parents, after, limit)` returns rows of each parent, `count(reads, scope, parents)` their
        number. Both take `filters` by name where given, and `find` takes `order`. The first pages of all wanted parents
        share one query, and so do their counts. A later page is fetched for its parent alone.
        """
        self.access.check_read(permission)
        listing = Listing(self.coordinate, self.services.cursors, (parent, filters, order))
        wanted = listing.page(*page)
        given = {} if filters is None else {"filters": filters}
        ordered = given if order is None else given | {"order": order}

        async def first_pages(parents: Sequence[K]) -> dict[K, Sequence[T]]:
            found: dict[K, Sequence[T]] = {}
            for some in portions(parents, max(1, ROWS_MAX // wanted.limit)):
                found |= await self.read_under(permission, find, some, None, wanted.limit, **ordered)
                self.context.afford(sum(map(len, found.values())))
            return found

        async def counts(parents: Sequence[K]) -> Mapping[K, int]:
            return await self.read_under(permission, count, parents, **given)

        if wanted.after is None:
            rows = await self._load_together((permission, find, filters, order, wanted.limit), first_pages, parent)
        else:
            later = await self.read_under(permission, find, [parent], wanted.after, wanted.limit, **ordered)
            rows = later.get(parent)
        shown = rows or ()
        self.context.spend(len(shown))

        async def total() -> int:
            return await self._load_together((permission, count, filters), counts, parent) or 0

        return listing.connection(wanted, shown, key, make, total)

    async def require_a_plant(self) -> None:
        """Raise NotPermitted unless the caller has the field's permission at a plant: for an object that is lists."""
        await self.read(_nothing)

    def require(self, plant: int) -> None:
        """Raise NotPermitted unless the caller has the field's permission at the plant."""
        require(self.context.actor, self.access.only, plant)

    async def write(
        self, command: Command[Order], order: Order, input: RequestInput, *, plant: int | None = None
    ) -> Entry:
        """Run the field's command on the writer, at `plant` or at this node's own plant.

        Returns once the entry is durable. Raises Refusal, NotPermitted among them, and ValidationEnded while
        validating.
        """
        services, author = self.services, self.context.actor.author
        number = services.plant if plant is None else plant
        self.access.check_command(command)
        self.require(number)
        occurred_at, reason = (input.occurred_at, input.reason) if isinstance(input, MutationInput) else (None, None)

        def work(session: Session) -> Entry:
            call = CommandContext(number, services.clock.now(), occurred_at, str(input.request_id), reason)
            repeated = self.validating and command.recorded(session, call) is not None
            entry = command(session, order, actor=author, call=call)
            if self.validating:
                raise _ended(entry, call, repeated=repeated)
            return entry

        return await self._submit(work)

    async def direct(self, command: GroupCommand[Order], order: Order, input: MutationInput) -> list[Entry]:
        """Run the field's command on the hub's writer; returns one entry for each plant that it addresses.

        Only a role in the group carries the permission here. Raises what `write` raises.
        """
        services, author = self.services, self.context.actor.author
        self.access.check_command(command)
        self.require(HUB)

        def work(session: Session) -> list[Entry]:
            call = CommandContext(HUB, services.clock.now(), input.occurred_at, str(input.request_id), input.reason)
            repeated = self.validating and bool(command.recorded(session, call))
            entries = command(session, order, actor=author, call=call)
            if self.validating:
                raise _ended(entries[0], call, repeated=repeated)
            return entries

        return await self._submit(work)

    async def work(
        self,
        command: AnyCommand,
        work: Callable[[Session, Author, CommandContext], T],
        input: MutationInput,
    ) -> T:
        """Run a function on the writer that runs the field's command for many rows. Raises what the function raises."""
        services, author = self.services, self.context.actor.author
        self.access.check_command(command)
        self.require(services.plant)

        def run(session: Session) -> T:
            at, request = input.occurred_at, str(input.request_id)
            return work(
                session, author, CommandContext(services.plant, services.clock.now(), at, request, input.reason)
            )

        return await self._submit(run)

    async def _submit(self, work: Callable[[Session], T]) -> T:
        # Shielded: a client that disconnects must not cancel a transaction that may have begun.
        done = await asyncio.shield(asyncio.wrap_future(self.services.writer.submit(work)))
        await self.context.snapshot.close()
        return done

    def replication(self, reads: ReadSession, scope: PlantScope, numbers: Sequence[int]) -> dict[int, PlantReplication]:
        """Return the replication status of plants of the scope by number: a query for `load`."""
        found = replication_status(reads, scope, now=self.services.clock.now())
        return {one.plant_id: one for one in found if one.plant_id in numbers}


def _ended(entry: Entry, call: CommandContext, *, repeated: bool) -> ValidationEnded:
    return ValidationEnded(
        Validated(validated_at=call.now, event_type=EventType(entry.type), already_recorded=repeated)
    )


def _nothing(_reads: ReadSession, _scope: PlantScope) -> None:
    """Read nothing."""


def required(found: T | None) -> T:
    """Return a row that must exist: it was just written, or another row refers to it."""
    assert found is not None
    return found
