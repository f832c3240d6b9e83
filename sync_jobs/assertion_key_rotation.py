"""A plant signs in at the hub with another key, while both go on.

| step                                                     | when it breaks off after it                      |
| -------------------------------------------------------- | ------------------------------------------------ |
| the new key lies beside the old one                      | nothing has happened                             |
| the hub has the statement, which its own ledger records  | either key signs in; give the command again      |
| the new key lies in the old one's place, which is kept   | the plant signs in with the new key              |
| the plant has signed in with the new key                 | done: the old one signs in no more, at no plant  |

The ledger's key and the new one sign the statement: whoever has stolen the old key alone cannot put his own in its
place, and nobody states a key that he does not have. A hub that was restored to before a rotation does not know the new
key. It is told again, signed in with one that it knows: statements are made anew each time, and kept nowhere at the
plant.
"""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from auth.keys import SigningKey, public_key_from_text, public_key_text
from auth.machines import EnrolledMachine, exchange_assertion_key
from auth.notes import KeyFileError, NoteSigner, generate_key, load_key, open_note, save_key
from infra.database import Session
from infra.folders import sync_folder
from plants.commands.group.enrolment import record_assertion_key
from plants.rules.group.events import AssertionKeyRotated
from plants.rules.ledger.notes import Note, NoteError, NoteKey, SignatureType
from plants.rules.values.refusals import Refusal, RefusalCode
from plants.store.ledger.entries import HUB_LOG, Head
from sync_jobs.ledger_key_rotation import show_statement, state_again, take_key
from sync_jobs.nodes import HubNode, PlantNode
from sync_jobs.plant.http_hub_client import HubDoor
from sync_jobs.plant.push import Way
from sync_jobs.protocol.wire import Problem

HEADING: Final = "batchloom/assertion-key/v1"
KEY_FILE: Final = "assertion.pem"
NEXT_FILE: Final = "assertion.next.pem"
EARLIER_MAX: Final = 8
"""Keys of the past with which a hub that does not know the present one is tried."""


def prepare_key(keys: Path) -> SigningKey:
    """Make the next key beside the one in use, or return the one that lies there already."""
    if not (keys / NEXT_FILE).exists():
        save_key(keys / NEXT_FILE, generate_key())
    return SigningKey(load_key(keys / NEXT_FILE))


def state_assertion_key(node: PlantNode, following: SigningKey) -> None:
    """Tell the hub that the plant signs in with another key from now on; told again it changes nothing.

    The hub takes either until it has seen the new one. Raises Problem as the hub answered, HubUnreachable, and Refusal
    PLANT_FENCED on a copy of the plant that another one has displaced.
    """
    _check_counts(node)
    statement = statement_of(node, node.assertion_key, following)
    try:
        _tell(node, statement)
    except Problem as problem:
        if not _is_unknown(problem):
            raise
        # Told before and used since, and only our own files do not say so yet.
        _tell(replace(node, assertion_key=following), statement)


def switch_key(keys: Path) -> None:
    """Put the next key in the place of the one in use, which is kept beside it; without a next one nothing happens."""
    if not (keys / NEXT_FILE).exists():
        return
    kept = keys / f"assertion.{SigningKey(load_key(keys / KEY_FILE)).kid}.pem"
    if not kept.exists():
        kept.hardlink_to(keys / KEY_FILE)
    (keys / NEXT_FILE).replace(keys / KEY_FILE)
    sync_folder(keys)


def earlier_keys(keys: Path) -> tuple[SigningKey, ...]:
    """Return the keys that the plant signed in with before, the newest last."""
    kept = [path for path in keys.glob("assertion.*.pem") if path.name != NEXT_FILE]
    kept.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
    found = []
    for path in kept:
        with suppress(KeyFileError):  # a key of the past that is no good any more must not keep the plant from running.
            found.append(SigningKey(load_key(path)))
    return tuple(found)


def introduce_again(way: Way, problem: Problem) -> bool:
    """Tell a hub that does not know our key which one it is, signed in with an earlier one; False where none helps."""
    node = way.node
    if not _is_unknown(problem):
        return False
    for earlier in reversed(node.earlier_assertion_keys[-EARLIER_MAX:]):
        before = replace(node, assertion_key=earlier)
        try:
            with (node.open_door or HubDoor)(before) as door:
                _introduce(replace(way, node=before, door=door), statement_of(node, earlier, node.assertion_key))
        except Problem as answer:
            if answer.status not in {401, 403}:
                raise
        else:
            return True
    return False


def _introduce(way: Way, statement: bytes) -> None:
    try:
        way.door.rotate(way.node.origin, statement)
    except Problem as problem:
        if problem.code != "KEY_REFUSED":
            raise
        # A hub that lost this may have lost what it knew of the ledger's keys as well, and the newest one signs.
        state_again(way.node)
        show_statement(way)
        way.door.rotate(way.node.origin, statement)


def statement_of(node: PlantNode, old: SigningKey, following: SigningKey) -> bytes:
    """Return the note that states the key with which the plant signs in from now on, signed by its ledger's and it."""
    text = statement_text(node.origin, public_key_text(old.public_key), public_key_text(following.public_key))
    return bytes(Note(text, (node.signer.sign(text), NoteSigner(node.origin, following.reveal()).sign(text))))


def statement_text(origin: str, old: str, new: str) -> str:
    """Return what such a note says."""
    return f"{HEADING}\n{origin}\n{old}\n{new}\n"


def take_assertion_key(hub: HubNode, machine: EnrolledMachine, origin: str, statement: bytes) -> None:
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


def take_statement(hub: HubNode, machine: EnrolledMachine, origin: str, statement: bytes) -> None:
    """Take on a plant's new key, whichever of its two the statement is about; raises Problem as each of them does."""
    about_signing_in = statement.startswith(f"{HEADING}\n".encode())
    (take_assertion_key if about_signing_in else take_key)(hub, machine, origin, statement)


def _tell(node: PlantNode, statement: bytes) -> None:
    with (node.open_door or HubDoor)(node) as door:
        door.rotate(node.origin, statement)


def _is_unknown(problem: Problem) -> bool:
    return (problem.status, problem.code) == (401, "NOT_RECOGNISED")


def _check_counts(node: PlantNode) -> None:
    """Raise Refusal on a fenced copy: it would lock the right one out."""

    def check(session: Session) -> None:
        head = Head(session, node.number)
        if head.fenced:
            raise Refusal(RefusalCode.PLANT_FENCED, plant=head.origin.split("/")[-2])

    node.writer.write(check)
