"""A plant rotates its assertion key while plant and hub run.

| step                                                      | state after an interruption                          |
| --------------------------------------------------------- | ---------------------------------------------------- |
| the new key is written to its file                        | nothing has changed                                  |
| the hub has the statement, which its own ledger records   | either key is accepted; repeat the command           |
| the new key replaces the old one, which is kept           | the plant authenticates with the new key             |
| the plant has authenticated with the new key              | done: the old key is no longer accepted              |

The ledger's key and the new key sign the statement. So a stolen old key alone cannot be replaced by the thief's, and
nobody can announce a key without possessing it. A hub restored to before a rotation does not know the new key. The
plant announces it again, authenticated with an earlier key. Statements are made anew each time and not stored at the
plant.
"""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from auth.keys import SigningKey, public_key_text
from auth.notes import KeyFileError, NoteSigner, generate_key, load_key, save_key
from infra.database import Session
from infra.folders import sync_folder
from plants.rules.ledger.notes import Note
from plants.rules.replication.refusals import PLANT_FENCED
from plants.rules.values.refusals import Refusal
from plants.store.ledger.entries import Head
from sync_jobs.keys.assertion_statements import statement_text
from sync_jobs.nodes import PlantNode
from sync_jobs.plant.exchange_context import ExchangeContext
from sync_jobs.plant.http_hub_client import open_hub_client
from sync_jobs.plant.ledger_key_rotation import restate_lost_rotations, send_rotation_statements
from sync_jobs.protocol.hub_client import HubClient
from sync_jobs.protocol.wire import Problem

KEY_FILE: Final = "assertion.pem"
NEXT_FILE: Final = "assertion.next.pem"
EARLIER_MAX: Final = 8
"""Earlier keys that are tried with a hub that does not know the current one."""


def prepare_key(keys: Path) -> SigningKey:
    """Write the next key to its file, or return the one that is there."""
    if not (keys / NEXT_FILE).exists():
        save_key(keys / NEXT_FILE, generate_key())
    return SigningKey(load_key(keys / NEXT_FILE))


def announce_assertion_key(node: PlantNode, following: SigningKey) -> None:
    """Send the hub the plant's next assertion key; repeated, it changes nothing.

    Rotations of the ledger's key that the hub does not know are sent first. The hub accepts both keys until the new one
    was used. Raises Problem as the hub answered, HubUnreachable, and Refusal PLANT_FENCED on a displaced copy of the
    plant.
    """
    _check_not_fenced(node)
    statement = statement_of(node, node.assertion_key, following)
    try:
        _send(node, statement)
    except Problem as problem:
        if not _is_unknown(problem):
            raise
        # The key was announced and used before, and only our own files are behind.
        _send(replace(node, assertion_key=following), statement)


def switch_key(keys: Path) -> None:
    """Replace the current key by the next one and keep the old file; without a next key nothing happens."""
    if not (keys / NEXT_FILE).exists():
        return
    kept = keys / f"assertion.{SigningKey(load_key(keys / KEY_FILE)).kid}.pem"
    if not kept.exists():
        kept.hardlink_to(keys / KEY_FILE)
    (keys / NEXT_FILE).replace(keys / KEY_FILE)
    sync_folder(keys)


def earlier_keys(keys: Path) -> tuple[SigningKey, ...]:
    """Return the plant's earlier assertion keys, newest last."""
    kept = [path for path in keys.glob("assertion.*.pem") if path.name != NEXT_FILE]
    kept.sort(key=lambda path: (path.stat().st_mtime_ns, path.name))
    found = []
    for path in kept:
        with suppress(KeyFileError):  # an unusable earlier key must not keep the plant from running.
            found.append(SigningKey(load_key(path)))
    return tuple(found)


def reannounce_key(context: ExchangeContext, problem: Problem) -> bool:
    """Announce our key to a hub that does not know it, with an earlier key; returns False where none works."""
    node = context.node
    if not _is_unknown(problem):
        return False
    for earlier in reversed(node.earlier_assertion_keys[-EARLIER_MAX:]):
        before = replace(node, assertion_key=earlier)
        try:
            with open_hub_client(before) as client:
                _announce_through(before, client, statement_of(node, earlier, node.assertion_key))
        except Problem as answer:
            if answer.status not in {401, 403}:
                raise
        else:
            return True
    return False


def _announce_through(node: PlantNode, client: HubClient, statement: bytes) -> None:
    try:
        client.rotate(node.origin, statement)
    except Problem as problem:
        if problem.code != "KEY_REFUSED":
            raise
        # The hub may not know the rotations of the ledger's key yet, or may have lost them. The newest key signs.
        restate_lost_rotations(node)
        send_rotation_statements(node, client)
        client.rotate(node.origin, statement)


def statement_of(node: PlantNode, old: SigningKey, following: SigningKey) -> bytes:
    """Return the note that announces the plant's next assertion key, signed by the ledger's key and by that key."""
    text = statement_text(node.origin, public_key_text(old.public_key), public_key_text(following.public_key))
    return bytes(Note(text, (node.signer.sign(text), NoteSigner(node.origin, following.reveal()).sign(text))))


def _send(node: PlantNode, statement: bytes) -> None:
    with open_hub_client(node) as client:
        _announce_through(node, client, statement)


def _is_unknown(problem: Problem) -> bool:
    return (problem.status, problem.code) == (401, "NOT_RECOGNISED")


def _check_not_fenced(node: PlantNode) -> None:
    """Raise Refusal on a fenced copy: a rotation there would lock out the active copy."""

    def check(session: Session) -> None:
        head = Head(session, node.number)
        if head.fenced:
            raise Refusal(PLANT_FENCED, plant=head.origin.split("/")[-2])

    node.writer.write(check)
