"""Intents of operators: receipt, production, handling, transfers and counts."""

from datetime import timedelta
from typing import Final

from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.movements import Move, move_batch
from plants.commands.inventory.receipts import Delivery, receive_batch
from plants.commands.inventory.stock import Count, adjust_stock
from plants.commands.logistics.shipments import Shipment, ship_batch
from plants.commands.logistics.transfers import (
    Dispatch,
    ReceiptLine,
    TransferReceipt,
    dispatch_transfer,
    receive_transfer,
)
from plants.commands.production.merges import Merge, MergeSource, merge_batches
from plants.commands.production.process_records import (
    Closing,
    Feed,
    ProcessOrder,
    close_process,
    feed_process,
    open_process,
)
from plants.commands.production.runs import ProductionRun, record_production
from plants.commands.production.splits import Split, SplitPart, split_batch
from plants.commands.production.yields import Addition, Output, Yield, yield_process
from plants.rules.logistics.transfers import read_manifest
from plants.rules.production.process_records import RunKind
from plants.rules.values.quantities import format_micro
from simulation.workload import LOCATIONS, STAFF, Intent, View

KINDS: Final = (*(RunKind.PRODUCTION,) * 6, RunKind.REPACK, RunKind.REWORK, RunKind.RELABEL)


def receive(view: View) -> Intent:
    chance = view.chance
    material = chance.choice(("MILK", "MILK", "MILK", "SUGAR", "SUGAR", "M0"))
    unit = "BG" if material == "SUGAR" and chance.randrange(3) == 0 else "KGM"
    lot = f"L{chance.randrange(40)}" if chance.randrange(3) == 0 else None
    order = Delivery(
        material,
        str(chance.randint(1, 400)),
        unit,
        chance.choice(LOCATIONS) if chance.randrange(30) else "NOWHERE",
        supplier=None if lot is None and chance.randrange(2) else "S1",
        supplier_lot=lot,
        order=f"PO{chance.randrange(20)}" if chance.randrange(3) == 0 else None,
        expires_on=view.today + timedelta(days=chance.randint(1, 40)) if chance.randrange(6) == 0 else None,
        grade=chance.choice("AB") if chance.randrange(6) == 0 else None,
        quarantine="on arrival 到货待检" if chance.randrange(8) == 0 else None,
    )
    return Intent(receive_batch, order, chance.choice(STAFF))


def _process(view: View) -> ProcessOrder:
    chance = view.chance
    equipment = chance.choice(("MIX1", "NONE9")) if chance.randrange(10) == 0 else None
    return ProcessOrder(chance.choice(KINDS), job_order=f"J{chance.randrange(30)}", equipment=equipment)


def open_run(view: View) -> Intent:
    return Intent(open_process, _process(view), view.chance.choice(STAFF))


def feed(view: View) -> Intent | None:
    run = view.open_run()
    lines = tuple(line for line in (view.line() for _ in range(view.chance.choice((1, 1, 2)))) if line is not None)
    return None if run is None or not lines else Intent(feed_process, Feed(run, lines), view.chance.choice(STAFF))


def _output(view: View, most: int) -> Output:
    chance = view.chance
    material = "MILK" if chance.randrange(12) == 0 else "YOG"
    expires_on = view.today + timedelta(days=chance.randint(1, 20)) if chance.randrange(8) == 0 else None
    return Output(material, str(chance.randint(1, most)), "KGM", chance.choice(LOCATIONS), expires_on=expires_on)


