"""The hub's half of the handshake: the position of the plant's ledger and directives, and a new session."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from auth.machines import EnrolledMachine
from infra.database import Session
from infra.ids import new_id
from infra.messages import Message, message
from plants.rules.ledger.notes import NoteError, NoteKey
from plants.rules.values.instants import format_instant, micros, parse_instant
from plants.store.ledger import mirrors
from plants.store.ledger.archive import archived_size
from plants.store.ledger.entries import HUB_LOG, Head, entry_at
from plants.store.monitoring.alarms import Alarm, AlarmKind, end_alarm, raise_alarm
from plants.store.projection.registry import SUPPORTED
from plants.store.replication import status
from plants.store.replication.status import ReplicationState
from sync_jobs.hub import witnessing
from sync_jobs.hub.intake import locked_head
from sync_jobs.keys import hub_keys
from sync_jobs.nodes import HubNode
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.sessions import SessionVerdict, issue_session, update_copy_alarm
from sync_jobs.protocol.wire import PROTOCOL, Hello, LedgerPosition, Position, Problem, Welcome

ALARMS: Final[Mapping[ReplicationState, tuple[AlarmKind, Message]]] = {
    ReplicationState.RESTORED: (
        AlarmKind.PLANT_RESTORED,
        message(
            "PLANT_SHOWN_RESTORED",
            "The plant shows {theirs} entries and the hub holds {ours}: it was restored from an old backup. The "
            "missing entries are sent to it.",
        ),
    ),
    ReplicationState.DIVERGED: (
        AlarmKind.LEDGER_DIVERGED,
        message(
            "PLANT_SHOWN_DIVERGED",
            "The plant's {theirs} entries and the hub's {ours} are different ledgers. The plant will adopt the hub's.",
        ),
    ),
    ReplicationState.HUB_REGRESSED: (
        AlarmKind.HUB_REGRESSED,
        message(
            "HUB_SHOWN_REGRESSED",
            "The plant holds {theirs} entries that the hub issued or signed for, and the hub has {ours}: it was "
            "restored. The plant returns them.",
        ),
    ),
}
"""The alarm of each state that is an alarm, and its text."""


def answer_hello(hub: HubNode, machine: EnrolledMachine, hello: Hello) -> Welcome:
    """Answer a Hello; the issued session becomes current once it is used (`sync_jobs.protocol.sessions`).

    Raises Problem 426 for an old protocol, 403 for another plant's ledger, and 404 where the plant's ledgers were not
    opened. Invalid cosignatures are skipped: the plant sends them again.
    """
    if hello.protocol < PROTOCOL:
        raise Problem(426, "PROTOCOL_TOO_OLD", min_protocol=PROTOCOL)
    if hello.ledger.origin != machine.origin:
        raise Problem(403, "FOREIGN_LEDGER")
    now, plant = hub.clock.now(), machine.plant_number
    with hub.store.transaction() as session:
        head = locked_head(session, plant, machine.origin)
        here = Position(head.size, head.frontier.root())
        before = status.ledger_status(session, plant)
        following = new_id()
        presented = issue_session(before, hello.session, following, take_over=hello.take_over)
        update_copy_alarm(session, machine.origin, presented.verdict, now, take_over=hello.take_over)
        superseded, offered = (presented.verdict is one for one in (SessionVerdict.SUPERSEDED, SessionVerdict.OFFERED))
        shown = witnessing.show_hub_checkpoint(session, hub, machine, hello)
        # An offered session is unconfirmed; ignore the client's reported state until it uses that session.
        seen = {} if offered else _observe(session, hello, here, now, superseded=superseded)
        status.amend(session, plant, **presented.columns, **seen)
        return Welcome(
            min_protocol=PROTOCOL,
            ledger=LedgerPosition.of(machine.origin, here),
            directives=_directives(session, hub, machine, hello, now),
            limits=hub.limits,
            epoch=_epoch(session),
            session="" if superseded else following,
            superseded=superseded,
            offered=offered,
            clock=format_instant(now),
            version=hub.version,
            supported=SUPPORTED,
            checkpoint=None if before.checkpoint is None else before.checkpoint.decode(),
            hub_checkpoint=shown.hub_checkpoint,
            hub_proof=list(shown.hub_proof),
            hub_keys=[one.decode() for one in hub_keys.statements_of_hub(session, hub)],
            archived=archived_size(session, plant),
            greeting=hello.greeting,
        )


def _observe(session: Session, hello: Hello, here: Position, now: datetime, *, superseded: bool) -> dict[str, object]:
    """Raise and end the alarms that a Hello implies, and return the status columns of the plant that change."""
    state = ReplicationState.FENCED if superseded else _observed_state(hello, here)
    _update_alarms(session, state, hello, here, now)
    return {
        "peer_size": hello.ledger.size,
        "version": hello.version,
        "supported": hello.supported,
        "skew_ms": _skew_ms(hello.clock, now),
        "contact_at": now,
        **_alarm_columns(state, hello.ledger.size, here.size, now),
    }


def _directives(
    session: Session, hub: HubNode, machine: EnrolledMachine, hello: Hello, now: datetime
) -> LedgerPosition:
    """Return the position of the plant's directives, and store which of them the plant has cosigned."""
    log_id = -machine.plant_number
    head = opened_head(session, log_id)
    acknowledged = status.ledger_status(session, log_id).acknowledged
    directive_keys = hub_keys.keys_of_hub(session, hub, head.origin)
    plant_keys = [key for vkey in machine.ledger_vkeys() for key in checkpoints.keys_of(NoteKey.parse(vkey))]
    for cosignature in hello.cosignatures:
        try:
            signed = checkpoints.read(cosignature.encode(), head.origin, (*directive_keys, *plant_keys))
            note = checkpoints.trimmed(cosignature.encode(), (*directive_keys, *plant_keys))
        except NoteError:
            continue
        size = signed.checkpoint.size
        if signed.cosigned_by(machine.origin) is None or not acknowledged < size <= head.size:
            continue
        # A restored hub may have signed other directives at this size before it was restored.
        if mirrors.frontier_at(session, log_id, size).root() == signed.checkpoint.root:
            signed_at = checkpoints.signed_at(signed)
            status.keep_checkpoint(session, log_id, size, bytes(note), signed_at=signed_at, received_at=now)
            acknowledged = size
    here = Position(head.size, head.frontier.root())
    theirs = Position(0, here.root) if hello.directives is None else hello.directives.position
    state = ReplicationState.IN_SYNC
    if theirs.size > here.size:
        state = ReplicationState.HUB_REGRESSED
    elif theirs.size < here.size:
        state = ReplicationState.BEHIND
    elif here.size and theirs.root != here.root:
        state = ReplicationState.DIVERGED
    seen = {"acknowledged": acknowledged, "peer_size": theirs.size, "contact_at": now}
    status.amend(session, log_id, **seen, **_alarm_columns(state, theirs.size, here.size, now))
    if state is ReplicationState.HUB_REGRESSED:
        kind, text = ALARMS[state]
        raise_alarm(session, Alarm(kind, head.origin, text(theirs=theirs.size, ours=here.size)), now)
    elif state is ReplicationState.IN_SYNC:
        end_alarm(session, AlarmKind.HUB_REGRESSED, head.origin, now)
    return LedgerPosition.of(head.origin, here)


