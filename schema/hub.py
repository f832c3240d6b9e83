"""The contract of the hub: what headquarters and auditors read over all plants, and what the hub may do."""

from typing import Final

from schema import changes, directives, in_transit
from schema.contracts import build
from schema.reads import QUERIES, SUBSCRIPTIONS

MUTATIONS: Final = (
    changes.decide_change,
    directives.direct_material,
    directives.direct_unit,
    directives.direct_supplier,
    directives.direct_customer,
    directives.direct_location,
    directives.direct_equipment,
    directives.direct_hold,
    directives.direct_recall,
    directives.direct_release,
)

SCHEMA: Final = build((*QUERIES, in_transit.transfers_in_transit), MUTATIONS, SUBSCRIPTIONS)
