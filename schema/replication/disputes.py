"""Conflicting entries: entries that a repair could not apply, until an operator settles them."""

from datetime import datetime
from typing import Annotated, Final, Self

import strawberry

from auth.permissions import Permission
from plants.commands.replication.disputes import Settlement
from plants.commands.replication.disputes import settle_dispute as settle
from plants.rules.replication.refusals import DISPUTE_SETTLED, DISPUTE_UNKNOWN
from plants.rules.values.refusals import Refusal, within
from plants.store.replication.disputes import (
    AS_RECORDED,
    ConflictingEntryOrderField,
    DisputeRow,
    DisputesFilter,
    DisputeState,
    check_unsettled,
    disputes_by_place,
    disputes_count,
    disputes_page,
)
from plants.store.sql.orders import Order
from schema.audit.history import LedgerEntry, entry_of
from schema.engine.abilities import Ability, ability
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.filters import CodeFilter, DateTimeRange, criterion
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable, named, read_id
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.engine.orders import Ordering
from schema.engine.scalars import ConflictKind, EventType, RequestId
from schema.group.plants import Plant, plant_numbered
from schema.people.actors import Actor, actor_or_none

enum_type(ConflictingEntryOrderField)
CONFLICTS_MAX: Final = 100


@object_type
class EntryConflict:
    """One reason why an entry could not be applied after a repair."""

    kind: ConflictKind = described("Kind of conflict.")
    subject: str = described("Subject of the conflict: a batch code or id, a process record or an alias.")


@object_type
class ConflictingEntry(Node):
    """An entry that a repair kept but did not apply, because it conflicts with other entries."""

    index: int = described("Index of the entry in the plant's ledger that reports the conflict.")
    event_id: RequestId = described("Id of the event, unique across all nodes.")
    type: EventType = described("Event type of the entry that was not applied.")
    key: str = described("Key of the subject: a batch code or a process record id.")
    actor: Actor = described("Actor of the entry that was not applied.")
    occurred_at: datetime = described("Time of the event.")
    conflicts: list[EntryConflict] = described(
        f"Reasons why it could not be applied. There are at most {CONFLICTS_MAX}."
    )
    open: bool = described("True while it needs an operator.")
    settlement: str | None = described("Action taken, as the user described it. Null while it is open.")
    settled_by: Actor | None = described("User who settled it. Null while it is open, or if it settled itself.")
    settled_at: datetime | None = described(
        "Time of the settlement by a user. Null while it is open, or if it settled itself."
    )
    number: strawberry.Private[int]
    row: strawberry.Private[DisputeRow]

    @field("Plant of the ledger.")
    async def plant(self, info: Info) -> Plant:
        return required(await plant_numbered(info, self.number))

    @field("The entry that reports the conflict. Its payload contains the entry that was not applied.")
    async def entry(self, info: Info) -> LedgerEntry | None:
        return await entry_of(info, (self.number, self.index))

    @field("Entry that settled it. Null while it is open.")
    async def settled(self, info: Info) -> LedgerEntry | None:
        index = self.row.settled_idx
        return None if index is None else await entry_of(info, (self.number, index))

    @field("Your ability to settle it now. Null at the hub: an entry is settled at its plant.")
    async def viewer_can_settle(self, info: Info) -> Ability | None:
        if self.number != info.services.plant:
            return None

        async def check() -> None:
            check_unsettled(self.row)

        return await ability(info, Permission.CONFLICT_SETTLE, self.number, check)

    @classmethod
    def of(cls, row: DisputeRow) -> Self:
        return cls(
            id=node_id("dispute", row.plant_id, row.entry_idx),
            index=row.entry_idx,
            event_id=RequestId(row.event_id),
            type=EventType(row.type),
            key=row.key,
            actor=Actor.of(row.actor),
            occurred_at=row.occurred_at,
            conflicts=[
                EntryConflict(kind=ConflictKind(one["code"]), subject=one["what"])
                for one in row.collisions[:CONFLICTS_MAX]
            ],
            open=row.state is DisputeState.OPEN,
            settlement=row.settlement,
            settled_by=actor_or_none(row.settled_by),
            settled_at=row.settled_at,
            number=row.plant_id,
            row=row,
        )


