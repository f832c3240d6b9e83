"""Parked entries in the contract: what the hub could not put into its tables, and what a person decides on it."""

from datetime import datetime
from typing import Annotated, Any, Self

import strawberry

from auth.permissions import Permission
from plants.commands.replication.parked_entries import ParkedEntry as Order
from plants.commands.replication.parked_entries import retry_entry, skip_entry
from plants.rules.replication.refusals import ENTRY_NOT_PARKED
from plants.rules.values.instants import from_micros
from plants.store.audit.history import LedgerKind, log_named
from plants.store.ledger.entries import HUB_LOG
from plants.store.replication import parked_entries as kept
from plants.store.replication.parked_entries import ParkedSeen, ParkedSought, ParkedState, SkippedEntryRow
from schema.audit.history import LedgerEntry, entry_of
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, sure
from schema.engine.entries import ENTRY, RecordedEntry
from schema.engine.fields import argument, described, field
from schema.engine.inputs import Input, MutationInput
from schema.engine.refusals import mutation
from schema.engine.scalars import PlantCode
from schema.group.plants import Plant, instant, plant_numbered

ParkedStateEnum = strawberry.enum(
    ParkedState,
    name="ParkedState",
    description="Why an entry is not in the tables: it FAILED, it NEEDS_UPGRADE of the program, it WAITS_BEHIND another"
    " one, or all of its plant is HALTED there. A person decides on the first two.",
)
INDEX = "The entry's position in the plant's ledger, from 0."
LEAF = "The leaf hash of the entry that is meant, as it was listed."
OF_PLANT = "The plant whose ledger it stands in, by its code."


@strawberry.type(description="An entry of a plant that the hub has, with its proofs, and not in its tables.")
class ParkedEntry:
    """An entry of a plant that the hub has and not in its tables."""

    index: int = described(INDEX)
    state: ParkedState = described("Why it is not in the tables.")
    type: str = described("What happened, in the past tense; empty where the plant is halted.")
    about: str = described("What it is about: a batch's code, the id of a process record.")
    error: str | None = described("What went wrong, where it waits because of itself.")
    attempts: int = described("How often it was tried.")
    parked_at: datetime = described("Since when it waits.")
    next_attempt_at: datetime | None = described(
        "When it is tried again; null where only a person or an upgrade helps."
    )
    leaf_hash: str | None = described("Its leaf hash, hexadecimal: whoever decides says that this is what they saw.")
    number: strawberry.Private[int]

    @field("The plant whose ledger it stands in.")
    async def plant(self, info: Info) -> Plant:
        return sure(await plant_numbered(info, self.number))

    @field("The entry as it stands signed, where you may read the ledger.")
    async def entry(self, info: Info) -> LedgerEntry | None:
        return await entry_of(info, (self.number, self.index))

    @classmethod
    def of(cls, seen: ParkedSeen) -> Self:
        """Return a parked entry as the contract answers it."""
        fault = seen.fault
        return cls(
            index=fault.idx,
            state=seen.state,
            type=fault.type,
            about="" if seen.state is ParkedState.HALTED else fault.key,
            error=fault.error,
            attempts=fault.attempts,
            parked_at=from_micros(fault.parked_us),
            next_attempt_at=instant(fault.next_attempt_us),
            leaf_hash=seen.leaf,
            number=fault.log_id,
        )


@strawberry.type(description="An entry of a plant that a person decided never to put into the hub's tables.")
class SkippedEntry:
    """An entry of a plant that a person decided never to put into the hub's tables."""

    index: int = described(INDEX)
    type: str = described("What happened, in the past tense.")
    error: str = described("What had gone wrong.")
    reason: str = described("Why it was passed over.")
    skipped_by: str = described("Who decided so, by employee number.")
    printed_name: str = described("Their name as it was then.")
    skipped_at: datetime = described("When they decided so.")
    leaf_hash: str = described("The leaf hash of the entry, hexadecimal.")
    number: strawberry.Private[int]
    decided: strawberry.Private[int]

    @field("The plant whose ledger it stands in.")
    async def plant(self, info: Info) -> Plant:
        return sure(await plant_numbered(info, self.number))

    @field("The decision as it stands signed in the hub's own ledger, where you may read that.")
    async def decision(self, info: Info) -> LedgerEntry | None:
        return await entry_of(info, (HUB_LOG, self.decided))

    @classmethod
    def of(cls, row: SkippedEntryRow) -> Self:
        """Return an entry that was passed over as the contract answers it."""
        return cls(
            index=row.idx,
            type=row.type,
            error=row.error,
            reason=row.reason,
            skipped_by=row.skipped_by,
            printed_name=row.printed_name,
            skipped_at=from_micros(row.skipped_us),
            leaf_hash=row.leaf,
            number=row.of_plant,
            decided=row.entry_idx,
        )


