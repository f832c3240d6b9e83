"""Corrections: an entry that names a wrong one and reverses its effects (rules 2 and 10).

Choices where domain.md is silent:
- The checks come in this order: known, correctable, not corrected, time, run open, nothing built on it, goods there,
  gate. An input may name the entry of its run as closed: PROCESS_CLOSED.
- An entry that made a batch is built on by each later entry that moved goods of the batch. Holds, aliases and change
  requests do not count. The refusal names the newest one.
- A shipment is built on by a customer's return, an opening by each line, and a feed by a return that needs it.
- A batch whose making was corrected is closed (void), and its aliases end. A hold that the same entry placed is lifted.
- Dates that an input brought forward stay when the input is corrected: a change request puts them right.
- Closing is no genealogy: its correction is free. Goods count as moved when those made in the run were.
"""

from dataclasses import replace
from typing import Final

from simulation.reference_model import registry
from simulation.reference_model.calls import Call
from simulation.reference_model.change_requests import request
from simulation.reference_model.departures import OUTSIDE
from simulation.reference_model.holds import lift
from simulation.reference_model.receipts import holders, is_taken
from simulation.reference_model.rows import Entry
from simulation.reference_model.runs import fed_lines
from simulation.reference_model.stock import reverse
from simulation.reference_model.verdicts import RefusalFound

GENEALOGY: Final = frozenset({"ProcessFed", "ProcessYielded", "ProductionRecorded", "BatchSplit", "BatchesMerged"})
WHOLE_RUNS: Final = frozenset({"ProductionRecorded", "BatchSplit", "BatchesMerged"})
MAKING: Final = frozenset({"BatchReceived", "ProcessYielded", *WHOLE_RUNS})
CORRECTABLE: Final = GENEALOGY | {
    "BatchAliased", "BatchMoved", "BatchReceived", "BatchShipped", "ProcessClosed", "ProcessOpened", "StockAdjusted",
    "TransferReceived", "GoodsReturned", "GoodsReturnedToSupplier", "GoodsScrapped",
}  # fmt: skip
REASONS: Final = frozenset({"DID_NOT_OCCUR", "INCORRECT_DATA"})


@registry.command("correctEntry", "EntryCorrected")
def correct_entry(call: Call) -> None:
    call.text("reason", required=True)
    assert call.input["correctionReason"] in REASONS, "a value of the SDL"
    entry = named_entry(call)
    correct(call, entry)
    if call.settings.genealogy_corrections_gated and entry.kind in GENEALOGY and not is_free(call, entry):
        raise RefusalFound("CHANGE_REQUIRED", "entryId", entry=entry.index)
    call.subject = str(entry.index)


@registry.command("requestCorrection", "ChangeRequested", planned=True)
def request_correction(call: Call) -> None:
    """Input as of correctEntry. The request concerns the first batch of the entry."""
    call.text("reason", required=True)
    entry = named_entry(call)
    before = call.tables
    call.tables = before.draft()
    correct(call, entry)
    call.tables = before
    request(call, "GENEALOGY_CORRECTION", entry.batches[0], {"entry": entry.index})


def correct_genealogy(call: Call, index: object) -> str | None:
    """Make an approved correction; return the code of the refusal if it is impossible by now."""
    assert isinstance(index, int)
    before = call.tables
    call.tables = before.draft()
    try:
        correct(call, before.entries[index])
    except RefusalFound as found:
        call.tables = before
        return found.refused.code
    before.apply(call.tables.effects())
    call.tables = before
    return None


def named_entry(call: Call) -> Entry:
    """Return the entry of the input, refused unless it is one that may be corrected."""
    entry = call.tables.entries.get(int(call.input["entryId"]))
    if entry is None:
        raise RefusalFound("ENTRY_UNKNOWN", "entryId")
    if entry.kind not in CORRECTABLE:
        raise RefusalFound("CORRECTION_IMPOSSIBLE", "entryId")
    if entry.corrected is not None:
        raise RefusalFound("ENTRY_ALREADY_CORRECTED", "entryId", entry=entry.corrected)
    call.in_order(entry.recorded_at, entry.index)
    return entry


def correct(call: Call, entry: Entry) -> None:
    """Reverse the effects of an entry in the draft."""
    tables = call.tables
    if entry.corrected is not None:
        raise RefusalFound("ENTRY_ALREADY_CORRECTED", "entryId", entry=entry.corrected)
    run = tables.runs.get(entry.run) if entry.run is not None else None
    if (
        run is not None
        and run.closed_at is not None
        and entry.kind in ("ProcessFed", "ProcessYielded", "ProcessOpened")
    ):
        raise RefusalFound("PROCESS_CLOSED", "entryId")
    check_not_built_on(call, entry)
    for batch in reverse(call, entry.index):
        flows = [flow for (code, _), row in tables.stock.items() if code == batch for flow in row.flows]
        left = any(flow.retracted is None and flow.amount < 0 and flow.other.startswith(OUTSIDE) for flow in flows)
        call.amend(batch, left=left)
    retract_lines(call, entry)
    if run is not None:
        if entry.kind == "ProcessClosed":
            tables.runs[run.id] = replace(run, closed_at=None)
        elif entry.kind in WHOLE_RUNS or entry.kind == "ProcessOpened":
            tables.runs[run.id] = replace(run, void=True)
    for made in list(tables.batches.values()):
        if made.made_entry == entry.index and entry.kind in MAKING:
            call.amend(made.id, void=True)
    lift_placed(call, entry)
    reverse_aliases(call, entry)
    reverse_parts(call, entry)
    tables.entries[entry.index] = replace(entry, corrected=call.index)


