"""Gated changes: their kinds, the differences of each, and the levels and lifetimes of their decisions."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from plants.rules.approvals.events import Difference
from plants.rules.approvals.refusals import (
    CHANGE_ALREADY_DECIDED,
    CHANGE_EXPIRED,
    CHANGE_LEVEL_WRONG,
    CHANGE_OWN_REQUEST,
    CHANGE_STALE,
    PROPOSAL_DIFFERS,
)
from plants.rules.inventory.refusals import EXPIRY_NOT_LATER, STOCK_IS
from plants.rules.quality.holds import Hold, HoldKind
from plants.rules.quality.refusals import HOLD_DIRECTED, HOLD_UNKNOWN
from plants.rules.values.enums import DescribedEnum
from plants.rules.values.quantities import Quantity, format_micro
from plants.rules.values.refusals import NOT_STATED, NOTHING_CHANGES, Refusal


class ChangeKind(DescribedEnum):
    """Kind of a change request."""

    RELEASE = "RELEASE", "Lifts holds that the plant placed, so that they no longer block the goods."
    EXPIRY_EXTENSION = (
        "EXPIRY_EXTENSION",
        "Sets a later last day of use for a plant's goods of a batch; only headquarters decides.",
    )
    STOCK_ADJUSTMENT = "STOCK_ADJUSTMENT", "Sets the quantity of a batch on hand at a location to the counted one."


class ChangeLevel(DescribedEnum):
    """Level at which a change request is decided."""

    PLANT = "PLANT", "Decided at the plant of the goods, by a user other than the requester."
    HUB = "HUB", "Decided at headquarters, by a user other than the requester; the plant then applies the decision."


class ChangeVerdict(DescribedEnum):
    """Verdict of a decision."""

    APPROVED = (
        "APPROVED",
        "The change may take effect; the plant applies it if the batch has not changed since the request.",
    )
    REJECTED = "REJECTED", "The change must not take effect; a new request can be made."


class ChangeState(DescribedEnum):
    """State of a change request, as its plant recorded it."""

    REQUESTED = "REQUESTED", "Nobody has decided yet; a user other than the requester can decide until it expires."
    APPROVED = "APPROVED", "A decision allows the change, and the plant has not applied it yet."
    REJECTED = "REJECTED", "A decision forbids the change; nothing was changed and the request is closed."
    APPLIED = "APPLIED", "The plant has made the approved change; the request is closed."
    REFUSED = "REFUSED", "The plant could not make the approved change; the request is closed and its refusal says why."


@dataclass(frozen=True, slots=True)
class ChangePolicy:
    """The levels at which one kind of change may be decided, and the lifetime of a request."""

    levels: frozenset[ChangeLevel]
    life: timedelta


ANY_LEVEL = frozenset(ChangeLevel)
AT_THE_HUB = frozenset({ChangeLevel.HUB})

# The first form of policies: a sensible default for each kind. Policies as data, dated and previewed, come later.
POLICIES: Mapping[ChangeKind, ChangePolicy] = {
    ChangeKind.RELEASE: ChangePolicy(ANY_LEVEL, timedelta(days=30)),
    ChangeKind.EXPIRY_EXTENSION: ChangePolicy(AT_THE_HUB, timedelta(days=30)),
    ChangeKind.STOCK_ADJUSTMENT: ChangePolicy(ANY_LEVEL, timedelta(days=7)),
}


@dataclass(frozen=True, slots=True)
class ProposedChange:
    """A requested change: its differences by field, the data to apply it, and the levels that may decide it."""

    kind: ChangeKind
    differences: tuple[Difference, ...]
    detail: Mapping[str, str]
    levels: frozenset[ChangeLevel]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change request as its decider and its plant see it; `content` is the leaf hash of the entry that asked."""

    id: int
    kind: ChangeKind
    batch_id: int
    batch: str
    version: int
    state: ChangeState
    levels: frozenset[ChangeLevel]
    requested_by: str
    expires_at: datetime
    content: str
    detail: Mapping[str, str]


