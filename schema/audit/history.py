"""Ledgers as audit log in the contract: what was recorded, by whom, when and why, as it stands signed."""

from datetime import datetime
from typing import Annotated, Any, Self

import strawberry

from auth.permissions import Permission
from plants.rules.approvals.events import CHANGE_APPLIED, CHANGE_REQUESTED
from plants.rules.audit.events import ENTRY_CORRECTED
from plants.rules.ledger.events import Cause, LedgerKind, canonical, decode, kind_of
from plants.rules.values.instants import from_micros, micros, parse_instant
from plants.store.audit import history
from plants.store.audit.corrections import CorrectionRow
from plants.store.audit.history import EntriesFilter, Position
from plants.store.ledger.entries import LedgerEntry as EntryRow
from plants.store.materials.plants import plants_by_number
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info
from schema.engine.fields import argument, described, field
from schema.engine.nodes import Node, findable, node_id
from schema.engine.scalars import BatchCode, PlantCode, RequestId
from schema.group.plants import Plant

LedgerKindEnum = strawberry.enum(
    LedgerKind,
    name="LedgerKind",
    description="Whose ledger it is: what a plant wrote, what the hub wrote to a plant, or what it wrote of the group.",
)
INDEX = "The entry's position in its ledger, from 0."


@strawberry.type(description="One field of what was changed: what it was and what it became.")
class Difference:
    """One field of what was changed."""

    field: str = described("What it is that changes, such as expires_on or stock:A1.")
    before: str | None = described("What it was.")
    after: str | None = described("What it becomes.")


@strawberry.type(description="An entry of another ledger that this one answers.")
class EntryCause:
    """An entry of another ledger that this one answers."""

    origin: str = described("The origin of the other ledger.")
    index: int = described(INDEX)
    leaf_hash: str = described("The hash of its bytes, hexadecimal.")

    @field("The entry itself, where this node holds it and you may see it.")
    async def entry(self, info: Info) -> "LedgerEntry | None":
        found = await info.context.load(Permission.LEDGER_READ, history.entries_by_origin, (self.origin, self.index))
        return None if found is None else LedgerEntry.of(found)

    @classmethod
    def of(cls, cause: Cause) -> Self:
        """Return a cause as the contract answers it."""
        return cls(origin=cause["origin"], index=cause["index"], leaf_hash=cause["leaf"])


@strawberry.type(description="That an entry was wrong, and the later entry that reverses it.")
class EntryCorrection:
    """That an entry was wrong."""

    wrong: str = described("In what way: DID_NOT_OCCUR or INCORRECT_DATA.")
    reason: str = described("Why, in the words of whoever corrected it.")
    by: "LedgerEntry" = described("The entry that reverses it.")

    @classmethod
    def of(cls, row: CorrectionRow, by: "LedgerEntry") -> Self:
        """Return a correction as the contract answers it."""
        return cls(wrong=row.wrong, reason=row.reason, by=by)


ELSEWHERE = "Null where the body is pruned."


@strawberry.type(description="One entry of a ledger, as it stands signed and cannot be changed any more.")
class LedgerEntry(Node):
    """One entry of a ledger."""

    index: int = described(INDEX)
    ledger: LedgerKind = described("Whose ledger it stands in.")
    event_id: str = described("The id of what happened, unique everywhere.")
    type: str = described("What happened, in the past tense.")
    version: int | None = described(f"The version of the event's form. {ELSEWHERE}")
    occurred_at: datetime = described("When it happened.")
    recorded_at: datetime = described("When the server wrote it down.")
    logical_time: str | None = described(
        f"Its hybrid logical time: later than that of everything it answers. {ELSEWHERE}"
    )
    actor: str = described("Who did it, by employee number, or the program that did.")
    device: str | None = described("On which device.")
    key: str = described("What it is about: a batch's code, the id of a process record, a code of master data.")
    reason: str | None = described("Why, in the words of whoever did it.")
    request_id: str | None = described("The request that it answers.")
    payload: str | None = described(f"The event's own content, as canonical JSON (RFC 8785). {ELSEWHERE}")
    body: str | None = described(
        f"The whole entry as canonical JSON: in UTF-8 these are the bytes that were hashed. {ELSEWHERE}"
    )
    pruned: bool = described(
        "Whether its body is kept at the hub and in the archive alone: what stands in the body only is missing here "
        "then, such as device, reason, causes, differences and what it corrects."
    )
    leaf_hash: str = described("The hash of its bytes as the ledger's tree holds it (RFC 6962), hexadecimal.")
    causes: list[EntryCause] = described("The entries of other ledgers that it answers.")
    position: strawberry.Private[Position]
    content: strawberry.Private[Any]

    @field("The plant whose ledger it is, or to which the directive went; null for the hub's own.")
    async def plant(self, info: Info) -> Plant | None:
        number = abs(self.position[0])
        seen = await info.context.load(Permission.LEDGER_READ, plants_by_number, number)
        return None if seen is None else Plant.of(seen)

    @field("What it changes field by field, of change requests and their application; empty for others.")
    async def differences(self, info: Info) -> list[Difference]:
        asked: LedgerEntry | None = self
        if self.pruned:
            return []
        if self.type == CHANGE_APPLIED.name:
            asked = await entry_of(info, (self.position[0], self.content["change"]))
        if asked is None or asked.pruned or asked.type != CHANGE_REQUESTED.name:
            return []
        return [Difference(**one) for one in asked.content["differences"]]

    @field("The entry that this one corrects.")
    async def corrects(self, info: Info) -> "LedgerEntry | None":
        if self.pruned or self.type != ENTRY_CORRECTED.name:
            return None
        return await entry_of(info, (self.position[0], self.content["entry"]))

    @field("That it was wrong, when a later entry says so.")
    async def corrected(self, info: Info) -> EntryCorrection | None:
        row = await info.context.load(Permission.LEDGER_READ, history.corrections_at, self.position)
        by = None if row is None else await entry_of(info, (self.position[0], row.corrected_by))
        return None if row is None or by is None else EntryCorrection.of(row, by)

    @classmethod
    def of(cls, row: EntryRow) -> Self:
        """Return an entry as the contract answers it; of a pruned one, what the columns beside the body say."""
        if not row.body:
            return cls._pruned(row)
        envelope = decode(row.body)
        position = row.log_id, row.idx
        return cls(
            id=node_id("entry", *position),
            index=row.idx,
            ledger=kind_of(position[0]),
            event_id=envelope["id"],
            type=envelope["type"],
            version=envelope["version"],
            occurred_at=parse_instant(envelope["occurred_at"]),
            recorded_at=parse_instant(envelope["recorded_at"]),
            logical_time=envelope["hlc"],
            actor=envelope["actor"],
            device=envelope.get("device"),
            key=envelope["key"],
            reason=envelope.get("reason"),
            request_id=envelope.get("request"),
            payload=canonical(envelope["payload"]).decode(),
            body=bytes(row.body).decode(),
            pruned=False,
            leaf_hash=bytes(row.leaf).hex(),
            causes=[EntryCause.of(cause) for cause in envelope.get("causes", ())],
            position=position,
            content=envelope["payload"],
        )

    @classmethod
    def _pruned(cls, row: EntryRow) -> Self:
        return cls(
            id=node_id("entry", row.log_id, row.idx),
            index=row.idx,
            ledger=kind_of(row.log_id),
            event_id=row.event_id,
            type=row.type,
            version=None,
            occurred_at=from_micros(row.occurred_us),
            recorded_at=from_micros(row.recorded_us),
            logical_time=None,
            actor=row.actor,
            device=None,
            key=row.key,
            reason=None,
            request_id=row.request,
            payload=None,
            body=None,
            pruned=True,
            leaf_hash=bytes(row.leaf).hex(),
            causes=[],
            position=(row.log_id, row.idx),
            content=None,
        )


