"""The entry that a mutation wrote, as its answer shows it: where it stands, and the hash that proves it later."""

from datetime import datetime
from typing import Self

import strawberry

from plants.rules.ledger.events import Entry
from plants.rules.values.instants import parse_instant
from schema.engine.fields import described


@strawberry.type(description="The ledger entry that a mutation wrote, durable before the answer is sent.")
class RecordedEntry:
    """The ledger entry that a mutation wrote."""

    index: int = described("Its position in the ledger, from 0.")
    type: str = described("What happened, in the past tense.")
    occurred_at: datetime = described("When it happened.")
    recorded_at: datetime = described("When the server wrote it down.")
    leaf_hash: str = described("The hash of its bytes as the ledger's tree holds it (RFC 6962), hexadecimal.")

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Return an entry as the contract shows it."""
        envelope = entry.envelope
        return cls(
            index=entry.index,
            type=entry.type,
            occurred_at=parse_instant(envelope["occurred_at"]),
            recorded_at=parse_instant(envelope["recorded_at"]),
            leaf_hash=entry.leaf.hex(),
        )


ENTRY = "The ledger entry that says so."
