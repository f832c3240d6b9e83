"""Mirrored entries: the row made for COPY is the row that every other store gets."""

from typing import Any

import pytest

from plants.rules.ledger.events import Entry, Envelope, encode
from plants.rules.ledger.merkle import leaf_hash
from plants.store.ledger.entries import ENTRY_COLUMNS, REQUEST_LENGTH_MAX, entry_row
from plants.store.ledger.mirrors import line_of, mirrored_row


def entry_of(request: Any) -> Entry:
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
        "request": request,
    }
    body = encode(envelope)
    return Entry(envelope, body, leaf_hash(body))


def test_line_of_an_entry_then_its_row_in_the_order_of_the_columns_with_the_request() -> None:
    entry = entry_of("0190b0a0-0000-7000-8000-000000000001")
    assert dict(zip(ENTRY_COLUMNS, line_of(3, entry), strict=True)) == entry_row(3, entry) == mirrored_row(3, entry)


@pytest.mark.parametrize("request_id", [7, "", "a\0b", "x" * (REQUEST_LENGTH_MAX + 1), None])
def test_request_that_the_column_cannot_hold_then_none_and_the_entry_is_kept(request_id: object) -> None:
    entry = entry_of(request_id)
    row = dict(zip(ENTRY_COLUMNS, line_of(3, entry), strict=True))
    assert row == mirrored_row(3, entry) == entry_row(3, entry) | {"request": None}
