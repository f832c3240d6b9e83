"""The contract of the hub: what headquarters, auditors and front ends read over all plants, and what the hub may do."""

from typing import Final

from schema import batches, materials, nodes, plants, stock, viewer
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
    plants.plant,
    plants.plants,
)

MUTATIONS: Final = ()

SUBSCRIPTIONS: Final = ()

SCHEMA: Final = build(QUERIES, MUTATIONS, SUBSCRIPTIONS)
