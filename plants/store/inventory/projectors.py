"""Projectors of batches, aliases, receipts, movements and stock."""

from typing import Any, Final

from plants.rules.inventory.aliases import alias_form
from plants.rules.inventory.events import BATCH_RECEIVED
from plants.rules.ledger.events import Entry, canonical
from plants.rules.ledger.payloads import AliasStatement, BatchStatement, HoldStatement, Movement
from plants.rules.values.instants import instant_micros
from plants.rules.values.quantities import parse_micro
from plants.rules.values.search_forms import search_form
from plants.store.genealogy.edges import EDGES
from plants.store.inventory.batches import Alias, Batch
from plants.store.inventory.movements import MovementRow, Stock
from plants.store.inventory.receipts import ReceiptRow
from plants.store.sql.rows import Parts, Projectors, RowWrites, TableSpec

BATCHES = TableSpec.of(Batch)
ALIASES = TableSpec.of(Alias)
STOCK = TableSpec.of(Stock)
MOVEMENTS = TableSpec.of(MovementRow)
RECEIPTS = TableSpec.of(ReceiptRow)


def state_batches(writes: RowWrites, log_id: int, entry: Entry, batches: list[BatchStatement]) -> None:
    """Upsert the batches."""
    index = entry.index
    for batch in batches:
        writes.upsert(
            BATCHES,
            {
                "id": batch["id"],
                "plant_id": log_id,
                "code": batch["code"],
                "material": batch["material"],
                "unit": batch["unit"],
                "made": parse_micro(batch["made"]),
                "produced_us": instant_micros(batch["produced_at"]),
                "expires_on": batch["expires_on"],
                "retest_on": batch["retest_on"],
                "grade": batch["grade"],
                "supplier": batch["supplier"],
                "attributes": canonical(batch["attributes"]).decode() if batch["attributes"] else "{}",
                "disposition": batch["disposition"],
                "version": index,
                "stated_idx": index,
            },
        )


def move_goods(writes: RowWrites, log_id: int, entry: Entry, movements: list[Movement]) -> None:
    """Add movements, the edges that they make, and their effect on stock; touch the batches."""
    # Most rows are made here and most time of a projection is spent here: so rows are in the order of the columns.
    index, occurred_us = entry.index, instant_micros(entry.envelope["occurred_at"])
    add_movement, add_edge = writes.pending_rows(MOVEMENTS).append, writes.pending_rows(EDGES).append
    stock, versions = writes.pending_sums(STOCK), writes.versions(BATCHES)
    for line, movement in enumerate(movements):
        batch_id, quantity = movement["batch"], parse_micro(movement["amount"])
        taken_from, put_in = movement["taken_from"], movement["put_in"]
        add_movement((log_id, index, line, batch_id, quantity, taken_from, put_in, occurred_us))
        if taken_from[:6] == "stock:":
            stock[log_id, batch_id, taken_from[6:]] -= quantity
        if put_in[:6] == "stock:":
            stock[log_id, batch_id, put_in[6:]] += quantity
        if "use" in movement:
            into = put_in[:8] == "process:"
            process_id = int((put_in if into else taken_from)[8:])
            source, target = (batch_id, process_id) if into else (process_id, batch_id)
            add_edge((log_id, index, line, source, target, quantity, movement["unit"], movement["use"], occurred_us))
        versions[batch_id, log_id] = index


def add_aliases(writes: RowWrites, log_id: int, _entry: Entry, aliases: list[AliasStatement]) -> None:
    """Upsert the aliases."""
    for alias in aliases:
        writes.upsert(
            ALIASES,
            {
                "plant_id": log_id,
                "scheme": alias["scheme"],
                "issuer": alias["issuer"],
                "value": alias["value"],
                "batch_id": alias["batch"],
                "value_search": alias_form(alias["scheme"], alias["value"]),
                "ended_idx": None,
            },
        )


def end_aliases(writes: RowWrites, log_id: int, entry: Entry, aliases: list[AliasStatement]) -> None:
    """Mark aliases as ended by the entry."""
    for alias in aliases:
        key = (log_id, alias["scheme"], alias["issuer"], alias["value"], alias["batch"])
        writes.update(ALIASES, key, ended_idx=entry.index)


def touch_held(writes: RowWrites, log_id: int, entry: Entry, holds: list[HoldStatement]) -> None:
    """Touch the batches that the entry holds."""
    for hold in holds:
        _restate(writes, log_id, entry, hold["batch"])


def touch_lifted(writes: RowWrites, log_id: int, entry: Entry, lifted: list[list[int]]) -> None:
    """Touch the batches of the lifted holds."""
    for batch_id, _hold_id in lifted:
        _restate(writes, log_id, entry, batch_id)


def restate_dispositions(writes: RowWrites, log_id: int, entry: Entry, dispositions: dict[str, str]) -> None:
    """Update the dispositions of batches."""
    for batch_id, disposition in dispositions.items():
        _restate(writes, log_id, entry, int(batch_id), disposition=disposition)


def restate_expiries(writes: RowWrites, log_id: int, entry: Entry, expiries: dict[str, str | None]) -> None:
    """Update the expiry dates of batches."""
    for batch_id, expires_on in expiries.items():
        _restate(writes, log_id, entry, int(batch_id), expires_on=expires_on)


def restate_made(writes: RowWrites, log_id: int, entry: Entry, made: dict[str, str]) -> None:
    """Update the amounts made of batches."""
    for batch_id, amount in made.items():
        _restate(writes, log_id, entry, int(batch_id), made=parse_micro(amount))


def _restate(writes: RowWrites, log_id: int, entry: Entry, batch_id: int, **columns: Any) -> None:
    writes.update(BATCHES, (batch_id, log_id), **columns, version=entry.index)


def project_receipt(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Upsert the supplier's lot and the purchase order, where the receipt has one."""
    lot, order = entry.payload.get("supplier_lot"), entry.payload.get("order")
    if lot is None and order is None:
        return
    values = {"supplier_lot": lot, "purchase_order": order}
    forms = {f"{name}_search": None if value is None else search_form(value) for name, value in values.items()}
    for batch in entry.payload["batches"]:
        writes.upsert(RECEIPTS, {"plant_id": log_id, "batch_id": batch["id"], **values, **forms})


PROJECTORS: Final[Projectors] = {BATCH_RECEIVED: project_receipt}

# A batch or alias that an entry states whole comes before changes of it: an upsert replaces earlier updates.
PARTS: Final[Parts] = (
    ("batches", state_batches),
    ("movements", move_goods),
    ("aliases", add_aliases),
    ("ended_aliases", end_aliases),
    ("holds", touch_held),
    ("lifted", touch_lifted),
    ("dispositions", restate_dispositions),
    ("expiries", restate_expiries),
    ("made", restate_made),
)