def add_outputs(view: View) -> Intent | None:
    run, chance = view.open_run(), view.chance
    if run is None:
        return None
    outputs: tuple[Output, ...] = (_output(view, 90),)
    fed = view.state.fed.get(run, {})
    returns: tuple[StockLine, ...] = ()
    if fed and chance.randrange(4) == 0:
        batch = chance.choice(list(fed))
        known = view.state.batches[batch]
        returns = (StockLine(known["code"], format_micro(max(1, fed[batch] // 4)), known["unit"], "B1"),)
    made = [link[1] for link in view.state.links.values() if link[0] == run and link[2] == "PRODUCED"]
    additions: tuple[Addition, ...] = ()
    if made and chance.randrange(3) == 0:
        additions, outputs = (Addition(view.state.batches[made[0]]["code"], "3.5", "KGM", "A1"),), ()
    return Intent(yield_process, Yield(run, outputs, additions, returns), chance.choice(STAFF))


def close_run(view: View) -> Intent | None:
    run = view.open_run()
    return None if run is None else Intent(close_process, Closing(run), view.chance.choice(STAFF))


def produce(view: View) -> Intent | None:
    line, chance = view.line(), view.chance
    if line is None:
        return None
    order = ProductionRun(_process(view), (line,), (_output(view, 50),))
    return Intent(record_production, order, chance.choice(STAFF))


def split(view: View) -> Intent | None:
    found = view.goods(free=view.chance.randrange(8) > 0)
    if found is None:
        return None
    code, location, amount, _ = found
    share = view.chance.choice((3, 3, 2, 1))
    parts = tuple(SplitPart(format_micro(max(1, amount // share)), view.chance.choice(LOCATIONS)) for _ in range(2))
    return Intent(split_batch, Split(code, location, parts), view.chance.choice(STAFF))


def merge(view: View) -> Intent | None:
    first = view.goods()
    if first is None:
        return None
    others = view.pair(first[3]) if view.chance.randrange(8) else [view.goods() or first]
    found = [first, *([view.chance.choice(others)] if others else [])]
    sources = tuple(MergeSource(code, location) for code, location, _, _ in dict.fromkeys(found))
    return Intent(merge_batches, Merge(sources, "A1"), view.chance.choice(STAFF))


def move(view: View) -> Intent | None:
    found = view.goods(free=False)
    if found is None:
        return None
    code, location, amount, batch = found
    target, unit = ("B1" if location == "A1" else "A1"), view.state.batches[batch]["unit"]
    return Intent(move_batch, Move(code, location, target, view.part(amount), unit), view.chance.choice(STAFF))


def dispatch(view: View) -> Intent | None:
    line = view.line()
    if line is None:
        return None
    others = [code for number, code in enumerate(view.codes, 1) if number != view.plant or not view.chance.randrange(9)]
    lines = (line, *([second] if (second := view.line()) is not None and view.chance.randrange(3) == 0 else []))
    return Intent(dispatch_transfer, Dispatch(view.chance.choice(others), lines), view.chance.choice(STAFF))


def arrive(view: View) -> Intent | None:
    chance = view.chance
    labels = view.other_labels if view.other_labels and chance.randrange(12) == 0 else view.labels
    if not labels:
        return None
    label = chance.choice(labels[-4:])
    lines: tuple[ReceiptLine, ...] = ()
    if chance.randrange(3) == 0 and view.everywhere:
        on_label = [line["batch"]["code"] for line in read_manifest(label).lines]
        code = chance.choice(on_label if chance.randrange(4) else view.everywhere)
        lines = (ReceiptLine(code, chance.choice(("1.25", "0", "500")), "A1"),)
    return Intent(receive_transfer, TransferReceipt(label, chance.choice(LOCATIONS), lines), chance.choice(STAFF))


def ship(view: View) -> Intent | None:
    line = view.line()
    return None if line is None else Intent(ship_batch, Shipment("C1", (line,), "SO7"), view.chance.choice(STAFF))


def count(view: View) -> Intent | None:
    found = view.goods(free=False)
    if found is None:
        return None
    code, location, amount, _ = found
    difference = amount // view.chance.choice((60, 80, 3))
    counted = format_micro(max(1, amount - difference * view.chance.choice((1, 1, -1))))
    return Intent(adjust_stock, Count(code, location, counted), view.chance.choice(STAFF), reason="count 盘点")
