"""Transfers between plants: goods dispatched to another plant, and received there from the label alone, offline."""

from collections.abc import Sequence
from dataclasses import dataclass

from plants.commands.execution import PlantLedgerWriter, check_lines, command
from plants.commands.inventory.issues import StockLine, check_total, issue, statement
from plants.rules.genealogy.edges import MaterialUse
from plants.rules.identification.codes import plant_code, plant_of
from plants.rules.ledger.events import Entry, canonical
from plants.rules.ledger.payloads import BatchStatement, Movement
from plants.rules.ledger.refusals import ENTRY_TOO_LARGE
from plants.rules.ledger.request_forms import stable_name
from plants.rules.logistics.events import (
    TRANSFER_DISPATCHED,
    TRANSFER_RECEIVED,
    ReceivedLine,
    TransferDispatched,
    TransferLine,
    TransferReceived,
)
from plants.rules.logistics.refusals import (
    BATCH_NOT_IN_TRANSFER,
    LABEL_CONTRADICTS,
    LABEL_OF_OTHER_GROUP,
    LABEL_OF_THIS_PLANT,
    TRANSFER_MANIFEST_INVALID,
    TRANSFER_NOT_FOR_THIS_PLANT,
    TRANSFER_TO_ITSELF,
)
from plants.rules.logistics.transfers import TRANSFER_BYTES_MAX, Manifest, check_awaited, group_of, read_manifest
from plants.rules.production.process_records import ProcessKind, ProcessState
from plants.rules.values.instants import format_instant
from plants.rules.values.quantities import format_micro, parse_micro, read_count
from plants.rules.values.refusals import NOTHING_CHANGES, Refusal, Refusals, within
from plants.store.inventory import batches
from plants.store.logistics import transfers
from plants.store.materials import definitions


@stable_name("Dispatch")
@dataclass(frozen=True, slots=True)
class Dispatch:
    """Goods to dispatch, and the plant that they go to."""

    destination: str
    lines: tuple[StockLine, ...]


@command("dispatch_transfer")
def dispatch_transfer(writer: PlantLedgerWriter, order: Dispatch) -> Entry:
    """Put usable goods on the road to another plant.

    The entry is what the label carries (`plants.rules.logistics.transfers.transfer_manifest`): each batch once, as this
    plant knows it, with all that was dispatched of it. The record stays open here; the destination's statement closes
    it.
    """
    source = writer.plant.code
    transfer = writer.new_node()
    with Refusals() as refusals:
        with refusals.at("destinationCode"):
            if plant_code(order.destination) == source:
                raise Refusal(NOTHING_CHANGES, why=TRANSFER_TO_ITSELF(plant=source))
        with refusals.at():
            issued = issue(writer, order.lines, transfer, MaterialUse.TRANSFERRED, field="lines")
    sent: dict[int, int] = {}
    for movement in issued.movements:
        sent[movement["batch"]] = sent.get(movement["batch"], 0) + parse_micro(movement["amount"])
    lines: list[TransferLine] = [
        {"batch": statement(goods), "dispatched": format_micro(sent[goods.id])} for goods in issued.goods.values()
    ]
    payload: TransferDispatched = {
        "transfer": transfer,
        "destination": order.destination,
        "lines": lines,
        "process": {
            "id": transfer,
            "kind": ProcessKind.TRANSFER.value,
            "state": "OPEN",
            "opened_at": format_instant(writer.occurred_at),
            "source_plant": source,
            "destination_plant": order.destination,
        },
        "movements": issued.movements,
    }
    size = len(canonical(payload))
    if size > TRANSFER_BYTES_MAX:
        raise Refusal(ENTRY_TOO_LARGE, size=size, limit=TRANSFER_BYTES_MAX)
    return writer.record(TRANSFER_DISPATCHED, str(transfer), payload)


@stable_name("ReceiptLine")
@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """The amount of a batch that came in at a location, zero included; the unit defaults to the batch's own."""

    batch: str
    amount: str
    location: str
    unit: str | None = None


@stable_name("TransferReceipt")
@dataclass(frozen=True, slots=True)
class TransferReceipt:
    """The scanned label, and where the goods are put: as dispatched, but for the batches that lines speak of."""

    manifest: str
    location: str
    lines: tuple[ReceiptLine, ...] = ()


