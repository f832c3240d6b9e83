"""The ledger as auditors read it: who did what, when, why and on whose say-so; and correcting an entry."""

import json
from datetime import datetime
from typing import Annotated, Any, Self

import strawberry

from auth.permissions import Permission
from plants.commands import correct
from plants.rules.corrections import Wrong
from plants.rules.events import Envelope, decode, from_micros, micros
from plants.rules.refusals import RefusalCode as C
from plants.store import history
from plants.store.history import EntriesSought
from plants.store.ledger import LedgerEntry as EntryRow
from plants.store.tables import CorrectionRow
from schema.batches import Batch
from schema.changes import FieldDifference, change_numbered, differences
from schema.connections import After, Connection, First
from schema.context import Info, sure
from schema.entries import ENTRY, RecordedEntry
from schema.fields import argument, described, field
from schema.inputs import Input, MutationInput
from schema.nodes import Node, findable, node_id
from schema.plants import Plant, owner
from schema.refusals import AMOUNTS, mutation
from schema.scalars import BatchCode, PlantCode, RequestId

strawberry.enum(Wrong, name="Wrong", description="Why an entry is corrected, as the EPCIS error declaration has it.")

ON_CHANGES = frozenset({"ChangeDecided", "ChangeApplied", "ChangeRefused"})


@strawberry.type(description="What was said against an entry later; both stay readable.")
class Correction:
    """What was said against an entry later."""

    index: int = described("The position of the entry that corrects it.")
    wrong: Wrong = described("In what way it was wrong.")
    reason: str = described("Why, in the words of whoever corrected it.")

    @classmethod
    def of(cls, row: CorrectionRow) -> Self:
        """Return a correction as the contract answers it."""
        return cls(index=row.corrected_by, wrong=Wrong(row.wrong), reason=row.reason)


@strawberry.type(description="An entry of another ledger that an entry answers.")
class Cause:
    """An entry of another ledger that an entry answers."""

    origin: str = described("The origin of the other ledger.")
    index: int = described("The position in it.")
    leaf_hash: str = described("The hash of the other entry's bytes (RFC 6962), hexadecimal.")

    @field("The other entry; null where it is not here or you may not see it.")
    async def entry(self, info: Info) -> "LedgerEntry | None":
        origins = await info.context.read(Permission.LEDGER_READ, history.origins)
        log = next((log for log, origin in origins.items() if origin == self.origin), None)
        return None if log is None else await entry_at(info, (log, self.index))


@strawberry.type(description="One entry of a ledger: something that happened, as it was written down for good.")
class LedgerEntry(Node):
    """One entry of a ledger."""

    index: int = described("Its position in its ledger, from 0.")
    type: str = described("What happened, in the past tense.")
    version: int = described("The version of the event's form.")
    key: str = described("What it is about: a batch's code, or the id of a process record.")
    occurred_at: datetime = described("When it happened.")
    recorded_at: datetime = described("When the server wrote it down.")
    actor: str = described("Who did it, by employee number.")
    device: str | None = described("On which device.")
    reason: str | None = described("Why, in their words.")
    request_id: RequestId | None = described("The request that it answers.")
    payload: str = described("The event's own content, as canonical JSON.")
    body: str = described("The very text that was hashed.")
    leaf_hash: str = described("The hash of the text as the ledger's tree holds it (RFC 6962), hexadecimal.")
    causes: list[Cause] = described("The entries of other ledgers that it answers.")
    row: strawberry.Private[EntryRow]
    envelope: strawberry.Private[Envelope]

    @field("The origin of its ledger.")
    async def ledger(self, info: Info) -> str:
        origins = await info.context.load(Permission.LEDGER_READ, history.origins_by_log, self.row.log_id)
        return sure(origins)

    @field("The plant whose ledger it stands in, or that it directs; null in the hub's own ledger.")
    async def plant(self, info: Info) -> Plant | None:
        return await owner(info, abs(self.row.log_id)) if self.row.log_id else None

    @field("What was said against it later; null unless it was corrected.")
    async def correction(self, info: Info) -> Correction | None:
        here = self.row.log_id, self.row.idx
        row = await info.context.load(Permission.LEDGER_READ, history.corrections_at, here)
        return None if row is None else Correction.of(row)

    @field("What it changes field by field, where it asks for, decides or applies a gated change.")
    async def differences(self, info: Info) -> list[FieldDifference]:
        content = self.envelope["payload"]
        if self.type in ON_CHANGES:
            change = await change_numbered(info, (abs(self.row.log_id), content["change"]))
            return [] if change is None else change.differences
        return differences(content.get("differences", []))

    @classmethod
    def of(cls, row: EntryRow) -> Self:
        """Return an entry as the contract answers it."""
        envelope = decode(bytes(row.body))
        request = envelope.get("request")
        return cls(
            id=node_id("entry", row.log_id, row.idx),
            index=row.idx,
            type=row.type,
            version=envelope["version"],
            key=row.key,
            occurred_at=from_micros(row.occurred_us),
            recorded_at=from_micros(row.recorded_us),
            actor=row.actor,
            device=envelope.get("device"),
            reason=envelope.get("reason"),
            request_id=None if request is None else RequestId(request),
            payload=json.dumps(envelope["payload"], ensure_ascii=False, separators=(",", ":"), sort_keys=True),
            body=bytes(row.body).decode(),
            leaf_hash=bytes(row.leaf).hex(),
            causes=[
                Cause(origin=cause["origin"], index=cause["index"], leaf_hash=cause["leaf"])
                for cause in envelope.get("causes", [])
            ],
            row=row,
            envelope=envelope,
        )


