"""What each type of event does to the tables: one projector for each type and version.

No decision is made here. What every event type shares (batches, movements, process records, aliases, holds, series)
is applied by `_outcome`; the few types with content of their own have a function each.
"""

from collections.abc import Callable
from typing import Any

from plants.rules.ledger.events import Entry, canonical
from plants.rules.ledger.payloads import BatchStatement, HoldStatement, Movement, Outcome, ProcessStatement
from plants.rules.values.instants import instant_micros
from plants.rules.values.quantities import parse_micro
from plants.store.approvals import change_requests
from plants.store.audit import corrections
from plants.store.genealogy import edges
from plants.store.inventory import batches, movements
from plants.store.logistics import transfers
from plants.store.materials import definitions, plants, series
from plants.store.production import process_records
from plants.store.projection import directive_projectors
from plants.store.quality import holds
from plants.store.replication import disputes, witnesses
from plants.store.replication.parked_entries import SkippedEntryRow
from plants.store.sql.rows import RowWrites, TableSpec

PLANTS = TableSpec.of(plants.Plant)
MATERIALS = TableSpec.of(definitions.Material)
MASTER_RECORDS = TableSpec.of(definitions.MasterRecord)
BATCHES = TableSpec.of(batches.Batch)
ALIASES = TableSpec.of(batches.Alias)
HOLDS = TableSpec.of(holds.HoldRow)
STOCK = TableSpec.of(movements.Stock)
MOVEMENTS = TableSpec.of(movements.MovementRow)
PROCESSES = TableSpec.of(process_records.ProcessRow)
EDGES = TableSpec.of(edges.Edge)
TRANSFER_LINES = TableSpec.of(transfers.TransferLineRow)
CHANGES = TableSpec.of(change_requests.ChangeRequestRow)
DECISIONS = TableSpec.of(change_requests.ChangeDecisionRow)
CORRECTIONS = TableSpec.of(corrections.CorrectionRow)
SERIES = TableSpec.of(series.Series)
SKIPPED = TableSpec.of(SkippedEntryRow)

Projector = Callable[[RowWrites, int, Entry], None]

LESS_USUAL = frozenset(
    {"aliases", "ended_aliases", "holds", "lifted", "waited", "dispositions", "expiries", "made"},
)
"""The parts that few entries have: to ask each entry for each of them would take as long as applying it."""

BLANK_PROCESS: dict[str, Any] = dict.fromkeys(PROCESSES.columns) | {"loss": "{}"}
PROCESS_TIMES = (("opened_at", "opened_us"), ("closed_at", "closed_us"))


def _outcome(writes: RowWrites, log_id: int, entry: Entry) -> None:
    """Apply the parts that every event type shares."""
    payload: Outcome = entry.payload
    index = entry.index
    if "batches" in payload:
        for batch in payload["batches"]:
            _state_batch(writes, log_id, index, batch)
    if "process" in payload:
        _state_process(writes, log_id, payload["process"])
    if "movements" in payload:
        _move(writes, log_id, entry, payload["movements"])
    if not LESS_USUAL.isdisjoint(payload):
        _less_usual(writes, log_id, entry)
    if "series" in payload:
        for name, following in payload["series"].items():
            writes.upsert(SERIES, {"plant_id": log_id, "name": name, "next": following})


def _less_usual(writes: RowWrites, log_id: int, entry: Entry) -> None:
    payload: Outcome = entry.payload
    index = entry.index
    _name(writes, log_id, index, payload)
    for hold in payload.get("holds", ()):
        _hold(writes, log_id, entry, hold)
        writes.update(BATCHES, (hold["batch"], log_id), version=index)
    for batch_id, hold_id in payload.get("lifted", ()):
        lifted_us = instant_micros(entry.envelope["occurred_at"])
        writes.update(HOLDS, (log_id, batch_id, hold_id), lifted_idx=index, lifted_us=lifted_us)
        writes.update(BATCHES, (batch_id, log_id), version=index)
    directive_projectors.end_waiting(writes, log_id, payload)
    _restate(writes, log_id, index, payload)


def _name(writes: RowWrites, log_id: int, index: int, payload: Outcome) -> None:
    for alias in payload.get("aliases", ()):
        writes.upsert(
            ALIASES,
            {
                "plant_id": log_id,
                "scheme": alias["scheme"],
                "issuer": alias["issuer"],
                "value": alias["value"],
                "batch_id": alias["batch"],
                "ended_idx": None,
            },
        )
    for alias in payload.get("ended_aliases", ()):
        key = (log_id, alias["scheme"], alias["issuer"], alias["value"], alias["batch"])
        writes.update(ALIASES, key, ended_idx=index)


