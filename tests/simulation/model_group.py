"""A small group of plants in the reference model, with short calls for the tests."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any, Final

from simulation.reference_model import HUB, Accepted, ReferenceModel, Refused, Settings

NOON: Final = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY: Final = NOON.date()


def kg(amount: str, unit: str = "KGM") -> dict[str, str]:
    return {"amount": amount, "unit": unit}


def line(batch: str, amount: str, unit: str = "KGM", location: str = "A") -> dict[str, Any]:
    return {"batchCode": batch, "quantity": kg(amount, unit), "locationCode": location}


def output(amount: str, material: str = "CHEESE", **fields: Any) -> dict[str, Any]:
    return {"materialCode": material, "quantity": kg(amount), "locationCode": "A", **fields}


class Group:
    """Plants WH1 and WH2 with the same master data. MILK has no shelf life; CHEESE keeps 30 days."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.model = ReferenceModel(settings)
        self.now = NOON
        for plant in ("WH1", "WH2"):
            self.model.enrol(plant, "Europe/Berlin")
            for location in ("A", "B"):
                self.does("saveLocation", plant=plant, code=location, name=location)
            self.does("saveSupplier", plant=plant, code="S1", name="Farm")
            self.does("saveCustomer", plant=plant, code="C1", name="Shop")
            self.does("saveMaterial", plant=plant, code="MILK", name="Milk", unitCode="KGM")
            self.does("saveMaterial", plant=plant, code="CHEESE", name="Cheese", unitCode="KGM", shelfLifeDays=30)

    def later(self, **apart: int) -> datetime:
        """Move the clock on, and return the time."""
        self.now += timedelta(**apart)
        return self.now

    def does(self, command: str, *, plant: str = "WH1", by: str = "anna", **given: Any) -> Accepted:
        """Have a command accepted and applied."""
        verdict = self.model.predict(plant, command, given, self.now, by)
        assert isinstance(verdict, Accepted), (command, verdict)
        self.model.apply(verdict)
        return verdict

    def refuses(self, command: str, *, plant: str = "WH1", by: str = "anna", **given: Any) -> Refused:
        """Have a command refused; the tables of every node stay as they were."""
        before = self.contents()
        verdict = self.model.predict(plant, command, given, self.now, by)
        assert isinstance(verdict, Refused), (command, verdict)
        self.model.apply(verdict)
        assert self.contents() == before
        return verdict

    def code(self, command: str, **given: Any) -> str:
        return self.refuses(command, **given).code

    def contents(self) -> dict[str, dict[str, Mapping[Any, Any]]]:
        return {
            node: {name: dict(rows) for name, rows in vars(kept).items()} for node, kept in self.model.nodes.items()
        }

    def receives(self, amount: str, material: str = "MILK", **given: Any) -> str:
        """Receive goods at location A, and return the id of their batch."""
        fields = {"materialCode": material, "quantity": kg(amount), "locationCode": "A", **given}
        return self.does("receiveBatch", **fields).made[0]

    def opens(self, **given: Any) -> str:
        """Open a process record, and return its id."""
        run = self.does("openProcess", **given).subject
        assert run is not None
        return run

    def feeds(self, run: str, *lines: Mapping[str, Any], **given: Any) -> int:
        return self.does("addProcessInputs", processId=run, lines=list(lines), **given).index

    def yields(self, run: str, *outputs: Mapping[str, Any], **given: Any) -> str:
        """Yield outputs, and return the id of the first new batch."""
        return self.does("addProcessOutputs", processId=run, outputs=list(outputs), **given).made[0]

    def makes(self, amount: str, *inputs: Mapping[str, Any], **given: Any) -> str:
        """Record a whole run with one output of cheese, and return its batch."""
        fields = {"inputs": list(inputs), "outputs": [output(amount)], **given}
        return self.does("recordProduction", **fields).made[0]

    def sends(self, *lines: Mapping[str, Any], plant: str = "WH1", to: str = "WH2") -> str:
        transfer = self.does("dispatchTransfer", plant=plant, destinationCode=to, lines=list(lines)).subject
        assert transfer is not None
        return transfer

    def ships(self, *lines: Mapping[str, Any], **given: Any) -> str:
        shipment = self.does("shipGoods", customerCode="C1", lines=list(lines), **given).subject
        assert shipment is not None
        return shipment

    def decides(self, request: Accepted, *, at_hub: bool = False, by: str = "boris", **given: Any) -> Accepted:
        """Approve a change request, at its plant or at the hub."""
        decision = {"changeRequestId": request.subject, "proposal": request.subject, "verdict": "APPROVED", **given}
        return self.does("decideChangeRequest", plant=HUB if at_hub else request.plant, by=by, **decision)

    def everything_arrives(self) -> None:
        self.model.deliver_all(self.now)

    def amount(self, batch: str, plant: str = "WH1") -> Fraction:
        return sum(self.model.stock(plant, batch).values(), Fraction(0))


__all__ = ["DAY", "HUB", "NOON", "Group", "kg", "line", "output"]
