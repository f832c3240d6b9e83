"""Stock by batch and location: taking, putting, and the order of times (rules 1 and 10).

Every change of stock is a flow from or to another place, written `kind:id`: `supplier:S1`, `process:P1`, `customer:C1`,
`transfer:T1`, `location:L1`, `batch:B1` (split and merge use `process`), `count:`, `scrap:`.

Choices where domain.md is silent:
- Goods that left at a time must have been there at that time: at each departure from then on, the arrivals up to five
  minutes later cover all departures. Else TIME_OUT_OF_ORDER, with the latest arrival that came too late.
- A location that is not defined holds nothing: taking from it is STOCK_SHORT.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from simulation.reference_model.amounts import NOTHING, read_quantity
from simulation.reference_model.calls import Call
from simulation.reference_model.rows import Batch, Flow, Stock, Tables
from simulation.reference_model.verdicts import RefusalFound

SURPLUS: Final = "SURPLUS"
"""The receiving location of a surplus. It needs no definition."""


def stock_at(tables: Tables, batch: str, location: str) -> Stock:
    return tables.stock.get((batch, location), NOTHING)


def on_hand(tables: Tables, batch: str) -> dict[str, int]:
    """Return the amount of a batch at each location that has any."""
    return {where: row.amount for (code, where), row in sorted(tables.stock.items()) if code == batch and row.amount}


def put(call: Call, batch: str, location: str, amount: int, other: str, *, lines: int = 1) -> None:
    """Add an amount that came from another place, by that number of lines."""
    row = stock_at(call.tables, batch, location)
    flow = Flow(call.index, call.at, amount, other)
    call.tables.stock[batch, location] = Stock(row.amount + amount, row.lines + lines, (*row.flows, flow))


def take(call: Call, batch: str, location: str, amount: int, other: str, *path: str) -> int:
    """Remove an amount that goes to another place, and return the number of lines by which the goods had come."""
    row = stock_at(call.tables, batch, location)
    if amount > row.amount:
        raise RefusalFound("STOCK_SHORT", *path)
    left = row.amount - amount
    flow = Flow(call.index, call.at, -amount, other)
    call.tables.stock[batch, location] = Stock(left, row.lines if left else 0, (*row.flows, flow))
    check_order(call, batch, location)
    return row.lines


def take_line(call: Call, batch: Batch, line: Mapping[str, Any], other: str, *path: str) -> int:
    """Take the goods of a stock line of the input, and return their amount."""
    location = str(line["locationCode"])
    there = stock_at(call.tables, batch.id, location)
    amount = read_quantity(call, batch, line["quantity"], *path, "quantity", there=there)
    take(call, batch.id, location, amount, other, *path)
    return amount


def check_order(call: Call, batch: str, location: str) -> None:
    """Refuse flows by which goods left before they came."""
    flows = [flow for flow in stock_at(call.tables, batch, location).flows if flow.retracted is None]
    for departure in (flow for flow in flows if flow.amount < 0):
        limit = departure.at + call.settings.clocks
        came = sum(flow.amount for flow in flows if flow.amount > 0 and flow.at <= limit)
        went = -sum(flow.amount for flow in flows if flow.amount < 0 and flow.at <= departure.at)
        if went > came:
            late = max((flow for flow in flows if flow.amount > 0 and flow.at > limit), key=lambda flow: flow.at)
            raise RefusalFound("TIME_OUT_OF_ORDER", "occurredAt", entry=late.entry)


def amount_then(call: Call, batch: str, location: str) -> int:
    """Return the amount at the time of the command: flows written down so far, up to five minutes later."""
    limit = call.at + call.settings.clocks
    flows = stock_at(call.tables, batch, location).flows
    return sum(flow.amount for flow in flows if flow.retracted is None and flow.at <= limit)


def reverse(call: Call, entry: int) -> list[str]:
    """Reverse all flows of an entry; return the batches. Raises STOCK_SHORT where goods are gone since."""
    touched = []
    for (batch, location), row in sorted(call.tables.stock.items()):
        amounts = [flow.amount for flow in row.flows if flow.entry == entry and flow.retracted is None]
        if not amounts:
            continue
        left = row.amount - sum(amounts)
        if left < 0:
            raise RefusalFound("STOCK_SHORT", entry=entry)
        flows = tuple(replace(flow, retracted=call.index) if flow.entry == entry else flow for flow in row.flows)
        lines = max(row.lines, 1) if left else 0
        call.tables.stock[batch, location] = Stock(left, lines, flows)
        check_order(call, batch, location)
        touched.append(batch)
    return touched
