"""Maps the product's ids to those of the reference model, which makes its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from plants.rules.identification.codes import plant_of
from plants.rules.logistics.transfers import read_manifest
from plants.rules.values.instants import parse_instant
from simulation.nodes import CODES
from simulation.reference_model import Accepted, ReferenceModel
from simulation.reference_model.amounts import current_factors
from simulation.reference_model.rows import Batch, Transfer, TransferLine

MICRO = 1_000_000


def micro(amount: str) -> int:
    """Return an amount in millionths."""
    return int(Decimal(amount) * MICRO)


def day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


@dataclass
class Identities:
    """The model's id of each batch, process record, transfer, entry and hold of the product.

    A batch is known by its code, an entry by plant and index, a hold by the id of a directed hold.
    """

    batches: dict[str, str] = field(default_factory=dict)
    codes: dict[int, str] = field(default_factory=dict)
    processes: dict[int, str] = field(default_factory=dict)
    transfers: dict[int, str] = field(default_factory=dict)
    entries: dict[tuple[int, int], int] = field(default_factory=dict)
    holds: dict[tuple[int, int], str] = field(default_factory=dict)
    directed: dict[str, str] = field(default_factory=dict)

    def batch(self, code: str) -> str:
        """Return the model's id of a batch, or the code itself where the model has none."""
        return self.batches.get(code, code)

    def learn(self, plant: int, entry: Mapping[str, Any], verdict: Accepted) -> None:
        """Note the ids of what an accepted command made, from its entry and from the model's verdict."""
        payload, index = entry["payload"], entry["index"]
        self.entries[plant, index] = verdict.index
        made = [batch for batch in payload.get("batches", ()) if plant_of(batch["id"]) == plant]
        if entry["type"] == "TransferReceived":
            made = []
        for batch, made_id in zip(made, verdict.made, strict=True):
            self.batches[batch["code"]], self.codes[batch["id"]] = made_id, batch["code"]
        if verdict.subject is None or entry["type"] == "EntryCorrected":
            return
        if entry["type"] == "TransferDispatched":
            self.transfers[payload["transfer"]] = verdict.subject
        elif "process" in payload:
            self.processes[payload["process"]["id"]] = verdict.subject
        elif payload.get("holds"):
            self.holds[plant, index] = verdict.subject

    def label(self, model: ReferenceModel, manifest: str) -> str:
        """Return the model's id of the transfer of a label. A transfer that the model does not have is added to it."""
        read = read_manifest(manifest)
        if read.transfer not in self.transfers:
            self._add(model, read.plant, read)
        return self.transfers[read.transfer]

    def _add(self, model: ReferenceModel, source: int, label: Any) -> None:
        """Add a transfer of which only the label is known: its sender is no longer compared."""
        node = model.nodes[CODES[source]]
        transfer = f"{CODES[source]}/label/{label.transfer}"
        at = parse_instant(label.dispatched_at).astimezone(UTC)
        lines = tuple(
            TransferLine(self._stated(model, source, line["batch"], at), micro(line["dispatched"]), "")
            for line in label.lines
        )
        node.transfers[transfer] = Transfer(transfer, CODES[source], label.destination, at, 0, lines)
        self.transfers[label.transfer] = transfer

    def _stated(self, model: ReferenceModel, source: int, said: Mapping[str, Any], at: datetime) -> Batch:
        """Return a batch as a label states it."""
        code = said["code"]
        known = self.batches.setdefault(code, f"{CODES[source]}/label/{code}")
        self.codes[said["id"]] = code
        material = model.nodes[CODES[source]].materials[said["material"]]
        return Batch(
            id=known,
            material=said["material"],
            unit=said["unit"],
            factors=current_factors(model.nodes[CODES[source]], material),
            origin=CODES[plant_of(said["id"])],
            made=micro(said["made"]),
            produced_at=parse_instant(said["produced_at"]).astimezone(UTC) if said["produced_at"] else at,
            made_entry=0,
            expires_on=day(said["expires_on"]),
            retest_on=day(said["retest_on"]),
            grade=said["grade"],
            supplier=said["supplier"],
        )
