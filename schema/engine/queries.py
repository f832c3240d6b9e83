"""What both roles answer: the queries and subscriptions, over the plants that the asker may see."""

from typing import Final

from schema.approvals import change_requests
from schema.audit import history
from schema.directives import directives
from schema.engine import nodes, subscriptions, viewer
from schema.group import plants
from schema.inventory import batches, stock
from schema.logistics import shipments, transfers
from schema.materials import materials
from schema.monitoring import alarms
from schema.production import process_records
from schema.replication import disputes
from schema.traceability import trace

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
    process_records.process_record,
    process_records.process_records,
    transfers.transfer,
    transfers.transfers,
    shipments.shipments,
    change_requests.change_request,
    change_requests.change_requests,
    directives.directives,
    history.ledger,
    history.entry,
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
