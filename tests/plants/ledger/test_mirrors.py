"""Mirrored entries: the row made for COPY is the row that every other store gets."""

from plants.rules.ledger.events import Entry, Envelope, encode
from plants.rules.ledger.merkle import leaf_hash
from plants.store.ledger.entries import ENTRY_COLUMNS, entry_row
from plants.store.ledger.mirrors import line_of


def test_line_of_an_entry_then_its_row_in_the_order_of_the_columns_without_the_request() -> None:
    envelope: Envelope = {
        "id": "0192e4a0-0000-7000-8000-000000000001",
        "type": "BatchReceived",
        "version": 1,
        "plant": 3,
        "index": 7,
        "hlc": "0192e4a000000000",
        "occurred_at": "2026-03-14T08:00:00.000000Z",
        "recorded_at": "2026-03-14T08:00:01.500000Z",
        "actor": "li.wei",
        "key": "SH1-260314-0001N",
        "payload": {},
        "request": "a promise of the plant alone",
    }
    body = encode(envelope)
    entry = Entry(envelope, body, leaf_hash(body))
    assert dict(zip(ENTRY_COLUMNS, line_of(3, entry), strict=True)) == entry_row(3, entry) | {"request": None}
