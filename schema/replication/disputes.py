"""Disputed entries: entries that a repair could not apply, until an operator settles them."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.commands.replication.disputes import Settlement
from plants.commands.replication.disputes import settle_dispute as settle
from plants.rules.replication.refusals import DISPUTE_SETTLED, DISPUTE_UNKNOWN
from plants.store.replication.disputes import (
    DisputeRow,
    DisputesFilter,
    DisputeState,
    disputes_by_place,
    disputes_count,
    disputes_page,
)
from schema.audit.history import LedgerEntry, entry_of
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, field, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable
from schema.engine.operations import PLANT_ONLY, mutation, query
from schema.engine.scalars import EventType
from schema.group.plants import Plant, plant_numbered
from schema.people.actors import Actor, actor_or_none

INDEX = "Index of the disputing entry in the plant's ledger. It names the dispute."


@object_type
class EntryConflict:
    """One reason why an entry could not be applied after a repair."""

    code: str = described("Code of the reason, such as CODE_TAKEN. A code is never renamed; new codes may be added.")
    what: str = described("Subject of the conflict: a batch code or id, a process record or an alias.")


@object_type
class ConflictingEntry(Node):
    """A disputed entry. A repair kept it but did not apply it, because it conflicts with other entries."""

    index: int = described(INDEX)
    event_id: str = described("Id of the event, unique across all nodes.")
    type: EventType = described("Event type.")
    about: str = described("Key of the subject: a batch code or a process record id.")
    actor: Actor = described("Actor of the disputed entry.")
    occurred_at: datetime = described("Time of the event.")
    collisions: list[EntryConflict] = described("Reasons why it could not be applied.")
    open: bool = described("True while it needs an operator.")
    settlement: str | None = described(
        "Action taken, as the user described it. ALREADY_RECORDED or ANSWERED_AGAIN if it settled itself."
    )
    settled_by: Actor | None = described("User who settled it. Null while it is open, or if it settled itself.")
    settled_at: datetime | None = described("Time of settlement by a user.")
    number: strawberry.Private[int]
    settled_idx: strawberry.Private[int | None]

    @field("Plant of the ledger.")
    async def plant(self, info: Info) -> Plant:
        return required(await plant_numbered(info, self.number))

    @field("The disputing entry. Its payload contains the disputed entry.")
    async def entry(self, info: Info) -> LedgerEntry | None:
        return await entry_of(info, (self.number, self.index))

    @field("Entry that settled it. Null while it is open.")
    async def settled(self, info: Info) -> LedgerEntry | None:
        return None if self.settled_idx is None else await entry_of(info, (self.number, self.settled_idx))

    @classmethod
    def of(cls, row: DisputeRow) -> Self:
        return cls(
            id=node_id("dispute", row.plant_id, row.entry_idx),
            index=row.entry_idx,
            event_id=row.event_id,
            type=EventType(row.type),
            about=row.key,
            actor=Actor.of(row.actor),
            occurred_at=row.occurred_at,
            collisions=[EntryConflict(**one) for one in row.collisions],
            open=row.state is DisputeState.OPEN,
            settlement=row.settlement,
            settled_by=actor_or_none(row.settled_by),
            settled_at=row.settled_at,
            number=row.plant_id,
            settled_idx=row.settled_idx,
        )


@findable("dispute", int, int)
async def _find(info: Info, numbers: tuple[int, ...]) -> ConflictingEntry | None:
    found = await info.load(Permission.LEDGER_READ, disputes_by_place, numbers)
    return None if found is None else ConflictingEntry.of(found)


@query(
    "Lists disputed entries of ledgers that you may read, by plant, oldest first.",
    permission=Permission.LEDGER_READ,
)
async def disputes(
    info: Info,
    *,
    open: Annotated[bool | None, argument("True for open disputes, false for settled ones. Without it, all.")] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[ConflictingEntry]:
    return await info.connection(
        disputes_page, disputes_count, DisputesFilter(open), (first, after),
        key=lambda one: (one.plant_id, one.entry_idx), make=ConflictingEntry.of,
    )  # fmt: skip


@input_type
class SettleConflictingEntryInput(MutationInput):
    """The dispute to settle, and the action taken."""

    dispute: int = described(INDEX)
    reason: str = described("Action taken, or the reason why none is needed.")


@object_type
class ConflictingEntrySettled(Recorded):
    """A dispute was settled. Separate entries record the correct facts."""

    dispute: ConflictingEntry = described("ConflictingEntry with its current state.")


@mutation(
    "Settle a dispute after the correct facts were recorded. It changes no goods.",
    roles=PLANT_ONLY,
    permission=Permission.DISPUTE_SETTLE,
    command=settle,
    refusals=(
        DISPUTE_SETTLED,
        DISPUTE_UNKNOWN,
    ),
)
async def settle_conflicting_entry(info: Info, input: Input[SettleConflictingEntryInput]) -> ConflictingEntrySettled:
    order = Settlement(input.dispute, input.reason)
    entry = await info.write(settle, order, input)
    found = await _find(info, (info.services.plant, input.dispute))
    return ConflictingEntrySettled(entry=RecordedEntry.of(entry), dispute=required(found))