@dataclass(frozen=True, slots=True)
class _Arrival:
    """One batch of a transfer as received: its amounts per location, in millionths."""

    line: TransferLine
    known: batches.Goods | None
    put: tuple[tuple[str, int], ...]

    @property
    def received(self) -> int:
        return sum(micro for _, micro in self.put)


@command("receive_transfer")
def receive_transfer(writer: PlantLedgerWriter, order: TransferReceipt) -> Entry:
    """Take over the goods of a transfer: each batch keeps its id, code and dates.

    A batch that is known here already is not stated again, so that its disposition and holds here stay; only an
    earlier expiry on the label counts from now on. A shortage is a movement from the transfer to `count`, a surplus one
    the other way, so that what was dispatched, received and differs adds up to nothing on the road. The entry that the
    label carries becomes a cause of this one.
    """
    with Refusals() as refusals:
        manifest = refusals.value(_manifest, writer, order)
        with refusals.at():
            arrivals = _check_unaddressed(writer, order) if manifest is None else _arrivals(writer, manifest, order)
    assert manifest is not None
    movements: list[Movement] = []
    lines: list[ReceivedLine] = []
    for arrival in arrivals:
        movements += _movements(manifest.transfer, arrival)
        batch = arrival.line["batch"]
        lines.append(
            {
                "batch": batch["id"],
                "unit": batch["unit"],
                "dispatched": arrival.line["dispatched"],
                "received": format_micro(arrival.received),
            }
        )
    payload: TransferReceived = {
        "transfer": manifest.transfer,
        "source": manifest.source,
        "lines": lines,
        "process": {
            "id": manifest.transfer,
            "kind": ProcessKind.TRANSFER.value,
            "state": ProcessState.CLOSED.value,
            "opened_at": manifest.dispatched_at,
            "closed_at": format_instant(writer.occurred_at),
            "source_plant": manifest.source,
            "destination_plant": manifest.destination,
        },
        "movements": movements,
    }
    if new := [arrival.line["batch"] for arrival in arrivals if arrival.known is None]:
        payload["batches"] = new
    if expiries := _earlier_expiries(arrivals):
        payload["expiries"] = expiries
    return writer.record(TRANSFER_RECEIVED, str(manifest.transfer), payload, causes=((manifest.cause, manifest.hlc),))


def _manifest(writer: PlantLedgerWriter, order: TransferReceipt) -> Manifest:
    with within("manifest"):
        manifest = read_manifest(order.manifest)
        _check_addressed(writer, manifest)
    return manifest


def _check_unaddressed(writer: PlantLedgerWriter, order: TransferReceipt) -> list[_Arrival]:
    """Raise the Refusals of what can be checked without the label. Returns no arrivals."""
    with Refusals() as refusals:
        refusals.value(writer.check_location, order.location)
        with refusals.at():
            if order.lines:
                check_lines(order.lines, "lines")
            for index, line in enumerate(order.lines):
                with refusals.at("lines", index):
                    writer.check_location(line.location)
                with refusals.at("lines", index, "quantity"):
                    writer.check_quantity(line.amount, line.unit, read_count)
    return []


def _check_addressed(writer: PlantLedgerWriter, manifest: Manifest) -> None:
    own, group = writer.plant, group_of(writer.plant.origin).rpartition("/plant/")[0]
    if manifest.plant == own.number:
        raise Refusal(TRANSFER_MANIFEST_INVALID, why=LABEL_OF_THIS_PLANT(destination=manifest.destination))
    if group_of(manifest.cause["origin"]) != f"{group}/plant/{manifest.source}":
        raise Refusal(TRANSFER_MANIFEST_INVALID, why=LABEL_OF_OTHER_GROUP(origin=manifest.cause["origin"][:100]))
    if manifest.destination != own.code:
        raise Refusal(TRANSFER_NOT_FOR_THIS_PLANT, destination=manifest.destination, plant=own.code)
    received = transfers.is_received(writer.session, own.number, manifest.transfer)
    check_awaited(manifest.transfer, received=received)


