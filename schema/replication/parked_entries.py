"""Parked entries: entries that the hub could not apply, and the decisions about them."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.commands.replication.parked_entries import ParkedEntry as EntryOrder
from plants.commands.replication.parked_entries import retry_entry, skip_entry
from plants.rules.replication.refusals import ENTRY_NOT_PARKED
from plants.rules.values.refusals import NOT_STATED, Refusal
from plants.store.ledger.entries import HUB_LOG
from plants.store.replication.parked_entries import (
    BY_INDEX,
    ParkedEntriesFilter,
    ParkedOrderField,
    ParkedSeen,
    ParkedState,
    SkippedEntriesFilter,
    SkippedEntryRow,
    parked_by_place,
    parked_count,
    parked_page,
    skipped_by_place,
    skipped_count,
    skipped_page,
)
from plants.store.sql.orders import Order
from schema.audit.history import LedgerEntry, entry_of
from schema.engine.abilities import Ability, ability
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.filters import CodeFilter, DateTimeRange, Filter, criterion
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable, named
from schema.engine.operations import HUB_ONLY, mutation, query
from schema.engine.orders import Ordering
from schema.engine.scalars import EventType, Sha256
from schema.group.plants import Plant, plant_numbered
from schema.people.actors import Actor

enum_type(ParkedState)
enum_type(ParkedOrderField)
INDEX = "Position of the entry in the plant's ledger, from 0."
ERROR = "Error of the last attempt, as technical text in English."


@object_type
class ParkedEntry(Node):
    """An entry of a plant that the hub stores with its proofs but has not applied to its tables."""

    index: int = described(INDEX)
    state: ParkedState = described("State of the entry.")
    type: EventType | None = described("Event type. Null if the plant is halted.")
    key: str = described("Key of the subject: a batch code or a process record id. Empty if the plant is halted.")
    error: str | None = described(f"{ERROR} Null if it waits for another entry or for an upgrade.")
    needed_version: int | None = described(
        "Version of the event type that the hub's program does not know. Null if it knows the version."
    )
    attempts: int = described("Number of attempts.")
    parked_at: datetime = described("Time of parking.")
    next_attempt_at: datetime | None = described(
        "Time of the next attempt. Null if a decision or an upgrade is needed."
    )
    leaf_hash: Sha256 | None = described("Leaf hash. Null if the plant is halted before its next entry.")
    seen: strawberry.Private[ParkedSeen]

    @field("Plant of the ledger.")
    async def plant(self, info: Info) -> Plant:
        return required(await plant_numbered(info, self.seen.fault.log_id))

    @field("The signed entry. Null without the right to read the ledger.")
    async def entry(self, info: Info) -> LedgerEntry | None:
        return await entry_of(info, (self.seen.fault.log_id, self.index))

    @field("Your ability to have it retried now.")
    async def viewer_can_retry(self, info: Info) -> Ability:
        return await self._decidable(info)

    @field("Your ability to skip it for good now.")
    async def viewer_can_skip(self, info: Info) -> Ability:
        return await self._decidable(info)

    async def _decidable(self, info: Info) -> Ability:
        async def check() -> None:
            if not self.seen.decidable:
                raise Refusal(ENTRY_NOT_PARKED, entry=self.index, plant=(await self.plant(info)).code)

        return await ability(info, Permission.PARKED_DECIDE, HUB_LOG, check)

    @classmethod
    def of(cls, seen: ParkedSeen) -> Self:
        fault = seen.fault
        return cls(
            id=node_id("parked", fault.log_id, fault.idx, seen.leaf or ""),
            index=fault.idx,
            state=seen.state,
            type=EventType(fault.type) if fault.type else None,
            key="" if seen.state is ParkedState.HALTED else fault.key,
            error=None if seen.state is ParkedState.NEEDS_UPGRADE else fault.error,
            needed_version=fault.needs_version,
            attempts=fault.attempts,
            parked_at=fault.parked_at,
            next_attempt_at=fault.next_attempt_at,
            leaf_hash=None if seen.leaf is None else Sha256(seen.leaf),
            seen=seen,
        )


@findable("parked", int, int, str)
async def _find_parked(info: Info, parts: tuple[int, int, str]) -> ParkedEntry | None:
    *place, leaf = parts
    seen = await info.load(Permission.REPLICATION_READ, parked_by_place, tuple(place))
    return None if seen is None or (seen.leaf or "") != leaf else ParkedEntry.of(seen)


@object_type
class SkippedEntry(Node):
    """An entry of a plant that an administrator excluded from the hub's tables."""

    index: int = described(INDEX)
    type: EventType = described("Event type, such as BatchReceived.")
    error: str = described(ERROR)
    reason: str = described("Reason of the decision.")
    skipped_by: Actor = described("User who decided.")
    printed_name: str = described("Name of the decider as printed with the signature.")
    skipped_at: datetime = described("Time of the decision.")
    leaf_hash: Sha256 = described("Leaf hash of the entry.")
    number: strawberry.Private[int]
    decided: strawberry.Private[int]

    @field("Plant of the ledger.")
    async def plant(self, info: Info) -> Plant:
        return required(await plant_numbered(info, self.number))

    @field("The signed decision in the hub's own ledger. Null without the right to read it.")
    async def decision(self, info: Info) -> LedgerEntry | None:
        return await entry_of(info, (HUB_LOG, self.decided))

    @classmethod
    def of(cls, row: SkippedEntryRow) -> Self:
        return cls(
            id=node_id("skipped", row.of_plant, row.idx),
            index=row.idx,
            type=EventType(row.type),
            error=row.error,
            reason=row.reason,
            skipped_by=Actor.of(row.skipped_by),
            printed_name=row.printed_name,
            skipped_at=row.skipped_at,
            leaf_hash=Sha256(row.leaf),
            number=row.of_plant,
            decided=row.entry_idx,
        )


