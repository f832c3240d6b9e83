"""Answer a directive of the hub: check it, do what it asks, and record both in the plant's own ledger."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from infra.database import Session
from plants.commands.decide_change import apply_change
from plants.commands.recording import Call, Recording
from plants.rules.actors import SYSTEM, Author
from plants.rules.changes import ChangeLevel, ChangeVerdict, Proposal, check_decidable
from plants.rules.events import EVENTS, Cause, Entry
from plants.rules.instants import parse_instant
from plants.rules.payloads import ChangeDecided, DirectiveApplied, DirectiveRejected
from plants.rules.refusals import Refusal, RefusalCode
from plants.store.batches import goods_by_id
from plants.store.changes import answer_to, next_directive, proposal_of
from plants.store.ledger import Head, origin_of

Causes = Sequence[tuple[Cause, str]]


class DirectiveOutOfOrder(LookupError):
    """The directive is not the next one in this store that the plant has to answer."""


@dataclass(frozen=True, slots=True)
class _Decided:
    """What a ChangeDecided directive says, read and found well-formed."""

    payload: ChangeDecided
    verdict: ChangeVerdict
    decider: Author
    at: datetime
    known_at: datetime


def apply_directive(session: Session, directive: Entry, *, plant: int, now: datetime) -> Entry:
    """Answer one directive with DirectiveApplied or DirectiveRejected, in the caller's transaction; returns that entry.

    A directive is answered once: given again, the first answer is returned and nothing is recorded. Directives are
    answered in order, each as the mirror in this store has it; raises DirectiveOutOfOrder otherwise.
    """
    Head(session, plant)  # takes the ledger's lock, so that the same directive is not answered twice at once.
    answered = answer_to(session, plant, directive.index)
    if answered is not None:
        return answered
    following = next_directive(session, plant)
    if following is None or (following.index, following.leaf) != (directive.index, directive.leaf):
        raise DirectiveOutOfOrder(directive.index)
    cause: Cause = {"origin": origin_of(session, -plant), "index": directive.index, "leaf": directive.leaf.hex()}
    causes = [(cause, directive.envelope["hlc"])]
    call = Call(plant, now)
    met_version = None
    try:
        decided = _read(directive)
        proposal = _check(session, plant, decided)
        goods = goods_by_id(session, plant, proposal.batch_id)
        met_version = None if goods is None else goods.version
        refused = _carry_out(session, call, decided, proposal, causes)
    except Refusal as refusal:
        refused = refusal.code, refusal.data
    recording, key = Recording(session, SYSTEM, call), directive.envelope["key"]
    if refused is None:
        applied: DirectiveApplied = {"directive": directive.index, "met_version": met_version}
        return recording.record("DirectiveApplied", key, applied, causes)
    rejected: DirectiveRejected = {
        "directive": directive.index,
        "met_version": met_version,
        "refusal": refused[0],
        "data": refused[1],
    }
    return recording.record("DirectiveRejected", key, rejected, causes)


def _read(directive: Entry) -> _Decided:
    envelope, payload = directive.envelope, directive.payload
    unsupported = Refusal(RefusalCode.UNSUPPORTED, type=f"{envelope['type']} {envelope['version']}")
    if (envelope["type"], envelope["version"]) != ("ChangeDecided", EVENTS["ChangeDecided"]):
        raise unsupported
    try:
        content: ChangeDecided = {
            "plant": int(payload["plant"]),
            "change": int(payload["change"]),
            "proposal": str(payload["proposal"]),
            "verdict": ChangeVerdict(payload["verdict"]).value,
            "level": ChangeLevel.HUB.value,
            "printed_name": str(payload["printed_name"]),
            "comment": str(payload["comment"]),
        }
        return _Decided(
            content,
            ChangeVerdict(payload["verdict"]),
            Author(envelope["actor"], content["printed_name"], envelope.get("device")),
            parse_instant(envelope["occurred_at"]),
            parse_instant(envelope["recorded_at"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise unsupported from error


def _check(session: Session, plant: int, decided: _Decided) -> Proposal:
    """Return the request that was decided, or raise the Refusal of a decision that decides nothing here.

    A request may have expired since: what counts is when the hub wrote the decision down.
    """
    payload = decided.payload
    if payload["plant"] != plant:
        raise Refusal(RefusalCode.CHANGE_UNKNOWN, change=payload["change"])
    proposal = proposal_of(session, plant, payload["change"])
    check_decidable(
        proposal,
        decider=decided.decider.person,
        level=ChangeLevel.HUB,
        content=payload["proposal"],
        at=decided.known_at,
    )
    return proposal


def _carry_out(
    session: Session, call: Call, decided: _Decided, proposal: Proposal, causes: Causes
) -> tuple[str, dict[str, str]] | None:
    """Record the decision and its effect; return refusal code and data when an approved change could not be applied."""
    deciding = Recording(session, decided.decider, call)
    deciding.occurred_at = decided.at
    deciding.record("ChangeDecided", proposal.batch, decided.payload, causes)
    if decided.verdict is ChangeVerdict.REJECTED:
        return None
    effect = apply_change(Recording(session, SYSTEM, call), proposal)
    return (effect.payload["refusal"], effect.payload["data"]) if effect.type == "ChangeRefused" else None