def _restate(writes: RowWrites, log_id: int, index: int, payload: Outcome) -> None:
    for batch_id, disposition in payload.get("dispositions", {}).items():
        writes.update(BATCHES, (int(batch_id), log_id), disposition=disposition, version=index)
    for batch_id, expires_on in payload.get("expiries", {}).items():
        writes.update(BATCHES, (int(batch_id), log_id), expires_on=expires_on, version=index)
    for batch_id, made in payload.get("made", {}).items():
        writes.update(BATCHES, (int(batch_id), log_id), made=parse_micro(made), version=index)


def _state_batch(writes: RowWrites, log_id: int, index: int, batch: BatchStatement) -> None:
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


def _move(writes: RowWrites, log_id: int, entry: Entry, movements: list[Movement]) -> None:
    # Most rows are made here, and most of the time of the projection is spent: hence lines, in the columns' order.
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


def _state_process(writes: RowWrites, log_id: int, process: ProcessStatement) -> None:
    values: dict[str, Any] = dict(process)
    for said, column in PROCESS_TIMES:
        if said in values:
            at = values.pop(said)
            values[column] = None if at is None else instant_micros(at)
    if "loss" in values:
        values["loss"] = canonical(values["loss"]).decode()
    if "kind" not in values:
        writes.update(PROCESSES, (values.pop("id"), log_id), **values)
        return
    writes.upsert(PROCESSES, {**BLANK_PROCESS, "plant_id": log_id, **values})


def _hold(writes: RowWrites, log_id: int, entry: Entry, hold: HoldStatement) -> None:
    # An entry places at most one hold on a batch, so that batch and entry are enough of a key.
    writes.upsert(
        HOLDS,
        {
            "plant_id": log_id,
            "batch_id": hold["batch"],
            "hold_id": entry.index,
            "kind": hold["kind"],
            "reason": hold["reason"],
            "placed_by": entry.envelope["actor"],
            "placed_us": instant_micros(entry.envelope["occurred_at"]),
            "lifted_idx": None,
            "lifted_us": None,
            "directed": hold.get("directed"),
        },
    )


def _plant_opened(writes: RowWrites, log_id: int, entry: Entry) -> None:
    payload = entry.payload
    columns = ("code", "name", "time_zone", "origin")
    writes.upsert(PLANTS, {"plant_id": log_id, **{name: payload[name] for name in columns}})


def _material_defined(writes: RowWrites, log_id: int, entry: Entry) -> None:
    payload = entry.payload
    conversions = canonical(payload["conversions"]).decode()
    writes.upsert(MATERIALS, {**payload, "plant_id": log_id, "conversions": conversions})


def _master_defined(kind: str) -> Projector:
    def project_master(writes: RowWrites, log_id: int, entry: Entry) -> None:
        payload = dict(entry.payload)
        values = {"plant_id": log_id, "kind": kind, "code": payload.pop("code"), "name": payload.pop("name")}
        writes.upsert(MASTER_RECORDS, {**values, "detail": canonical(payload).decode()})

    return project_master


def _transferred(writes: RowWrites, log_id: int, entry: Entry) -> None:
    _outcome(writes, log_id, entry)
    payload = entry.payload
    for number, line in enumerate(payload["lines"]):
        received = line.get("received")
        batch_id, unit = (
            (line["batch"]["id"], line["batch"]["unit"]) if received is None else (line["batch"], line["unit"])
        )
        writes.upsert(
            TRANSFER_LINES,
            {
                "transfer_id": payload["transfer"],
                "plant_id": log_id,
                "line": number,
                "batch_id": batch_id,
                "unit": unit,
                "dispatched": parse_micro(line["dispatched"]),
                "received": None if received is None else parse_micro(received),
            },
        )


def _change_requested(writes: RowWrites, log_id: int, entry: Entry) -> None:
    payload = entry.payload
    values = {
        "plant_id": log_id,
        "change_id": entry.index,
        "kind": payload["kind"],
        "batch_id": payload["batch"],
        "version": payload["version"],
        "differences": canonical(payload["differences"]).decode(),
        "detail": canonical(payload["detail"]).decode(),
        "levels": ",".join(sorted(payload["levels"])),
        "reason": entry.envelope.get("reason", ""),
        "proposal": entry.leaf.hex(),
        "requested_by": entry.envelope["actor"],
        "requested_us": instant_micros(entry.envelope["recorded_at"]),
        "expires_us": instant_micros(payload["expires_at"]),
        "state": "REQUESTED",
    }
    writes.upsert(CHANGES, dict.fromkeys(CHANGES.columns) | values)


def _change_decided(writes: RowWrites, log_id: int, entry: Entry) -> None:
    payload = entry.payload
    decided_us = instant_micros(entry.envelope["occurred_at"])
    decision = {
        "log_id": log_id,
        "idx": entry.index,
        "plant_id": payload["plant"],
        "change_id": payload["change"],
        "verdict": payload["verdict"],
        "level": payload["level"],
        "decided_by": entry.envelope["actor"],
        "printed_name": payload["printed_name"],
        "comment": payload["comment"],
        "decided_us": decided_us,
    }
    writes.upsert(DECISIONS, decision)
    if log_id == payload["plant"]:
        # Only the plant's own ledger moves its request on; a directive of the hub is a decision on its way there.
        writes.update(
            CHANGES,
            (log_id, payload["change"]),
            state=payload["verdict"],
            decided_by=entry.envelope["actor"],
            decided_us=decided_us,
            decided_level=payload["level"],
            comment=payload["comment"],
        )