@findable("skipped", int, int)
async def _find_skipped(info: Info, place: tuple[int, int]) -> SkippedEntry | None:
    row = await info.load(Permission.REPLICATION_READ, skipped_by_place, place)
    return None if row is None else SkippedEntry.of(row)


@input_type
class ParkedEntryFilter:
    """Filters parked entries. A field that is not given does not filter."""

    state: Filter[ParkedState] | None = described("State of the entry.", default=None)
    plant_code: CodeFilter | None = described("Code of the plant of the ledger.", default=None)
    type: CodeFilter | None = described("Event type, such as BatchReceived.", default=None)
    key: CodeFilter | None = described("Key of the subject: a batch code or a process record id.", default=None)

    def criteria(self, order: Order[ParkedOrderField]) -> ParkedEntriesFilter:
        state, plant = criterion(self.state), criterion(self.plant_code)
        return ParkedEntriesFilter(state, plant, criterion(self.type), criterion(self.key), order)


@input_type
class SkippedEntryFilter:
    """Filters skipped entries. A field that is not given does not filter."""

    plant_code: CodeFilter | None = described("Code of the plant of the ledger.", default=None)
    type: CodeFilter | None = described("Event type, such as BatchReceived.", default=None)
    skipped_by_code: CodeFilter | None = described("Code of the user who decided.", default=None)
    skipped_at: DateTimeRange | None = described("Time of the decision.", default=None)

    def criteria(self, order: Order[ParkedOrderField]) -> SkippedEntriesFilter:
        plant, kind = criterion(self.plant_code), criterion(self.type)
        return SkippedEntriesFilter(plant, kind, criterion(self.skipped_by_code), criterion(self.skipped_at), order)


@input_type
class ParkedEntryOrder(Ordering):
    """Order of parked or skipped entries."""

    field: ParkedOrderField = described("Field to order by.")

    @property
    def order(self) -> Order[ParkedOrderField]:
        return Order(self.field, self.direction)


OrderBy = Annotated[ParkedEntryOrder | None, argument("Order. Without it, plant by plant, the oldest first.")]


@query(
    "Lists entries that are not in the tables, for plants whose replication you may see.",
    permission=Permission.REPLICATION_READ,
    roles=HUB_ONLY,
)
async def parked_entries(
    info: Info,
    *,
    filter: Annotated[ParkedEntryFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: OrderBy = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[ParkedEntry]:
    order = BY_INDEX if order_by is None else order_by.order
    return await info.connection(
        parked_page, parked_count, (filter or ParkedEntryFilter()).criteria(order), (first, after),
        key=lambda seen: (seen.fault.log_id, seen.fault.idx), make=ParkedEntry.of,
    )  # fmt: skip


@query(
    "Lists entries that were skipped for good, for plants whose replication you may see.",
    permission=Permission.REPLICATION_READ,
    roles=HUB_ONLY,
)
async def skipped_entries(
    info: Info,
    *,
    filter: Annotated[SkippedEntryFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: OrderBy = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[SkippedEntry]:
    order = BY_INDEX if order_by is None else order_by.order
    return await info.connection(
        skipped_page, skipped_count, (filter or SkippedEntryFilter()).criteria(order), (first, after),
        key=lambda row: (row.of_plant, row.idx), make=SkippedEntry.of,
    )  # fmt: skip


PARKED_ID = "Id of the parked entry. It covers the content: an entry that replaced another one has another id."


@input_type
class RetryParkedEntryInput(MutationInput):
    """The parked entry to retry, and the reason."""

    parked_entry_id: strawberry.ID = described(PARKED_ID)
    reason: str = described("Reason: the change since the failure.")


@input_type
class SkipParkedEntryInput(MutationInput):
    """The parked entry to skip, and the reason."""

    parked_entry_id: strawberry.ID = described(PARKED_ID)
    reason: str = described("Reason, for readers of the ledger.")


@object_type
class EntryRetried(Recorded):
    """A parked entry and those that wait for it are being retried."""


@object_type
class EntrySkipped(Recorded):
    """A parked entry was skipped for good. Entries that waited for it are being retried."""


def _order(input: RetryParkedEntryInput | SkipParkedEntryInput) -> EntryOrder:
    return EntryOrder(*named("parkedEntryId", "parked", input.parked_entry_id, ENTRY_NOT_PARKED, plant=NOT_STATED))


@mutation(
    "Retry a parked entry now, with the entries that wait for it. "
    'Example: `{ parkedEntryId: "cGFya2VkLzEvNDI", reason: "The hub was upgraded" }`.',
    roles=HUB_ONLY,
    permission=Permission.PARKED_DECIDE,
    command=retry_entry,
    refusals=(ENTRY_NOT_PARKED,),
)
async def retry_parked_entry(info: Info, input: Input[RetryParkedEntryInput]) -> EntryRetried:
    order = _order(input)
    entry = await info.write(retry_entry, order, input, plant=HUB_LOG)
    return EntryRetried(entry=RecordedEntry.of(entry))


@mutation(
    "Skip a parked entry for good, also in rebuilds. It stays in the plant's ledger. "
    'Example: `{ parkedEntryId: "cGFya2VkLzEvNDI", reason: "Corrected at the plant" }`.',
    roles=HUB_ONLY,
    permission=Permission.PARKED_DECIDE,
    command=skip_entry,
    refusals=(ENTRY_NOT_PARKED,),
)
async def skip_parked_entry(info: Info, input: Input[SkipParkedEntryInput]) -> EntrySkipped:
    order = _order(input)
    entry = await info.write(skip_entry, order, input, plant=HUB_LOG)
    return EntrySkipped(entry=RecordedEntry.of(entry))
