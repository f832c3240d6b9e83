"""Directives: the entries of the hub's ledger that are addressed to a plant, and their states."""

from enum import StrEnum
from typing import Any, Literal, TypedDict

from plants.rules.ledger.payloads import DirectedBatch

MasterDirectedKind = Literal["MATERIAL", "UNIT", "SUPPLIER", "CUSTOMER", "LOCATION", "EQUIPMENT"]


class DirectiveState(StrEnum):
    """The state of a directive. A directive is in force at the plant only once the plant has answered."""

    SENT = "SENT"  # written down at the hub; the plant has not answered
    APPLIED = "APPLIED"
    REJECTED = "REJECTED"


class MasterDirected(TypedDict):
    """Headquarters defines master data for a plant; `content` is what the plant's own definition would say."""

    kind: MasterDirectedKind
    content: dict[str, Any]


class HoldDirected(TypedDict):
    """Headquarters holds the plant's goods of a batch; `hold` is one id for all plants that it was directed to.

    `everywhere` says that no plants were named: it goes on to whichever plant comes to have goods of the batch.
    """

    hold: str
    batch: DirectedBatch
    kind: str
    reason: str
    everywhere: bool


class RecallDirected(TypedDict):
    """Headquarters holds the plant's goods of several batches for one reason, opened and closed as one thing."""

    recall: str
    batches: list[DirectedBatch]
    reason: str
    everywhere: bool  # as in HoldDirected


class ReleaseDirected(TypedDict):
    """Headquarters lifts a hold or recall of its own, for all the batches that it was directed for."""

    hold: str
    batches: list[DirectedBatch]
    reason: str
