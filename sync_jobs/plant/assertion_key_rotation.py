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
from sync_jobs.plant.http_hub_client import HttpHubClient
from sync_jobs.plant.ledger_key_rotation import restate_lost_rotations, send_rotation_statements
from sync_jobs.protocol.wire import Problem

KEY_FILE: Final = "assertion.pem"
NEXT_FILE: Final = "assertion.next.pem"
EARLIER_MAX: Final = 8
"""Keys of the past with which a hub that does not know the present one is tried."""


def prepare_key(keys: Path) -> SigningKey:
    """Make the next key beside the one in use, or return the one that lies there already."""
    if not (keys / NEXT_FILE).exists():
        save_key(keys / NEXT_FILE, generate_key())
    return SigningKey(load_key(keys / NEXT_FILE))


def announce_assertion_key(node: PlantNode, following: SigningKey) -> None:
    """Tell the hub that the plant signs in with another key from now on; told again it changes nothing.

    The hub takes either until it has seen the new one. Raises Problem as the hub answered, HubUnreachable, and Refusal
    PLANT_FENCED on a copy of the plant that another one has displaced.
    """
    _check_not_fenced(node)
    statement = statement_of(node, node.assertion_key, following)
    try:
        _send(node, statement)
    except Problem as problem:
        if not _is_unknown(problem):
            raise
        # Told before and used since, and only our own files do not say so yet.
        _send(replace(node, assertion_key=following), statement)


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


def reannounce_key(context: ExchangeContext, problem: Problem) -> bool:
    """Tell a hub that does not know our key which one it is, signed in with an earlier one; False where none helps."""
    node = context.node
    if not _is_unknown(problem):
        return False
    for earlier in reversed(node.earlier_assertion_keys[-EARLIER_MAX:]):
        before = replace(node, assertion_key=earlier)
        try:
            with (node.open_hub_client or HttpHubClient)(before) as client:
                _announce_through(
                    replace(context, node=before, client=client), statement_of(node, earlier, node.assertion_key)
                )
        except Problem as answer:
            if answer.status not in {401, 403}:
                raise
        else:
            return True
    return False


def _announce_through(context: ExchangeContext, statement: bytes) -> None:
    try:
        context.client.rotate(context.node.origin, statement)
    except Problem as problem:
        if problem.code != "KEY_REFUSED":
            raise
        # A hub that lost this may have lost what it knew of the ledger's keys as well, and the newest one signs.
        restate_lost_rotations(context.node)
        send_rotation_statements(context)
        context.client.rotate(context.node.origin, statement)


def statement_of(node: PlantNode, old: SigningKey, following: SigningKey) -> bytes:
    """Return the note that states the key with which the plant signs in from now on, signed by its ledger's and it."""
    text = statement_text(node.origin, public_key_text(old.public_key), public_key_text(following.public_key))
    return bytes(Note(text, (node.signer.sign(text), NoteSigner(node.origin, following.reveal()).sign(text))))


def _send(node: PlantNode, statement: bytes) -> None:
    with (node.open_hub_client or HttpHubClient)(node) as client:
        client.rotate(node.origin, statement)


def _is_unknown(problem: Problem) -> bool:
    return (problem.status, problem.code) == (401, "NOT_RECOGNISED")


def _check_not_fenced(node: PlantNode) -> None:
    """Raise Refusal on a fenced copy: it would lock the right one out."""

    def check(session: Session) -> None:
        head = Head(session, node.number)
        if head.fenced:
            raise Refusal(PLANT_FENCED, plant=head.origin.split("/")[-2])

    node.writer.write(check)
