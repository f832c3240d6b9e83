"""Payloads of events, and the statements that they consist of.

Amounts are decimal strings, instants RFC 3339 with six decimals in UTC, days ISO 8601; ids are below 2**53.
"""

from typing import NotRequired, TypedDict


class BatchStatement(TypedDict):
    """The first statement of a plant about a batch: made at the plant, or copied from a label."""

    id: int
    code: str
    material: str
    unit: str
    made: str  # the amount made or received at the origin, in the batch's unit
    produced_at: str
    expires_on: str | None
    retest_on: str | None
    grade: str | None
    supplier: str | None
    attributes: dict[str, str]
    disposition: str


class Movement(TypedDict):
    """An amount of a batch, in the batch's unit, taken from one place and put in another.

    A place is `stock:LOCATION`, `process:ID` (any process record, transfers and shipments too), `supplier:CODE`,
    `source` (goods that begin here), `count` (count difference) or `scrap`. With `use` it is an edge of the
    genealogy as well, between the batch and the process record at its other end.
    """

    batch: int
    amount: str
    unit: str
    taken_from: str
    put_in: str
    use: NotRequired[str]  # a MaterialUse
    entered: NotRequired[str]  # the amount as entered, if in another unit: "2.5 LBR"


class ProcessStatement(TypedDict):
    """The statement of a plant about a process record; later statements replace the fields that they have."""

    id: int
    kind: NotRequired[str]  # a ProcessKind
    state: NotRequired[str]  # a ProcessState
    job_order: NotRequired[str | None]
    segment: NotRequired[str | None]
    equipment: NotRequired[str | None]
    opened_at: NotRequired[str]
    closed_at: NotRequired[str | None]
    customer: NotRequired[str]
    source_plant: NotRequired[str]
    destination_plant: NotRequired[str]
    loss: NotRequired[dict[str, str]]  # by unit: inputs less outputs


class HoldStatement(TypedDict):
    """A hold put on a plant's goods of a batch; its id is the index of the entry that placed it."""

    batch: int
    kind: str
    reason: str
    directed: NotRequired[str]  # the id of the hold or recall of headquarters: only headquarters lifts it


class DirectedBatch(TypedDict):
    """A batch as headquarters names it; the id is missing where the hub does not know the batch."""

    id: int | None
    code: str


class WaitingHold(TypedDict):
    """A hold of headquarters on a batch that the plant does not know yet: placed when goods of it come."""

    batch: DirectedBatch
    hold: str
    kind: str
    reason: str


class AliasStatement(TypedDict):
    """Another name by which a batch can be found, scoped by who issued it."""

    batch: int
    scheme: str
    issuer: str
    value: str


class Outcome(TypedDict, total=False):
    """The parts of a payload that every event type shares and that the projection applies in the same way."""

    batches: list[BatchStatement]
    movements: list[Movement]
    process: ProcessStatement
    aliases: list[AliasStatement]
    ended_aliases: list[AliasStatement]
    holds: list[HoldStatement]
    lifted: list[list[int]]  # [batch, hold id]
    waited: list[list[str]]  # [batch code, id of a hold of headquarters]: it has ended its wait for the batch
    dispositions: dict[str, str]  # batch id -> disposition; JSON keys are text
    expiries: dict[str, str | None]
    made: dict[str, str]  # batch id -> amount made so far, where a process record adds to a batch
    series: dict[str, int]  # number series -> next number
