"""Process records: their kinds, mass balance, and the values of a batch that is blended from others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from plants.rules.ledger.payloads import BatchStatement
from plants.rules.values.quantities import format_micro

RunKind = Literal["PRODUCTION", "REPACK", "REWORK", "RELABEL"]
OutputUse = Literal["PRODUCED", "BY_PRODUCT", "CO_PRODUCT", "SAMPLE"]
RUN_KINDS: frozenset[str] = frozenset(get_args(RunKind))
"""The kinds of process record that people open, feed, yield and close; the others are done in one step."""


@dataclass(frozen=True, slots=True)
class MassBalance:
    """Inputs, outputs and returns of a process record, in millionths by unit. Units are never added together."""

    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    returned: dict[str, int] = field(default_factory=dict)

    @property
    def loss(self) -> dict[str, int]:
        """Inputs less outputs less returned; below zero where more came out than went in (water, counting, error)."""
        units = self.inputs | self.outputs | self.returned
        return {
            unit: self.inputs.get(unit, 0) - self.outputs.get(unit, 0) - self.returned.get(unit, 0) for unit in units
        }


def mass_balance(edges: Iterable[tuple[str, str, int]]) -> MassBalance:
    """Return the balance over a process record's edges, each given as use, unit and millionths."""
    balance = MassBalance()
    for use, unit, micro in edges:
        if use == "CONSUMED":
            side = balance.inputs
        elif use == "RETURNED":
            side = balance.returned
        else:
            side = balance.outputs
        side[unit] = side.get(unit, 0) + micro
    return balance


def amounts(micros: dict[str, int]) -> dict[str, str]:
    """Return amounts by unit as entries write them."""
    return {unit: format_micro(micro) for unit, micro in micros.items()}


def blend(sources: Sequence[BatchStatement], *, batch_id: int, code: str, made: str) -> BatchStatement:
    """Return the statement of a batch merged from others of one material and unit.

    A blend is as old as its oldest part and keeps as long as its shortest-lived one: the earliest production, expiry
    and retest count. Grade, supplier and attributes are kept where all sources agree.
    """
    first, *others = sources
    return {
        **first,
        "id": batch_id,
        "code": code,
        "made": made,
        "produced_at": min(one["produced_at"] for one in sources),
        "expires_on": _earliest(one["expires_on"] for one in sources),
        "retest_on": _earliest(one["retest_on"] for one in sources),
        "grade": first["grade"] if all(one["grade"] == first["grade"] for one in others) else None,
        "supplier": first["supplier"] if all(one["supplier"] == first["supplier"] for one in others) else None,
        "attributes": {
            name: value
            for name, value in first["attributes"].items()
            if all(one["attributes"].get(name) == value for one in others)
        },
    }


def _earliest(days: Iterable[str | None]) -> str | None:
    return min((day for day in days if day is not None), default=None)
