"""Process records: their kinds, mass balance, and the values of a batch that is blended from others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from plants.rules.genealogy.edges import MaterialUse
from plants.rules.ledger.payloads import BatchStatement
from plants.rules.production.refusals import PROCESS_CLOSED, PROCESS_UNKNOWN
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.quantities import format_micro
from plants.rules.values.refusals import Refusal


class ProcessKind(DescribedEnum):
    """Kind of a process record."""

    PRODUCTION = "PRODUCTION", "Makes new batches from the goods that are fed."
    SPLIT = "SPLIT", "Divides goods of one batch into new batches of the same material."
    MERGE = "MERGE", "Combines goods of several batches of one material into one new batch."
    REPACK = "REPACK", "Puts goods into other packaging; they leave as new batches."
    REWORK = "REWORK", "Processes goods again, for example to meet their specification; they leave as new batches."
    RELABEL = "RELABEL", "Puts new labels on goods; they leave as new batches."
    TRANSFER = "TRANSFER", "Moves goods to another plant; they keep their batch codes."
    SHIPMENT = "SHIPMENT", "Takes goods out of stock for a customer."


class ProcessState(DescribedEnum):
    """State of a process record."""

    OPEN = "OPEN", "Goods can still be fed, yielded and returned."
    CLOSED = "CLOSED", "Nothing more can be fed, yielded or returned, and the mass balance is final."


class RunKind(DescribedEnum):
    """Kind of process that operators open, feed, yield and close."""

    PRODUCTION = "PRODUCTION", ProcessKind.PRODUCTION.description
    REPACK = "REPACK", ProcessKind.REPACK.description
    REWORK = "REWORK", ProcessKind.REWORK.description
    RELABEL = "RELABEL", ProcessKind.RELABEL.description


class OutputUse(DescribedEnum):
    """Material use of an output."""

    PRODUCED = "PRODUCED", MaterialUse.PRODUCED.description
    BY_PRODUCT = "BY_PRODUCT", MaterialUse.BY_PRODUCT.description
    CO_PRODUCT = "CO_PRODUCT", MaterialUse.CO_PRODUCT.description
    SAMPLE = "SAMPLE", MaterialUse.SAMPLE.description


RUN_KINDS: frozenset[str] = frozenset(RunKind)
"""The kinds of process record that people open, feed, yield and close; the others are done in one step."""


def check_open(process: int, kind: str, state: str) -> None:
    """Raise Refusal unless people can feed, yield and close a process record of this kind in this state."""
    if kind not in RUN_KINDS:
        raise Refusal(PROCESS_UNKNOWN, process=process)
    if state != ProcessState.OPEN:
        raise Refusal(PROCESS_CLOSED, process=process)


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
