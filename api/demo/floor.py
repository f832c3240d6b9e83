"""The people of the demonstration at work: each signs in at a node and does what a shop-floor app would do."""

import time
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from api.demo.homes import DemoNode
from api.node.client import MutationRefused, NodeClient
from infra.messages import Failure, message
from plants.rules.values.instants import format_instant

WAIT_SECONDS_MAX: Final = 60
POLL_SECONDS: Final = 0.1

NOT_AT_THE_HUB_YET: Final = ("CHANGE_UNKNOWN", "NOT_PERMITTED")
"""Refusals of a decision on a request that has not reached the hub yet."""

Line = tuple[str, int, str, str]
"""Batch code, amount, unit, location."""


class Floor:
    """One plant and its three people: an operator, somebody of quality, and a manager."""

    def __init__(self, node: DemoNode) -> None:
        self.code = node.code
        self._operator, self._quality, self._manager = (_signed_in(node, person.id) for person in node.people)

    def close(self) -> None:
        """Sign everybody out."""
        for client in (self._operator, self._quality, self._manager):
            client.close()

    def material(self, code: str, name: str, unit: str, shelf_life_days: int | None) -> None:
        """The manager defines a material."""
        order = {"code": code, "name": name, "unitCode": unit, "shelfLifeDays": shelf_life_days}
        self._manager.do("saveMaterial", "", order)

    def master(self, kind: str, code: str, name: str) -> None:
        """The manager defines a Location, Supplier, Customer or Equipment."""
        self._manager.do(f"save{kind}", "", {"code": code, "name": name})

    def receive(self, material: str, amount: int, at: datetime, *, supplier: str, lot: str) -> str:
        """The operator takes a delivery in at the dock; returns the code of the new batch."""
        return str(self._delivery(material, amount, at, supplier, lot)["batch"]["code"])

    def receive_entry(self, material: str, amount: int, at: datetime, *, supplier: str, lot: str) -> str:
        """The operator receives goods; returns the id of the entry in the plant's ledger."""
        return str(self._delivery(material, amount, at, supplier, lot)["entry"]["id"])

    def open_run(self, segment: str, equipment: str, at: datetime) -> str:
        """The operator opens a process record; returns its id."""
        order = {"segment": segment, "equipmentCode": equipment, **_at(at)}
        return str(self._operator.do("openProcess", "... on ProcessOpened { process { id } }", order)["process"]["id"])

    def feed(self, run: str, lines: Sequence[Line], at: datetime) -> None:
        """The operator puts goods in."""
        self._operator.do("addProcessInputs", "", {"processId": run, "lines": _lines(lines), **_at(at)})

    def produce(self, run: str, outputs: Sequence[tuple[str, int, str, str]], at: datetime) -> list[str]:
        """The operator declares what came out: material, amount, unit and use; returns the new batches' codes."""
        place = "DOCK" if self.code == "WH1" else "STORE"
        order = {
            "processId": run,
            "outputs": [
                {"materialCode": material, "quantity": _quantity(amount, unit), "locationCode": place, "use": use}
                for material, amount, unit, use in outputs
            ],
            **_at(at),
        }
        done = self._operator.do("addProcessOutputs", "... on ProcessOutputsAdded { batches { code } }", order)
        return [str(batch["code"]) for batch in done["batches"]]

    def close_run(self, run: str, at: datetime) -> None:
        """The operator closes the process record with its mass balance."""
        self._operator.do("closeProcess", "", {"processId": run, **_at(at)})

    def move(self, batch: str, amount: int, unit: str, source: str, target: str, at: datetime) -> None:  # noqa: PLR0917
        """The operator moves goods between two locations."""
        order = {
            "batchCode": batch,
            "fromLocationCode": source,
            "toLocationCode": target,
            "quantity": _quantity(amount, unit),
        }
        self._operator.do("moveBatch", "", {**order, **_at(at)})

    def split(self, batch: str, location: str, parts: Sequence[int], unit: str, at: datetime) -> list[str]:
        """The operator splits a batch; returns the codes of the parts."""
        order = {
            "batchCode": batch,
            "locationCode": location,
            "parts": [{"quantity": _quantity(part, unit), "locationCode": location} for part in parts],
        }
        done = self._operator.do("splitBatch", "... on BatchSplit { parts { code } }", {**order, **_at(at)})
        return [str(part["code"]) for part in done["parts"]]

    def merge(self, batches: Sequence[str], location: str, at: datetime) -> str:
        """The operator joins batches; returns the code of the new one."""
        order = {
            "sources": [{"batchCode": code, "locationCode": location} for code in batches],
            "locationCode": location,
        }
        done = self._operator.do("mergeBatches", "... on BatchesMerged { batch { code } }", {**order, **_at(at)})
        return str(done["batch"]["code"])

    def dispatch(self, destination: str, line: Line, at: datetime) -> str:
        """The operator sends goods to another plant; returns the text of the label that travels with them."""
        order = {"destinationCode": destination, "lines": _lines([line]), **_at(at)}
        return str(self._operator.do("dispatchTransfer", "... on TransferDispatched { manifest }", order)["manifest"])

    def take_in(self, label: str, location: str, at: datetime, *, short: tuple[Line, int] | None = None) -> int:
        """The operator takes a transfer over from its label alone; returns how much came in, less what is missing."""
        order: dict[str, Any] = {"manifest": label, "locationCode": location, **_at(at)}
        if short is not None:
            (batch, amount, unit, _), missing = short
            order["lines"] = [
                {"batchCode": batch, "quantity": _quantity(amount - missing, unit), "locationCode": location}
            ]
        wanted = "... on TransferReceived { transfer { lines(first: 100) { nodes { received { amount } } } } }"
        done = self._operator.do("receiveTransfer", wanted, order)
        return int(sum(Decimal(line["received"]["amount"]) for line in done["transfer"]["lines"]["nodes"]))

    def ship(self, customer: str, lines: Sequence[Line], order: str, at: datetime) -> None:
        """The operator ships goods to a customer."""
        self._operator.do(
            "shipGoods", "", {"customerCode": customer, "lines": _lines(lines), "customerOrder": order, **_at(at)}
        )

    def count(self, line: Line, at: datetime, why: str) -> None:
        """The manager sets the stock to what was counted; the difference is within the tolerance."""
        batch, amount, unit, location = line
        order = {"batchCode": batch, "locationCode": location, "counted": _quantity(amount, unit), "reason": why}
        self._manager.do("countStock", "", {**order, **_at(at)})

    def correct(self, entry: str, why: str) -> int:
        """Quality says that an entry, named by its id, was wrong; returns the position of the correcting entry."""
        order = {"entryId": entry, "correctionReason": "DID_NOT_OCCUR", "reason": why}
        done = self._quality.do("correctEntry", "... on EntryCorrected { entry { index } }", order)
        return int(done["entry"]["index"])

    def quarantine(self, batch: str, why: str, at: datetime) -> None:
        """Quality puts goods on hold."""
        self._quality.do("placeHold", "", {"batchCode": batch, "reason": why, **_at(at)})

    def ask_for_release(self, batch: str, why: str) -> tuple[str, str]:
        """Quality asks that the hold be lifted; returns the request's id and the hash of its content."""
        wanted = "... on ChangeRequested { changeRequest { id proposal } }"
        asked = self._quality.do("requestRelease", wanted, {"batchCode": batch, "reason": why})["changeRequest"]
        return str(asked["id"]), str(asked["proposal"])

    def wait_until_usable(self, batch: str) -> None:
        """Wait until the hub's approval has come back and the plant has lifted the hold."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        query = "query($code: BatchCode!) { batch(code: $code) { atPlants { usable } } }"
        while not all(one["usable"] for one in self._quality.ask(query, {"code": batch})["batch"]["atPlants"]):
            if time.monotonic() > deadline:
                raise Failure(message("DEMO_NOT_RELEASED", "{batch} was not released in time."), batch=batch)
            time.sleep(POLL_SECONDS)

    def _delivery(self, material: str, amount: int, at: datetime, supplier: str, lot: str) -> dict[str, Any]:
        order = {
            "materialCode": material,
            "quantity": _quantity(amount, "H87" if material == "CARTON" else "KGM"),
            "locationCode": "DOCK",
            "supplierCode": supplier,
            "supplierLot": lot,
        }
        wanted = "... on BatchReceived { entry { id } batch { code } }"
        return self._operator.do("receiveBatch", wanted, {**order, **_at(at)})


class Headquarters:
    """Somebody at the hub who approves what plants ask for, and looks at all of them."""

    def __init__(self, node: DemoNode) -> None:
        self.person = node.people[0]
        self.client = _signed_in(node, self.person.id)

    def close(self) -> None:
        """Sign out."""
        self.client.close()

    def approve(self, change: tuple[str, str], why: str) -> str:
        """Approve a change request as soon as the hub has it; return the printed name of the approver."""
        change_id, proposal = change
        order = {"changeRequestId": change_id, "proposal": proposal, "verdict": "APPROVED", "comment": why}
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            try:
                self.client.do("decideChangeRequest", "", order)
            except MutationRefused as refused:
                if refused.refusal not in NOT_AT_THE_HUB_YET or time.monotonic() > deadline:
                    raise
                time.sleep(POLL_SECONDS)
            else:
                return self.person.name

    def positions(self) -> dict[str, tuple[int, int, str]]:
        """Return of each plant how many entries the hub has and has applied, and the root over them."""
        return _positions(self.client)


def positions_at(node: DemoNode) -> dict[str, tuple[int, int, str]]:
    """Return the same as a plant says it of itself."""
    client = _signed_in(node, node.people[2].id)
    try:
        return _positions(client)
    finally:
        client.close()


def _positions(client: NodeClient) -> dict[str, tuple[int, int, str]]:
    plants = client.ask("{ plants { code replication { size projected root } } }")["plants"]
    found = {plant["code"]: plant["replication"] for plant in plants}
    return {
        code: (int(one["size"]), int(one["projected"]), str(one["root"]))
        for code, one in found.items()
        if one is not None
    }


def _signed_in(node: DemoNode, person: str) -> NodeClient:
    client = NodeClient(node.url)
    client.sign_in(person, node.passwords[person])
    return client


def _at(moment: datetime) -> dict[str, str]:
    return {"occurredAt": format_instant(moment)}


def _quantity(amount: int, unit: str) -> dict[str, str]:
    return {"amount": str(amount), "unit": unit}


def _lines(lines: Sequence[Line]) -> list[dict[str, object]]:
    return [
        {"batchCode": batch, "quantity": _quantity(amount, unit), "locationCode": location}
        for batch, amount, unit, location in lines
    ]
