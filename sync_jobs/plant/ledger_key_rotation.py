"""A plant rotates the key of its ledger while it runs: both keys sign the statement, and the ledger stores it.

| step at the plant                                         | state after an interruption                           |
| --------------------------------------------------------- | ----------------------------------------------------- |
| the new key is written to its file                        | nothing has changed                                   |
| LedgerKeyRotated with the statement is in the ledger      | the new key is taken into use when the node opens     |
| the hub has the statement, and its own ledger records it  | the same; the hub accepts both keys for older entries |
| the statement is written to its file                      | the same                                              |
| the new key replaces the old one                          | done                                                  |

When the hub rejects a checkpoint, the plant sends the statements again. The hub may have been restored, or may have
missed a rotation. A plant whose own store was restored to before a rotation first records that rotation again. Keys and
statements are files outside the store and survive its restore.
"""

from auth.notes import NoteSigner
from infra.database import Session
from plants.commands.replication.repairs import record_repair
from plants.rules.replication.events import LEDGER_KEY_ROTATED, LedgerKeyRotated
from plants.store.ledger.entries import Head
from sync_jobs.keys.chains import (
    Rotation,
    chain,
    newest_rotation,
    read_statement,
    recorded_statements,
    statement_of,
)
from sync_jobs.nodes import PlantNode
from sync_jobs.protocol.hub_client import HubClient
from sync_jobs.protocol.wire import Problem


def rotate_ledger_key(node: PlantNode, following: NoteSigner) -> bytes:
    """Record in the plant's ledger that another key signs it from the next entry on; returns the signed statement.

    The new key then signs the ledger (`switch_key`), and the next exchange sends the statement to the hub. A repeated
    call for the same key changes nothing. Rotations that the ledger has lost are recorded first.
    """

    def record(session: Session) -> bytes:
        newest = newest_rotation(session, node.number)
        if newest is not None and newest["new"] == str(following.key):
            return newest["statement"].encode()
        _record_lost(session, node)
        statement = statement_of(node.signer, following, Head(session, node.number).size + 1)
        _record(session, node, read_statement(statement))
        return statement

    return node.writer.write(record)


def restate_lost_rotations(node: PlantNode) -> None:
    """Record again the rotations that a restored ledger has lost, from the statements in the folder of keys.

    For a hub that rejects our key. Rotations that the hub knows return with the tail of the ledger.
    """
    node.writer.write(lambda session: _record_lost(session, node))


def _record_lost(session: Session, node: PlantNode) -> None:
    known, own = recorded_statements(session, node.number), node.signer.key
    found = chain(own, (*known, *node.statements))
    until_ours = found.rotations[: found.keys.index(own)]
    # A restore loses the last rotations. Where only an earlier one is missing, its body was pruned.
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


def send_rotation_statements(node: PlantNode, client: HubClient) -> bool:
    """Send the ledger's statements to the hub, oldest first, so that it can follow them from any key that it knows.

    Returns False where there is none, or where the hub rejects the last one.
    """
    taken = False
    with node.store.reading() as reads:
        statements = recorded_statements(reads, node.number)
    for statement in statements:
        try:
            client.rotate(node.origin, statement)
            taken = True
        except Problem as problem:
            if problem.status not in {403, 404, 422}:
                raise
            taken = False
    return taken
