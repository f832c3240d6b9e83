"""Handling of stock: split, merge, move and count (rules 1, 3, 7 and 9).

Choices where domain.md is silent:
- A split takes blocked goods too; the parts carry the holds. A merge takes usable goods only.
- Parts of a split keep the factors, dates, grade, attributes, supplier and time of production of the batch.
- A merged batch has the factors of today, the earliest dates and time of production, and what all sources agree on.
- A merge within one batch would change nothing, also of one source alone.
- A count is compared with the amount at the time of the count. Later movements stay.
- The sum of differences that counts against the tolerance includes counts that were not corrected, and no approved
  adjustment. The amount at the start is that before the first of these counts, or now if there is none.
"""

from dataclasses import replace
from typing import Final

from simulation.reference_model import registry
from simulation.reference_model.amounts import read_quantity
from simulation.reference_model.calls import Call
from simulation.reference_model.dates import earliest
from simulation.reference_model.holds import check_usable, note_late_use, open_holds, root
from simulation.reference_model.receipts import material_of, new_batch
from simulation.reference_model.rows import Batch, Stock
from simulation.reference_model.runs import add_edge, open_run
from simulation.reference_model.stock import amount_then, put, stock_at, take, take_line
from simulation.reference_model.verdicts import RefusalFound

COUNT: Final = "count:"
ADJUSTMENT: Final = "adjustment:"


@registry.command("splitBatch", "BatchSplit")
def split_batch(call: Call) -> None:
    batch = call.batch(call.input["batchCode"], "batchCode")
    source = str(call.input["locationCode"])
    if batch.void:
        raise RefusalFound("BATCH_RESTRICTED", "batchCode")
    run = open_run(call, "SPLIT")
    carries = tuple(root(hold) for hold in open_holds(call.tables, batch.id, source))
    parts = []
    for place, part in enumerate(call.lines("parts")):
        path = ("parts", str(place))
        location = call.master("LOCATION", part["locationCode"], *path, "locationCode")
        line = {"locationCode": source, "quantity": part["quantity"]}
        amount = take_line(call, batch, line, f"process:{run.id}", *path)
        made = replace(batch, id=call.new_id("B"), made=amount, made_entry=call.index, run=run.id)
        call.made.append(made.id)
        made = replace(made, origin=call.plant, left=False, decided=False, version=1, supplier_lot=None)
        call.tables.batches[made.id] = made
        put(call, made.id, location, amount, f"process:{run.id}")
        parts.append((made.id, amount))
    add_edge(call, run.id, batch.id, "CONSUMED", sum(amount for _, amount in parts), carries=carries)
    for part_id, amount in parts:
        add_edge(call, run.id, part_id, "PRODUCED", amount)
    call.tables.runs[run.id] = replace(run, closed_at=call.at)


@registry.command("mergeBatches", "BatchesMerged")
def merge_batches(call: Call) -> None:
    given = call.lines("sources")
    location = call.master("LOCATION", call.input["locationCode"], "locationCode")
    sources = [call.batch(line["batchCode"], "sources", str(n), "batchCode") for n, line in enumerate(given)]
    for place, batch in enumerate(sources):
        if batch.material != sources[0].material:
            raise RefusalFound("MATERIAL_DIFFERS", "sources", str(place), "batchCode")
    if len({batch.id for batch in sources}) == 1:
        raise RefusalFound("NOTHING_CHANGES", "sources")
    material = material_of(call, sources[0].material, "sources")
    run = open_run(call, "MERGE")
    made = new_batch(call, material, min(batch.produced_at for batch in sources), {})
    total = lines = 0
    for place, (line, batch) in enumerate(zip(given, sources, strict=True)):
        path = ("sources", str(place))
        where = str(line["locationCode"])
        late = check_usable(call, batch, where, *path)
        there = stock_at(call.tables, batch.id, where)
        amount = there.amount
        if line.get("quantity") is not None:
            amount = read_quantity(call, batch, line["quantity"], *path, "quantity", there=there)
        if amount == 0 or batch.unit != material.unit:
            raise RefusalFound("STOCK_SHORT" if amount == 0 else "UNIT_NOT_CONVERTIBLE", *path)
        take(call, batch.id, where, amount, f"process:{run.id}", *path)
        add_edge(call, run.id, batch.id, "CONSUMED", amount, carries=late, late=bool(late))
        note_late_use(call, late, run.id)
        total, lines = total + amount, lines + max(there.lines, 1)
    call.tables.batches[made.id] = agreed(made, sources, total, run.id)
    put(call, made.id, location, total, f"process:{run.id}", lines=lines)
    add_edge(call, run.id, made.id, "PRODUCED", total)
    call.tables.runs[run.id] = replace(run, closed_at=call.at)