@strawberry.input(description="Which entries are wanted; what is not given does not matter.")
class LedgerFilter:
    """Which entries are wanted."""

    plant: PlantCode | None = described("Of this plant's ledger and its directives.", default=None)
    type: str | None = described("Of this type.", default=None)
    key: str | None = described("About this: a batch's code, or the number of a process record.", default=None)
    actor: str | None = described("Done by this person.", default=None)
    since: datetime | None = described("That happened at or after this instant.", default=None)
    until: datetime | None = described("That happened before this instant.", default=None)


@strawberry.input(description="Which entry is wrong; `reason` is needed.")
class CorrectEntryInput(MutationInput):
    """Which entry is wrong."""

    entry: int = described("The position of the entry in the plant's ledger.")
    wrong: Wrong = described("In what way it is wrong.")


@strawberry.type(description="An entry was answered by one that reverses its effect.")
class EntryCorrected:
    """An entry was answered by one that reverses its effect."""

    entry: RecordedEntry = described(ENTRY)
    corrected: LedgerEntry | None = described("The entry that was wrong; null without the right to read the ledger.")


@mutation(
    EntryCorrected, *AMOUNTS,
    description="Reverse what an entry did, by a new one; both stay readable.",
)  # fmt: skip
async def correct_entry(info: Info, input: Input[CorrectEntryInput]) -> Any:
    order = correct.Correction(input.entry, input.wrong, input.reason or "")
    entry = await info.context.write(Permission.ENTRY_CORRECT, correct.correct_entry, order, input)
    corrected = await entry_at(info, (info.context.serving.plant, input.entry))
    return EntryCorrected(entry=RecordedEntry.of(entry), corrected=corrected)


@findable("entry", 2)
async def entry_at(info: Info, numbers: tuple[int, ...]) -> LedgerEntry | None:
    """Return an entry by its ledger's log id and its position."""
    row = await info.context.load(Permission.LEDGER_READ, history.entries_at, (numbers[0], numbers[1]))
    return None if row is None else LedgerEntry.of(row)


NewestFirst = Annotated[bool, argument("Whether the last ones come first.")]


@field("The audit log: what happened, by ledger and position.")
async def ledger(
    info: Info,
    *,
    filter: Annotated[LedgerFilter | None, argument("Which are wanted; all unless given.")] = None,
    newest_first: NewestFirst = False,
    first: First = None,
    after: After = None,
) -> Connection[LedgerEntry]:
    wanted = filter or LedgerFilter()
    times = (None if at is None else micros(at) for at in (wanted.since, wanted.until))
    said = wanted.plant, wanted.key, None, wanted.type, wanted.actor
    return await _entries(info, EntriesSought(*said, *times, newest_first), (first, after))


@field("What happened to a batch: what is said of it, and what moved goods of it; null without such a batch.")
async def batch_history(
    info: Info,
    code: Annotated[BatchCode, argument("The batch's code.")],
    *,
    newest_first: NewestFirst = False,
    first: First = None,
    after: After = None,
) -> Connection[LedgerEntry] | None:
    known = await batch_coded(info, code)
    if known is None:
        return None
    sought = EntriesSought(key=code, batch=known.known.stated.id, newest_first=newest_first)
    return await _entries(info, sought, (first, after))


async def _entries(
    info: Info, sought: EntriesSought, page: tuple[int | None, str | None]
) -> Connection[LedgerEntry]:
    return await info.context.connection(
        Permission.LEDGER_READ, history.entries_page, history.entries_count, sought, page,
        key=lambda row: (row.log_id, row.idx), make=LedgerEntry.of,
    )  # fmt: skip
