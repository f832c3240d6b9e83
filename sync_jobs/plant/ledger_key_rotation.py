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

from auth.notes import NoteSigner
from infra.database import Session
from plants.commands.replication.repairs import record_repair
from plants.rules.replication.repairs import LedgerKeyRotated
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
from sync_jobs.plant.exchange_context import ExchangeContext
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
    """Record those rotations anew that a ledger from an older backup has lost, by the statements beside the keys.

    For a hub that refuses our key: what it has heard of comes back with the ledger's tail.
    """
    node.writer.write(lambda session: _record_lost(session, node))


def _record_lost(session: Session, node: PlantNode) -> None:
    known, own = recorded_statements(session, node.number), node.signer.key
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
    record_repair(session, node.number, "LedgerKeyRotated", payload, now=node.clock.now())


def send_rotation_statements(context: ExchangeContext) -> bool:
    """Show the hub the ledger's statements, the oldest first, so that it comes from whatever key it knows to the last.

    False where there is none, or the hub does not take the last one.
    """
    node, taken = context.node, False
    with node.store.reading() as reads:
        statements = recorded_statements(reads, node.number)
    for statement in statements:
        try:
            context.client.rotate(node.origin, statement)
            taken = True
        except Problem as problem:
            if problem.status not in {403, 404, 422}:
                raise
            taken = False
    return taken
