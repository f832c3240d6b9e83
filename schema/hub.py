"""The contract of the hub: what headquarters and auditors read over all plants, and what the hub may do."""

from typing import Final

from schema import (
    batches,
    changes,
    ledger,
    materials,
    nodes,
    plants,
    processes,
    shipments,
    stock,
    subscriptions,
    trace,
    transfers,
    viewer,
)
from schema.contracts import build

QUERIES: Final = (
    viewer.viewer,
    nodes.node,
    batches.batch,
    batches.batches,
    stock.stock,
    materials.material,
    materials.materials,
    materials.suppliers,
    materials.customers,
    materials.locations,
    materials.equipment,
    processes.process_record,
    processes.process_records,
    transfers.transfer,
    transfers.transfers,
    shipments.shipments,
    changes.change_request,
    changes.change_requests,
    ledger.ledger,
    ledger.entry,
    trace.trace,
    plants.plant,
    plants.plants,
)

MUTATIONS: Final = (changes.decide_change,)

SUBSCRIPTIONS: Final = (
    subscriptions.ledger_entries,
    subscriptions.replication_status,
)

SCHEMA: Final = build(QUERIES, MUTATIONS, SUBSCRIPTIONS)
