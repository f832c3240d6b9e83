"""What both roles answer: the queries and subscriptions, over the plants that the asker may see."""

from typing import Final

from schema import (
    alarms,
    batches,
    changes,
    directives,
    disputes,
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
    directives.directives,
    ledger.ledger,
    ledger.entry,
    trace.trace,
    plants.plant,
    plants.plants,
    alarms.alarms,
    disputes.disputes,
)

SUBSCRIPTIONS: Final = (
    subscriptions.ledger_entries,
    subscriptions.replication_status,
)
