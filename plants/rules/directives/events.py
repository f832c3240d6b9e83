"""Events of directives: the hub's directives to plants, and the plants' answers."""

from typing import Any, Final, NotRequired, TypedDict

from plants.rules.ledger.events import Event, LedgerKind, Subject
from plants.rules.ledger.payloads import DirectedBatch, WaitingHold


class MasterDirected(TypedDict):
    """`content` is the payload of the plant's own definition."""

    kind: str  # MATERIAL or a MasterKind
    content: dict[str, Any]


class MasterChangeDirected(TypedDict):
    """`given` holds the fields of the plant's own definition that are to change; null empties one."""

    kind: str  # as in MasterDirected
    code: str
    given: dict[str, Any]
    expected_version: NotRequired[int]  # the plant refuses the change of another version


class HoldDirected(TypedDict):
    """`hold` is one id for all plants that the hold is directed to.

    `everywhere` is true when no plants were named: the hold follows the goods to other plants.
    """

    hold: str
    batch: DirectedBatch
    kind: str
    reason: str
    everywhere: bool


class RecallDirected(TypedDict):
    recall: str
    batches: list[DirectedBatch]
    reason: str
    everywhere: bool  # as in HoldDirected


class ReleaseDirected(TypedDict):
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
    refusal: str
    data: dict[str, str]


_SENT: Final = frozenset({LedgerKind.DIRECTIVES})

MASTER_DIRECTED: Final = Event(
    "MasterDirected",
    MasterDirected,
    "Headquarters defined master data for a plant.",
    about=Subject.DEFINITION,
    ledgers=_SENT,
)
MASTER_CHANGE_DIRECTED: Final = Event(
    "MasterChangeDirected",
    MasterChangeDirected,
    "Headquarters defined master data for a plant, or changed some fields of it.",
    about=Subject.DEFINITION,
    ledgers=_SENT,
)
HOLD_DIRECTED: Final = Event(
    "HoldDirected",
    HoldDirected,
    "Headquarters placed a hold on a plant's goods of a batch.",
    about=Subject.BATCH,
    ledgers=_SENT,
)
RECALL_DIRECTED: Final = Event(
    "RecallDirected",
    RecallDirected,
    "Headquarters placed holds on a plant's goods of several batches for one reason.",
    about=Subject.DIRECTIVE,
    ledgers=_SENT,
)
RELEASE_DIRECTED: Final = Event(
    "ReleaseDirected",
    ReleaseDirected,
    "Headquarters lifted a hold or recall of its own, for all batches that it covers.",
    about=Subject.DIRECTIVE,
    ledgers=_SENT,
)
DIRECTIVE_APPLIED: Final = Event(
    "DirectiveApplied", DirectiveApplied, "The plant did what a directive asks.", about=Subject.DIRECTIVE
)
DIRECTIVE_REJECTED: Final = Event(
    "DirectiveRejected",
    DirectiveRejected,
    "The plant could not do what a directive asks; its holds may wait for their batch.",
    about=Subject.DIRECTIVE,
)
