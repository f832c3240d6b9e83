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
    """Let a plant sign in with another key, and with the one before until the new one was used; told again, nothing.

    Raises Problem 403 for another's plant, for a statement that the ledger's key and the new one have not both signed,
    and for a key that any plant has or had; 422 for one that cannot be read.
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
        Head(session, HUB_LOG)  # takes the lock of the hub's ledger, so that one key after the other is taken on.
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
    """Take on a plant's new key, whichever of its two the statement is about; raises Problem as each of them does."""
    about_signing_in = statement.startswith(f"{HEADING}\n".encode())
    (accept_assertion_key if about_signing_in else accept_ledger_key)(hub, machine, origin, statement)