def agreed(made: Batch, sources: list[Batch], total: int, run: str) -> Batch:
    """Return the merged batch: earliest dates, and each fact on which all sources agree."""
    grades = {batch.grade for batch in sources}
    suppliers = {batch.supplier for batch in sources}
    common = set.intersection(*(set(batch.attributes) for batch in sources))
    return replace(
        made,
        made=total,
        run=run,
        expires_on=earliest(batch.expires_on for batch in sources),
        retest_on=earliest(batch.retest_on for batch in sources),
        grade=grades.pop() if len(grades) == 1 else None,
        supplier=suppliers.pop() if len(suppliers) == 1 else None,
        attributes=tuple(sorted(common)),
    )


@registry.command("moveBatch", "BatchMoved")
def move_batch(call: Call) -> None:
    batch = call.batch(call.input["batchCode"], "batchCode")
    source, target = str(call.input["fromLocationCode"]), str(call.input["toLocationCode"])
    call.master("LOCATION", target, "toLocationCode")
    if source == target:
        raise RefusalFound("NOTHING_CHANGES", "toLocationCode")
    line = {"locationCode": source, "quantity": call.input["quantity"]}
    amount = take_line(call, batch, line, f"location:{target}", "quantity")
    put(call, batch.id, target, amount, f"location:{source}")


@registry.command("countStock", "StockAdjusted")
def count_stock(call: Call) -> None:
    call.text("reason", required=True)
    batch = call.batch(call.input["batchCode"], "batchCode")
    location = call.master("LOCATION", call.input["locationCode"], "locationCode")
    then = amount_then(call, batch.id, location)
    difference = counted(call, batch, location, then) - then
    if difference == 0:
        raise RefusalFound("NOTHING_CHANGES", "counted")
    start, before = earlier_counts(call, batch.id, location)
    base = then if start is None else start
    if before + abs(difference) > base * call.settings.count_tolerance:
        raise RefusalFound("CHANGE_REQUIRED", "counted")
    adjust(call, batch.id, location, difference, COUNT)


def counted(call: Call, batch: Batch, location: str, then: int) -> int:
    """Return the counted amount of the input. A converted one within a millionth a line of the amount then is that."""
    there = Stock(then, stock_at(call.tables, batch.id, location).lines)
    return read_quantity(call, batch, call.input["counted"], "counted", there=there, zero=True)


def adjust(call: Call, batch: str, location: str, difference: int, place: str) -> None:
    if difference > 0:
        put(call, batch, location, difference, place)
    elif difference < 0:
        take(call, batch, location, -difference, place, "counted")


def earlier_counts(call: Call, batch: str, location: str) -> tuple[int | None, int]:
    """Return the amount before the first count of the window, if there is one, and the sum of their differences."""
    flows = [flow for flow in stock_at(call.tables, batch, location).flows if flow.retracted is None]
    since = call.at - call.settings.count_window
    counts = [flow for flow in flows if flow.other == COUNT and since <= flow.at <= call.at]
    if not counts:
        return None, 0
    first = min(counts, key=lambda flow: flow.at)
    start = sum(flow.amount for flow in flows if flow.at <= first.at and flow is not first)
    return start, sum(abs(flow.amount) for flow in counts)
