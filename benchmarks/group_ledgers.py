"""The synthetic group as ledgers: per plant the entries that its node would have written, in canonical bytes."""

import uuid
from collections.abc import Iterator
from random import Random
from typing import Any

from benchmarks.group import PLANTS, START_US, Group, Part, Step, plant_code
from benchmarks.group_rows import FIRST_INDEX, LOCATION, origin
from plants.rules.ledger import hlc
from plants.rules.ledger.events import Envelope, canonical
from plants.rules.values.instants import format_instant, from_micros
from plants.rules.values.quantities import format_micro
from plants.store.projection.registry import SUPPORTED

STOCK = f"stock:{LOCATION}"
EVENT = {
    "RECEIPT": "BatchReceived",
    "PRODUCTION": "ProductionRecorded",
    "REWORK": "ProductionRecorded",
    "DISPATCH": "TransferDispatched",
    "ARRIVAL": "TransferReceived",
    "SHIPMENT": "BatchShipped",
}


class Ledgers:
    """Turns events into entries, each at the next position of its plant's ledger."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._next = [FIRST_INDEX] * (PLANTS + 1)
        self._hlc = [hlc.ZERO] * (PLANTS + 1)
        self._known: set[Part] = set()
        self._random = Random(group.seed)

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """Yield the plant and the bytes of each entry, the openings of all plants first."""
        for plant in range(1, PLANTS + 1):
            code = plant_code(plant)
            opened = {"number": plant, "code": code, "name": code, "time_zone": "UTC", "origin": origin(plant)}
            yield plant, canonical(self._envelope((plant, 0), "PlantOpened", code, opened, START_US))
        for step in self._group.steps():
            index = self._next[step.plant]
            self._next[step.plant] = index + 1
            key, payload = self._payload(step)
            place = step.plant, index
            yield step.plant, canonical(self._envelope(place, EVENT[step.kind], key, payload, step.at_us))

    def _envelope(self, place: tuple[int, int], event: str, key: str, payload: Any, at_us: int) -> Envelope:
        plant, index = place
        at = format_instant(from_micros(at_us))
        self._hlc[plant] = hlc.tick(self._hlc[plant], at_us // 1000)
        return {
            "id": self._uuid(),
            "type": event,
            "version": SUPPORTED[event],
            "plant": plant,
            "index": index,
            "hlc": self._hlc[plant],
            "occurred_at": at,
            "recorded_at": at,
            "actor": f"person-{plant}-{index % 12}",
            "device": f"scanner-{index % 30}",
            "request": self._uuid(),
            "digest": f"{self._random.getrandbits(128):032x}",
            "key": key,
            "payload": payload,
        }

    def _payload(self, step: Step) -> tuple[str, dict[str, Any]]:
        key, place = str(step.process), f"process:{step.process}"
        if step.kind == "RECEIPT":
            batch, micro = step.outputs[0]
            statement = self._statement(batch)
            alias = {"batch": batch, "scheme": "SUPPLIER_LOT", "issuer": "S1", "value": f"L{batch}"}
            movement = _movement((batch, micro), "supplier:S1", STOCK)
            lot = {"supplier_lot": f"L{batch}", "order": None, "aliases": [alias]}
            return statement["code"], {"batches": [statement], "movements": [movement], **lot}
        moved_as = {"DISPATCH": "TRANSFERRED", "ARRIVAL": "TRANSFERRED", "SHIPMENT": "SHIPPED"}.get(step.kind)
        movements = [_movement(part, STOCK, place, moved_as or "CONSUMED") for part in step.inputs]
        movements += [_movement(part, place, STOCK, moved_as or "PRODUCED") for part in step.outputs]
        payload: dict[str, Any] = {"process": self._process(step), "movements": movements}
        if step.kind == "DISPATCH":
            came: list[dict[str, Any]] = [
                {"batch": self._statement(batch), "dispatched": format_micro(micro)} for batch, micro in step.inputs
            ]
            return key, payload | {"transfer": step.process, "destination": plant_code(step.other), "lines": came}
        if step.kind == "ARRIVAL":
            lines = [
                {"batch": batch, "unit": "KGM", "dispatched": format_micro(micro), "received": format_micro(micro)}
                for batch, micro in step.outputs
            ]
            new = [self._statement(batch) for batch, _ in step.outputs if (batch, step.plant) not in self._known]
            self._known.update((batch, step.plant) for batch, _ in step.outputs)
            payload |= {"batches": new} if new else {}
            return key, payload | {"transfer": step.process, "source": plant_code(step.other), "lines": lines}
        if step.kind != "SHIPMENT":
            total = {"KGM": format_micro(sum(micro for _, micro in step.inputs))}
            made = {"KGM": format_micro(sum(micro for _, micro in step.outputs))}
            batches = [self._statement(batch) for batch, _ in step.outputs]
            payload |= {"batches": batches, "inputs": total, "outputs": made, "returned": {}}
        return key, payload

    def _statement(self, batch: int) -> dict[str, Any]:
        made = self._group.made[batch]
        self._known.add((batch, batch >> 40))
        return {
            "id": batch,
            "code": made.code,
            "material": made.material,
            "unit": "KGM",
            "made": format_micro(made.micro),
            "produced_at": format_instant(from_micros(made.produced_us)),
            "expires_on": None,
            "retest_on": None,
            "grade": None,
            "supplier": None,
            "attributes": {},
            "disposition": "UNRESTRICTED",
        }

    def _process(self, step: Step) -> dict[str, Any]:
        at = format_instant(from_micros(step.at_us))
        process: dict[str, Any] = {"id": step.process, "kind": step.kind, "state": "CLOSED", "opened_at": at}
        if step.kind in {"DISPATCH", "ARRIVAL"}:
            ends = (step.plant, step.other) if step.kind == "DISPATCH" else (step.other, step.plant)
            process["kind"] = "TRANSFER"
            process["source_plant"], process["destination_plant"] = map(plant_code, ends)
        if step.kind == "DISPATCH":
            return process | {"state": "OPEN"}
        process["closed_at"] = at
        if step.kind == "SHIPMENT":
            process["customer"] = f"C{step.other:03d}"
        if step.kind != "ARRIVAL":
            process["job_order"] = f"O{step.process}"
        return process

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))


def _movement(part: Part, taken_from: str, put_in: str, use: str | None = None) -> dict[str, Any]:
    batch, micro = part
    movement = {
        "batch": batch,
        "amount": format_micro(micro),
        "unit": "KGM",
        "taken_from": taken_from,
        "put_in": put_in,
    }
    return movement if use is None else movement | {"use": use}
