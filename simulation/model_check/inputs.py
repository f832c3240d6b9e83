"""Writes each order of the workload as the input of the command that the reference model judges.

Inputs are spelled as in the SDL, with the ids of the model.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from plants.commands.approvals.change_requests import AdjustmentRequest, ExtensionRequest, ReleaseRequest
from plants.commands.approvals.decisions import Decision
from plants.commands.audit.corrections import Correction
from plants.commands.directives.directives import (
    HoldDirection,
    MasterDirection,
    RecallDirection,
    ReleaseDirection,
)
from plants.commands.inventory.aliases import Naming
from plants.commands.inventory.issues import StockLine
from plants.commands.inventory.movements import Move
from plants.commands.inventory.receipts import AliasOrder, Delivery
from plants.commands.inventory.stock import Count
from plants.commands.logistics.shipments import Shipment
from plants.commands.logistics.transfers import Dispatch, TransferReceipt
from plants.commands.materials.changes import WIRE, Change, MasterChange, MaterialChange, UnitChange
from plants.commands.production.merges import Merge
from plants.commands.production.process_records import Closing, Feed, ProcessOrder
from plants.commands.production.runs import ProductionRun
from plants.commands.production.splits import Split
from plants.commands.production.yields import Output, Yield
from plants.commands.quality.holds import Quarantine
from plants.rules.values.refusals import Refusal
from simulation.model_check.identities import Identities
from simulation.nodes import CODES
from simulation.reference_model import ReferenceModel

Given = dict[str, Any]
Order = TypeVar("Order")


@dataclass(frozen=True)
class Translation:
    """The context for translating an order: the ids, the model, the plant, and the leaf hashes of its entries."""

    ids: Identities
    model: ReferenceModel
    plant: int
    leaves: list[bytes]
    release_holds: Callable[[str, int], str]
    """Returns the model's id of a hold, by batch code and the product's id."""


Translate = Callable[[Any, Translation], tuple[str, Given]]
INPUTS: Final[dict[tuple[str, type], Translate]] = {}


def judged(command: str, order: type[Order]) -> Callable[[Callable[[Order, Translation], tuple[str, Given]]], None]:
    """Register how orders of a class are translated for a command; the result names the model's command."""

    def register(translate: Callable[[Order, Translation], tuple[str, Given]]) -> None:
        INPUTS[command, order] = translate

    return register


def quantity(amount: str, unit: str) -> Given:
    return {"amount": amount, "unit": unit}


def unit_of(code: str, unit: str | None, to: Translation) -> str:
    """Return a unit, by default the batch's own as the plant knows it."""
    if unit is not None:
        return unit
    batch = to.model.nodes[CODES[to.plant]].batches.get(to.ids.batch(code))
    return "KGM" if batch is None else batch.unit


def stock_lines(lines: Iterable[StockLine], to: Translation) -> list[Given]:
    return [
        {
            "batchCode": to.ids.batch(line.batch),
            "quantity": quantity(line.amount, line.unit),
            "locationCode": line.location,
        }
        for line in lines
    ]


def aliases(given: Iterable[AliasOrder]) -> list[Given]:
    return [{"scheme": one.scheme, "value": one.value, "issuer": one.issuer} for one in given]


def outputs(given: Iterable[Output]) -> list[Given]:
    return [
        {
            "materialCode": one.material,
            "quantity": quantity(one.amount, one.unit),
            "locationCode": one.location,
            "use": one.use.value,
            "producedAt": one.produced_at,
            "expiresOn": one.expires_on,
            "grade": one.grade,
            "attributes": [{"name": name, "value": value} for name, value in one.attributes.items()],
            "aliases": aliases(one.aliases),
        }
        for one in given
    ]


@judged("receive_batch", Delivery)
def _receive(order: Delivery, _to: Translation) -> tuple[str, Given]:
    return "receiveBatch", {
        "materialCode": order.material,
        "quantity": quantity(order.amount, order.unit),
        "locationCode": order.location,
        "supplierCode": order.supplier,
        "supplierLot": order.supplier_lot,
        "purchaseOrder": order.order,
        "producedAt": order.produced_at,
        "expiresOn": order.expires_on,
        "grade": order.grade,
        "attributes": [{"name": name, "value": value} for name, value in order.attributes.items()],
        "aliases": aliases(order.aliases),
        "quarantine": order.quarantine,
    }


@judged("open_process", ProcessOrder)
def _open(order: ProcessOrder, _to: Translation) -> tuple[str, Given]:
    return "openProcess", {"kind": order.kind.value, "equipmentCode": order.equipment}


