"""The summary of a trace: counts by plant, material and customer, goods on hand, and flows of goods."""

from collections.abc import Collection
from dataclasses import dataclass

from infra.database import ReadSession
from plants.rules.genealogy.walks import Amount, Bounds, contribution_bounds
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.scope import PlantScope
from plants.store.genealogy.walks import Traced
from plants.store.sql.arrays import as_array, in_list, in_scope
from plants.store.sql.sums import sum_parts, whole

PREFERRED = "row_number() OVER (PARTITION BY id ORDER BY CASE WHEN plant_id = (id >> 40) THEN 0 ELSE plant_id END) = 1"
"""Whether a row speaks for its batch: the one of its origin, or else of the lowest plant number in the scope."""


@dataclass(frozen=True, slots=True)
class Share:
    """Traced batches of one material at one plant in one disposition, in millionths of the unit.

    A batch counts in `present` at every plant that knows it, and in `batches` and `made` at one: its origin, or the
    lowest plant number in the scope.
    """

    plant_id: int
    material: str
    unit: str
    disposition: str
    present: int
    batches: int
    made: int
    on_hand: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """The shipments of traced batches from one plant to one customer, in millionths of one unit."""

    plant_id: int
    customer: str
    unit: str
    shipments: int
    batches: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of a trace; `unstated` counts batches that no plant in the scope has stated.

    `edges` counts those of `transfers` too, and `processes` does not count transfers.
    """

    batches: int
    processes: int
    transfers: int
    edges: int
    depth: int
    unstated: int
    shares: tuple[Share, ...]
    deliveries: tuple[Delivered, ...]


class PlaceKind(DescribedEnum):
    """Kind of place that goods are taken from or put in."""

    SUPPLIER = "supplier", "A supplier from whom the goods were received."
    SOURCE = "source", "The origin of goods that began at the plant, such as a harvest or opening stock."
    STOCK = "stock", "A location of the plant that holds the goods on hand."
    PROCESS = "process", "A process record, a transfer or a shipment."
    COUNT = "count", "The difference between counted and expected stock."
    SCRAP = "scrap", "Goods that were thrown away."


@dataclass(frozen=True, slots=True)
class Flow:
    """The amount of traced batches of one unit that a plant moved between two kinds of place, in millionths.

    Moves into stock less moves out of it are on hand.
    """

    plant_id: int
    unit: str
    taken_from: PlaceKind
    put_in: PlaceKind
    quantity: int


def summary(session: ReadSession, scope: PlantScope, traced: Traced) -> Summary:
    """Return the figures of a trace from what the plants in the scope state."""
    shares = _shares(session, scope, traced.batches)
    return Summary(
        batches=len(traced.batches),
        processes=len(traced.processes),
        transfers=len(traced.transfers),
        edges=traced.link_count,
        depth=traced.depth,
        unstated=len(traced.batches) - sum(share.batches for share in shares),
        shares=shares,
        deliveries=_deliveries(session, scope, traced),
    )


def flows(session: ReadSession, scope: PlantScope, batches: Collection[int]) -> tuple[Flow, ...]:
    """Return all movements of the batches, summed: the mass balance of a trace, plant by plant and unit by unit."""
    kinds = {"supplier:%": "supplier", "stock:%": "stock", "process:%": "process"}

    def kind(column: str) -> str:
        cases = " ".join(f"WHEN {column} LIKE '{pattern}' THEN '{name}'" for pattern, name in kinds.items())
        return f"(CASE {cases} ELSE {column} END)"

    sql = (
        f"SELECT movements.plant_id, unit, {kind('taken_from')}, {kind('put_in')}, {sum_parts('quantity')}"
        " FROM movements JOIN (SELECT id, min(unit) AS unit FROM batches"
        f" WHERE {in_list(session, 'id', 'ids')} AND {in_scope(session, 'plant_id')} GROUP BY id) AS known"
        f" ON batch_id = known.id WHERE {in_scope(session, 'movements.plant_id')}"
        " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    )
    rows = session.rows(sql, {"ids": as_array(session, batches), "scope": as_array(session, scope)})
    return tuple(
        Flow(plant, unit, PlaceKind(taken_from), PlaceKind(put_in), whole(*parts))
        for plant, unit, taken_from, put_in, *parts in rows
    )


def _shares(session: ReadSession, scope: PlantScope, batches: Collection[int]) -> tuple[Share, ...]:
    on_hand = "SELECT sum(quantity) FROM stock WHERE stock.plant_id = batches.plant_id AND batch_id = id"
    sql = (
        "SELECT plant_id, material, unit, disposition, count(*), sum(CASE WHEN preferred THEN 1 ELSE 0 END),"
        f" {sum_parts('CASE WHEN preferred THEN made ELSE 0 END')}, {sum_parts('coalesce(on_hand, 0)')}"
        f" FROM (SELECT plant_id, material, unit, disposition, made, ({on_hand}) AS on_hand,"
        f" {PREFERRED} AS preferred FROM batches"
        f" WHERE {in_list(session, 'id', 'ids')} AND {in_scope(session, 'batches.plant_id')}) AS stated"
        " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    )
    rows = session.rows(sql, {"ids": as_array(session, batches), "scope": as_array(session, scope)})
    return tuple(
        Share(plant, material, unit, disposition, int(present), int(batches), whole(*parts[:2]), whole(*parts[2:]))
        for plant, material, unit, disposition, present, batches, *parts in rows
    )


def _deliveries(session: ReadSession, scope: PlantScope, traced: Traced) -> tuple[Delivered, ...]:
    shipped = {link[:2] for link in traced.links if link[2] == "SHIPPED"}
    if not shipped:
        return ()
    sql = (
        "SELECT edges.plant_id, customer, unit, count(DISTINCT target_id), count(DISTINCT source_id),"
        f" {sum_parts('quantity')}"
        " FROM edges JOIN process_records ON id = target_id AND process_records.plant_id = edges.plant_id"
        f" WHERE {in_list(session, 'source_id', 'batches')} AND {in_list(session, 'target_id', 'shipments')}"
        f" AND use = 'SHIPPED' AND {in_scope(session, 'edges.plant_id')} GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    )
    parameters = {
        "batches": as_array(session, {batch for batch, _ in shipped}),
        "shipments": as_array(session, {shipment for _, shipment in shipped}),
        "scope": as_array(session, scope),
    }
    return tuple(
        Delivered(plant, customer, unit, shipments, batches, whole(*parts))
        for plant, customer, unit, shipments, batches, *parts in session.rows(sql, parameters)
    )


def contributions(session: ReadSession, scope: PlantScope, traced: Traced) -> dict[int, Bounds]:
    """Return how much of a forward trace's seeds each batch reached can hold, in millionths of the batch's unit."""
    columns = "source_id, target_id, use, unit, quantity"
    sql = (
        f"SELECT {columns} FROM edges WHERE {in_list(session, 'source_id', 'runs')} AND {in_scope(session, 'plant_id')}"
        f" UNION ALL SELECT {columns} FROM edges WHERE {in_list(session, 'target_id', 'runs')}"
        f" AND {in_scope(session, 'plant_id')}"
    )
    scoped = {"scope": as_array(session, scope)}
    amounts = [Amount(*row) for row in session.rows(sql, scoped | {"runs": as_array(session, traced.processes)})]
    batches = {end for one in amounts for end in (one.source, one.target)} - traced.processes.keys()
    batches.update(traced.seeds.batches)
    sql = (
        f"SELECT id, made FROM (SELECT id, made, {PREFERRED} AS preferred FROM batches"
        f" WHERE {in_list(session, 'id', 'ids')} AND {in_scope(session, 'plant_id')}) AS stated WHERE preferred"
    )
    made: dict[int, int] = dict(session.rows(sql, scoped | {"ids": as_array(session, batches)}))
    suspects = [batch for batch in traced.seeds.batches if batch in made]
    bounds = contribution_bounds(amounts, made, suspects, traced.processes)
    return {batch: bounds[batch] for batch in traced.batches if batch in bounds}
