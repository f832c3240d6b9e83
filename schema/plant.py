"""The contract of a plant: what its apps read and write."""

from typing import Final

from schema import (
    changes,
    corrections,
    definitions,
    disputes,
    holds,
    movements,
    production,
    receipts,
    shipments,
    transfers,
)
from schema.contracts import build
from schema.reads import QUERIES, SUBSCRIPTIONS

MUTATIONS: Final = (
    receipts.receive_batch,
    production.open_process,
    production.feed_process,
    production.yield_process,
    production.close_process,
    production.record_production,
    movements.move_batch,
    movements.split_batch,
    movements.merge_batches,
    movements.adjust_stock,
    movements.alias_batch,
    movements.end_alias,
    transfers.dispatch_transfer,
    transfers.receive_transfer,
    shipments.ship_batch,
    holds.quarantine_batch,
    changes.request_release,
    changes.request_expiry_extension,
    changes.request_stock_adjustment,
    changes.decide_change,
    corrections.correct_entry,
    disputes.settle_dispute,
    definitions.define_material,
    definitions.define_unit,
    definitions.define_supplier,
    definitions.define_customer,
    definitions.define_location,
    definitions.define_equipment,
)

SCHEMA: Final = build(QUERIES, MUTATIONS, SUBSCRIPTIONS)
