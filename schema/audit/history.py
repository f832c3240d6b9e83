"""The audit log: ledger entries, signed and immutable."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final, Self

import strawberry

from auth.permissions import Permission
from plants.rules.audit.corrections import CorrectionReason
from plants.rules.ledger.events import Cause, LedgerKind, Subject, canonical, decode, kind_of
from plants.rules.values.instants import from_micros, parse_instant
from plants.store.audit import history
from plants.store.audit.history import BY_POSITION, EntriesFilter, LedgerEntryOrderField, Position
from plants.store.audit.subjects import history_count, history_page
from plants.store.ledger.corrected_entries import CorrectionRow
from plants.store.ledger.entries import LedgerEntry as EntryRow
from plants.store.materials.plants import plants_by_number
from plants.store.sql.orders import Order, OrderDirection
from schema.audit.differences import FieldChange, difference
from schema.audit.subjects import EntryFacts, thing, thing_of, things_named
from schema.engine.connections import After, Connection, First
from schema.engine.context import Info
from schema.engine.fields import argument, described, enum_type, field, input_type, object_type
from schema.engine.filters import CodeFilter, DateTimeRange, Filter, IdFilter, IntRange, UuidFilter, criterion
from schema.engine.limits import PAGE_DEFAULT
from schema.engine.node_ids import node_id
from schema.engine.nodes import Node, findable, read_id
from schema.engine.operations import query
from schema.engine.orders import Ordering
from schema.engine.scalars import EventType, PlantCode, RequestId, Sha256
from schema.group.plants import Plant
from schema.people.actors import Actor

enum_type(LedgerKind)
enum_type(CorrectionReason)
enum_type(LedgerEntryOrderField)
NEWEST_FIRST: Final = Order(LedgerEntryOrderField.RECORDED, OrderDirection.DESCENDING)
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

    correction_reason: CorrectionReason = described("Kind of error.")
    reason: str = described("Reason that the corrector gave.")
    entry: "LedgerEntry" = described("The entry that reverses the wrong one.")

    @classmethod
    def of(cls, row: CorrectionRow, entry: "LedgerEntry") -> Self:
        return cls(correction_reason=CorrectionReason(row.wrong), reason=row.reason, entry=entry)


CAUSES_MAX: Final = 100
DIFFERENCES_MAX: Final = 100
NULL_IF_PRUNED = "Null if the body is pruned."


@object_type
class LedgerEntry(Node):
    """One entry of a ledger, signed and immutable."""

    index: int = described(INDEX)
    ledger: LedgerKind = described("Kind of the ledger.")
    event_id: RequestId = described("Id of the event, unique across all nodes.")
    type: EventType = described("Event type, such as BatchReceived.")
    version: int | None = described(f"Version of the event type. {NULL_IF_PRUNED}")
    occurred_at: datetime = described("Time of the event.")
    recorded_at: datetime = described("Time at which the server recorded it.")
    logical_time: str | None = described(f"Hybrid logical time, later than that of its causes. {NULL_IF_PRUNED}")
    actor: Actor = described("Actor that recorded it.")
    device: str | None = described("Device of the actor. Null without one.")
    reason: str | None = described("Reason that the actor gave. Null without one.")
    request_id: RequestId | None = described("Id of the request that wrote it. Null if no request did.")
    payload: str | None = described(f"Payload of the event as canonical JSON (RFC 8785). {NULL_IF_PRUNED}")
    body: str | None = described(
        f"The whole entry as canonical JSON. Its UTF-8 bytes are the hashed bytes. {NULL_IF_PRUNED}"
    )
    pruned: bool = described(
        "True if the body is kept only at the hub and in the archive. Fields that need the body are "
        "then null or empty, such as device, reason, causes and differences."
    )
    leaf_hash: Sha256 = described("Leaf hash of the entry in the ledger's Merkle tree (RFC 6962).")
    causes: list[EntryCause] = described(
        f"Entries of other ledgers that caused this one. There are at most {CAUSES_MAX}."
    )
    position: strawberry.Private[Position]
    key: strawberry.Private[str]
    content: strawberry.Private[Any]

    @field("Plant of the ledger, or plant that the directive is addressed to. Null for the hub's own ledger.")
    async def plant(self, info: Info) -> Plant | None:
        number = abs(self.position[0])
        seen = await info.load(Permission.LEDGER_READ, plants_by_number, number)
        return None if seen is None else Plant.of(seen)

    @field(
        "The thing that it is about: a batch, process record, shipment, transfer, change request, directive, plant or "
        "definition of master data. An entry about another entry is about the same thing. "
        "Null if it is about none, if you may not see it, or if the entry is pruned and its body names the thing."
    )
    async def about(self, info: Info) -> Node | None:
        return await thing_of(info, self.position, (self.type, self.key, self.content), entry_facts)

    @field(
        f"Changed fields, at most {DIFFERENCES_MAX}, for change requests and their application. Empty for other events."
    )
    async def differences(self, info: Info) -> list[FieldChange]:
        asked: LedgerEntry | None = self
        if self.pruned:
            return []
        if self.type == "ChangeApplied":
            asked = await entry_of(info, (self.position[0], self.content["change"]))
        if asked is None or asked.pruned or asked.type != "ChangeRequested":
            return []
        return [difference(one) for one in asked.content["differences"][:DIFFERENCES_MAX]]

    @field("The entry that this one corrects. Null if it is no correction.")
    async def corrects(self, info: Info) -> "LedgerEntry | None":
        if self.pruned or self.type != "EntryCorrected":
            return None
        return await entry_of(info, (self.position[0], self.content["entry"]))

    @field("The correction of this entry. Null if there is none.")
    async def correction(self, info: Info) -> EntryCorrection | None:
        return await correction_at(info, self.position)

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
            event_id=RequestId(envelope["id"]),
            type=EventType(envelope["type"]),
            version=envelope["version"],
            occurred_at=parse_instant(envelope["occurred_at"]),
            recorded_at=parse_instant(envelope["recorded_at"]),
            logical_time=envelope["hlc"],
            actor=Actor.of(envelope["actor"]),
            device=envelope.get("device"),
            reason=envelope.get("reason"),
            request_id=_request(envelope.get("request")),
            payload=canonical(envelope["payload"]).decode(),
            body=bytes(row.body).decode(),
            pruned=False,
            leaf_hash=Sha256(bytes(row.leaf).hex()),
            causes=[EntryCause.of(cause) for cause in envelope.get("causes", ())[:CAUSES_MAX]],
            position=position,
            key=envelope["key"],
            content=envelope["payload"],
        )

    @classmethod
    def _pruned(cls, row: EntryRow) -> Self:
        return cls(
            id=node_id("entry", row.log_id, row.idx),
            index=row.idx,
            ledger=kind_of(row.log_id),
            event_id=RequestId(row.event_id),
            type=EventType(row.type),
            version=None,
            occurred_at=from_micros(row.occurred_us),
            recorded_at=from_micros(row.recorded_us),
            logical_time=None,
            actor=Actor.of(row.actor),
            device=None,
            reason=None,
            request_id=_request(row.request),
            payload=None,
            body=None,
            pruned=True,
            leaf_hash=Sha256(bytes(row.leaf).hex()),
            causes=[],
            position=(row.log_id, row.idx),
            key=row.key,
            content=None,
        )


@input_type
class LedgerEntryFilter:
    """Filters ledger entries. A field that is not given does not filter."""

    plant_code: CodeFilter | None = described(
        "Code of a plant: its ledger and the hub's directives to it.", default=None
    )
    ledger: Filter[LedgerKind] | None = described("Kind of ledger.", default=None)
    index: IntRange | None = described(INDEX, default=None)
    type: CodeFilter | None = described("Event type, such as BatchReceived.", default=None)
    about_id: IdFilter | None = described(
        "Id of the thing that it is about. Of a batch, entries that moved goods of it match too. The id of a hold "
        "matches the entries that placed and lifted it.",
        default=None,
    )
    actor_code: CodeFilter | None = described(
        "Code of the actor that recorded it, such as an employee number.", default=None
    )
    request_id: UuidFilter | None = described("Id of the request that wrote it.", default=None)
    occurred_at: DateTimeRange | None = described("Time of the event.", default=None)
    recorded_at: DateTimeRange | None = described("Time of recording.", default=None)

    def criteria(self, order: Order[LedgerEntryOrderField]) -> EntriesFilter:
        return EntriesFilter(
            plant=criterion(self.plant_code),
            kind=criterion(self.ledger),
            index=criterion(self.index),
            type=criterion(self.type),
            about=None if self.about_id is None or not self.about_id.given else things_named(self.about_id.ids),
            actor=criterion(self.actor_code),
            request=criterion(self.request_id),
            occurred_us=None if self.occurred_at is None else self.occurred_at.in_micros,
            recorded_us=None if self.recorded_at is None else self.recorded_at.in_micros,
            order=order,
        )


@input_type
class LedgerEntryOrder(Ordering):
    """Order of ledger entries."""

    field: LedgerEntryOrderField = described("Field to order by.")


LedgerOf = Annotated[LedgerKind, argument("Kind of ledger of the plant.")]
PlantOf = Annotated[PlantCode | None, argument("Code of the plant. Without it, this node's own plant.")]


def _request(text: str | None) -> RequestId | None:
    return None if text is None else RequestId(text)


async def entry_of(info: Info, position: Position) -> LedgerEntry | None:
    """Return the entry at a position, or None if the caller may not see it."""
    row = await info.load(Permission.LEDGER_READ, history.entries_at, position)
    return None if row is None else LedgerEntry.of(row)


async def entry_facts(info: Info, position: Position) -> EntryFacts | None:
    """Return type, key and payload of the entry at a position, or None if the caller may not see it."""
    found = await entry_of(info, position)
    return None if found is None else (found.type, found.key, found.content)


async def correction_at(info: Info, position: Position) -> EntryCorrection | None:
    """Return the correction of the entry at a position, or None if there is none that the caller may see."""
    return await _correction(info, await info.load(Permission.LEDGER_READ, history.corrections_at, position))


async def correction_of_record(info: Info, place: Position) -> EntryCorrection | None:
    """Return the correction of the entry that stated a process record, given as its plant and number."""
    return await _correction(info, await info.load(Permission.LEDGER_READ, history.corrections_of_records, place))


async def _correction(info: Info, row: CorrectionRow | None) -> EntryCorrection | None:
    by = None if row is None else await entry_of(info, (row.plant_id, row.corrected_by))
    return None if row is None or by is None else EntryCorrection.of(row, by)


HistoryOrder = Annotated[LedgerEntryOrder | None, argument("Order. Without it, ledger by ledger, the oldest first.")]


def history_field(said: str, of: Callable[[Any], tuple[Subject, tuple[int | str, ...]]]) -> Any:
    """Declare the field `history` of a type: pages of the entries about the thing whose kind and parts `of` returns."""

    async def history(
        self: Any, info: Info, order_by: HistoryOrder = None, first: First = PAGE_DEFAULT, after: After = None
    ) -> Connection[LedgerEntry] | None:
        order = BY_POSITION if order_by is None else Order(order_by.field, order_by.direction)
        return await info.children(
            Permission.LEDGER_READ, history_page, history_count, thing(*of(self)), (first, after),
            key=lambda row: (row.log_id, row.idx), make=LedgerEntry.of, order=order,
        )  # fmt: skip

    without = f"Null with an error NOT_PERMITTED without the permission `{Permission.LEDGER_READ}`."
    return field(f"{said} {without}", permission=Permission.LEDGER_READ)(history)


@findable("entry", int, int)
async def _find(info: Info, numbers: tuple[int, ...]) -> LedgerEntry | None:
    return await entry_of(info, (numbers[0], numbers[1]))


@query("Lists entries of the ledgers that you may read: the audit log.", permission=Permission.LEDGER_READ)
async def ledger(
    info: Info,
    *,
    filter: Annotated[LedgerEntryFilter | None, argument("Filter. Without it, all.")] = None,
    order_by: Annotated[
        LedgerEntryOrder | None, argument("Order. Without it, ledger by ledger, the newest first.")
    ] = None,
    first: First = PAGE_DEFAULT,
    after: After = None,
) -> Connection[LedgerEntry]:
    order = NEWEST_FIRST if order_by is None else Order(order_by.field, order_by.direction)
    return await entries(info, (filter or LedgerEntryFilter()).criteria(order), (first, after))


async def entries(info: Info, filters: EntriesFilter, page: tuple[int | None, str | None]) -> Connection[LedgerEntry]:
    """Return a page, given as `first` and `after`, of entries."""
    return await info.connection(
        history.entries_page, history.entries_count, filters, page,
        key=lambda row: (row.log_id, row.idx), make=LedgerEntry.of,
    )  # fmt: skip


@query(
    "Returns the ledger entry with this id. Null if there is none that you may see.",
    permission=Permission.LEDGER_READ,
)
async def ledger_entry(
    info: Info, id: Annotated[strawberry.ID, argument("Id of the ledger entry.")]
) -> LedgerEntry | None:
    position = read_id("entry", id)
    return None if position is None else await _find(info, position)
