"""Rotation of the hub's key for its ledgers and receipts, while plants keep running.

| step at the hub                                             | state after an interruption                          |
| ----------------------------------------------------------- | ---------------------------------------------------- |
| the new key is written to its file                          | nothing has changed                                  |
| LedgerKeyRotated with the statement is in its ledger        | the new key is taken into use when the hub opens     |
| the statement is written to its file                        | the same                                             |
| the new key replaces the old one                            | done                                                 |

Every Hello is answered with all statements. A plant trusts the key in its settings (`hub_key`) and accepts every key
that a chain of statements proves from there. It stores them, and gets them again after a restore. New checkpoints are
valid under the newest key alone, earlier ones under the key of their time. The statement's file serves a hub whose
store was restored to before the rotation: its key is the new one, and the statement proves it.
"""

from auth.notes import NoteSigner
from infra.database import ReadSession, Session
from plants.commands.group.enrolment import record_hub_key
from plants.rules.ledger.notes import NoteKey
from plants.rules.replication.events import LedgerKeyRotated
from plants.store.ledger.entries import HUB_LOG, Head
from plants.store.ledger.hub_keys import keep_statement, kept_statements
from sync_jobs.keys.chains import KeyChain, chain, read_statement, recorded_hub_statements, statement_of
from sync_jobs.nodes import HubNode, PlantNode
from sync_jobs.protocol import checkpoints
from sync_jobs.protocol.wire import Welcome


def rotate_hub_key(hub: HubNode, following: NoteSigner) -> bytes:
    """Record in the hub's ledger that another key signs from the next entry on; returns the signed statement.

    The new key then signs (`sync_jobs.keys.ledger_key_files.switch_key`). Repeated for the same key, it changes
    nothing.
    """
    with hub.store.transaction() as session:
        head = Head(session, HUB_LOG)
        for statement in recorded_hub_statements(session):
            if read_statement(statement).new == following.key:
                return statement
        statement = statement_of(hub.signer, following, head.size + 1)
        payload: LedgerKeyRotated = {
            "old": str(hub.signer.key),
            "new": str(following.key),
            "statement": statement.decode(),
        }
        record_hub_key(session, payload, now=hub.clock.now())
        return statement


def statements_of_hub(reads: Session | ReadSession, hub: HubNode) -> list[bytes]:
    """Return every known statement of this hub's rotations, oldest first."""
    known = dict.fromkeys((*recorded_hub_statements(reads), *hub.statements))
    return [one.statement for one in chain(hub.signer.key, known).rotations]


def keys_of_hub(reads: Session | ReadSession, hub: HubNode, *names: str) -> tuple[NoteKey, ...]:
    """Return all keys that this hub ever signed with, as ledger and as witness, under its name or these names."""
    known = chain(hub.signer.key, (*recorded_hub_statements(reads), *hub.statements))
    return tuple(key for one in known.keys for key in checkpoints.keys_of(one, *names))


def chain_at(reads: Session | ReadSession, anchor: NoteKey) -> KeyChain:
    """Return the hub's keys as a plant knows them that trusts this one."""
    return chain(anchor, kept_statements(reads))


def newest_at(node: PlantNode) -> NoteKey:
    """Return the key under which this plant accepts new data of the hub."""
    with node.store.reading() as reads:
        return chain_at(reads, node.hub_key).newest


def ever_at(reads: Session | ReadSession, node: PlantNode, *names: str) -> tuple[NoteKey, ...]:
    """Return every key of the hub that this plant knows, for data that was signed and stored before."""
    return tuple(key for one in chain_at(reads, node.hub_key).keys for key in checkpoints.keys_of(one, *names))


def learn(node: PlantNode, welcome: Welcome) -> KeyChain:
    """Store the hub's statements that a known key proves; returns the keys that are known then.

    Statements that do not connect are skipped: they belong to another hub.
    """
    with node.store.reading() as reads:
        kept = kept_statements(reads)
    before = chain(node.hub_key, kept)
    # Stored statements go first: a later statement by the same key must not divert the chain.
    after = chain(node.hub_key, (*kept, *(text.encode() for text in welcome.hub_keys)))
    fresh = [one for one in after.rotations if one not in before.rotations]
    if fresh:

        def keep(session: Session) -> None:
            for one in fresh:
                keep_statement(session, str(one.new), one.statement, node.clock.now())

        node.writer.write(keep)
    return after
