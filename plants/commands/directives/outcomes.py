"""Answer a directive of the hub: check it, do what it asks, and record both in the plant's own ledger.

A directive that this program does not understand is rejected as UNSUPPORTED. A newer program that understands it
answers it once more. It applies it then, unless a later directive has replaced it. The answer names the first one
(`again`).
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.database import Session
from plants.commands.directives.applying import Answer, Applying
from plants.commands.directives.decisions import apply_decision, change_decided, read_decision
from plants.commands.directives.definitions import (
    apply_change,
    apply_master,
    read_change,
    read_master,
    thing_changed,
    thing_defined,
)
from plants.commands.directives.holds import (
    apply_hold,
    apply_release,
    hold_directed,
    read_hold,
    read_recall,
    read_release,
)
from plants.commands.execution import CommandContext, cause_of
from plants.rules.approvals.events import CHANGE_DECIDED
from plants.rules.directives.events import (
    DIRECTIVE_APPLIED,
    DIRECTIVE_REJECTED,
    HOLD_DIRECTED,
    MASTER_CHANGE_DIRECTED,
    MASTER_DIRECTED,
    RECALL_DIRECTED,
    RELEASE_DIRECTED,
)
from plants.rules.directives.refusals import DIRECTIVE_SUPERSEDED, UNSUPPORTED
from plants.rules.ledger.events import Entry, Event
from plants.rules.values.refusals import Refusal
from plants.store.directives.outcomes import answer_to, next_directive, unsupported_directives
from plants.store.ledger.entries import Head, entries_between, entry_at


@dataclass(frozen=True, slots=True)
class Applier:
    """Applies one version of one type of directive. The content is parsed whole before anything is recorded.

    `about` names the subject of the directive. A later `ended_by` directive about the same subject supersedes it.
    """

    read: Callable[[Entry], Any]
    apply: Callable[[Applying, Any], Answer]
    about: Callable[[Any], Hashable]
    ended_by: Event[Any] | None


APPLIERS: Mapping[tuple[str, int], Applier] = {
    (CHANGE_DECIDED.name, 1): Applier(read_decision, apply_decision, change_decided, CHANGE_DECIDED),
    (MASTER_DIRECTED.name, 1): Applier(read_master, apply_master, thing_defined, MASTER_DIRECTED),
    (MASTER_CHANGE_DIRECTED.name, 1): Applier(read_change, apply_change, thing_changed, MASTER_DIRECTED),
    (HOLD_DIRECTED.name, 1): Applier(read_hold, apply_hold, hold_directed, RELEASE_DIRECTED),
    (RECALL_DIRECTED.name, 1): Applier(read_recall, apply_hold, hold_directed, RELEASE_DIRECTED),
    (RELEASE_DIRECTED.name, 1): Applier(read_release, apply_release, hold_directed, None),
}
"""What this program can do for the hub, by type and version; anything else is rejected as UNSUPPORTED."""


class DirectiveOutOfOrder(LookupError):
    """The directive is not the next one in this store that the plant has to answer."""


def due_directive(session: Session, plant: int) -> Entry | None:
    """Return the directive in this store that the plant has to answer next, or None.

    One that an older program rejected as UNSUPPORTED and this one understands comes before what was never answered, so
    that all that is done is done in the order in which headquarters said it.
    """
    for index in unsupported_directives(session, plant):
        directive = entry_at(session, -plant, index)
        if directive is not None and _understood(directive) is not None:
            return directive
    return next_directive(session, plant)


def apply_directive(session: Session, directive: Entry, *, plant: int, now: datetime) -> Entry:
    """Answer one directive with DirectiveApplied or DirectiveRejected, in the caller's transaction; returns that entry.

    A directive is answered once, or once more after UNSUPPORTED: given again, the last answer is returned and nothing
    is recorded. Directives are answered in order, each as the mirror in this store has it; raises DirectiveOutOfOrder
    otherwise.
    """
    Head(session, plant)  # takes the ledger's lock, so that the same directive is not answered twice at once.
    answered = answer_to(session, plant, directive.index)
    if answered is not None and (not _unsupported(answered) or _understood(directive) is None):
        return answered
    due = due_directive(session, plant)
    if due is None or (due.index, due.leaf) != (directive.index, directive.leaf):
        raise DirectiveOutOfOrder(directive.index)
    applying = Applying(session, plant, directive, CommandContext(plant, now), (cause_of(session, -plant, directive),))
    answer = _apply(applying, late=answered is not None)
    said: dict[str, Any] = {"directive": directive.index, "met_version": answer.met_version}
    said |= {name: value for name in ("met", "waiting", "waited") if (value := getattr(answer, name))}
    if answered is not None:
        said["again"] = answered.index
    if answer.refusal is not None:
        said |= {"refusal": answer.refusal.code, "data": answer.refusal.data}
    event: Event[Any] = DIRECTIVE_APPLIED if answer.refusal is None else DIRECTIVE_REJECTED
    return applying.recording_itself().record(event, directive.envelope["key"], said, applying.causes)


def _unsupported(answer: Entry) -> bool:
    return answer.type == DIRECTIVE_REJECTED.name and answer.payload["refusal"] == UNSUPPORTED


def _understood(directive: Entry) -> tuple[Applier, Any] | None:
    """Return how a directive is done and what it says, or None where this program cannot tell."""
    applier = APPLIERS.get((directive.envelope["type"], directive.envelope["version"]))
    if applier is None:
        return None
    try:
        return applier, applier.read(directive)
    except (AttributeError, KeyError, TypeError, ValueError):
        # Another node wrote it, perhaps a newer one: the content may be of any form.
        return None


def _apply(applying: Applying, *, late: bool) -> Answer:
    """Do what a directive asks, whole or not at all; one that comes `late` only as far as it still holds."""
    understood = _understood(applying.directive)
    if understood is None:
        envelope = applying.directive.envelope
        return Answer(refusal=Refusal(UNSUPPORTED, type=f"{envelope['type']} {envelope['version']}"))
    applier, said = understood
    later = _ended_by(applying, applier, said) if late else None
    if later is not None:
        return Answer(refusal=Refusal(DIRECTIVE_SUPERSEDED, later=later))
    try:
        with applying.session.savepoint():
            return applier.apply(applying, said)
    except Refusal as refusal:
        return Answer(refusal=refusal)


def _ended_by(applying: Applying, applier: Applier, said: Any) -> int | None:
    """Return the index of the first later directive that takes back or replaces what this one says."""
    session, log_id = applying.session, -applying.plant
    thing = applier.about(said)
    for later in entries_between(session, log_id, applying.directive.index + 1, Head(session, log_id).size):
        if applier.ended_by is None or later.type != applier.ended_by.name:
            continue
        understood = _understood(later)
        if understood is not None and understood[0].about(understood[1]) == thing:
            return later.index
    return None