def lift_placed(call: Call, entry: Entry) -> None:
    """Lift the holds that an entry placed by itself."""
    for hold in list(call.tables.holds.values()):
        if hold.entry == entry.index and hold.cause is None and hold.directed is None and hold.lifted is None:
            lift(call, hold)


def check_not_built_on(call: Call, entry: Entry) -> None:
    """Refuse an entry that a later one builds on."""
    later = [other for other in call.tables.entries.values() if other.index > entry.index and other.corrected is None]
    later = [other for other in later if other.kind != "EntryCorrected"]
    made = {batch.id for batch in call.tables.batches.values() if batch.made_entry == entry.index}
    by = []
    if entry.kind in MAKING:
        by = [other for other in later if made & set(other.batches)]
    elif entry.kind == "ProcessOpened":
        by = [other for other in later if other.run == entry.run]
    elif entry.kind == "BatchShipped":
        by = [other for other in later if other.kind == "GoodsReturned" and other.subject == entry.subject]
    elif entry.kind == "ProcessFed" and entry.run is not None:
        by = [other for other in later if other.run == entry.run and needs(call, other, entry)]
    if by:
        raise RefusalFound("ENTRY_BUILT_ON", "entryId", entry=max(other.index for other in by))


def needs(call: Call, other: Entry, fed: Entry) -> bool:
    """Return whether a later entry returned goods that are not fed without the feed."""
    assert fed.run is not None
    lines = [edge for edge in fed_lines(call.tables, fed.run) if edge.entry != fed.index]
    returned = {edge.batch for edge in lines if edge.entry == other.index and edge.side == "BACK"}
    return any(
        sum(edge.amount if edge.side == "IN" else -edge.amount for edge in lines if edge.batch == batch) < 0
        for batch in returned
    )


def retract_lines(call: Call, entry: Entry) -> None:
    """Retract the lines that an entry wrote into process records."""
    for key, edge in list(call.tables.edges.items()):
        if edge.entry == entry.index and edge.retracted is None:
            call.tables.edges[key] = replace(edge, retracted=call.index)
            batch = call.tables.batches[edge.batch]
            if edge.side == "OUT" and batch.made_entry != entry.index:
                call.amend(batch.id, made=batch.made - edge.amount)


def reverse_aliases(call: Call, entry: Entry) -> None:
    """End the aliases that an entry added, and give back those that it ended."""
    for key, row in list(call.tables.aliases.items()):
        if row.ended == entry.index:
            scheme, issuer, value, batch = key
            if is_taken(call, batch, holders(call, (scheme, issuer, value))):
                raise RefusalFound("ALIAS_TAKEN", "entryId")
            call.tables.aliases[key] = replace(row, ended=None)
        elif row.entry == entry.index and row.ended is None:
            call.tables.aliases[key] = replace(row, ended=call.index)


def reverse_parts(call: Call, entry: Entry) -> None:
    """Take back the receipts of a transfer, a shipment, or a customer's return that an entry recorded."""
    for key, received in list(call.tables.received.items()):
        kept = tuple(part for part in received.entries if part[0] != entry.index)
        if kept != received.entries:
            call.tables.received[key] = replace(received, amount=sum(amount for _, amount in kept), entries=kept)
    shipment = call.tables.shipments.get(entry.subject or "")
    if shipment is not None and entry.kind == "BatchShipped":
        call.tables.shipments[shipment.id] = replace(shipment, void=True)
    elif shipment is not None and entry.kind == "GoodsReturned":
        kept_returns = tuple(part for part in shipment.returned if part[0] != entry.index)
        call.tables.shipments[shipment.id] = replace(shipment, returned=kept_returns)


def is_free(call: Call, entry: Entry) -> bool:
    """Return whether the author may correct genealogy alone: run open, nothing yielded, moved or decided since."""
    run = call.tables.runs.get(entry.run or "")
    if run is None or call.by != entry.by or run.closed_at is not None or run.void:
        return False
    made = {edge.batch for edge in call.tables.edges.values() if edge.run == run.id and edge.side == "OUT"}
    later = [other for other in call.tables.entries.values() if other.index > entry.index and other.corrected is None]
    moved = any(other.kind != "EntryCorrected" and made & set(other.batches) for other in later)
    changes = call.tables.changes.values()
    concerned = made | set(entry.batches)
    decided = any(one.number > entry.index and one.state != "REQUESTED" and one.batch in concerned for one in changes)
    return not moved and not decided
