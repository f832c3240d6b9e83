"""The contract of a plant: what its apps read and write."""

from typing import Final

from schema import batches, definitions, materials, nodes, plants, receipts, stock, viewer
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

MUTATIONS: Final = (
    receipts.receive_batch,
    definitions.define_material,
    definitions.define_unit,
    definitions.define_supplier,
    definitions.define_customer,
    definitions.define_location,
    definitions.define_equipment,
)

SUBSCRIPTIONS: Final = ()

SCHEMA: Final = build(QUERIES, MUTATIONS, SUBSCRIPTIONS)
