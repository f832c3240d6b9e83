"""Gated changes: which kinds there are, who may decide them where, and when a decision no longer holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from plants.rules.refusals import Refusal, RefusalCode


class ChangeKind(StrEnum):
    """What can be asked for."""

    RELEASE = "RELEASE"
    EXPIRY_EXTENSION = "EXPIRY_EXTENSION"
    STOCK_ADJUSTMENT = "STOCK_ADJUSTMENT"


class ChangeLevel(StrEnum):
    """Where a decision can be made."""

    PLANT = "PLANT"
    HUB = "HUB"


class ChangeState(StrEnum):
    """How far along a change request is."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    APPLIED = "APPLIED"
    REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class ChangePolicy:
    """Who may decide one kind of change: at which levels, and for how long the request lives."""

    levels: frozenset[ChangeLevel]
    life: timedelta


# The first form of policies: a sensible default for each kind. Policies as data, dated and previewed, come later.
POLICIES: Mapping[ChangeKind, ChangePolicy] = {
    ChangeKind.RELEASE: ChangePolicy(frozenset({ChangeLevel.PLANT, ChangeLevel.HUB}), timedelta(days=30)),
    ChangeKind.EXPIRY_EXTENSION: ChangePolicy(frozenset({ChangeLevel.HUB}), timedelta(days=30)),
    ChangeKind.STOCK_ADJUSTMENT: ChangePolicy(
        frozenset({ChangeLevel.PLANT, ChangeLevel.HUB}), timedelta(days=7)
    ),
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change request as its decider and its plant see it."""

    id: int
    batch: str
    version: int
    state: ChangeState
    levels: frozenset[ChangeLevel]
    requested_by: str
    expires_at: datetime


def check_decidable(proposal: Proposal, *, decider: str, level: ChangeLevel, now: datetime) -> None:
    """Raise the Refusal that names why this person may not decide this request here and now, if they may not."""
    if proposal.state is not ChangeState.REQUESTED:
        raise Refusal(RefusalCode.CHANGE_ALREADY_DECIDED, change=proposal.id, state=proposal.state)
    if level not in proposal.levels:
        levels = ", ".join(sorted(proposal.levels))
        raise Refusal(RefusalCode.CHANGE_LEVEL_WRONG, change=proposal.id, levels=levels)
    if decider == proposal.requested_by:
        raise Refusal(RefusalCode.CHANGE_OWN_REQUEST, change=proposal.id)
    if now > proposal.expires_at:
        raise Refusal(
            RefusalCode.CHANGE_EXPIRED, change=proposal.id, expires_at=proposal.expires_at.isoformat()
        )


def check_fresh(proposal: Proposal, current_version: int) -> None:
    """Raise Refusal unless the batch still is exactly the version that the request was made on."""
    if current_version != proposal.version:
        raise Refusal(
            RefusalCode.CHANGE_STALE, batch=proposal.batch, proposed=proposal.version, current=current_version
        )
