"""The hub's ledgers and receipts under another key, while plants go on.

| step at the hub                                             | when it breaks off after it                          |
| ----------------------------------------------------------- | ---------------------------------------------------- |
| the new key lies beside the old one                         | nothing has happened                                 |
| LedgerKeyRotated with the statement stands in its ledger    | the new key is taken into use when the hub opens     |
| the statement lies beside the keys                          | the same                                             |
| the new key lies in the old one's place                     | done                                                 |

Every greeting is answered with all statements. A plant trusts the key in its settings (`hub_key`) and takes on what a
chain of statements proves from there; it remembers them in its store, and gets them again where that was restored. What
comes new counts under the newest key alone, what was signed before under the key of its time. The statement beside the
keys is for a hub whose store was restored to before the rotation: its key is the new one, and it has to say why.
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

    Once this returns the new key is the hub's (`sync_jobs.keys.ledger_key_files.switch_key`). Again for the same key it
    changes nothing.
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
    """Return every statement that this hub knows of its own rotations, the oldest first."""
    known = dict.fromkeys((*recorded_hub_statements(reads), *hub.statements))
    return [one.statement for one in chain(hub.signer.key, known).rotations]


def keys_of_hub(reads: Session | ReadSession, hub: HubNode, *names: str) -> tuple[NoteKey, ...]:
    """Return the keys under which this hub ever signed, as ledger and as witness, by its name or by these."""
    known = chain(hub.signer.key, (*recorded_hub_statements(reads), *hub.statements))
    return tuple(key for one in known.keys for key in checkpoints.keys_of(one, *names))


def chain_at(reads: Session | ReadSession, anchor: NoteKey) -> KeyChain:
    """Return the hub's keys as a plant knows them that trusts this one."""
    return chain(anchor, kept_statements(reads))


def newest_at(node: PlantNode) -> NoteKey:
    """Return the key under which this plant believes what comes new from the hub."""
    with node.store.reading() as reads:
        return chain_at(reads, node.hub_key).newest


def ever_at(reads: Session | ReadSession, node: PlantNode, *names: str) -> tuple[NoteKey, ...]:
    """Return every key of the hub that this plant knows, for what was signed and kept before."""
    return tuple(key for one in chain_at(reads, node.hub_key).keys for key in checkpoints.keys_of(one, *names))


def learn(node: PlantNode, welcome: Welcome) -> KeyChain:
    """Take on what the hub states of its keys as far as it is proven by one that is known; returns what is known then.

    What does not connect is passed over: somebody else's, or a hub that is none of ours.
    """
    with node.store.reading() as reads:
        kept = kept_statements(reads)
    before = chain(node.hub_key, kept)
    # What is kept goes first: no statement that comes later leads elsewhere from a key that has handed over.
    after = chain(node.hub_key, (*kept, *(text.encode() for text in welcome.hub_keys)))
    fresh = [one for one in after.rotations if one not in before.rotations]
    if fresh:

        def keep(session: Session) -> None:
            for one in fresh:
                keep_statement(session, str(one.new), one.statement, node.clock.now())

        node.writer.write(keep)
    return after
