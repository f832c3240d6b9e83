"""Answer a directive of the hub: check it, do what it asks, and record both in the plant's own ledger."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from infra.database import Session
from plants.commands.apply_decision import apply_decision, read_decision
from plants.commands.apply_hold import apply_hold, apply_release, read_hold, read_recall, read_release
from plants.commands.apply_master import apply_master, read_master
from plants.commands.applying import Answer, Applying
from plants.commands.recording import Call, cause_of
from plants.rules.events import Entry
from plants.rules.refusals import Refusal, RefusalCode
from plants.store.changes import answer_to, next_directive
from plants.store.ledger import Head


@dataclass(frozen=True, slots=True)
class Applier:
    """How one version of one type of directive is done: what it says is read whole before anything is recorded."""

    read: Callable[[Entry], Any]
    apply: Callable[[Applying, Any], Answer]


APPLIERS: Mapping[tuple[str, int], Applier] = {
    ("ChangeDecided", 1): Applier(read_decision, apply_decision),
    ("MasterDirected", 1): Applier(read_master, apply_master),
    ("HoldDirected", 1): Applier(read_hold, apply_hold),
    ("RecallDirected", 1): Applier(read_recall, apply_hold),
    ("ReleaseDirected", 1): Applier(read_release, apply_release),
}
"""What this program can do for the hub, by type and version; anything else is rejected as UNSUPPORTED."""


class DirectiveOutOfOrder(LookupError):
    """The directive is not the next one in this store that the plant has to answer."""


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
    applying = Applying(session, plant, directive, Call(plant, now), (cause_of(session, -plant, directive),))
    answer = _apply(applying)
    said: dict[str, Any] = {"directive": directive.index, "met_version": answer.met_version}
    said |= {name: value for name in ("met", "waiting", "waited") if (value := getattr(answer, name))}
    if answer.refusal is not None:
        said |= {"refusal": answer.refusal.code, "data": answer.refusal.data}
    event = "DirectiveApplied" if answer.refusal is None else "DirectiveRejected"
    return applying.recording_itself().record(event, directive.envelope["key"], said, applying.causes)


def _apply(applying: Applying) -> Answer:
    """Do what a directive asks, whole or not at all."""
    envelope = applying.directive.envelope
    unsupported = Answer(refusal=Refusal(RefusalCode.UNSUPPORTED, type=f"{envelope['type']} {envelope['version']}"))
    applier = APPLIERS.get((envelope["type"], envelope["version"]))
    if applier is None:
        return unsupported
    try:
        said = applier.read(applying.directive)
    except (AttributeError, KeyError, TypeError, ValueError):
        # Another node wrote it, perhaps a newer one: the content may be of any form.
        return unsupported
    try:
        with applying.session.savepoint():
            return applier.apply(applying, said)
    except Refusal as refusal:
        return Answer(refusal=refusal)
