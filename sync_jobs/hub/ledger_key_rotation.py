"""The hub accepts a new ledger key of a plant."""

from auth.machines import EnrolledMachine, exchange_ledger_key
from auth.notes import open_note
from plants.commands.group.enrolment import record_ledger_key
from plants.rules.group.events import PlantLedgerKeyRotated
from plants.rules.ledger.notes import Note, NoteError, NoteKey
from sync_jobs.hub.intake import locked_head
from sync_jobs.keys.chains import (
    HEADING,
)
from sync_jobs.nodes import HubNode
from sync_jobs.protocol.wire import Problem


def accept_ledger_key(hub: HubNode, machine: EnrolledMachine, origin: str, statement: bytes) -> None:
    """Accept a plant's new ledger key: checkpoints above the statement's size are valid only under it from now on.

    Repeated, it changes nothing. Raises Problem 403 for another plant's ledger, and for a statement that the known key
    and the new one have not both signed; 422 for an unreadable one.
    """
    if origin != machine.origin:
        raise Problem(403, "FOREIGN_LEDGER")
    try:
        heading, stated, old, new, size, end = Note.parse(statement).text.split("\n")
        keys = NoteKey.parse(old), NoteKey.parse(new)
        counts_from = int(size)
    except (NoteError, ValueError) as error:
        raise Problem(422, "STATEMENT_INVALID") from error
    if (heading, stated, end) != (HEADING, origin, "") or any(key.name != origin for key in keys) or counts_from < 1:
        raise Problem(422, "STATEMENT_INVALID")
    if machine.ledger_vkey == new:
        return
    try:
        _, signed = open_note(statement, (old, new))
    except NoteError as error:
        raise Problem(403, "KEY_REFUSED", fault=error.fault) from error
    if machine.ledger_vkey != old or {one.key.key_id for one in signed} != {key.key_id for key in keys}:
        raise Problem(403, "KEY_REFUSED")
    with hub.store.transaction() as session:
        last = max(counts_from, locked_head(session, machine.plant_number, origin).size)
        if not exchange_ledger_key(session, origin=origin, old=old, new=new, size=last):
            raise Problem(403, "KEY_REFUSED")
        payload: PlantLedgerKeyRotated = {
            "number": machine.plant_number,
            "origin": origin,
            "old": old,
            "new": new,
            "size": last,
            "statement": statement.decode(),
        }
        record_ledger_key(session, machine.code, payload, now=hub.clock.now())
