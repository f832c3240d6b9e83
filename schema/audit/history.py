"""The audit log: ledger entries, signed and immutable."""

from datetime import datetime
from typing import Annotated, Any, Self

import strawberry

from auth.permissions import Permission
from plants.rules.audit.corrections import Wrong
from plants.rules.ledger.events import Cause, LedgerKind, canonical, decode, kind_of
from plants.rules.values.instants import from_micros, micros, parse_instant
from plants.store.audit import history
from plants.store.audit.corrections import CorrectionRow
from plants.store.audit.history import EntriesFilter, Position
from plants.store.ledger.entries import LedgerEntry as EntryRow
from plants.store.materials.plants import plants_by_number
from schema.audit.differences import FieldChange, difference
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable
from schema.engine.operations import query
from schema.engine.scalars import BatchCode, EventType, PlantCode, RequestId, Sha256
from schema.group.plants import Plant
from schema.people.actors import Actor

enum_type(LedgerKind)
enum_type(Wrong)
INDEX = "Position of the entry in its ledger, from 0."


@object_type
class EntryCause:
    """An entry of another ledger that caused this one."""

    origin: str = described("Origin of the other ledger.")
    index: int = described(INDEX)
    leaf_hash: Sha256 = described("Hash of the entry's bytes.")

    @field("The entry itself. Null if this node does not hold it or you may not see it.")
    async def entry(self, info: Info) -> "LedgerEntry | None":
        found = await info.load(Permission.LEDGER_READ, history.entries_by_origin, (self.origin, self.index))
        return None if found is None else LedgerEntry.of(found)

    @classmethod
    def of(cls, cause: Cause) -> Self:
        return cls(origin=cause["origin"], index=cause["index"], leaf_hash=Sha256(cause["leaf"]))


@object_type
class EntryCorrection:
    """A correction: the reason and the entry that reverses the wrong one."""

    wrong: Wrong = described("Kind of error.")
    reason: str = described("Reason that the corrector gave.")
    by: "LedgerEntry" = described("The entry that reverses the wrong one.")

    @classmethod
    def of(cls, row: CorrectionRow, by: "LedgerEntry") -> Self:
        return cls(wrong=Wrong(row.wrong), reason=row.reason, by=by)


NULL_IF_PRUNED = "Null if the body is pruned."


@object_type
class LedgerEntry(Node):
    """One entry of a ledger, signed and immutable."""

    index: int = described(INDEX)
    ledger: LedgerKind = described("Kind of the ledger.")
    event_id: str = described("Id of the event, unique across all nodes.")
    type: EventType = described("Event type.")
    version: int | None = described(f"Version of the event type. {NULL_IF_PRUNED}")
    occurred_at: datetime = described("Time of the event.")
    recorded_at: datetime = described("Time at which the server recorded it.")
    logical_time: str | None = described(f"Hybrid logical time, later than that of its causes. {NULL_IF_PRUNED}")
    actor: Actor = described("Actor.")
    device: str | None = described("Device of the actor.")
    key: str = described("Key of the subject: a batch code, a process record id or a master data code.")
    reason: str | None = described("Reason that the actor gave.")
    request_id: str | None = described("Id of the request that wrote it.")
    payload: str | None = described(f"Payload of the event as canonical JSON (RFC 8785). {NULL_IF_PRUNED}")
    body: str | None = described(
        f"The whole entry as canonical JSON. Its UTF-8 bytes are the hashed bytes. {NULL_IF_PRUNED}"
    )
    pruned: bool = described(
        "True if the body is kept only at the hub and in the archive. Fields that need the body are "
        "then null or empty, such as device, reason, causes and differences."
    )
    leaf_hash: Sha256 = described("Leaf hash of the entry in the ledger's Merkle tree (RFC 6962).")
    causes: list[EntryCause] = described("Entries of other ledgers that caused this one.")
    position: strawberry.Private[Position]
    content: strawberry.Private[Any]

    @field("Plant of the ledger, or plant that the directive is addressed to. Null for the hub's own ledger.")
    async def plant(self, info: Info) -> Plant | None:
        number = abs(self.position[0])
        seen = await info.load(Permission.LEDGER_READ, plants_by_number, number)
        return None if seen is None else Plant.of(seen)

    @field("Changed fields, for change requests and their application. Empty for other events.")
    async def differences(self, info: Info) -> list[FieldChange]:
        asked: LedgerEntry | None = self
        if self.pruned:
            return []
        if self.type == "ChangeApplied":
            asked = await entry_of(info, (self.position[0], self.content["change"]))
        if asked is None or asked.pruned or asked.type != "ChangeRequested":
            return []
        return [difference(one) for one in asked.content["differences"]]

    @field("The entry that this one corrects.")
    async def corrects(self, info: Info) -> "LedgerEntry | None":
        if self.pruned or self.type != "EntryCorrected":
            return None
        return await entry_of(info, (self.position[0], self.content["entry"]))

    @field("The correction of this entry. Null if there is none.")
    async def corrected(self, info: Info) -> EntryCorrection | None:
        row = await info.load(Permission.LEDGER_READ, history.corrections_at, self.position)
        by = None if row is None else await entry_of(info, (self.position[0], row.corrected_by))
        return None if row is None or by is None else EntryCorrection.of(row, by)

    @classmethod
    def of(cls, row: EntryRow) -> Self:
        """Return an entry. A pruned entry gets the columns that are stored outside the body."""
        if not row.body:
            return cls._pruned(row)
        envelope = decode(row.body)
        position = row.log_id, row.idx
        return cls(
            id=node_id("entry", *position),
            index=row.idx,
            ledger=kind_of(position[0]),
            event_id=envelope["id"],
            type=EventType(envelope["type"]),
            version=envelope["version"],
            occurred_at=parse_instant(envelope["occurred_at"]),
            recorded_at=parse_instant(envelope["recorded_at"]),
            logical_time=envelope["hlc"],
            actor=Actor.of(envelope["actor"]),
            device=envelope.get("device"),
            key=envelope["key"],
            reason=envelope.get("reason"),
            request_id=envelope.get("request"),
            payload=canonical(envelope["payload"]).decode(),
            body=bytes(row.body).decode(),
            pruned=False,
            leaf_hash=Sha256(bytes(row.leaf).hex()),
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
            type=EventType(row.type),
            version=None,
            occurred_at=from_micros(row.occurred_us),
            recorded_at=from_micros(row.recorded_us),
            logical_time=None,
            actor=Actor.of(row.actor),
            device=None,
            key=row.key,
            reason=None,
            request_id=row.request,
            payload=None,
            body=None,
            pruned=True,
            leaf_hash=Sha256(bytes(row.leaf).hex()),
            causes=[],
            position=(row.log_id, row.idx),
            content=None,
        )


