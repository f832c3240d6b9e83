"""Transfers as commands of a plant read them, and lists of transfers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Index, case, exists, false, func, true
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, col, select
from sqlmodel.sql.expression import SelectOfScalar

from infra.database import ReadSession, Session
from plants.rules.identification.codes import plant_of
from plants.rules.ledger.events import Entry, decode
from plants.rules.ledger.refusals import ENTRY_PRUNED
from plants.rules.logistics.events import TRANSFER_DISPATCHED
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.refusals import Refusal
from plants.rules.values.scope import PlantScope
from plants.store.inventory.batches import batches_coded
from plants.store.ledger.entries import LedgerEntry, Log
from plants.store.production.process_records import ProcessRow
from plants.store.sql import pages
from plants.store.sql.columns import PLANT, PROJECTION, big, key, plant_of_number, text
from plants.store.sql.filters import CodeCriterion, MemberCriterion, Span, filtered
from plants.store.sql.orders import Order, OrderDirection
from plants.store.sql.planning import indexed_unless


class TransferLineRow(SQLModel, table=True):
    """One batch of a transfer as one side states it: dispatched by the source, received by the destination."""

    __tablename__ = "transfer_lines"
    __table_args__ = (Index("transfer_lines_by_batch", "batch_id"), PROJECTION)

    transfer_id: int = key()
    plant_id: int = key(PLANT)
    line: int = key(PLANT)
    batch_id: int = big()
    unit: str = text()
    dispatched: int = big()
    received: int | None = big(None)  # empty on the source's statement


DISPATCH: Final = aliased(ProcessRow)
"""The source's statement of a transfer."""
RECEIPT: Final = aliased(ProcessRow)
"""The destination's statement of a transfer."""

SELECT_RECEIPT = (
    "SELECT idx FROM entries WHERE log_id = :plant AND key = :key AND type = 'TransferReceived'"
    " AND NOT EXISTS (SELECT 1 FROM corrections WHERE plant_id = :plant AND entry_idx = idx)"
)


def is_received(session: Session, plant: int, transfer: int) -> bool:
    """Tell whether the plant has received a transfer; a receipt that was corrected since does not count."""
    return session.row(SELECT_RECEIPT, {"plant": plant, "key": str(transfer)}) is not None


class TransferState(DescribedEnum):
    """State of a transfer, as known at this node."""

    IN_TRANSIT = "IN_TRANSIT", "The goods were dispatched, and this node knows no receipt."
    RECEIVED = "RECEIVED", "The destination has recorded a receipt, in full or with a difference."


class TransferOrderField(DescribedEnum):
    """Field to order transfers by."""

    ORIGIN = "ORIGIN", "The source plant, and within it the order in which the plant recorded its dispatches."
    DISPATCHED_AT = "DISPATCHED_AT", "The time of dispatch."