def opened_head(session: Session, log_id: int) -> Head:
    """Return the head of a ledger, locked; raises Problem 404 when it was not opened here."""
    try:
        return Head(session, log_id)
    except LookupError as error:
        raise Problem(404, "UNKNOWN_LEDGER") from error


def _observed_state(hello: Hello, here: Position) -> ReplicationState:
    theirs = hello.ledger.position
    if hello.acknowledged is not None and hello.acknowledged > here.size:
        return ReplicationState.HUB_REGRESSED
    if theirs.size < here.size:
        return ReplicationState.RESTORED
    if theirs.size > here.size:
        return ReplicationState.BEHIND
    return ReplicationState.IN_SYNC if theirs.root == here.root else ReplicationState.DIVERGED


def _update_alarms(session: Session, state: ReplicationState, hello: Hello, here: Position, now: datetime) -> None:
    """Raise the alarm that the positions imply, and end those that no longer apply."""
    origin = hello.ledger.origin
    if state in {ReplicationState.IN_SYNC, ReplicationState.BEHIND}:
        for kind, _ in ALARMS.values():
            end_alarm(session, kind, origin, now)
    elif state in ALARMS:
        kind, text = ALARMS[state]
        theirs = hello.acknowledged if state is ReplicationState.HUB_REGRESSED else hello.ledger.size
        raise_alarm(session, Alarm(kind, origin, text(theirs=theirs, ours=here.size)), now)


def _alarm_columns(state: ReplicationState, theirs: int, ours: int, now: datetime) -> dict[str, object]:
    if state not in ALARMS:
        return {"state": state, **status.NO_ALARM}
    _, text = ALARMS[state]
    return {"state": state, **status.alarm_columns(text(theirs=theirs, ours=ours), now)}


def _epoch(session: Session) -> str:
    """Return the name of this hub's store: the id of the first entry of its own ledger."""
    first = entry_at(session, HUB_LOG, 0)
    return "" if first is None else first.envelope["id"]


def _skew_ms(clock: str, now: datetime) -> int | None:
    try:
        return (micros(parse_instant(clock)) - micros(now)) // 1000
    except (ValueError, TypeError):
        return None
