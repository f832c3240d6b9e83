"""Correct a wrong entry: its effect is reversed by a new one, and both stay readable."""

from dataclasses import dataclass

from plants.commands.execution import PlantLedgerWriter, check_reason, command
from plants.commands.inventory.receipts import AliasOrder, new_alias
from plants.rules.audit.corrections import (
    CorrectionReason,
    check_correctable,
    edges_of,
    fed,
    process_of,
    reverse,
    stock_change,
)
from plants.rules.audit.events import ENTRY_CORRECTED, EntryCorrected
from plants.rules.audit.refusals import ENTRY_ALREADY_CORRECTED, ENTRY_BUILT_ON
from plants.rules.identification.codes import plant_of
from plants.rules.ledger.events import Entry
from plants.rules.ledger.payloads import AliasStatement, Movement, ProcessStatement
from plants.rules.ledger.refusals import ENTRY_PRUNED, ENTRY_UNKNOWN
from plants.rules.ledger.request_forms import stable_name
from plants.rules.logistics.events import BATCH_SHIPPED, TRANSFER_RECEIVED
from plants.rules.production import refusals as production_refusals
from plants.rules.production.events import (
    BATCH_SPLIT,
    BATCHES_MERGED,
    PROCESS_CLOSED,
    PROCESS_OPENED,
    PRODUCTION_RECORDED,
)
from plants.rules.production.process_records import ProcessState
from plants.rules.quality.dispositions import Disposition
from plants.rules.values.instants import format_instant
from plants.rules.values.quantities import Quantity, format_micro, parse_micro
from plants.rules.values.refusals import Refusal, Refusals, within
from plants.store.audit import corrections
from plants.store.inventory import batches
from plants.store.ledger.entries import INDEX_MAX, BodyPruned, entry_at
from plants.store.production import process_records
from plants.store.projection.registry import EVENTS

CLOSED_BY_ITSELF = frozenset(event.name for event in (BATCH_SPLIT, BATCHES_MERGED, BATCH_SHIPPED, PRODUCTION_RECORDED))
REOPENED = frozenset({PROCESS_CLOSED.name, TRANSFER_RECEIVED.name})


@stable_name("Correction")
@dataclass(frozen=True, slots=True)
class Correction:
    """A correction: the index of the wrong entry, the kind of error, and the reason."""

    entry: int
    wrong: CorrectionReason
    reason: str


@command("correct_entry")
def correct_entry(writer: PlantLedgerWriter, order: Correction) -> Entry:
    """Reverse what an entry did: its movements, edges, holds, aliases, and the closing of its process record.

    A batch that the entry made stays, with nothing on hand, as CLOSED; its code is not given again. Entries are
    corrected from the last to the first: goods that were used since are refused as STOCK_SHORT, what else builds on
    the entry, as a return of what it fed, as ENTRY_BUILT_ON or PROCESS_CLOSED.
    """
    with Refusals() as refusals:
        writer.reason = refusals.value(check_reason, order.reason)
        with refusals.at("entryId"):
            entry = _correctable(writer, order.entry)
            _check_process(writer, entry)
    with within("entryId"):
        return _correct(writer, order, entry)


def _correct(writer: PlantLedgerWriter, order: Correction, entry: Entry) -> Entry:
    movements: list[Movement] = reverse(entry.payload.get("movements", ()))
    _check_stock(writer, movements)
    payload: EntryCorrected = {"entry": entry.index, "wrong": order.wrong.value, "retracted": edges_of(entry)}
    if movements:
        payload["movements"] = movements
    _close_batches(writer, entry, payload)
    _restore_names(writer, entry, payload)
    _restore_process(writer, entry, payload)
    if entry.type == TRANSFER_RECEIVED.name:
        transfer = entry.payload["transfer"]
        payload["unreceived"] = [[transfer, line] for line in range(len(entry.payload["lines"]))]
    return writer.record(ENTRY_CORRECTED, entry.envelope["key"], payload)


def _correctable(writer: PlantLedgerWriter, index: int) -> Entry:
    session, plant = writer.session, writer.call.plant
    try:
        entry = entry_at(session, plant, index) if 0 <= index < INDEX_MAX else None
    except BodyPruned:
        raise Refusal(ENTRY_PRUNED, entry=index) from None
    if entry is None:
        raise Refusal(ENTRY_UNKNOWN, entry=index)
    check_correctable(entry, EVENTS.get(entry.type))
    earlier = corrections.corrected_by(session, plant, index)
    if earlier is not None:
        raise Refusal(ENTRY_ALREADY_CORRECTED, entry=index, by=earlier)
    return entry


