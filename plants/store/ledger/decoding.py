"""Decodes entries in bulk: faster than the plain reader in `plants.rules.ledger.events`."""

from collections.abc import Iterable
from typing import cast

import orjson

from plants.rules.ledger.events import Entry, Envelope


def decode(body: bytes) -> Envelope:
    """Return the envelope in an entry's bytes; raises ValueError when they are no JSON object.

    Gives what `plants.rules.ledger.events.decode` gives for every text that a ledger may hold, several times as fast.
    It is the stricter of the two: lone surrogates, NaN and infinities, which canonical JSON does not have, are errors.
    """
    envelope = orjson.loads(body)
    if type(envelope) is not dict:
        message = "an entry is a JSON object"
        raise ValueError(message)
    return cast("Envelope", envelope)


def read_rows(rows: Iterable[tuple[bytes, bytes]]) -> list[Entry]:
    """Return the entries of rows of body and leaf hash, in their order."""
    return [Entry(decode(body), bytes(body), bytes(leaf)) for body, leaf in rows]