def propose_release(batch: str, holds: tuple[Hold, ...], named: int | None) -> ProposedChange:
    """Return the release of one open hold, of whatever kind, or of all open QUALITY holds when none is named.

    A recall hold is lifted at the hub alone: it was placed for the whole group. A hold that headquarters directed is
    left out, or refused where it is the one meant. Raises Refusal HOLD_UNKNOWN or HOLD_DIRECTED.
    """
    meant = [hold for hold in holds if (hold.kind is HoldKind.QUALITY if named is None else hold.id == named)]
    lifted = [hold for hold in meant if hold.directed is None]
    if meant and not lifted:
        raise Refusal(HOLD_DIRECTED, batch=batch, hold=meant[0].id)
    if not lifted:
        raise Refusal(HOLD_UNKNOWN, batch=batch, hold=HoldKind.QUALITY if named is None else named)
    differences = tuple(
        Difference(field=f"hold:{hold.id}", before=f"{hold.kind}: {hold.reason}", after="LIFTED") for hold in lifted
    )
    recalled = any(hold.kind is HoldKind.RECALL for hold in lifted)
    levels = AT_THE_HUB if recalled else POLICIES[ChangeKind.RELEASE].levels
    return ProposedChange(ChangeKind.RELEASE, differences, {"holds": ",".join(str(hold.id) for hold in lifted)}, levels)


def propose_extension(batch: str, present: str | None, wanted: date) -> ProposedChange:
    """Return a later expiry of a plant's goods; raises Refusal unless it is later than the present one."""
    if present is None or wanted.isoformat() <= present:
        raise Refusal(EXPIRY_NOT_LATER, batch=batch, present=present or NOT_STATED, wanted=wanted.isoformat())
    difference = Difference(field="expires_on", before=present, after=wanted.isoformat())
    kind = ChangeKind.EXPIRY_EXTENSION
    return ProposedChange(kind, (difference,), {"expires_on": wanted.isoformat()}, POLICIES[kind].levels)


def propose_adjustment(location: str, present: int, counted: Quantity) -> ProposedChange:
    """Return the stock at a location as counted; `present` is in millionths. Raises Refusal when nothing differs."""
    if counted.micro == present:
        raise Refusal(NOTHING_CHANGES, why=STOCK_IS(location=location, amount=counted.amount, unit=counted.unit))
    difference = Difference(
        field=f"stock:{location}",
        before=f"{format_micro(present)} {counted.unit}",
        after=f"{counted.amount} {counted.unit}",
    )
    detail = {"location": location, "counted": counted.amount, "unit": counted.unit}
    kind = ChangeKind.STOCK_ADJUSTMENT
    return ProposedChange(kind, (difference,), detail, POLICIES[kind].levels)


def check_decidable(proposal: Proposal, *, decider: str, level: ChangeLevel, at: datetime) -> None:
    """Raise the Refusal that names why this user may not decide the request here and then, if they may not."""
    if proposal.state is not ChangeState.REQUESTED:
        raise Refusal(CHANGE_ALREADY_DECIDED, change=proposal.id, state=proposal.state)
    if level not in proposal.levels:
        levels = ", ".join(sorted(proposal.levels))
        raise Refusal(CHANGE_LEVEL_WRONG, change=proposal.id, levels=levels)
    if decider == proposal.requested_by:
        raise Refusal(CHANGE_OWN_REQUEST, change=proposal.id)
    if at > proposal.expires_at:
        raise Refusal(CHANGE_EXPIRED, change=proposal.id, expires_at=proposal.expires_at.isoformat())


def check_content(proposal: Proposal, content: str) -> None:
    """Raise Refusal unless the decider saw the content of the request."""
    if content != proposal.content:
        raise Refusal(PROPOSAL_DIFFERS, change=proposal.id)


def check_fresh(proposal: Proposal, current_version: int) -> None:
    """Raise Refusal unless the batch still is exactly the version that the request was made on."""
    if current_version != proposal.version:
        raise Refusal(CHANGE_STALE, batch=proposal.batch, proposed=proposal.version, current=current_version)