def _check_process(writer: PlantLedgerWriter, entry: Entry) -> None:
    process = process_of(entry)
    if process is None or entry.type in CLOSED_BY_ITSELF | REOPENED:
        return
    session, plant = writer.session, writer.call.plant
    if corrections.is_closed(session, plant, process):
        raise Refusal(production_refusals.PROCESS_CLOSED, process=process)
    if entry.type == PROCESS_OPENED.name:
        _check_last(entry, corrections.later_edge(session, plant, process, entry.index))
    left = process_records.left_over(session, plant, process)
    for batch, micro in fed(entry.payload.get("movements", ()), process).items():
        if left.get(batch, 0) < micro:
            _check_last(entry, corrections.later_return(session, plant, process, batch, entry.index))


def _check_stock(writer: PlantLedgerWriter, movements: list[Movement]) -> None:
    for (batch, location), change in stock_change(movements).items():
        if change < 0:
            goods = _goods(writer, batch)
            goods.check_on_hand(location, Quantity(-change, goods.unit))


def _check_last(entry: Entry, later: int | None) -> None:
    if later is not None:
        raise Refusal(ENTRY_BUILT_ON, entry=entry.index, by=later)


def _close_batches(writer: PlantLedgerWriter, entry: Entry, payload: EntryCorrected) -> None:
    """Close the batches that the entry made, take back what it added to others, and lift the holds it placed."""
    session, plant = writer.session, writer.call.plant
    made_here = [batch["id"] for batch in entry.payload.get("batches", ()) if plant_of(batch["id"]) == plant]
    for batch in made_here:
        _check_last(entry, corrections.later_movement(session, plant, batch, entry.index))
    if made_here:
        payload["dispositions"] = {str(batch): Disposition.CLOSED.value for batch in made_here}
    if "made" in entry.payload:
        payload["made"] = {batch: _made_less(writer, entry, int(batch)) for batch in entry.payload["made"]}
    held = [hold["batch"] for hold in entry.payload.get("holds", ())]
    lifted = [[batch, entry.index] for batch in held if _is_held_by(writer, batch, entry.index)]
    if lifted:
        payload["lifted"] = lifted


def _made_less(writer: PlantLedgerWriter, entry: Entry, batch: int) -> str:
    added = sum(
        parse_micro(movement["amount"])
        for movement in entry.payload["movements"]
        if movement["batch"] == batch and movement.get("use") != "RETURNED"
    )
    return format_micro(_goods(writer, batch).made - added)


def _is_held_by(writer: PlantLedgerWriter, batch: int, hold: int) -> bool:
    return any(one.id == hold for one in _goods(writer, batch).holds)


def _restore_names(writer: PlantLedgerWriter, entry: Entry, payload: EntryCorrected) -> None:
    """End the aliases that the entry gave, and give back those that it ended."""
    given = [alias for alias in entry.payload.get("aliases", ()) if _is_in_force(writer, alias)]
    if given:
        payload["ended_aliases"] = given
    ended: list[AliasStatement] = entry.payload.get("ended_aliases", [])
    if ended:
        payload["aliases"] = [
            new_alias(
                writer,
                alias["batch"],
                _goods(writer, alias["batch"]).material,
                AliasOrder(alias["scheme"], alias["value"], alias["issuer"]),
            )
            for alias in ended
        ]


def _is_in_force(writer: PlantLedgerWriter, alias: AliasStatement) -> bool:
    named = batches.aliases_in_force(
        writer.session, writer.call.plant, alias["scheme"], alias["issuer"], alias["value"]
    )
    return (alias["batch"], alias["value"]) in named


def _restore_process(writer: PlantLedgerWriter, entry: Entry, payload: EntryCorrected) -> None:
    """Reopen what the entry closed, and close what it opened."""
    process: ProcessStatement | None = None
    if entry.type in REOPENED:
        process = {"id": entry.payload["process"]["id"], "state": "OPEN", "closed_at": None, "loss": {}}
    elif entry.type == PROCESS_OPENED.name:
        closed_at = format_instant(writer.occurred_at)
        process = {"id": entry.payload["process"]["id"], "state": ProcessState.CLOSED.value, "closed_at": closed_at}
    if process is not None:
        payload["process"] = process


def _goods(writer: PlantLedgerWriter, batch: int) -> batches.Goods:
    goods = batches.goods_by_id(writer.session, writer.call.plant, batch)
    assert goods is not None, "an entry moves, holds and names only batches that the plant knows"
    return goods