@strawberry.input(description="Which entries are wanted; what is not given does not matter.")
class LedgerFilter:
    """Which entries are wanted."""

    plant: PlantCode | None = described("Of this plant's ledger and the hub's directives to it.", default=None)
    ledger: LedgerKind | None = described("Of ledgers of this kind.", default=None)
    type: str | None = described("Of this type, such as BatchReceived.", default=None)
    key: str | None = described("About what has this key.", default=None)
    batch: BatchCode | None = described("About this batch, or moving goods of it.", default=None)
    actor: str | None = described("By this person.", default=None)
    request_id: RequestId | None = described("Answering this request.", default=None)
    occurred_from: datetime | None = described("That happened then or later.", default=None)
    occurred_before: datetime | None = described("That happened earlier than then.", default=None)
    recorded_from: datetime | None = described("Written down then or later.", default=None)
    recorded_before: datetime | None = described("Written down earlier than then.", default=None)


LedgerOf = Annotated[LedgerKind, argument("Which of the ledgers that bear on the plant.")]
PlantOf = Annotated[PlantCode | None, argument("The plant; this node itself unless given.")]
Newest = Annotated[bool, argument("The last of each ledger first.")]


async def entry_of(info: Info, position: Position) -> LedgerEntry | None:
    """Return an entry by its log id and index, as far as the caller may see it."""
    row = await info.context.load(Permission.LEDGER_READ, history.entries_at, position)
    return None if row is None else LedgerEntry.of(row)


@findable("entry", 2)
async def _find(info: Info, numbers: tuple[int, ...]) -> LedgerEntry | None:
    return await entry_of(info, (numbers[0], numbers[1]))


@field("The audit log: entries ledger by ledger, the last of each first unless told otherwise.")
async def ledger(
    info: Info,
    *,
    filter: Annotated[LedgerFilter | None, argument("Which are wanted; all unless given.")] = None,
    newest_first: Newest = True,
    first: First = None,
    after: After = None,
) -> Connection[LedgerEntry]:
    return await entries(info, _filters(filter or LedgerFilter(), newest_first=newest_first), (first, after))


async def entries(info: Info, filters: EntriesFilter, page: tuple[int | None, str | None]) -> Connection[LedgerEntry]:
    """Return a page, given as `first` and `after`, of entries."""
    return await info.context.connection(
        Permission.LEDGER_READ, history.entries_page, history.entries_count, filters, page,
        key=lambda row: (row.log_id, row.idx), make=LedgerEntry.of,
    )  # fmt: skip


@field("The entry at a position of a ledger, or null when there is none that you may see.")
async def entry(
    info: Info,
    index: Annotated[int, argument(INDEX)],
    plant: PlantOf = None,
    ledger: LedgerOf = LedgerKind.PLANT,
) -> LedgerEntry | None:
    own = info.context.serving.plant
    log_id = await info.context.read(Permission.LEDGER_READ, history.log_named, plant, ledger, own)
    return None if log_id is None else await entry_of(info, (log_id, index))


def _filters(filter: LedgerFilter, *, newest_first: bool) -> EntriesFilter:
    times = (filter.occurred_from, filter.occurred_before, filter.recorded_from, filter.recorded_before)
    since, until, recorded_since, recorded_until = (None if at is None else micros(at) for at in times)
    return EntriesFilter(
        plant=filter.plant,
        kind=filter.ledger,
        key=filter.key,
        batch=filter.batch,
        type=filter.type,
        actor=filter.actor,
        request=filter.request_id,
        since_us=since,
        until_us=until,
        recorded_since_us=recorded_since,
        recorded_until_us=recorded_until,
        newest_first=newest_first,
    )