def _arrivals(writer: PlantLedgerWriter, manifest: Manifest, order: TransferReceipt) -> list[_Arrival]:
    on_label = {line["batch"]["code"]: line for line in manifest.lines}
    arrivals = []
    with Refusals() as refusals:
        refusals.value(writer.check_location, order.location)
        with refusals.at():
            if order.lines:
                check_lines(order.lines, "lines")
            _check_lines(writer, manifest, order, refusals)
        for code, line in on_label.items():
            with refusals.at("manifest"):
                known = _known(writer, line["batch"])
                said = [(index, one) for index, one in enumerate(order.lines) if one.batch == code]
                as_sent = ((order.location, parse_micro(line["dispatched"])),)
                put = _put(writer, line["batch"], said, refusals) if said else as_sent
                arrival = _Arrival(line, known, put)
                check_total(arrival.received + (0 if known is None else sum(known.on_hand.values())))
                arrivals.append(arrival)
    return arrivals


def _check_lines(writer: PlantLedgerWriter, manifest: Manifest, order: TransferReceipt, refusals: Refusals) -> None:
    """Collect the Refusals of lines for a batch that is not on the label, and of locations that are not defined."""
    on_label = {line["batch"]["code"] for line in manifest.lines}
    for index, one in enumerate(order.lines):
        with refusals.at("lines", index, "batchCode"):
            if one.batch not in on_label:
                raise Refusal(BATCH_NOT_IN_TRANSFER, batch=one.batch[:40], transfer=manifest.transfer)
            continue
        with refusals.at("lines", index, "quantity"):
            # The batch and its unit are not known.
            writer.check_quantity(one.amount, one.unit, read_count)
    for index, one in enumerate(order.lines):
        with refusals.at("lines", index):
            writer.check_location(one.location)


def _known(writer: PlantLedgerWriter, batch: BatchStatement) -> batches.Goods | None:
    """Return what is known here of a batch on the label, after a check that the label does not contradict it."""
    session, plant = writer.session, writer.call.plant
    definitions.material(session, plant, batch["material"])
    known = batches.goods_by_id(session, plant, batch["id"])
    if known is None:
        # Our own numbers are ours to give, and a code names one batch.
        contradicts = plant_of(batch["id"]) == plant or batches.is_code_known(session, plant, batch["code"])
    else:
        stated = batch["code"], batch["material"], batch["unit"]
        contradicts = stated != (known.code, known.material, known.unit)
    if contradicts:
        raise Refusal(TRANSFER_MANIFEST_INVALID, why=LABEL_CONTRADICTS(batch=batch["code"]))
    return known


def _put(
    writer: PlantLedgerWriter, batch: BatchStatement, lines: Sequence[tuple[int, ReceiptLine]], refusals: Refusals
) -> tuple[tuple[str, int], ...]:
    put: dict[str, int] = {}
    for index, line in lines:
        with refusals.at("lines", index, "quantity"):
            micro = writer.count(line.amount, line.unit or batch["unit"], batch["material"], batch["unit"])
            if micro:
                put[line.location] = put.get(line.location, 0) + micro
    return tuple(put.items())


def _movements(transfer: int, arrival: _Arrival) -> list[Movement]:
    place = f"process:{transfer}"
    difference = arrival.received - parse_micro(arrival.line["dispatched"])
    movements = [
        _movement(arrival, micro, place, f"stock:{location}", MaterialUse.TRANSFERRED)
        for location, micro in arrival.put
    ]
    if difference < 0:
        movements.append(_movement(arrival, -difference, place, "count"))
    elif difference > 0:
        movements.append(_movement(arrival, difference, "count", place))
    return movements


def _movement(arrival: _Arrival, micro: int, taken_from: str, put_in: str, use: MaterialUse | None = None) -> Movement:
    batch = arrival.line["batch"]
    movement: Movement = {
        "batch": batch["id"],
        "amount": format_micro(micro),
        "unit": batch["unit"],
        "taken_from": taken_from,
        "put_in": put_in,
    }
    if use is not None:
        movement["use"] = use.value
    return movement


def _earlier_expiries(arrivals: Sequence[_Arrival]) -> dict[str, str | None]:
    expiries: dict[str, str | None] = {}
    for arrival in arrivals:
        stated = arrival.line["batch"]["expires_on"]
        if arrival.known is not None and stated is not None:
            before = arrival.known.expires_on
            if before is None or stated < before:
                expiries[str(arrival.known.id)] = stated
    return expiries