@judged("feed_process", Feed)
def _feed(order: Feed, to: Translation) -> tuple[str, Given]:
    run = to.ids.processes.get(order.process, str(order.process))
    return "addProcessInputs", {"processId": run, "lines": stock_lines(order.lines, to)}


@judged("yield_process", Yield)
def _yield(order: Yield, to: Translation) -> tuple[str, Given]:
    additions = [
        {
            "batchCode": to.ids.batch(one.batch),
            "quantity": quantity(one.amount, one.unit),
            "locationCode": one.location,
            "use": one.use.value,
        }
        for one in order.additions
    ]
    return "addProcessOutputs", {
        "processId": to.ids.processes.get(order.process, str(order.process)),
        "outputs": outputs(order.outputs),
        "additions": additions,
        "returns": stock_lines(order.returns, to),
    }


@judged("close_process", Closing)
def _close(order: Closing, to: Translation) -> tuple[str, Given]:
    return "closeProcess", {"processId": to.ids.processes.get(order.process, str(order.process))}


@judged("record_production", ProductionRun)
def _produce(order: ProductionRun, to: Translation) -> tuple[str, Given]:
    return "recordProduction", {
        "kind": order.run.kind.value,
        "equipmentCode": order.run.equipment,
        "openedAt": order.opened_at,
        "inputs": stock_lines(order.inputs, to),
        "outputs": outputs(order.outputs),
    }


@judged("split_batch", Split)
def _split(order: Split, to: Translation) -> tuple[str, Given]:
    parts = [
        {"quantity": quantity(part.amount, unit_of(order.batch, part.unit, to)), "locationCode": part.location}
        for part in order.parts
    ]
    return "splitBatch", {"batchCode": to.ids.batch(order.batch), "locationCode": order.location, "parts": parts}


@judged("merge_batches", Merge)
def _merge(order: Merge, to: Translation) -> tuple[str, Given]:
    sources: list[Given] = []
    for one in order.sources:
        source: Given = {"batchCode": to.ids.batch(one.batch), "locationCode": one.location}
        if one.amount is not None:
            source["quantity"] = quantity(one.amount, unit_of(one.batch, one.unit, to))
        sources.append(source)
    return "mergeBatches", {"sources": sources, "locationCode": order.location}


@judged("move_batch", Move)
def _move(order: Move, to: Translation) -> tuple[str, Given]:
    return "moveBatch", {
        "batchCode": to.ids.batch(order.batch),
        "fromLocationCode": order.from_location,
        "toLocationCode": order.to_location,
        "quantity": quantity(order.amount, order.unit),
    }


@judged("dispatch_transfer", Dispatch)
def _dispatch(order: Dispatch, to: Translation) -> tuple[str, Given]:
    return "dispatchTransfer", {"destinationCode": order.destination, "lines": stock_lines(order.lines, to)}


@judged("receive_transfer", TransferReceipt)
def _arrive(order: TransferReceipt, to: Translation) -> tuple[str, Given]:
    try:
        transfer = to.ids.label(to.model, order.manifest)
    except Refusal:  # no label at all, which the model has no text of either.
        transfer = order.manifest
    lines = [
        {
            "batchCode": to.ids.batch(one.batch),
            "quantity": quantity(one.amount, unit_of(one.batch, one.unit, to)),
            "locationCode": one.location,
        }
        for one in order.lines
    ]
    return "receiveTransfer", {"manifest": transfer, "locationCode": order.location, "lines": lines, "all": True}


@judged("ship_batch", Shipment)
def _ship(order: Shipment, to: Translation) -> tuple[str, Given]:
    return "shipGoods", {"customerCode": order.customer, "lines": stock_lines(order.lines, to)}


@judged("adjust_stock", Count)
def _count(order: Count, to: Translation) -> tuple[str, Given]:
    return "countStock", {
        "batchCode": to.ids.batch(order.batch),
        "locationCode": order.location,
        "counted": quantity(order.counted, unit_of(order.batch, order.unit, to)),
    }


@judged("quarantine_batch", Quarantine)
def _hold(order: Quarantine, to: Translation) -> tuple[str, Given]:
    return "placeHold", {
        "batchCode": to.ids.batch(order.batch),
        "reason": order.reason,
        "kind": order.kind.value,
    }


@judged("request_change", ReleaseRequest)
def _release(order: ReleaseRequest, to: Translation) -> tuple[str, Given]:
    given: Given = {"batchCode": to.ids.batch(order.batch), "reason": order.reason}
    if order.hold is not None:
        given["holdId"] = to.release_holds(order.batch, order.hold)
    return "requestRelease", given