def _change_applied(writes: RowWrites, log_id: int, entry: Entry) -> None:
    _outcome(writes, log_id, entry)
    writes.update(CHANGES, (log_id, entry.payload["change"]), state="APPLIED", closed_idx=entry.index)


def _change_refused(writes: RowWrites, log_id: int, entry: Entry) -> None:
    payload = entry.payload
    key = (log_id, payload["change"])
    writes.update(CHANGES, key, state="REFUSED", closed_idx=entry.index, refusal=payload["refusal"])


def _entry_corrected(writes: RowWrites, log_id: int, entry: Entry) -> None:
    _outcome(writes, log_id, entry)
    payload = entry.payload
    for entry_idx, line in payload["retracted"]:
        writes.drop(EDGES, (log_id, entry_idx, line))
    for transfer_id, line in payload.get("unreceived", ()):
        writes.drop(TRANSFER_LINES, (transfer_id, log_id, line))
    writes.upsert(
        CORRECTIONS,
        {
            "plant_id": log_id,
            "entry_idx": payload["entry"],
            "corrected_by": entry.index,
            "wrong": payload["wrong"],
            "reason": entry.envelope.get("reason", ""),
        },
    )


def _entry_skipped(writes: RowWrites, log_id: int, entry: Entry) -> None:
    payload = entry.payload
    writes.upsert(
        SKIPPED,
        {
            "plant_id": log_id,
            "of_plant": payload["plant"],
            "idx": payload["index"],
            "entry_idx": entry.index,
            "leaf": payload["leaf"],
            "type": payload["type"],
            "error": payload["error"],
            "reason": entry.envelope.get("reason", ""),
            "skipped_by": entry.envelope["actor"],
            "printed_name": payload["printed_name"],
            "skipped_us": instant_micros(entry.envelope["occurred_at"]),
        },
    )


def _nothing(writes: RowWrites, log_id: int, entry: Entry) -> None:
    del writes, log_id, entry  # the entry itself says it all; no table repeats it.


PROJECTORS: dict[tuple[str, int], Projector] = {
    ("HubOpened", 1): _nothing,
    ("PlantEnrolled", 1): _nothing,
    ("CheckpointsWitnessed", 1): witnesses.project,
    ("PlantOpened", 1): _plant_opened,
    ("MaterialDefined", 1): _material_defined,
    ("UnitDefined", 1): _master_defined("UNIT"),
    ("SupplierDefined", 1): _master_defined("SUPPLIER"),
    ("CustomerDefined", 1): _master_defined("CUSTOMER"),
    ("LocationDefined", 1): _master_defined("LOCATION"),
    ("EquipmentDefined", 1): _master_defined("EQUIPMENT"),
    **{
        (name, 1): _outcome
        for name in (
            "BatchReceived",
            "BatchAliased",
            "ProcessOpened",
            "ProcessFed",
            "ProcessYielded",
            "ProcessClosed",
            "ProductionRecorded",
            "BatchSplit",
            "BatchesMerged",
            "BatchMoved",
            "BatchShipped",
            "StockAdjusted",
            "BatchQuarantined",
            "BatchReleased",
        )
    },
    ("TransferDispatched", 1): _transferred,
    ("TransferReceived", 1): _transferred,
    ("ChangeRequested", 1): _change_requested,
    ("ChangeDecided", 1): _change_decided,
    ("ChangeApplied", 1): _change_applied,
    ("ChangeRefused", 1): _change_refused,
    ("EntryCorrected", 1): _entry_corrected,
    ("EntrySkipped", 1): _entry_skipped,
    ("EntryRetried", 1): _nothing,
    ("MasterDirected", 1): _nothing,
    ("HoldDirected", 1): directive_projectors.project_hold_directed,
    ("RecallDirected", 1): directive_projectors.project_recall_directed,
    ("ReleaseDirected", 1): directive_projectors.project_release_directed,
    ("DirectiveApplied", 1): directive_projectors.project_answer,
    ("DirectiveRejected", 1): directive_projectors.project_answer,
    ("PlantRestored", 1): _outcome,
    ("HubRegressed", 1): _nothing,
    ("LedgerRebased", 1): _outcome,
    ("EntryDisputed", 1): disputes.entry_disputed,
    ("DisputeSettled", 1): disputes.dispute_settled,
    ("LedgerKeyRotated", 1): _nothing,
    ("BodiesPruned", 1): _nothing,
    ("AssertionKeyRotated", 1): _nothing,
    ("PlantLedgerKeyRotated", 1): _nothing,
    ("PlantRevoked", 1): _nothing,
    ("PlantReadmitted", 1): _nothing,
}
