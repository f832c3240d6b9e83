"""Receipts of goods: the supplier's lot and the purchase order of a batch that was received."""

from collections.abc import Sequence

from sqlmodel import SQLModel, col, select

from infra.database import ReadSession
from plants.rules.identification.codes import plant_of
from plants.rules.values.scope import PlantScope
from plants.store.sql.columns import PLANT, PROJECTION, key, partial_index, text


class ReceiptRow(SQLModel, table=True):
    """The receipt that made a batch. A receipt without a lot and an order has no row."""

    __tablename__ = "receipts"
    __table_args__ = (
        partial_index("receipts_by_purchase_order_search", "purchase_order_search"),
        partial_index("receipts_by_supplier_lot_search", "supplier_lot_search"),
        PROJECTION,
    )

    plant_id: int = key(PLANT)
    batch_id: int = key()
    supplier_lot: str | None = text(None)
    purchase_order: str | None = text(None)
    supplier_lot_search: str | None = text(None)  # `search_form` of the lot
    purchase_order_search: str | None = text(None)


def receipts_by_batch(reads: ReadSession, scope: PlantScope, ids: Sequence[int]) -> dict[int, ReceiptRow]:
    """Return receipts by batch, as the plant of origin states them."""
    found = select(ReceiptRow).where(col(ReceiptRow.batch_id).in_(set(ids)), col(ReceiptRow.plant_id).in_(scope))
    return {row.batch_id: row for row in reads.exec(found) if row.plant_id == plant_of(row.batch_id)}