@findable("dispute", int, int)
async def _find(info: Info, numbers: tuple[int, ...]) -> ConflictingEntry | None:
    found = await info.load(Permission.LEDGER_READ, disputes_by_place, numbers)
    return None if found is None else ConflictingEntry.of(found)


@query(
    "Returns the conflicting entry with this id. Null if there is none that you may see.",
    permission=Permission.LEDGER_READ,
)
async def conflicting_entry(
    info: Info, id: Annotated[strawberry.ID, argument("Id of the conflicting entry.")]
) -> ConflictingEntry | None:
    place = read_id("dispute", id)
    return None if place is None else await _find(info, place)


@input_type
class ConflictingEntryFilter:
    """Filters conflicting entries. A field that is not given does not filter."""

    open: bool | None = described("True for open ones, false for settled ones. Without it, both.", default=None)
    plant_code: CodeFilter | None = described("Code of the plant of the ledger.", default=None)
    type: CodeFilter | None = described("Event type of the entry that was not applied.", default=None)
    key: CodeFilter | None = described("Key of the subject: a batch code or a process record id.", default=None)
    actor_code: CodeFilter | None = described("Code of the actor of the entry that was not applied.", default=None)
    occurred_at: DateTimeRange | None = described("Time of the event.", default=None)

    def criteria(self, order: Order[ConflictingEntryOrderField]) -> DisputesFilter:
        return DisputesFilter(
            open=self.open,
            plant=criterion(self.plant_code),
            type=criterion(self.type),
            key=criterion(self.key),
            actor=criterion(self.actor_code),
            occurred_at=criterion(self.occurred_at),
            order=order,
        )


@input_type
class ConflictingEntryOrder(Ordering):
    """Order of conflicting entries."""

    field: ConflictingEntryOrderField = described("Field to order by.")


@query(
    "Lists conflicting entries of the ledgers that you may read.",
    permission=Permission.LEDGER_READ,
)
async def conflicting_entries(
    info: Info,
    *,
    filter: Annotated[ConflictingEntryFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: Annotated[
        ConflictingEntryOrder | None, argument("Order. Without it, plant by plant, the oldest first.")
    ] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[ConflictingEntry]:
    order = AS_RECORDED if order_by is None else Order(order_by.field, order_by.direction)
    return await info.connection(
        disputes_page, disputes_count, (filter or ConflictingEntryFilter()).criteria(order), (first, after),
        key=lambda one: (one.plant_id, one.entry_idx), make=ConflictingEntry.of,
    )  # fmt: skip


@input_type
class SettleConflictingEntryInput(MutationInput):
    """The conflicting entry to settle, and the action taken."""

    conflicting_entry_id: strawberry.ID = described("Id of the conflicting entry.")
    reason: str = described("Action taken, or the reason why none is needed.")


@object_type
class ConflictingEntrySettled(Recorded):
    """A conflicting entry was settled. Separate entries record the correct facts."""

    conflicting_entry: ConflictingEntry = described("The entry with its current state.")


@mutation(
    "Settle a conflicting entry after the correct facts were recorded. It changes no goods. "
    'Example: `{ conflictingEntryId: "ZGlzcHV0ZS8xLzQy", reason: "Counted, and recorded anew" }`.',
    roles=PLANT_ONLY,
    permission=Permission.CONFLICT_SETTLE,
    command=settle,
    refusals=(
        DISPUTE_SETTLED,
        DISPUTE_UNKNOWN,
    ),
)
async def settle_conflicting_entry(info: Info, input: Input[SettleConflictingEntryInput]) -> ConflictingEntrySettled:
    plant, index = named("conflictingEntryId", "dispute", input.conflicting_entry_id, DISPUTE_UNKNOWN)
    if plant != info.services.plant:
        with within("conflictingEntryId"):
            raise Refusal(DISPUTE_UNKNOWN, dispute=index)
    entry = await info.write(settle, Settlement(index, input.reason), input)
    found = await _find(info, (plant, index))
    return ConflictingEntrySettled(entry=RecordedEntry.of(entry), conflicting_entry=required(found))
