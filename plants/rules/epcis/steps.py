"""The plan of an EPCIS import: one step per command of one plant, and one report row per event of the document."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypedDict

from plants.rules.inventory.aliases import EpcisScheme

if TYPE_CHECKING:
    from plants.rules.epcis.sites import Site

ALIASES_PER_STEP_MAX = 100


@dataclass(frozen=True, slots=True)
class StepAlias:
    """Another name of a batch and who issued it: a party of the document, or a site where no party is known."""

    scheme: EpcisScheme
    issuer: str
    value: str


@dataclass(frozen=True, slots=True)
class Line:
    """An exact amount of one batch. `lot` names the batch in the plan, whatever code the plant gives it."""

    lot: str
    quantity: Decimal
    unit: str


@dataclass(frozen=True, slots=True)
class ReceiptLine(Line):
    """An amount that came in, and what had been sent."""

    sent: Decimal


@dataclass(frozen=True, slots=True)
class NewBatch(Line):
    """A batch that begins here, with what is known of it."""

    material: str
    produced_at: datetime | None
    expires_on: date | None
    attributes: Mapping[str, str]
    aliases: tuple[StepAlias, ...]


class StepHead(TypedDict):
    """The fields of every step, by name."""

    plant: str
    event: int
    event_key: str
    request_name: str
    occurred_at: datetime
    implied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """One command of one plant.

    `request_name` is the same in every import of the same event: the caller makes the request id from it (UUID
    version 5). `implied` marks what no event says in so many words but what must have happened between two of them.
    """

    plant: str
    event: int
    event_key: str
    request_name: str
    occurred_at: datetime
    implied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DefineMaterial(PlanStep):
    code: str
    name: str
    unit: str
    product: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DefineLocation(PlanStep):
    code: str
    name: str
    site: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DefineParty(PlanStep):
    kind: Literal["supplier", "customer"]
    code: str
    name: str
    party: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveBatch(PlanStep):
    """Goods that begin in the document at this site, or come from a supplier outside it."""

    location: str
    batch: NewBatch
    supplier: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move(PlanStep):
    """Goods move between two sites of one plant."""

    from_location: str
    to_location: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchTransfer(PlanStep):
    """Goods leave for another plant; `transfer` names the transfer in the plan."""

    transfer: str
    location: str
    destination: str
    lines: tuple[Line, ...]
    handling_units: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveTransfer(PlanStep):
    transfer: str
    source: str
    location: str
    lines: tuple[ReceiptLine, ...]
    handling_units: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Produce(PlanStep):
    """Inputs into and outputs of one process record; several steps share a record when they share `process`."""

    process: str
    location: str
    segment: str
    transformation_id: str | None
    opens: bool
    closes: bool
    inputs: tuple[Line, ...]
    outputs: tuple[NewBatch, ...]  # an output of a lot that the plant knows already adds to that batch


@dataclass(frozen=True, slots=True, kw_only=True)
class AddAliases(PlanStep):
    lot: str
    aliases: tuple[StepAlias, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndAliases(PlanStep):
    lot: str
    aliases: tuple[StepAlias, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ship(PlanStep):
    """Goods leave for a customer: a party that no site of the document belongs to."""

    location: str
    customer: str
    lines: tuple[Line, ...]
    handling_units: tuple[str, ...]


class AdjustReason(StrEnum):
    """The reason for a count difference."""

    SHORTAGE = "SHORTAGE"  # the event took more than was there
    MORE_OF_LOT = "MORE_OF_LOT"  # the event adds to a lot that the site began or received before
    TAKEN_OUT = "TAKEN_OUT"  # the event ends goods: destroyed, sold, decommissioned


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjust(PlanStep):
    """A count difference; `change` is positive for goods found."""

    location: str
    lot: str
    change: Decimal
    unit: str
    reason: AdjustReason
    biz_step: str | None


class Outcome(StrEnum):
    """The result of an event."""

    DONE = "DONE"
    NOTED = "NOTED"  # read and understood; it changes no stock
    LEFT_OUT = "LEFT_OUT"


class Why(StrEnum):
    """The reason that an event changes nothing, or was left out."""

    ALREADY_HERE = "ALREADY_HERE"
    ON_THE_ROAD = "ON_THE_ROAD"
    OBSERVED = "OBSERVED"
    NO_GOODS = "NO_GOODS"
    LINKS_ONLY = "LINKS_ONLY"
    WITHIN_PLANT = "WITHIN_PLANT"
    VOIDED = "VOIDED"
    DECLARED_WRONG = "DECLARED_WRONG"
    REPEATED = "REPEATED"
    KEY_REUSED = "KEY_REUSED"
    NO_SITE = "NO_SITE"
    NO_QUANTITY = "NO_QUANTITY"
    NO_DESTINATION = "NO_DESTINATION"
    UNIT_UNKNOWN = "UNIT_UNKNOWN"
    CONTENTS_UNKNOWN = "CONTENTS_UNKNOWN"
    TYPE_UNKNOWN = "TYPE_UNKNOWN"


class DiscrepancyKind(StrEnum):
    """The kinds of contradictions and gaps in a document."""

    USED_BEFORE_ARRIVAL = "USED_BEFORE_ARRIVAL"
    SHORT = "SHORT"
    ORIGIN_UNKNOWN = "ORIGIN_UNKNOWN"
    RECEIVED_LESS = "RECEIVED_LESS"
    RECEIVED_MORE = "RECEIVED_MORE"
    NOT_RECEIVED = "NOT_RECEIVED"
    PRODUCED_LATER = "PRODUCED_LATER"
    BEGUN_TWICE = "BEGUN_TWICE"
    QUANTITY_MISSING = "QUANTITY_MISSING"
    CONTENTS_UNKNOWN = "CONTENTS_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """One contradiction or gap: about which lot or container, how much of it, and which other event it concerns."""

    kind: DiscrepancyKind
    subject: str
    quantity: Decimal | None = None
    unit: str = ""
    other_event: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventReport:
    """The report of one event of the document: its result, and the reason where it changed nothing."""

    event: int
    event_id: str | None
    type_name: str
    biz_step: str | None
    site: str | None
    plant: str | None
    outcome: Outcome
    why: Why | None
    steps: tuple[int, ...]  # positions in the plan
    discrepancies: tuple[Discrepancy, ...]


@dataclass(frozen=True, slots=True)
class EpcisPlan:
    """All steps, in an order in which every plant can do its own and goods exist before they are used."""

    sites: tuple["Site", ...]
    steps: tuple[PlanStep, ...]
    report: tuple[EventReport, ...]
    on_hand: Mapping[tuple[str, str], Line]  # (site, lot) -> what is there in the end

    def of_plant(self, plant: str) -> tuple[PlanStep, ...]:
        """Return the steps that one plant does, in order."""
        return tuple(step for step in self.steps if step.plant == plant)
