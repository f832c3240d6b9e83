"""The ledger entry that a mutation wrote: its position, and the hash that proves it later."""

from datetime import datetime
from typing import Self

import strawberry

from plants.rules.ledger.events import Entry
from plants.rules.values.instants import parse_instant
from schema.engine.fields import described, interface_type, object_type
from schema.engine.node_ids import node_id
from schema.engine.scalars import EventType, Sha256


@object_type
class RecordedEntry:
    """The ledger entry that a mutation wrote. It is durable before the answer is sent."""

    id: strawberry.ID = described("Id of the ledger entry, for `ledgerEntry` and `correctEntry`.")
    index: int = described("Position in the ledger, from 0.")
    type: EventType = described("Event type, such as BatchReceived.")
    occurred_at: datetime = described("Time of the event.")
    recorded_at: datetime = described("Time at which the server recorded it.")
    leaf_hash: Sha256 = described("Leaf hash of the entry in the ledger's Merkle tree (RFC 6962).")

    @classmethod
    def of(cls, entry: Entry) -> Self:
        envelope = entry.envelope
        return cls(
            id=node_id("entry", envelope["plant"], entry.index),
            index=entry.index,
            type=EventType(entry.type),
            occurred_at=parse_instant(envelope["occurred_at"]),
            recorded_at=parse_instant(envelope["recorded_at"]),
            leaf_hash=Sha256(entry.leaf.hex()),
        )


@interface_type(name="Recorded")
class Recorded:
    """The success of a mutation: a ledger entry was written."""

    entry: RecordedEntry = described("Ledger entry of the mutation.")
