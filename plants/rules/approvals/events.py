"""Events of change requests and the decisions on them.

A signature binds a decision to content and version. So a rebase does not append these events again: the request is
made and decided anew.
"""

from typing import Final, TypedDict

from plants.rules.ledger.events import Event, LedgerKind, Subject
from plants.rules.ledger.payloads import Outcome


class Difference(TypedDict):
    """One field of a gated change: its value now and its requested value."""

    field: str
    before: str | None
    after: str | None


class ChangeRequested(TypedDict):
    """The id of the request is the index of this entry."""

    kind: str
    batch: int
    version: int
    differences: list[Difference]
    levels: list[str]
    expires_at: str
    detail: dict[str, str]  # further values for applying it: hold, location, ...


class ChangeDecided(TypedDict):
    plant: int
    change: int
    proposal: str  # leaf hash of the requesting entry, hexadecimal: the decision is on exactly that content
    verdict: str  # a ChangeVerdict
    level: str  # a ChangeLevel
    printed_name: str
    comment: str


class ChangeApplied(Outcome):
    change: int


class ChangeRefused(TypedDict):
    change: int
    refusal: str
    data: dict[str, str]


CHANGE_REQUESTED: Final = Event(
    "ChangeRequested",
    ChangeRequested,
    "A user asked for a gated change of exactly this version of a batch.",
    about=Subject.CHANGE_REQUEST,
    rebased=False,
)
CHANGE_DECIDED: Final = Event(
    "ChangeDecided",
    ChangeDecided,
    "A user other than the requester approved or rejected a change request, at the plant or at headquarters.",
    about=Subject.CHANGE_REQUEST,
    ledgers=frozenset({LedgerKind.PLANT, LedgerKind.DIRECTIVES}),
    rebased=False,
)
CHANGE_APPLIED: Final = Event(
    "ChangeApplied", ChangeApplied, "An approved change took effect.", about=Subject.CHANGE_REQUEST, rebased=False
)
CHANGE_REFUSED: Final = Event(
    "ChangeRefused",
    ChangeRefused,
    "An approved change could not be applied; the entry says why.",
    about=Subject.CHANGE_REQUEST,
    rebased=False,
)