NEWEST_FIRST: Final = Order(TransferOrderField.ORIGIN, OrderDirection.DESCENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransfersFilter:
    """Criteria for transfers, and their order. A field that is None does not filter."""

    source: CodeCriterion | None = None
    destination: CodeCriterion | None = None
    state: MemberCriterion[TransferState] | None = None
    differs: bool | None = None
    dispatched_us: Span[int] | None = None
    received_us: Span[int] | None = None
    batch: CodeCriterion | None = None
    order: Order[TransferOrderField] = NEWEST_FIRST


@dataclass(frozen=True, slots=True)
class TransferSeen:
    """A transfer as the plants of a scope state it: the source, the destination, or both."""

    id: int
    sent: ProcessRow | None
    received: ProcessRow | None

    def key(self, order: Order[TransferOrderField]) -> pages.Key:
        """Return the key of the transfer in this order."""
        if order.field is TransferOrderField.DISPATCHED_AT:
            return self.shown.opened_us, self.id
        return (self.id,)

    @property
    def shown(self) -> ProcessRow:
        """The statement of the source, or else that of the destination."""
        row = self.sent or self.received
        assert row is not None
        return row


def transfers_by_id(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, TransferSeen]:
    """Return transfers by id; a receipt that was corrected does not count."""
    found = select(ProcessRow).where(col(ProcessRow.id).in_(set(ids)), col(ProcessRow.plant_id).in_(scope))
    sent: dict[int, ProcessRow] = {}
    received: dict[int, ProcessRow] = {}
    for row in reads.exec(found.where(ProcessRow.kind == "TRANSFER")):
        if row.plant_id == plant_of(row.id):
            sent[row.id] = row
        elif row.state == "CLOSED":
            received[row.id] = row
    return {one: TransferSeen(one, sent.get(one), received.get(one)) for one in ids if one in sent or one in received}


def transfers_page(
    reads: ReadSession, scope: PlantScope, filters: TransfersFilter, after: pages.Key | None, limit: int
) -> list[TransferSeen]:
    """Return one page of transfers in the order that the filters name."""
    order = filters.order
    found = pages.page(_filtered(scope, filters), _order_key(order), after, limit, descending=order.descending)
    ids = reads.exec(found).all()
    seen = transfers_by_id(reads, scope, ids)
    return [seen[one] for one in ids if one in seen]


def transfers_count(reads: ReadSession, scope: PlantScope, filters: TransfersFilter) -> int:
    """Return how many transfers there are."""
    return pages.count(reads, _filtered(scope, filters))


def differing_by_id(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, bool]:
    """Return for each received transfer whether an amount differs from that on the label."""
    row = TransferLineRow
    differing = case((col(row.received) != col(row.dispatched), 1), else_=0)
    found = select(row.transfer_id, func.max(differing)).where(col(row.received).isnot(None))
    here = col(row.transfer_id).in_(set(ids)), col(row.plant_id).in_(scope)
    return {one: bool(differs) for one, differs in reads.exec(found.where(*here).group_by(col(row.transfer_id)))}


def dispatch_of(reads: ReadSession, scope: PlantScope, transfer: int) -> tuple[Entry, str] | None:
    """Return the dispatch entry of a transfer and the origin of its ledger, which make the label.

    Raises Refusal ENTRY_PRUNED where the entry's body is not kept here any more.
    """
    row = LedgerEntry
    source = plant_of(transfer)
    if source not in scope:
        return None
    wanted = row.log_id == source, row.key == str(transfer), row.type == TRANSFER_DISPATCHED.name
    found = reads.exec(select(row, Log.origin).join(Log, col(Log.log_id) == row.log_id).where(*wanted)).first()
    if found is None:
        return None
    entry, origin = found
    if not entry.body:
        raise Refusal(ENTRY_PRUNED, entry=entry.idx)
    return Entry(decode(entry.body), bytes(entry.body), bytes(entry.leaf)), origin


def _filtered(scope: PlantScope, filters: TransfersFilter) -> SelectOfScalar[int]:
    row, line = ProcessRow, TransferLineRow
    is_ordered = filters.order.field is TransferOrderField.DISPATCHED_AT
    plant = indexed_unless(col(row.plant_id), ordered=is_ordered)
    # PostgreSQL takes a CASE to admit half of the rows, and a comparison with a shifted number to admit hardly any.
    shown = case(
        (col(row.plant_id) == plant_of_number(col(row.id)), true()),
        # A destination's statement whose receipt was corrected says nothing any more.
        (col(row.state) == "CLOSED", ~_dispatch(scope).exists()),
        else_=false(),
    )
    found = select(row.id).where(plant.in_(scope), col(row.kind) == "TRANSFER", shown)
    stated = {
        row.source_plant: filters.source,
        row.destination_plant: filters.destination,
        row.opened_us: filters.dispatched_us,
    }
    found = filtered(found, stated)
    if filters.state is not None:
        state = case((_receipt(scope).exists(), TransferState.RECEIVED.value), else_=TransferState.IN_TRANSIT.value)
        found = found.where(*filters.state.conditions(state))
    if filters.received_us is not None:
        found = found.where(filtered(_receipt(scope), {RECEIPT.closed_us: filters.received_us}).exists())
    if filters.batch is not None:
        carried = select(line.transfer_id).where(
            col(line.batch_id).in_(batches_coded(scope, filters.batch)), col(line.plant_id).in_(scope)
        )
        found = found.where(col(row.id).in_(carried))
    if filters.differs is not None:
        differing = exists().where(
            col(line.transfer_id) == col(row.id),
            col(line.plant_id).in_(scope),
            col(line.received) != col(line.dispatched),
        )
        found = found.where(differing if filters.differs else ~differing)
    return found


def _dispatch(scope: PlantScope) -> SelectOfScalar[int]:
    """Return the statement for the source's statement of a transfer, inside a statement for transfers."""
    at_source = col(DISPATCH.plant_id) == plant_of_number(col(DISPATCH.id))
    here = col(DISPATCH.plant_id).in_(scope)
    return select(DISPATCH.id).where(col(DISPATCH.id) == col(ProcessRow.id), at_source, here).correlate(ProcessRow)


def _receipt(scope: PlantScope) -> SelectOfScalar[int]:
    """Return the statement for the destination's statement of a transfer, inside a statement for transfers."""
    away = col(RECEIPT.plant_id) != plant_of_number(col(RECEIPT.id))
    here = col(RECEIPT.plant_id).in_(scope)
    found = select(RECEIPT.id).where(col(RECEIPT.id) == col(ProcessRow.id), away, col(RECEIPT.state) == "CLOSED", here)
    return found.correlate(ProcessRow)


def _order_key(order: Order[TransferOrderField]) -> tuple[Any, ...]:
    """Return the key of a transfer in this order."""
    if order.field is TransferOrderField.DISPATCHED_AT:
        return col(ProcessRow.opened_us), col(ProcessRow.id)
    return (col(ProcessRow.id),)
