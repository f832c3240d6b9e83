"""Events of directives: the hub's directives to plants, and the plants' answers."""

from typing import Any, Final, NotRequired, TypedDict

from plants.rules.ledger.events import Event, LedgerKind
from plants.rules.ledger.payloads import DirectedBatch, WaitingHold


class MasterDirected(TypedDict):
    """The hub defines master data for a plant; `content` is the payload of the plant's own definition."""

    kind: str  # MATERIAL or a MasterKind
    content: dict[str, Any]


class HoldDirected(TypedDict):
    """The hub holds a plant's goods of a batch; `hold` is one id for all plants that the hold is directed to.

    `everywhere` is true when no plants were named: the hold follows the goods to other plants.
    """

    hold: str
    batch: DirectedBatch
    kind: str
    reason: str
    everywhere: bool


class RecallDirected(TypedDict):
    """The hub holds a plant's goods of several batches for one reason; they are released together."""

    recall: str
    batches: list[DirectedBatch]
    reason: str
    everywhere: bool  # as in HoldDirected


class ReleaseDirected(TypedDict):
    """The hub lifts its own hold or recall, for all the batches that it covers."""

    hold: str
    batches: list[DirectedBatch]
    reason: str


class DirectiveAnswer(TypedDict):
    """Members of both answers to a directive; of several batches `met_version` is the latest."""

    directive: int
    met_version: int | None
    met: NotRequired[dict[str, int]]  # batch code -> the version that a hold or release met
    waiting: NotRequired[list[WaitingHold]]
    waited: NotRequired[list[list[str]]]  # as in Outcome
    again: NotRequired[int]  # the entry by which an older program rejected the directive as UNSUPPORTED


class DirectiveApplied(DirectiveAnswer):
    """The plant did what the directive asks."""


class DirectiveRejected(DirectiveAnswer):
    """The plant could not do what the directive asks; its holds may still wait for their batch."""

    refusal: str
    data: dict[str, str]


_SENT: Final = frozenset({LedgerKind.DIRECTIVES})

MASTER_DIRECTED: Final = Event("MasterDirected", MasterDirected, ledgers=_SENT)
HOLD_DIRECTED: Final = Event("HoldDirected", HoldDirected, ledgers=_SENT)
RECALL_DIRECTED: Final = Event("RecallDirected", RecallDirected, ledgers=_SENT)
RELEASE_DIRECTED: Final = Event("ReleaseDirected", ReleaseDirected, ledgers=_SENT)
DIRECTIVE_APPLIED: Final = Event("DirectiveApplied", DirectiveApplied)
DIRECTIVE_REJECTED: Final = Event("DirectiveRejected", DirectiveRejected)
