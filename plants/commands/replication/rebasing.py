"""Rebase a ledger: adopt another suffix, and append the own entries again behind it; nothing is dropped.

The entries from the fork on are set aside for good, the returned ones take their place, and the tables are rebuilt.
Then each own entry is appended again: the same id, type, author and content, another position. An entry that cannot be
applied any more is appended whole as EntryDisputed, and waits on a worklist.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, cast

from infra.database import Session
from infra.messages import Failure, message
from plants.commands.execution import CommandContext, PlantLedgerWriter
from plants.commands.replication.rebuild import rebuild
from plants.commands.replication.repairs import ENTRIES_AT_ONCE, beyond_printed, record_repair
from plants.rules.approvals.events import CHANGE_APPLIED, CHANGE_DECIDED, CHANGE_REFUSED
from plants.rules.ledger.events import ENTRY_BYTES_MAX, Entry, Envelope, new_envelope
from plants.rules.ledger.merkle import Frontier
from plants.rules.ledger.refusals import ENTRY_TOO_LARGE
from plants.rules.materials.events import PLANT_OPENED
from plants.rules.replication.conflict_kinds import ConflictKind
from plants.rules.replication.events import (
    ALREADY_RECORDED,
    ANSWERED_AGAIN,
    ENTRY_DISPUTED,
    LEDGER_REBASED,
    PLANT_RESTORED,
    Collision,
    EntryDisputed,
    LedgerRebased,
)
from plants.rules.replication.rebasing import PlaceLost, answers_directive, nodes_made, raised_series, renumbered
from plants.rules.values.actors import SYSTEM
from plants.rules.values.refusals import Refusal
from plants.store.ledger.entries import HUB_LOG, Head, drawn_numbers, entry_by_request, indexes_by_id
from plants.store.ledger.staging import clear_staged, set_aside, set_aside_in, staged_between
from plants.store.materials.series import next_numbers
from plants.store.projection import applying
from plants.store.projection.registry import EVENTS
from plants.store.quality.holds import waiting_for
from plants.store.replication.conflicts import RebaseState, collisions

CONTENT_AT_FAULT: Final = (AssertionError, LookupError, TypeError, ValueError, AttributeError, Refusal)
"""Raised when the content of an entry cannot be applied. A failing store ends the repair instead."""
COLLISIONS_MAX: Final = 8  # reported of one entry; one is enough to dispute it
ENTRIES_NOT_STAGED: Final = message(
    "REBASE_ENTRIES_MISSING",
    "Entries before position {position} are missing among those that the hub returned. Nothing was changed. It is "
    "retried.",
)
REBASED_ROOT_WRONG: Final = message(
    "REBASE_OTHER_ROOT",
    "The {size} entries that the hub returned do not have the announced root. Nothing was changed. Run `batchloom "
    "verify` at the hub.",
)


class NotTheLedger(Failure):
    """The returned entries do not lead to the root that was announced for them."""


@dataclass(frozen=True, slots=True)
class Suffix:
    """The suffix that a ledger adopts: its first and last frontier. Its entries are staged.

    `directive_origin` names the ledger of the hub's directives to the plant.
    """

    fork: Frontier
    head: Frontier
    directive_origin: str = ""


@dataclass(slots=True)
class Rebased:
    """The result: numbers of entries adopted, appended again and disputed."""

    adopted: int = 0
    again: int = 0
    disputed: int = 0


@dataclass(slots=True)
class _Rebase:
    """A running rebase: the new position of each entry, and the things that later entries must not build on."""

    session: Session
    log_id: int
    suffix: Suffix
    now: datetime
    state: RebaseState
    known: dict[str, int] = field(default_factory=dict)
    places: dict[int, int | None] = field(default_factory=dict)
    decided_again: set[int] = field(default_factory=set)
    drawn: dict[str, int] = field(default_factory=dict)
    noticed: bool = False
    done: Rebased = field(default_factory=Rebased)


def rebase(session: Session, log_id: int, suffix: Suffix, *, now: datetime) -> Rebased:
    """Do all of it in the caller's transaction; raises NotTheLedger, and then nothing may be committed.

    For a plant's ledger, and for the hub's directives (negative ids), which have no conflicts. An entry whose id is in
    the suffix is not appended a second time, so a repair that was itself restored is repeated safely.
    """
    head = Head(session, log_id)
    before = head.size
    turn = set_aside(session, log_id, suffix.fork.size, now)
    head.cut(suffix.fork)
    work = _Rebase(session, log_id, suffix, now, RebaseState(session, log_id))
    _adopt(work, head)
    clear_staged(session, log_id)
    rebuild(session)
    work.known = indexes_by_id(session, log_id, suffix.fork.size)
    for entry in set_aside_in(session, log_id, turn, suffix.fork.size, before):
        work.places[entry.index] = _again(work, entry)
    if log_id > HUB_LOG:
        _conclude(work)
    return work.done


def _adopt(work: _Rebase, head: Head) -> None:
    frontier, end = work.suffix.fork, work.suffix.head
    while frontier.size < end.size:
        high = min(end.size, frontier.size + ENTRIES_AT_ONCE)
        entries = staged_between(work.session, work.log_id, frontier.size, high)
        frontier = frontier.extend(entry.leaf for entry in entries)
        if not entries or frontier.size != high:
            raise NotTheLedger(ENTRIES_NOT_STAGED, position=high)
        head.adopt(entries, frontier)
        work.state.adopted(entries)
        work.done.adopted += len(entries)
    if frontier != end:
        raise NotTheLedger(REBASED_ROOT_WRONG, size=end.size)


def _again(work: _Rebase, entry: Entry) -> int | None:
    """Append one entry again, or dispute it; returns where it counts now, or None where it does not."""
    there = work.known.get(entry.envelope["id"])
    if there is not None:
        return there
    if work.log_id < HUB_LOG:
        return _append(work, _requested_once(work, entry), entry.payload)
    work.noticed = work.noticed or entry.type == PLANT_RESTORED.name
    for name, following in drawn_numbers(entry.payload).items():
        work.drawn[name] = max(following, work.drawn.get(name, 0))
    found, settled = _settled_at_once(work, entry)
    payload = entry.payload
    if not found:
        try:
            payload = renumbered(entry.type, payload, work.places)
            found = _bound(entry) or collisions(work.state, entry, payload)
        except PlaceLost as error:
            found = [{"code": ConflictKind.ENTRY_DISPUTED, "what": str(error.args[0])}]
    if not found:
        try:
            with work.session.savepoint():
                index = _append(work, entry, payload)
                _hold_what_waits(work, payload)
        except CONTENT_AT_FAULT as error:
            found = [{"code": ConflictKind.NOT_APPLICABLE, "what": f"{type(error).__name__}: {error}"[:200]}]
        else:
            work.done.again += 1
            return index
    _dispute(work, entry, found[:COLLISIONS_MAX], settled)
    return None


def _bound(entry: Entry) -> list[Collision]:
    """Return why an entry of this type is never appended again, if so."""
    event = EVENTS.get(entry.type)
    return (
        [{"code": ConflictKind.DECISION_BOUND, "what": entry.type}] if event is not None and not event.rebased else []
    )


def _requested_once(work: _Rebase, entry: Entry) -> Entry:
    """Return a directive without its request where a directive that came back has it already.

    A user repeated a request at the restored hub, which had lost it. Both directives stay: later ones, such as a
    release, may name either, and a double hold is safer than none.
    """
    request = entry.envelope.get("request")
    if request is None or entry_by_request(work.session, work.log_id, request) is None:
        return entry
    envelope = cast("Envelope", {name: value for name, value in entry.envelope.items() if name != "request"})
    return replace(entry, envelope=envelope)


def _settled_at_once(work: _Rebase, entry: Entry) -> tuple[list[Collision], str | None]:
    """Return why an entry need not be applied and no person need look at it; nothing for all others."""
    envelope, directives = entry.envelope, work.suffix.directive_origin
    request = envelope.get("request")
    if request is not None and entry_by_request(work.session, work.log_id, request) is not None:
        return [{"code": ALREADY_RECORDED, "what": request}], ALREADY_RECORDED
    if entry.type == PLANT_OPENED.name:
        return [{"code": ALREADY_RECORDED, "what": envelope["key"]}], ALREADY_RECORDED
    if directives and answers_directive(envelope, directives):
        if entry.type == CHANGE_DECIDED.name:
            work.decided_again.add(entry.payload["change"])
        return [{"code": ANSWERED_AGAIN, "what": directives}], ANSWERED_AGAIN
    if entry.type in {CHANGE_APPLIED.name, CHANGE_REFUSED.name} and entry.payload["change"] in work.decided_again:
        return [{"code": ANSWERED_AGAIN, "what": directives}], ANSWERED_AGAIN
    return [], None


def _append(work: _Rebase, entry: Entry, payload: Any) -> int:
    if isinstance(payload, dict) and "series" in payload:
        payload = {**payload, "series": raised_series(payload, _series(work))}
    envelope = cast("Envelope", {**entry.envelope, "payload": payload, "rebased_from": _rebased_from(entry)})
    appended = Head(work.session, work.log_id).append(envelope, work.now, bytes_max=ENTRY_BYTES_MAX)
    applying.apply(work.session, work.log_id, (appended,))
    return appended.index


def _hold_what_waits(work: _Rebase, payload: Any) -> None:
    """Place the holds of headquarters that wait for a batch which this entry makes known."""
    for batch in payload.get("batches", ()) if isinstance(payload, dict) else ():
        writer = PlantLedgerWriter(work.session, SYSTEM, CommandContext(work.log_id, work.now))
        named = {"id": batch["id"], "code": batch["code"]}
        for waiting in waiting_for(work.session, work.log_id, named):  # type: ignore[arg-type]
            writer.hold_as_directed(named, waiting, waited=True)  # type: ignore[arg-type]


def _dispute(work: _Rebase, entry: Entry, found: list[Collision], settled: str | None) -> None:
    work.state.disputed(entry, recorded=_recorded_instead(work, entry, settled))
    content: dict[str, Any] = dict(entry.envelope)
    payload: EntryDisputed = {
        "entry": content,
        "leaf": entry.leaf.hex(),
        "collisions": found,
        "settled": settled,
    }
    kept: dict[str, Any] = {name: content[name] for name in ("device", "reason") if name in content}
    envelope: dict[str, Any] = {
        **new_envelope(
            ENTRY_DISPUTED,
            payload,
            entry_id=content["id"],
            log_id=work.log_id,
            at=work.now,
            actor=content["actor"],
            key=content["key"],
        ),
        **kept,
        "occurred_at": content["occurred_at"],
        "rebased_from": _rebased_from(entry),
    }
    head = Head(work.session, work.log_id)
    try:
        appended = head.append(cast("Envelope", envelope), work.now, bytes_max=ENTRY_BYTES_MAX)
    except Refusal as refusal:
        if refusal.code is not ENTRY_TOO_LARGE:
            raise
        # An entry of a program that left no room. `set_aside_entries` keeps its bytes, under this leaf hash.
        payload["entry"] = {name: value for name, value in content.items() if name != "payload"}
        appended = head.append(cast("Envelope", envelope), work.now, bytes_max=ENTRY_BYTES_MAX)
    applying.apply(work.session, work.log_id, (appended,))
    work.done.disputed += 1


def _recorded_instead(work: _Rebase, entry: Entry, settled: str | None) -> dict[int, str]:
    """Return what the entry that already answers this one's request made, which later entries may well build on."""
    request = entry.envelope.get("request")
    if settled != ALREADY_RECORDED or request is None:
        return {}
    other = entry_by_request(work.session, work.log_id, request)
    return {} if other is None else nodes_made(other.payload)


def _rebased_from(entry: Entry) -> dict[str, Any]:
    return {"index": entry.index, "leaf": entry.leaf.hex(), "recorded_at": entry.envelope["recorded_at"]}


def _series(work: _Rebase) -> dict[str, int]:
    return next_numbers(work.session, work.log_id)


def _conclude(work: _Rebase) -> None:
    """Record LedgerRebased, with every series beyond what either side has drawn."""
    present = _series(work)
    drawn = dict(work.drawn)
    if not work.noticed:
        # Nobody noticed a restore before these entries were written, so others may have been printed and lost.
        for name, following in beyond_printed(work.session, work.log_id, work.now).items():
            drawn[name] = max(following, drawn.get(name, 0))
    series = {name: following for name, following in drawn.items() if following > present.get(name, 0)}
    done = work.done
    payload: LedgerRebased = {
        "fork": work.suffix.fork.size,
        "adopted": done.adopted,
        "again": done.again,
        "disputed": done.disputed,
        "series": series,
    }
    record_repair(work.session, work.log_id, LEDGER_REBASED, payload, now=work.now)
