"""The hub accepts a new assertion key of a plant."""

from auth.keys import public_key_from_text
from auth.machines import EnrolledMachine, exchange_assertion_key
from auth.notes import open_note
from plants.commands.group.enrolment import record_assertion_key
from plants.rules.group.events import AssertionKeyRotated
from plants.rules.ledger.notes import Note, NoteError, NoteKey, SignatureType
from plants.store.ledger.entries import HUB_LOG, Head
from sync_jobs.hub.ledger_key_rotation import accept_ledger_key
from sync_jobs.keys.assertion_statements import HEADING
from sync_jobs.nodes import HubNode
from sync_jobs.protocol.wire import Problem


def accept_assertion_key(hub: HubNode, machine: EnrolledMachine, origin: str, statement: bytes) -> None:
    """Accept a plant's new assertion key, and the current one until the new one was used; repeated, it changes nothing.

    Raises Problem 403 for another plant, for a statement that the ledger's key and the new key have not both signed,
    and for a key that any plant has or had; 422 for an unreadable statement.
    """
    if origin != machine.origin:
        raise Problem(403, "FOREIGN_LEDGER")
    try:
        heading, stated, old, new, end = Note.parse(statement).text.split("\n")
        public = public_key_from_text(new).public_bytes_raw()
        public_key_from_text(old)
    except (NoteError, ValueError) as error:
        raise Problem(422, "STATEMENT_INVALID") from error
    if (heading, stated, end) != (HEADING, origin, ""):
        raise Problem(422, "STATEMENT_INVALID")
    ledger, following = NoteKey.parse(machine.ledger_vkey), NoteKey(origin, SignatureType.ED25519, public)
    try:
        _, signed = open_note(statement, (str(ledger), str(following)))
    except NoteError as error:
        raise Problem(403, "KEY_REFUSED", fault=error.fault) from error
    if ledger == following or {one.key.key_id for one in signed} != {ledger.key_id, following.key_id}:
        raise Problem(403, "KEY_REFUSED")
    with hub.store.transaction() as session:
        Head(session, HUB_LOG)  # locks the hub's ledger, so that keys are accepted one after the other.
        changed = exchange_assertion_key(session, origin=origin, old=old, new=new)
        if changed is None:
            raise Problem(403, "KEY_REFUSED")
        if changed:
            payload: AssertionKeyRotated = {
                "number": machine.plant_number,
                "origin": origin,
                "old": old,
                "new": new,
                "statement": statement.decode(),
            }
            record_assertion_key(session, machine.code, payload, now=hub.clock.now())


def accept_rotation(hub: HubNode, machine: EnrolledMachine, origin: str, statement: bytes) -> None:
    """Accept a statement about either of a plant's keys; raises Problem as the function for that key does."""
    is_assertion_key = statement.startswith(f"{HEADING}\n".encode())
    (accept_assertion_key if is_assertion_key else accept_ledger_key)(hub, machine, origin, statement)