@input_type
class LedgerFilter:
    """Filters ledger entries. A field that is not given does not filter."""

    plant: PlantCode | None = described("Plant: its ledger and the hub's directives to it.", default=None)
    ledger: LedgerKind | None = described("Kind of ledger.", default=None)
    type: EventType | None = described("Event type.", default=None)
    key: str | None = described("Key of the subject.", default=None)
    batch: BatchCode | None = described("Batch: entries about it, and entries that move goods of it.", default=None)
    actor: str | None = described("Employee number of the actor.", default=None)
    request_id: RequestId | None = described("Request id.", default=None)
    occurred_from: datetime | None = described("Earliest time of the event.", default=None)
    occurred_before: datetime | None = described("Time before which the event happened.", default=None)
    recorded_from: datetime | None = described("Earliest time of recording.", default=None)
    recorded_before: datetime | None = described("Time before which the entry was recorded.", default=None)


LedgerOf = Annotated[LedgerKind, argument("Kind of ledger of the plant.")]
PlantOf = Annotated[PlantCode | None, argument("Plant. Without it, this node's own plant.")]
Newest = Annotated[bool, argument("True to list the newest entries of each ledger first.")]


async def entry_of(info: Info, position: Position) -> LedgerEntry | None:
    """Return the entry at a position, or None if the caller may not see it."""
    row = await info.load(Permission.LEDGER_READ, history.entries_at, position)
    return None if row is None else LedgerEntry.of(row)


@findable("entry", int, int)
async def _find(info: Info, numbers: tuple[int, ...]) -> LedgerEntry | None:
    return await entry_of(info, (numbers[0], numbers[1]))


@query(
    "Lists the audit log, ledger by ledger, newest first by default.",
    permission=Permission.LEDGER_READ,
)
async def ledger(
    info: Info,
    *,
    filter: Annotated[LedgerFilter | None, argument("Filter. Without it, all.")] = None,
    newest_first: Newest = True,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[LedgerEntry]:
    return await entries(info, entries_filter(filter or LedgerFilter(), newest_first=newest_first), (first, after))


async def entries(info: Info, filters: EntriesFilter, page: tuple[int | None, str | None]) -> Connection[LedgerEntry]:
    """Return a page, given as `first` and `after`, of entries."""
    return await info.connection(
        history.entries_page, history.entries_count, filters, page,
        key=lambda row: (row.log_id, row.idx), make=LedgerEntry.of,
    )  # fmt: skip


@query(
    "Returns the entry at a position of a ledger. Null if there is none that you may see.",
    permission=Permission.LEDGER_READ,
)
async def entry(
    info: Info,
    index: Annotated[int, argument(INDEX)],
    plant: PlantOf = None,
    ledger: LedgerOf = LedgerKind.PLANT,
) -> LedgerEntry | None:
    own = info.services.plant
    log_id = await info.read(history.log_named, plant, ledger, own)
    return None if log_id is None else await entry_of(info, (log_id, index))


def entries_filter(filter: LedgerFilter, *, newest_first: bool = False) -> EntriesFilter:
    """Return the criteria of a filter."""
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
