"""The contract of a plant: what its apps read and write."""

from typing import Final

from schema.approvals import change_requests
from schema.audit import corrections
from schema.engine.contracts import build
from schema.engine.queries import QUERIES, SUBSCRIPTIONS
from schema.inventory import movements, receipts
from schema.logistics import shipments, transfers
from schema.materials import definitions
from schema.production import runs
from schema.quality import holds
from schema.replication import disputes

MUTATIONS: Final = (
    receipts.receive_batch,
    runs.open_process,
    runs.feed_process,
    runs.yield_process,
    runs.close_process,
    runs.record_production,
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
    change_requests.request_release,
    change_requests.request_expiry_extension,
    change_requests.request_stock_adjustment,
    change_requests.decide_change,
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