@judged("request_change", ExtensionRequest)
def _extend(order: ExtensionRequest, to: Translation) -> tuple[str, Given]:
    given = {"batchCode": to.ids.batch(order.batch), "reason": order.reason, "expiresOn": order.expires_on}
    return "requestExpiryExtension", given


@judged("request_change", AdjustmentRequest)
def _recount(order: AdjustmentRequest, to: Translation) -> tuple[str, Given]:
    return "requestStockAdjustment", {
        "batchCode": to.ids.batch(order.batch),
        "reason": order.reason,
        "locationCode": order.location,
        "counted": quantity(order.counted, order.unit),
    }


def _decide(order: Decision, to: Translation) -> tuple[str, Given]:
    index = to.ids.entries.get((to.plant, order.change), -1)
    request = f"{CODES[to.plant]}/{index}"
    known = 0 <= order.change < len(to.leaves) and to.leaves[order.change].hex() == order.proposal
    return "decideChangeRequest", {
        "changeRequestId": request,
        "proposal": request if known else "another",
        "verdict": order.verdict.value,
        "comment": order.comment,
    }


judged("decide_change", Decision)(_decide)
judged("decide_change_at_hub", Decision)(_decide)


@judged("correct_entry", Correction)
def _correct(order: Correction, to: Translation) -> tuple[str, Given]:
    return "correctEntry", {
        "entryId": to.ids.entries.get((to.plant, order.entry), -1),
        "correctionReason": order.wrong.value,
        "reason": order.reason,
    }


@judged("alias_batch", Naming)
def _name(order: Naming, to: Translation) -> tuple[str, Given]:
    return "addBatchAliases", {"batchCode": to.ids.batch(order.batch), "aliases": aliases(order.aliases)}


@judged("end_alias", Naming)
def _unname(order: Naming, to: Translation) -> tuple[str, Given]:
    return "removeBatchAliases", {"batchCode": to.ids.batch(order.batch), "aliases": aliases(order.aliases)}


NOUNS: Final[Mapping[str, str]] = {
    "SUPPLIER": "Supplier",
    "CUSTOMER": "Customer",
    "LOCATION": "Location",
    "EQUIPMENT": "Equipment",
}


def saved(change: Change, entries: Mapping[tuple[int, int], int], plant: int) -> tuple[str, Given]:
    """Return the model's command of a change of master data, with the version as the model numbers entries."""
    given: Given = {"code": change.code}
    for name, wire in WIRE.items():
        value = getattr(change, name, None)
        if value is not None or name in change.cleared:
            given[wire] = value
    if isinstance(change, MaterialChange) and change.conversions is not None:
        given["conversions"] = [{"unitCode": unit, "factor": factor} for unit, factor in change.conversions]
    if change.expected_version is not None:
        given["expectedVersion"] = entries.get((plant, change.expected_version), -1)
    if isinstance(change, MaterialChange):
        return "saveMaterial", given
    return "saveUnit" if isinstance(change, UnitChange) else f"save{NOUNS[change.kind.value]}", given


def _save(order: Change, to: Translation) -> tuple[str, Given]:
    return saved(order, to.ids.entries, to.plant)


judged("define_material", MaterialChange)(_save)
judged("define_unit", UnitChange)(_save)
judged("define_master", MasterChange)(_save)


@judged("direct_master", MasterDirection)
def _direct_master(order: MasterDirection, to: Translation) -> tuple[str, Given]:
    assert isinstance(order.definition, MaterialChange | UnitChange | MasterChange), "the contract sends changes"
    command, given = saved(order.definition, to.ids.entries, to.plant)
    return command, {**given, "plantCodes": list(order.plants)}


@judged("direct_hold", HoldDirection)
def _direct_hold(order: HoldDirection, to: Translation) -> tuple[str, Given]:
    return "placeHold", {
        "batchCode": to.ids.batch(order.batch),
        "reason": order.reason,
        "kind": order.kind.value,
        **_named_plants(order.plants),
    }


@judged("direct_recall", RecallDirection)
def _direct_recall(order: RecallDirection, to: Translation) -> tuple[str, Given]:
    batches = [to.ids.batch(code) for code in order.batches]
    return "openRecall", {"batchCodes": batches, "reason": order.reason, **_named_plants(order.plants)}


def _named_plants(codes: Sequence[str]) -> Given:
    return {"plantCodes": list(codes)} if codes else {}


@judged("direct_release", ReleaseDirection)
def _direct_release(order: ReleaseDirection, to: Translation) -> tuple[str, Given]:
    return "liftHold", {"holdId": to.ids.directed.get(order.hold, order.hold), "reason": order.reason}
