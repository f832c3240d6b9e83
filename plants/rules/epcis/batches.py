"""The batches that plants made of the lots of an EPCIS document during its import, with amounts by location.

A lot is one batch, unless the document begins it twice. Then its goods are taken from the batches in the order of their
arrival.
"""

from collections import defaultdict
from decimal import Decimal

ZERO = Decimal(0)


class NotMade(Exception):
    """A step needs what an earlier step should have made, and did not; `name` says what."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def lot_name(plant: str, lot: str) -> str:
    """Return what a lot is called at a plant where something is missing."""
    return f"lot {lot} at {plant}"


class BatchesOfLots:
    """Knows the batch codes of each lot at each plant, and what the import put where of each."""

    def __init__(self) -> None:
        self._codes: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._there: dict[tuple[str, str, str], dict[str, Decimal]] = defaultdict(dict)
        self._changes: list[tuple[tuple[str, str, str], str, Decimal]] = []

    def codes(self, plant: str, lot: str) -> list[str]:
        """Return the codes of a lot's batches at a plant, the oldest first; raises NotMade when there are none."""
        found = self._codes.get((plant, lot))
        if not found:
            raise NotMade(lot_name(plant, lot))
        return found

    def knows(self, plant: str, lot: str) -> bool:
        """Tell whether the plant has a batch of the lot."""
        return bool(self._codes.get((plant, lot)))

    def put(self, plant: str, location: str, lot: str, code: str, quantity: Decimal) -> None:
        """Note that so much of a batch of the lot came to a location."""
        known = self._codes[plant, lot]
        if code not in known:
            known.append(code)
        self._add((plant, location, lot), code, quantity)

    def take(self, plant: str, location: str, lot: str, quantity: Decimal) -> list[tuple[str, Decimal]]:
        """Return the batches, with amounts, that a quantity of a lot is taken from; the last covers any shortage."""
        taken: list[tuple[str, Decimal]] = []
        codes = self.codes(plant, lot)
        left = quantity
        for code in codes:
            there = self._there[plant, location, lot].get(code, ZERO)
            part = left if code == codes[-1] else min(left, there)
            if part > ZERO:
                taken.append((code, part))
                self._add((plant, location, lot), code, -part)
                left -= part
        return taken

    def keep(self) -> None:
        """Settle what was put and taken since the last step."""
        self._changes.clear()

    def undo(self) -> None:
        """Take back what was put and taken since the last step, which failed."""
        for key, code, quantity in self._changes:
            self._there[key][code] -= quantity
        self._changes.clear()

    def _add(self, key: tuple[str, str, str], code: str, quantity: Decimal) -> None:
        there = self._there[key]
        there[code] = there.get(code, ZERO) + quantity
        self._changes.append((key, code, quantity))
