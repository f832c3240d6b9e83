"""A plant's ledger gets another key while it runs: both keys sign the statement, and the ledger itself keeps it.

| step at the plant                                             | when it breaks off after it                          |
| ------------------------------------------------------------- | ---------------------------------------------------- |
| the new key lies beside the old one                           | nothing has happened                                 |
| LedgerKeyRotated with the statement stands in the ledger      | the new key is taken into use when the node opens    |
| the hub has the statement, and its own ledger records it      | the same; the hub takes either for what came before  |
| the statement lies beside the keys                            | the same                                             |
| the new key lies in the old one's place                       | done                                                 |

A hub that refuses a checkpoint is shown the ledger's statements again: it may be one that was restored, or that did not
hear of a rotation before the next one. Where the plant's own store was put back to before a rotation, that is recorded
again first: keys and statements lie beside the store, and know better.
"""

import os
from pathlib import Path
from typing import Final

from auth.machines import EnrolledMachine, exchange_ledger_key
from auth.notes import NoteSigner, generate_key, load_key, open_note, save_key
from infra.database import ReadSession, Session
from infra.folders import sync_folder
from plants.commands.group.enrolment import record_ledger_key
from plants.commands.replication.repairs import record_repair
from plants.rules.group.events import PlantLedgerKeyRotated
from plants.rules.ledger.events import decode
from plants.rules.ledger.notes import Note, NoteError, NoteKey
from plants.rules.replication.events import LEDGER_KEY_ROTATED, LedgerKeyRotated
from plants.store.ledger.entries import Head
from sync_jobs.hub.intake import locked_head
from sync_jobs.keys.chains import (
    HEADING,
    NOTE_SUFFIX,
    SELECT_STATEMENTS,
    Rotation,
    chain,
    read_statement,
    stated,
    statement_of,
)
from sync_jobs.nodes import HubNode, PlantNode
from sync_jobs.plant.push import Way
from sync_jobs.protocol.wire import Problem

KEY_FILE: Final = "ledger.pem"
NEXT_FILE: Final = "ledger.next.pem"


def prepare_key(keys: Path, origin: str) -> NoteSigner:
    """Make the ledger's new key beside the old one, or return the one that lies there already."""
    if not (keys / NEXT_FILE).exists():
        save_key(keys / NEXT_FILE, generate_key())
    return NoteSigner(origin, load_key(keys / NEXT_FILE))


def rotate_ledger_key(node: PlantNode, following: NoteSigner) -> bytes:
    """Record in the plant's ledger that another key signs it from the next entry on; returns the signed statement.

    Once this returns the new key is the ledger's (`switch_key`); the hub hears of it at the next exchange. Recorded
    again for the same key it changes nothing. Rotations that the ledger has lost are recorded first (`state_again`).
    """

    def record(session: Session) -> bytes:
        newest = newest_stated(session, node.number)
        if newest is not None and newest["new"] == str(following.key):
            return newest["statement"].encode()
        _record_lost(session, node)
        statement = statement_of(node.signer, following, Head(session, node.number).size + 1)
        _record(session, node, read_statement(statement))
        return statement

    return node.writer.write(record)


def state_again(node: PlantNode) -> None:
    """Record those rotations anew that a ledger from an older backup has lost, by the statements beside the keys.

    For a hub that refuses our key: what it has heard of comes back with the ledger's tail.
    """
    node.writer.write(lambda session: _record_lost(session, node))


def _record_lost(session: Session, node: PlantNode) -> None:
    known, own = stated(session, node.number), node.signer.key
    found = chain(own, (*known, *node.statements))
    until_ours = found.rotations[: found.keys.index(own)]
    # A backup lost the last ones; where an earlier one is not to be seen, its body was given up.
    there = [at for at, one in enumerate(until_ours, 1) if one.statement in known]
    for one in until_ours[max(there, default=0) :]:
        _record(session, node, one)


def _record(session: Session, node: PlantNode, rotation: Rotation) -> None:
    payload: LedgerKeyRotated = {
        "old": str(rotation.old),
        "new": str(rotation.new),
        "statement": rotation.statement.decode(),
    }
    record_repair(session, node.number, LEDGER_KEY_ROTATED, payload, now=node.clock.now())


def switch_key(keys: Path, reads: Session | ReadSession, log_id: int, origin: str) -> bool:
    """Put the new key in the old one's place where the ledger says that it counts; the old one is kept beside it."""
    if not (keys / NEXT_FILE).exists():
        return False
    newest = newest_stated(reads, log_id)
    following = NoteSigner(origin, load_key(keys / NEXT_FILE)).key
    if newest is None or newest["new"] != str(following):
        return False
    kept = keys / f"ledger.{NoteKey.parse(newest['old']).key_id.hex()}.pem"
    if not kept.exists():
        kept.hardlink_to(keys / KEY_FILE)
    _keep_beside(kept.with_suffix(NOTE_SUFFIX), newest["statement"].encode())
    (keys / NEXT_FILE).replace(keys / KEY_FILE)
    sync_folder(keys)
    return True


def _keep_beside(path: Path, statement: bytes) -> None:
    """Keep the statement of a rotation outside the node's store, which may come back from an older backup."""
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(statement)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def show_statement(way: Way) -> bool:
    """Show the hub the ledger's statements, the oldest first, so that it comes from whatever key it knows to the last.

    False where there is none, or the hub does not take the last one.
    """
    node, taken = way.node, False
    with node.store.reading() as reads:
        rows = reads.rows(SELECT_STATEMENTS, {"log_id": node.number})
    for (body,) in rows:
        try:
            way.door.rotate(node.origin, decode(bytes(body))["payload"]["statement"].encode())
            taken = True
        except Problem as problem:
            if problem.status not in {403, 404, 422}:
                raise
            taken = False
    return taken


def take_key(hub: HubNode, machine: EnrolledMachine, origin: str, statement: bytes) -> None:
    """Take on a plant's new ledger key: checkpoints beyond the statement's size count only under it from now on.

    Told again it changes nothing. Raises Problem 403 for another's ledger and for a statement that the key known here
    and the new one have not both signed, 422 for one that cannot be read.
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


def newest_stated(reads: Session | ReadSession, log_id: int) -> LedgerKeyRotated | None:
    """Return what a ledger says of its newest key, or None where it has had one alone."""
    rows = reads.rows(SELECT_STATEMENTS, {"log_id": log_id})
    return decode(bytes(rows[-1][0]))["payload"] if rows else None
