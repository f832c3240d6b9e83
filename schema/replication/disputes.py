"""Disputed entries in the contract: what a repaired ledger could not apply, until a person has dealt with it."""

from datetime import datetime
from typing import Annotated, Any, Self

import strawberry

from auth.permissions import Permission
from plants.commands.replication.disputes import Settlement
from plants.commands.replication.disputes import settle_dispute as settle
from plants.rules.replication.refusals import DISPUTE_SETTLED, DISPUTE_UNKNOWN
from plants.rules.values.instants import from_micros
from plants.store.replication import disputes as kept
from plants.store.replication.disputes import Disputed, DisputesSought
from schema.audit.history import LedgerEntry, entry_of
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, sure
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import argument, described, field
from schema.engine.inputs import Input, MutationInput
from schema.engine.nodes import Node, findable, node_id
from schema.engine.refusals import mutation
from schema.group.plants import Plant, instant, plant_numbered

INDEX = "The index of the entry of the plant's ledger that disputes the other one; it names the dispute."


@strawberry.type(description="One reason why an entry could not be applied behind those that a repair took on.")
class DisputeCollision:
    """One reason why an entry could not be applied."""

    code: str = described("The kind of reason, such as CODE_TAKEN; a code is never renamed, and new ones come.")
    what: str = described("What it is about: a batch's code or id, a process record, an alias.")


@strawberry.type(description="An entry that a repair kept whole and did not apply, because it collides with others.")
class Dispute(Node):
    """An entry that a repair kept whole and did not apply."""

    index: int = described(INDEX)
    event_id: str = described("The id of what happened, unique everywhere.")
    type: str = described("What happened, in the past tense.")
    about: str = described("What it is about: a batch's code, the id of a process record.")
    actor: str = described("Who had done it, by employee number.")
    occurred_at: datetime = described("When it had happened.")
    collisions: list[DisputeCollision] = described("Why it could not be applied.")
    open: bool = described("Whether it waits for a person.")
    settlement: str | None = described(
        "What was done, in the words of whoever settled it; ALREADY_RECORDED or ANSWERED_AGAIN where nobody had to."
    )
    settled_by: str | None = described("Who settled it, by employee number.")
    settled_at: datetime | None = described("When a person settled it.")
    number: strawberry.Private[int]
    settled_idx: strawberry.Private[int | None]

    @field("The plant whose ledger it stands in.")
    async def plant(self, info: Info) -> Plant:
        return sure(await plant_numbered(info, self.number))

    @field("The entry that disputes it; its payload holds the disputed one whole.")
    async def entry(self, info: Info) -> LedgerEntry | None:
        return await entry_of(info, (self.number, self.index))

    @field("The entry that says how a person settled it.")
    async def settled(self, info: Info) -> LedgerEntry | None:
        return None if self.settled_idx is None else await entry_of(info, (self.number, self.settled_idx))

    @classmethod
    def of(cls, disputed: Disputed) -> Self:
        """Return a disputed entry as the contract answers it."""
        row = disputed.row
        return cls(
            id=node_id("dispute", row.plant_id, row.entry_idx),
            index=row.entry_idx,
            event_id=row.event_id,
            type=row.type,
            about=row.key,
            actor=row.actor,
            occurred_at=from_micros(row.occurred_us),
            collisions=[DisputeCollision(**one) for one in disputed.collisions],
            open=row.state == "OPEN",
            settlement=row.settlement,
            settled_by=row.settled_by,
            settled_at=instant(row.settled_us),
            number=row.plant_id,
            settled_idx=row.settled_idx,
        )


@findable("dispute", 2)
async def _find(info: Info, numbers: tuple[int, ...]) -> Dispute | None:
    found = await info.context.load(Permission.LEDGER_READ, kept.disputes_by_place, numbers)
    return None if found is None else Dispute.of(found)


@field("Entries that repairs could not apply, by plant, the oldest first: where you may read the ledger.")
async def disputes(
    info: Info,
    *,
    open: Annotated[
        bool | None, argument("Only those that wait for a person, or that do not; all unless given.")
    ] = None,
    first: First = None,
    after: After = None,
) -> Connection[Dispute]:
    return await info.context.connection(
        Permission.LEDGER_READ, kept.disputes_page, kept.disputes_count, DisputesSought(open), (first, after),
        key=lambda one: (one.row.plant_id, one.row.entry_idx), make=Dispute.of,
    )  # fmt: skip


@strawberry.input(description="Which disputed entry is dealt with, and what was done.")
class SettleDisputeInput(MutationInput):
    """Which disputed entry is dealt with, and what was done."""

    dispute: int = described(INDEX)
    reason: str = described("What was done, or why nothing has to be.")


@strawberry.type(description="A disputed entry is off the worklist. What is right is recorded by entries of its own.")
class DisputeSettled:
    """A disputed entry is off the worklist."""

    entry: RecordedEntry = described(ENTRY)
    dispute: Dispute = described("The disputed entry as it stands now.")


@mutation(
    DisputeSettled,
    DISPUTE_SETTLED,
    DISPUTE_UNKNOWN,
    description="Settle a disputed entry once what is right has been recorded; it changes no goods itself.",
)
async def settle_dispute(info: Info, input: Input[SettleDisputeInput]) -> Any:
    order = Settlement(input.dispute, input.reason)
    entry = await info.context.write(Permission.DISPUTE_SETTLE, settle, order, input)
    found = await _find(info, (info.context.serving.plant, input.dispute))
    return DisputeSettled(entry=RecordedEntry.of(entry), dispute=sure(found))
