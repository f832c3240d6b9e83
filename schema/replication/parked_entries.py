"""Parked entries: entries that the hub could not apply, and the decisions about them."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from auth.permissions import Permission
from plants.commands.replication.parked_entries import ParkedEntry as EntryOrder
from plants.commands.replication.parked_entries import retry_entry, skip_entry
from plants.rules.ledger.events import LedgerKind
from plants.rules.replication.refusals import ENTRY_NOT_PARKED
from plants.store.audit.history import log_named
from plants.store.ledger.entries import HUB_LOG
from plants.store.replication.parked_entries import (
    ParkedEntriesFilter,
    ParkedSeen,
    ParkedState,
    SkippedEntryRow,
    parked_count,
    parked_page,
    skipped_count,
    skipped_page,
)
from schema.audit.history import LedgerEntry, entry_of
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info, required
from schema.engine.entries import Recorded, RecordedEntry
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.inputs import Input, MutationInput
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.operations import HUB_ONLY, mutation, query
from schema.engine.scalars import EventType, PlantCode, Sha256
from schema.group.plants import Plant, plant_numbered
from schema.people.actors import Actor

enum_type(ParkedState)
INDEX = "Position of the entry in the plant's ledger, from 0."
LEAF = "Leaf hash of the entry, as listed."
OF_PLANT = "Code of the plant of the ledger."


@object_type
class ParkedEntry:
    """An entry of a plant that the hub stores with its proofs but has not applied to its tables."""

    index: int = described(INDEX)
    state: ParkedState = described("State of the entry.")
    type: EventType | None = described("Event type. Null if the plant is halted.")
    about: str = described("Key of the subject: a batch code or a process record id.")
    error: str | None = described("Error of the entry itself. Null if it waits for another entry.")
    attempts: int = described("Number of attempts.")
    parked_at: datetime = described("Time of parking.")
    next_attempt_at: datetime | None = described(
        "Time of the next attempt. Null if a decision or an upgrade is needed."
    )
    leaf_hash: Sha256 | None = described("Leaf hash. A decision must repeat it.")
    number: strawberry.Private[int]

    @field("Plant of the ledger.")
    async def plant(self, info: Info) -> Plant:
        return required(await plant_numbered(info, self.number))

    @field("The signed entry. Null without the right to read the ledger.")
    async def entry(self, info: Info) -> LedgerEntry | None:
        return await entry_of(info, (self.number, self.index))

    @classmethod
    def of(cls, seen: ParkedSeen) -> Self:
        fault = seen.fault
        return cls(
            index=fault.idx,
            state=seen.state,
            type=EventType(fault.type) if fault.type else None,
            about="" if seen.state is ParkedState.HALTED else fault.key,
            error=fault.error,
            attempts=fault.attempts,
            parked_at=fault.parked_at,
            next_attempt_at=fault.next_attempt_at,
            leaf_hash=None if seen.leaf is None else Sha256(seen.leaf),
            number=fault.log_id,
        )


@object_type
class SkippedEntry:
    """An entry of a plant that an administrator excluded from the hub's tables."""

    index: int = described(INDEX)
    type: EventType = described("Event type.")
    error: str = described("Error of the last attempt.")
    reason: str = described("Reason of the decision.")
    skipped_by: Actor = described("Decider.")
    printed_name: str = described("Name of the decider at that time.")
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


@query(
    "Lists entries that are not in the tables, for plants whose replication you may see.",
    permission=Permission.REPLICATION_READ,
    roles=HUB_ONLY,
)
async def parked_entries(
    info: Info,
    state: Annotated[ParkedState | None, argument("State. Without it, all.")] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[ParkedEntry]:
    return await info.connection(
        parked_page, parked_count, ParkedEntriesFilter(state), (first, after),
        key=lambda seen: (seen.fault.log_id, seen.fault.idx), make=ParkedEntry.of,
    )  # fmt: skip


@query(
    "Lists entries that were skipped for good, by plant and position, for plants whose replication you may see.",
    permission=Permission.REPLICATION_READ,
    roles=HUB_ONLY,
)
async def skipped_entries(info: Info, first: First = PAGE_DEFAULT, after: After = None) -> Connection[SkippedEntry]:
    return await info.connection(
        skipped_page, skipped_count, None, (first, after),
        key=lambda row: (row.of_plant, row.idx), make=SkippedEntry.of,
    )  # fmt: skip


@input_type
class RetryParkedEntryInput(MutationInput):
    """The parked entry to retry, and the reason."""

    plant: PlantCode = described(OF_PLANT)
    index: int = described(INDEX)
    leaf_hash: Sha256 = described(LEAF)
    reason: str = described("Reason: the change since the failure.")


@input_type
class SkipParkedEntryInput(MutationInput):
    """The parked entry to skip, and the reason."""

    plant: PlantCode = described(OF_PLANT)
    index: int = described(INDEX)
    leaf_hash: Sha256 = described(LEAF)
    reason: str = described("Reason, for readers of the ledger.")


@object_type
class EntryRetried(Recorded):
    """A parked entry and those that wait for it are being retried."""


@object_type
class EntrySkipped(Recorded):
    """A parked entry was skipped for good. Entries that waited for it are being retried."""


async def _order(info: Info, input: RetryParkedEntryInput | SkipParkedEntryInput) -> EntryOrder:
    # Checked before the plant is looked up, so that the answer does not reveal which plants exist.
    info.require(HUB_LOG)
    number = await info.read(log_named, input.plant, LedgerKind.PLANT, HUB_LOG)
    return EntryOrder(number or HUB_LOG, input.index, input.leaf_hash)


@mutation(
    "Retry a parked entry now, with the entries that wait for it.",
    roles=HUB_ONLY,
    permission=Permission.PARKED_DECIDE,
    command=retry_entry,
    refusals=(ENTRY_NOT_PARKED,),
)
async def retry_parked_entry(info: Info, input: Input[RetryParkedEntryInput]) -> EntryRetried:
    order = await _order(info, input)
    entry = await info.write(retry_entry, order, input, plant=HUB_LOG)
    return EntryRetried(entry=RecordedEntry.of(entry))


@mutation(
    "Skip a parked entry for good, also in rebuilds. It stays in the plant's ledger.",
    roles=HUB_ONLY,
    permission=Permission.PARKED_DECIDE,
    command=skip_entry,
    refusals=(ENTRY_NOT_PARKED,),
)
async def skip_parked_entry(info: Info, input: Input[SkipParkedEntryInput]) -> EntrySkipped:
    order = await _order(info, input)
    entry = await info.write(skip_entry, order, input, plant=HUB_LOG)
    return EntrySkipped(entry=RecordedEntry.of(entry))
