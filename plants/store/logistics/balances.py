"""Balances of transfers: the statements of both sides about each batch, in one row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func
from sqlmodel import col, select
from sqlmodel.sql.expression import Select

from infra.database import ReadSession
from plants.rules.values.scope import PlantScope
from plants.store.logistics.transfers import TransferLineRow
from plants.store.sql import pages


@dataclass(frozen=True, slots=True)
class Balance:
    """One batch of a transfer as both sides state it, in millionths; None where that side's entry has not arrived.

    `said` is the dispatched amount on the receiver's label. `arrived` is true if a receipt of the transfer is known.
    """

    batch_id: int
    unit: str
    dispatched: int | None
    said: int | None
    received: int | None
    arrived: bool

    @property
    def in_transit(self) -> int:
        """The amount in transit: the whole dispatched amount, until the receipt is known."""
        return 0 if self.arrived else self.dispatched or 0

    @property
    def loss(self) -> int:
        """The amount that the receiver recorded as missing, below zero where it received more than on the label."""
        return (self.said or 0) - (self.received or 0)

    @property
    def unexplained(self) -> int:
        """The difference in dispatched = received + in transit + loss. Unless zero, the statements contradict."""
        left = self.said or 0 if self.dispatched is None else self.dispatched
        return left - (self.received or 0) - self.in_transit - self.loss


@dataclass(frozen=True, slots=True)
class BalanceSeen:
    """A balance with its transfer, and its place in the list of the transfer's batches."""

    transfer_id: int
    line: int
    balance: Balance


def balances(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, list[Balance]]:
    """Return transfers batch by batch as the plants in the scope state them, by transfer."""
    stated = _stated(scope, ids)
    found = (_seen(row) for row in reads.exec(stated.order_by(*_key(stated))))
    by_transfer = pages.by_parent(found, lambda one: one.transfer_id)
    return {transfer: [one.balance for one in seen] for transfer, seen in by_transfer.items()}


def balances_page(
    reads: ReadSession, scope: PlantScope, ids: Sequence[int], after: pages.Key | None, limit: int
) -> dict[int, list[BalanceSeen]]:
    """Return one page of the balances of each transfer, in the order of its lines."""
    stated = _stated(scope, ids)
    shown = pages.page_of_each(stated, (stated.selected_columns.transfer_id,), _key(stated), after, limit)
    return pages.by_parent((_seen(row) for row in reads.exec(shown)), lambda one: one.transfer_id)


def balances_count(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, int]:
    """Return how many batches transfers have."""
    stated = _stated(scope, ids)
    return pages.count_of_each(reads, stated, (stated.selected_columns.transfer_id,))


def balances_by_batch(
    reads: ReadSession, scope: PlantScope, keys: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], BalanceSeen]:
    """Return balances by transfer and batch."""
    found = (_seen(row) for row in reads.exec(_stated(scope, [transfer for transfer, _ in keys])))
    return {key: one for one in found if (key := (one.transfer_id, one.balance.batch_id)) in keys}


def _stated(scope: PlantScope, ids: Sequence[int]) -> Select[Any]:
    """Return the statement for the batches of transfers. A line with a received quantity is the receiver's."""
    row, over = TransferLineRow, col(TransferLineRow.transfer_id)
    of_source, of_receiver = col(row.received).is_(None), col(row.received).isnot(None)
    grouped: Any = (
        select(over, col(row.batch_id), func.min(row.line).label("line"))
        .add_columns(
            func.coalesce(func.max(case((of_source, col(row.unit)))), func.max(row.unit)).label("unit"),
            func.max(case((of_source, col(row.dispatched)))).label("dispatched"),
            func.max(case((of_receiver, col(row.dispatched)))).label("said"),
            func.max(row.received).label("received"),
            func.sum(func.count(col(row.received))).over(partition_by=over).label("receipts"),
        )
        .where(over.in_(set(ids)), col(row.plant_id).in_(scope))
        .group_by(over, col(row.batch_id))
        .subquery()
    )
    found: Any = select(*grouped.c)
    return found  # type: ignore[no-any-return]  # Its columns are those of the subquery.


def _key(stated: Select[Any]) -> tuple[Any, Any]:
    return stated.selected_columns.line, stated.selected_columns.batch_id


def _seen(row: Any) -> BalanceSeen:
    transfer, batch, line, unit, dispatched, said, received, receipts = row
    return BalanceSeen(transfer, line, Balance(batch, unit, dispatched, said, received, arrived=receipts > 0))
