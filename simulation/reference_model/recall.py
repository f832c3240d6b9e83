"""The scope of a recall over several plants' tables: where goods of the suspects, and of what they became, are.

Choices where domain.md is silent:
- The scope has all descendants, also those released from a hold and those below a carry-over limit.
- Fed less returned counts as in process while the run is open, and as consumed from its closing on.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from simulation.reference_model.amounts import MILLION
from simulation.reference_model.genealogy import descendants
from simulation.reference_model.rows import Edge, Tables

ZERO: Final = Fraction(0)

Amounts = dict[tuple[str, str, str], Fraction]


@dataclass
class Scope:
    """Batches of a recall, and their amounts in their own unit by plant, place and batch.

    The place is a location, a process record, a transfer (under its sender) or a customer. Scrap has none.
    """

    batches: tuple[str, ...]
    on_hand: Amounts = field(default_factory=dict)
    in_process: Amounts = field(default_factory=dict)
    in_transit: Amounts = field(default_factory=dict)
    shipped: Amounts = field(default_factory=dict)
    consumed: Amounts = field(default_factory=dict)
    scrapped: Amounts = field(default_factory=dict)


def recall_scope(plants: Mapping[str, Tables], suspects: Iterable[str]) -> Scope:
    edges = [edge for tables in plants.values() for edge in tables.edges.values()]
    suspects = list(suspects)
    batches = {other for suspect in suspects for other in descendants(suspect, edges)} | set(suspects)
    scope = Scope(tuple(sorted(batches)))
    for plant, tables in plants.items():
        add_stock(scope, plant, tables)
        add_runs(scope, plant, tables)
        add_transfers(scope, plant, plants)
        add_shipments(scope, plant, tables)
    return scope


def add_stock(scope: Scope, plant: str, tables: Tables) -> None:
    scrapped: dict[tuple[str, str, str], Fraction] = defaultdict(Fraction)
    for (batch, location), row in tables.stock.items():
        if batch in scope.batches:
            if row.amount:
                scope.on_hand[plant, location, batch] = Fraction(row.amount, MILLION)
            for flow in row.flows:
                if flow.other == "scrap:" and flow.retracted is None:
                    scrapped[plant, "", batch] -= Fraction(flow.amount, MILLION)
    scope.scrapped |= scrapped


def net(edge: Edge) -> Fraction:
    return Fraction(edge.amount if edge.side == "IN" else -edge.amount, MILLION)


def add_runs(scope: Scope, plant: str, tables: Tables) -> None:
    for edge in tables.edges.values():
        if edge.retracted is None and edge.side != "OUT" and edge.batch in scope.batches:
            is_open = tables.runs[edge.run].closed_at is None
            bucket = scope.in_process if is_open else scope.consumed
            key = (plant, edge.run, edge.batch)
            bucket[key] = bucket.get(key, ZERO) + net(edge)


def add_transfers(scope: Scope, plant: str, plants: Mapping[str, Tables]) -> None:
    for transfer in plants[plant].transfers.values():
        for batch in {line.batch.id for line in transfer.lines} & set(scope.batches):
            sent = sum(line.amount for line in transfer.lines if line.batch.id == batch)
            key = (transfer.id, batch)
            came = sum(other.received[key].amount for other in plants.values() if key in other.received)
            if sent > came:
                scope.in_transit[plant, transfer.id, batch] = Fraction(sent - came, MILLION)


def add_shipments(scope: Scope, plant: str, tables: Tables) -> None:
    for shipment in tables.shipments.values():
        if shipment.void:
            continue
        amounts = [(batch, amount) for batch, amount in shipment.lines]
        amounts += [(batch, -amount) for _, batch, amount in shipment.returned]
        for batch, amount in amounts:
            if batch in scope.batches:
                key = (plant, shipment.customer, batch)
                scope.shipped[key] = scope.shipped.get(key, ZERO) + Fraction(amount, MILLION)
