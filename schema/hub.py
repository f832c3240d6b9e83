"""The contract of the hub: what headquarters and auditors read over all plants, and what the hub may do."""

from typing import Final

from schema.approvals import change_requests
from schema.directives import directives
from schema.engine.contracts import build
from schema.engine.queries import QUERIES, SUBSCRIPTIONS
from schema.logistics import in_transit
from schema.replication import parked_entries

MUTATIONS: Final = (
    change_requests.decide_change,
    directives.direct_material,
    directives.direct_unit,
    directives.direct_supplier,
    directives.direct_customer,
    directives.direct_location,
    directives.direct_equipment,
    directives.direct_hold,
    directives.direct_recall,
    directives.direct_release,
    parked_entries.retry_parked_entry,
    parked_entries.skip_parked_entry,
)

OWN_QUERIES: Final = (
    in_transit.transfers_in_transit,
    parked_entries.parked_entries,
    parked_entries.skipped_entries,
)

SCHEMA: Final = build((*QUERIES, *OWN_QUERIES), MUTATIONS, SUBSCRIPTIONS)
