"""Decide a gated change, at the plant or at the hub; the plant alone applies it."""

from dataclasses import dataclass
from typing import cast

from plants.commands.execution import (
    REASON_LENGTH_MAX,
    LedgerWriter,
    PlantLedgerWriter,
    cause_of,
    check_text,
    command,
    directive,
)
from plants.commands.inventory.stock import adjustment
from plants.rules.approvals.change_requests import (
    ChangeKind,
    ChangeLevel,
    ChangeVerdict,
    Proposal,
    check_content,
    check_decidable,
    check_fresh,
)
from plants.rules.approvals.events import (
    CHANGE_APPLIED,
    CHANGE_DECIDED,
    CHANGE_REFUSED,
    ChangeApplied,
    ChangeDecided,
    ChangeRefused,
)
from plants.rules.inventory.refusals import batch_unknown
from plants.rules.ledger.events import Cause, Entry
from plants.rules.ledger.payloads import Outcome
from plants.rules.ledger.request_forms import stable_name
from plants.rules.values.quantities import parse_micro
from plants.rules.values.refusals import Refusal, Refusals
from plants.store.approvals.change_requests import proposal_of
from plants.store.directives.outcomes import check_not_directed
from plants.store.inventory.batches import Goods, goods_by_id
from plants.store.ledger.entries import entry_at


@stable_name("Decision")
@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on a request. `proposal` is the leaf hash of the entry that the decider saw, in hexadecimal."""

    change: int
    proposal: str
    verdict: ChangeVerdict
    comment: str = ""


@command("decide_change")
def decide_change(writer: PlantLedgerWriter, order: Decision) -> Entry:
    """Approve or reject at the plant, and apply what is approved; returns the decision.

    An approved change that no longer fits is refused, and the decision stays. The next entry is ChangeRefused with its
    reason, or ChangeApplied. Raises Refusal when this user may not decide this here and now.
    """
    proposal = _decidable(writer, order, ChangeLevel.PLANT)
    decided = _decide(writer, order, proposal, ChangeLevel.PLANT)
    if order.verdict is ChangeVerdict.APPROVED:
        apply_change(writer, proposal)
    return decided


@directive("decide_change_at_hub")
def decide_change_at_hub(writer: LedgerWriter, order: Decision) -> Entry:
    """Approve or reject at the hub: a directive to the plant, which checks and applies it when it hears of it.

    Checked on what the hub knows of the plant. A request that a directive decided can be decided again only after the
    plant rejected that directive.
    """
    proposal = _decidable(writer, order, ChangeLevel.HUB)
    return _decide(writer, order, proposal, ChangeLevel.HUB)


def apply_change(writer: PlantLedgerWriter, proposal: Proposal) -> Entry:
    """Record that an approved change took effect, or that it was refused and why; raises nothing expected."""
    try:
        outcome = _effect(writer, proposal)
    except Refusal as refusal:
        refused: ChangeRefused = {"change": proposal.id, "refusal": refusal.code, "data": refusal.data}
        return writer.record(CHANGE_REFUSED, proposal.batch, refused)
    applied = cast("ChangeApplied", {**outcome, "change": proposal.id})
    return writer.record(CHANGE_APPLIED, proposal.batch, applied)


def _decidable(writer: LedgerWriter, order: Decision, level: ChangeLevel) -> Proposal:
    """Return the proposal of a request that this user may decide here now, or raise the Refusals of the decision."""
    session, plant = writer.session, writer.call.plant
    with Refusals() as refusals:
        with refusals.at("changeRequestId"):
            proposal = proposal_of(session, plant, order.change)
            with refusals.at("proposal"):
                check_content(proposal, order.proposal)
            if level is ChangeLevel.HUB:
                check_not_directed(session, plant, order.change)
            check_decidable(proposal, decider=writer.actor.person, level=level, at=writer.call.now)
        with refusals.at("comment"):
            if order.comment or order.verdict is ChangeVerdict.REJECTED:
                check_text("comment", order.comment, REASON_LENGTH_MAX)
    return proposal


def _decide(writer: LedgerWriter, order: Decision, proposal: Proposal, level: ChangeLevel) -> Entry:
    writer.occurred_at = writer.call.now  # nobody decides in the past.
    payload: ChangeDecided = {
        "plant": writer.call.plant,
        "change": proposal.id,
        "proposal": proposal.content,
        "verdict": order.verdict.value,
        "level": level.value,
        "printed_name": writer.actor.printed_name,
        "comment": order.comment,
    }
    causes = [] if level is ChangeLevel.PLANT else [_cause(writer, proposal)]
    return writer.record(CHANGE_DECIDED, proposal.batch, payload, causes)


def _cause(writer: LedgerWriter, proposal: Proposal) -> tuple[Cause, str]:
    session, plant = writer.session, writer.call.plant
    asked = entry_at(session, plant, proposal.id)
    if asked is None:
        message = f"plant {plant} has a change request {proposal.id} without its entry"
        raise LookupError(message)
    return cause_of(session, plant, asked)


def _effect(writer: PlantLedgerWriter, proposal: Proposal) -> Outcome:
    goods = goods_by_id(writer.session, writer.call.plant, proposal.batch_id)
    if goods is None:
        raise batch_unknown(proposal.batch)
    check_fresh(proposal, goods.version)
    if proposal.kind is ChangeKind.RELEASE:
        return {"lifted": [[goods.id, int(hold)] for hold in proposal.detail["holds"].split(",")]}
    if proposal.kind is ChangeKind.EXPIRY_EXTENSION:
        return {"expiries": {str(goods.id): proposal.detail["expires_on"]}}
    return _recount(writer, proposal, goods)


def _recount(writer: PlantLedgerWriter, proposal: Proposal, goods: Goods) -> Outcome:
    location = proposal.detail["location"]
    counted = parse_micro(proposal.detail["counted"])
    return adjustment(writer, goods, location, counted - goods.on_hand.get(location, 0))
