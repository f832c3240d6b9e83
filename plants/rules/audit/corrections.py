"""Corrections: the correctable types of entries, and the movements that reverse an entry."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from plants.rules.audit.refusals import CORRECTION_IMPOSSIBLE
from plants.rules.ledger.events import Entry, Event
from plants.rules.ledger.payloads import Movement
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.quantities import parse_micro
from plants.rules.values.refusals import Refusal


class CorrectionReason(DescribedEnum):
    """Kind of error (EPCIS error declaration, Core Business Vocabulary)."""

    DID_NOT_OCCUR = (
        "DID_NOT_OCCUR",
        "The recorded event never happened; its effects are reversed and nothing replaces it.",
    )
    INCORRECT_DATA = (
        "INCORRECT_DATA",
        "The event happened with other data; its effects are reversed, so record the right data anew.",
    )


def check_correctable(entry: Entry, event: Event[Any] | None) -> None:
    """Raise Refusal unless the entry is of an event, declared here, that a correction can take back."""
    if event is None or not event.correctable:
        raise Refusal(CORRECTION_IMPOSSIBLE, entry=entry.index, type=entry.type)


def reverse(movements: Iterable[Movement]) -> list[Movement]:
    """Return the movements the other way round; they are no edges of the genealogy."""
    return [
        {
            "batch": movement["batch"],
            "amount": movement["amount"],
            "unit": movement["unit"],
            "taken_from": movement["put_in"],
            "put_in": movement["taken_from"],
        }
        for movement in movements
    ]


def edges_of(entry: Entry) -> list[list[int]]:
    """Return entry and line of each edge that the entry made."""
    movements: list[Movement] = entry.payload.get("movements", [])
    return [[entry.index, line] for line, movement in enumerate(movements) if "use" in movement]


def stock_change(movements: Iterable[Movement]) -> Mapping[tuple[int, str], int]:
    """Return by how many millionths movements change what is on hand, for each batch and location."""
    changes: dict[tuple[int, str], int] = defaultdict(int)
    for movement in movements:
        micro = parse_micro(movement["amount"])
        for place, change in ((movement["taken_from"], -micro), (movement["put_in"], micro)):
            if place.startswith("stock:"):
                changes[movement["batch"], place.removeprefix("stock:")] += change
    return changes


def fed(movements: Iterable[Movement], process: int) -> Mapping[int, int]:
    """Return how many millionths of each batch movements put into a process record."""
    amounts: dict[int, int] = defaultdict(int)
    for movement in movements:
        if movement["put_in"] == f"process:{process}":
            amounts[movement["batch"]] += parse_micro(movement["amount"])
    return amounts


def process_of(entry: Entry) -> int | None:
    """Return the process record that the entry states or moves goods into or out of, if it does."""
    if "process" in entry.payload:
        return int(entry.payload["process"]["id"])
    for movement in entry.payload.get("movements", ()):
        for place in (movement["taken_from"], movement["put_in"]):
            if place.startswith("process:"):
                return int(place.removeprefix("process:"))
    return None
