"""Transfers between plants: dispatch, receipt in parts, differences, surplus, turning back (rules 1, 6, 7, 8 and 11).

`receiveTransfer` names the transfer by the model's own id in `manifest`; the caller maps the label to it.

Choices where domain.md is silent:
- Goods that were neither scanned nor said with `all: true` are not received: they stay on the road. A caller that
  compares with a product in which lines without a count are received as dispatched passes `all: true`.
- With `all: true`, a batch without a line is received with all that is still on the road of it.
- TRANSFER_RECEIVED answers a receipt when nothing of the transfer is on the road. A batch of which nothing is on the
  road may still be received as a surplus while other batches are.
- The surplus comes in at the location SURPLUS, under a hold SURPLUS there. Its approval is a release.
- The sender takes goods in again by its own label, up to the amount that it knows to be on the road.
- Goods that come to a plant that has some of the batch take the earlier dates of both. Else they keep the label's.
- Received goods keep the unit and the factors of the label. The material must be defined at the receiver.
- A plant on no directory is NOT_DEFINED.
- A dispatch that names the plant itself would change nothing.
- A double receipt is listed at the hub. The model does not block the sender's amount by itself.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Final

from simulation.reference_model import registry
from simulation.reference_model.amounts import MILLION, read_quantity
from simulation.reference_model.calls import Call, unique
from simulation.reference_model.dates import earliest
from simulation.reference_model.directives import place_waiting
from simulation.reference_model.holds import check_usable, note_late_use, place
from simulation.reference_model.rows import Batch, Received, Stock, Tables, Transfer, TransferLine
from simulation.reference_model.stock import SURPLUS, on_hand, put, take_line
from simulation.reference_model.verdicts import RefusalFound

PLANT_CODE: Final = re.compile(r"[A-Z0-9]{2,4}")
NONE_YET: Final = Received(0)


@registry.command("dispatchTransfer", "TransferDispatched")
def dispatch_transfer(call: Call) -> None:
    destination = str(call.input["destinationCode"])
    if not PLANT_CODE.fullmatch(destination):
        raise RefusalFound("CODE_INVALID", "destinationCode")
    if destination == call.plant:
        raise RefusalFound("NOTHING_CHANGES", "destinationCode")
    if destination not in call.zones:
        raise RefusalFound("NOT_DEFINED", "destinationCode")
    call.subject = call.new_id("T")
    lines = []
    for number, line in enumerate(call.lines("lines")):
        path = ("lines", str(number))
        batch = call.batch(line["batchCode"], *path, "batchCode")
        late = check_usable(call, batch, str(line["locationCode"]), *path)
        amount = take_line(call, batch, line, f"transfer:{call.subject}", *path)
        note_late_use(call, late)
        call.amend(batch.id, left=True)
        lines.append(TransferLine(batch, amount, str(line["locationCode"])))
    call.tables.transfers[call.subject] = Transfer(
        call.subject, call.plant, destination, call.at, call.index, tuple(lines)
    )


def dispatched(transfer: Transfer) -> dict[str, int]:
    """Return the amount of each batch on a label."""
    found: dict[str, int] = {}
    for line in transfer.lines:
        found[line.batch.id] = found.get(line.batch.id, 0) + line.amount
    return found


def on_road(call: Call, transfer: Transfer) -> dict[str, int]:
    """Return the amount of each batch that has not been received, as this plant knows it."""
    return {
        batch: max(0, amount - call.tables.received.get((transfer.id, batch), NONE_YET).amount)
        for batch, amount in dispatched(transfer).items()
    }


@registry.command("receiveTransfer", "TransferReceived")
def receive_transfer(call: Call) -> None:
    transfer = label(call)
    if call.plant not in (transfer.source, transfer.destination):
        raise RefusalFound("TRANSFER_NOT_FOR_THIS_PLANT", "manifest")
    call.in_order(transfer.at, transfer.entry)
    rest = on_road(call, transfer)
    if not any(rest.values()):
        raise RefusalFound("TRANSFER_RECEIVED", "manifest")
    call.subject = transfer.id
    location = call.input.get("locationCode")
    lines = call.lines("lines", 0)
    unique([(line["batchCode"], line["locationCode"]) for line in lines], "LINES_INVALID", "lines")
    if not lines and not call.input.get("all"):
        raise RefusalFound("LINES_INVALID", "lines")
    for number, line in enumerate(lines):
        path = ("lines", str(number))
        if line["batchCode"] not in rest:
            raise RefusalFound("BATCH_NOT_IN_TRANSFER", *path, "batchCode")
        where = call.master("LOCATION", line["locationCode"], *path, "locationCode")
        batch = labelled(transfer, line["batchCode"])
        there = Stock(rest[batch.id], len(transfer.lines))
        amount = read_quantity(call, batch, line["quantity"], *path, "quantity", there=there, zero=True)
        due = min(amount, rest[batch.id]) if call.settings.receipts_in_parts else amount
        take_in(call, transfer, batch, where, amount=amount, due=due)
        rest[batch.id] -= min(amount, rest[batch.id])
    if call.input.get("all"):
        where = call.master("LOCATION", location, "locationCode")
        named = {line["batchCode"] for line in lines}
        if not call.settings.receipts_in_parts:
            write_off(call, transfer, {code: rest[code] for code in named})
        for code, amount in rest.items():
            if code not in named and amount:
                take_in(call, transfer, labelled(transfer, code), where, amount=amount, due=amount)


def write_off(call: Call, transfer: Transfer, missing: Mapping[str, int]) -> None:
    """Count what is missing as received, so that nothing of the transfer is on the road."""
    for code, amount in missing.items():
        before = call.tables.received.get((transfer.id, code), NONE_YET)
        parts = (*before.entries, (call.index, amount))
        call.tables.received[transfer.id, code] = replace(before, amount=before.amount + amount, entries=parts)


def label(call: Call) -> Transfer:
    """Return the transfer of the scanned label: our own, or as its sender wrote it."""
    wanted = str(call.input["manifest"])
    for tables in (call.tables, *call.mirrors.values()):
        if wanted in tables.transfers:
            return tables.transfers[wanted]
    raise RefusalFound("TRANSFER_MANIFEST_INVALID", "manifest")


def labelled(transfer: Transfer, batch: str) -> Batch:
    return next(line.batch for line in transfer.lines if line.batch.id == batch)


def take_in(call: Call, transfer: Transfer, batch: Batch, location: str, *, amount: int, due: int) -> None:
    """Put received goods into stock, what exceeds the amount due under a hold."""
    learn(call, batch)
    right = call.tables.right_data.get(batch.id)
    if right is not None and transfer.at < right.at:
        call.amend(batch.id, **dict(right.detail))
    if due:
        put(call, batch.id, location, due, f"transfer:{transfer.id}")
    if amount > due:
        put(call, batch.id, SURPLUS, amount - due, f"transfer:{transfer.id}")
        place(call, batch.id, "SURPLUS", "surplus", location=SURPLUS)
    before = call.tables.received.get((transfer.id, batch.id), NONE_YET)
    call.tables.received[transfer.id, batch.id] = Received(
        before.amount + amount, (*before.entries, (call.index, amount))
    )


def learn(call: Call, stated: Batch) -> None:
    """Make a batch known as its label states it, or bring dates forward where goods of it are in stock."""
    if stated.material not in call.tables.materials:
        raise RefusalFound("NOT_DEFINED", "manifest")
    known = call.tables.batches.get(stated.id)
    if known is None:
        call.tables.batches[stated.id] = replace(
            stated, version=1, left=False, decided=False, made_entry=call.index, run=None
        )
        place_waiting(call, stated.id)
        return
    expires_on, retest_on = stated.expires_on, stated.retest_on
    if on_hand(call.tables, stated.id):
        expires_on = earliest((known.expires_on, expires_on))
        retest_on = earliest((known.retest_on, retest_on))
    call.amend(stated.id, expires_on=expires_on, retest_on=retest_on, void=False)


def double_receipts(plants: Mapping[str, Tables]) -> dict[tuple[str, str], Fraction]:
    """Return the amount by which a batch of a transfer was taken in at both plants beyond what was dispatched.

    The receiver's receipt counts; the amount is the sender's, and in dispute.
    """
    found = {}
    for tables in plants.values():
        for transfer in tables.transfers.values():
            for batch, sent in dispatched(transfer).items():
                key = (transfer.id, batch)
                at_receiver = plants[transfer.destination].received.get(key, NONE_YET).amount
                at_sender = tables.received.get(key, NONE_YET).amount
                beyond = min(at_sender, at_sender + at_receiver - sent)
                if beyond > 0:
                    found[key] = Fraction(beyond, MILLION)
    return found
