"""The contract of a plant: what its apps read and write."""

from typing import Final

from schema.approvals import change_requests, decisions
from schema.audit import corrections
from schema.engine.contracts import build
from schema.engine.queries import QUERIES, SUBSCRIPTIONS
from schema.inventory import aliases, movements, receipts, stock
from schema.logistics import shipments, transfers
from schema.materials import master_records, materials
from schema.production import merges, process_records, runs, splits, yields
from schema.quality import holds
from schema.replication import disputes

MUTATIONS: Final = (
    receipts.receive_batch,
    process_records.open_process,
    process_records.feed_process,
    yields.yield_process,
    process_records.close_process,
    runs.record_production,
    movements.move_batch,
    splits.split_batch,
    merges.merge_batches,
    stock.adjust_stock,
    aliases.alias_batch,
    aliases.end_alias,
    transfers.dispatch_transfer,
    transfers.receive_transfer,
    shipments.ship_batch,
    holds.quarantine_batch,
    change_requests.request_release,
    change_requests.request_expiry_extension,
    change_requests.request_stock_adjustment,
    decisions.decide_change,
    corrections.correct_entry,
    disputes.settle_dispute,
    materials.define_material,
    master_records.define_unit,
    master_records.define_supplier,
    master_records.define_customer,
    master_records.define_location,
    master_records.define_equipment,
)

SCHEMA: Final = build(QUERIES, MUTATIONS, SUBSCRIPTIONS)
