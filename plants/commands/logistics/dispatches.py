"""Dispatch goods to another plant of the group; they keep their codes."""

from dataclasses import dataclass

from plants.commands.execution import PlantLedgerWriter, command
from plants.commands.inventory.issues import StockLine, issue, statement
from plants.rules.identification.codes import plant_code
from plants.rules.ledger.events import Entry, canonical
from plants.rules.ledger.refusals import ENTRY_TOO_LARGE
from plants.rules.ledger.request_forms import stable_name
from plants.rules.logistics.events import TRANSFER_DISPATCHED, TransferDispatched, TransferLine
from plants.rules.logistics.transfers import TRANSFER_BYTES_MAX
from plants.rules.values.instants import format_instant
from plants.rules.values.quantities import format_micro, parse_micro
from plants.rules.values.refusals import NOTHING_CHANGES, Refusal


@stable_name("Dispatch")
@dataclass(frozen=True, slots=True)
class Dispatch:
    """What leaves, and for which plant."""

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
    if plant_code(order.destination) == source:
        raise Refusal(NOTHING_CHANGES, why=f"{source} → {source}")
    transfer = writer.new_node()
    issued = issue(writer, order.lines, transfer, "TRANSFERRED")
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
            "kind": "TRANSFER",
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