@field("Entries that could not be put into the tables, and those behind them: over the plants you may watch.")
async def parked_entries(
    info: Info,
    state: Annotated[ParkedState | None, argument("Only those that wait for this; all unless given.")] = None,
    first: First = None,
    after: After = None,
) -> Connection[ParkedEntry]:
    return await info.context.connection(
        Permission.REPLICATION_READ, kept.parked_page, kept.parked_count, ParkedSought(state), (first, after),
        key=lambda seen: (seen.fault.log_id, seen.fault.idx), make=ParkedEntry.of,
    )  # fmt: skip


@field("Entries that were passed over for good, by plant and position: over the plants you may watch.")
async def skipped_entries(info: Info, first: First = None, after: After = None) -> Connection[SkippedEntry]:
    return await info.context.connection(
        Permission.REPLICATION_READ, kept.skipped_page, kept.skipped_count, None, (first, after),
        key=lambda row: (row.of_plant, row.idx), make=SkippedEntry.of,
    )  # fmt: skip


@strawberry.input(description="Which parked entry shall be tried again at once, and why.")
class RetryParkedEntryInput(MutationInput):
    """Which parked entry shall be tried again at once."""

    plant: PlantCode = described(OF_PLANT)
    index: int = described(INDEX)
    leaf_hash: str = described(LEAF)
    reason: str = described("Why: what has changed since it failed.")


@strawberry.input(description="Which parked entry shall never be put into the tables, and why.")
class SkipParkedEntryInput(MutationInput):
    """Which parked entry shall never be put into the tables."""

    plant: PlantCode = described(OF_PLANT)
    index: int = described(INDEX)
    leaf_hash: str = described(LEAF)
    reason: str = described("Why, for those who read the ledger later.")


@strawberry.type(description="A parked entry is tried again at once, and what waits behind it.")
class EntryRetried:
    """A parked entry is tried again at once."""

    entry: RecordedEntry = described(ENTRY)


@strawberry.type(description="A parked entry is passed over for good; what waits behind it is tried at once.")
class EntrySkipped:
    """A parked entry is passed over for good."""

    entry: RecordedEntry = described(ENTRY)


async def _order(info: Info, said: Any) -> Order:
    # Asked before it is known whether there is such a plant, so that nobody learns that from the answer.
    info.context.require(Permission.PARKED_DECIDE, HUB_LOG)
    number = await info.context.read(Permission.PARKED_DECIDE, log_named, said.plant, LedgerKind.PLANT, HUB_LOG)
    return Order(number or HUB_LOG, said.index, said.leaf_hash)


@mutation(
    EntryRetried,
    ENTRY_NOT_PARKED,
    description="Have a parked entry tried again at once, and what waits behind it.",
)
async def retry_parked_entry(info: Info, input: Input[RetryParkedEntryInput]) -> Any:
    order = await _order(info, input)
    entry = await info.context.write(Permission.PARKED_DECIDE, retry_entry, order, input, plant=HUB_LOG)
    return EntryRetried(entry=RecordedEntry.of(entry))


@mutation(
    EntrySkipped,
    ENTRY_NOT_PARKED,
    description="Pass over a parked entry for good, after a rebuild too; it stays in the plant's ledger.",
)
async def skip_parked_entry(info: Info, input: Input[SkipParkedEntryInput]) -> Any:
    order = await _order(info, input)
    entry = await info.context.write(Permission.PARKED_DECIDE, skip_entry, order, input, plant=HUB_LOG)
    return EntrySkipped(entry=RecordedEntry.of(entry))
