"""Apply the hub's decision on a change request at the plant that asked."""

from dataclasses import dataclass
from datetime import datetime

from plants.commands.approvals.decisions import apply_change
from plants.commands.directives.applying import Answer, Applying
from plants.rules.approvals.change_requests import ChangeLevel, ChangeVerdict, Proposal, check_content, check_decidable
from plants.rules.approvals.events import CHANGE_DECIDED, CHANGE_REFUSED, ChangeDecided
from plants.rules.approvals.refusals import CHANGE_UNKNOWN
from plants.rules.ledger.events import Entry
from plants.rules.values.actors import Author
from plants.rules.values.instants import parse_instant
from plants.rules.values.refusals import Refusal
from plants.store.approvals.change_requests import proposal_of
from plants.store.inventory.batches import goods_by_id
from plants.store.refusals import declared_refusals


@dataclass(frozen=True, slots=True)
class Decided:
    """The content of a ChangeDecided directive."""

    payload: ChangeDecided
    verdict: ChangeVerdict
    decider: Author
    at: datetime
    known_at: datetime


def read_decision(directive: Entry) -> Decided:
    """Return what a ChangeDecided directive says."""
    envelope, payload = directive.envelope, directive.payload
    content: ChangeDecided = {
        "plant": int(payload["plant"]),
        "change": int(payload["change"]),
        "proposal": str(payload["proposal"]),
        "verdict": ChangeVerdict(payload["verdict"]).value,
        "level": ChangeLevel.HUB.value,
        "printed_name": str(payload["printed_name"]),
        "comment": str(payload["comment"]),
    }
    return Decided(
        content,
        ChangeVerdict(payload["verdict"]),
        Author(envelope["actor"], content["printed_name"], envelope.get("device")),
        parse_instant(envelope["occurred_at"]),
        parse_instant(envelope["recorded_at"]),
    )


def change_decided(decided: Decided) -> tuple[int, int]:
    """Return which request of which plant a decision is on."""
    return decided.payload["plant"], decided.payload["change"]


def apply_decision(applying: Applying, decided: Decided) -> Answer:
    """Record the decision and its effect, after the checks that the plant's own decisions pass.

    Raises Refusal when it decides nothing here. A request may have expired since: the instant at which the hub recorded
    the decision counts.
    """
    payload = decided.payload
    if payload["plant"] != applying.plant:
        raise Refusal(CHANGE_UNKNOWN, change=payload["change"])
    proposal = proposal_of(applying.session, applying.plant, payload["change"])
    check_decidable(
        proposal,
        decider=decided.decider.person,
        level=ChangeLevel.HUB,
        at=decided.known_at,
    )
    check_content(proposal, payload["proposal"])
    goods = goods_by_id(applying.session, applying.plant, proposal.batch_id)
    met_version = None if goods is None else goods.version
    return Answer(met_version, _carry_out(applying, decided, proposal))


def _carry_out(applying: Applying, decided: Decided, proposal: Proposal) -> Refusal | None:
    """Record the decision and its effect; return why an approved change could not be applied, if it could not."""
    deciding = applying.writer(decided.decider)
    deciding.occurred_at = decided.at
    deciding.record(CHANGE_DECIDED, proposal.batch, decided.payload, applying.causes)
    if decided.verdict is ChangeVerdict.REJECTED:
        return None
    effect = apply_change(applying.recording_itself(), proposal)
    if effect.type != CHANGE_REFUSED.name:
        return None
    return Refusal.kept(declared_refusals()[effect.payload["refusal"]], effect.payload["data"])
