"""Compares the tables of a node with the rows that the reference model has of a plant."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from simulation.disks import Disk
from simulation.model_check.identities import Identities, day
from simulation.nodes import CODES
from simulation.reference_model import ReferenceModel
from simulation.reference_model.rows import Batch

BATCHES: Final = (
    "SELECT id, code, material, unit, made, expires_on, retest_on, grade, supplier, disposition FROM batches"
    " WHERE plant_id = ?"
)
STOCK: Final = "SELECT batch_id, location, quantity FROM stock WHERE plant_id = ? AND quantity <> 0"
HOLDS: Final = "SELECT batch_id, kind, reason, directed FROM holds WHERE plant_id = ? AND lifted_idx IS NULL"
MATERIALS: Final = (
    "SELECT code, name, unit, shelf_life_days, retest_days, conversions, version FROM materials WHERE plant_id = ?"
)
RECORDS: Final = "SELECT kind, code, name, version FROM master_records WHERE plant_id = ?"
RUNS: Final = "SELECT id, state, loss FROM process_records WHERE plant_id = ? AND kind NOT IN ('TRANSFER', 'SHIPMENT')"
CHANGES: Final = "SELECT change_id, state, refusal FROM change_requests WHERE plant_id = ?"


@dataclass(frozen=True)
class Compared:
    """One plant in the model, and the disk of the node whose tables are compared with it."""

    model: ReferenceModel
    ids: Identities
    plant: int
    disk: Disk

    def differences(self, batches: Collection[str] | None = None) -> Iterator[str]:
        """Yield what differs, for some batches by their codes, or for everything."""
        yield from self._batches(batches)
        if batches is None:
            yield from self._runs()
            yield from self._changes()
            yield from self._master_data()

    def _batches(self, codes: Collection[str] | None) -> Iterator[str]:
        found = self._stored()
        node = self.model.nodes[CODES[self.plant]]
        wanted = {self.ids.batch(code): code for code in found}
        for batch in node.batches.keys() - wanted.keys():
            yield f"batch {batch} of the model is not in the tables"
        for batch, code in wanted.items():
            if codes is not None and code not in codes:
                continue
            if batch not in node.batches:
                yield f"batch {code} is not in the model"
                continue
            expected, stored = self._expected(node.batches[batch]), found[code]
            for name in expected:
                if expected[name] != stored[name]:
                    yield f"batch {code}: {name} is {stored[name]}, and the model says {expected[name]}"

    def _stored(self) -> dict[str, dict[str, Any]]:
        stock: dict[int, dict[str, int]] = defaultdict(dict)
        for batch, location, amount in self.disk.peek(STOCK, (self.plant,)):
            stock[batch][location] = amount
        holds: dict[int, list[tuple[str, str, str]]] = defaultdict(list)
        for batch, kind, reason, directed in self.disk.peek(HOLDS, (self.plant,)):
            holds[batch].append((kind, reason, directed or ""))
        rows = self.disk.peek(BATCHES, (self.plant,))
        return {
            code: {
                "material": material,
                "unit": unit,
                "made": made,
                "expiry": day(expires_on),
                "retest": day(retest_on),
                "grade": grade,
                "supplier": supplier,
                "disposition": disposition,
                "stock": stock[batch],
                "holds": sorted(holds[batch]),
            }
            for batch, code, material, unit, made, expires_on, retest_on, grade, supplier, disposition in rows
        }

    def _expected(self, batch: Batch) -> dict[str, Any]:
        plant = CODES[self.plant]
        holds = [(one.kind, one.reason, one.directed or "") for one in self.model.holds(plant, batch.id)]
        stock = self.model.nodes[plant].stock
        return {
            "material": batch.material,
            "unit": batch.unit,
            "made": batch.made,
            "expiry": batch.expires_on,
            "retest": batch.retest_on,
            "grade": batch.grade,
            "supplier": batch.supplier,
            "disposition": "CLOSED" if batch.void else "UNRESTRICTED",
            "stock": {where: row.amount for (one, where), row in stock.items() if one == batch.id and row.amount},
            "holds": sorted(holds),
        }

    def _runs(self) -> Iterator[str]:
        plant = CODES[self.plant]
        for process, state, loss in self.disk.peek(RUNS, (self.plant,)):
            run = self.model.nodes[plant].runs.get(self.ids.processes.get(process, ""))
            if run is None:
                yield f"process record {process} is not in the model"
                continue
            expected = "OPEN" if run.closed_at is None and not run.void else "CLOSED"
            if state != expected:
                yield f"process record {process} is {state}, and the model says {expected}"
            said = {unit: Fraction(amount) for unit, amount in json.loads(loss).items() if Fraction(amount)}
            masses = self.model.losses(plant, run.id)
            if said.keys() <= {"KGM"} and state == "CLOSED" and run.kind not in ("SPLIT", "MERGE") and not run.void:
                found, wanted = said.get("KGM", 0), masses.get("mass", 0)
                if found != wanted:
                    yield f"process record {process} lost {found}, and the model says {wanted}"

    def _changes(self) -> Iterator[str]:
        changes = self.model.nodes[CODES[self.plant]].changes
        for index, state, refusal in self.disk.peek(CHANGES, (self.plant,)):
            change = changes.get(self.ids.entries.get((self.plant, index), -1))
            if change is None:
                yield f"change request {index} is not in the model"
            elif (state, refusal) != (change.state, change.refusal):
                yield f"change request {index} is {state} {refusal}, and the model says {change.state} {change.refusal}"

    def _master_data(self) -> Iterator[str]:
        node = self.model.nodes[CODES[self.plant]]
        for code, name, unit, shelf_life, retest, conversions, version in self.disk.peek(MATERIALS, (self.plant,)):
            one = node.materials[code]
            known = (one.name, one.unit, one.shelf_life_days, one.retest_days, len(one.conversions), one.version)
            entry = self.ids.entries.get((self.plant, version), -1)
            if known != (name, unit, shelf_life, retest, len(json.loads(conversions)), entry):
                yield f"material {code} is {name} {unit} {shelf_life} {retest}, and the model says {known}"
        for kind, code, name, version in self.disk.peek(RECORDS, (self.plant,)):
            record = node.units.get(code) if kind == "UNIT" else node.masters.get((kind, code))
            entry = self.ids.entries.get((self.plant, version), -1)
            if record is None or (record.name, record.version) != (name, entry):
                yield f"{kind} {code} is {name} of entry {version}, and the model says {record}"
