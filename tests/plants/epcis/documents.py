"""Small EPCIS documents for the tests, and an account of stock that replays a plan without the planner's own."""

import json
from collections import defaultdict
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from plants.rules.epcis.documents import EpcisDocument, read_epcis
from plants.rules.epcis.planning import plan_epcis
from plants.rules.epcis.sites import propose_plants
from plants.rules.epcis.steps import (
    AddAliases,
    Adjust,
    DefineLocation,
    DefineMaterial,
    DefineParty,
    DispatchTransfer,
    EndAliases,
    EpcisPlan,
    Line,
    Move,
    Produce,
    ReceiveBatch,
    ReceiveTransfer,
    Ship,
)

NOW = datetime(2026, 11, 22, tzinfo=UTC)
SHARED = Path(__file__).parents[4] / "shared" / "data"
GDST = SHARED / "gdst" / "FullData.json"
CORPUS = SHARED / "openepcis" / "2.0" / "EPCIS" / "JSON"
EVENT_HASH = SHARED / "event-hash"


def event(minute: int, place: str | None = "mill", **fields: Any) -> dict[str, Any]:
    """Return a raw ObjectEvent at a site; its time is given in minutes of the day."""
    raw: dict[str, Any] = {
        "type": "ObjectEvent",
        "eventTime": f"2026-03-14T{8 + minute // 60:02}:{minute % 60:02}:00+08:00",
        "eventTimeZoneOffset": "+08:00",
        "eventID": f"urn:uuid:{minute:08}-0000-4000-8000-{len(fields):012}",
        "action": "OBSERVE",
        **fields,
    }
    if place is not None:
        raw["bizLocation"] = {"id": f"urn:example:loc:{place}"}
    if raw["type"] == "TransformationEvent":
        del raw["action"]
    return raw


def some(lot: str, quantity: float | None = None, unit: str | None = "KGM") -> dict[str, Any]:
    """Return a raw quantity element of a lot."""
    element: dict[str, Any] = {"epcClass": f"urn:example:product:lot:class:{lot}"}
    if quantity is not None:
        element["quantity"] = quantity
    if unit is not None:
        element["uom"] = unit
    return element


def content(*events: dict[str, Any], **frame: Any) -> bytes:
    """Return the bytes of a document with these events."""
    document = {
        "@context": ["https://ref.gs1.org/standards/epcis/epcis-context.jsonld"],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-03-15T00:00:00Z",
        "epcisBody": {"eventList": list(events)},
        **frame,
    }
    return json.dumps({key: value for key, value in document.items() if value is not None}).encode()


def read(*events: dict[str, Any], **frame: Any) -> EpcisDocument:
    """Return the document with these events as it is read."""
    return read_epcis(content(*events, **frame), now=NOW)


def plan(*events: dict[str, Any], plants: dict[str, str] | None = None, **frame: Any) -> EpcisPlan:
    """Return the plan of a document with these events."""
    document = read(*events, **frame)
    given = {f"urn:example:loc:{place}": code for place, code in (plants or {}).items()}
    return plan_epcis(document, propose_plants(document, given))


class Account:
    """Replays steps in plan order as the plants' commands would, and refuses what they would refuse."""

    def __init__(self, plan: EpcisPlan) -> None:
        self.on_hand: dict[tuple[str, str, str], Decimal] = defaultdict(Decimal)
        self.defined: set[tuple[str, str, str]] = set()
        self.batches: set[tuple[str, str]] = set()
        self.aliases: set[tuple[str, str, str]] = set()
        self.roads: dict[str, tuple[str, dict[str, Decimal]]] = {}
        self.entered = self.left = Decimal(0)
        for step in plan.steps:
            self.do(step)

    def move(self, plant: str, location: str, line: Line, sign: int) -> None:
        assert ("location", plant, location) in self.defined
        assert line.quantity > 0
        self.on_hand[plant, location, line.lot] += sign * line.quantity
        assert self.on_hand[plant, location, line.lot] >= 0, line
        assert (plant, line.lot) in self.batches, line

    def do(self, step: object) -> None:  # noqa: C901, PLR0912, PLR0915 -- one case per kind of step.
        match step:
            case DefineMaterial():
                self.defined.add(("material", step.plant, step.code))
            case DefineLocation():
                self.defined.add(("location", step.plant, step.code))
            case DefineParty():
                self.defined.add((step.kind, step.plant, step.code))
            case ReceiveBatch():
                assert (step.plant, step.batch.lot) not in self.batches
                assert ("material", step.plant, step.batch.material) in self.defined
                assert step.supplier is None or ("supplier", step.plant, step.supplier) in self.defined
                self.batches.add((step.plant, step.batch.lot))
                self.aliases.update((step.plant, step.batch.lot, alias.value) for alias in step.batch.aliases)
                self.move(step.plant, step.location, step.batch, 1)
            case Move():
                for line in step.lines:
                    self.move(step.plant, step.from_location, line, -1)
                    self.move(step.plant, step.to_location, line, 1)
            case DispatchTransfer():
                assert step.destination != step.plant
                for line in step.lines:
                    self.move(step.plant, step.location, line, -1)
                self.roads[step.transfer] = step.destination, {line.lot: line.quantity for line in step.lines}
            case ReceiveTransfer():
                destination, sent = self.roads.pop(step.transfer)
                assert destination == step.plant
                assert {line.lot: line.sent for line in step.lines} == sent
                for line in step.lines:
                    self.batches.add((step.plant, line.lot))
                    if line.quantity:
                        self.move(step.plant, step.location, line, 1)
            case Produce():
                for line in step.inputs:
                    self.move(step.plant, step.location, line, -1)
                for batch in step.outputs:
                    assert ("material", step.plant, batch.material) in self.defined
                    self.batches.add((step.plant, batch.lot))
                    self.aliases.update((step.plant, batch.lot, alias.value) for alias in batch.aliases)
                    self.move(step.plant, step.location, batch, 1)
            case AddAliases():
                assert (step.plant, step.lot) in self.batches
                names = {(step.plant, step.lot, alias.value) for alias in step.aliases}
                assert names
                assert not names & self.aliases
                self.aliases |= names
            case EndAliases():
                names = {(step.plant, step.lot, alias.value) for alias in step.aliases}
                assert names
                assert names <= self.aliases
                self.aliases -= names
            case Ship():
                assert ("customer", step.plant, step.customer) in self.defined
                for line in step.lines:
                    self.move(step.plant, step.location, line, -1)
            case Adjust():
                line = Line(step.lot, abs(step.change), step.unit)
                self.move(step.plant, step.location, line, 1 if step.change > 0 else -1)
            case _:
                raise AssertionError(step)


def check(plan: EpcisPlan) -> Account:
    """Assert that a plan can be obeyed and that its own account of the end is right; return the replayed account."""
    account = Account(plan)
    places = {site.id: (site.plant, site.location) for site in plan.sites}
    expected = {(*places[site], lot): line.quantity for (site, lot), line in plan.on_hand.items()}
    assert {key: quantity for key, quantity in account.on_hand.items() if quantity} == expected
    names = [step.request_name for step in plan.steps]
    assert len(names) == len(set(names))
    assert sorted(position for row in plan.report for position in row.steps) == list(range(len(plan.steps)))
    return account
